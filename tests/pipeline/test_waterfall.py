"""The waterfall between two days: every kind of change by hand, and a fuzz against an oracle in exact fractions."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpis.intake import read
from kpis.periods import Calendar, Period, day_n
from kpis.pipeline.waterfall import BUCKETS, moves, waterfall
from tests.build import dataset
from tests.oracle import waterfall as oracle

STAGES = [
    {"stage": "A", "position": 1, "is_qualified": 0, "is_won": 0, "is_lost": 0},
    {"stage": "B", "position": 2, "is_qualified": 1, "is_won": 0, "is_lost": 0},
    {"stage": "Won", "position": 3, "is_qualified": 1, "is_won": 1, "is_lost": 0},
    {"stage": "Lost", "position": 4, "is_qualified": 0, "is_won": 0, "is_lost": 1},
]
CLOSING = {"Won": "won", "Lost": "lost"}
ZERO = date(2026, 4, 1)


def day(n: int | None) -> date | None:
    """Day n of the story."""
    return None if n is None else ZERO + timedelta(days=n)


SECOND = Period(day(0), day(90), "2026Q2")
FIRST_DAY, LAST_DAY, NEWEST = 10, 40, 100


def deal(name: str, created: int | None, closed: int | None = None, status: str = "won", amount: float | None = None):
    status = "open" if closed is None else status
    return {
        "opportunity_id": name, "created_at": day(created), "closed_at": day(closed), "status": status,
        "amount": amount,
    }  # fmt: skip


def rows(name: str, *changes: tuple) -> list[dict]:
    """History rows (day, stage, amount, day of the expected close) of one deal, in order."""
    return [
        {"opportunity_id": name, "changed_at": day(when), "stage": stage, "amount": amount, "expected_close": day(close)}
        for when, stage, amount, close in changes
    ]  # fmt: skip


def company(deals: list[dict], history: list[dict], newest: int = NEWEST):
    return dataset({"opportunities": deals, "opportunity_history": history, "stages": STAGES}, newest=day(newest))


def between(data, first: int = FIRST_DAY, last: int = LAST_DAY, period: Period = SECOND):
    """The waterfall between two days of the story, its residual checked."""
    table = moves(data, day(first), day(last))
    found = waterfall(table, period)
    assert found.residual == 0.0
    return found, table


def steps(found) -> dict[str, float]:
    """Start, end and the steps that are not 0."""
    whole = {"start": found.start, **found.totals, "end": found.end}
    return {name: value for name, value in whole.items() if value}


def kinds(found, table) -> list[tuple]:
    """Deal, kind, before, after."""
    names = table["opportunity_id"].to_numpy()[found.changes["deal"]]
    return sorted(zip(names, *(found.changes[c] for c in ("kind", "before", "after")), strict=True))


STORY = [
    # A deal, its rows of history, and what it does between day 10 and day 40 to the pipeline of days 0 to 90.
    (deal("same", 0), [(0, "A", 100.0, 50)], []),
    (deal("new", 20), [(20, "A", 7.0, 60), (30, "A", 8.0, 60)], [("new", 0.0, 8.0)]),
    (deal("new elsewhere", 20), [(20, "A", 7.0, 120)], []),
    (deal("pulled", 0), [(0, "A", 30.0, 120), (20, "A", 33.0, 80)], [("pulled in", 0.0, 33.0)]),
    (deal("slipped", -40), [(-40, "A", 11.0, -5), (12, "A", 11.0, 70)], [("slipped in", 0.0, 11.0)]),
    (deal("dated", 0), [(0, "A", 5.0, None), (20, "A", 5.0, 70)], [("dated", 0.0, 5.0)]),
    (deal("grown", 0), [(0, "A", 50.0, 60), (15, "A", 70.0, 60)], [("increased", 50.0, 70.0)]),
    (deal("shrunk", 0), [(0, "A", 50.0, 60), (15, "A", 20.0, 60)], [("decreased", 50.0, 20.0)]),
    (deal("pushed", 0), [(0, "A", 40.0, 60), (15, "A", 90.0, 60), (16, "A", 90.0, 95)], [("pushed out", 40.0, 0.0)]),
    (deal("forward", 0), [(0, "A", 3.0, 60), (15, "A", 3.0, -2)], [("pulled forward", 3.0, 0.0)]),
    (deal("won", 0, 30, amount=120.0), [(0, "A", 100.0, 60), (30, "Won", 120.0, 30)],
     [("increased", 100.0, 120.0), ("won", 120.0, 0.0)]),
    (deal("lost", 0, 30, "lost", 0.0), [(0, "A", 60.0, 60), (30, "Lost", 0.0, 30)], [("lost", 60.0, 0.0)]),
    (deal("early win", 0, 30, amount=9.0), [(0, "A", 8.0, 120), (30, "Won", 9.0, 30)],
     [("pulled in", 0.0, 9.0), ("won", 9.0, 0.0)]),
    (deal("early loss", 0, 30, "lost", 8.0), [(0, "A", 8.0, 120), (30, "Lost", 8.0, 30)], []),
    (deal("quick win", 12, 30, amount=4.0), [(12, "A", 2.0, 60), (30, "Won", 4.0, 30)],
     [("new", 0.0, 4.0), ("won", 4.0, 0.0)]),
    (deal("quick loss", 12, 30, "lost", 6.0), [(12, "A", 6.0, 60), (30, "Lost", 6.0, 60)],
     [("lost", 6.0, 0.0), ("new", 0.0, 6.0)]),
    (deal("loss elsewhere", 12, 30, "lost", 6.0), [(12, "A", 6.0, 120), (30, "Lost", 6.0, 120)], []),
    (deal("there and back", 0), [(0, "A", 15.0, 60), (20, "A", 15.0, 120), (30, "A", 15.0, 70)], []),
    (deal("later", 0, 50, amount=1.0), [(0, "A", 1.0, 60), (50, "Won", 1.0, 50)], []),
    (deal("before", -9, 5, amount=77.0), [(-9, "A", 77.0, 5), (5, "Won", 77.0, 5)], []),
]  # fmt: skip


def test_every_kind_of_change_by_hand():
    history = [row for d, changes, _ in STORY for row in rows(d["opportunity_id"], *changes)]
    found, table = between(company([d for d, _, _ in STORY], history))
    expected = [(d["opportunity_id"], *change) for d, _, changes in STORY for change in changes]
    assert kinds(found, table) == sorted(expected)
    # Start: same 100, grown 50, shrunk 50, pushed 40, forward 3, won 100, lost 60, there and back 15, later 1 = 419.
    # New: 8 + 4 + 6 = 18; moved in: 33 + 11 + 5 + 9 = 58; increased: 20 + 20 = 40; decreased 30.
    # Won: 120 + 9 + 4 = 133; lost: 60 + 6 = 66; pushed out 40; removed 3.
    # End: 419 + 18 + 58 + 40 - 30 - 40 - 133 - 66 - 3 = 263 = 100 + 8 + 33 + 11 + 5 + 70 + 20 + 15 + 1.
    assert steps(found) == {
        "start": 419.0, "new": 18.0, "pulled_in": 58.0, "increased": 40.0, "decreased": 30.0, "pushed_out": 40.0,
        "won": 133.0, "lost": 66.0, "removed": 3.0, "end": 263.0,
    }  # fmt: skip
    assert list(found.totals) == list(BUCKETS)


def test_a_close_date_that_is_removed():
    # A history carries on what a row leaves empty, so a close can be missing only in the table of today.
    deals = [deal("d", 0, amount=5.0), {**deal("e", 0, amount=7.0), "expected_close": day(60)}]
    history = rows("d", (0, "A", 5.0, 60)) + rows("e", (0, "A", 7.0, 60))
    found, table = between(company(deals, history, newest=LAST_DAY))
    assert kinds(found, table) == [("d", "undated", 5.0, 0.0)]
    assert steps(found) == {"start": 12.0, "removed": 5.0, "end": 7.0}


def test_the_end_of_a_day_counts():
    # On day 10 pushed and put back, on day 40 created: the last row of a day tells where the deal stood.
    history = rows(
        "d", (0, "A", 1.0, 60), (10, "A", 1.0, 120), (10, "A", 2.0, 60), (40, "A", 9.0, 120), (40, "B", 4.0, 60)
    )
    found, table = between(company([deal("d", 0), deal("e", 40)], history + rows("e", (40, "A", 3.0, 60))))
    assert kinds(found, table) == [("d", "increased", 2.0, 4.0), ("e", "new", 0.0, 3.0)]


REOPENED = rows("d", (0, "A", 10.0, 60), (20, "Lost", 10.0, 60), (30, "B", 12.0, 80))


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (10, 25, {"start": 10.0, "lost": 10.0}),
        (25, 40, {"pulled_in": 12.0, "end": 12.0}),
        (10, 40, {"start": 10.0, "increased": 2.0, "end": 12.0}),
        (22, 28, {}),
    ],
)
def test_a_reopened_deal_was_lost_and_comes_back(first, last, expected):
    data = company([deal("d", 0), deal("other", 0)], REOPENED + rows("other", (0, "A", 0.0, 60)))
    assert steps(between(data, first, last)[0]) == expected


def test_a_reopened_deal_that_is_won_in_the_end():
    data = company([deal("d", 0, 50, amount=12.0), deal("o", 0)], REOPENED + rows("d", (50, "Won", 12.0, 50)) + rows("o", (0, "A", 0.0, 60)))  # fmt: skip
    found, table = between(data, 25, 60)
    assert kinds(found, table) == [("d", "reopened", 0.0, 12.0), ("d", "won", 12.0, 0.0)]


def test_a_closing_stage_that_is_never_left_does_not_close_an_open_deal():
    data = company([deal("d", 0)], rows("d", (0, "A", 10.0, 60), (20, "Lost", 10.0, 60)))
    assert steps(between(data)[0]) == {"start": 10.0, "end": 10.0}


def test_without_any_expected_close_all_open_deals_count():
    deals = [deal("a", 0, amount=10.0), deal("b", 0, 30, "lost", 4.0), deal("c", 20, amount=3.0)]
    data = dataset({"opportunities": deals}, newest=day(LAST_DAY))
    found, _ = between(data)
    assert not found.by_close
    assert steps(found) == {"start": 14.0, "new": 3.0, "lost": 4.0, "end": 13.0}
    # Today's expected close does not tell where a deal stood 30 days ago: both days are cut alike.
    dated = dataset({"opportunities": [{**d, "expected_close": day(60)} for d in deals]}, newest=day(LAST_DAY))
    assert not between(dated)[0].by_close


def test_a_deal_without_a_creation_date_is_there_once_it_has_closed():
    deals = [deal("a", 0, amount=1.0), deal("open", None, amount=50.0), deal("won", None, 20, amount=5.0)]
    found, table = between(dataset({"opportunities": deals}, newest=day(LAST_DAY)))
    assert kinds(found, table) == [("won", "new", 0.0, 5.0), ("won", "won", 5.0, 0.0)]


def test_pushes_until_and_between_the_days():
    # +20 on day 5, +5 on day 12 (a correction), +30 on day 15, +60 on day 50: not known on day 40.
    history = rows(
        "d", (0, "A", 1.0, 20), (5, "A", 1.0, 40), (12, "A", 1.0, 45), (15, "A", 1.0, 75), (50, "A", 1.0, 135)
    )
    table = moves(company([deal("d", 0)], history), day(10), day(40))
    assert table[["pushes", "recent", "later"]].to_numpy().tolist() == [[2.0, 1.0, 50.0]]


def test_without_a_history_pushes_are_the_ones_the_crm_counted():
    data = dataset({"opportunities": [{**deal("d", 0), "push_count": 3}]}, newest=day(LAST_DAY))
    table = moves(data, day(10), day(40))
    assert table["pushes"].tolist() == [3.0]
    assert table[["recent", "later"]].isna().all(axis=None)


_DAYS = st.integers(0, 12)
_AMOUNTS = st.sampled_from([None, 0.0, 0.1, 0.2, 0.7, 1e9 + 0.07, -3.3])
_CHANGES = st.lists(
    st.tuples(_DAYS, st.sampled_from(["A", "B", "A", "B", "Won", "Lost", None]), _AMOUNTS, st.none() | st.integers(-2, 16)),
    max_size=6,
)  # fmt: skip
_DEALS = st.lists(
    st.tuples(
        _DAYS | st.none(), st.none() | _DAYS, st.sampled_from(["won", "lost"]), _AMOUNTS, st.none() | st.integers(-2, 16),
        _CHANGES,
    ),
    min_size=1, max_size=8,
)  # fmt: skip
SHORT = Period(day(4), day(8), "days 4 to 8")


def made(drawn: list) -> tuple[list[dict], list[dict]]:
    """Opportunities and history of (created, closed, status, amount, expected close, changes)."""
    deals, history = [], rows("other", (0, "A", 0.0, 6))
    for k, (created, closed, status, amount, close, changes) in enumerate(drawn):
        row = deal(f"d{k:03d}", created, closed, status, amount)
        deals.append({**row, "expected_close": day(close)})
        history += rows(f"d{k:03d}", *sorted(changes, key=lambda c: c[0]))
    return deals, history


def same_as_the_oracle(drawn: list, first: int, last: int, newest: int = 14) -> None:
    deals, history = made(drawn)
    found = waterfall(moves(company(deals, history, newest), day(first), day(last)), SHORT)
    days = day(first), day(last), day(newest)
    told = oracle.waterfall(deals, history, CLOSING, days, (SHORT.start, SHORT.end))
    assert {"start": found.start, **found.totals, "end": found.end} == told
    assert found.residual == 0.0


@settings(max_examples=15)
@given(_DEALS, st.tuples(st.integers(0, 14), st.integers(0, 14)))
def test_engine_equals_the_oracle(drawn: list, days: tuple[int, int]):
    """Nulls, ties, stages entered again, reopened deals, changes on one day, amounts that no binary fraction holds."""
    same_as_the_oracle(drawn, *sorted(days))


def some_company(seed: int, n: int = 300) -> list:
    rng = np.random.default_rng(seed)

    def some(values: list, share: float = 1.0):
        return values[rng.integers(len(values))] if rng.random() < share else None

    days, amounts, closes = list(range(13)), [0.0, 0.1, 0.2, 0.7, 1e9 + 0.07, -3.3], list(range(-2, 17))
    return [
        (
            some(days, 0.95), some(days, 0.5), some(["won", "lost"]), some(amounts, 0.9), some(closes, 0.8),
            [
                (some(days), some(["A", "B", "A", "B", "Won", "Lost"], 0.9), some(amounts, 0.9), some(closes, 0.8))
                for _ in range(rng.integers(0, 7))
            ],
        )
        for _ in range(n)
    ]  # fmt: skip


@pytest.mark.parametrize(("first", "last"), [(3, 11), (5, 14)])
def test_engine_equals_the_oracle_on_many_deals(first, last):
    same_as_the_oracle(some_company(first), first, last)


def test_one_day_is_no_change():
    data = company(*made(some_company(1)), newest=14)
    for n in (0, 6, 14):
        found, _ = between(data, n, n, SHORT)
        assert found.changes.empty
        assert found.start == found.end
        assert not any(found.totals.values())


def test_intervals_join_without_a_gap():
    data = company(*made(some_company(2)), newest=14)
    cuts = [0, 3, 5, 6, 9, 14]
    parts = [between(data, a, b, SHORT)[0] for a, b in pairwise(cuts)]
    whole, _ = between(data, cuts[0], cuts[-1], SHORT)
    assert [part.end for part in parts[:-1]] == [part.start for part in parts[1:]]
    assert (parts[0].start, parts[-1].end) == (whole.start, whole.end)


def test_a_past_day_is_told_the_same_later():
    """The files cut off by hand at the end of the last day give what the whole ones give for it."""
    deals = [d for d, _, _ in STORY]
    history = [row for d, changes, _ in STORY for row in rows(d["opportunity_id"], *changes)]
    until = day(LAST_DAY)
    cut_rows = [row for row in history if row["changed_at"] <= until]
    state = {row["opportunity_id"]: row for row in cut_rows}
    then = [
        {**row, "expected_close": state[row["opportunity_id"]]["expected_close"]}
        if row["closed_at"] is not None and row["closed_at"] <= until
        else {**row, **state[row["opportunity_id"]], "closed_at": None, "status": "open"}
        for row in deals
    ]
    cut = company(then, cut_rows, newest=LAST_DAY)
    assert kinds(*between(cut)) == kinds(*between(company(deals, history)))


@pytest.mark.parametrize("back", [7, 30, 44])
def test_wins_of_the_demo_company_add_up_to_its_bookings(sample_data, back):
    """Within a period every win passes through its pipeline, so the step equals what was booked in these days."""
    data = read(sorted(sample_data.glob("*.csv"))).dataset
    period = Calendar("quarter").at(data.newest)
    first = data.newest - timedelta(days=back)
    assert day_n(period.start) <= day_n(first) + 1
    found = waterfall(moves(data, first, data.newest), period)
    booked = data.engine.execute(
        "SELECT sum(amount) FROM opportunities WHERE status = 'won' AND closed_at > ? AND closed_at <= ?",
        [first, data.newest],
    ).fetchone()[0]
    assert found.totals["won"] == booked
    assert found.residual == 0.0


@pytest.mark.parametrize("name", ["msft_regional_sales", "maven_crm"])
def test_real_exports_leave_no_residual(shared_data, name):
    data = read([shared_data / name]).dataset
    for back in (7, 90):
        first = data.newest - timedelta(days=back)
        found = waterfall(moves(data, first, data.newest), Calendar("quarter").at(data.newest))
        table = data.engine.execute(
            """SELECT sum(CASE WHEN closed_at IS NULL AND created_at IS NOT NULL THEN amount END),
                      sum(CASE WHEN status = 'won' AND closed_at > ? THEN amount END) FROM opportunities""",
            [first],
        ).fetchone()
        assert (found.end, found.totals["won"]) == table
        assert found.residual == 0.0
        assert found.totals["new"] > 0
