"""The range each lever has had in the company's own past, beside its estimate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpis.forecast.levers import overall_rate, stage_rates
from kpis.forecast.model import Model
from kpis.forecast.rates import rates
from kpis.periods import day_n, day_of
from kpis.pipeline.stints import WON

MEMORY = 728
PERIODS = 12
MIN_DEALS = 10
"""A period with fewer deals says nothing about the range of a rate."""


@dataclass(frozen=True)
class Estimate:
    """A lever as the data have it.

    Parameters
    ----------
    value
        The estimate, in the lever's own unit.
    low, high
        10 % and 90 % points of its value over past periods; None with fewer than four.
    n
        What the estimate rests on (deals), ``periods`` the number of past periods behind the range.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    periods: int


def estimates(model: Model) -> dict[str, Estimate]:
    """Sales cycle (days), new opportunities (per month), deal size (money), close rates (share).

    Keys: ``sales_cycle``, ``new_opportunities``, ``deal_size``, ``close_rate`` and ``close_rate:<stage>``.
    """
    base = rates(model.hazards)
    found = {
        "sales_cycle": _cycle(model),
        "new_opportunities": _creation(model),
        "deal_size": _size(model),
        "close_rate": _close(model, None, overall_rate(base, model.mix)),
    }
    for stage, (name, rate) in enumerate(zip(model.stages, stage_rates(base, model.mix), strict=True)):
        if np.isfinite(rate):
            found[f"close_rate:{name}"] = _close(model, stage, float(rate))
    return found


def _past(model: Model) -> list[tuple[int, int]]:
    """First and last day of up to twelve whole past periods that the data cover, oldest first."""
    first = int(model.stints.deals["created"].min())
    periods = model.calendar.before(day_of(model.today), PERIODS)
    return [(day_n(p.start), day_n(p.end)) for p in periods if day_n(p.start) >= first]


def _range(values: list[float]) -> tuple[float | None, float | None, int]:
    usable = [v for v in values if np.isfinite(v)]
    if len(usable) < 4:
        return None, None, len(usable)
    low, high = np.quantile(usable, [0.1, 0.9])
    return float(low), float(high), len(usable)


def _won(model: Model) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Created day, close day and amount of the won deals that were in the pipeline for a night."""
    deals = model.stints.deals
    won = deals[(deals["outcome"] == WON) & (deals["closed"] - deals["created"] > 1)]
    return won["created"].to_numpy(), won["closed"].to_numpy(), won["amount"].to_numpy()


def _cycle(model: Model) -> Estimate:
    created, closed, _ = _won(model)
    recent = closed > model.today - MEMORY
    days = (closed - created)[recent]
    value = float(np.median(days)) if len(days) else float("nan")
    past = [(closed >= a) & (closed <= b) for a, b in _past(model)]
    medians = [float(np.median((closed - created)[inside])) for inside in past if inside.sum() >= MIN_DEALS]
    low, high, periods = _range(medians)
    return Estimate(value, low, high, len(days), periods)


def _size(model: Model) -> Estimate:
    _, closed, amount = _won(model)
    sized = np.isfinite(amount)
    closed, amount = closed[sized], amount[sized]
    recent = closed > model.today - 364
    value = float(amount[recent].mean()) if recent.any() else float("nan")
    past = [(closed >= a) & (closed <= b) for a, b in _past(model)]
    low, high, periods = _range([float(amount[inside].mean()) for inside in past if inside.sum() >= MIN_DEALS])
    return Estimate(value, low, high, int(recent.sum()), periods)


def _creation(model: Model) -> Estimate:
    """Opportunities per month: the forecast for the next 91 days, and the rate of past periods."""
    created = model.stints.deals["created"].to_numpy()
    ahead = model.creation.per_day[:91]
    value = float(ahead.mean() * 365.25 / 12) if len(ahead) else 0.0
    past = _past(model)
    counts = [float(((created >= a) & (created <= b)).sum() / (b - a + 1) * 365.25 / 12) for a, b in past]
    low, high, periods = _range(counts)
    return Estimate(value, low, high, int((created > model.today - 364).sum()), periods)


def _close(model: Model, stage: int | None, value: float) -> Estimate:
    """Eventual close rate; its range from the cohorts that entered in past periods and have mostly closed."""
    spells, deals = model.stints.spells, model.stints.deals
    if stage is not None:
        visits = spells[spells["stage"] == stage].drop_duplicates("deal")
        deal, entry = visits["deal"].to_numpy(), visits["entry"].to_numpy()
    else:
        visits = spells.drop_duplicates("deal")
        deal, entry = visits["deal"].to_numpy(), deals["created"].to_numpy()[visits["deal"].to_numpy()]
    outcome = deals["outcome"].to_numpy()[deal]
    cohorts = []
    for a, b in _past(model):
        inside = (entry >= a) & (entry <= b)
        closed = inside & (outcome != 0)
        if inside.sum() >= MIN_DEALS and closed.sum() >= 0.9 * inside.sum():
            cohorts.append(float((outcome[closed] == WON).mean()))
    low, high, periods = _range(cohorts)
    return Estimate(value, low, high, len(deal), periods)
