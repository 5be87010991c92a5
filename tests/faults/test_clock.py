"""The clock is put forward or back: no number follows it, nothing kept is lost or taken for older than it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, func, select

from kpis.assumptions import Assumptions
from kpis.errors import StoreError
from kpis.store import LOCAL, Store, decisions, ledger, place, scenarios, snapshots
from kpis.store.versions import Changed
from kpis.store.workspace import find_or_make, log
from tests.store import made
from tests.test_data_pages import sentence
from tests.test_what_if_page import start

NOW = datetime.now(UTC).replace(tzinfo=None)


@pytest.fixture
def clock(tmp_path):
    """A workspace, and a function that puts the clock of its database."""
    there = find_or_make(Store.open(place(str(tmp_path))), "Plan", LOCAL)
    now = [""]

    @event.listens_for(there.store.engine, "before_cursor_execute", retval=True)
    def put(connection, cursor, statement, parameters, context, many):
        return (statement.replace("CURRENT_TIMESTAMP", f"'{now[0]}'") if now[0] else statement), parameters

    def change(by):
        now[0] = f"{NOW + by:%Y-%m-%d %H:%M:%S}"

    return there, change


@pytest.mark.parametrize("by", [timedelta(days=400), timedelta(days=-400)])
def test_what_is_kept_before_and_after_the_change_is_all_there_in_its_order(clock, by):
    there, change = clock
    first = scenarios.save(there, "Plan A", Assumptions(sales_cycle=1.1))
    decisions.add(there, "before", "", None, "")
    ledger.save(there, made.prediction())
    kept = snapshots.keep(there, made.about(1), made.files(1))
    change(by)
    second = scenarios.save(there, "Plan A", Assumptions(sales_cycle=1.2), first.edition)
    assert (second.version, scenarios.read(second).sales_cycle) == (2, 1.2)
    with pytest.raises(Changed):
        scenarios.save(there, "Plan A", Assumptions(sales_cycle=1.3), first.edition)
    decisions.add(there, "after", "", None, "")
    assert [row.text for row in decisions.listed(there)] == ["before", "after"]
    assert [row.name for row in ledger.listed(there)] == ["as estimated"]
    later = snapshots.keep(there, made.about(2), made.files(2))
    assert {row.id for row in snapshots.listed(there)} == {kept.id, later.id}
    assert (
        len(log(there)) == 8
    )  # made; the scenario twice, two decisions, a prediction, two snapshots; not what was refused
    # Opening sweeps away what nobody refers to; these two are referred to, whatever the clock says of their age.
    reopened = Store.open(place(str(Path(there.store.files.root).parent)))
    with reopened.files.reading(kept.id) as folder:
        assert made.is_whole(folder, 1)


def test_files_swept_away_while_they_are_written_are_told_and_kept_at_the_next_try(clock):
    there, change = clock

    def write(folder):
        made.files(1)(folder)
        change(timedelta(days=400))
        with there.store.reading() as session:
            now = session.scalar(select(func.now()))
        there.store.files.sweep([], datetime.fromisoformat(str(now)))

    with pytest.raises(StoreError, match="No such file"):
        snapshots.keep(there, made.about(1), write)
    assert snapshots.listed(there) == []
    snapshots.keep(there, made.about(1), made.files(1))
    assert len(snapshots.listed(there)) == 1


def test_no_number_of_a_session_follows_the_clock(root, monkeypatch):
    import time

    app = start(root)
    before = sentence(app)
    real = time.time
    for days in (400, -400):
        monkeypatch.setattr(time, "time", lambda days=days: real() + 86_400 * days)
        app.run()
        assert not app.exception
        assert sentence(app) == before
