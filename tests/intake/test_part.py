"""A part of kept data: the rows of one team, and nothing by which another team's could be told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kpis.answers.masking import masked
from kpis.answers.outlook import outlook
from kpis.answers.targets import targets_for
from kpis.errors import NotEnoughData
from kpis.forecast.model import fit
from kpis.intake import archive, read
from kpis.periods import Calendar
from kpis.report.notebook import KEPT
from kpis.report.pack import kept
from kpis.schema import TABLES
from kpis.settings import Settings
from kpis.store import Store, members, place, snapshots
from kpis.store.roles import VIEWER
from kpis.store.scope import ALL, Scope
from kpis.store.workspace import find, find_or_make
from tests.intake.files import rows

NORTH, BOTH, WEST = (Scope.of("team", values) for values in (["North"], ["North", "South"], ["West"]))

FILES = {
    # Acme has deals of both teams, Birch of North only, Cedar of South only.
    "opportunities": (
        "opportunity_id,account_id,name,owner,team,status,amount,created_at,closed_at,expected_close\n"
        "1,Acme,n1,Ana,North,won,100,2026-01-05,2026-02-01,\n"
        "2,Acme,s1,Bo,South,won,2000,2026-01-06,2026-02-02,\n"
        "3,Birch,n2,Ana,North,open,300,2026-01-07,,2026-03-01\n"
        "4,Cedar,s2,Bo,South,open,4000,2026-01-08,,2026-03-02\n"
        "5,Dune,nobody's,,,open,50000,2026-01-09,,2026-03-03\n"
    ),
    "opportunity_history": (
        "opportunity_id,changed_at,stage,amount\n"
        "1,2026-01-05,First,90\n2,2026-01-06,First,1990\n3,2026-01-07,First,300\n4,2026-01-08,First,4000\n"
    ),
    "accounts": "account_id,industry,employees\nAcme,Air,11\nBirch,Bread,22\nCedar,Cars,33\nDune,Dates,44\n",
    "orders": (
        "order_id,account_id,ordered_at,amount\n"
        "o1,Acme,2026-02-03,70\no2,Birch,2026-02-03,80\no3,Cedar,2026-02-03,90\no4,Dune,2026-02-03,95\n"
    ),
    "activities": (
        "activity_id,occurred_at,type,opportunity_id,owner\n"
        "a1,2026-01-10,call,1,Ana\na2,2026-01-10,call,2,Bo\na3,2026-01-10,call,,Ana\n"
    ),
    "leads": "lead_id,created_at,channel\nl1,2026-01-01,Web\n",
    "spend": "period,department,amount\n2026-01-01,marketing,999\n",
    "targets": (
        "period,scope,metric,value\n"
        "2026-01-01,company,bookings,9000\n2026-01-01,North,bookings,500\n2026-01-01,South,bookings,8500\n"
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The company as a snapshot."""
    kept = tmp_path_factory.mktemp("kept")
    files = [(f"{name}.csv", text.encode()) for name, text in FILES.items()]
    intake = read(files, settings=Settings(targets={"2026Q1": 9999.0}))
    assert set(FILES) <= set(intake.dataset.present)
    archive.write(intake, files, kept)
    return kept


@pytest.fixture(scope="module")
def north(folder):
    return archive.read(folder, NORTH)[0]


def test_a_deal_is_seen_by_its_team_and_what_belongs_to_it_comes_along(north):
    assert rows(north, "SELECT opportunity_id, amount FROM opportunities ORDER BY 1") == [("1", 100.0), ("3", 300.0)]
    assert rows(north, "SELECT DISTINCT opportunity_id FROM opportunity_history ORDER BY 1") == [("1",), ("3",)]
    assert rows(north, "SELECT activity_id FROM activities") == [("a1",)]
    assert rows(north, "SELECT account_id, employees FROM accounts ORDER BY 1") == [("Acme", 11), ("Birch", 22)]


def test_what_a_company_brings_is_seen_by_who_sees_all_its_deals(north, folder):
    # Acme's order may be of South's deal.
    assert rows(north, "SELECT order_id FROM orders") == [("o2",)]
    both, _ = archive.read(folder, BOTH)
    assert rows(both, "SELECT order_id FROM orders ORDER BY 1") == [("o1",), ("o2",), ("o3",)]


def test_what_belongs_to_no_part_is_not_there(north):
    assert set(north.dataset.present) == {
        "opportunities", "opportunity_history", "accounts", "orders", "activities", "targets", "stages",
    }  # fmt: skip
    stored = north.dataset.engine.tables()
    assert set(stored) <= set(TABLES)
    assert {"leads", "spend"}.isdisjoint(stored)


def test_no_table_holds_a_value_of_another_team(north):
    everything = " ".join(str(rows(north, f'SELECT * FROM "{table}"')) for table in north.dataset.engine.tables())
    assert "North" in everything
    for theirs in ("South", "Bo", "Cedar", "Dune", "s1", "2000", "1990", "4000", "50000", "8500", "9000", "999"):
        assert theirs not in everything, theirs


def test_the_account_of_the_files_is_of_all_rows_and_stays_behind(folder, north):
    _, files = archive.read(folder, NORTH)
    assert files == []
    assert [(report.table, report.read, report.accepted) for report in north.files[:1]] == [("opportunities", 2, 2)]
    assert (north.defects, [report.samples for report in north.files if report.samples]) == ((), [])
    assert north.notes == ("These are the rows of team North only, chosen when they were opened.",)
    assert (north.dataset.part, north.dataset.title) == ("team North", "opportunities (team North only)")


