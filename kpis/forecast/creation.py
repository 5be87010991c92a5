"""New business: how many opportunities will be created each day, and of what kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpis.pipeline.stints import Stints

HALF_LIFE_WEEKS = 10.0
SEASON_WEEKS = 104
"""Weeks of history from which a monthly index is estimated."""

TREND_WEEKS = 52
MAX_WEEKS = 156
SEASON_SHRINKAGE = 60.0
BURST = 3.0
STRAY = 0.01
"""Share of the earliest creation dates that may be stray and do not set where the history begins."""

MARK_DAYS = 364
"""Deals created in the last so many days stand for those to come."""


@dataclass(frozen=True)
class Creation:
    """Expected opportunities created per day, and what it was made of.

    Parameters
    ----------
    per_day
        (D,) expected creations on the days today+1 ... today+D.
    level
        Creations per week at the end of today, without season.
    season
        (12,) factor by calendar month, 1 where it could not be estimated.
    growth
        Growth per week that is projected: half of the fitted log-linear trend.
    bursts
        Weeks with more than three times the usual creations, such as an import; they count as three times.
    """

    per_day: np.ndarray
    level: float
    season: np.ndarray
    growth: float
    bursts: int = 0


def forecast_creation(stints: Stints, days: int) -> Creation:
    """Exponentially weighted weekly counts, with season and half the trend.

    level = weighted mean of deseasonalised weekly counts, half-life 10 weeks; the season is
    (sum n + 60) / (sum fit + 60) by month, with 104 weeks or more; the log-linear trend is halved.
    """
    created = stints.deals["created"].to_numpy()
    if not len(created):
        return Creation(np.zeros(days), 0.0, np.ones(12), 0.0)
    first = np.quantile(created, STRAY, method="lower")
    weeks = int(min(MAX_WEEKS, max(1, (stints.today - first + 1) // 7)))
    age = (stints.today - created) // 7
    raw = np.bincount(age[age < weeks], minlength=weeks)[:weeks].astype(float)
    usual = float(np.median(raw[:TREND_WEEKS]))
    counts = np.minimum(raw, BURST * usual) if usual >= 1 else raw
    ages = np.arange(weeks)

    slope, at_zero = np.polyfit(-ages, np.log(counts + 0.5), 1) if weeks >= TREND_WEEKS else (0.0, 0.0)
    season = np.ones(12)
    if weeks >= SEASON_WEEKS:
        fitted = np.exp(at_zero - slope * ages)
        fitted *= counts.sum() / fitted.sum()
        month = _month(stints.today - 7 * ages - 3)
        season = (np.bincount(month, counts, 12) + SEASON_SHRINKAGE) / (
            np.bincount(month, fitted, 12) + SEASON_SHRINKAGE
        )
        season /= season.mean()
    growth = slope / 2
    weight = 0.5 ** (ages / HALF_LIFE_WEEKS)
    # Each past week is brought to today by the projected growth, else the mean would lag half a year behind.
    today_counts = counts / season[_month(stints.today - 7 * ages - 3)] * np.exp(growth * (ages + 0.5))
    level = float((weight * today_counts).sum() / weight.sum())
    ahead = np.arange(1, days + 1)
    per_day = level / 7 * np.exp(growth * ahead / 7) * season[_month(stints.today + ahead)]
    return Creation(per_day, level, season, float(growth), int((counts < raw).sum()))


def _month(days: np.ndarray) -> np.ndarray:
    """Calendar month 0..11 of whole-number days."""
    return np.asarray(days).astype("datetime64[D]").astype("datetime64[M]").astype(int) % 12
