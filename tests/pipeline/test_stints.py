"""Visits of stages: hand-worked histories, the past as it was known, and a fuzz against plain loops."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpis.engine import NEVER
from kpis.periods import day_n
from kpis.pipeline.stints import LOST, ONE_STAGE, OPEN, WON, stints
from tests.build import dataset
from tests.oracle.visits import known, visits

START = date(2024, 1, 1)
STAGES = [
    {"stage": "A", "position": 1, "is_qualified": 0, "is_won": 0, "is_lost": 0},
    {"stage": "B", "position": 2, "is_qualified": 1, "is_won": 0, "is_lost": 0},
    {"stage": "C", "position": 3, "is_qualified": 1, "is_won": 0, "is_lost": 0},
    {"stage": "Won", "position": 4, "is_qualified": 1, "is_won": 1, "is_lost": 0},
    {"stage": "Lost", "position": 5, "is_qualified": 0, "is_won": 0, "is_lost": 1},
]
CLOSING = {"Won": "won", "Lost": "lost"}


def day(n: int | None) -> date | None:
    """Day n of the story."""
    return None if n is None else START + timedelta(days=n)


def deal(name: str, created: int | None, closed: int | None = None, status: str = "", **more) -> dict:
    """One opportunity."""
    status = status or ("open" if closed is None else "won")
    return {"opportunity_id": name, "created_at": day(created), "closed_at": day(closed), "status": status, **more}


def rows(name: str, *changes: tuple) -> list[dict]:
    """History rows (day, stage, amount or nothing) of one opportunity, in order."""
    keys = ("changed_at", "stage", "amount")
    return [{"opportunity_id": name, **dict(zip(keys, (day(c[0]), *c[1:]), strict=False))} for c in changes]


def company(
    deals: list[dict], history: list[dict] | None, *, today: int, newest: int | None = None, stages: list | None = None
):
    """A dataset as known at the end of day ``today``."""
    tables = {"opportunities": deals}
    if history is not None:
        tables |= {"opportunity_history": history, "stages": STAGES if stages is None else stages}
    return dataset(tables, as_of=day(today), newest=day(today if newest is None else newest))


def found(data) -> list[tuple]:
    """The visits as (opportunity, stage, entry, exit, cause, amount), days counted from the story's start."""
    s = stints(data)
    names = (*s.stages.names, "won", "lost")
    zero = day_n(START)
    return [
        (
            s.deals["opportunity_id"][row.deal], s.stages.names[row.stage], row.entry - zero,
            None if row.exit == NEVER else row.exit - zero,
            None if row.cause == -1 else names[row.cause],
            None if row.amount != row.amount else row.amount,
        )
        for row in s.spells.itertuples()
    ]  # fmt: skip


def of_one(deal_row: dict, *changes: tuple, today: int = 50) -> list[tuple]:
    """Visits of one deal, without its name and without amounts."""
    return [row[1:5] for row in found(company([deal_row], rows(deal_row["opportunity_id"], *changes), today=today))]


def test_stages_in_order():
    assert of_one(deal("d", 0, 20), (0, "A"), (4, "B"), (9, "C"), (20, "Won")) == [
        ("A", 0, 4, "B"),
        ("B", 4, 9, "C"),
        ("C", 9, 20, "won"),
    ]


def test_a_stage_entered_again_is_a_new_visit():
    assert of_one(deal("d", 0), (0, "A"), (4, "B"), (9, "A"), (12, "B")) == [
        ("A", 0, 4, "B"),
        ("B", 4, 9, "A"),
        ("A", 9, 12, "B"),
        ("B", 12, None, None),
    ]


def test_moves_within_a_day_collapse_into_the_last():
    assert of_one(deal("d", 0), (0, "A"), (4, "B"), (4, "A"), (4, "C")) == [("A", 0, 4, "C"), ("C", 4, None, None)]


def test_a_day_that_ends_where_it_began_is_no_move():
    assert of_one(deal("d", 0), (0, "A"), (4, "B"), (4, "A"), (9, "B")) == [("A", 0, 9, "B"), ("B", 9, None, None)]


