"""The distribution of revenue: cells, the COS series against a grid, draws and enumeration, and the shock."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from kpis.forecast.revenue import (
    AMOUNT_RATIO,
    SHOCK,
    Arrivals,
    Cells,
    Distribution,
    amount_bin,
    cells,
    distribution,
    support,
)
from tests.oracle.sums import by_fft, drawn, shocked

NONE = Arrivals(np.zeros(1), np.ones(1), np.zeros(1))
CV = 0.10
LEVELS = (0.1, 0.5, 0.9)


def of(p: np.ndarray, amount: np.ndarray, cv: float = CV) -> Cells:
    """Cells of single deals."""
    return cells(p, np.ones(len(p)), amount, amount**2, amount_bin(amount), cv)


def poisson(*pairs: tuple[float, float], cv: float = CV) -> Arrivals:
    """Arrivals of (expected number, amount)."""
    count, amount = np.array(pairs).T
    return Arrivals(count, amount, (cv * amount) ** 2)


def deals(n: int, low: float, high: float, spread: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """n deals with chances between low and high and lognormal amounts."""
    rng = np.random.default_rng(seed)
    return rng.uniform(low, high, n), np.exp(rng.normal(9, spread, n))


def test_cells_by_hand():
    """Two deals of 100 and 105 with chance 0.2 and 0.21 share a cell: bins are 1.25 wide and 0.58 in log-odds.

    expected = 0.2 * 100 + 0.21 * 105 = 42.05
    variance = 0.2 * 1.01 * 100^2 - 20^2 + 0.21 * 1.01 * 105^2 - 22.05^2 (cv 0.1: the square grows by 1 %)
    """
    assert AMOUNT_RATIO == 1.25
    found = of(np.array([0.2, 0.21]), np.array([100.0, 105.0]))
    assert len(found.n) == 1
    assert found.expected == pytest.approx(42.05)
    assert found.spread == pytest.approx(0.2 * 1.01 * 1e4 - 400 + 0.21 * 1.01 * 11025 - 22.05**2)


@settings(max_examples=80)
@given(
    st.lists(
        st.tuples(st.floats(0, 0.98), st.integers(1, 40), st.floats(1, 1e7), st.floats(0, 0.1)), min_size=1, max_size=30
    ),
    st.sampled_from([0.1, 0.3]),
)
def test_cells_keep_mean_and_variance(groups: list, cv: float):
    """Groups of n deals of about one amount: the cells' sum has the mean and the variance of the deals' sum."""
    p, n, amount, spread = np.array(groups).T
    squares = n * amount**2 * (1 + spread**2)
    found = cells(p, n, n * amount, squares, amount_bin(amount), cv)
    expected = (p * n * amount).sum()
    variance = (p * squares * (1 + cv**2) - p**2 * squares).sum()
    assert found.expected == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert found.spread == pytest.approx(variance, rel=1e-9, abs=1e-9)
    assert (found.variance >= 0).all()
    assert len(found.n) <= len(p)
    if len(found.n):
        theta = np.linspace(0, 50 / np.sqrt(max(variance, 1.0)), 200)
        phi = np.exp(found.log_phi(theta))
        # A characteristic function: 1 at 0, never beyond 1.
        assert phi[0] == pytest.approx(1)
        assert (np.abs(phi) <= 1 + 1e-9).all()


def test_cells_leave_out_what_brings_nothing():
    found = cells(
        np.array([0.0, 0.5, 0.5]),
        np.ones(3),
        np.array([10.0, 0.0, 10.0]),
        np.array([100.0, 0, 100]),
        np.zeros(3, int),
        CV,
    )
    assert found.n == pytest.approx([1])
    assert found.expected == pytest.approx(5)


SIZES = [
    (10, 0.05, 0.9, 1.0), (12, 0.18, 0.29, 0.05), (15, 0.2, 0.35, 0.05), (20, 0.05, 0.95, 1.0), (30, 0.1, 0.3, 0.2),
    (40, 0.005, 0.05, 1.0), (100, 0.005, 0.03, 1.0), (100, 0.05, 0.5, 1.0), (250, 0.05, 0.6, 0.7),
]  # fmt: skip


@pytest.mark.parametrize(("n", "low", "high", "spread"), SIZES)
def test_series_agrees_with_a_convolution_on_a_grid(n: int, low: float, high: float, spread: float):
    """4096 grid points, deal by deal, no series and no cells: quantiles within 0.01 sd, or F within 0.01.

    A dozen deals of one size make a comb whose teeth 256 terms round a little.
    """
    p, amount = deals(n, low, high, spread, seed=n)
    got, truth = distribution(of(p, amount), NONE, 0.0), by_fft(p, amount, CV)
    for q in (0.05, *LEVELS, 0.95):
        # Where F is flat a quantile jumps: F itself must agree there.
        off = abs(got.quantile(q) - truth.quantile(q)) / got.sd
        assert off < 0.01 or abs(float(truth.cdf(got.quantile(q))) - q) < 0.01, (q, off)
    x = np.linspace(0, got.grid[-1] * 0.9, 300)
    step = truth.pmf[0]
    assert got.cdf(0.0) == pytest.approx(step, abs=1e-3)
    inside = x[x > 4 * truth.step]
    assert np.array([got.cdf(a) for a in inside]) == pytest.approx(truth.cdf(inside), abs=0.012)


@pytest.mark.parametrize(
    "arrivals",
    [((6.0, 1000.0),), ((1.5, 1000.0), (4.0, 300.0)), ((20.0, 500.0), (2.0, 9000.0)), ((0.5, 500.0), (5.0, 800.0))],
)
def test_compound_poisson_agrees_with_a_convolution_and_with_draws(arrivals: tuple):
    got = distribution(of(np.zeros(0), np.zeros(0)), poisson(*arrivals), 0.0)
    truth = by_fft(np.zeros(0), np.zeros(0), CV, arrivals=arrivals)
    sample = np.sort(drawn(np.zeros(0), np.zeros(0), CV, 200_000, np.random.default_rng(1), arrivals=arrivals))
    assert got.mean == pytest.approx(sum(n * a for n, a in arrivals))
    assert got.sd == pytest.approx(np.sqrt(sum(n * a * a * (1 + CV**2) for n, a in arrivals)))
    assert sample.std() == pytest.approx(got.sd, rel=0.02)
    assert got.cdf(0.0) == pytest.approx(np.exp(-sum(n for n, _ in arrivals)), abs=1e-3)
    for q in LEVELS:
        off = abs(got.quantile(q) - truth.quantile(q)) / got.sd
        assert off < 0.01 or abs(float(truth.cdf(got.quantile(q))) - q) < 0.003
        assert abs((sample <= got.quantile(q)).mean() - q) < 0.006


@pytest.mark.parametrize("shock", SHOCK)
@pytest.mark.parametrize(("n", "low", "high", "spread"), [SIZES[1], SIZES[5], SIZES[7]])
def test_with_the_shock_it_agrees_with_draws(n: int, low: float, high: float, spread: float, shock: float):
    p, amount = deals(n, low, high, spread, seed=n)
    arrivals = ((3.0, 9000.0), (1.0, 30_000.0))
    got = distribution(of(p, amount), poisson(*arrivals), shock)
    sample = np.sort(drawn(p, amount, CV, 200_000, np.random.default_rng(2), arrivals=arrivals, shock=shock))
    assert sample.mean() == pytest.approx(got.mean, rel=0.01)
    assert sample.std() == pytest.approx(got.sd, rel=0.02)
    for q in LEVELS:
        error = 4 * np.sqrt(q * (1 - q) / len(sample))
        assert abs((sample <= got.quantile(q)).mean() - q) < error + 0.002


@pytest.mark.parametrize("shock", SHOCK)
@pytest.mark.parametrize("n", [100, 1_000, 50_000])
def test_the_shock_leaves_no_staircase_where_the_sum_is_narrow(n: int, shock: float):
    """With many deals X is normal, so the mixture is a plain integral over the shock: within 0.01 sd anywhere."""
    p, amount = deals(n, 0.1, 0.5, 0.3, seed=1)
    found = of(p, amount)
    got = distribution(found, NONE, shock)
    sigma = np.sqrt(np.log1p(shock**2))
    z = np.linspace(-7, 7, 4001)
    weight = norm.pdf(z) / norm.pdf(z).sum()
    factor = np.exp(sigma * z - sigma**2 / 2)
    for q in np.arange(0.05, 1, 0.05):
        x = got.quantile(q)
        truth = (weight * norm.cdf((x / factor - found.expected) / np.sqrt(found.spread))).sum()
        density = norm.pdf(norm.ppf(q)) / got.sd
        # A sum of 100 deals is not yet quite normal.
        assert abs(truth - q) / density < (0.01 if n > 100 else 0.04) * got.sd


def test_the_shock_keeps_the_mean_and_has_its_variance():
    """sd^2 = V (1 + tau^2) + (tau mu)^2, and the mean stays; checked by integrating 1 - F."""
    p, amount = deals(60, 0.1, 0.5, 0.8)
    calm = distribution(of(p, amount), NONE, 0.0)
    for tau in (0.15, 0.4, 0.8):
        shaken = distribution(of(p, amount), NONE, tau)
        assert shaken.mean == calm.mean
        assert shaken.sd == pytest.approx(np.sqrt(calm.sd**2 * (1 + tau**2) + (tau * calm.mean) ** 2))
        assert _mean(shaken) == pytest.approx(calm.mean, rel=0.005)
        assert _second(shaken) - _mean(shaken) ** 2 == pytest.approx(shaken.sd**2, rel=0.03)


def _mean(d: Distribution) -> float:
    """Integral of 1 - F."""
    x = np.linspace(0, d.grid[-1], 40_001)
    return float(np.trapezoid(1 - np.interp(x, d.grid, d.cumulated), x))


def _second(d: Distribution) -> float:
    """Integral of 2 x (1 - F)."""
    x = np.linspace(0, d.grid[-1], 40_001)
    return float(np.trapezoid(2 * x * (1 - np.interp(x, d.grid, d.cumulated)), x))


def test_grid_oracle_agrees_with_a_shocked_grid():
    """The two oracles against each other and against the series."""
    p, amount = deals(100, 0.05, 0.5, 1.0, seed=100)
    got = distribution(of(p, amount), NONE, 0.3)
    at = np.array([got.quantile(q) for q in LEVELS])
    assert shocked(by_fft(p, amount, CV), 0.3, at) == pytest.approx(LEVELS, abs=0.002)


@settings(max_examples=60)
@given(
    st.integers(0, 200),
    st.floats(0.0005, 0.5),
    st.floats(0, 1.5),
    st.floats(0, 60),
    st.sampled_from([0.0, *SHOCK]),
    st.integers(0, 99),
)
def test_properties_of_any_distribution(n: int, chance: float, spread: float, arrivals: float, shock: float, seed: int):
    assume(n + arrivals > 0)
    rng = np.random.default_rng(seed)
    p, amount = rng.uniform(0, 2 * chance, n).clip(0, 0.98), np.exp(rng.normal(9, spread, n))
    d = distribution(of(p, amount), poisson((arrivals * 0.7, 5000.0), (arrivals * 0.3, 20_000.0)), shock)
    expected = (p * amount).sum() + arrivals * (0.7 * 5000 + 0.3 * 20_000)
    assert d.mean == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert (np.diff(d.grid) > 0).all()
    assert (np.diff(d.cumulated) >= 0).all()
    assert d.grid[0] == 0
    assert d.cumulated[0] >= 0
    assert 1 - 1e-6 < d.cumulated[-1] <= 1
    # With a few draws the mean is that of the draws; else it is exact.
    assert _mean(d) == pytest.approx(d.mean, rel=0.01, abs=5 * d.sd / np.sqrt(20_000) + 1e-6)
    quantiles = [d.quantile(q) for q in (0.01, 0.1, 0.5, 0.9, 0.99)]
    assert quantiles == sorted(quantiles)
    for q, x in zip((0.01, 0.1, 0.5, 0.9, 0.99), quantiles, strict=True):
        if x > 0 and d.cumulated[0] < q:
            assert d.cdf(x) == pytest.approx(q, abs=1e-6)
            assert d.at_least(x) == pytest.approx(1 - q, abs=1e-6)
        if d.cumulated[0] >= q:
            assert x == 0
    assert d.cdf(-1.0) == 0
    assert d.at_least(0.0) == 1
    assert d.at_least(-5.0) == 1


def test_support_holds_the_mass():
    """F(hi) > 1 - 1e-6 for a lumpy sum: one deal of a million beside many small ones."""
    p = np.append(np.full(200, 0.2), 0.05)
    amount = np.append(np.full(200, 1000.0), 1e6)
    found = of(p, amount)
    series = support(found.expected, np.sqrt(found.spread), 1e6)
    assert series.lo <= 0 <= found.expected < series.hi
    assert by_fft(p, amount, CV, top=2 * series.hi).cdf(np.array([series.hi]))[0] > 1 - 1e-6


@pytest.mark.parametrize("shock", [0.0, 0.15])
@pytest.mark.parametrize("small", [1, 8, 60])
def test_one_deal_worth_nearly_everything(small: int, shock: float):
    """A deal of 95 % of the value with a chance of 30 %: F is flat between "without it" and "with it".

    Beside it the many small deals are narrower than what 256 terms can show, which costs two points in 100.
    """
    each = 5_000.0 / small
    p, amount = np.append(np.full(small, 0.3), 0.3), np.append(np.full(small, each), 95_000.0)
    d = distribution(of(p, amount), NONE, shock)
    sample = np.sort(drawn(p, amount, CV, 200_000, np.random.default_rng(3), shock=shock))
    assert d.mean == pytest.approx(30_000)
    for x in (10_000, 40_000, 60_000):
        assert d.cdf(x) == pytest.approx((sample <= x).mean(), abs=0.03)
        assert d.at_least(x) == pytest.approx((sample >= x).mean(), abs=0.03)
    assert d.quantile(0.5) < 10_000
    assert d.quantile(0.9) == pytest.approx(np.quantile(sample, 0.9), rel=0.03)


@pytest.mark.parametrize("n", [1, 3, 9])
def test_few_deals_agree_with_an_enumeration(n: int):
    """Each of the 2^n subsets is a normal amount; the drawn distribution has four standard errors of 20,000 draws."""
    p, amount = deals(n, 0.1, 0.8, 1.0, seed=n)
    d = distribution(of(p, amount), NONE, 0.0)
    for x in (0.0, *np.quantile(np.cumsum(amount), [0.2, 0.5, 0.8])):
        truth = 0.0
        for wins in product((0, 1), repeat=n):
            won = np.array(wins)
            chance = np.prod(np.where(won == 1, p, 1 - p))
            sd = CV * np.sqrt((won * amount**2).sum())
            truth += chance * (1.0 if not won.any() else norm.cdf((x - won @ amount) / sd))
        assert d.cdf(x) == pytest.approx(truth, abs=4 * 0.5 / np.sqrt(20_000) + 0.001)


def test_the_same_seed_gives_the_same_numbers():
    p, amount = deals(4, 0.1, 0.8, 1.0)
    a, b = distribution(of(p, amount), NONE, 0.3), distribution(of(p, amount), NONE, 0.3)
    assert (a.grid == b.grid).all()
    assert (a.cumulated == b.cumulated).all()
    assert distribution(of(p, amount), NONE, 0.3, seed=1).quantile(0.9) != a.quantile(0.9)


def test_nothing_to_come():
    for found in (of(np.zeros(0), np.zeros(0)), of(np.zeros(3), np.ones(3))):
        d = distribution(found, NONE, 0.3)
        assert (d.mean, d.sd, d.quantile(0.9), d.cdf(0.0), d.at_least(1.0)) == (0, 0, 0, 1, 0)


def test_a_certain_deal():
    """Chance 1 is a sure thing, not an error."""
    n = 12
    d = distribution(of(np.ones(n), np.full(n, 100.0)), NONE, 0.0)
    assert d.quantile(0.5) == pytest.approx(1200, rel=0.01)
    assert d.cdf(1000) < 1e-4
