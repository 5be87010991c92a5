"""How the pipeline for a period builds up: open qualified amount by day before and in the period."""

from __future__ import annotations

from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from kpis.dataset import Dataset
from kpis.engine import collect
from kpis.errors import NotEnoughData
from kpis.periods import Calendar, Period, day_n
from kpis.pipeline.stints import read_stages
from kpis.pipeline.visits import states

PAST_PERIODS = 8
MIN_PERIODS = 4


@dataclass(frozen=True)
class BuildUp:
    """Open qualified amount expected to close in a period, day by day.

    Parameters
    ----------
    period
        The period that the deals were expected to close in.
    first_day
        Whole-number day of ``amount[0]``.
    amount
        (days,) at the end of each day.
    """

    period: Period
    first_day: int
    amount: np.ndarray

    def at(self, day: int) -> float:
        """Amount at the end of a day; NaN outside the curve."""
        k = day - self.first_day
        return float(self.amount[k]) if 0 <= k < len(self.amount) else float("nan")

    def relative(self, offset: int) -> float:
        """Amount ``offset`` days after the period's first day (before it, if negative)."""
        return self.at(day_n(self.period.start) + offset)


def build_up(dataset: Dataset, calendar: Calendar, *, past: int = PAST_PERIODS, ahead: int = 3) -> list[BuildUp]:
    """Curves of the last ``past`` periods and of the current and next ones, up to the as-of day, oldest first.

    Raises
    ------
    NotEnoughData
        Without a history of stages, amounts and expected closes.
    """
    dataset.need("opportunity_history", "stage", "amount", "expected_close")
    today = day_n(dataset.as_of)
    periods = [calendar.at(dataset.as_of, k) for k in range(-past, ahead)]
    changes = _changes(dataset, today)
    if changes.empty:
        raise NotEnoughData("no qualified deal with an expected close", way_out="Check which stages are qualified")
    first = int(changes["day"].min())
    days = today - first + 1
    curves = []
    for period in periods:
        inside = changes["close"].between(day_n(period.start), day_n(period.end))
        step = np.bincount(changes["day"][inside] - first, changes["amount"][inside], days)[:days]
        curves.append(BuildUp(period, first, np.cumsum(step)))
    return curves


def qualified_states(dataset: Dataset) -> nw.LazyFrame:
    """States in a qualified open stage that have an amount and an expected close, and last a night."""
    table = read_stages(dataset)
    counted = (table["is_qualified"] == 1) & (table["is_won"] == 0) & (table["is_lost"] == 0)
    known = ~nw.col("expected_close_n").is_null() & ~nw.col("stage").is_null() & ~nw.col("amount").is_null()
    rows = states(dataset, dataset.engine.cursor()).filter(known)
    return rows.filter(nw.col("stage").is_in(table.loc[counted, "stage"].tolist()), nw.col("since") < nw.col("until"))


def _changes(dataset: Dataset, today: int) -> pd.DataFrame:
    """Amount that enters (+) or leaves (-) the open qualified pipeline, by day and expected close."""
    rows = qualified_states(dataset)
    parts = []
    for day, sign in (("since", 1.0), ("until", -1.0)):
        summed = rows.filter(nw.col(day) <= today).group_by(day, "expected_close_n").agg(nw.col("amount").sum())
        part = collect(summed, {day: "int", "expected_close_n": "int", "amount": "float"})
        part["amount"] *= sign
        parts.append(part.rename(columns={day: "day", "expected_close_n": "close"}))
    return pd.concat(parts, ignore_index=True)


