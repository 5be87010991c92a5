"""Required pipeline and creation against closed forms, by hand, and as properties."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from kpis.forecast import required as solver
from kpis.forecast.calibration import neutral
from kpis.forecast.required import ALL, LARGEST, TOO_LATE, Required, last_useful_days
from kpis.forecast.revenue import Arrivals, Cells, Together
from kpis.pipeline.stints import LOST, WON

TODAY = 1000
Z80 = norm.ppf(0.8)


def cells(n: float, p: float, amount: float, cv: float = 0.0) -> Cells:
    return Cells(np.array([n]), np.array([p]), np.array([amount]), np.array([(cv * amount) ** 2]))


def arrivals(count: float, amount: float) -> Arrivals:
    return Arrivals(np.array([count]), np.array([amount]), np.array([0.0]))


NOTHING = Cells(*[np.zeros(0)] * 4)
NOBODY = Arrivals(*[np.zeros(0)] * 3)


def projection(
    open_deals=NOTHING,
    new=NOBODY,
    *,
    others=NOTHING,
    won=0.0,
    scale=1.0,
    value=None,
    eventual=0.5,
    segments=None,
    atom=None,
):
    """What the solver reads of a projection: one window, one class, one stage, new deals worth 100 when won.

    ``open_deals`` count for the window where any deal is due, ``others`` never.
    """
    value = np.full((30, 1), 50.0) if value is None else np.array(value, dtype=float)
    atom = {WON: (0.0, 0.0), LOST: (0.0, 0.0)} | (atom or {})
    marks = SimpleNamespace(
        deal_class=np.zeros(1, dtype=int), stage=np.zeros(1, dtype=int), n=np.array([4.0]), total=np.array([400.0])
    )
    return SimpleNamespace(
        windows=[
            SimpleNamespace(
                won=won, scale=scale, calibration=neutral(1), open_deals=Together((open_deals, others)), new=new
            )
        ],
        split=lambda _w, due: (open_deals, others) if due.n.any() else (NOTHING, Together((open_deals, others))),
        model=SimpleNamespace(today=TODAY, atom=atom, segments=segments or {}),
        marks=marks,
        assumptions=SimpleNamespace(deal_size=1.0),
        value_created=value,
        eventual=np.array([[eventual]]),
        worth_created=lambda mix: value * mix[0, 0] / 100,
    )


def required(projection, w: int, target: float, confidence: float, shock: float, due: float = 1.0) -> Required:
    """With a deal due in the window unless said otherwise."""
    return solver.required(projection, w, target, confidence, shock, SimpleNamespace(n=np.array([due])))


def test_many_small_deals_against_the_normal_closed_form():
    """k x 10,000 deals of 1 at .2: N(2,000 k, 1,600 k), and P(>= T) = .8 where 2,000 k - z 40 sqrt(k) = T."""
    target = 3000.0
    root = (Z80 * 40 + np.sqrt((Z80 * 40) ** 2 + 4 * 2000 * target)) / (2 * 2000)
    found = required(projection(cells(10_000, 0.2, 1.0)), 0, target, 0.8, shock=0.0)
    assert found.times == pytest.approx(root**2, rel=2e-3)
    assert root**2 == pytest.approx(1.5208, abs=1e-3)


def test_new_business_counts_beside_open_deals():
    """New: Poisson(1,000) of 1. N(2,000 k + 1,000, 1,600 k + 1,000) and T = 3,000: k = 1.0217 by iteration."""
    k = 1.0
    for _ in range(50):
        k = (2000.0 + Z80 * np.sqrt(1600 * k + 1000)) / 2000
    found = required(projection(cells(10_000, 0.2, 1.0), arrivals(1000, 1.0)), 0, 3000.0, 0.8, shock=0.0)
    assert found.times == pytest.approx(k, rel=2e-3)
    # Creation instead: open N(2,000, 1,600) + Poisson(1,000 j): 2,000 + 1,000 j - z sqrt(1,600 + 1,000 j) = 3,000.
    j = 1.0
    for _ in range(50):
        j = (1000.0 + Z80 * np.sqrt(1600 + 1000 * j)) / 1000
    # (j - 1) x 1,000 of money is missing, and a new deal brings 50 of it in this window.
    assert found.opportunities == pytest.approx((j - 1) * 1000 / 50, rel=0.02)


def test_only_the_deals_that_are_due_are_multiplied():
    """Due: k x 1,000 at .2; others: 5,000 at .2. N(200 k + 1,000, 160 k + 800) and T = 1,500: k by iteration."""
    k = 1.0
    for _ in range(50):
        k = (500.0 + Z80 * np.sqrt(160 * k + 800)) / 200
    p = projection(cells(1_000, 0.2, 1.0), others=cells(5_000, 0.2, 1.0))
    found = required(p, 0, 1500.0, 0.8, 0.0)
    assert found.times == pytest.approx(k, rel=2e-3)
    # What all open deals must bring together: 200 k + 1,000.
    assert found.from_open == pytest.approx(200 * k + 1000, rel=2e-3)


def test_with_no_deal_due_there_is_nothing_to_multiply():
    p = projection(cells(1_000, 0.2, 1.0))
    found = required(p, 0, 1500.0, 0.8, 0.0, due=0.0)
    assert (found.times, found.from_open) == (None, None)
    assert not any("open deals" in reason for reason in found.reasons)
    assert required(p, 0, 100.0, 0.8, 0.0, due=0.0).times == 0.0


@pytest.mark.parametrize(("shock", "confidence"), [(0.3, 0.8), (0.5, 0.95), (0.1, 0.6)])
def test_a_shock_that_all_deals_share(shock: float, confidence: float):
    """A sum that hardly varies times a lognormal shock: k = T / (mu exp(sigma z - sigma^2 / 2))."""
    sigma = np.sqrt(np.log1p(shock**2))
    factor = np.exp(sigma * norm.ppf(1 - confidence) - sigma**2 / 2)
    found = required(projection(cells(1_000_000, 0.5, 1.0)), 0, 400_000.0, confidence, shock)
    assert found.times == pytest.approx(400_000 / (500_000 * factor), rel=5e-3)


def test_the_confidence_is_meant_as_calibrated():
    """Where outcomes fell below the model's level .1 in a fifth of the past, 80 % takes what the model calls 90 %."""
    levels, shares = (np.array([0.0, 0.1, 1.0]),) * 3, (np.array([0.0, 0.2, 1.0]),) * 3
    plain, calibrated = projection(cells(10_000, 0.2, 1.0)), projection(cells(10_000, 0.2, 1.0))
    calibrated.windows[0].calibration = replace(neutral(1), levels=levels, shares=shares)
    times = required(calibrated, 0, 3000.0, 0.8, shock=0.2).times
    assert times == pytest.approx(required(plain, 0, 3000.0, 0.9, shock=0.2).times)
    assert times > required(plain, 0, 3000.0, 0.8, shock=0.2).times