def test_several_stages_on_the_day_of_creation():
    assert of_one(deal("d", 0), (0, "A"), (0, "B"), (3, "C")) == [("B", 0, 3, "C"), ("C", 3, None, None)]


def test_rows_that_keep_the_stage_are_no_moves_and_the_amount_is_that_at_entry():
    history = rows("d", (0, "A", 100.0), (3, "A", 150.0), (5, "B", 170.0), (6, None, 175.0), (8, "B", 180.0))
    assert found(company([deal("d", 0, amount=180.0)], history, today=50)) == [
        ("d", "A", 0, 5, "B", 100.0),
        ("d", "B", 5, None, None, 170.0),
    ]


def test_first_visit_begins_at_creation_even_if_recorded_later_or_earlier():
    assert of_one(deal("d", 0), (6, "A"), (9, "B")) == [("A", 0, 9, "B"), ("B", 9, None, None)]
    assert of_one(deal("d", 5), (1, "A"), (3, "B"), (9, "C")) == [("B", 5, 9, "C"), ("C", 9, None, None)]


@pytest.mark.parametrize("closing_row", [(), ((12, "Lost"),)])
def test_closed_on_the_day_of_the_last_move(closing_row: tuple):
    """The last stage had no night of its own: the stage before it is the one the deal was lost from."""
    assert of_one(deal("d", 0, 12, "lost"), (0, "A"), (12, "B"), *closing_row) == [("A", 0, 12, "lost")]


def test_rows_after_the_close_do_not_count():
    assert of_one(deal("d", 0, 10), (0, "A"), (10, "Won"), (20, "B")) == [("A", 0, 10, "won")]


def test_closed_on_the_day_of_creation_never_was_in_a_stage():
    assert of_one(deal("d", 3, 3), (3, "A"), (3, "Won")) == []


def test_closed_before_created_counts_on_the_day_of_creation():
    data = company([deal("d", 8, 3), deal("e", 8)], rows("d", (8, "A")) + rows("e", (8, "A")), today=50)
    assert found(data) == [("e", "A", 8, None, None, None)]
    closed = stints(data).deals.set_index("opportunity_id")["closed"]
    assert closed["d"] == day_n(day(8))


def test_reopened_deal_was_lost_once_and_is_in_its_stage_again():
    story = (0, "A"), (10, "Lost"), (20, "A")
    assert of_one(deal("d", 0), *story) == [("A", 0, 10, "lost"), ("A", 20, None, None)]
    assert of_one(deal("d", 0, 30), *story, (30, "Won")) == [("A", 0, 10, "lost"), ("A", 20, 30, "won")]


def test_every_open_deal_is_in_exactly_one_stage():
    """A deal whose CRM stage says lost while its status says open is open: status beats the stage."""
    deals = [
        deal("plain", 0),
        deal("said lost", 0, stage="Lost"),
        deal("never mentioned", 0, stage="B"),
        deal("born lost", 0),
    ]
    history = (
        rows("plain", (0, "A")) + rows("said lost", (0, "A"), (4, "B"), (9, "Lost")) + rows("born lost", (0, "Lost"))
    )
    current = [row[:3] for row in found(company(deals, history, today=50)) if row[4] is None]
    assert sorted(current) == [
        ("born lost", "A", 0),
        ("never mentioned", "B", 0),
        ("plain", "A", 0),
        ("said lost", "B", 4),
    ]


def test_open_deal_without_history_is_in_its_present_stage_since_creation():
    deals = [
        deal("mentioned", 0),
        deal("silent", 3, stage="C", amount=70.0),
        deal("odd", 4, stage="Nowhere"),
        deal("bare", 5),
    ]
    assert found(company(deals, rows("mentioned", (0, "A")), today=50)) == [
        ("mentioned", "A", 0, None, None, None),
        ("silent", "C", 3, None, None, 70.0),
        ("odd", "A", 4, None, None, None),
        ("bare", "A", 5, None, None, None),
    ]


