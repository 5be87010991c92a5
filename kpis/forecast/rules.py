"""The simple rules that the model has to beat: what people do without one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpis.engine import NEVER
from kpis.forecast.model import Model
from kpis.periods import Period, day_n
from kpis.pipeline.stints import OPEN, WON

ALPHAS = np.arange(0.02, 0.62, 0.02)
YEAR = 364

MEAN_OF_FOUR = "mean of last 4 periods"
RULES = (
    "same month of the previous quarter",
    "same period last year",
    MEAN_OF_FOUR,
    "last period",
    "exponential smoothing",
    "CRM probability x CRM date",
    "historic win rate x pipeline",
)


@dataclass(frozen=True)
class Bookings:
    """Won amounts by day, as known at the end of ``today``."""

    closed: np.ndarray
    amount: np.ndarray
    first: int
    today: int

    def between(self, after: int, until: int) -> float:
        """Won on the days after+1 ... until; NaN when they are not all covered by the data."""
        if after + 1 < self.first or until > self.today:
            return float("nan")
        return float(self.amount[(self.closed > after) & (self.closed <= until)].sum())


def bookings(model: Model) -> Bookings:
    """Won deals of the model's data."""
    won = model.stints.bookings
    first = int(won["closed"].min()) if len(won) else NEVER
    return Bookings(won["closed"].to_numpy(), won["amount"].to_numpy(), first, model.today)


def rules(model: Model, crm_probability: np.ndarray) -> dict[str, np.ndarray]:
    """Each rule's forecast of the revenue still to come in the three windows; NaN where it has no data.

    The part of the current period that is over is left out of the past periods too: a rule at day 30 takes
    what came after day 30.

    Parameters
    ----------
    crm_probability
        (open deals,) the CRM's own probability, NaN where unknown.
    """
    past = bookings(model)
    calendar, per_year = model.calendar, 4 if model.calendar.grain == "quarter" else 12
    day = model.today - day_n(model.periods[0].start)

    def part(w: int, offset: int) -> float:
        """What period P_w + offset brought in the part that corresponds to window w."""
        period = calendar.at(model.periods[w].start, offset)
        return past.between(_from(period, day if w == 0 else -1), day_n(period.end))

    def mean(values: list[float]) -> float:
        return float(np.mean(values)) if values and np.isfinite(values).all() else float("nan")

    smoothed = _smoothing(past)
    starts = (model.today, *model.ends[:-1])
    by_month = calendar.grain == "month"
    found = {
        # Two rules can be one number (the month before the next but two); the seasonal one then gives the name.
        "same month of the previous quarter": [part(w, -3) if by_month else float("nan") for w in range(3)],
        "same period last year": [part(w, -per_year) for w in range(3)],
        MEAN_OF_FOUR: [mean([part(w, -w - k) for k in (1, 2, 3, 4)]) for w in range(3)],
        "last period": [part(w, -w - 1) for w in range(3)],
        "exponential smoothing": [smoothed * (b - a) / 7 for a, b in zip(starts, model.ends, strict=True)],
        "CRM probability x CRM date": _by_date(model, crm_probability),
        "historic win rate x pipeline": _by_date(model, np.full(len(model.open_deals.row), win_rate_by_amount(model))),
    }
    return {name: np.array(values, dtype=float) for name, values in found.items()}


def _from(period: Period, day: int) -> int:
    """The day after which the part of a past period counts: ``day`` days after its start, all of it for -1."""
    return min(day_n(period.start) + day, day_n(period.end))


def _smoothing(past: Bookings) -> float:
    """Simple exponential smoothing of weekly bookings, its constant chosen by one-step errors."""
    weeks = (past.today - past.first + 1) // 7 if past.first < NEVER else 0
    if weeks < 8:
        return float("nan")
    age = (past.today - past.closed) // 7
    inside = age < weeks
    series = np.bincount(age[inside], past.amount[inside], weeks)[::-1]
    level = np.full(len(ALPHAS), series[: min(8, weeks)].mean())
    error = np.zeros(len(ALPHAS))
    for value in series:
        error += (value - level) ** 2
        level = level + ALPHAS * (value - level)
    return float(level[np.argmin(error)])


def _by_date(model: Model, probability: np.ndarray) -> list[float]:
    """Amount x probability of the open deals in the window of their expected close; overdue ones now."""
    close = model.stints.deals["expected_close"].to_numpy()[model.open_deals.row]
    known = (close < NEVER) & np.isfinite(probability)
    if not known.any():
        return [float("nan")] * 3
    amount = model.amounts.known[model.open_deals.row]
    window = np.searchsorted(np.array(model.ends), close)
    return [float((amount * np.nan_to_num(probability))[known & (window == w)].sum()) for w in range(3)]


def win_rate_by_amount(model: Model) -> float:
    """Share of the amount closed in the last 364 days that was won, at the amounts first recorded.

    First amounts, since many CRMs book a loss as 0. NaN where nothing with an amount has closed.
    """
    deals = model.stints.deals
    closed, outcome = deals["closed"].to_numpy(), deals["outcome"].to_numpy()
    decided = (closed > model.today - YEAR) & (outcome != OPEN)
    amount = np.nan_to_num(model.amounts.first[decided])
    total = amount.sum()
    return float(amount[outcome[decided] == WON].sum() / total) if total > 0 else float("nan")
