"""The rules of opportunities on hand-written rows."""

from __future__ import annotations

from datetime import date

from tests.intake.files import load, look, rows

HEAD = "opportunity_id,stage,status,amount,created_at,expected_close,closed_at\n"


def test_canonical_columns_in_any_order_and_subset() -> None:
    intake = load(
        deals="amount,created_at,stage,opportunity_id,status,closed_at\n100,2024-01-05,Proposal,A,won,2024-02-01\n50,2024-01-06,Proposal,B,open,\n"
    )
    assert rows(
        intake,
        "SELECT opportunity_id, status, amount, amount_basis, closed_at, created_at_n FROM opportunities ORDER BY 1",
    ) == [
        (
            "A",
            "won",
            100.0,
            "given",
            date(2024, 2, 1),
            19727,
        ),  # 2024-01-05 is 54 years, 13 leap days and 4 days after 1970-01-01: 54*365+13+4
        ("B", "open", 50.0, "given", None, 19728),
    ]
    assert intake.dataset.newest == date(2024, 2, 1)
    assert intake.dataset.present["opportunities"] == {
        "amount",
        "created_at",
        "stage",
        "opportunity_id",
        "status",
        "closed_at",
        "amount_basis",
    }


def test_every_column_of_the_dictionary_is_there_with_its_companion() -> None:
    intake = load(deals=HEAD + "A,Proposal,open,1,2024-01-05,2024-03-01,\n")
    columns = dict(
        rows(intake, "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'opportunities'")
    )
    assert columns["push_count"] == "BIGINT"
    assert columns["expected_close_n"] == "INTEGER"
    assert columns["closed_at"] == "DATE"


def test_status_beats_the_stage_and_the_conflict_is_priced() -> None:
    intake = load(
        deals=HEAD + "A,Closed Won,Open,100,2024-01-05,2024-03-01,\nB,1-Qualify,Lost,7,2024-01-05,,2024-02-01\n"
    )
    assert rows(intake, "SELECT opportunity_id, status FROM opportunities ORDER BY 1") == [("A", "open"), ("B", "lost")]
    assert ("status and stage in conflict", 1, 100.0) in [(d.defect, d.rows, d.amount) for d in intake.defects]


def test_the_stage_tells_the_status_when_nothing_else_does() -> None:
    intake = load(
        deals="Opportunity ID,Stage,Amount,Created Date,Close Date\nA,Closed Won,5,2024-01-05,2024-02-01\nB,Closed Lost to Competition,6,2024-01-05,2024-02-02\nC,Proposal,7,2024-01-05,2024-05-01\n"
    )
    assert rows(intake, "SELECT opportunity_id, status, closed_at, expected_close FROM opportunities ORDER BY 1") == [
        ("A", "won", date(2024, 2, 1), None),
        ("B", "lost", date(2024, 2, 2), None),
        ("C", "open", None, date(2024, 5, 1)),
    ]


def test_flags_and_deleted_rows() -> None:
    report = look(
        deals="Id,IsDeleted,StageName,Amount,CloseDate,IsClosed,IsWon,CreatedDate\nA,0,Fertig,5,2024-02-01,1,1,2024-01-05\nB,1,Fertig,5,2024-02-01,1,0,2024-01-05\nC,0,Fertig,5,2024-02-01,1,0,2024-01-05\n"
    )["deals.csv"]
    assert (report.accepted, report.rejected) == (2, 1)
    assert report.rejects[0].line == 3
    assert "deleted" in report.rejects[0].reason


def test_rows_that_cannot_stand_say_why_and_where() -> None:
    report = look(
        deals=HEAD
        + "A,Proposal,won,1,2024-01-05,,2024-02-01\n"
        + ",Proposal,open,1,2024-01-05,,\n"
        + "C,Proposal,open,1,2024-02-30,,\n"
        + "D,Proposal,won,1,2024-03-05,,2024-02-01\n"
        + "E,Proposal,won,1,2024-01-05,,\n"
        + "F,Proposal,won,1,2206-01-05,,2206-02-01\n"
    )["deals.csv"]
    assert {r.line: r.reason for r in report.rejects} == {
        3: "opportunity_id is empty",
        4: "created_at: '2024-02-30' is no date",
        5: "closed on 2024-02-01, before it was created on 2024-03-05",
        6: "won, but without the day it closed",
        7: "created_at 2206-01-05 lies far after everything else: a typing error",
    }
    assert report.accepted == 1


def test_a_typing_error_is_not_the_newest_day() -> None:
    intake = load(
        deals=HEAD
        + "A,Proposal,open,1,2024-01-05,2206-01-01,\nB,Proposal,open,1,2206-02-05,,\nC,Proposal,open,1,2024-03-05,,\n"
    )
    assert intake.dataset.newest == date(2024, 3, 5)


