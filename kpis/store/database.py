"""The database behind the store: SQLite in one file, or PostgreSQL; brought up to date when it is opened."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from kpis.addresses import no_driver, parsed, said, shown
from kpis.errors import StoreError
from kpis.store.place import IN_MEMORY

WAIT = 30
"""Seconds that a writer waits for another one, and after which a slow server's answer is given up."""

NEWEST = "head"
"""The migration that a store is brought up to."""

_LOCK = 6_846_331
"""Key of the advisory lock under which one process at a time brings a PostgreSQL up to date."""
_MIGRATING = Lock()
"""Alembic knows one migration a process: of two at once each would make the other's tables."""

_ON_CONNECT = {
    # A save is on the disk when it is acknowledged (FULL), and what was deleted is overwritten (secure_delete).
    "sqlite": (
        f"PRAGMA busy_timeout = {WAIT * 1000}",
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA foreign_keys = ON",
        "PRAGMA secure_delete = ON",
    ),
    "postgresql": ("SET TIME ZONE 'UTC'", f"SET lock_timeout = '{WAIT}s'", f"SET statement_timeout = '{WAIT}s'"),
}


def connected(url: str) -> Engine:
    """An engine on the database at this address, with its tables as this version of Tandem has them.

    Raises
    ------
    StoreError
        When it cannot be reached or written to, or a newer Tandem has been there.
    """
    address = parsed(url)
    if address.get_backend_name() not in _ON_CONNECT:
        raise StoreError("A store is SQLite or PostgreSQL", place=shown(url), way_out="Name a folder or postgresql://")
    engine = _engine(address, url)
    try:
        with writing(engine).begin() as connection:
            _bring_up_to_date(connection)
    except CommandError as error:
        raise StoreError(
            "The store was written by a newer Tandem", place=shown(url), way_out="Update this one"
        ) from error
    except DBAPIError as error:
        raise unreachable(error, engine.url) from None
    return engine


def writing(engine: Engine) -> Engine:
    """The same engine for transactions that write: SQLite gives them their turn at the start, not in their middle."""
    return engine.execution_options(writes=True)


def unreachable(error: DBAPIError, address: URL) -> StoreError:
    """What went wrong with the database, without its password."""
    return StoreError(
        f"The store cannot be used ({said(error, address.password)})",
        place=shown(address.render_as_string()),
        way_out="Check that it is there, that its user may write to it, and that its disk has room",
    )


def _engine(address: URL, url: str) -> Engine:
    options: dict[str, Any] = {"pool_pre_ping": True}
    if address.get_backend_name() == "sqlite":
        # One connection, shared by the session's threads, is all that a database in memory has.
        alone = {"poolclass": StaticPool} if url == IN_MEMORY else {}
        options = {"connect_args": {"timeout": WAIT, "check_same_thread": False}, **alone}
        _make_folder(address)
    try:
        engine = create_engine(address, **options)
    except ImportError:
        raise no_driver(url) from None
    event.listen(engine, "connect", _prepare(engine.dialect.name))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "begin", _begin)
    else:
        from kpis.postgres import listen

        listen(engine, WAIT)
    return engine


def _make_folder(address: URL) -> None:
    """The folder of a database file, for its owner only."""
    if address.database:
        try:
            Path(address.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StoreError(
                f"The store's folder cannot be made ({error.strerror})", place=str(error.filename),
                way_out="Name another one",
            ) from None  # fmt: skip


def _prepare(dialect: str) -> Any:
    """What is said to every new connection."""

    def prepare(connection: Any, _: Any) -> None:
        if dialect == "sqlite":
            # The driver would begin transactions on its own, and not before it writes.
            connection.isolation_level = None
        else:
            connection.autocommit = True
        cursor = connection.cursor()
        for statement in _ON_CONNECT[dialect]:
            cursor.execute(statement)
        cursor.close()
        if dialect != "sqlite":
            connection.autocommit = False

    return prepare


def _begin(connection: Connection) -> None:
    is_writer = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writer else "BEGIN")


def _bring_up_to_date(connection: Connection) -> None:
    """Run the migrations that have not run yet; other processes wait and find them done."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    with _MIGRATING:
        command.upgrade(config, NEWEST)
