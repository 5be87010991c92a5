"""History from the exports that hold it in another form, on rows written by hand from their headers."""

from __future__ import annotations

from datetime import date

import pytest

from kpis.intake.snapshots import day_of_export
from tests.intake.files import load, look, rows

PATH = (
    "SELECT stage, amount, expected_close, changed_at FROM opportunity_history WHERE opportunity_id = '{}' ORDER BY seq"
)

STAGE_HISTORY = """Opportunity ID,Opportunity Name,From Stage,To Stage,Stage Duration,Last Modified,Amount,Close Date,Stage,Created Date
006A,Alpha,,Prospecting,13,4/30/2025,26900,6/9/2025,Closed Lost,4/30/2025
006A,Alpha,Prospecting,Proposal,13,5/13/2025,26900,6/9/2025,Closed Lost,4/30/2025
006A,Alpha,Proposal,Proposal,,5/28/2025,30000,6/9/2025,Closed Lost,4/30/2025
006A,Alpha,Proposal,Closed Lost,,6/9/2025,30000,6/9/2025,Closed Lost,4/30/2025
006B,Beta,,Prospecting,,9/10/2026,63100,12/2/2026,Prospecting,9/10/2026
"Grand Totals (5 records)"
"Confidential Information - Do Not Distribute"
"""


def test_a_stage_history_report_alone_makes_opportunities() -> None:
    intake = load(report=STAGE_HISTORY)
    assert rows(intake, PATH.format("006A")) == [
        ("Prospecting", 26900.0, date(2025, 6, 9), date(2025, 4, 30)),
        ("Proposal", 26900.0, date(2025, 6, 9), date(2025, 5, 13)),
        ("Proposal", 30000.0, date(2025, 6, 9), date(2025, 5, 28)),  # no move of stage, but of the amount
        ("Closed Lost", 30000.0, date(2025, 6, 9), date(2025, 6, 9)),
    ]
    assert rows(
        intake,
        "SELECT opportunity_id, name, status, created_at, closed_at, expected_close FROM opportunities ORDER BY 1",
    ) == [
        ("006A", "Alpha", "lost", date(2025, 4, 30), date(2025, 6, 9), None),
        ("006B", "Beta", "open", date(2026, 9, 10), None, date(2026, 12, 2)),
    ]
    report = intake.files[0]
    assert (report.read, report.accepted, report.rejected, report.merged) == (5, 5, 0, 0)
    assert any("Grand Totals" in w for w in report.warnings)


FIELD_HISTORY = """Opportunity ID,Opportunity Name,Stage,Amount,Created Date,Close Date,Field / Event,Old Value,New Value,Edit Date
006C,Gamma,Closed Won,11700,4/19/2024,6/1/2024,Created.,,,4/19/2024
006C,Gamma,Closed Won,11700,4/19/2024,6/1/2024,Stage,Prospecting,Qualification,4/23/2024
006C,Gamma,Closed Won,11700,4/19/2024,6/1/2024,Close Date,5/15/2024,6/1/2024,4/28/2024
006C,Gamma,Closed Won,11700,4/19/2024,6/1/2024,Next Step,call,write,4/29/2024
006C,Gamma,Closed Won,11700,4/19/2024,6/1/2024,Amount,"USD 9,000.00","USD 11,700.00",5/2/2024
006C,Gamma,Closed Won,11700,4/19/2024,6/1/2024,Stage,Qualification,Closed Won,6/1/2024
006D,Delta,Discovery,500,4/20/2024,7/1/2024,Amount,400,500,5/20/2024
"""


