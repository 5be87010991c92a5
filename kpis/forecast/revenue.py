"""The distribution of won revenue: characteristic function, inverted by a COS series (Fang & Oosterlee 2008).

X = sum of a_i (1 + cv e) Bernoulli(p_i) over open deals + a compound Poisson of deals not yet created, and
revenue = M X with a lognormal shock M of mean 1 that all deals of a period share.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.special import logit

TERMS = 256
GRID = 1024
ODDS_BINS = 24
AMOUNT_RATIO = 1.25
DRAWS = 20_000
CERTAIN = 1 - 1e-12
"""Largest probability whose complement has a logarithm."""

NEGLIGIBLE, REACH = 1e-9, 7.0
"""Probability beyond which a tail is cut, and standard deviations of the common shock that are reckoned with."""

FEW_DEALS, FEW_ARRIVALS = 10, 5.0
"""Below both, the sum is too coarse for a smooth series and is drawn instead."""

SHOCK = (0.15, 0.20, 0.25)
"""Coefficient of variation of the common shock in the current, next and next but one period."""


@dataclass(frozen=True)
class Cells:
    """Deals that share a probability and an amount: count, probability, mean and variance of the amount.

    Parameters
    ----------
    n, p, mean, variance
        (cells,) each.
    """

    n: np.ndarray
    p: np.ndarray
    mean: np.ndarray
    variance: np.ndarray

    @property
    def expected(self) -> float:
        """Mean of the sum."""
        return float((self.n * self.p * self.mean).sum())

    @property
    def spread(self) -> float:
        """Variance of the sum."""
        second = self.n * self.p * (self.mean**2 + self.variance)
        return float((second - self.n * (self.p * self.mean) ** 2).sum())

    @property
    def log_zero(self) -> float:
        """Log probability that none of them is won."""
        return float(self.n @ np.log1p(-np.minimum(self.p, CERTAIN)))

    def log_phi(self, theta: np.ndarray) -> np.ndarray:
        """Log characteristic function of the sum at each theta.

        log(1 + z) is written in real numbers, log1p(2 x + x^2 + y^2) / 2 + i atan2(y, 1 + x): five times as fast as
        numpy's of complex ones, and as exact for small z.
        """
        turn, size = np.outer(theta, self.mean), np.exp(np.outer(theta**2, -self.variance / 2))
        x, y = self.p * (size * np.cos(turn) - 1), self.p * size * np.sin(turn)
        # 1 + z is 0 where a deal is certain and its amount is not: the log of the smallest step above stands for it.
        square = np.maximum(2 * x + x**2 + y**2, np.nextafter(-1.0, 0.0))
        return np.log1p(square) @ self.n / 2 + 1j * (np.arctan2(y, 1 + x) @ self.n)


@dataclass(frozen=True)
class Arrivals:
    """Deals not yet created that will be won in the window: expected number by amount.

    Parameters
    ----------
    count
        (cells,) expected number.
    mean, variance
        (cells,) of the amount.
    """

    count: np.ndarray
    mean: np.ndarray
    variance: np.ndarray

    @property
    def expected(self) -> float:
        """Mean of the sum."""
        return float((self.count * self.mean).sum())

    @property
    def spread(self) -> float:
        """Variance of the sum."""
        return float((self.count * (self.mean**2 + self.variance)).sum())

    @property
    def log_zero(self) -> float:
        """Log probability that none arrives."""
        return -float(self.count.sum())

    def log_phi(self, theta: np.ndarray) -> np.ndarray:
        """Log characteristic function of the compound Poisson at each theta."""
        wave = np.exp(1j * np.outer(theta, self.mean) - np.outer(theta**2, self.variance / 2)) - 1
        return wave @ self.count


@dataclass(frozen=True)
class Together:
    """Independent parts of a window's revenue as one."""

    parts: tuple[Cells | Arrivals, ...]

    @property
    def expected(self) -> float:
        """Mean of the sum."""
        return sum(part.expected for part in self.parts)

    @property
    def spread(self) -> float:
        """Variance of the sum."""
        return sum(part.spread for part in self.parts)

    @property
    def log_zero(self) -> float:
        """Log probability that the sum is 0."""
        return sum(part.log_zero for part in self.parts)

    def log_phi(self, theta: np.ndarray) -> np.ndarray:
        """Log characteristic function of the sum at each theta."""
        return sum((part.log_phi(theta) for part in self.parts), np.zeros(len(theta), dtype=complex))


def amount_bin(amount: np.ndarray) -> np.ndarray:
    """Number of the amount's bin; bins grow by the ratio 1.25."""
    return np.floor(np.log(np.maximum(amount, 1e-9)) / np.log(AMOUNT_RATIO)).astype(np.int64)


