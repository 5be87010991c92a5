"""The recursion: a chain worked by hand, a walk forward in time, simulated lives, and the properties of chances."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpis.forecast.rates import CAP, Rates, rates
from kpis.forecast.recursion import value
from kpis.forecast.spells import EDGES
from kpis.periods import Calendar, day_n
from tests.forecast.chains import constant, hazards, random_rates
from tests.oracle.chance import fate, lives

QUARTERS = Calendar("quarter", 1)
TODAY = day_n(date(2024, 3, 18))


def ends_of(day: date, calendar: Calendar, n: int = 3) -> tuple[int, ...]:
    """Last days of the period of ``day`` and the following ones."""
    return tuple(day_n(p.end) for p in calendar.after(day, n))


def test_two_stages_by_hand():
    """A moves to B with 0.5 a day, is lost with 0.1; B is won with 0.2, lost with 0.3. Windows: day 1, days 2-3.

    From A: not won on day 1. Day 2: 0.5 * 0.2 = 0.10. Day 3: in B after day 2 with 0.4 * 0.5 + 0.5 * 0.5 = 0.45,
    so 0.45 * 0.2 = 0.09; together 0.19. From B: 0.2 on day 1; day 2: 0.5 * 0.2 = 0.10, day 3: 0.25 * 0.2 = 0.05.
    """
    r = constant([0, 0.2], [0.1, 0.3], [[0, 0.5], [0, 0]])
    v = value(r, TODAY, (TODAY + 1, TODAY + 3), QUARTERS)
    assert v.now[:, 0, :, 0] == pytest.approx(np.array([[0, 0.2], [0.19, 0.15]]))
    # Created on day 1: two days are left for the second window. From A: 0.5 * 0.2; from B: 0.2 + 0.5 * 0.2.
    assert v.created[0, :, 0] == pytest.approx(np.array([[0, 0], [0.10, 0.30]]))
    # Created on day 2: one day is left; on day 3: none.
    assert v.created[1, :, 0] == pytest.approx(np.array([[0, 0], [0, 0.2]]))
    assert v.created[2] == pytest.approx(0)


def test_a_stage_can_be_entered_again_by_hand():
    """A to B and B to A with 0.5 a day, B won with 0.4.

    From A: day 2 with 0.5 * 0.4, day 3 with 0.5 * 0.5 * 0.4 + 0.5 * 0.1 * 0.4.
    """
    r = constant([0, 0.4], [0, 0], [[0, 0.5], [0.5, 0]])
    v = value(r, TODAY, (TODAY + 3,), QUARTERS)
    assert v.now[0, 0, 0, 0] == pytest.approx(0.2 + 0.1 + 0.02)


def test_days_in_stage_count_from_the_entry():
    """Won with certainty (0.98) on the fourth day at risk only: age 3."""
    r = constant([0.0], [0.0], [[0.0]], longest=6)
    r.won[0, 0, 3] = 1.0
    ends = (TODAY + 1, TODAY + 2, TODAY + 3, TODAY + 4, TODAY + 5)
    v = value(r, TODAY, ends, QUARTERS)
    for age in range(6):
        won = [CAP if age <= 3 and w == 3 - age else 0 for w in range(5)]
        assert v.now[:, 0, 0, age] == pytest.approx(won)
    # The last age repeats itself.
    r.won[0, 0, 5] = 0.1
    assert value(r, TODAY, ends, QUARTERS).now[:, 0, 0, 5] == pytest.approx([0.1 * 0.9**k for k in range(5)])


def test_old_deals_have_the_hazards_of_their_age():
    """Hazards by age bin up to 400 days and more, against a chain that tells apart each of 1,200 days."""
    fall = np.interp(EDGES, [0, 40, 400], [1.0, 1.5, 0.05])
    found = hazards(0.006 * np.vstack([0.2 * fall, fall]), 0.004 * np.ones((2, 19)), np.zeros((2, 2, 19)))
    found.move[0, 1] = 0.01 * fall
    age = np.arange(1200)
    k = np.searchsorted(EDGES, age, side="right") - 1
    daily = Rates(
        won=found.won[None][..., k],
        lost=found.lost[None][..., k],
        move=found.move[..., k],
        forward=np.ones((1, 2, 1200)),
        calendar_won=np.ones(9),
        calendar_lost=np.ones(9),
        far=np.array([1199.0]),
    )
    short, ends = rates(found), ends_of(date(2024, 3, 18), QUARTERS)
    truth, got = value(daily, TODAY, ends, QUARTERS).now, value(short, TODAY, ends, QUARTERS).now
    for days, error in (([0, 1, 50], 0.002), ([150, 219, 255, 345], 0.08), ([400, 700], 1e-9)):
        assert got[:, 0, :, short.age(np.array(days))] == pytest.approx(truth[:, 0, :, days], rel=error)
    assert list(short.age(np.array([0, 1, 50, 219]))) == [0, 1, 50, 219]


def test_exits_of_a_day_are_capped():
    """0.9 won, 0.3 lost, 0.6 moved sum to 1.8: all are scaled by 0.98 / 1.8."""
    r = constant([0.9, 0.0], [0.3, 0.0], [[0, 0.6], [0, 0]])
    v = value(r, TODAY, (TODAY + 1, TODAY + 2), QUARTERS)
    lost = value(r, TODAY, (TODAY + 1, TODAY + 2), QUARTERS, outcome="lost")
    assert v.now[:, 0, 0, 0] == pytest.approx([0.9 * 0.98 / 1.8, 0.02 * 0.9 * 0.98 / 1.8])
    assert lost.now[:, 0, 0, 0] == pytest.approx([0.3 * 0.98 / 1.8, 0.02 * 0.3 * 0.98 / 1.8])


CASES = [
    (date(2024, 3, 18), Calendar("month", 1)),
    (date(2024, 3, 31), Calendar("month", 1)),
    (date(2024, 5, 20), Calendar("quarter", 4)),
    (date(2024, 12, 30), Calendar("month", 4)),
]


@pytest.mark.parametrize(("day", "calendar"), CASES)
def test_every_state_agrees_with_a_walk_forward(day: date, calendar: Calendar):
    r, today, ends = random_rates(7, longest=6), day_n(day), ends_of(day, calendar)
    won, lost = value(r, today, ends, calendar), value(r, today, ends, calendar, outcome="lost")
    for c, s, u in product(range(2), range(3), (0, 2, 5)):
        truth = fate(r, c, s, u, today, ends, calendar)
        assert won.now[:, c, s, u] == pytest.approx(truth[:-1, 0], abs=1e-12)
        assert lost.now[:, c, s, u] == pytest.approx(truth[:-1, 1], abs=1e-12)
        assert won.now[:, c, s, u].sum() + lost.now[:, c, s, u].sum() + truth[-1, 0] == pytest.approx(1)


def test_created_is_the_value_of_a_run_that_starts_on_that_day():
    calendar, day = Calendar("quarter", 4), date(2024, 6, 20)
    r, today, ends = random_rates(8), day_n(day), ends_of(day, calendar)
    v = value(r, today, ends, calendar)
    assert len(v.created) == ends[-1] - today
    for d in (0, 3, 9, 10, 11, 60, 101, 102, 103, len(v.created) - 2):
        start = today + 1 + d
        again = value(r, start, tuple(e for e in ends if e > start), calendar).now[..., 0]
        over = len(ends) - len(again)
        assert v.created[d, over:] == pytest.approx(again)
        assert (v.created[d, :over] == 0).all()
    assert (v.created[-1] == 0).all()


def test_simulated_lives_agree():
    """40,000 deals of the same rates, with calendar factors and re-entries, over a quarter: four standard errors."""
    rng = np.random.default_rng(3)
    r = random_rates(9, size=0.02, longest=25)
    day, n = date(2024, 1, 20), 40_000
    today, ends = day_n(day), ends_of(day, Calendar("month"))
    c, s, u = rng.integers(0, 2, n), rng.integers(0, 3, n), rng.integers(0, 25, n)
    outcome, when = lives(r, c, s, u, today, ends[-1], Calendar("month"), rng)
    for code, name in ((1, "won"), (2, "lost")):
        p = value(r, today, ends, Calendar("month"), outcome=name).now[:, c, s, u]
        window = np.searchsorted(ends, when)
        for w in range(3):
            seen = ((outcome == code) & (window == w)).sum()
            error = np.sqrt((p[w] * (1 - p[w])).sum())
            assert abs(seen - p[w].sum()) < 4 * error, (name, w)


def test_window_of_a_period_that_ends_today_is_empty():
    for calendar in (QUARTERS, Calendar("month"), Calendar("quarter", 4)):
        ends = ends_of(date(2024, 3, 31), calendar)
        assert ends[0] == day_n(date(2024, 3, 31))
        v = value(random_rates(1), ends[0], ends, calendar)
        assert (v.now[0] == 0).all()
        assert (v.now[1] > 0).all()
        assert (v.created[:, 0] == 0).all()


@settings(max_examples=30)
@given(
    st.integers(0, 10_000),
    st.integers(1, 3),
    st.integers(2, 12),
    st.floats(0, 1.0),
    st.lists(st.integers(1, 40), min_size=1, max_size=3),
)
def test_chances_are_chances(seed: int, stages: int, longest: int, size: float, lengths: list[int]):
    r = random_rates(seed, stages=stages, longest=longest, size=size)
    ends = tuple(TODAY + int(e) for e in np.cumsum(lengths))
    won, lost = (value(r, TODAY, ends, QUARTERS, outcome=o).now for o in ("won", "lost"))
    assert (won >= 0).all()
    assert (lost >= 0).all()
    assert (won.sum(0) + lost.sum(0) <= 1 + 1e-12).all()
    # A longer horizon leaves the earlier windows alone, and adds to the chance by its end.
    shorter = value(r, TODAY, (*ends[:-1], ends[-1] + 5), QUARTERS).now
    assert shorter[:-1] == pytest.approx(won[:-1])
    assert (shorter[-1] >= won[-1] - 1e-12).all()
    truth = fate(r, 0, stages - 1, 0, TODAY, ends, QUARTERS)
    assert won[:, 0, stages - 1, 0] == pytest.approx(truth[:-1, 0], abs=1e-12)
    assert lost[:, 0, stages - 1, 0] == pytest.approx(truth[:-1, 1], abs=1e-12)


def test_rates_are_left_as_they_were():
    r = random_rates(2)
    copy = Rates(**{name: np.array(getattr(r, name)) for name in vars(r)})
    value(r, TODAY, (TODAY + 40,), QUARTERS)
    value(replace(r), TODAY, (TODAY + 40,), QUARTERS, outcome="lost")
    for name in vars(r):
        assert (getattr(r, name) == getattr(copy, name)).all()
