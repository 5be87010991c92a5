"""95 % intervals: Wilson for shares, exact Poisson for counts, order statistics for medians, bootstrap for money."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import special, stats

LEVEL = 0.95
Z = float(stats.norm.ppf(0.5 + LEVEL / 2))
TAIL = (1 - LEVEL) / 2
DRAWS = 400
_SINGLE, _BINS = 24, 48
"""Atoms of a bootstrap: the furthest values on each side stand alone, the rest in bins of equal count."""
_ATOMS = 2 * _SINGLE + _BINS
_FEW = 30
"""Up to so many rows an atom is drawn from its Poisson distribution, beyond from the normal one close to it."""


def wilson(successes: np.ndarray, trials: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Wilson score interval of a share; ``trials`` may be an effective sample size.

    Source: Wilson (1927). (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n).
    """
    successes, trials = np.asarray(successes, dtype=float), np.asarray(trials, dtype=float)
    n = np.where(trials > 0, trials, np.nan)
    p = np.clip(successes / n, 0.0, 1.0)
    centre = p + Z**2 / (2 * n)
    half = Z * np.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    scale = 1 + Z**2 / n
    low = np.where(p == 0, 0.0, (centre - half) / scale)
    high = np.where(p == 1, 1.0, (centre + half) / scale)
    return np.where(np.isnan(p), np.nan, low), np.where(np.isnan(p), np.nan, high)


