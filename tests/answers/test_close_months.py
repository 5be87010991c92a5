"""The spread over close months as first set and as set now, by hand."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import pytest

from kpis.answers.close_months import NO_HISTORY, close_months
from kpis.engine import NEVER
from kpis.periods import day_n
from tests.build import dataset

TODAY = date(2026, 8, 15)


def d(month, day):
    return date(2026, month, day)


DEALS = [
    # id, created, expected close now, amount
    ("a", d(6, 10), d(9, 1), 10.0),  # first July, now September: later
    ("b", d(6, 20), d(7, 30), 20.0),  # first July, still July
    ("c", d(7, 5), d(7, 31), 40.0),  # first December, now July: earlier
    ("d", d(7, 6), None, 80.0),  # has lost its close
    ("e", date(2025, 8, 31), d(9, 1), 160.0),  # before the twelve months
]
CHANGES = [
    ("a", d(6, 10), d(7, 20)), ("a", d(7, 1), d(8, 1)), ("a", d(8, 1), d(9, 1)), ("b", d(6, 20), d(7, 1)),
    ("b", d(7, 1), d(7, 30)), ("c", d(7, 5), d(12, 1)), ("c", d(8, 2), d(7, 31)), ("e", date(2025, 8, 31), d(9, 1)),
]  # fmt: skip


def found(*, history=True, history_start=-NEVER, as_of=TODAY):
    tables = {
        "opportunities": [
            {"opportunity_id": k, "created_at": c, "expected_close": e, "amount": a, "stage": "Open"}
            for k, c, e, a in DEALS
        ]
    }
    if history:
        tables["opportunity_history"] = [
            {"opportunity_id": k, "changed_at": day, "stage": "Open", "expected_close": close}
            for k, day, close in CHANGES
        ]
    data = dataset(tables, newest=TODAY).known_at(as_of)
    model = SimpleNamespace(
        dataset=data, today=day_n(as_of), stints=SimpleNamespace(history_start=history_start),
        once=lambda find: find(model),
    )  # fmt: skip
    return SimpleNamespace(model=model)


def cells(table):
    return {(f"{row.month:%b}", row.months_to_close): (row.opportunities, row.amount) for row in table.itertuples()}


def test_both_maps_hold_the_same_opportunities():
    answer = close_months(found())
    assert cells(answer.tables["spread_first"]) == {("Jun", "1"): (2, 30.0), ("Jul", "4 or more"): (1, 40.0)}
    assert cells(answer.tables["spread"]) == {
        ("Jun", "3"): (1, 10.0),
        ("Jun", "1"): (1, 20.0),
        ("Jul", "0"): (1, 40.0),
    }
    assert answer.numbers["close_later"].value == pytest.approx(1 / 3)
    assert answer.numbers["close_later"].working == "1 of 3 opportunities"
    assert (
        answer.sentence
        == "Of 3 opportunities 33 % are now set to close in a later month than first, 33 % in an earlier one."
    )
    assert answer.notes == ("1 opportunities created in the last twelve months have no expected close to compare",)


def test_a_past_day_knows_the_closes_of_that_day():
    # On 15 July a is expected in August, c in December still.
    answer = close_months(found(as_of=d(7, 15)))
    assert cells(answer.tables["spread"])["Jun", "2"] == (1, 10.0)
    assert cells(answer.tables["spread"])["Jul", "4 or more"] == (1, 40.0)


def test_what_was_created_before_the_first_record_is_left_out():
    # History begins on 1 July: the first record of the June deals is not their first date.
    answer = close_months(found(history_start=day_n(d(7, 1))))
    assert set(cells(answer.tables["spread_first"])) == {("Jul", "4 or more")}


def test_without_a_history_there_is_one_map_and_the_reason():
    answer = close_months(found(history=False))
    assert answer.tables["spread_first"].empty
    assert sum(n for n, _ in cells(answer.tables["spread"]).values()) == 3
    assert answer.numbers["close_later"].value is None
    assert answer.numbers["close_later"].reason == NO_HISTORY
    assert answer.sentence == f"3 opportunities by the close that is set now; as first set: n/a, {NO_HISTORY}."


def test_the_query_returns_the_counts():
    answer = close_months(found())
    assert '"opportunity_history"' in answer.counts["closes"].query()
