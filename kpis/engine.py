"""The engine: an embedded DuckDB behind narwhals. It counts, sums, takes minima and maxima.

Rules that keep every engine's numbers equal (each comes from a measured wrong result):
only ``narwhals.stable.v2``; day arithmetic on the whole-number companions; ``agg`` takes lengths, sums,
minima, maxima and counts of plain columns; no ratio, rounding or quantile in here; one cursor a call;
one ``collect`` that casts to a declared schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, Literal

import duckdb
import narwhals.stable.v2 as nw
import pandas as pd

Type = Literal["int", "float", "text", "category"]
_PANDAS = {"int": "int64", "float": "float64", "text": "str", "category": "category"}

NEVER = 1_000_000
"""A whole-number day no data reach (the year 4707): stands for "has not happened" where null would."""


class Engine:
    """One embedded database for one dataset; nothing in it is shared with another visitor.

    Parameters
    ----------
    memory_limit
        DuckDB's limit, such as ``"4GB"``; beyond it it works out of core.
    threads
        How many it may use; all by default. For a few megabytes one is faster than dividing the work.
    """

    def __init__(self, memory_limit: str = "4GB", threads: int | None = None) -> None:
        config: dict[str, str | int] = {"memory_limit": memory_limit}
        if threads:
            config["threads"] = threads
        self._connection = duckdb.connect(":memory:", config=config)
        self._storing = Lock()
        self._stored: set[str] = set()

    def execute(self, sql: str, parameters: Any = None) -> duckdb.DuckDBPyConnection:
        """Run native SQL: for intake, which reads, casts and stores. Nothing else calls it."""
        return self._connection.execute(sql, parameters)

    def register(self, name: str, frame: Any) -> None:
        """Store an arrow table or data frame as table ``name``."""
        self._connection.register("_incoming", frame)
        self._connection.execute(f'CREATE OR REPLACE TABLE "{name}" AS SELECT * FROM _incoming')
        self._connection.unregister("_incoming")

    def store(self, name: str, build: Callable[[Cursor], nw.LazyFrame]) -> None:
        """Store a derived table once: the first caller builds it, the others wait and find it."""
        with self._storing:
            if name not in self._stored:
                build(self.cursor()).to_native().create(name)
                self._stored.add(name)

    def lock(self) -> None:
        """Close the door once the files are read: no file, no network, no change of configuration."""
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")

    def close(self) -> None:
        """Free the memory."""
        self._connection.close()

    def tables(self) -> tuple[str, ...]:
        """Names of the stored tables."""
        rows = self._connection.cursor().execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()
        return tuple(row[0] for row in rows)

    def cursor(self) -> Cursor:
        """A cursor of its own: all frames of one query come from one cursor."""
        return Cursor(self._connection.cursor())


class Cursor:
    """One query's way into the engine."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._kept = 0

    def frame(self, table: str) -> nw.LazyFrame:
        """A lazy frame over a stored table."""
        return nw.from_native(self._connection.table(table))

    def keep(self, frame: nw.LazyFrame) -> nw.LazyFrame:
        """The same rows, stored for the life of this cursor: for a frame that many queries start from."""
        self._kept += 1
        name = f"_kept_{self._kept}"
        self._connection.execute(f"CREATE TEMP TABLE {name} AS {frame.to_native().sql_query()}")
        return nw.from_native(self._connection.table(name))


def collect(frame: nw.LazyFrame, schema: Mapping[str, Type]) -> pd.DataFrame:
    """Fetch the columns of ``schema``, cast to its types: the one place where rows leave the engine.

    ``int`` columns must hold no null (fill them in the query); ``float`` turns null into NaN.
    """
    native = frame.select(*schema).collect("pyarrow").to_native()
    columns = {}
    for name, kind in schema.items():
        column = native.column(name)
        if kind == "category":
            columns[name] = column.cast("string").dictionary_encode().to_pandas()
        elif kind == "text":
            columns[name] = column.cast("string").to_pandas().astype("str")
        else:
            columns[name] = column.cast("double" if kind == "float" else "int64").to_pandas().astype(_PANDAS[kind])
    return pd.DataFrame(columns)
