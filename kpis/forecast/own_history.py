"""The range each lever has had in the company's own past, beside its estimate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np

from kpis.engine import collect
from kpis.forecast.levers import overall_rate, stage_rates
from kpis.forecast.model import Model
from kpis.forecast.rates import rates
from kpis.periods import day_n, day_of
from kpis.pipeline.stints import WON
from kpis.pipeline.visits import states

MEMORY = 728
PERIODS = 12
MIN_DEALS = 10
"""A period with fewer deals says nothing about the range of a rate."""


MIN_PAST = 4
"""Fewer past values are no history to compare with."""

MONTHS = 36


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
    """Sales cycle (days), new opportunities (per month), deal size (money), close rates and slippage (share).

    Keys: ``sales_cycle``, ``new_opportunities``, ``new_opportunities:<source>``, ``deal_size``, ``close_rate``,
    ``close_rate:<stage>``, ``slippage``.
    """
    base = rates(model.hazards)
    found = {
        "sales_cycle": _cycle(model),
        "new_opportunities": _creation(model),
        "deal_size": _size(model),
        "slippage": _slippage(model),
        "close_rate": _close(model, None, overall_rate(base, model.mix)),
    }
    for stage, (name, rate) in enumerate(zip(model.stages, stage_rates(base, model.mix), strict=True)):
        if np.isfinite(rate):
            found[f"close_rate:{name}"] = _close(model, stage, float(rate))
    for source in model.by_source:
        found[f"new_opportunities:{source}"] = _creation(model, source)
    return found


def _past(model: Model) -> list[tuple[int, int]]:
    """First and last day of up to twelve whole past periods that the data cover, oldest first."""
    first = int(model.stints.deals["created"].min())
    periods = model.calendar.before(day_of(model.today), PERIODS)
    return [(day_n(p.start), day_n(p.end)) for p in periods if day_n(p.start) >= first]


def _range(values: list[float]) -> tuple[float | None, float | None, int]:
    usable = [v for v in values if np.isfinite(v)]
    if len(usable) < MIN_PAST:
        return None, None, len(usable)
    low, high = np.quantile(usable, [0.1, 0.9])
    return float(low), float(high), len(usable)


def by_month(day: np.ndarray, amount: np.ndarray, today: int) -> np.ndarray:
    """Sum of ``amount`` in each of the last 36 whole calendar months that the data cover, oldest first.

    The month of the first record is left out: the data may begin in its middle.
    """
    if not len(day):
        return np.zeros(0)
    this = month_n(np.array(today))
    months = max(0, min(MONTHS, int(this - month_n(day.min())) - 1))
    late = day > today - 31 * (MONTHS + 1)
    ago = this - month_n(day[late])
    inside = (ago >= 1) & (ago <= months)
    return np.bincount(ago[inside] - 1, amount[late][inside], months)[::-1]


def month_n(day: np.ndarray) -> np.ndarray:
    """Calendar months from January 1970 to whole-number days."""
    return day.astype("datetime64[D]").astype("datetime64[M]").astype(int)


def share_below(value: float, past: Sequence[float] | np.ndarray) -> float | None:
    """Share of the company's own past values that lie below ``value``; None where fewer than four are known."""
    known = np.asarray(past, dtype=float)
    known = known[np.isfinite(known)]
    return float((known < value).mean()) if len(known) >= MIN_PAST else None


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


def _creation(model: Model, source: str = "") -> Estimate:
    """Opportunities per month: the forecast for the next 91 days, and the rate of past periods.

    A source's forecast is its share of the last 364 days' deals.
    """
    deals = model.stints.deals
    created = deals["created"].to_numpy()
    ahead = model.creation.per_day[:91]
    value = float(ahead.mean() * 365.25 / 12) if len(ahead) else 0.0
    if source:
        created = created[(deals["source"] == source).to_numpy()]
        value *= float(model.by_source[source].n.sum() / model.marks.n.sum())
    past = _past(model)
    counts = [float(((created >= a) & (created <= b)).sum() / (b - a + 1) * 365.25 / 12) for a, b in past]
    low, high, periods = _range(counts)
    return Estimate(value, low, high, int((created > model.today - 364).sum()), periods)


def bookings(model: Model) -> Estimate:
    """Money won in a period: the median of past ones, and the range that targets are held against."""
    won = model.stints.bookings
    closed, amount = won["closed"].to_numpy(), won["amount"].to_numpy()
    inside = [(closed >= a) & (closed <= b) for a, b in _past(model)]
    sums = [float(amount[i].sum()) for i in inside]
    low, high, periods = _range(sums)
    n = int(np.sum(inside))
    return Estimate(float(np.median(sums)) if sums else float("nan"), low, high, n, periods)


def _slippage(model: Model) -> Estimate:
    """Share of the deals due in a period, on today's day of it, that were still open after its end."""
    if not model.dataset.has("opportunity_history", "opportunity_id", "changed_at", "expected_close"):
        return Estimate(0.0, None, None, 0, 0)
    elapsed = model.today - day_n(model.periods[0].start)
    counts = [_due(model, min(a + elapsed, b), b) for a, b in _past(model)]
    due, pushed = (sum(c[k] for c in counts) for k in (0, 1))
    low, high, periods = _range([b / a for a, b in counts if a >= MIN_DEALS])
    return Estimate(pushed / due if due else 0.0, low, high, due, periods)


def _due(model: Model, day: int, end: int) -> tuple[int, int]:
    """Deals open at the end of ``day`` and expected to close by ``end``, and those of them still open after it."""
    frame = states(model.dataset, model.dataset.engine.cursor())
    close = nw.col("expected_close_n")
    frame = frame.filter((nw.col("since") <= day) & (nw.col("until") > day) & (close > day) & (close <= end))
    frame = frame.with_columns(pushed=nw.when(nw.col("closed") > end).then(1).otherwise(0))
    counted = collect(frame.group_by("pushed").agg(n=nw.len()), {"pushed": "int", "n": "int"})
    return int(counted["n"].sum()), int(counted.loc[counted["pushed"] == 1, "n"].sum())


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
