"""Shares, means, medians and sums of rows that chance decides, with their intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from kpis.measures.core import intervals
from kpis.measures.core.bridge import Fraction
from kpis.measures.core.grid import Grid
from kpis.measures.core.quantity import Quantity
from kpis.measures.core.rows import Panel, Reducer, Rows, Scan
from kpis.measures.core.totals import BEFORE_FIRST


@dataclass(frozen=True, eq=False)
class Share(Quantity):
    """Σ part ÷ Σ whole of 0/1 columns of the same rows, part inside whole; Wilson interval.

    ``of_all``: the whole is the total over all groups, so that the groups' shares add up to 1.
    """

    of: Rows | Panel
    part: str
    whole: str = "rows"
    empty: str = "nothing to take a share of in this period"
    of_all: bool = False
    unit: str = "share"
    note: str = ""

    @property
    def chart(self) -> str:
        """A p-chart of events; what a panel counts is a state."""
        return "p" if isinstance(self.of, Rows) else "XmR"

    def scans(self) -> Iterator[Scan]:
        """Both sums."""
        yield Scan(self.of, (self.part, self.whole))

    def grid(self, reducer: Reducer) -> Grid:
        """The share."""
        reduced = reducer.run(next(self.scans()))
        part, whole = reduced.sum(self.part), reduced.sum(self.whole)
        if self.of_all:
            whole = np.broadcast_to(whole.sum(axis=0, keepdims=True), part.shape)
        value = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
        low, high = intervals.wilson(part, whole)
        return Grid.of(reduced.groups, value, whole, low=low, high=high, why=self.empty)

    def fraction(self, reducer: Reducer) -> Fraction | None:
        """Part and whole; shares of the total of all groups have none of their own."""
        if self.of_all:
            return None
        reduced = reducer.run(next(self.scans()))
        return Fraction(reduced.groups, reduced.sum(self.part), reduced.sum(self.whole), is_quotient=True)


def _distributed(reducer: Reducer, scan: Scan, empty: str, statistic: Callable) -> Grid:
    """A statistic of the values in each cell: ``statistic(values, counts) -> (value, low, high)``."""
    reduced = reducer.run(scan)
    shape = (len(reduced.groups), reduced.periods)
    value, low, high = (np.full(shape, np.nan) for _ in range(3))
    n = np.zeros(shape)
    for g, p, cell in reduced.cells():
        columns = [cell[key].astype(float) for key in scan.keys]
        counts = cell["rows"]
        value[g, p], low[g, p], high[g, p] = statistic(*columns, counts)
        n[g, p] = counts.sum()
    return Grid.of(reduced.groups, value, n, low=low, high=high, why=empty)


@dataclass(frozen=True, eq=False)
class Amount(Quantity):
    """Σ of money over events that are left to chance, such as won deals; bootstrap interval."""

    of: Rows
    column: str
    unit: str = "money"
    note: str = ""
    _scan: Scan = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_scan", Scan(self.of.given(self.column), ("rows",), (self.column,)))

    @property
    def additive(self) -> bool:
        """A total of the period."""
        return True

    def scans(self) -> Iterator[Scan]:
        """The values and how often each occurs."""
        yield self._scan

    def grid(self, reducer: Reducer) -> Grid:
        """The total; 0 in a period without events after the first record."""
        drawn = reducer.resamples()

        def total(values: np.ndarray, counts: np.ndarray) -> tuple[float, float, float]:
            return float(values @ counts), *intervals.bootstrap_sum(values, counts, drawn)

        grid = _distributed(reducer, self._scan, BEFORE_FIRST, total)
        begun = reducer.run(self._scan).begun
        value = np.where(np.isnan(grid.value) & begun, 0.0, grid.value)
        return Grid.of(grid.groups, value, grid.n, low=grid.low, high=grid.high, why=BEFORE_FIRST)

    def fraction(self, reducer: Reducer) -> Fraction:
        """Money and rows."""
        reduced = reducer.run(self._scan)
        return Fraction(reduced.groups, reduced.sum(self.column), reduced.sum("rows"))


@dataclass(frozen=True, eq=False)
class Mean(Quantity):
    """Mean of a column over rows, times ``scale``; bootstrap interval."""

    of: Rows
    column: str
    unit: str = "money"
    empty: str = "no record in this period"
    note: str = ""
    scale: float = 1.0
    _scan: Scan = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_scan", Scan(self.of.given(self.column), ("rows",), (self.column,)))

    def scans(self) -> Iterator[Scan]:
        """The values and how often each occurs."""
        yield self._scan

    def grid(self, reducer: Reducer) -> Grid:
        """The mean."""
        drawn = reducer.resamples()

        def mean(values: np.ndarray, counts: np.ndarray) -> tuple[float, float, float]:
            return float(values @ counts / counts.sum()), *intervals.bootstrap_mean(values, counts, drawn)

        return _distributed(reducer, self._scan, self.empty, mean).scaled(self.scale)

    def fraction(self, reducer: Reducer) -> Fraction | None:
        """Sum and number of rows."""
        reduced = reducer.run(self._scan)
        return Fraction(reduced.groups, reduced.sum(self.column) * self.scale, reduced.sum("rows"), is_quotient=True)


@dataclass(frozen=True, eq=False)
class Median(Mean):
    """Median of a column over rows; exact interval by order statistics."""

    def grid(self, reducer: Reducer) -> Grid:
        """The median."""
        return _distributed(reducer, self._scan, self.empty, intervals.median)

    def fraction(self, reducer: Reducer) -> None:
        """None: medians of groups do not add up."""


@dataclass(frozen=True, eq=False)
class SumRatio(Quantity):
    """Σ numerator ÷ Σ denominator of two columns of the same rows; bootstrap interval."""

    of: Rows
    numerator: str
    denominator: str
    unit: str = "share"
    empty: str = "the denominator is 0 in this period"
    note: str = ""
    _scan: Scan = field(init=False)

    def __post_init__(self) -> None:
        pair = (self.numerator, self.denominator)
        object.__setattr__(self, "_scan", Scan(self.of.given(*pair), ("rows",), pair))

    def scans(self) -> Iterator[Scan]:
        """The pairs of values and how often each occurs."""
        yield self._scan

    def grid(self, reducer: Reducer) -> Grid:
        """The quotient of the two totals."""
        drawn = reducer.resamples()

        def quotient(top: np.ndarray, bottom: np.ndarray, counts: np.ndarray) -> tuple[float, float, float]:
            below = float(bottom @ counts)
            if below <= 0:
                return np.nan, np.nan, np.nan
            return float(top @ counts) / below, *intervals.bootstrap_ratio(top, bottom, counts, drawn)

        return _distributed(reducer, self._scan, self.empty, quotient)

    def fraction(self, reducer: Reducer) -> Fraction:
        """Both sums."""
        reduced = reducer.run(self._scan)
        return Fraction(reduced.groups, reduced.sum(self.numerator), reduced.sum(self.denominator), is_quotient=True)


@dataclass(frozen=True, eq=False)
class Keyed(Quantity):
    """A statistic of sums by a key, such as revenue by customer: ``statistic(sums) -> (value, low, high, n)``."""

    of: Rows
    key: str
    column: str
    statistic: Callable[[np.ndarray], tuple[float, float, float, float]]
    unit: str
    empty: str = "no record in this period"
    note: str = ""

    def scans(self) -> Iterator[Scan]:
        """Sums by key."""
        yield Scan(self.of, (self.column,), (self.key,))

    def grid(self, reducer: Reducer) -> Grid:
        """The statistic in each cell."""
        reduced = reducer.run(next(self.scans()))
        shape = (len(reduced.groups), reduced.periods)
        value, low, high = (np.full(shape, np.nan) for _ in range(3))
        n = np.zeros(shape)
        for g, p, cell in reduced.cells():
            value[g, p], low[g, p], high[g, p], n[g, p] = self.statistic(cell[self.column])
        return Grid.of(reduced.groups, value, n, low=low, high=high, why=self.empty)