def cells(p: np.ndarray, n: np.ndarray, total: np.ndarray, squares: np.ndarray, bins: np.ndarray, cv: float) -> Cells:
    """Gather groups of open deals into cells of like log-odds and like amount.

    Parameters
    ----------
    p
        (groups,) probability of each deal of the group.
    n, total, squares
        (groups,) number of deals, sum of amounts and of squared amounts.
    bins
        (groups,) amount bin.
    cv
        Revision noise.

    Returns
    -------
    Cells whose mean and variance are those of the groups.
    """
    live = (p > 0) & (total > 0)
    p, n, total, squares, bins = p[live], n[live], total[live], squares[live], bins[live]
    odds = np.clip(np.floor((logit(np.minimum(p, 1 - 1e-9)) + 9) * (ODDS_BINS / 14)), 0, ODDS_BINS - 1).astype(np.int64)
    cell = (bins - bins.min(initial=0)) * ODDS_BINS + odds
    summed = (np.bincount(cell, of_group) for of_group in (n, p * n, p * total, p * squares, p**2 * squares))
    held = np.bincount(cell) > 0
    count, chance, money, square, own = (of_cell[held] for of_cell in summed)
    mean, second = money / chance, square / chance
    rate = chance / count
    # Deals of a cell differ a little in p x amount, which makes their sum a little less variable than the cell's.
    # Taken out of the cell's own amount variance, the sum keeps its exact variance and phi stays a true one.
    excess = (own - count * (rate * mean) ** 2) / chance
    variance = np.maximum(second - mean**2, 0) + cv**2 * second - excess
    return Cells(count, rate, mean, np.maximum(variance, 0))


@dataclass(frozen=True)
class Distribution:
    """Distribution of an amount of at least 0, on a grid; between grid points it is linear.

    Parameters
    ----------
    grid, cumulated
        Amounts from 0 up, and the probability of at most that amount.
    mean, sd
        Exact moments, not those of the grid.
    """

    grid: np.ndarray
    cumulated: np.ndarray
    mean: float
    sd: float

    def cdf(self, amount: float) -> float:
        """P(X <= amount)."""
        return float(np.interp(amount, self.grid, self.cumulated, left=0.0, right=1.0))

    def at_least(self, amount: float) -> float:
        """P(X >= amount); 1 for an amount of 0 or less."""
        return 1.0 if amount <= 0 else 1.0 - self.cdf(amount)

    def quantile(self, q: float) -> float:
        """Smallest amount that is not exceeded with probability q; 0 where P(X = 0) >= q."""
        if q <= self.cumulated[0]:
            return 0.0
        k = min(int(np.searchsorted(self.cumulated, q)), len(self.grid) - 1)
        below, above = self.cumulated[k - 1], self.cumulated[k]
        share = (q - below) / (above - below) if above > below else 1.0
        return float(self.grid[k - 1] + min(share, 1.0) * (self.grid[k] - self.grid[k - 1]))


def shock_sigma(cv: float) -> float:
    """Standard deviation of the log of a lognormal shock with mean 1 and this cv."""
    return float(np.sqrt(np.log1p(cv**2)))


@dataclass(frozen=True)
class Series:
    """A COS series on (lo, hi) for the part of a distribution that has no step at 0.

    F(x) = P(X = 0) + c_0/2 (x - lo) + sum_k c_k sin(theta_k (x - lo)) / theta_k, with the c_k from phi - P(X = 0):
    a Fourier series would take the middle of the step.
    """

    lo: float
    hi: float
    terms: int = TERMS

    @property
    def theta(self) -> np.ndarray:
        """The frequencies k pi / (hi - lo)."""
        return np.arange(self.terms) * np.pi / (self.hi - self.lo)

    def basis(self, x: np.ndarray) -> np.ndarray:
        """(len(x), terms) what the coefficients are multiplied with; it depends on no distribution."""
        theta = self.theta
        inside = np.clip(x, self.lo, self.hi) - self.lo
        return np.column_stack([inside / 2, np.sin(np.outer(inside, theta[1:])) / theta[1:]])

    def cdf(self, log_phi: np.ndarray, log_zero: float, basis: np.ndarray) -> np.ndarray:
        """P(X <= x) from the log characteristic function at ``theta`` and the log of P(X = 0)."""
        zero = np.exp(log_zero)
        return np.clip(zero + basis @ self._coefficients(log_phi, zero), zero, 1.0)

    def from_zero(self, log_phi: np.ndarray, log_zero: float, points: int) -> tuple[np.ndarray, np.ndarray]:
        """Amounts from 0 to ``hi``, and P(X <= x) of each: the same series by one fast Fourier transform.

        On ``points`` equal steps from ``lo`` to ``hi`` theta_k (x - lo) = pi k i / points, so the sums of sines are a
        transform of the c_k / theta_k. A quarter of a million sines took most of a projection's time.
        """
        zero = np.exp(log_zero)
        c = self._coefficients(log_phi, zero)
        amounts = np.linspace(self.lo, self.hi, points + 1)
        sines = -np.fft.fft(np.append(0.0, c[1:] / self.theta[1:]), 2 * points).imag[: points + 1]
        cumulated = zero + c[0] / 2 * (amounts - self.lo) + sines
        at_zero = zero + self.basis(np.zeros(1)) @ c
        above = amounts > 0
        return np.append(0.0, amounts[above]), np.clip(np.append(at_zero, cumulated[above]), zero, 1.0)

    def _coefficients(self, log_phi: np.ndarray, zero: float) -> np.ndarray:
        """The c_k."""
        return 2 / (self.hi - self.lo) * ((np.exp(log_phi) - zero) * np.exp(-1j * self.theta * self.lo)).real


