"""What is kept in a workspace: it comes back as it was, deleting deletes, and the audit log says who."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from kpis.assumptions import Assumptions
from kpis.errors import StoreError
from kpis.settings import Settings
from kpis.store import LOCAL, OPERATOR, agreement, decisions, ledger, scenarios, snapshots
from kpis.store.carrying import carry
from kpis.store.versions import NEW, Changed
from kpis.store.workspace import OWNER, find, find_or_make, log, names, remove
from tests.store import made

SLOW, FAST = Assumptions(sales_cycle=1.2), Assumptions(sales_cycle=0.8, close_rates={"Verhandlung": 0.4})


def told(workspace):
    """The audit log, oldest first."""
    return [(entry.person, entry.action, entry.kind, entry.what) for entry in reversed(log(workspace))]


def test_a_workspace_is_made_once_and_found_by_its_members(store):
    made_here = find_or_make(store, "  Plan ", "ana")
    assert find_or_make(store, "Plan", "ana") == made_here == find(store, "Plan", "ana")
    assert (made_here.name, made_here.role) == ("Plan", OWNER)
    assert names(store, "ana") == ["Plan"]
    assert names(store, "bo") == []
    with pytest.raises(StoreError, match="no workspace 'Plan'"):
        find(store, "Plan", "bo")
    for name in ("", "  ", "x" * 81):
        with pytest.raises(StoreError, match="name"):
            find_or_make(store, name, "ana")


def test_a_scenario_comes_back_as_it_was(workspace):
    scenarios.save(workspace, "Fast", FAST)
    [row] = scenarios.listed(workspace)
    assert scenarios.read(row) == FAST.model_copy(update={"name": "Fast"})
    assert (row.version, row.saved_by) == (1, LOCAL)
    scenarios.save(workspace, "Fast", SLOW, seen=row.edition)
    assert scenarios.named(workspace, "Fast").version == 2
    with pytest.raises(StoreError, match=r"no scenario 'Slow'.*Fast"):
        scenarios.named(workspace, "Slow")
    scenarios.delete(workspace, "Fast")
    scenarios.delete(workspace, "Fast")
    assert scenarios.listed(workspace) == []


def test_a_second_save_is_told_and_nothing_is_overwritten(workspace):
    bo = find(workspace.store, "Plan", LOCAL)
    seen = scenarios.save(workspace, "Plan A", SLOW).edition
    scenarios.save(bo, "Plan A", FAST, seen)
    with pytest.raises(Changed, match="after you opened it") as told_of:
        scenarios.save(workspace, "Plan A", Assumptions(deal_size=1.1), seen)
    assert scenarios.read(told_of.value.theirs).sales_cycle == 0.8
    assert scenarios.read(scenarios.named(workspace, "Plan A")).sales_cycle == 0.8
    # The same again is no conflict, and neither is a name that somebody else has deleted.
    assert scenarios.save(workspace, "Plan A", FAST, seen).version == 2
    scenarios.delete(bo, "Plan A")
    again = scenarios.save(bo, "Plan A", SLOW, seen)
    assert (again.version, again.edition != seen) == (1, True)
    with pytest.raises(Changed):  # the first save of another scenario of that name is not the one that was seen
        scenarios.save(workspace, "Plan A", Assumptions(deal_size=1.1), seen)
    # Who never saw it is told too.
    with pytest.raises(Changed, match="have not opened it"):
        scenarios.save(workspace, "Plan A", FAST)
    assert scenarios.free_name(workspace, "Plan A") == "Plan A (2)"
    scenarios.save(workspace, "Plan A (2)", FAST)
    assert scenarios.free_name(workspace, "Plan A") == "Plan A (3)"
    assert scenarios.free_name(workspace, "Plan B") == "Plan B"


def test_settings_are_the_workspace_s_and_have_versions(workspace):
    assert agreement.agreed(workspace) == (Settings(), NEW)
    euro, yen = Settings(currency="EUR"), Settings(currency="JPY", targets={"2026Q1": 5.0})
    first = agreement.save(workspace, euro)
    assert agreement.save(workspace, euro) == first  # nothing new, nothing said
    second = agreement.save(workspace, yen, first)
    with pytest.raises(Changed, match="the settings"):
        agreement.save(workspace, Settings(currency="USD"), first)
    assert agreement.agreed(workspace) == (yen, second)
    assert told(workspace) == [(LOCAL, "made", "workspace", "Plan"), *[(LOCAL, "saved", "settings", "settings")] * 2]


def test_decisions_come_back_in_their_order(workspace):
    decisions.add(workspace, "Hire", "Ana", date(2026, 3, 1), "What if?")
    second = decisions.add(workspace, "Wait", "", None, "Next two periods")
    assert [(x.text, x.owner, x.due) for x in decisions.listed(workspace)] == [
        ("Hire", "Ana", date(2026, 3, 1)), ("Wait", "", None),
    ]  # fmt: skip
    other = find_or_make(workspace.store, "Other", LOCAL)
    decisions.delete(other, second.id)  # not theirs to delete
    assert len(decisions.listed(workspace)) == 2
    decisions.delete(workspace, second.id)
    third = decisions.add(workspace, "Later", "", None, "")
    assert third.id > second.id  # whoever still holds the number of the deleted one deletes nothing else
    assert [x.text for x in decisions.listed(workspace)] == ["Hire", "Later"]


def test_a_snapshot_is_listed_opened_and_deleted_with_its_files(workspace, somewhere):
    first = snapshots.keep(workspace, made.about(1), made.files(1))
    assert snapshots.keep(workspace, made.about(1), made.files(1)).id == first.id
    assert (first.rows, first.size) == (1, 6000)  # three files of 1000 lines "1"
    assert snapshots.kept(workspace, f"{1:064d}").id == first.id
    assert snapshots.kept(workspace, f"{2:064d}") is None
    with snapshots.opened(workspace, first.id) as folder:
        assert made.is_whole(folder, 1)
    other = find_or_make(workspace.store, "Other", LOCAL)
    with pytest.raises(StoreError, match="deleted"), snapshots.opened(other, first.id):
        pass
    snapshots.delete(workspace, first.id)
    snapshots.delete(workspace, first.id)
    assert snapshots.listed(workspace) == []
    assert list(Path(somewhere.files).iterdir()) == []
    with pytest.raises(StoreError, match="deleted"), snapshots.opened(workspace, first.id):
        pass


def test_a_snapshot_that_could_not_be_written_is_not_there(workspace, somewhere):
    def fails(folder: Path) -> None:
        (folder / "a.parquet").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match=r"No space left on device.*room"):
        snapshots.keep(workspace, made.about(), fails)
    assert snapshots.listed(workspace) == []
    assert list(Path(somewhere.files).iterdir()) == []


def test_a_prediction_is_stored_once_and_to_the_last_digit(workspace):
    exact = 0.1 + 0.2
    first = ledger.save(workspace, made.prediction())
    assert ledger.save(workspace, made.prediction()).id == first.id
    second = made.prediction(name="Hire")
    second.periods[1].expected, second.periods[2].quantiles = exact, [exact] * len(ledger.LEVELS)
    ledger.save(workspace, second)
    newest, oldest = ledger.listed(workspace)
    assert (oldest.name, newest.name) == ("as estimated", "Hire")
    assert newest.periods[1].expected == exact
    assert newest.periods[2].quantiles == [exact] * len(ledger.LEVELS)
    assert [period.window for period in oldest.periods] == [0, 1, 2]
    ledger.delete(workspace, first.id)
    assert [row.name for row in ledger.listed(workspace)] == ["Hire"]


def test_the_log_says_who_saved_and_deleted_what_and_outlives_it(workspace):
    bo = find(workspace.store, "Plan", LOCAL)
    scenarios.save(bo, "Fast", FAST)
    snapshots.keep(workspace, made.about(), made.files())
    ledger.save(workspace, made.prediction())
    scenarios.delete(workspace, "Fast")
    assert told(workspace) == [
        (LOCAL, "made", "workspace", "Plan"),
        (LOCAL, "saved", "scenario", "Fast"),
        (LOCAL, "saved", "snapshot", "deals 1, to 2026-01-01"),
        (LOCAL, "saved", "prediction", "as estimated, as of 2026-01-20"),
        (LOCAL, "deleted", "scenario", "Fast"),
    ]


def test_a_deleted_workspace_is_gone_with_everything_in_it(workspace, somewhere):
    scenarios.save(workspace, "Fast", FAST)
    decisions.add(workspace, "Hire", "", None, "")
    snapshots.keep(workspace, made.about(), made.files())
    ledger.save(workspace, made.prediction())
    agreement.save(workspace, Settings(currency="EUR"))
    remove(workspace)
    assert names(workspace.store, LOCAL) == []
    assert list(Path(somewhere.files).iterdir()) == []
    again = find_or_make(workspace.store, "Plan", LOCAL)
    assert again.id > workspace.id
    held = (scenarios.listed, decisions.listed, snapshots.listed, ledger.listed)
    assert [kind(again) for kind in held] == [[]] * 4
    assert agreement.agreed(again) == (Settings(), NEW)
    assert [(e.action, e.kind) for e in log(replace(workspace, person=OPERATOR))][:1] == [("deleted", "workspace")]
    # Whoever still holds the old one is told, and puts nothing into the new one.
    with pytest.raises(StoreError, match="was deleted"):
        scenarios.save(workspace, "Late", SLOW)
    assert scenarios.listed(again) == []


def test_what_a_session_saved_is_carried_over_and_replaces_nothing(store, workspace):
    own = find_or_make(store, "Mine", LOCAL)
    for name, scenario in (("Same", SLOW), ("Other", FAST), ("New", FAST)):
        scenarios.save(own, name, scenario)
    scenarios.save(workspace, "Same", SLOW)
    scenarios.save(workspace, "Other", SLOW)
    decisions.add(own, "Hire", "Ana", None, "page")
    ledger.save(own, made.prediction())
    assert carry(own, workspace) == ["'Other' was there already: yours is now 'Other (2)'."]
    assert {row.name: scenarios.read(row).sales_cycle for row in scenarios.listed(workspace)} == {
        "Same": 1.2, "Other": 1.2, "Other (2)": 0.8, "New": 0.8,
    }  # fmt: skip
    assert [x.text for x in decisions.listed(workspace)] == ["Hire"]
    [carried] = ledger.listed(workspace)
    assert [period.expected for period in carried.periods] == [100.0, 200.0, 300.0]
    assert len(ledger.listed(own)) == 1
