"""What changed: the sentence, the slippage, the pushes, by hand; and the document of the headless command."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta

import pytest

from kpis.answers.changes import what_changed
from kpis.answers.words import money
from kpis.errors import AssumptionError, NotEnoughData
from kpis.intake import read
from kpis.periods import Calendar
from tests.build import dataset
from tests.test_commands import document, run

Q = Calendar("quarter")
STAGES = [
    {"stage": "Open", "position": 1, "is_qualified": 1},
    {"stage": "Won", "position": 2, "is_won": 1},
    {"stage": "Lost", "position": 3, "is_lost": 1},
]
APRIL, MAY, TODAY = date(2026, 4, 1), date(2026, 5, 1), date(2026, 5, 31)
SECOND = Q.at(TODAY)


def company(**more):
    """Five deals of the second quarter, worth 1,000 when it began."""
    deals = [
        {"opportunity_id": "kept", "owner": "Ann", "segment": "SMB", "amount": 300},
        {"opportunity_id": "pushed", "owner": "Bob", "segment": "SMB", "amount": 250},
        {"opportunity_id": "won", "owner": "Ann", "amount": 240, "closed_at": date(2026, 5, 20), "status": "won"},
        {"opportunity_id": "lost", "owner": "Bob", "amount": 150, "closed_at": date(2026, 4, 20), "status": "lost"},
        {"opportunity_id": "again", "owner": "Bob", "segment": "SMB", "amount": 100},
    ]
    june, july, end = date(2026, 6, 10), date(2026, 7, 10), date(2026, 6, 30)
    history = [
        ("kept", date(2026, 3, 1), "Open", 300, june),
        ("pushed", date(2026, 3, 1), "Open", 250, june),
        ("won", date(2026, 3, 1), "Open", 200, june),
        ("lost", date(2026, 3, 1), "Open", 150, june),
        ("again", date(2026, 3, 1), "Open", 100, date(2026, 4, 10)),
        ("again", date(2026, 4, 5), "Open", 100, date(2026, 5, 10)),
        ("lost", date(2026, 4, 20), "Lost", 150, date(2026, 4, 20)),
        ("pushed", date(2026, 5, 5), "Open", 250, july),
        ("again", date(2026, 5, 6), "Open", 100, end),
        ("won", date(2026, 5, 20), "Won", 240, date(2026, 5, 20)),
    ]
    names = ("opportunity_id", "changed_at", "stage", "amount", "expected_close")
    created = [{**d, "created_at": date(2026, 3, 1), "stage": "Open"} for d in deals]
    now = {row[0]: row[4] for row in history}
    tables = {
        "opportunities": [{**d, "expected_close": now[d["opportunity_id"]]} for d in created],
        "opportunity_history": [dict(zip(names, row, strict=True)) for row in history],
        "stages": STAGES,
    }
    return dataset(tables, newest=TODAY, currency="USD", **more)


def values(answer):
    return {key: n.value for key, n in answer.numbers.items()}


def test_the_answer_by_hand():
    answer = what_changed(company(), Q, SECOND, MAY, TODAY)
    # On 1 May: kept 300, pushed 250, won 200, again 100 = 850. Won grew by 40 and left with 240; 250 was pushed out.
    assert answer.sentence == (
        "The pipeline of 2026Q2 fell from $850 to $400 in 30 days: $250 was pushed out, $240 was won and deals grew by $40."
    )
    found = values(answer)
    assert found["pipeline_start"] == 850.0
    assert found["pipeline_end"] == 400.0
    # When the quarter began 1,000 was expected in it, 250 of which has been pushed out.
    assert found["slippage"] == 0.25
    assert found["slippage_before"] is None  # nothing was known to close in the first quarter
    # Kept was never pushed, again twice: 100 of the pipeline, one push a deal.
    assert (found["pushed_twice"], found["pushes_per_deal"]) == (100.0, 1.0)


def test_a_row_a_change_and_the_bars_meet():
    tables = what_changed(company(), Q, SECOND, MAY, TODAY).tables
    changes = tables["changes"][["opportunity_id", "change", "before", "after", "amount"]]
    assert changes.to_numpy().tolist() == [
        ["pushed", "Pushed out", 250.0, 0.0, -250.0],
        ["won", "Won", 240.0, 0.0, -240.0],
        ["won", "Increased", 200.0, 240.0, 40.0],
    ]
    steps = tables["steps"][["kind", "deals", "low", "high"]]
    assert steps.to_numpy().tolist() == [
        ["start", 4, 0.0, 850.0],
        ["increased", 1, 850.0, 890.0],
        ["pushed out", 1, 640.0, 890.0],
        ["won", 1, 400.0, 640.0],
        ["end", 2, 0.0, 400.0],
    ]


def test_pushes_by_owner_and_the_repeat_offenders():
    tables = what_changed(company(), Q, SECOND, MAY, TODAY).tables
    columns = ["owner", "deals", "amount", "pushed_recently", "pushed_twice", "twice_amount", "per_deal"]
    # Bob: pushed (once) and again (twice, +30 and +51 days), both pushed in May as well; Ann: kept.
    assert tables["pushes_owner"][columns].to_numpy().tolist() == [
        ["Bob", 2, 350.0, 2.0, 1, 100.0, 1.5],
        ["Ann", 1, 300.0, 0.0, 0, 0.0, 0.0],
    ]
    assert tables["pushes_segment"]["segment"].tolist() == ["SMB"]
    offenders = tables["offenders"][["opportunity_id", "pushes", "pushed_recently", "days_later", "expected_close"]]
    assert offenders.to_numpy().tolist() == [["again", 2.0, 1.0, 81.0, date(2026, 6, 30)]]


def test_a_period_that_has_not_begun_has_no_slippage_yet():
    answer = what_changed(company(), Q, Q.at(TODAY, 1), MAY, TODAY)
    assert (
        answer.sentence
        == "The pipeline of 2026Q3 rose from $0 to $250 in 30 days: $250 slipped in from earlier periods."
    )
    assert answer.numbers["slippage"].value is None
    assert "has not begun" in answer.numbers["slippage"].reason
    assert "had not begun" in answer.numbers["slippage_before"].reason  # by a day 31 days before its first
    later = what_changed(company(), Q, Q.at(TODAY, 2), MAY, TODAY)
    assert later.sentence == "The pipeline of 2026Q4 stayed at $0 in 30 days: nothing changed."
    assert later.numbers["pushes_per_deal"].value is None


def test_one_day_and_a_day_not_known_yet():
    same = what_changed(company(), Q, SECOND, TODAY, TODAY)
    assert same.sentence == "The pipeline of 2026Q2 is $400: both days are the same."
    assert what_changed(company(), Q, SECOND, TODAY, date(2030, 1, 1)).document["to"] == "2026-05-31"
    replayed = what_changed(company().known_at(MAY), Q, SECOND, APRIL, TODAY)
    assert replayed.document["to"] == "2026-05-01"
    assert replayed.document["end"] == 850.0


def test_what_is_wrong_is_said():
    with pytest.raises(AssumptionError, match="lies after"):
        what_changed(company(), Q, SECOND, TODAY, MAY)
    with pytest.raises(NotEnoughData, match="No deal was open"):
        what_changed(company(), Q, SECOND, date(2020, 1, 1), date(2020, 2, 1))


def test_overdue_deals_are_told():
    notes = what_changed(company(), Q, Q.at(TODAY, 1), MAY, TODAY).notes
    assert not any("past their expected close" in note for note in notes)  # June is not over
    data = dataset(
        {"opportunities": [{"opportunity_id": k, "created_at": date(2026, 1, 5), "amount": 10.0, "expected_close": close}
                           for k, close in (("a", date(2026, 3, 1)), ("b", date(2026, 4, 9)), ("c", date(2026, 6, 1)))]},
        newest=TODAY,
    )  # fmt: skip
    notes = what_changed(data, Q, SECOND, TODAY, TODAY).notes
    assert any(re.match(r"1 open deal \(10\) past .* still in the pipeline of 2026Q2", note) for note in notes)
    assert any(re.match(r"1 open deal \(10\) past .* not in its pipeline", note) for note in notes)


def test_without_a_history_it_says_what_it_shows_instead():
    deals = [
        {"opportunity_id": "a", "created_at": date(2026, 1, 5), "amount": 10.0},
        {"opportunity_id": "b", "created_at": date(2026, 5, 15), "amount": None},
        {"opportunity_id": "c", "amount": 5.0, "status": "open"},
    ]
    answer = what_changed(dataset({"opportunities": deals}, newest=TODAY), Q, SECOND, MAY, TODAY)
    assert answer.sentence == "The open pipeline stayed at 10 in 30 days: nothing changed."
    assert answer.document["basis"] == "all open deals"
    assert answer.tables["pushes_owner"].empty
    assert answer.numbers["pushed_twice"].value is None
    told = "\n".join(answer.notes)
    assert "all open deals count" in told
    assert "1 open deal without an amount" in told
    assert "1 open deal without a creation date (5)" in told


KEYS = [
    "from", "to", "period", "start", "new", "pulled_in", "increased", "decreased", "pushed_out", "won", "lost",
    "removed", "end", "residual",
]  # fmt: skip


def test_the_command_gives_the_document_of_the_answer(root, sample_data):
    told = document(root, "waterfall", sample_data)
    data = read([sample_data]).dataset
    first = data.newest - timedelta(days=30)
    answer = what_changed(data, Q, Q.at(data.newest), first, data.newest)
    assert list(told)[: len(KEYS)] == KEYS
    assert told == json.loads(json.dumps(answer.document))
    assert told["residual"] == 0.0
    signs = dict(zip(KEYS[3:13], (1, 1, 1, 1, -1, -1, -1, -1, -1, -1), strict=True))
    assert sum(sign * told[key] for key, sign in signs.items()) == pytest.approx(0.0, abs=1e-6)
    changed = sum(row["after"] - row["before"] for row in told["changes"])
    assert told["start"] + changed == pytest.approx(told["end"])
    start, end = money(told["start"], "USD"), money(told["end"], "USD")
    assert answer.sentence.startswith(f"The pipeline of 2026Q3 fell from {start} to {end} in 30 days: ")


@pytest.fixture
def small(tmp_path):
    """An export of one deal."""
    file = tmp_path / "deals.csv"
    file.write_text("opportunity_id,stage,amount,created_at,status\n1,Open,10,2026-05-04,open\n", "utf-8")
    return file


def test_the_command_takes_days_a_period_and_an_as_of_day(root, small):
    days = ("--from", "2026-04-01", "--to", "2026-05-04", "--period", "2026-04", "--grain", "month")
    told = document(root, "waterfall", small, *days, "--as-of", "2026-05-04")
    assert (told["from"], told["to"], told["period"]) == ("2026-04-01", "2026-05-04", "2026-04")
    assert (told["start"], told["new"], told["end"], told["residual"]) == (0.0, 10.0, 10.0, 0.0)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--period", "2026Q9"), 2, "Name it like 2026Q2"),
        (("--to", "1999-01-01"), 1, "No deal was open"),
    ],
)
def test_the_command_refuses_with_a_reason(root, small, arguments, code, words):
    done = run(root, "waterfall", small, *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr


def test_a_period_is_found_by_its_label():
    april = Calendar("month", 4)
    assert april.named("FY2027M05", TODAY).start == date(2026, 8, 1)
    assert Q.named("1999Q4", TODAY).end == date(1999, 12, 31)
    with pytest.raises(AssumptionError, match="no quarter 'soon'"):
        Q.named("soon", TODAY)