def test_what_is_won_and_the_scale_count_first():
    """1,000 of 4,000 are won; a rule that doubles the mean halves what the deals have to bring: 1,500."""
    deals = cells(10_000, 0.2, 1.0)
    plain = required(projection(deals), 0, 1500.0, 0.8, shock=0.1)
    assert required(projection(deals, won=1000.0, scale=2.0), 0, 4000.0, 0.8, shock=0.1).times == plain.times


def test_a_met_target_needs_nothing():
    found = required(projection(cells(10, 0.2, 1.0), won=500.0), 0, 500.0, 0.8, shock=0.2)
    assert (found.times, found.opportunities, found.reasons) == (0.0, 0.0, ())
    # New business alone brings it: no open deal is needed, and no opportunity beyond the expected ones.
    found = required(projection(cells(10, 0.2, 1.0), arrivals(1000, 1.0)), 0, 500.0, 0.8, shock=0.0)
    assert (found.times, found.opportunities) == (0.0, 0.0)


def test_beyond_the_largest_there_is_a_reason_and_no_number():
    deals, new = cells(1000, 0.5, 1.0), arrivals(100, 1.0)
    found = required(projection(deals, new), 0, 500.0 * LARGEST * 1.5, 0.8, shock=0.1)
    assert found.times is None
    assert found.opportunities is None
    assert "not even 20 times what today's open deals bring" in found.reasons[0]
    assert "not even 20 times the usual number" in found.reasons[1]
    # Open deals can, new ones cannot.
    found = required(projection(deals, new), 0, 5000.0, 0.8, shock=0.1)
    assert found.times == pytest.approx(10, rel=0.2)
    assert found.opportunities is None
    assert len(found.reasons) == 1
    nothing = required(projection(), 0, 10.0, 0.8, shock=0.1)
    assert (nothing.times, nothing.opportunities) == (None, None)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.3, 4.0), st.floats(1.0, 1.5), st.floats(0.55, 0.9), st.floats(0.0, 0.4))
