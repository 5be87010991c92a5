"""Queries worded for a warehouse that is not there: the embedded engine answers them, read back from that wording."""

from __future__ import annotations

import pyarrow as pa
import sqlglot
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers

from kpis.engine.embedded import Embedded
from kpis.engine.warehouse import Warehouse
from kpis.schema import TABLES


class Rehearsal:
    """Takes queries in another dialect over the tables of an embedded engine; stores nothing.

    Parameters
    ----------
    dialect
        Of SQL, as sqlglot calls it.
    """

    collation = ""

    def __init__(self, engine: Embedded, dialect: str) -> None:
        self._engine, self.dialect = engine, dialect

    def fetch(self, query: str) -> pa.Table:
        """The rows of a query."""
        (text,) = sqlglot.transpile(query, read=self.dialect, write="duckdb")
        own = self._engine.source()
        try:
            return own.sql(text).to_arrow_table()
        finally:
            own.close()

    def create(self, table: str, query: str) -> bool:
        """Nothing is stored: a query has everything it needs in it."""
        return False

    def drop(self, table: str) -> None:
        """Nothing was stored."""

    def close(self) -> None:
        """The engine is somebody else's."""


def rehearsed(engine: Embedded, dialect: str) -> Warehouse:
    """The tables of an embedded engine as a warehouse of that dialect would have them, under their own names."""
    tables = [table for table in engine.tables() if table in TABLES]
    named = {table: (None, normalize_identifiers(table, dialect=dialect).name) for table in tables}
    warehouse = Warehouse(Rehearsal(engine, dialect), named)
    for table in tables:
        warehouse.place(table, TABLES[table].names)
    return warehouse
