"""Intervals against scipy and statsmodels, and their limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kpis.measures.core import intervals

proportion = pytest.importorskip("statsmodels.stats.proportion")
rates = pytest.importorskip("statsmodels.stats.rates")


@pytest.mark.parametrize(("k", "n"), [(0, 10), (1, 10), (5, 9), (19, 20), (20, 20), (300, 1000)])
def test_wilson_is_statsmodels(k, n):
    low, high = intervals.wilson(np.array(k), np.array(n))
    assert (low, high) == pytest.approx(proportion.proportion_confint(k, n, method="wilson"), abs=1e-12)


@pytest.mark.parametrize("k", [0, 1, 7, 150])
def test_poisson_is_garwood(k):
    low, high = intervals.poisson(np.array(k))
    assert (low, high) == pytest.approx(rates.confint_poisson(k, 1, method="exact-c"), nan_ok=True, abs=1e-9)


@pytest.mark.parametrize(("a", "b"), [(0, 5), (3, 4), (120, 40)])
def test_ratio_of_counts_is_clopper_pearson_on_the_share(a, b):
    low, high = intervals.poisson_ratio(np.array(a), np.array(b))
    share = proportion.proportion_confint(a, a + b, method="beta")
    assert (low, high) == pytest.approx([p / (1 - p) for p in share], abs=1e-9)


def test_unknown_stays_unknown():
    assert np.isnan(intervals.wilson(np.array(0), np.array(0))).all()
    assert np.isnan(intervals.poisson(np.array(np.nan))).all()
    assert np.isnan(intervals.poisson_ratio(np.array(1), np.array(0))).all()
    assert np.isnan(intervals.bootstrap_sum(np.array([5.0]), np.array([1.0]), intervals.resamples(1))).all()


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60))
def test_median_of_counted_values_is_numpy(values):
    distinct, counts = np.unique(values, return_counts=True)
    middle, low, high = intervals.median(distinct.astype(float), counts.astype(float))
    assert middle == np.median(values)
    if len(values) < 6:
        assert np.isnan([low, high]).all()
    else:
        assert low <= middle <= high


@pytest.mark.parametrize("n", [6, 9, 25, 100])
def test_median_interval_holds_with_95_percent_and_no_narrower_one_does(n):
    _, low, high = intervals.median(np.arange(1.0, n + 1), np.ones(n))
    # P(x_l < median <= x_u) = P(l <= B <= u - 1), B the number of values below the median.
    covered = stats.binom.cdf(high - 1, n, 0.5) - stats.binom.cdf(low - 1, n, 0.5)
    narrower = stats.binom.cdf(high - 2, n, 0.5) - stats.binom.cdf(low, n, 0.5)
    assert covered >= 0.95 > narrower


def test_bootstrap_agrees_with_scipy_on_a_skewed_sample():
    rng = np.random.default_rng(3)
    values = rng.lognormal(9, 1.2, 800)
    ours = intervals.bootstrap_mean(values, np.ones(800), intervals.resamples(5))
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=2000, rng=np.random.default_rng(6))
    assert ours == pytest.approx(tuple(theirs.confidence_interval), rel=0.03)


def test_bootstrap_of_a_ratio_agrees_with_scipy():
    rng = np.random.default_rng(4)
    listed = rng.lognormal(9, 1, 500)
    given_away = listed * rng.beta(2, 20, 500)
    ours = intervals.bootstrap_ratio(given_away, listed, np.ones(500), intervals.resamples(5))
    theirs = stats.bootstrap(
        (given_away, listed),
        lambda a, b, axis: a.sum(axis) / b.sum(axis),
        paired=True,
        method="percentile",
        n_resamples=2000,
        rng=np.random.default_rng(6),
    )
    assert ours == pytest.approx(tuple(theirs.confidence_interval), rel=0.03)


def test_interval_of_a_total_covers_the_number_of_deals_as_well():
    # 100 deals of 10 each: the total is 10 x Poisson(100), so its spread is 10 x 10 = 100.
    low, high = intervals.bootstrap_sum(np.array([10.0]), np.array([100.0]), intervals.resamples(1))
    assert (low, high) == pytest.approx((1000 - 196, 1000 + 196), rel=0.05)


def test_counted_values_give_what_repeated_ones_give():
    repeated = intervals.bootstrap_mean(np.array([1.0, 5.0, 1.0, 5.0, 9.0]), np.ones(5), intervals.resamples(2))
    counted = intervals.bootstrap_mean(np.array([1.0, 5.0, 9.0]), np.array([2.0, 2.0, 1.0]), intervals.resamples(2))
    assert counted == pytest.approx(repeated, abs=1.0)


def test_product_adds_relative_widths_as_squares():
    value = np.array([6.0])
    factors = [
        (np.array([2.0]), np.array([1.0]), np.array([4.0])),
        (np.array([3.0]), np.array([np.nan]), np.array([np.nan])),
    ]
    low, high = intervals.product(value, factors)
    # One factor is known only up to x2 either way, the other exactly: so is the product.
    assert (low[0], high[0]) == pytest.approx((3.0, 12.0))
