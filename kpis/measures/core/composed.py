"""Quantities made of quantities: ratios, sums, formulas, steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from kpis.errors import NotEnoughData
from kpis.measures.core import intervals
from kpis.measures.core.bridge import Fraction
from kpis.measures.core.grid import Grid, first_reason, union
from kpis.measures.core.quantity import Quantity
from kpis.measures.core.rows import Reducer, Scan


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

    def fraction(self, reducer: Reducer) -> Fraction | None:
        """Numerator and denominator, where both are totals."""
        top, bottom = self.numerator.fraction(reducer), self.denominator.fraction(reducer)
        if top is None or bottom is None or top.is_quotient or bottom.is_quotient:
            return None
        if (top.groups == ("",)) != (bottom.groups == ("",)):
            return None
        grids = [Grid.of(part.groups, np.nan_to_num(part.top), np.zeros(part.top.shape)) for part in (top, bottom)]
        groups = union(*grids)
        above, below = (grid.on(groups, absent=0.0).value for grid in grids)
        return Fraction(groups, above * self.scale, below, is_quotient=True)


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

    def fraction(self, reducer: Reducer) -> Fraction:
        """The totals."""
        grid = reducer.grid(self)
        return Fraction(grid.groups, grid.value)


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