def test_duplicates_are_merged_and_of_two_contents_the_last_stays() -> None:
    intake = load(
        deals=HEAD
        + "A,Proposal,open,1,2024-01-05,,\nA,Proposal,open,1,2024-01-05,,\nB,Proposal,open,5,2024-01-05,,\nB,Proposal,open,9,2024-01-05,,\n"
    )
    report = intake.files[0]
    assert (report.read, report.accepted, report.rejected, report.merged) == (4, 2, 1, 1)
    assert report.rejects[0].reason == "opportunity_id B comes again in line 5, further down; that row is kept"
    assert rows(intake, "SELECT amount FROM opportunities WHERE opportunity_id = 'B'") == [(9.0,)]


def test_the_row_changed_last_stays() -> None:
    intake = load(
        deals="opportunity_id,stage,amount,created_at,LastModifiedDate\nB,Proposal,5,2024-01-05,2024-03-01 10:00:00\nB,Proposal,9,2024-01-05,2024-02-01 10:00:00\n"
    )
    assert rows(intake, "SELECT amount FROM opportunities") == [(5.0,)]
    assert "changed later" in intake.files[0].rejects[0].reason


def test_open_deals_without_an_amount_get_the_list_price() -> None:
    deals = "opportunity_id,product,deal_stage,engage_date,close_date,close_value\nA,GTXPro,Won,2024-01-05,2024-02-01,90\nB,GTX Pro,Engaging,2024-01-06,,\nC,MG,Prospecting,,,\n"
    intake = load(sales_pipeline=deals, products="product,series,sales_price\nGTX Pro,GTX,100\nMG,MG,7\n")
    assert intake.dataset.amount_known_at_close
    assert rows(
        intake,
        "SELECT opportunity_id, product, amount, amount_basis, list_price, created_at FROM opportunities ORDER BY 1",
    ) == [
        ("A", "GTX Pro", 90.0, "given", 100.0, date(2024, 1, 5)),
        ("B", "GTX Pro", 100.0, "list price", 100.0, date(2024, 1, 6)),
        ("C", "MG", 7.0, "list price", 7.0, None),
    ]
    assert ("open deal whose amount is its product's list price", 2, 107.0) in [
        (d.defect, d.rows, d.amount) for d in intake.defects
    ]
    warnings = " ".join(intake.files[0].warnings)
    assert "'GTXPro' is taken as 'GTX Pro' (1 row(s))" in warnings
    assert "no created date" in warnings


def test_a_negative_amount_stays_and_is_said() -> None:
    intake = load(deals=HEAD + "A,Proposal,won,-5,2024-01-05,,2024-02-01\n")
    assert rows(intake, "SELECT amount FROM opportunities") == [(-5.0,)]
    assert ("negative amount", 1, -5.0) in [(d.defect, d.rows, d.amount) for d in intake.defects]


def test_spellings_of_a_category_become_one_and_none_stays() -> None:
    intake = load(
        deals="opportunity_id,stage,segment,source,created_at\nA,Proposal,Mid-market,None,2024-01-01\nB, proposal,mid market,None,2024-01-02\nC,PROPOSAL,Mid-market,Select,2024-01-03\nD,Proposal,A+,n/a,2024-01-04\nE,Proposal,A-,Web,2024-01-05\n"
    )
    assert rows(intake, "SELECT opportunity_id, stage, segment, source FROM opportunities ORDER BY 1") == [
        ("A", "Proposal", "Mid-market", "None"),
        ("B", "Proposal", "Mid-market", "None"),
        ("C", "Proposal", "Mid-market", None),
        ("D", "Proposal", "A+", None),
        ("E", "Proposal", "A-", "Web"),
    ]
    assert any("'PROPOSAL' (1 row(s))" in w for w in intake.files[0].warnings)


def test_an_export_without_ids_is_told_apart_by_account_name_and_creation() -> None:
    intake = load(
        deals="Opportunity Name,Account Name,Stage,Amount,Created Date,Close Date\nPilot,Acme,Closed Lost,,2024-01-21,2024-02-02\nPilot,Acme,Prospecting,9,2024-02-25,2024-04-30\n"
    )
    assert rows(intake, "SELECT opportunity_id, account_id, status FROM opportunities ORDER BY 1") == [
        ("Acme | Pilot | 2024-01-21", "Acme", "lost"),
        ("Acme | Pilot | 2024-02-25", "Acme", "open"),
    ]
    assert any("have no id" in note for note in intake.notes)


def test_dynamics_prefers_what_a_deal_was_won_at_and_leaves_out_errors() -> None:
    intake = load(
        deals="(Do Not Modify) Opportunity,Topic,Est. Revenue,Actual Revenue,Status,Status Reason,Pipeline Phase,Created On,Actual Close Date,Est. Close Date\n"
        "1,a,100,90,Won,Won,4-Close,2024-01-01,2024-02-01,2024-03-01\n2,b,100,,Lost,Error/Duplicate,1-Qualify,2024-01-01,2024-02-01,\n3,c,100,,Open,In Progress,2-Develop,2024-01-01,,2024-03-01\n"
    )
    assert rows(intake, "SELECT opportunity_id, status, amount FROM opportunities ORDER BY 1") == [
        ("1", "won", 90.0),
        ("3", "open", 100.0),
    ]
    assert intake.files[0].rejects[0].reason == "no opportunity any more: Error/Duplicate"


