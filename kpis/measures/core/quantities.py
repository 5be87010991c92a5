"""The kinds of quantity a measure is made of: what to reduce, and how a number comes out of it.

A quantity names its scans (what the engine counts and sums) and turns the reduced tables into a grid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import narwhals.stable.v2 as nw
import numpy as np

from kpis.errors import NotEnoughData
from kpis.measures.core import intervals
from kpis.measures.core.grid import Grid, first_reason, union
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


@dataclass(frozen=True, eq=False)
class Ledger(Quantity):
    """Σ of booked money or headcount: an account, not a sample, so it has no interval.

    A period without any entry has no value: nothing booked is not the same as nothing spent.
    """

    of: Rows | Panel
    column: str
    unit: str = "money"
    note: str = ""

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
        return Grid.of(reduced.groups, value, entries, why="nothing is booked in this period")


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
class Days(Quantity):
    """How many different days (months, for monthly tables) of a period have rows."""

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
        inside = reduced.table[reduced.table["p"] >= 0]
        value = np.zeros((1, reduced.periods))
        for p, days in inside.groupby("p")[self.of.day].nunique().items():
            value[0, p] = days
        return Grid.of(("",), value, value)


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


def _known(rows: Rows, *columns: str) -> Rows:
    """Only rows in which every one of the columns has a value."""
    for column in columns:
        rows = rows.where(~nw.col(column).is_null())
    return rows


@dataclass(frozen=True, eq=False)
class Amount(Quantity):
    """Σ of money over events that are left to chance, such as won deals; bootstrap interval."""

    of: Rows
    column: str
    unit: str = "money"
    note: str = ""
    _scan: Scan = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_scan", Scan(_known(self.of, self.column), ("rows",), (self.column,)))

    @property
    def additive(self) -> bool:
        """A total of the period."""
        return True

    def scans(self) -> Iterator[Scan]:
        """The values and how often each occurs."""
        yield self._scan

    def grid(self, reducer: Reducer) -> Grid:
        """The total; 0 in a period without events after the first record."""
        rng = reducer.rng()

        def total(values: np.ndarray, counts: np.ndarray) -> tuple[float, float, float]:
            return float(values @ counts), *intervals.bootstrap_sum(values, counts, rng)

        grid = _distributed(reducer, self._scan, BEFORE_FIRST, total)
        begun = reducer.run(self._scan).begun
        value = np.where(np.isnan(grid.value) & begun, 0.0, grid.value)
        return Grid.of(grid.groups, value, grid.n, low=grid.low, high=grid.high, why=BEFORE_FIRST)


@dataclass(frozen=True, eq=False)
class Mean(Quantity):
    """Mean of a column over rows; bootstrap interval."""

    of: Rows
    column: str
    unit: str = "money"
    empty: str = "no record in this period"
    note: str = ""
    _scan: Scan = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_scan", Scan(_known(self.of, self.column), ("rows",), (self.column,)))

    def scans(self) -> Iterator[Scan]:
        """The values and how often each occurs."""
        yield self._scan

    def grid(self, reducer: Reducer) -> Grid:
        """The mean."""
        rng = reducer.rng()

        def mean(values: np.ndarray, counts: np.ndarray) -> tuple[float, float, float]:
            return float(values @ counts / counts.sum()), *intervals.bootstrap_mean(values, counts, rng)

        return _distributed(reducer, self._scan, self.empty, mean)


@dataclass(frozen=True, eq=False)
class Median(Mean):
    """Median of a column over rows; exact interval by order statistics."""

    def grid(self, reducer: Reducer) -> Grid:
        """The median."""
        return _distributed(reducer, self._scan, self.empty, intervals.median)


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
        object.__setattr__(self, "_scan", Scan(_known(self.of, *pair), ("rows",), pair))

    def scans(self) -> Iterator[Scan]:
        """The pairs of values and how often each occurs."""
        yield self._scan

    def grid(self, reducer: Reducer) -> Grid:
        """The quotient of the two totals."""
        rng = reducer.rng()

        def quotient(top: np.ndarray, bottom: np.ndarray, counts: np.ndarray) -> tuple[float, float, float]:
            below = float(bottom @ counts)
            if below <= 0:
                return np.nan, np.nan, np.nan
            return float(top @ counts) / below, *intervals.bootstrap_ratio(top, bottom, counts, rng)

        return _distributed(reducer, self._scan, self.empty, quotient)


@dataclass(frozen=True, eq=False)
class Ratio(Quantity):
    """One quantity ÷ another, times ``scale``, each of its own rows; intervals combined on the log scale.

    ``exact_counts``: both are counts of independent events, so the interval is exact (Clopper-Pearson).
    """

    numerator: Quantity
    denominator: Quantity
    unit: str = "ratio"
    scale: float = 1.0
    empty: str = "the denominator is 0 in this period"
    exact_counts: bool = False
    note: str = ""

    @property
    def sampled(self) -> bool:
        """As its parts are."""
        return any(part.sampled for part in (self.numerator, self.denominator))

    def scans(self) -> Iterator[Scan]:
        """Those of both."""
        yield from self.numerator.scans()
        yield from self.denominator.scans()

    def grid(self, reducer: Reducer) -> Grid:
        """The quotient; n is the smaller number of records behind either."""
        top, bottom = reducer.grid(self.numerator), reducer.grid(self.denominator)
        groups = union(top, bottom)
        top, bottom = top.on(groups, absent=0.0), bottom.on(groups)
        usable = np.isfinite(bottom.value) & (bottom.value > 0)
        value = np.divide(top.value, bottom.value, out=np.full(top.shape, np.nan), where=usable) * self.scale
        if self.exact_counts:
            low, high = (end * self.scale for end in intervals.poisson_ratio(top.value, bottom.value))
        else:
            pair = [(top.value, top.low, top.high), (bottom.value, bottom.high, bottom.low)]
            low, high = intervals.product(value, pair)
        why = first_reason(top, bottom)
        n = np.min(
            [grid.n for part, grid in ((self.numerator, top), (self.denominator, bottom)) if part.sampled]
            or [bottom.n],
            axis=0,
        )
        return Grid.of(groups, value, n, low=low, high=high, why=np.where(why == "", self.empty, why))


@dataclass(frozen=True, eq=False)
class Sum(Quantity):
    """The sum of quantities that are all needed; half-widths add as squares."""

    terms: tuple[Quantity, ...]
    unit: str = "money"
    note: str = ""

    @property
    def sampled(self) -> bool:
        """As its parts are."""
        return any(part.sampled for part in self.terms)

    @property
    def additive(self) -> bool:
        """A total of the period."""
        return True

    def scans(self) -> Iterator[Scan]:
        """Those of all terms."""
        for term in self.terms:
            yield from term.scans()

    def grid(self, reducer: Reducer) -> Grid:
        """The sum."""
        grids = [reducer.grid(term) for term in self.terms]
        groups = union(*grids)
        grids = [grid.on(groups, absent=0.0) for grid in grids]
        value = np.sum([grid.value for grid in grids], axis=0)
        down = np.sqrt(np.sum([np.nan_to_num(grid.value - grid.low) ** 2 for grid in grids], axis=0))
        up = np.sqrt(np.sum([np.nan_to_num(grid.high - grid.value) ** 2 for grid in grids], axis=0))
        uncertain = (down > 0) | (up > 0)
        low, high = np.where(uncertain, value - down, np.nan), np.where(uncertain, value + up, np.nan)
        n = np.max([grid.n for grid in grids], axis=0)
        return Grid.of(groups, value, n, low=low, high=high, why=first_reason(*grids))


@dataclass(frozen=True, eq=False)
class Derived(Quantity):
    """A formula over other quantities' grids: ``formula(*grids, window) -> Grid``; the grids share their groups."""

    formula: Callable[..., Grid]
    inputs: tuple[Quantity, ...]
    unit: str
    note: str = ""

    @property
    def sampled(self) -> bool:
        """As its parts are."""
        return any(part.sampled for part in self.inputs)

    def scans(self) -> Iterator[Scan]:
        """Those of all inputs."""
        for quantity in self.inputs:
            yield from quantity.scans()

    def grid(self, reducer: Reducer) -> Grid:
        """The formula's result."""
        grids = [reducer.grid(quantity) for quantity in self.inputs]
        groups = union(*grids)
        return self.formula(*[grid.on(groups) for grid in grids], reducer.window)


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