def test_closed_deal_known_by_its_closing_row_only_still_ended():
    """A log of changes has no row for the stage a deal was born in: its exit must count all the same."""
    history = rows("full", (0, "A"), (9, "Lost")) + rows("terse", (9, "Lost"))
    data = company(
        [deal("full", 0, 9, "lost"), deal("terse", 0, 9, "lost"), deal("open", 0, stage="A")], history, today=50
    )
    assert [row[:5] for row in found(data) if row[0] == "terse"] == [("terse", "A", 0, 9, "lost")]


def test_unknown_stage_comes_after_the_listed_ones_and_counts_as_qualified():
    data = company([deal("d", 0)], rows("d", (0, "Zeta"), (4, "B"), (8, "Alpha")), today=50)
    s = stints(data)
    assert s.stages.names == ("A", "B", "C", "Alpha", "Zeta")
    assert s.stages.qualified == (False, True, True, True, True)
    assert found(data) == [
        ("d", "Zeta", 0, 4, "B", None),
        ("d", "B", 4, 8, "Alpha", None),
        ("d", "Alpha", 8, None, None, None),
    ]


def test_without_history_there_is_one_stage_since_creation():
    data = company([deal("d", 0, 7, amount=5.0), deal("e", 1, 9, "lost"), deal("f", 2)], None, today=50)
    assert stints(data).stages.names == (ONE_STAGE,)
    assert found(data) == [
        ("d", ONE_STAGE, 0, 7, "won", 5.0),
        ("e", ONE_STAGE, 1, 9, "lost", None),
        ("f", ONE_STAGE, 2, None, None, None),
    ]


def test_history_of_closing_stages_only():
    data = company([deal("d", 0, 5), deal("e", 1)], rows("d", (5, "Won")), today=50, stages=STAGES[3:])
    assert [row[0] for row in found(data) if row[4] is None] == ["e"]


def test_undated_open_deals_are_counted_apart_and_undated_wins_are_not_lost():
    """A won deal without a creation date is still won: intake accepts it, so the period's wins must hold it."""
    deals = [deal("d", 0, amount=10.0), deal("e", None, amount=20.0), deal("f", None), deal("g", None, 30, amount=5.0)]
    s = stints(company(deals, None, today=50))
    assert s.undated == (2, 20.0)
    assert list(s.deals["opportunity_id"]) == ["d"]
    assert s.bookings.to_dict("list") == {"closed": [day_n(day(30))], "amount": [5.0]}


def test_first_amount_is_the_first_recorded():
    history = rows("d", (0, "A", None), (2, "A", 100.0), (4, "B", 300.0)) + rows("e", (0, "A", None))
    s = stints(company([deal("d", 0, 9, amount=300.0), deal("e", 0, amount=40.0)], history, today=50))
    assert list(s.deals["first_amount"]) == [100.0, 40.0]


def test_amount_on_a_past_day_is_the_one_last_recorded_then():
    """What was recorded later is not known yet, even where nothing else is."""
    deals = [deal("known", 0, amount=900.0), deal("unknown", 1, amount=800.0), deal("closed", 2, 8, amount=50.0)]
    history = rows("known", (0, "A", 100.0), (5, "B", 200.0), (30, "C", 900.0)) + rows("unknown", (30, "A", 800.0))
    s = stints(company(deals, history, today=10, newest=50))
    amounts = dict(zip(s.deals["opportunity_id"], s.deals["amount"], strict=True))
    assert amounts == {"known": 200.0, "unknown": pytest.approx(float("nan"), nan_ok=True), "closed": 50.0}


STORY = [deal("won", 0, 20), deal("lost", 2, 9, "lost"), deal("open", 4), deal("late", 30, 31), deal("re", 1, 40)]
STORY_ROWS = [
    *rows("won", (0, "A", 1.0), (6, "B", 2.0), (20, "Won", 3.0)),
    *rows("lost", (2, "A", 4.0), (9, "Lost", 4.0)),
    *rows("open", (4, "A", 5.0), (11, "C", 6.0), (25, "B", 7.0)),
    *rows("late", (30, "A", 8.0), (31, "Won", 8.0)),
    *rows("re", (1, "A", 9.0), (10, "Lost", 9.0), (20, "B", 9.5), (40, "Won", 9.0)),
]