def test_its_target_is_the_one_that_was_set_for_it(folder, north):
    quarter = (Calendar("quarter", 1).at(north.dataset.newest),)
    assert targets_for(north.dataset, quarter) == (500.0,)
    assert north.dataset.settings.targets == {}
    both, _ = archive.read(folder, BOTH)
    assert targets_for(both.dataset, quarter) == (None,)  # two targets need not add up to that of both
    whole, _ = archive.read(folder, ALL)
    assert targets_for(whole.dataset, quarter) == (9999.0,)


def test_it_is_the_same_as_reading_those_rows_alone(north):
    # An independent way to the same rows: the lines of the file that are North's.
    header, *lines = FILES["opportunities"].splitlines(keepends=True)
    mine = header + "".join(line for line in lines if ",North," in line)
    history = "opportunity_id,changed_at,stage,amount\n1,2026-01-05,First,90\n3,2026-01-07,First,300\n"
    alone = read([("opportunities.csv", mine.encode()), ("opportunity_history.csv", history.encode())])
    query = "SELECT opportunity_id, status, stage, amount, owner, created_at, closed_at FROM opportunities ORDER BY 1"
    assert rows(north, query) == rows(alone, query)
    assert rows(north, "SELECT opportunity_id, changed_at_n, stage, amount FROM opportunity_history ORDER BY 1, 2") == (
        rows(alone, "SELECT opportunity_id, changed_at_n, stage, amount FROM opportunity_history ORDER BY 1, 2")
    )


def test_every_part_has_a_fingerprint_of_its_own(folder, north):
    whole, again = archive.read(folder, ALL)[0].dataset, archive.read(folder, NORTH)[0].dataset
    both = archive.read(folder, BOTH)[0].dataset
    assert len({whole.fingerprint, north.dataset.fingerprint, both.fingerprint}) == 3
    assert again.fingerprint == north.dataset.fingerprint
    assert masked(north.dataset).part == "certain rows"


def test_a_part_that_is_kept_elsewhere_stays_one(north, tmp_path):
    archive.write(north, [], tmp_path)
    after, _ = archive.read(tmp_path, ALL)
    assert after.dataset.part == "team North"
    assert after.dataset.fingerprint == north.dataset.fingerprint
    owners, _ = archive.read(tmp_path, Scope.of("owner", ["Ana"]))
    assert owners.dataset.part == "team North and owner Ana"


def test_a_notebook_of_a_part_opens_that_part(folder, north, tmp_path, monkeypatch):
    monkeypatch.setenv("TANDEM_DATA", str(tmp_path))
    ana = find_or_make(Store.open(place()), "Plan", "ana@example.com")
    whole, _ = archive.read(folder, ALL)
    snapshots.keep(ana, archive.about(whole), lambda to: archive.write(whole, [], to))
    members.admit(ana, "bo@example.com", VIEWER, NORTH)
    bo = find(ana.store, "Plan", "bo@example.com")
    assert kept(ana, whole.dataset).part == ""
    found = kept(bo, north.dataset)
    cell = {"settings": north.dataset.settings, "replace": replace}
    exec(KEPT.format(**vars(found)), cell)  # noqa: S102 - as a notebook does
    assert cell["intake"].dataset.fingerprint == north.dataset.fingerprint


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        (WEST, "You see team West only, and no deal of these data is of it"),
        (Scope.of("region", ["EMEA"]), "these data have no region"),
        (Scope.of("team", ["' OR true --"]), "no deal of these data is of it"),
        (Scope.of("team", ["north"]), "no deal"),
    ],
)
def test_without_a_row_of_the_part_nothing_is_shown(folder, scope, words):
    with pytest.raises(NotEnoughData, match=words):
        archive.read(folder, scope)


def test_data_without_deals_are_seen_whole_or_not_at_all(tmp_path):
    leads = read([("leads.csv", FILES["leads"].encode())])
    archive.write(leads, [], tmp_path)
    assert rows(archive.read(tmp_path, ALL)[0], "SELECT lead_id FROM leads") == [("l1",)]
    with pytest.raises(NotEnoughData, match="these data have no team"):
        archive.read(tmp_path, NORTH)


def test_a_forecast_of_a_part_is_of_its_deals(sample_data, tmp_path):
    whole = read(sorted(sample_data.glob("*.csv")))
    archive.write(whole, [], tmp_path)
    teams = [value for (value,) in rows(whole, "SELECT DISTINCT team FROM opportunities WHERE team IS NOT NULL")]
    won, query = (
        {},
        "SELECT coalesce(sum(amount), 0) FROM opportunities WHERE status = 'won' AND closed_at >= DATE '2026-07-01'",
    )
    for team in teams:
        dataset = archive.read(tmp_path, Scope.of("team", [team]))[0].dataset
        found = outlook(dataset, fit(dataset, Calendar("quarter", 1)))
        [(expected,)] = rows(whole, f"{query} AND team = '{team}'")
        won[team] = found.landings[0].won
        assert won[team] == pytest.approx(expected)
    [(total,)] = rows(whole, f"{query} AND team IS NOT NULL")
    assert sum(won.values()) == pytest.approx(total)