def support(mean: float, sd: float, largest: float) -> Series:
    """The interval that holds all but a negligible part of the mass."""
    lo = max(mean - 10 * sd, -0.02 * (mean + 10 * sd))
    return Series(lo, mean + 10 * sd + largest / 2)


def distribution(open_deals: Cells, new: Arrivals, shock: float, *, seed: int = 0) -> Distribution:
    """Distribution of M X for one window.

    Parameters
    ----------
    open_deals, new
        The parts of X.
    shock
        Coefficient of variation of the common shock M.
    seed
        Of the draws that are made when there are too few deals for a series.
    """
    mean = open_deals.expected + new.expected
    variance = max(open_deals.spread + new.spread, 0.0)
    sd = float(np.sqrt(variance * (1 + shock**2) + (shock * mean) ** 2))
    few = open_deals.n[open_deals.p > 0.001].sum() < FEW_DEALS and new.count.sum() < FEW_ARRIVALS
    if mean <= 0:
        return Distribution(np.array([0.0, 1e-9]), np.ones(2), 0.0, 0.0)
    if few or variance <= 0:
        return _drawn(open_deals, new, shock, mean, sd, np.random.default_rng(seed))
    largest = float(max(open_deals.mean.max(initial=0), new.mean[new.count > 0].max(initial=0)))
    series = support(mean, float(np.sqrt(variance)), largest)
    log_zero = open_deals.log_zero + new.log_zero
    log_phi = open_deals.log_phi(series.theta) + new.log_phi(series.theta)
    grid, cumulated = series.from_zero(log_phi, log_zero, GRID)
    cumulated = _rising(cumulated)
    if shock > 0:
        grid, cumulated = _shaken(grid, cumulated, float(np.exp(log_zero)), shock)
    return Distribution(grid, cumulated, mean, sd)


def _rising(cumulated: np.ndarray) -> np.ndarray:
    """The middle between running maximum and running minimum: ripple of the series, smoothed without a bias."""
    from_left = np.maximum.accumulate(cumulated)
    from_right = np.minimum.accumulate(cumulated[::-1])[::-1]
    return (from_left + from_right) / 2


def _shaken(grid: np.ndarray, cumulated: np.ndarray, zero: float, shock: float) -> tuple[np.ndarray, np.ndarray]:
    """Distribution of M X above its step at 0: on the log scale, where M adds normal noise of mean -sigma^2 / 2.

    P(M X <= e^(y - sigma^2 / 2)) = integral of P(X <= e^(y - s)) over the normal density of s. The density holds no
    high frequency, so equal steps of y give the integral as exactly as the cumulated probabilities are known.
    """
    sigma = shock_sigma(shock)
    share = (cumulated - zero) / (cumulated[-1] - zero)
    first, last = np.searchsorted(share, [NEGLIGIBLE, 1 - NEGLIGIBLE])
    low, high = np.log(max(grid[max(first - 1, 0)], grid[1] / 2)), np.log(grid[min(last, len(grid) - 1)])
    y, step = np.linspace(low - REACH * sigma, high + REACH * sigma, GRID, retstep=True)
    below = gaussian_filter1d(np.interp(np.exp(y), grid, share), sigma / step, mode="nearest", truncate=REACH)
    # Rounding alone may take a probability above 1 or the one before it.
    below = np.minimum(np.maximum.accumulate(below), 1.0)
    return np.append(0.0, np.exp(y - sigma**2 / 2)), np.append(zero, zero + (1 - zero) * below)


def _drawn(
    open_deals: Cells, new: Arrivals, shock: float, mean: float, sd: float, rng: np.random.Generator
) -> Distribution:
    """The same by seeded draws: exact in the limit, and right where the distribution has steps."""
    total = np.zeros(DRAWS)
    for n, p, amount, variance in zip(open_deals.n, open_deals.p, open_deals.mean, open_deals.variance, strict=True):
        wins = rng.binomial(round(n), p, DRAWS)
        total += np.maximum(wins * amount + np.sqrt(wins * variance) * rng.standard_normal(DRAWS), 0)
    for count, amount, variance in zip(new.count, new.mean, new.variance, strict=True):
        wins = rng.poisson(count, DRAWS)
        total += np.maximum(wins * amount + np.sqrt(wins * variance) * rng.standard_normal(DRAWS), 0)
    if shock > 0:
        sigma = shock_sigma(shock)
        total *= np.exp(sigma * rng.standard_normal(DRAWS) - sigma**2 / 2)
    values, counts = np.unique(np.append(total, 0.0), return_counts=True)
    cumulated = np.cumsum(counts - (values == 0)) / DRAWS
    return Distribution(values, cumulated, mean, sd)
