"""Databases instead of exports: every table of one becomes a file of its own. They are only read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from kpis.addresses import DRIVERS, no_driver, parsed, said, shown
from kpis.errors import InputError
from kpis.intake import fields, limits
from kpis.intake.watch import Watch
from kpis.settings import Connection

if TYPE_CHECKING:
    import sqlalchemy

_MAGIC = b"DUCK"
_ROWS = 50_000
"""Rows that are fetched at a time."""
SCHEMES = (*DRIVERS, "duckdb")


@dataclass(frozen=True)
class Rows:
    """A table of a database: its name there, the name it is read under, and a Parquet file with its rows."""

    table: str
    name: str
    path: Path


def is_database(path: Path) -> bool:
    """Whether a file is a DuckDB database, by its bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(12)[8:] == _MAGIC


def tables(path: Path, scratch: Path) -> list[Rows]:
    """Every table and view of a DuckDB file."""
    found = []
    connection = duckdb.connect()
    try:
        connection.execute(f"ATTACH '{str(path.resolve()).replace(chr(39), 2 * chr(39))}' AS source (READ_ONLY)")
        names = connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'source' "
            "UNION ALL SELECT schema_name, view_name FROM duckdb_views() WHERE database_name = 'source' AND NOT internal "
            "ORDER BY 1, 2"
        ).fetchall()
        for schema, name in names[: limits.FILES]:
            target = _new(scratch)
            quoted = ".".join('"' + part.replace('"', '""') + '"' for part in ("source", schema, name))
            connection.execute(f"COPY (SELECT * FROM {quoted}) TO '{target}' (FORMAT parquet)")
            found.append(Rows(name, name, target))
    except duckdb.Error as error:
        raise InputError(
            f"the database cannot be read ({str(error).splitlines()[0][:100]})",
            way_out="Close the program that has it open, or export its tables",
        ) from None
    finally:
        connection.close()
    return found


def fetch(url: str, scratch: Path, asked: Connection, watch: Watch) -> Iterator[Rows]:
    """The tables of the database at ``url``: those asked for, else all that are called like a table of the dictionary.

    ``${NAME}`` in the address stands for an environment variable, so that a password need not be written down.
    InputError when it cannot be reached, has no such table, or would give more than is asked for at once; it never names the password.
    """
    with _reading(url, asked) as connection:
        for name, (table, place) in _tables(connection, url, asked).items():
            watch.begin(0.0, f"Copying {table}")
            yield Rows(table, name, _copy(connection, place, scratch, url, asked, watch))


def named(url: str, asked: Connection) -> dict[str, tuple[str | None, str]]:
    """Name in the dictionary (as far as there is one) -> schema and name of the tables that ``fetch`` would read."""
    with _reading(url, asked) as connection:
        return {name: place for name, (_, place) in _tables(connection, url, asked).items()}


def look(url: str, asked: Connection) -> dict[str, tuple[str, ...]]:
    """Every table and view of the database, as the settings name it, with its columns; no row is read."""
    with _reading(url, asked) as connection:
        import sqlalchemy
        from sqlalchemy.engine.reflection import ObjectKind

        inspector = sqlalchemy.inspect(connection)
        there = _names(inspector)
        found: dict[Any, Any] = {}
        for schema in {schema for schema, _ in there.values()}:
            found |= inspector.get_multi_columns(schema=schema, kind=ObjectKind.ANY)
        return {name: tuple(column["name"] for column in found.get(place, ())) for name, place in there.items()}


def proposed(there: Iterable[str]) -> dict[str, str]:
    """Table of the dictionary -> the table of a database that is called like it."""
    found = {fields.key(name.rpartition(".")[2]): name for name in there}
    named = {table.name: (table.name, *table.aliases) for table in fields.TABLES.values()}
    return {
        table: next(found[fields.key(name)] for name in names if fields.key(name) in found)
        for table, names in named.items()
        if any(fields.key(name) in found for name in names)
    }


@contextmanager
def _reading(url: str, asked: Connection) -> Iterator[sqlalchemy.Connection]:
    import sqlalchemy

    address = parsed(url)
    try:
        engine = _engine(address, asked)
        with engine.connect() as connection:
            if address.get_backend_name() == "postgresql":
                connection.execute(sqlalchemy.text(f"SET statement_timeout = '{asked.seconds}s'"))
            yield connection
        engine.dispose()
    except ImportError:
        raise no_driver(url) from None
    except (sqlalchemy.exc.SQLAlchemyError, OSError, ValueError) as error:
        raise InputError(
            f"the database cannot be read ({said(error, address.password)})",
            place=shown(url),
            way_out="Check the address, and that the user may read it",
        ) from None