@dataclass(frozen=True, eq=False)
class Stacked(Quantity):
    """Several quantities shown as the groups of one, such as the steps of a funnel."""

    steps: dict[str, Quantity]
    unit: str
    over: str = "step"
    note: str = ""

    @property
    def sampled(self) -> bool:
        """As its parts are."""
        return any(part.sampled for part in self.steps.values())

    def scans(self) -> Iterator[Scan]:
        """Those of all steps."""
        for quantity in self.steps.values():
            yield from quantity.scans()

    def grid(self, reducer: Reducer) -> Grid:
        """One group a step."""
        grids = {name: reducer.grid(quantity) for name, quantity in self.steps.items()}
        named = []
        for name, grid in grids.items():
            if grid.groups != ("",):
                raise NotEnoughData("this measure is shown by step, so it cannot be broken down further")
            named.append((name, grid))
        names = tuple(name for name, _ in named)

        def stack(attribute: str) -> np.ndarray:
            return np.concatenate([getattr(grid, attribute) for _, grid in named])

        extras = {key for _, grid in named for key in grid.extra}
        extra = {
            key: np.concatenate([grid.extra.get(key, np.full(grid.shape, np.nan)) for _, grid in named])
            for key in sorted(extras)
        }
        return Grid(names, stack("value"), stack("n"), stack("low"), stack("high"), stack("reason"), extra)
