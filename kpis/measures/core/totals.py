"""Totals: counts of events, booked money, what stood open on a day."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from kpis.measures.core import intervals
from kpis.measures.core.bridge import Fraction
from kpis.measures.core.grid import Grid
from kpis.measures.core.quantity import Quantity
from kpis.measures.core.rows import Panel, Reduced, Reducer, Rows, Scan, Span

BEFORE_FIRST = "before the first record"


def _since_first(reduced: Reduced, total: np.ndarray) -> np.ndarray:
    """Totals; NaN in periods before the first record, where nothing is known rather than nothing happened."""
    return np.where(reduced.begun, total, np.nan)


@dataclass(frozen=True, eq=False)
class Count(Quantity):
    """Σ of a 0/1 column (rows when none is named); exact Poisson interval."""

    of: Rows | Panel
    flag: str = "rows"
    unit: str = "count"
    note: str = ""

    @property
    def chart(self) -> str:
        """A u-chart of events; what a panel counts is a state."""
        return "u" if isinstance(self.of, Rows) else "XmR"

    @property
    def additive(self) -> bool:
        """A total of the period."""
        return True

    def scans(self) -> Iterator[Scan]:
        """One sum."""
        yield Scan(self.of, (self.flag,))

    def grid(self, reducer: Reducer) -> Grid:
        """The count; 0 in a period without events after the first record."""
        reduced = reducer.run(next(self.scans()))
        value = _since_first(reduced, reduced.sum(self.flag))
        low, high = intervals.poisson(value)
        return Grid.of(reduced.groups, value, np.nan_to_num(value), low=low, high=high, why=BEFORE_FIRST)

    def fraction(self, reducer: Reducer) -> Fraction:
        """Its totals."""
        grid = reducer.grid(self)
        return Fraction(grid.groups, grid.value)


@dataclass(frozen=True, eq=False)
class Ledger(Quantity):
    """Σ of booked money or headcount: an account, not a sample, so it has no interval.

    A period without any entry has no value: nothing booked is not the same as nothing spent.
    """

    of: Rows | Panel
    column: str
    unit: str = "money"
    note: str = ""
    empty: str = "nothing is booked in this period"

    @property
    def sampled(self) -> bool:
        """An account, not a sample."""
        return False

    @property
    def additive(self) -> bool:
        """A total of the period."""
        return True

    def scans(self) -> Iterator[Scan]:
        """Sum and number of entries."""
        yield Scan(self.of, (self.column, "rows"))

    def grid(self, reducer: Reducer) -> Grid:
        """The total where anything is booked."""
        reduced = reducer.run(next(self.scans()))
        entries = reduced.sum("rows")
        any_group = entries.sum(axis=0, keepdims=True) > 0
        value = np.where(any_group, reduced.sum(self.column), np.nan)
        return Grid.of(reduced.groups, value, entries, why=self.empty)

    def fraction(self, reducer: Reducer) -> Fraction:
        """Its totals."""
        grid = reducer.grid(self)
        return Fraction(grid.groups, grid.value)


@dataclass(frozen=True, eq=False)
class Stock(Quantity):
    """Σ of a column of a panel: what stood open on a day of each period; fully known, so without interval.

    Parameters
    ----------
    known_from
        First whole day whose state is known; ``day`` tells which day of a period is asked for.
    """

    of: Panel
    column: str
    unit: str = "money"
    known_from: int = -(10**9)
    day: Callable[[Span], int] = field(default=lambda span: span.known)
    counted: str = ""
    note: str = ""

    @property
    def sampled(self) -> bool:
        """A state, not a sample."""
        return False

    def scans(self) -> Iterator[Scan]:
        """The sum, and the count it rests on."""
        yield Scan(self.of, (self.column, *([self.counted] if self.counted else [])))

    def grid(self, reducer: Reducer) -> Grid:
        """The sum where the state of the day is known."""
        reduced = reducer.run(next(self.scans()))
        total = reduced.sum(self.column)
        seen = np.array([self.day(span) >= self.known_from for span in reducer.window.spans])
        n = reduced.sum(self.counted) if self.counted else np.full(total.shape, np.nan)
        why = "the state of a past day is unknown without a history"
        if reduced.table.empty:
            seen, why = np.zeros_like(seen), "no record"
        return Grid.of(reduced.groups, np.where(seen, total, np.nan), n, why=why)

    def fraction(self, reducer: Reducer) -> Fraction:
        """Its totals."""
        grid = reducer.grid(self)
        return Fraction(grid.groups, grid.value)


@dataclass(frozen=True, eq=False)
class Latest(Quantity):
    """Σ of ``column`` over the last dated rows of each period, such as the headcount at its end."""

    of: Rows
    column: str
    unit: str = "count"
    note: str = ""

    @property
    def sampled(self) -> bool:
        """An account, not a sample."""
        return False

    def scans(self) -> Iterator[Scan]:
        """Sums by day."""
        yield Scan(self.of, (self.column,), (self.of.day,))

    def rows(self) -> Rows:
        """The rows of every day; the last counts."""
        return self.of

    def grid(self, reducer: Reducer) -> Grid:
        """The sum on the period's last day that has any row."""
        reduced = reducer.run(next(self.scans()))
        value = np.full((len(reduced.groups), reduced.periods), np.nan)
        for p, cell in reduced.table[reduced.table["p"] >= 0].groupby("p"):
            last = cell[cell[self.of.day] == cell[self.of.day].max()]
            value[:, p] = np.bincount(last["g"], last[self.column], len(reduced.groups))
        return Grid.of(reduced.groups, value, np.nan_to_num(value), why="no record in this period")


@dataclass(frozen=True, eq=False)
class Months(Quantity):
    """How many different months of a period have rows."""

    of: Rows
    unit: str = "count"
    note: str = ""

    @property
    def sampled(self) -> bool:
        """An account, not a sample."""
        return False

    def scans(self) -> Iterator[Scan]:
        """Rows by day."""
        yield Scan(self.of, ("rows",), (self.of.day,))

    def grid(self, reducer: Reducer) -> Grid:
        """The same for every group."""
        reduced = reducer.run(next(self.scans()))
        months = reduced.inside[self.of.day].astype("datetime64[D]").astype("datetime64[M]").astype(int)
        seen = np.unique(np.stack([reduced.inside["p"], months]), axis=1)[0]
        value = np.bincount(seen, minlength=reduced.periods)[None, :].astype(float)
        return Grid.of(("",), value, value)