def test_more_is_needed_for_more(size: float, more: float, confidence: float, shock: float):
    """Monotone in target and in confidence."""
    found = projection(cells(500, 0.2, 1.0, cv=0.5), arrivals(20, 1.0))

    def times(target: float, confidence: float) -> float:
        k = required(found, 0, target, confidence, shock).times
        return LARGEST if k is None else k

    base = times(100 * size, confidence)
    assert times(100 * size * more, confidence) >= base - 1e-4
    assert times(100 * size, min(confidence * 1.05, 0.97)) >= base - 1e-4


@settings(max_examples=8, deadline=None)
@given(st.floats(0.6, 3.0), st.floats(0.55, 0.95), st.floats(0.05, 0.4))
def test_what_is_required_gives_the_confidence(size: float, confidence: float, shock: float):
    """As many deals as are said to be needed, drawn 40,000 times, reach the target as often as was asked for."""
    k = required(projection(cells(400, 0.25, 1.0)), 0, 100 * size, confidence, shock).times
    rng = np.random.default_rng(0)
    sigma = np.sqrt(np.log1p(shock**2))
    mean = 400 * k * 0.25
    won = mean + np.sqrt(mean * 0.75) * rng.standard_normal(40_000)
    hit = won * np.exp(sigma * rng.standard_normal(40_000) - sigma**2 / 2) >= 100 * size
    assert hit.mean() == pytest.approx(confidence, abs=0.02)


# --- the last useful day ---------------------------------------------------------------------------------------

FALLING = np.column_stack([np.linspace(60, 0, 31), np.linspace(0, 30, 31)])
"""Money from a deal created on day d: 60, 58, ... 0 in the first window, 0, 1, ... 30 in the second."""


def test_last_useful_day_by_hand():
    """Eventually 50 a deal (half of them won, 100 each), so 25 by the end.

    First window: 60 - 2 d >= 25 until d = 17, which is day 1018. Both: 60 - d >= 25 to the end, d = 30, day 1031.
    """
    found = projection(cells(100, 0.5, 1.0), arrivals(10, 1.0), value=FALLING)
    assert last_useful_days(found) == {ALL: (TODAY + 18, TODAY + 31)}
    assert required(found, 0, 1e3, 0.8, 0.1).last_useful == TODAY + 18


def test_each_segment_has_its_own_last_day():
    """A segment of smaller deals of the same speed has the same day, one that never brings anything has none."""
    mixes = {"Large": (40, np.array([[100.0]])), "Small": (30, np.array([[20.0]])), "None": (30, np.array([[0.0]]))}
    found = projection(value=FALLING, segments=mixes)
    days = last_useful_days(found)
    assert days["Large"] == days["Small"] == days[ALL]
    assert days["None"] == (None, None)
    # Half of the deals are won at once for 100: 25 + 50 in the end, so 37.5 by then: 60 - 2 d until d = 11.
    with_atom = projection(value=FALLING, atom={WON: (0.5, 100.0)})
    assert last_useful_days(with_atom)[ALL][0] == TODAY + 12


def test_too_late_says_so():
    found = projection(cells(100, 0.5, 1.0), arrivals(10, 1.0), value=np.full((30, 1), 10.0))
    late = required(found, 0, 80.0, 0.8, 0.1)
    assert late.last_useful is None
    assert late.opportunities is None
    # 50 k + 10 less .84 sd = 80; sd^2 = 25 k + 10 + (.1 x 90)^2 = 131 at k = 1.59: (80 + 9.6 - 10) / 50 = 1.59.
    assert late.times == pytest.approx(1.59, abs=0.03)
    assert late.reasons == (TOO_LATE,)
