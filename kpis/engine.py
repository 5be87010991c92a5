"""The engine: an embedded DuckDB behind narwhals. It counts, sums, takes minima and maxima.

Rules that keep every engine's numbers equal (each comes from a measured wrong result):
only ``narwhals.stable.v2``; day arithmetic on the whole-number companions; ``agg`` takes lengths, sums,
minima, maxima and counts of plain columns; no ratio, rounding or quantile in here; one cursor a call;
one ``collect`` that casts to a declared schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from copy import copy
from dataclasses import dataclass
from itertools import count
from threading import Lock
from typing import Any, Literal, TypeVar
from weakref import WeakValueDictionary, finalize

import duckdb
import narwhals.stable.v2 as nw
import pandas as pd
import pyarrow as pa

Type = Literal["int", "float", "text", "category"]
_Made = TypeVar("_Made")
_PANDAS = {"int": "int64", "float": "float64", "text": "str", "category": "category"}

REMEMBERED = 4
"""How many of the latest intermediate results an engine keeps: with copies of the largest tables they cost memory."""

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
        self._begin("")

    def _begin(self, layer: str) -> None:
        """Nothing is stored or remembered yet."""
        self._layer = layer
        self._layers: dict[str, Engine] = {}
        self._names: dict[str, str] = {}
        self._storing = Lock()
        self._stored: set[str] = set()
        self._remembering = Lock()
        self._remembered: list[tuple[Any, Any]] = []
        self._kept: WeakValueDictionary[str, Kept] = WeakValueDictionary()
        self._dropped: list[str] = []
        self._numbers = count(1)

    def layer(self, name: str) -> Engine:
        """The same tables, except those registered or stored in the layer: there they hide the ones of their name."""
        if name not in self._layers:
            self._layers[name] = copy(self)
            self._layers[name]._begin(f"{name}_")  # noqa: SLF001 - its own
        return self._layers[name]

    def execute(self, sql: str, parameters: Any = None) -> duckdb.DuckDBPyConnection:
        """Run native SQL: for intake, which reads, casts and stores. Nothing else calls it."""
        return self._connection.execute(sql, parameters)

    def register(self, name: str, frame: Any) -> None:
        """Store an arrow table or data frame as table ``name``."""
        self._connection.register("_incoming", frame)
        self._connection.execute(f'CREATE OR REPLACE TABLE "{self._layer}{name}" AS SELECT * FROM _incoming')
        self._connection.unregister("_incoming")
        self._names[name] = self._layer + name

    def store(self, name: str, build: Callable[[Cursor], nw.LazyFrame]) -> None:
        """Store a derived table once: the first caller builds it, the others wait and find it."""
        with self._storing:
            if name not in self._stored:
                build(self.cursor()).to_native().create(self._layer + name)
                self._names[name] = self._layer + name
                self._stored.add(name)

    def remember(self, key: Any, make: Callable[[], _Made]) -> _Made:
        """What ``make`` gave when it was last asked for under an equal key; beyond REMEMBERED the oldest is forgotten.

        The stored tables never change, so what was made of them stays true. ``make`` must return at once.
        """
        with self._remembering:
            found = next((entry for entry in self._remembered if entry[0] == key), None) or (key, make())
            others = [entry for entry in self._remembered if entry is not found]
            self._remembered = [*others, found][-REMEMBERED:]
            return found[1]

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
        return Cursor(self._connection.cursor(), self._names, self._keep)

    def _keep(self, query: str) -> Kept:
        """The rows of a query, stored once for all who hold them; what nobody holds any more is dropped here."""
        with self._storing:
            while self._dropped:
                self._connection.cursor().execute(f"DROP TABLE {self._dropped.pop()}")
            kept = self._kept.get(query)
            if kept is None:
                kept = self._kept[query] = Kept(f"_{self._layer}kept_{next(self._numbers)}")
                self._connection.cursor().execute(f'CREATE TABLE "{kept.name}" AS {query}')
                # Only noted when the last holder lets go: that may happen in the middle of another query.
                finalize(kept, self._dropped.append, f'"{kept.name}"')
            return kept


@dataclass(frozen=True, eq=False)
class Kept:
    """A stored copy of the rows of a query, there for as long as anyone holds this."""

    name: str


class Cursor:
    """One query's way into the engine."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, names: Mapping[str, str], keep: Callable[[str], Kept]
    ) -> None:
        self._connection = connection
        self._names = names
        self._keep = keep
        self._held: list[Kept] = []

    def frame(self, table: str) -> nw.LazyFrame:
        """A lazy frame over a stored table."""
        return nw.from_native(self._connection.table(self._names.get(table, table)))

    def keep(self, frame: nw.LazyFrame) -> nw.LazyFrame:
        """The same rows, stored for the life of this cursor: for a frame that many queries start from."""
        copy_of = self._keep(frame.to_native().sql_query())
        self._held.append(copy_of)
        return nw.from_native(self._connection.table(copy_of.name))

    def ahead(self, frame: nw.LazyFrame, schema: Mapping[str, Type], pool: Executor) -> Future[pd.DataFrame]:
        """What ``collect`` gives, fetched in the background on a connection of its own."""
        query, own = _narrowed(frame, schema).to_native().sql_query(), self._connection.cursor()

        def fetch() -> pd.DataFrame:
            try:
                return _typed(own.sql(query).to_arrow_table(), schema)
            finally:
                own.close()

        return pool.submit(fetch)


def collect(frame: nw.LazyFrame, schema: Mapping[str, Type]) -> pd.DataFrame:
    """Fetch the columns of ``schema``, cast to its types: the one place where rows leave the engine.

    ``int`` columns must hold no null (fill them in the query); ``float`` turns null into NaN.
    """
    return _typed(_narrowed(frame, schema).collect("pyarrow").to_native(), schema)


def _narrowed(frame: nw.LazyFrame, schema: Mapping[str, Type]) -> nw.LazyFrame:
    """Only the columns of the schema, in its order."""
    return frame if frame.columns == list(schema) else frame.select(*schema)


def _typed(native: pa.Table, schema: Mapping[str, Type]) -> pd.DataFrame:
    """The columns of the schema in its types."""
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