def _tables(
    connection: sqlalchemy.Connection, url: str, asked: Connection
) -> dict[str, tuple[str, tuple[str | None, str]]]:
    """Name to read it under -> name there, and schema and table."""
    import sqlalchemy

    there = _names(sqlalchemy.inspect(connection))
    wanted = asked.tables or _known(there)
    for table in wanted.values():
        if table not in there:
            raise InputError(
                f"the database has no table {table!r}; it has {_listed(there)}",
                place=shown(url),
                way_out="Correct [connection.tables] in the settings",
            )
    return {name: (table, there[table]) for name, table in wanted.items()}


def _engine(address: sqlalchemy.URL, asked: Connection) -> sqlalchemy.Engine:
    import sqlalchemy

    if address.get_backend_name() == "sqlite":
        path = Path(address.database or "")
        if not path.is_file():
            raise InputError("There is no such file or folder", place=str(path), way_out="Check the path")
        where = f"{path.resolve().as_uri()}?mode=ro"
        return sqlalchemy.create_engine("sqlite://", creator=lambda: sqlite3.connect(where, uri=True))
    engine = sqlalchemy.create_engine(address, execution_options={"postgresql_readonly": True})
    if engine.dialect.name == "postgresql":
        from kpis.postgres import listen

        listen(engine, asked.seconds)
    return engine


def _names(inspector: Any) -> dict[str, tuple[str | None, str]]:
    """Name of every table and view, as ``table`` or ``schema.table`` -> schema and table."""
    default = inspector.default_schema_name
    found: dict[str, tuple[str | None, str]] = {}
    for schema in inspector.get_schema_names():
        if schema in ("information_schema", "pg_catalog", "sys", "performance_schema"):
            continue
        for table in (*inspector.get_table_names(schema), *inspector.get_view_names(schema)):
            is_own = schema in (default, "main")
            found[table if is_own else f"{schema}.{table}"] = (None if is_own else schema, table)
    return found


def _known(there: Mapping[str, Any]) -> dict[str, str]:
    """The tables that are called like a table of the dictionary: name there -> name there."""
    names = {fields.key(name) for t in fields.TABLES.values() for name in (t.name, *t.aliases)}
    known = {table: table for table in there if fields.key(table.rpartition(".")[2]) in names}
    if not known:
        raise InputError(
            f"no table of the database has a name that is known; it has {_listed(there)}",
            way_out='Name them in the settings, such as [connection.tables] opportunities = "crm.deals"',
        )
    return known


def _listed(there: Mapping[str, Any]) -> str:
    names = sorted(there)
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "") if names else "none"


def _copy(
    connection: sqlalchemy.Connection,
    table: tuple[str | None, str],
    scratch: Path,
    url: str,
    asked: Connection,
    watch: Watch,
) -> Path:
    """The rows of a table as a Parquet file of texts, fetched some at a time."""
    import sqlalchemy

    schema, name = table
    every = sqlalchemy.select(sqlalchemy.text("*")).select_from(sqlalchemy.table(name, schema=schema))
    result = connection.execution_options(stream_results=True, max_row_buffer=_ROWS).execute(every)
    columns = list(result.keys())
    target = _new(scratch)
    with pq.ParquetWriter(target, pa.schema([(column, pa.string()) for column in columns])) as writer:
        read = 0
        for rows in result.partitions(_ROWS):
            watch.check()
            read += len(rows)
            if read > asked.rows:
                raise InputError(
                    f"{name} has more than {asked.rows:,} rows",
                    place=shown(url),
                    way_out="Raise rows under [connection] in the settings, or name a view that holds fewer years",
                )
            texts = [_texts(values) for values in zip(*rows, strict=True)]
            writer.write_table(pa.table(texts, names=columns))
    return target


def _texts(values: tuple[Any, ...]) -> pa.Array:
    """The values of a column as an export would write them."""
    try:
        return pa.array(values).cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def _new(scratch: Path) -> Path:
    return scratch / f"d{len(list(scratch.iterdir()))}"
