"""Formulas over grids that several measures share: growth, per working day, against plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from kpis.measures.core import intervals
from kpis.measures.core.composed import Derived
from kpis.measures.core.grid import Grid, first_reason
from kpis.measures.core.known import Known
from kpis.measures.core.quantity import Quantity
from kpis.measures.core.rows import Reducer, Scan, Window
from kpis.measures.core.targets import company_only, target
from kpis.periods import MONTHS, day_of

NOT_OVER = "the period is not over"


def working_days(window: Window) -> np.ndarray:
    """Monday to Friday in each period, up to the as-of day."""
    first = [day_of(start) for start in window.starts]
    last = [day_of(end + 1) for end in window.ends]
    return np.busday_count(first, last).astype(float)


def quotient(top: Grid, bottom: Grid, why: str) -> Grid:
    """Top ÷ bottom where bottom is above 0, with combined intervals; n is the smaller one."""
    usable = np.isfinite(bottom.value) & (bottom.value > 0)
    value = np.divide(top.value, bottom.value, out=np.full(top.shape, np.nan), where=usable)
    low, high = intervals.product(value, [(top.value, top.low, top.high), (bottom.value, bottom.high, bottom.low)])
    reason = first_reason(top, bottom)
    return Grid.of(
        top.groups, value, np.minimum(top.n, bottom.n), low=low, high=high, why=np.where(reason == "", why, reason)
    )


def growth_of(grid: Grid, window: Window, back: int, *, total: bool = True) -> Grid:
    """Value ÷ value ``back`` periods earlier − 1; n/a where that was not above 0 or a total's period is not over."""
    ratio = quotient(grid, grid.earlier(back), "the earlier period is not above 0")
    unfinished = np.broadcast_to(~window.whole & total, grid.shape)
    value = np.where(unfinished, np.nan, ratio.value - 1)
    why = np.where(unfinished & (ratio.reason == ""), NOT_OVER, ratio.reason)
    return Grid.of(grid.groups, value, ratio.n, low=ratio.low - 1, high=ratio.high - 1, why=why)


def growth(of: Quantity, back: int = 1) -> Derived:
    """Growth of a total against the period ``back`` earlier."""
    return Derived(lambda grid, window: growth_of(grid, window, back), (of,), "share")


def growth_per_working_day(of: Quantity) -> Derived:
    """Growth of a total per working day against the period before; an unfinished period counts its days so far."""

    def formula(grid: Grid, window: Window) -> Grid:
        days = working_days(window)
        per_day = replace(
            grid, **{name: getattr(grid, name) / np.where(days > 0, days, np.nan) for name in ("value", "low", "high")}
        )
        return growth_of(per_day, window, 1, total=False)

    return Derived(formula, (of,), "share")


def mean_of_four_before(grid: Grid, window: Window) -> Grid:  # noqa: ARG001 - every formula gets the window
    """At each period the mean of the four before it: what it is compared with."""
    value = np.full(grid.shape, np.nan)
    for p in range(4, grid.shape[1]):
        value[:, p] = grid.value[:, p - 4 : p].mean(axis=1)
    return Grid.of(grid.groups, value, grid.n, why="needs the four periods before")


def a_year(window: Window) -> int:
    """How many periods make a year."""
    months = (window.periods[0].end.month - window.periods[0].start.month) % 12 + 1
    return 12 // months


@dataclass(frozen=True, eq=False)
class Plan(Quantity):
    """The target of a metric in each period, from the targets table or the settings."""

    known: Known
    metric: str
    unit: str = "money"
    note: str = ""

    @property
    def sampled(self) -> bool:
        """A decision, not a sample."""
        return False

    def scans(self) -> Iterator[Scan]:
        """None: targets are few and read at once."""
        yield from ()

    def grid(self, reducer: Reducer) -> Grid:
        """The target, where one is set for the period."""
        company_only(reducer.by)
        found = [target(self.known, self.metric, period) for period in reducer.window.periods]
        value = np.array([[np.nan if one is None else one for one in found]], dtype=float)
        return Grid.of(
            ("",), value, np.isfinite(value).astype(float), why=f"needs a target for {self.metric} in this period"
        )


def annual_factor(grain: str) -> float:
    """How many periods make a year."""
    return 12 / MONTHS[grain]