def test_words_of_status_that_say_nothing_and_open_deals_with_a_close_are_said() -> None:
    intake = load(
        deals="opportunity_id,status,amount,created_at,closed_at\nA,Zzz,1,2024-01-05,\nB,Open,1,2024-01-05,2024-02-01\nC,Won,1,2024-01-05,2024-02-01\n"
    )
    assert rows(intake, "SELECT status, closed_at FROM opportunities ORDER BY opportunity_id") == [
        ("open", None),
        ("open", None),
        ("won", date(2024, 2, 1)),
    ]
    said = " ".join(intake.files[0].warnings)
    assert "'Zzz' (1 row(s)) says neither open, won nor lost" in said
    assert "first in line 3: open, yet with a date on which it closed" in said


DYNAMICS = (
    "(Do Not Modify) Opportunity,Topic,Est. Revenue,Status,Created On,(Do Not Modify) Modified On,Est. Close Date\n"
)


def test_without_close_dates_the_last_change_stands_in() -> None:
    """Dynamics locks what is closed: it was last changed when it was closed, whenever that was expected."""
    intake = load(
        deals=DYNAMICS
        + "1,a,100,Won,2024-01-05,2024-02-09 16:30,2024-03-31\n2,b,100,Lost,2024-01-05,2024-05-02 09:00,2024-02-01\n"
        "3,c,100,Open,2024-01-05,2024-06-01 09:00,2024-07-01\n4,d,100,Lost,2024-01-05,,2024-04-01\n5,e,100,Lost,2024-01-05,,2024-12-31\n"
    )
    assert rows(intake, "SELECT opportunity_id, closed_at, expected_close FROM opportunities ORDER BY 1") == [
        ("1", date(2024, 2, 9), date(2024, 3, 31)),
        ("2", date(2024, 5, 2), date(2024, 2, 1)),
        ("3", None, date(2024, 7, 1)),
        # no change is dated; expected before the newest day that is known, 2024-06-01
        ("4", date(2024, 4, 1), date(2024, 4, 1)),
    ]
    # expected long after the newest day, so it closed on neither
    assert [(r.line, r.reason) for r in intake.files[0].rejects] == [(6, "lost, but without the day it closed")]
    said = " ".join(intake.files[0].warnings)
    assert "2 row(s), first in line 2: no close date; closed on the day of its last change" in said
    assert (
        "1 row(s), first in line 5: no close date and no last change of its own; closed on the day it was expected"
        in said
    )


def test_a_mass_update_is_no_close() -> None:
    """25 of 30 deals were last changed on 1 June, more than 20 and than a tenth: the plan says when they closed."""
    lines = [f"{n},a,100,Won,2024-01-05,2024-06-01 02:00,2024-03-{n:02}" for n in range(1, 26)]
    lines += [f"{n},a,100,Won,2024-01-05,2024-04-{n - 20:02} 10:00,2024-03-01" for n in range(26, 31)]
    intake = load(deals=DYNAMICS + "\n".join(lines))
    closed = rows(intake, "SELECT closed_at FROM opportunities ORDER BY opportunity_id::INT")
    assert closed == [(date(2024, 3, n),) for n in range(1, 26)] + [(date(2024, 4, n - 20),) for n in range(26, 31)]


def test_a_file_that_dates_some_closes_lends_no_date_to_the_others() -> None:
    intake = load(
        deals=DYNAMICS.replace("Created On", "Created On,Actual Close Date")
        + "1,a,100,Won,2024-01-05,2024-02-01,2024-02-09,2024-03-31\n"
        "2,b,100,Won,2024-01-05,,2024-02-09,2024-03-31\n"
    )
    assert [r.reason for r in intake.files[0].rejects] == ["won, but without the day it closed"]


def test_rows_without_id_name_and_date_have_ids_of_their_own() -> None:
    head = "account_name,stage,amount,status,created_at,closed_at\n"
    nameless = ",Proposal,5,open,,\n,Proposal,7,open,,\n,Proposal,5,open,,\n"
    intake = load(deals=head + nameless + "Acme,Lost,3,lost,2024-01-05,2024-02-01\n")
    assert rows(intake, "SELECT opportunity_id, amount FROM opportunities ORDER BY 1") == [
        ("(unnamed) |", 5.0), ("(unnamed) | #2", 7.0), ("Acme | 2024-01-05", 3.0),
    ]  # fmt: skip
    # The third says the same as the first.
    assert [(f.read, f.accepted, f.rejected, f.merged) for f in intake.files] == [(4, 3, 0, 1)]
