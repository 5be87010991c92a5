"""SQL warehouses: narwhals builds queries with sqlframe, sqlglot words them for the warehouse, it answers them.

sqlframe carries a query's whole tree along and copies it at every step, which takes seconds for a measure. Here each
finished step goes by a name, so that a tree stays small: a query is its last step after the steps it names.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from threading import RLock
from typing import Any, Protocol

import narwhals.stable.v2 as nw
import pandas as pd
import pyarrow as pa
from sqlframe.base.catalog import Column
from sqlframe.base.operations import Operation
from sqlframe.base.session import _BaseSession
from sqlframe.postgres import PostgresDataFrame, PostgresSession
from sqlglot import exp
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers

from kpis.engine.base import Engine, Remote
from kpis.schema import SPARK_TYPE, TABLES

_READ_AS = {
    pa.types.is_integer: "bigint",
    pa.types.is_floating: "double",
    pa.types.is_decimal: "double",
    pa.types.is_boolean: "boolean",
    pa.types.is_date: "date",
}
"""What narwhals is told of a column, by how it arrives; anything else is text."""


class Connection(Protocol):
    """Who answers the queries, and how they are to be worded.

    Parameters
    ----------
    dialect
        Of SQL, as sqlglot calls it.
    collation
        The order of texts by code point, which every other engine has by itself; empty where this one does too.
    """

    dialect: str
    collation: str

    def fetch(self, query: str) -> pa.Table:
        """The rows of a query."""

    def create(self, table: str, query: str) -> bool:
        """Store the rows of a query for this session; False where that is not allowed."""

    def drop(self, table: str) -> None:
        """Forget them."""

    def close(self) -> None:
        """End the session."""


class Session(PostgresSession):
    """Builds queries and runs none: sqlframe's own begins by creating functions in the database.

    sqlframe has one session a process, so this one knows no database; each frame knows its own.
    """

    def __init__(self) -> None:
        if not hasattr(self, "steps"):
            _BaseSession.__init__(self)
            self.steps: dict[str, exp.Expression] = {}
            self._named: dict[str, str] = {}
            self._naming = RLock()

    def step(self, query: exp.Expression) -> str:
        """The name of a step; equal steps have one."""
        with self._naming:
            name = self._named.setdefault(query.sql(), f"step_{len(self._named) + 1}")
            self.steps.setdefault(name, query)
            return name

    def before(self, query: exp.Expression) -> Iterator[str]:
        """The steps a query names, each after those it names itself."""
        for table in query.find_all(exp.Table):
            if table.name in self.steps:
                yield from self.before(self.steps[table.name])
                yield table.name


class Frame(PostgresDataFrame):
    """A query of a warehouse."""

    def __init__(self, *args: Any, ask: Callable[[Frame], pa.Table], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ask = ask

    def _validate_plan(self) -> None:
        # sqlframe calls this after every whole operation, on what came of it.
        if self.expression.args.get("with_"):
            self.expression = _all(self.columns, self.session.step(self.expression))
            self.last_op = Operation.INIT

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return self.expression.named_selects

    @property
    def _typed_columns(self) -> list[Column]:
        found = self.ask(self.limit(0)).schema
        return [Column(f.name, None, _read_as(f.type), nullable=True, isPartition=False, isBucket=False) for f in found]

    def toArrow(self, batch_size: int | None = None) -> pa.Table:  # noqa: N802 - sqlframe's name
        """The rows."""
        return self.ask(self)


def _all(columns: Iterable[str], table: str) -> exp.Select:
    """Every row of a table or step."""
    return exp.select(*map(exp.column, columns)).from_(exp.to_table(table))


def _read_as(kind: pa.DataType) -> str:
    return next((name for is_so, name in _READ_AS.items() if is_so(kind)), "string")


class Warehouse(Remote):
    """Tables of a database.

    What is stored lies in tables of the session; where the database allows none, the query itself stands for it.

    Parameters
    ----------
    tables
        Table of the dictionary -> schema (None: the session's own) and name of the table or view that holds it.
    """

    def __init__(self, connection: Connection, tables: Mapping[str, tuple[str | None, str]]) -> None:
        self._connection = connection
        self._there = {table: exp.table_(name, db=db, quoted=True) for table, (db, name) in tables.items()}
        self._frames: dict[str, Frame] = {}
        self.dialects = (connection.dialect,)
        super().__init__()

    def worded(self, dialect: str) -> Engine:
        """Itself."""
        return self if dialect in self.dialects else super().worded(dialect)

    def schema(self, table: str) -> nw.Schema:
        """As its rows arrive."""
        query = self._worded(exp.select("*").from_(self._there[table]).limit(0))
        return nw.from_native(self._connection.fetch(query), eager_only=True).schema

    def place(self, table: str, columns: Collection[str]) -> None:
        """A query over the table, which every other begins with."""
        chosen: dict[str, exp.Expression] = {}
        for column in TABLES[table].columns:
            there = exp.column(self._spelt(column.name)) if column.name in columns else exp.null()
            value = exp.cast(there, SPARK_TYPE[column.kind], "spark")
            chosen[column.name] = value
            if column.name in TABLES[table].dates:
                chosen[f"{column.name}_n"] = exp.cast(exp.UnixDate(this=value.copy()), "int")
            elif SPARK_TYPE[column.kind] == "STRING" and self._connection.collation:
                order = exp.to_identifier(self._connection.collation, quoted=True)
                chosen[column.name] = exp.Collate(this=value, expression=order)
        query = exp.select(*[value.as_(name) for name, value in chosen.items()]).from_(self._there[table])
        self._frames[table] = self._frame(_all(chosen, Session().step(query)))

    def _frame(self, query: exp.Select) -> Frame:
        return Frame(Session(), query, ask=self.fetch)

    def fetch(self, frame: Frame) -> pa.Table:
        """The rows of a frame."""
        return self._connection.fetch(self.text(frame))

    def source(self) -> None:
        """Frames carry their warehouse."""

    def native(self, table: str, source: None) -> Frame:
        """A frame of sqlframe."""
        return self._frames[table]

    def create(self, table: str, frame: Frame) -> None:
        """A table of the session."""
        is_stored = self._connection.create(table, self.text(frame))
        self._frames[table] = self._frame(_all(frame.columns, table)) if is_stored else frame

    def drop(self, table: str) -> None:
        """Free its room."""
        self._frames.pop(table)
        self._connection.drop(table)

    def put(self, table: str, rows: pa.Table | pd.DataFrame) -> None:
        """Written into the query: for a few thousand rows at most."""
        columns = rows.to_pydict() if isinstance(rows, pa.Table) else rows.to_dict("list")
        # SQL has no empty list of values: a row of nulls, left out again, stands for none.
        given = [*zip(*columns.values(), strict=True)] or [(None,) * len(columns)]
        query = exp.select(*map(exp.column, columns)).from_(exp.values(given, alias="given", columns=[*columns]))
        self.create(table, self._frame(query if len(rows) else query.where(exp.false())))

    def text(self, frame: Frame) -> str:
        """Its SQL, worded for the warehouse."""
        session, query = Session(), frame.expression
        steps = {name: self._worded(session.steps[name]) for name in session.before(query)}
        first = ",\n".join(f"{self._quoted(name)} AS ({text})" for name, text in steps.items())
        return (f"WITH {first}\n" if first else "") + self._worded(query)

    def _worded(self, query: exp.Expression) -> str:
        return query.sql(dialect=self._connection.dialect, identify=True)

    def _spelt(self, name: str) -> exp.Expression:
        """A name as the warehouse keeps it, where its users write none in quotes: Snowflake in capitals."""
        return normalize_identifiers(exp.to_identifier(name), dialect=self._connection.dialect)

    def _quoted(self, name: str) -> str:
        return exp.to_identifier(name, quoted=True).sql(dialect=self._connection.dialect)

    def prepared(self, frame: Frame) -> Callable[[], pa.Table]:
        """The query is worded here and asked there."""
        query = self.text(frame)
        return lambda: self._connection.fetch(query)

    def close(self) -> None:
        """End the session; its tables go with it."""
        self._connection.close()