def poisson(count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Exact interval of a count (Garwood 1936): quantiles of gamma(k) and gamma(k + 1)."""
    count = np.asarray(count, dtype=float)
    safe = np.where(np.isfinite(count) & (count >= 0), count, 0.0)
    low = np.where(safe > 0, special.gammaincinv(np.maximum(safe, 1e-9), TAIL), 0.0)
    high = special.gammaincinv(safe + 1, 1 - TAIL)
    unknown = ~np.isfinite(count)
    return np.where(unknown, np.nan, low), np.where(unknown, np.nan, high)


def poisson_ratio(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Exact interval of the ratio of two independent counts' rates.

    Given a + b events, a is binomial with share p = ratio/(1 + ratio); Clopper-Pearson on p.
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    known = np.isfinite(a) & np.isfinite(b) & (b > 0)
    a, b = np.where(known, a, 1.0), np.where(known, b, 1.0)
    low = np.where(a > 0, stats.beta.ppf(TAIL, np.maximum(a, 1e-9), b + 1), 0.0)
    high = stats.beta.ppf(1 - TAIL, a + 1, b)
    return np.where(known, low / (1 - low), np.nan), np.where(known, high / (1 - high), np.nan)


def median(values: np.ndarray, counts: np.ndarray) -> tuple[float, float, float]:
    """Median of ``values`` that occur ``counts`` times, and its exact interval by order statistics.

    The interval from the l-th to the u-th smallest holds the median with at least 95 %: l - 1 and
    n - u are the 2.5 % quantile of a binomial(n, 1/2), less one. It is unknown below six values.
    """
    order = np.argsort(values, kind="stable")
    values, cumulated = values[order], np.cumsum(counts[order])
    n = int(cumulated[-1]) if len(cumulated) else 0
    if n == 0:
        return np.nan, np.nan, np.nan

    def smallest(rank: int) -> float:
        return float(values[np.searchsorted(cumulated, rank)])

    middle = (smallest((n + 1) // 2) + smallest(n // 2 + 1)) / 2
    beyond = int(stats.binom.ppf(TAIL, n, 0.5)) - 1
    if beyond < 0 or stats.binom.cdf(beyond, n, 0.5) > TAIL:
        return middle, np.nan, np.nan
    return middle, smallest(beyond + 1), smallest(n - beyond)


def _atoms(residual: np.ndarray) -> np.ndarray:
    """Which atom each value belongs to, in order of ``residual``: what the bootstrap's spread comes from."""
    rank = np.empty(len(residual), dtype=int)
    rank[np.argsort(residual, kind="stable")] = np.arange(len(residual))
    if len(residual) <= 2 * _SINGLE + _BINS:
        return rank
    inner = len(residual) - 2 * _SINGLE
    middle = _SINGLE + (rank - _SINGLE) * _BINS // inner
    last = _SINGLE + _BINS + (rank - (len(residual) - _SINGLE))
    return np.where(rank < _SINGLE, rank, np.where(rank >= len(residual) - _SINGLE, last, middle))


class Resamples:
    """How often the rows of an atom count in each of DRAWS resamples: Poisson with their number as mean.

    Drawn once and used for every sample: an interval depends on its rows and the seed alone.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        rows = np.arange(_FEW + 1)[:, None, None]
        self._few = rng.poisson(rows, (_FEW + 1, _ATOMS, DRAWS)).astype(float)
        self._many = rng.standard_normal((_ATOMS, DRAWS))

    def counts(self, size: np.ndarray) -> np.ndarray:
        """Counts of atoms of ``size`` rows, at most _ATOMS of them: shape (atoms, DRAWS)."""
        few = self._few[np.minimum(size, _FEW).astype(int), np.arange(len(size))]
        many = size[:, None] + np.sqrt(size)[:, None] * self._many[: len(size)]
        return np.where(size[:, None] <= _FEW, few, many)


@lru_cache(maxsize=2)
def resamples(seed: int) -> Resamples:
    """The resamples that start from a seed."""
    return Resamples(np.random.default_rng(seed))


def bootstrap_ratio(
    numerator: np.ndarray, denominator: np.ndarray, counts: np.ndarray, drawn: Resamples
) -> tuple[float, float]:
    """Percentile interval of Σ numerator ÷ Σ denominator over resampled rows (Poisson bootstrap).

    A row counts Poisson(1) times in a resample, so a value that occurs c times counts Poisson(c) times.
    Rows are grouped by their residual from the ratio, which is what its spread comes from.
    """
    n = counts.sum()
    total = (denominator * counts).sum()
    if n < 2 or not np.isfinite(total) or total == 0:
        return np.nan, np.nan
    ratio = (numerator * counts).sum() / total
    atom = _atoms(numerator - ratio * denominator)
    size = np.bincount(atom, counts)
    weights = drawn.counts(size)
    top = (np.bincount(atom, numerator * counts) / size) @ weights
    bottom = (np.bincount(atom, denominator * counts) / size) @ weights
    return _percentiles(top[bottom != 0] / bottom[bottom != 0])


def bootstrap_mean(values: np.ndarray, counts: np.ndarray, drawn: Resamples) -> tuple[float, float]:
    """Percentile interval of the mean of resampled rows."""
    return bootstrap_ratio(values, np.ones_like(values), counts, drawn)


def bootstrap_sum(values: np.ndarray, counts: np.ndarray, drawn: Resamples) -> tuple[float, float]:
    """Percentile interval of a total whose number of rows is itself left to chance (compound Poisson)."""
    if counts.sum() < 2:
        return np.nan, np.nan
    atom = _atoms(values)
    size = np.bincount(atom, counts)
    return _percentiles((np.bincount(atom, values * counts) / size) @ drawn.counts(size))


def _percentiles(drawn: np.ndarray) -> tuple[float, float]:
    """The ends between which LEVEL of the draws lie."""
    if not len(drawn):
        return np.nan, np.nan
    low, high = np.quantile(drawn, (TAIL, 1 - TAIL))
    return float(low), float(high)


def product(
    value: np.ndarray, factors: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """Interval of a product or quotient of independent positive factors, each ``(value, low, high)``.

    Relative half-widths add as squares on the log scale; a factor without an interval is taken as known.
    For a quotient pass the denominator as (value, high, low): its ends change places.
    """
    down, up = np.zeros(value.shape), np.zeros(value.shape)
    for centre, low, high in factors:
        with np.errstate(divide="ignore", invalid="ignore"):
            below, above = np.log(centre / low), np.log(high / centre)
        down += np.where(np.isfinite(below), below, 0.0) ** 2
        up += np.where(np.isfinite(above), above, 0.0) ** 2
    uncertain = (down > 0) | (up > 0)
    low, high = value * np.exp(-np.sqrt(down)), value * np.exp(np.sqrt(up))
    return np.where(uncertain, low, np.nan), np.where(uncertain, high, np.nan)
