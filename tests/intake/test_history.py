from __future__ import annotations

from datetime import date

from tests.intake.files import load, rows

DEALS = "opportunity_id,stage,status,amount,created_at,closed_at\nA,Closed Won,won,100,,2024-03-01\nB,Proposal,open,5,2024-01-09,\n"


def test_order_state_and_creation_come_from_the_history() -> None:
    intake = load(
        opportunities=DEALS,
        opportunity_history="opportunity_id,changed_at,stage,amount\nA,2024-01-05 09:00:00,Discovery,80\nA,2024-02-01 15:00:00,Proposal,\nA,2024-02-01 10:00:00,Discovery,90\nA,2024-03-01 08:00:00,Closed Won,100\nX,2024-02-01,Discovery,1\n",
    )
    assert rows(
        intake, "SELECT stage, amount, changed_at FROM opportunity_history WHERE opportunity_id = 'A' ORDER BY seq"
    ) == [
        ("Discovery", 80.0, date(2024, 1, 5)),
        ("Discovery", 90.0, date(2024, 2, 1)),
        ("Proposal", 90.0, date(2024, 2, 1)),  # the change names no amount: it is as it was
        ("Closed Won", 100.0, date(2024, 3, 1)),
    ]
    assert rows(intake, "SELECT count(DISTINCT seq), count(*) FROM opportunity_history") == [(4, 4)]
    assert rows(intake, "SELECT created_at FROM opportunities WHERE opportunity_id = 'A'") == [(date(2024, 1, 5),)]
    report = next(f for f in intake.files if f.table == "opportunity_history")
    assert [r.reason for r in report.rejects] == ["opportunity X is not among the opportunities"]


def test_a_file_written_newest_first_is_read_from_its_end() -> None:
    intake = load(
        opportunities=DEALS,
        opportunity_history="opportunity_id,changed_at,stage\nA,2024-03-01,Closed Won\nA,2024-02-01,Proposal\nA,2024-02-01,Demo\nA,2024-01-05,Discovery\n",
    )
    assert [r[0] for r in rows(intake, "SELECT stage FROM opportunity_history ORDER BY opportunity_id, seq")] == [
        "Discovery",
        "Demo",
        "Proposal",
        "Closed Won",
    ]


def test_a_close_date_that_is_missing_is_taken_from_the_history_and_said() -> None:
    intake = load(
        opportunities="opportunity_id,stage,status,amount,created_at,closed_at\nA,Closed Won,won,100,2024-01-01,\n",
        opportunity_history="opportunity_id,changed_at,stage\nA,2024-01-01,Discovery\nA,2024-02-03,Closed Won\n",
    )
    assert rows(intake, "SELECT closed_at FROM opportunities") == [(date(2024, 2, 3),)]
    assert any("no close date; the last move" in w for w in intake.files[0].warnings)


def test_equal_changes_are_merged() -> None:
    intake = load(
        opportunities=DEALS,
        opportunity_history="opportunity_id,changed_at,stage\nA,2024-01-05,Discovery\nA,2024-01-05,Discovery\n",
    )
    report = next(f for f in intake.files if f.table == "opportunity_history")
    assert (report.accepted, report.merged) == (1, 1)
