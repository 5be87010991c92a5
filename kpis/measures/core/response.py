"""How an outcome moved with spend, inside the range of spend that was tried; nothing is said outside of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

FEWEST = 8
"""Periods with spend and an outcome that a response is fitted to."""


@dataclass(frozen=True)
class Response:
    """log outcome = a + b log spend by least squares; b is the elasticity. Association, not proof of a cause.

    Parameters
    ----------
    slope, low, high
        The elasticity and its 95 % t interval.
    least, most
        The range of spend observed.
    """

    slope: float
    low: float
    high: float
    least: float
    most: float
    n: int
    _intercept: float
    _noise: float
    _centre: float
    _spread: float

    def at(self, spend: float) -> tuple[float, float, float] | None:
        """Usual outcome at that spend and the 95 % interval of it; None outside the range: no evidence there."""
        if not self.least <= spend <= self.most:
            return None
        x = np.log(spend)
        y = self._intercept + self.slope * x
        half = (
            stats.t.ppf(0.975, self.n - 2) * self._noise * np.sqrt(1 / self.n + (x - self._centre) ** 2 / self._spread)
        )
        return float(np.exp(y)), float(np.exp(y - half)), float(np.exp(y + half))


def response(spend: np.ndarray, outcome: np.ndarray) -> Response | None:
    """The response fitted to the periods in which both are above 0; None with fewer than FEWEST or equal spend."""
    use = np.isfinite(spend) & np.isfinite(outcome)
    use[use] &= (spend[use] > 0) & (outcome[use] > 0)
    n = int(use.sum())
    if n < FEWEST:
        return None
    x, y = np.log(spend[use]), np.log(outcome[use])
    if np.ptp(x) == 0:
        return None
    fit = stats.linregress(x, y)
    half = stats.t.ppf(0.975, n - 2) * fit.stderr
    noise = float(np.sqrt(((y - fit.intercept - fit.slope * x) ** 2).sum() / (n - 2)))
    return Response(
        *(float(end) for end in (fit.slope, fit.slope - half, fit.slope + half)),
        *(float(end) for end in (spend[use].min(), spend[use].max())),
        n, float(fit.intercept), noise, float(x.mean()), float(((x - x.mean()) ** 2).sum()),
    )  # fmt: skip
