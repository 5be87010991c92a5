"""The strongest smoothing peer: exponential smoothing with trend and season, chosen by AICc, on weekly bookings."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

SEASON = 13
"""Weeks of a quarter, which is where bookings bunch."""

MIN_WEEKS = 2 * SEASON + 2


@dataclass(frozen=True)
class Normal:
    """Forecast of the sum over each window, normally distributed: mean and standard deviation."""

    mean: np.ndarray
    sd: np.ndarray

    def quantile(self, q: float) -> np.ndarray:
        """Amount that is not exceeded with probability q, at least 0."""
        return np.maximum(self.mean + self.sd * ndtri(q), 0)

    def crps(self, actual: np.ndarray) -> np.ndarray:
        """Continuous ranked probability score, in closed form."""
        z = (actual - self.mean) / self.sd
        density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
        return self.sd * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi))


def weekly(closed: np.ndarray, amount: np.ndarray, first: int, today: int) -> np.ndarray:
    """Bookings of each whole week up to and including ``today``, oldest first."""
    weeks = (today - first + 1) // 7
    age = (today - closed) // 7
    known = (closed <= today) & (age < weeks)
    return np.bincount(age[known], amount[known], weeks)[::-1]


def ets(series: np.ndarray, days: tuple[int, ...], season: int) -> Normal:
    """AutoETS (statsforecast) with additive errors, summed over the windows that end ``days`` after today.

    The forms without and with trend (also damped) and season are compared by AICc. The variance of a sum of the
    next weeks is the error variance times the sum of squared responses to one week's error. A week that lies in
    two windows is split by days. NaN with fewer than 28 weeks.
    """
    from statsforecast.models import AutoETS

    if len(series) < MIN_WEEKS:
        nothing = np.full(len(days), np.nan)
        return Normal(nothing, nothing)
    ahead = -(-days[-1] // 7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = AutoETS(season_length=season, model="AZZ" if season > 1 else "AZN").fit(series.astype(float))
        path = fitted.predict(h=ahead)["mean"]
    share = _shares(days, ahead)
    alpha, beta, gamma, phi = np.nan_to_num(fitted.model_["par"][:4])
    damping = phi if fitted.model_["components"][3] == "D" else 1.0
    lag = np.arange(1, ahead)
    response = alpha + beta * np.cumsum(damping**lag) + gamma * (lag % season == 0)
    response = np.concatenate([[1.0], response])
    # Week k's error moves week k by itself and week k + j by response[j].
    moved = np.array([[share[w, k:] @ response[: ahead - k] for k in range(ahead)] for w in range(len(days))])
    sd = np.sqrt(fitted.model_["sigma2"] * (moved**2).sum(1))
    return Normal(np.maximum(share @ path, 0), np.maximum(sd, 1e-9))


def _shares(days: tuple[int, ...], weeks: int) -> np.ndarray:
    """(W, weeks) share of each coming week that lies in each window."""
    edges = np.array([0, *days])
    start = 7 * np.arange(weeks)
    overlap = np.minimum(edges[1:, None], start + 7) - np.maximum(edges[:-1, None], start)
    return np.maximum(overlap, 0) / 7
