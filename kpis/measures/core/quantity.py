"""What every quantity of a measure has: a unit, its scans, its grid; and the parts that may be missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from kpis.errors import NotEnoughData
from kpis.measures.core.bridge import Fraction
from kpis.measures.core.grid import Grid
from kpis.measures.core.rows import Panel, Reducer, Rows, Scan

_Made = TypeVar("_Made")


class Quantity:
    """Base of every quantity: a unit, its scans, and its grid."""

    unit: str
    note: str = ""

    @property
    def sampled(self) -> bool:
        """Whether chance decides the value, so that a small n makes it uncertain; False for accounts."""
        return True

    @property
    def additive(self) -> bool:
        """Whether it adds up over days, so that an unfinished period cannot be compared with a whole one."""
        return False

    @property
    def chart(self) -> str:
        """Its control chart: ``p`` for shares of rows, ``u`` for counts of events, ``XmR`` for everything else."""
        return "XmR"

    @property
    def settled(self) -> bool:
        """Whether its grid stays true for the day and window; False for what moves with the levers."""
        return True

    def scans(self) -> Iterator[Scan]:
        """What the engine must count and sum for it."""
        yield from ()

    def grid(self, reducer: Reducer) -> Grid:
        """Its values by group and period."""
        raise NotImplementedError

    def fraction(self, reducer: Reducer) -> Fraction | None:
        """The totals that it is made of by group, which a bridge needs; None where groups do not add up."""
        return None

    def rows(self) -> Rows | Panel | None:
        """The rows behind the number; of a quotient, those of its numerator."""
        return next((scan.rows for scan in self.scans()), None)


@dataclass(frozen=True, eq=False)
class Missing(Quantity):
    """A part that the data cannot support, with the reason."""

    reason: str
    unit: str = ""

    def grid(self, reducer: Reducer) -> Grid:
        """No value, and why."""
        shape = (1, len(reducer.window.periods))
        return Grid.of(("",), np.full(shape, np.nan), np.zeros(shape), why=self.reason)


def tried(build: Callable[[], Quantity]) -> Quantity:
    """``build()``, or a Missing with the reason when the data lack something."""
    try:
        return build()
    except NotEnoughData as error:
        return Missing(error.problem)


def first_of(*ways: Callable[[], _Made]) -> _Made:
    """What the first way gives that the data support; the first way's NotEnoughData where they support none."""
    problem: NotEnoughData | None = None
    for way in ways:
        try:
            return way()
        except NotEnoughData as error:
            problem = problem or error
    raise problem or NotEnoughData("needs other data")


@dataclass(frozen=True, eq=False)
class Attempt(Quantity):
    """A part that is built when it is first asked for, and that the data may not support."""

    build: Callable[[], Quantity]

    @cached_property
    def quantity(self) -> Quantity:
        """What was built, or a Missing."""
        return tried(self.build)

    @property
    def unit(self) -> str:
        """Unit of what was built."""
        return self.quantity.unit

    @property
    def note(self) -> str:
        """Note of what was built."""
        return self.quantity.note

    @property
    def over(self) -> str:
        """What its groups are, where it has its own."""
        return getattr(self.quantity, "over", "")

    @property
    def sampled(self) -> bool:
        """As what was built."""
        return self.quantity.sampled

    @property
    def additive(self) -> bool:
        """As what was built."""
        return self.quantity.additive

    @property
    def chart(self) -> str:
        """As what was built."""
        return self.quantity.chart

    @property
    def settled(self) -> bool:
        """As what was built."""
        return self.quantity.settled

    def scans(self) -> Iterator[Scan]:
        """Those of what was built."""
        yield from self.quantity.scans()

    def rows(self) -> Rows | Panel | None:
        """Those of what was built."""
        return self.quantity.rows()

    def fraction(self, reducer: Reducer) -> Fraction | None:
        """Those of what was built."""
        return self.quantity.fraction(reducer)

    def grid(self, reducer: Reducer) -> Grid:
        """That of what was built."""
        return reducer.grid(self.quantity)


def attempt(build: Callable[[], Quantity]) -> Quantity:
    """A part beside the headline: built when asked for, Missing with the reason when the data lack something."""
    return Attempt(build)