def yields(dataset: Dataset, curves: list[BuildUp], bookings: pd.DataFrame) -> dict[Period, tuple[float, float]]:
    """Past period -> amount won in it of the deals that its first day's pipeline held, and of all others.

    Parameters
    ----------
    bookings
        A row a won deal: ``closed``, ``amount`` (as in Stints).
    """
    found: dict[Period, tuple[float, float]] = {}
    if not curves:
        return found  # no history, so there are no states to read either
    rows = qualified_states(dataset)
    for curve in curves:
        start, end = day_n(curve.period.start), day_n(curve.period.end)
        if end > day_n(dataset.as_of):
            continue
        held = rows.filter(
            nw.col("since") <= start, nw.col("until") > start,
            nw.col("expected_close_n") >= start, nw.col("expected_close_n") <= end, nw.col("closed") <= end,
        )  # fmt: skip
        of_pipeline = float(collect(held.select(nw.col("won").sum()), {"won": "float"}).fillna(0.0)["won"].iloc[0])
        total = float(bookings.loc[bookings["closed"].between(start, end), "amount"].sum())
        found[curve.period] = of_pipeline, total - of_pipeline
    return found


@dataclass(frozen=True)
class Pace:
    """Where a coming period's pipeline is, and where it should be today.

    Parameters
    ----------
    share
        Median over past periods of the pipeline at this day over that on the period's first day.
    yield_share, created_and_won
        Medians over past periods: share of the first day's pipeline that was won in the period, and won amount
        that was not in it.
    periods
        Past periods behind the medians.
    """

    share: float
    yield_share: float
    created_and_won: float
    periods: int

    def day_one(self, target: float) -> float | None:
        """Pipeline that the period should begin with to reach the target; None where nothing was ever won of it."""
        return max(0.0, target - self.created_and_won) / self.yield_share if self.yield_share > 0 else None

    def today(self, target: float) -> float | None:
        """The same, at the pace of past periods, for today."""
        first = self.day_one(target)
        return None if first is None else first * self.share


def pace(curves: list[BuildUp], period: Period, today: int, won: dict[Period, tuple[float, float]]) -> Pace | None:
    """Medians over the past periods whose first day the curves know; None with fewer than four.

    Parameters
    ----------
    won
        Past period -> amount won in it of the deals that its first day's pipeline held, and of all others.
    """
    offset = today - day_n(period.start)
    shares, yields, others = [], [], []
    for curve in curves:
        first = curve.relative(0)
        if curve.period not in won or not first > 0 or not np.isfinite(curve.relative(offset)):
            continue
        of_pipeline, other = won[curve.period]
        shares.append(curve.relative(offset) / first)
        yields.append(of_pipeline / first)
        others.append(other)
    if len(shares) < MIN_PERIODS:
        return None
    return Pace(float(np.median(shares)), float(np.median(yields)), float(np.median(others)), len(shares))


BEFORE, AFTER = 90, 30
"""Days before and after the first day of a period that its build-up is shown for."""


def table(curves: list[BuildUp], today: int) -> pd.DataFrame:
    """The coming periods' curves beside the range of past ones, by day (0 is a period's first day).

    Columns: ``period``, ``day``, ``amount`` (NaN after today), ``low``, ``usual`` (median), ``high`` of the past
    periods at that day, and ``first`` (1 on the rows of the first coming period, so that the range is drawn once).
    """
    days = np.arange(-BEFORE, AFTER + 1)
    past = [c for c in curves if day_n(c.period.end) <= today]
    coming = [c for c in curves if day_n(c.period.start) > today]
    columns = ["period", "day", "amount", "low", "usual", "high", "first"]
    if len(past) < MIN_PERIODS or not coming:
        return pd.DataFrame(columns=columns)
    held = np.array([[c.relative(day) for day in days] for c in past])
    held = held[np.isfinite(held).all(1)]
    if len(held) < MIN_PERIODS:
        return pd.DataFrame(columns=columns)
    band = {"low": held.min(0), "usual": np.median(held, axis=0), "high": held.max(0)}
    parts = [
        pd.DataFrame(
            {
                "period": c.period.label,
                "day": days,
                "amount": [c.relative(d) for d in days],
                **band,
                "first": c is coming[0],
            }
        )
        for c in coming
    ]
    return pd.concat(parts, ignore_index=True)[columns]
