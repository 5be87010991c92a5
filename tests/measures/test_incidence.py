"""The incidence of cohorts: a hand-worked table, statsmodels, and what it is for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.measures.core import intervals
from kpis.measures.core.incidence import ARRIVED, CENSORED, LEFT, Counts, curve, interval, usual_window

survfunc = pytest.importorskip("statsmodels.duration.survfunc")


def counts(rows: list[tuple[int, int]]) -> Counts:
    lag, kind = np.array(rows).T
    return Counts.of(lag, kind, np.ones(len(lag)), int(lag.max()) + 1)


def test_hand_worked_table():
    # Five leads: day 1 arrived, day 2 left, day 2 censored, day 3 arrived, day 4 censored.
    # At risk 5, 4, 2, 1 on days 1 to 4. S before day 1: 1. F(1) = 1/5. S(1) = 4/5.
    # Day 2: nobody arrives, 1 of 4 leaves, S(2) = 4/5 x 3/4 = 3/5. Day 3: F += 3/5 x 1/2 = 3/10.
    got = curve(counts([(1, ARRIVED), (2, LEFT), (2, CENSORED), (3, ARRIVED), (4, CENSORED)]))
    assert got.share == pytest.approx([0, 0.2, 0.2, 0.5, 0.5])


def test_without_censoring_it_is_the_raw_share_and_the_interval_is_wilson():
    rows = [(3, ARRIVED)] * 6 + [(5, LEFT)] * 10 + [(9, ARRIVED)] * 4
    got = curve(counts(rows))
    share, variance = got.at(9)
    assert share == pytest.approx(10 / 20)
    assert variance == pytest.approx(0.5 * 0.5 / 20)
    assert np.array(interval(share, variance, 20)) == pytest.approx(
        np.array(intervals.wilson(np.array(10), np.array(20)))
    )


def sampled(seed: int) -> list[tuple[int, int]]:
    rng = np.random.default_rng(seed)
    arrive, leave, end = rng.geometric(0.03, 300), rng.geometric(0.02, 300), rng.integers(5, 90, 300)
    first = np.minimum(arrive, np.minimum(leave, end))
    kind = np.where(end < np.minimum(arrive, leave), CENSORED, np.where(arrive <= leave, ARRIVED, LEFT))
    return list(zip(first, kind, strict=True))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_share_and_variance_are_statsmodels(seed):
    rows = sampled(seed)
    lag, kind = np.array(rows).T
    theirs = survfunc.CumIncidenceRight(
        lag.astype(float), np.where(kind == CENSORED, 0, np.where(kind == ARRIVED, 1, 2))
    )
    ours = curve(counts(rows))
    at = theirs.times.astype(int)
    assert ours.share[at] == pytest.approx(theirs.cinc[0], abs=1e-12)
    # Theirs is the same delta method with other end corrections: equal to a few per cent.
    inside = (ours.share[at] > 0.02) & (at < lag.max() - 5)
    assert np.sqrt(ours.variance[at])[inside] == pytest.approx(theirs.cinc_se[0][inside], rel=0.1)


def test_one_cause_is_kaplan_meier():
    rows = [(lag, ARRIVED if kind == ARRIVED else CENSORED) for lag, kind in sampled(4)]
    lag, kind = np.array(rows).T
    theirs = survfunc.SurvfuncRight(lag.astype(float), (kind == ARRIVED).astype(int))
    ours = curve(counts(rows))
    at = theirs.surv_times.astype(int)
    assert 1 - ours.share[at] == pytest.approx(theirs.surv_prob, abs=1e-12)
    assert np.sqrt(ours.variance[at]) == pytest.approx(theirs.surv_prob_se, abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 20), st.sampled_from([CENSORED, ARRIVED, LEFT])), min_size=1, max_size=50))
def test_shares_rise_and_add_up_to_at_most_one(rows):
    other = [(lag, {ARRIVED: LEFT, LEFT: ARRIVED, CENSORED: CENSORED}[kind]) for lag, kind in rows]
    ours, theirs = curve(counts(rows)), curve(counts(other))
    assert (np.diff(ours.share) >= -1e-12).all()
    assert (ours.share + theirs.share <= 1 + 1e-9).all()
    assert (ours.variance >= 0).all()


def test_a_young_cohort_borrows_the_rates_it_has_not_lived_through():
    # Old cohort of 10: 5 arrive on day 1, 4 of the other 5 on day 3. Young cohort of 4, followed for 1 day: 2 arrived.
    old = Counts.of(np.array([1, 3, 3]), np.array([ARRIVED, ARRIVED, CENSORED]), np.array([5.0, 4.0, 1.0]), 4)
    young = Counts.of(np.array([1, 1]), np.array([ARRIVED, CENSORED]), np.array([2.0, 2.0]), 4)
    together = Counts(old.arrived + young.arrived, old.left + young.left, old.followed + young.followed)
    # Own first day: 2/4. Then day 3's rate of all, 4/5, for the half that is left: 1/2 + 1/2 x 4/5 = 9/10.
    assert curve(young, together).at(3)[0] == pytest.approx(0.9)
    assert curve(young).at(3)[0] == pytest.approx(0.5)


def test_usual_window_is_when_nine_of_ten_have_arrived():
    # 10 arrive, one a day from day 1 to day 10: nine of ten by day 9.
    assert usual_window(counts([(lag, ARRIVED) for lag in range(1, 11)])) == 9
    assert usual_window(counts([(5, CENSORED)])) == 5
