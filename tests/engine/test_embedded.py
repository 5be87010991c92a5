"""The embedded engine works out of core where memory ends, for nobody else to read, and leaves nothing behind."""

from __future__ import annotations

import gc
import stat
from pathlib import Path

from kpis.engine import Embedded

ROWS = 2_000_000
"""Of three numbers of 8 bytes each: 48 MB, where 20 MB are allowed."""


def full() -> tuple[Embedded, Path]:
    """A locked engine with a table that does not fit into its memory, and the folder it works in."""
    engine = Embedded(memory_limit="20MB", threads=1)
    engine.lock()
    engine.execute(f"CREATE TABLE t AS SELECT range AS a, hash(range) AS b, hash(range + 1) AS c FROM range({ROWS})")
    [(folder,)] = engine.execute("SELECT current_setting('temp_directory')").fetchall()
    return engine, Path(folder)


def test_what_does_not_fit_goes_to_the_disk_and_is_gone_with_the_engine() -> None:
    engine, folder = full()
    other = Embedded()
    assert sum(file.stat().st_size for file in folder.iterdir()) > 20e6
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder != Path(other.execute("SELECT current_setting('temp_directory')").fetchone()[0])
    [(total,)] = engine.execute("SELECT sum(a) FROM t").fetchall()
    assert total == ROWS * (ROWS - 1) // 2
    engine.close()
    assert not folder.exists()
    other.close()


def test_an_engine_that_is_forgotten_leaves_nothing_either() -> None:
    engine, folder = full()
    layer = engine.layer("masked")
    del engine
    gc.collect()
    assert folder.exists()  # its layer still reads the same tables
    del layer
    gc.collect()
    assert not folder.exists()


def test_the_working_directory_stays_as_it_was(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    engine, _ = full()
    assert not list(tmp_path.iterdir())
    engine.close()
