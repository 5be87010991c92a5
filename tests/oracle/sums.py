"""Distribution of a sum of deals, by grids and by draws: what kpis.forecast.revenue gets from a COS series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr
from scipy.stats import norm

POINTS = 4096


@dataclass(frozen=True)
class OnGrid:
    """Probability of each multiple of ``step``, from 0 up."""

    step: float
    pmf: np.ndarray

    def cdf(self, amount: np.ndarray) -> np.ndarray:
        """P(X <= amount), linear between the middles of the grid's steps; the mass at 0 lies at 0."""
        edges = (np.arange(len(self.pmf)) + 0.5) * self.step
        return np.interp(amount, np.append(0.0, edges), np.append(self.pmf[0], self.pmf.cumsum()), left=0.0)

    def quantile(self, q: float) -> float:
        """Amount that is not exceeded with probability q."""
        if q <= self.pmf[0]:
            return 0.0
        cumulated = self.pmf.cumsum()
        k = int(np.searchsorted(cumulated, q))
        return float((k - 0.5 + (q - cumulated[k - 1]) / self.pmf[k]) * self.step)


def by_fft(p: np.ndarray, amount: np.ndarray, cv: float, *, arrivals: tuple = (), top: float | None = None) -> OnGrid:
    """Convolve deal by deal on a grid of 4096 amounts, with a discrete Fourier transform.

    Each deal is won with probability p and then brings a normal amount of this mean and cv; ``arrivals`` are
    pairs (expected number, amount) of a compound Poisson.
    """
    mean = (p * amount).sum() + sum(n * a for n, a in arrivals)
    second = (p * amount**2 * (1 + cv**2) - (p * amount) ** 2).sum() + sum(n * a * a * (1 + cv**2) for n, a in arrivals)
    top = top or mean + 10 * np.sqrt(second) + max([*amount, *[a for _, a in arrivals]])
    step = top / POINTS
    edges = (np.arange(POINTS + 1) - 0.5) * step

    def wave(a: float) -> np.ndarray:
        share = np.diff(ndtr((edges - a) / (cv * a)))
        return np.fft.rfft(share / share.sum())

    product = np.ones(POINTS // 2 + 1, dtype=complex)
    for pi, a in zip(p, amount, strict=True):
        product *= 1 - pi + pi * wave(a)
    for n, a in arrivals:
        product *= np.exp(n * (wave(a) - 1))
    return OnGrid(step, np.maximum(np.fft.irfft(product, POINTS), 0.0))


def shocked(x: OnGrid, cv: float, amounts: np.ndarray) -> np.ndarray:
    """P(M X <= amount) for a lognormal M of mean 1, summed over 4001 values of M."""
    sigma = np.sqrt(np.log1p(cv**2))
    z = np.linspace(-7, 7, 4001)
    weight = norm.pdf(z) / norm.pdf(z).sum()
    factor = np.exp(sigma * z - sigma**2 / 2)
    return np.array([(weight * x.cdf(a / factor)).sum() for a in amounts])


def drawn(
    p: np.ndarray,
    amount: np.ndarray,
    cv: float,
    n: int,
    rng: np.random.Generator,
    *,
    arrivals: tuple = (),
    shock: float = 0.0,
) -> np.ndarray:
    """n seeded sums."""
    total = np.zeros(n)
    for pi, a in zip(p, amount, strict=True):
        total += (rng.random(n) < pi) * a * (1 + cv * rng.standard_normal(n))
    for count, a in arrivals:
        wins = rng.poisson(count, n)
        total += wins * a + np.sqrt(wins) * cv * a * rng.standard_normal(n)
    if shock:
        sigma = np.sqrt(np.log1p(shock**2))
        total *= np.exp(sigma * rng.standard_normal(n) - sigma**2 / 2)
    return total