def test_field_changes_become_states_from_the_creation_on() -> None:
    intake = load(report=FIELD_HISTORY)
    may, june = date(2024, 5, 15), date(2024, 6, 1)
    assert rows(intake, PATH.format("006C")) == [
        ("Prospecting", 9000.0, may, date(2024, 4, 19)),  # what the first changes came from
        ("Qualification", 9000.0, may, date(2024, 4, 23)),
        ("Qualification", 9000.0, june, date(2024, 4, 28)),
        ("Qualification", 11700.0, june, date(2024, 5, 2)),
        ("Closed Won", 11700.0, june, june),
    ]
    assert rows(intake, PATH.format("006D")) == [  # its creation is no event of the file: the created date gives one
        ("Discovery", 400.0, date(2024, 7, 1), date(2024, 4, 20)),
        ("Discovery", 500.0, date(2024, 7, 1), date(2024, 5, 20)),
    ]
    report = intake.files[0]
    assert (report.read, report.accepted, report.rejected) == (7, 6, 1)
    assert report.rejects[0].reason == "a change of Next Step, which is no part of a state"
    assert rows(intake, "SELECT status, amount, closed_at FROM opportunities WHERE opportunity_id = '006C'") == [
        ("won", 11700.0, june)
    ]


def test_salesforce_export_of_history_beside_its_opportunities() -> None:
    intake = load(
        Opportunity='"Id","IsDeleted","Name","StageName","Amount","CloseDate","IsClosed","IsWon","OwnerId","CreatedDate"\n'
        '"006000000000001AAA","0","Sample, one","Negociación","18480","2023-04-15 00:00:00","0","0","005000000000001AAA","2023-02-07 20:47:49"\n',
        OpportunityHistory='"Id","OpportunityId","CreatedDate","StageName","Amount","CloseDate","Probability","ForecastCategory","IsDeleted"\n'
        '"008000000000002AAA","006000000000001AAA","2023-02-09 20:59:56","Negociación","18480","2023-04-15 00:00:00","70","Best Case","0"\n'
        '"008000000000001AAA","006000000000001AAA","2023-02-07 20:47:49","Interés","16120999.999999998","2023-03-01 00:00:00","30","Pipeline","0"\n',
        User='"Id","Alias","IsActive","LastName","Name"\n"005000000000001AAA","am","1","Mora","Ana Mora"\n"005000000000002AAA","bo","1","Li","Bo Li"\n',
    )
    assert rows(
        intake,
        "SELECT stage, amount, probability, forecast_category FROM opportunity_history ORDER BY opportunity_id, seq",
    ) == [
        ("Interés", 16120999.999999998, 0.3, "Pipeline"),
        ("Negociación", 18480.0, 0.7, "Best Case"),
    ]
    assert rows(intake, "SELECT status, owner, expected_close FROM opportunities") == [
        ("open", "Ana Mora", date(2023, 4, 15))
    ]


def test_the_probability_path_where_every_row_has_the_final_stage() -> None:
    intake = load(
        opportunities="""opportunity_id,stage,probability,created_at,closed_at
1,Proposal,50,2024-01-01,
2,Closed Won,100,2024-01-02,2024-02-01
3,Closed Lost,0,2024-01-03,2024-02-01
4,Discovery,20,2024-01-04,
""",
        opportunity_history="""opportunity_id,changed_at,stage,probability
1,2024-01-05,Proposal,20
1,2024-01-12,Proposal,50
2,2024-01-05,Closed Won,20
2,2024-01-12,Closed Won,50
2,2024-01-19,Closed Won,100
3,2024-01-05,Closed Lost,20
3,2024-01-12,Closed Lost,35
3,2024-01-19,Closed Lost,0
4,2024-01-05,Discovery,20
""",
    )
    paths = {str(n): [r[0] for r in rows(intake, PATH.format(n))] for n in range(1, 5)}
    assert paths == {
        "1": ["Discovery", "Proposal"],
        "2": ["Discovery", "Proposal", "Closed Won"],
        "3": ["Discovery", "35 %", "Closed Lost"],  # no deal stands at 35 % today, so the stage has no name
        "4": ["Discovery"],
    }
    assert any("final stage on every row" in note for note in intake.notes)


