"""Recalibration by hand: raking, the map of probability levels, which past forecasts count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.forecast.calibration import MIN_LANDMARKS, Landmark, calibrate, capped, neutral
from kpis.forecast.margins import BANDS, CLOSES


def landmark(day: int, expected, observed, *, stage=(0,), margin=(0,), pit=0.5, length: int = 30) -> Landmark:
    """A past forecast of ``day`` whose windows end 1, 2 and 3 ``length`` later; one number a cell, for all windows."""
    ends = tuple(day + length * k for k in (1, 2, 3))
    cells = [np.repeat(np.array(values, dtype=float)[:, None], 3, axis=1) for values in (expected, observed)]
    return Landmark(day, ends, np.array(stage), np.array(margin), *cells, np.full(3, pit))


def test_one_cell_by_hand():
    """Four equal forecasts of 10 wins, 20 came, no expected close known.

    Weights 1, .8909, .7937, .7071 for 0 to 3 periods ago, S = 3.3917; O = 20 S = 67.83, E = 10 S = 33.92.
    Pass 1: stage (67.83 + 30) / (33.92 + 30) = 1.5306, E = 51.92; band (67.83 + 30) / (51.92 + 30) = 1.1943, E = 62.00.
    Pass 2: stage 97.83 / 92.00 = 1.0634, E = 65.94; band 97.83 / 95.94 = 1.0198. Stage 1.6277, band 1.2179.
    """
    band = 2 * CLOSES
    past = [landmark(100 * k, [10], [20], margin=[band]) for k in range(4)]
    found = calibrate(past, 1000, stages=2)
    assert found.stage[0] == pytest.approx([1.62768, 1.0], abs=1e-4)
    assert found.band[0, 2] == pytest.approx(1.21795, abs=1e-4)
    assert np.delete(found.band[0], 2) == pytest.approx(1.0)
    assert (found.close == 1).all()
    assert found.factors(np.array([0, 1]), np.array([band, 0]))[0] == pytest.approx([1.62768 * 1.21795, 1.0], abs=1e-3)


def test_shrinkage_of_each_margin():
    """Where only one margin tells cells apart, its first factor is (O + k) / (E + k): 30, 30 and 20."""
    for axis, k in (("stage", 30), ("band", 30), ("close", 20)):
        codes = {"stage": [0, 1], "band": [0, CLOSES], "close": [1, 2]}[axis]
        place = {"stage": codes} if axis == "stage" else {"margin": codes, "stage": [0, 0]}
        place.setdefault("margin", [1, 1])
        # As many come as expected, but all of the second kind: the other margins learn nothing.
        found = calibrate([landmark(9 * j, [1e4, 1e4], [0.0, 2e4], **place) for j in range(4)], 999, stages=2)
        weight = sum(0.5 ** (j / 6) for j in range(4))
        factor = {"stage": found.stage, "band": found.band, "close": found.close}[axis][0]
        first = {"stage": 0, "band": 0, "close": 1}[axis]
        # Nothing came: k / (1e4 S + k), in the second pass k / (k / (1e4 S + k) 1e4 S + k) of what is left.
        once = k / (1e4 * weight + k)
        twice = once * k / (once * 1e4 * weight + k)
        assert factor[first] == pytest.approx(twice, rel=0.01)
        assert factor[first + 1] == pytest.approx(2.0, rel=0.01)


def test_older_forecasts_weigh_half_every_six_periods():
    """Six periods apart: the last counts 1, the one before a half; six empty ones in between count nothing."""
    empty = [landmark(100 + k, [0], [0]) for k in range(5)]
    old, new = landmark(0, [10], [40]), landmark(200, [10], [0])
    found = calibrate([old, *empty, new], 999, stages=1)
    # O = 40 / 2 = 20, E = 10 / 2 + 10 = 15: stage 50 / 45, E = 16.67; band 50 / 46.67, E = 17.86; then 50 / 47.86.
    assert found.stage[0, 0] == pytest.approx(50 / 45 * 50 / (15 * 50 / 45 * 50 / (15 * 50 / 45 + 30) + 30))


def test_only_windows_that_are_over_teach():
    past = [landmark(10 * k, [10], [20], length=10) for k in range(6)]
    # The windows of forecast k end on days 10 k + 10, + 20, + 30; on day 60: six, five and four of them.
    found = calibrate(past, 60, stages=1)
    assert found.periods == (6, 5, 4)
    assert [found.verified(w) for w in range(3)] == [True, True, True]
    found = calibrate(past, 59, stages=1)
    assert found.periods == (5, 4, 3)
    assert [found.verified(w) for w in range(3)] == [True, True, False]
    assert (found.stage[2] == 1).all()
    assert found.to_level(2, 0.1) == 0.1
    assert found.stage[0, 0] > 1
    assert MIN_LANDMARKS == 4


def test_levels_by_hand():
    """Fifteen past outcomes at level .05, beside pseudo-origins at 1/30, 3/30, ...

    Sorted: .0333, fifteen times .05, .1, ... of 30. Shares (rank - .5) / 30: .0167 | 2nd to 16th: middle 8.5 / 30 | .55.
    """
    found = calibrate([landmark(k, [1], [1], pit=0.05) for k in range(15)], 999, stages=1)
    assert found.to_share(0, 0.05) == pytest.approx(8.5 / 30)
    assert found.to_share(0, 0.1) == pytest.approx(16.5 / 30)
    assert found.to_share(0, 1 / 30) == pytest.approx(0.5 / 30)
    # P10 lies between the first two points: 1/30 + (.1 - .5/30) / (8/30) x (.05 - 1/30).
    assert found.to_level(0, 0.1) == pytest.approx(1 / 30 + (0.1 - 0.5 / 30) / (8 / 30) * (0.05 - 1 / 30))
    assert (found.to_share(0, 0.0), found.to_share(0, 1.0)) == (0.0, 1.0)


def test_outcomes_spread_evenly_change_no_level():
    """As many outcomes as pseudo-origins, at the same levels: ties share the middle of their steps."""
    past = [landmark(k, [1], [1], pit=(k + 0.5) / 15) for k in range(15)]
    found = calibrate(past, 999, stages=1)
    for level in (0.0, 0.02, 0.1, 0.37, 0.9, 1.0):
        assert found.to_share(1, level) == pytest.approx(level)


def test_an_outcome_beyond_the_distribution_counts_at_its_end():
    """Ten of 25 at level 1: the model's P90 is too low, and the highest levels are all taken."""
    found = calibrate([landmark(k, [1], [1], pit=1.0) for k in range(10)], 999, stages=1)
    # 15 pseudo-origins hold shares up to 14.5 / 25 = .58 at 29/30; then straight to (1, 1).
    assert found.to_share(0, 29 / 30) == pytest.approx(14.5 / 25)
    assert found.to_level(0, 0.9) == pytest.approx(29 / 30 + (0.9 - 0.58) / 0.42 / 30)


