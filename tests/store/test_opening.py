"""Opening a store: where it is, what it is made of, and what it says when it cannot be used."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from kpis.assumptions import Assumptions
from kpis.errors import InputError, StoreError
from kpis.store import LOCAL, Place, Store, ledger, place, scenarios, snapshots
from kpis.store.database import connected
from kpis.store.models import Base
from kpis.store.place import IN_MEMORY
from kpis.store.scope import ALL
from kpis.store.workspace import find, find_or_make
from tests.store import made


def test_the_migrations_make_the_tables_of_the_models(store):
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_many_sessions_open_their_stores_at_once():
    """Sixteen at a time: a session without a store of its own has one in memory, made when it begins."""

    def opened(_: int) -> list[str]:
        engine = connected(IN_MEMORY)
        names = sorted(inspect(engine).get_table_names())
        engine.dispose()
        return names

    with ThreadPoolExecutor(16) as pool:
        found = [*pool.map(opened, range(48))]
    assert found == [sorted([*Base.metadata.tables, "alembic_version"])] * 48


def test_a_store_of_a_newer_tandem_is_left_alone(store, somewhere):
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="newer Tandem"):
        Store.open(somewhere)


def test_sqlite_is_safe_and_fast_for_several(tmp_path):
    store = Store.open(place(str(tmp_path)))
    with store.reading() as session:
        asked = [
            session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        ]
    assert asked == ["wal", 2, 1, 1]  # 2: FULL, a commit is on the disk when it is told
    store.engine.dispose()


def test_the_folder_of_a_store_is_its_owner_s(tmp_path):
    Store.open(place(str(tmp_path / "new"))).engine.dispose()
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0


def test_where_a_store_is(monkeypatch, tmp_path):
    monkeypatch.setenv("TANDEM_DATA", str(tmp_path / "a"))
    assert place() == Place(f"sqlite:///{tmp_path}/a/tandem.db", f"{tmp_path}/a/snapshots")
    assert place(str(tmp_path / "b")).database == f"sqlite:///{tmp_path}/b/tandem.db"
    monkeypatch.setenv("TANDEM_FILES", "s3://bucket/tandem")
    assert place("postgresql://h/db") == Place("postgresql://h/db", "s3://bucket/tandem")
    assert place("postgresql://h/db", "/files").files == "/files"
    monkeypatch.delenv("TANDEM_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert place().database == f"sqlite:///{tmp_path}/tandem/tandem.db"
    assert not place().is_there
    Store.open(place(files=str(tmp_path / "files"))).engine.dispose()
    assert place().is_there
    assert place("postgresql://h/db").is_there  # only asking can tell


@pytest.mark.parametrize(
    ("address", "error", "words"),
    [
        ("postgresql://ana:geheim@127.0.0.1:1/db", StoreError, "store cannot be used"),
        ("postgresql://ana:geheim@host:port/db", InputError, "no address of a database"),
        ("mysql://ana:geheim@127.0.0.1:1/db", StoreError, "SQLite or PostgreSQL"),
        ("ftp://ana:geheim@h", InputError, "no address of a database"),
        ("sqlite:////proc/none/tandem.db", StoreError, "folder cannot be made"),
    ],
)
def test_a_store_that_cannot_be_used_says_why_and_never_a_password(address, error, words):
    with pytest.raises(error, match=words) as told:
        Store.open(place(address))
    assert "geheim" not in str(told.value)


def test_a_database_that_goes_away_is_told(tmp_path):
    store = Store.open(place(str(tmp_path)))
    workspace = find_or_make(store, "Plan", LOCAL)
    store.engine.dispose()
    for path in tmp_path.glob("tandem.db*"):
        path.unlink()
    with pytest.raises(StoreError, match="store cannot be used"):
        find_or_make(store, "Plan", LOCAL)
    with pytest.raises(StoreError, match="store cannot be used"):
        snapshots.listed(workspace)


def test_files_in_a_bucket(tmp_path):
    # fsspec's own file system in memory stands for a bucket: it knows no folders, no renaming and no flushing.
    store = Store.open(Place(f"sqlite:///{tmp_path}/tandem.db", f"memory://bucket{os.getpid()}"))
    workspace = find_or_make(store, "Plan", LOCAL)
    kept = snapshots.keep(workspace, made.about(), made.files())
    with snapshots.opened(workspace, kept.id) as folder:
        assert made.is_whole(folder, 1)
    assert not folder.exists()
    snapshots.delete(workspace, kept.id)
    with pytest.raises(StoreError, match="gone"), store.files.reading(kept.id):
        pass


def test_files_that_are_gone_are_told(workspace, somewhere):
    kept = snapshots.keep(workspace, made.about(), made.files())
    for path in Path(somewhere.files, kept.id).iterdir():
        path.unlink()
    Path(somewhere.files, kept.id).rmdir()
    with pytest.raises(StoreError, match="are gone"), snapshots.opened(workspace, kept.id):
        pass


def test_a_bucket_that_nobody_knows(tmp_path):
    with pytest.raises(StoreError, match="cannot be reached"):
        Store.open(Place(f"sqlite:///{tmp_path}/tandem.db", "nobody://knows"))


EARLIER = (
    "INSERT INTO workspaces (name, made_by) VALUES ('Plan', 'local user')",
    "INSERT INTO members (workspace_id, person, role) VALUES (1, 'local user', 'owner')",
    "INSERT INTO scenarios (workspace_id, name, levers, saved_by, version) VALUES (1, 'Fast', '{}', 'Ana', 3)",
    """INSERT INTO predictions (workspace_id, identity, made_on, grain, fiscal_start, currency, data, fingerprint, name,
       assumptions, levers, method, saved_by)
       VALUES (1, 'i', '2026-01-20', 'quarter', 1, 'USD', 'deals', 'f', 'first', '{}', 0, 'm', 'Ana')""",
    """INSERT INTO predicted_periods (prediction_id, "window", label, starts, ends, won, expected, p10, p50, p90, verified,
       method, quantiles) VALUES (1, 0, '2026Q1', '2026-01-01', '2026-03-31', 1, 2, 1, 2, 3, true, 'm', '[]')""",
)
"""What the first version may have kept."""


def test_a_store_of_an_earlier_tandem_is_brought_up_to_date(somewhere, monkeypatch):
    with monkeypatch.context() as then:
        then.setattr("kpis.store.database.NEWEST", "0001")
        old = connected(somewhere.database)
    with old.begin() as connection:
        for line in EARLIER:
            connection.execute(text(line))
    old.dispose()
    store = Store.open(somewhere)
    there = find(store, "Plan", LOCAL)
    assert (there.role, there.scope) == ("owner", ALL)
    assert [(row.name, row.levers, row.version) for row in scenarios.listed(there)] == [("Fast", "{}", 3)]
    assert [(row.name, [period.label for period in row.periods]) for row in ledger.listed(there)] == [
        ("first", ["2026Q1"])
    ]
    assert scenarios.save(there, "Slow", Assumptions()).scope == ""
    store.engine.dispose()
