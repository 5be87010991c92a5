"""A session with PostgreSQL that reads, and asks no more than it was given leave for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import psycopg
import pyarrow as pa
from psycopg.types.numeric import FloatLoader

from kpis.errors import InputError
from kpis.postgres import connect

_ARROW = {
    **dict.fromkeys(("int2", "int4", "int8"), pa.int64()),
    **dict.fromkeys(("float4", "float8", "numeric"), pa.float64()),
    "bool": pa.bool_(),
    "date": pa.date32(),
}
"""How values arrive, by PostgreSQL's name of their type; anything else is text."""

_BY_CODE_POINT = ("pg_c_utf8", "C.utf8", "C")
"""Collations that order texts as every other engine does; all but the last know capitals beyond ASCII."""


class Postgres:
    """A read-only session.

    Every query over the database's tables runs in a read-only transaction, so nothing it calls can write either. Rows
    that are kept go into temporary tables, which belong to the session: the table is made without rows, the one
    statement that is no reading, and filled while reading, which PostgreSQL allows for temporary tables alone.

    Parameters
    ----------
    url
        As libpq takes it.
    place
        What may be said of it.
    rows, seconds
        The most that one query may give and take.

    Raises
    ------
    InputError
        When a query takes longer or gives more, and when the database cannot be reached or ends the session.
    """

    dialect = "postgres"

    def __init__(self, url: str, place: str, *, rows: int, seconds: int) -> None:
        self._place, self._rows, self._seconds = place, rows, seconds
        self._turn = Lock()
        with self._told():
            self._session = connect(url, seconds=seconds, autocommit=True)
            self._session.execute("SET default_transaction_read_only = on")
            self._session.execute(f"SET statement_timeout = '{seconds}s'")
            self._session.execute("SET TIME ZONE 'UTC'")
            known = self._session.execute("SELECT collname FROM pg_collation").fetchall()
        self._session.adapters.register_loader("numeric", FloatLoader)
        self.collation = next(name for name in _BY_CODE_POINT if (name,) in known)

    def fetch(self, query: str) -> pa.Table:
        """The rows of a query."""
        limited = f"SELECT * FROM (\n{query}\n) AS asked LIMIT {self._rows + 1}"
        cursor = self._run(limited)
        rows = cursor.fetchall()
        if len(rows) > self._rows:
            raise InputError(
                f"A query gives more than {self._rows:,} rows",
                place=self._place,
                way_out="Raise rows under [connection] in the settings, or name views that hold fewer years",
            )
        given = zip(*rows, strict=True) if rows else [()] * len(cursor.description)
        names = [column.name for column in cursor.description]
        kinds = [_ARROW.get(column.type_display.partition("(")[0], pa.string()) for column in cursor.description]
        return pa.table([pa.array(values, kind) for values, kind in zip(given, kinds, strict=True)], names=names)

    def create(self, table: str, query: str) -> bool:
        """A temporary table; False on a standby, or where the user may make none."""
        try:
            self._define(f'CREATE TEMPORARY TABLE "{table}" AS {query} WITH NO DATA')
        except (psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.InsufficientPrivilege):
            return False
        self._run(f'INSERT INTO pg_temp."{table}" {query}')
        self._run(f'ANALYZE pg_temp."{table}"')
        return True

    def drop(self, table: str) -> None:
        """Drop the temporary table, if there is one."""
        self._define(f'DROP TABLE IF EXISTS pg_temp."{table}"')

    def close(self) -> None:
        """End the session."""
        self._session.close()

    def _define(self, sql: str) -> None:
        with self._told(), self._turn, self._session.transaction():
            self._session.execute("SET TRANSACTION READ WRITE")
            self._session.execute(sql)

    def _run(self, sql: str) -> psycopg.Cursor:
        with self._told(), self._turn:
            return self._session.execute(sql)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except psycopg.errors.QueryCanceled:
            raise InputError(
                f"A query takes longer than {self._seconds} seconds",
                place=self._place,
                way_out="Raise seconds under [connection] in the settings, or name views that hold fewer years",
            ) from None
        except psycopg.OperationalError as error:
            # what is stored for the session went with it, so that another one could not go on
            raise InputError(
                "The database has ended the session, or cannot be reached",
                place=self._place,
                way_out="Load the data again once it answers",
            ) from error