@given(st.lists(st.floats(0, 1), min_size=4, max_size=12), st.floats(0, 1), st.floats(0, 1))
def test_levels_rise_and_come_back(pits: list[float], a: float, b: float):
    found = calibrate([landmark(k, [1], [1], pit=p) for k, p in enumerate(pits)], 999, stages=1)
    low, high = sorted((a, b))
    assert 0 <= found.to_share(0, low) <= found.to_share(0, high) <= 1
    assert found.to_share(0, found.to_level(0, a)) == pytest.approx(a, abs=1e-6)


def test_neutral_changes_nothing():
    base = neutral(3)
    p = base.factors(np.array([0, 2]), np.array([0, BANDS * CLOSES - 1]))
    assert (p == 1).all()
    assert p.shape == (3, 2)
    assert base.to_share(0, 0.37) == base.to_level(0, 0.37) == 0.37
    assert not base.verified(0)


def test_chances_never_sum_to_more_than_098():
    # .6 + .5 + .3 = 1.4 is scaled by .98 / 1.4 = .7; .2 + .1 + 0 stays.
    got = capped(np.array([[0.6, 0.2], [0.5, 0.1], [0.3, 0.0]]))
    assert got[:, 0] == pytest.approx([0.42, 0.35, 0.21])
    assert got[:, 1] == pytest.approx([0.2, 0.1, 0.0])
