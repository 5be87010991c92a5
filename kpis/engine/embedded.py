"""The embedded engine: DuckDB in memory, which intake reads files into."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from weakref import finalize

import duckdb
import pandas as pd
import pyarrow as pa

from kpis.engine.base import Engine
from kpis.errors import AssumptionError

PACKED = 10_000_000
"""Rows from which on a derived table is packed as well: some seconds for some gigabytes."""


class Embedded(Engine):
    """One embedded database for one dataset; nothing in it is shared with another visitor.

    Parameters
    ----------
    memory_limit
        DuckDB's limit, such as ``"4GB"``; beyond it it works out of core, in a folder of its own among the system's
        temporary ones that nobody else may read and that goes with it.
    threads
        How many it may use; all by default. For a few megabytes one is faster than dividing the work.
    """

    def __init__(self, memory_limit: str = "4GB", threads: int | None = None) -> None:
        spill = tempfile.mkdtemp(prefix="tandem-spill-")
        config: dict[str, str | int] = {
            "memory_limit": memory_limit,
            "temp_directory": spill,
            # DuckDB would pack the tables anew after every few changes, which costs more than all the changes: see lock
            "checkpoint_threshold": "1TB",
        }
        if threads:
            config["threads"] = threads
        self._connection = duckdb.connect(":memory:", config=config)
        # a layer is a copy of the engine, so the folder goes with what all of them share
        self._end = finalize(self._connection, shutil.rmtree, spill, ignore_errors=True)
        # Standard output is the command's. In a notebook without ipywidgets DuckDB draws no bar, and refuses.
        with suppress(duckdb.InvalidInputException):
            self._connection.execute("SET enable_progress_bar_print = false")
        super().__init__()

    dialects = ("duckdb", "postgres", "snowflake", "bigquery")

    def worded(self, dialect: str) -> Engine:
        """Itself, or these tables as a warehouse would have them."""
        if dialect == "duckdb":
            return self
        if dialect not in self.dialects:
            return super().worded(dialect)
        try:
            from kpis.engine.rehearsal import rehearsed
        except ImportError as error:
            raise AssumptionError(
                f"What words queries for a warehouse is not installed ({error})",
                place="--sql",
                way_out="Install it: pip install 'sqlframe>=4.10,<5'",
            ) from None
        return rehearsed(self, dialect)

    def execute(self, sql: str, parameters: Any = None) -> duckdb.DuckDBPyConnection:
        """Run native SQL: for intake, which reads, casts and stores. Nothing else calls it."""
        return self._connection.execute(sql, parameters)

    def lock(self) -> None:
        """Close the door once the files are read: no file, no network, no change of configuration.

        The tables are packed once, now that they do not change any more: a sixth of the memory is left.
        """
        self._connection.execute("CHECKPOINT")
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")

    def tables(self) -> tuple[str, ...]:
        """Names of the stored tables."""
        rows = self._connection.cursor().execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()
        return tuple(row[0] for row in rows)

    def source(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own: a shared one fails in threads."""
        return self._connection.cursor()

    def native(self, table: str, source: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        """A relation."""
        return source.table(table)

    def create(self, table: str, frame: duckdb.DuckDBPyRelation) -> None:
        """A table in memory, packed when it is a large one and no query runs."""
        own = self._connection.cursor()
        [(rows,)] = own.execute(f'CREATE TABLE "{table}" AS {frame.sql_query()}').fetchall()
        if rows >= PACKED:
            with suppress(duckdb.TransactionException):
                own.execute("CHECKPOINT")

    def drop(self, table: str) -> None:
        """Free its memory."""
        self._connection.cursor().execute(f'DROP TABLE "{table}"')

    def put(self, table: str, rows: pa.Table | pd.DataFrame) -> None:
        """A table in memory."""
        own = self._connection.cursor()
        own.register("_incoming", rows)
        own.execute(f'CREATE OR REPLACE TABLE "{table}" AS SELECT * FROM _incoming')
        own.close()

    def text(self, frame: duckdb.DuckDBPyRelation) -> str:
        """Its SQL."""
        return frame.sql_query()

    def prepared(self, frame: duckdb.DuckDBPyRelation) -> Callable[[], pa.Table]:
        """The query, for a connection of its own."""
        query, own = frame.sql_query(), self._connection.cursor()

        def fetch() -> pa.Table:
            try:
                return own.sql(query).to_arrow_table()
            finally:
                own.close()

        return fetch

    def close(self) -> None:
        """Free the memory and the disk."""
        self._connection.close()
        self._end()