def test_hubspot_stage_dates_are_a_history() -> None:
    head = '"Record ID","Deal Name","Deal Stage","Close Date","Deal owner","Amount","Pipeline","Create Date","Date entered ""Discovery (Sales Pipeline)""","Date exited ""Discovery (Sales Pipeline)""","Cumulative time in ""Discovery (Sales Pipeline)""","Date entered ""Closed Won (Sales Pipeline)"""\n'
    intake = load(
        deals="\ufeff"
        + head
        + '"701","Seed","Closed Won (Sales Pipeline)","2025-02-28 10:11","Ana","500","Sales Pipeline","2024-12-01 09:00","2024-12-01 09:00","2025-02-28 10:11","7693860","2025-02-28 10:11"\n'
        + '"702","Skip","Closed Won (Sales Pipeline)","2025-03-28 10:11","(No value)","50","Sales Pipeline","2024-12-05 09:00","","","","2025-03-28 10:11"\n'
    )
    assert rows(
        intake, "SELECT opportunity_id, stage, changed_at FROM opportunity_history ORDER BY opportunity_id, seq"
    ) == [
        ("701", "Discovery (Sales Pipeline)", date(2024, 12, 1)),
        ("701", "Closed Won (Sales Pipeline)", date(2025, 2, 28)),
        ("702", "Closed Won (Sales Pipeline)", date(2025, 3, 28)),
    ]
    assert rows(intake, "SELECT opportunity_id, status, owner FROM opportunities ORDER BY 1") == [
        ("701", "won", "Ana"),
        ("702", "won", None),
    ]
    report = intake.files[0]
    assert len(intake.files) == 1
    assert (report.read, report.accepted) == (2, 2)
    assert {m.column: m.field for m in report.mapping}[
        'Date entered "Closed Won (Sales Pipeline)"'
    ] == "opportunity_history.changed_at"


EXPORT = "Opportunity ID,Stage,Amount,Created Date,Close Date,Opportunity Owner\n"


def test_two_dated_exports_become_one_table_and_its_history() -> None:
    intake = load(
        **{
            "pipeline_2024-03-01": EXPORT
            + "A,Discovery,100,2024-01-05,2024-03-31,Ana\nB,Proposal,50,2024-01-10,2024-04-30,Bo\nC,Proposal,9,2024-02-01,2024-05-01,Bo\n",
            "pipeline_2024-04-01": EXPORT
            + "A,Proposal,120,2024-01-05,2024-06-30,Ana\nB,Closed Won,55,2024-01-10,2024-03-20,Bo\nC,Proposal,9,2024-02-01,2024-05-01,Bo\nD,Discovery,7,2024-03-15,2024-07-01,Ana\n",
        }
    )
    assert rows(intake, "SELECT opportunity_id, status, amount FROM opportunities ORDER BY 1") == [
        ("A", "open", 120.0),
        ("B", "won", 55.0),
        ("C", "open", 9.0),
        ("D", "open", 7.0),
    ]
    assert rows(
        intake,
        "SELECT opportunity_id, changed_at, stage, amount, expected_close FROM opportunity_history ORDER BY opportunity_id, seq",
    ) == [
        ("A", date(2024, 3, 1), "Discovery", 100.0, date(2024, 3, 31)),
        (
            "A",
            date(2024, 4, 1),
            "Proposal",
            120.0,
            date(2024, 6, 30),
        ),  # some time between the two: the second export is the first to show it
        ("B", date(2024, 3, 1), "Proposal", 50.0, date(2024, 4, 30)),
        ("B", date(2024, 3, 20), "Closed Won", 55.0, date(2024, 4, 30)),  # its close date tells the day
        ("C", date(2024, 3, 1), "Proposal", 9.0, date(2024, 5, 1)),
        ("D", date(2024, 3, 15), "Discovery", 7.0, date(2024, 7, 1)),  # created between the two
    ]
    assert [(f.read, f.accepted, f.rejected, f.merged) for f in intake.files] == [(3, 0, 0, 3), (4, 4, 0, 0)]
    assert any("2 exports" in note for note in intake.notes)
    assert intake.dataset.newest == date(2024, 4, 1)
    assert intake.dataset.has_history