@pytest.mark.parametrize("today", [4, 9, 10, 20, 25, 31, 50])
def test_a_past_day_equals_the_export_of_that_day(today: int):
    """The same company, its files cut off by hand at the end of the day."""
    then = [
        row
        | (
            {}
            if row["closed_at"] is not None and row["closed_at"] <= day(today)
            else {"closed_at": None, "status": "open"}
        )
        for row in STORY
        if row["created_at"] <= day(today)
    ]
    cut = [row for row in STORY_ROWS if row["changed_at"] <= day(today)]
    past = company(STORY, STORY_ROWS, today=today, newest=50)
    assert found(past) == found(company(then, cut, today=today))
    assert found(past) == [
        (n, s, i - day_n(START), None if o is None else o - day_n(START), c, a)
        for n, s, i, o, c, a in sorted(visits(STORY, STORY_ROWS, CLOSING, "A", day_n(day(today))), key=_order(STORY))
    ]


def _order(deals: list[dict]):
    place = {row["opportunity_id"]: (row["created_at"] or START, row["opportunity_id"]) for row in deals}
    return lambda visit: (place[visit[0]], visit[2])


_DAYS = st.integers(0, 12)
_CHANGES = st.lists(
    st.tuples(
        st.one_of(_DAYS, _DAYS, _DAYS, st.none()),
        st.sampled_from(["A", "B", "C", "Won", "Lost", "Odd", None]),
        st.sampled_from([None, 0.0, 10.0, 20.0]),
    ),
    max_size=7,
)
_DEALS = st.lists(
    st.tuples(
        st.one_of(_DAYS, _DAYS, st.none()), st.one_of(st.none(), _DAYS), st.sampled_from(["won", "lost"]), _CHANGES
    ),
    min_size=1,
    max_size=8,
)


def _compare(drawn: list, today: int) -> None:
    """Engine against loops, row for row; drawn are (created, closed, status, changes)."""
    deals, history = [], []
    for k, (created, closed, status, changes) in enumerate(drawn):
        deals.append(deal(f"d{k:03d}", created, closed, "open" if closed is None else status))
        dated = sorted((c for c in changes if c[0] is not None), key=lambda c: c[0])
        history += rows(f"d{k:03d}", *dated, *[(None, stage, None) for when, stage, _ in changes if when is None])
    # One row of a deal that is not in the file, so that there is a history at all.
    history += rows("other", (0, "A"))
    data = company(deals, history, today=today, newest=14)
    now = day_n(day(today))
    zero = day_n(START)
    assert found(data) == [
        (n, s, i - zero, None if o is None else o - zero, c, a)
        for n, s, i, o, c, a in sorted(visits(deals, history, CLOSING, "A", now), key=_order(deals))
    ]
    s = stints(data)
    outcome = {"open": OPEN, "won": WON, "lost": LOST}
    table = s.deals[["opportunity_id", "created", "closed", "outcome"]].itertuples(index=False)
    assert {n: (c, None if e == NEVER else e, o) for n, c, e, o in table} == {
        n: (v["created"], v["closed"], outcome[v["outcome"]]) for n, v in known(deals, now).items()
    }
    for _, of_deal in s.spells.groupby("deal"):
        for before, after in pairwise(of_deal.itertuples()):
            assert before.entry < before.exit <= after.entry


@settings(max_examples=15)
@given(_DEALS, st.integers(0, 14))
def test_engine_equals_plain_loops(drawn: list, today: int):
    """Nulls, ties, re-entries, moves on one day, days before the creation and after the close."""
    _compare(drawn, today)


@pytest.mark.parametrize("today", [6, 14])
def test_engine_equals_plain_loops_on_many_deals(today: int):
    rng = np.random.default_rng(today)

    def some_day(share: float) -> int | None:
        return int(rng.integers(0, 13)) if rng.random() < share else None

    stages, amounts = ["A", "B", "C", "Won", "Lost", "Odd", None], [None, 0.0, 10.0, 20.0]
    drawn = []
    for _ in range(300):
        moves = [(some_day(0.97), rng.choice(stages), rng.choice(amounts)) for _ in range(rng.integers(0, 9))]
        drawn.append((some_day(0.95), some_day(0.6), str(rng.choice(["won", "lost"])), moves))
    _compare(drawn, today)