def test_an_open_deal_that_a_later_export_misses_is_set_aside() -> None:
    reports = look(
        **{
            "deals 2024-03-01": EXPORT
            + "A,Discovery,100,2024-01-05,2024-03-31,Ana\nX,Proposal,50,2024-01-10,2024-04-30,Bo\nW,Closed Won,5,2024-01-10,2024-02-20,Bo\n",
            "deals 2024-04-01": EXPORT + "A,Proposal,120,2024-01-05,2024-06-30,Ana\n",
        }
    )
    first = reports["deals 2024-03-01.csv"]
    assert (first.accepted, first.rejected, first.merged) == (1, 1, 1)  # the closed one stays, the open one is unknown
    assert "nothing tells what became of it" in first.rejects[0].reason


def test_files_without_an_id_in_common_are_parts_not_exports() -> None:
    intake = load(
        **{
            "north 2024-03-01": EXPORT + "A,Discovery,100,2024-01-05,2024-03-31,Ana\n",
            "south 2024-04-01": EXPORT + "B,Discovery,1,2024-01-05,2024-03-31,Bo\n",
        }
    )
    assert rows(intake, "SELECT count(*) FROM opportunities") == [(2,)]
    assert not intake.dataset.has_history


def test_exports_stacked_in_one_file() -> None:
    intake = load(
        deals="Snapshot Date,"
        + EXPORT
        + "2024-03-01,A,Discovery,100,2024-01-05,2024-03-31,Ana\n2024-04-01,A,Proposal,100,2024-01-05,2024-03-31,Ana\n"
    )
    assert rows(intake, "SELECT stage FROM opportunities") == [("Proposal",)]
    assert rows(intake, "SELECT changed_at, stage FROM opportunity_history ORDER BY opportunity_id, seq") == [
        (date(2024, 3, 1), "Discovery"),
        (date(2024, 4, 1), "Proposal"),
    ]
    assert (intake.files[0].accepted, intake.files[0].merged) == (1, 1)


@pytest.mark.parametrize(
    ("name", "lines", "day"),
    [
        ("pipeline_20240301.csv", (), date(2024, 3, 1)),
        ("Deals 1 Mar 2024.xlsx", (), date(2024, 3, 1)),
        ("report-2024-03.csv", (), date(2024, 3, 1)),
        ("31-12-2023 deals.csv", (), date(2023, 12, 31)),
        ("report.csv", ("Generated By: José 3/31/2024 10:23 AM",), date(2024, 3, 31)),
        ("report.csv", ("As of 2024-03-31",), date(2024, 3, 31)),
        ("report1717.csv", ("Copyright (c) 2000-2024",), None),
        ("03-04-2024.csv", (), None),  # 3 April or 4 March
        ("deals 2024-99-01.csv", (), None),
    ],
)
def test_the_day_of_an_export(name: str, lines: tuple[str, ...], day: date | None) -> None:
    assert day_of_export(name, lines, None) == day


def test_ids_of_15_and_18_characters_are_the_same_record() -> None:
    intake = load(
        opportunities="Id,StageName,CloseDate,CreatedDate,Amount\n006A1234567890bCDE,Proposal,2024-05-01,2024-01-01,5\n",
        report=STAGE_HISTORY.replace("006A,", "006A1234567890b,").replace("006B,", "006A1234567890b,"),
    )
    assert (
        rows(intake, "SELECT DISTINCT opportunity_id FROM opportunity_history")
        == rows(intake, "SELECT opportunity_id FROM opportunities")
        == [("006A1234567890b",)]
    )
