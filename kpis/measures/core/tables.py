"""The tables as known on a day, and what is made of them once for all measures."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import narwhals.stable.v2 as nw

from kpis.dataset import Dataset
from kpis.definitions import Definitions
from kpis.measures.core.rows import Rows, Window
from kpis.periods import day_n
from kpis.schema import TABLES

_Made = TypeVar("_Made")


def is_one_of(column: str, values: tuple[str, ...]) -> nw.Expr:
    """Whether the text, without case, is one of ``values``; unknown when null. Intake has trimmed it."""
    return nw.col(column).str.to_lowercase().is_in([value.lower() for value in values])


class Tables:
    """The tables of ``dataset`` at the end of its as-of day.

    Every frame comes from one cursor. Frames and rows are made once, so that measures that ask the same
    rows share one query.

    Parameters
    ----------
    window
        The periods asked for.
    keep
        Store the frames that most measures start from, rather than ask for them in every query.
    """

    def __init__(self, dataset: Dataset, window: Window, *, keep: bool = False) -> None:
        self.dataset = dataset
        self.window = window
        self.cursor = dataset.engine.cursor()
        self.today = day_n(dataset.as_of)
        self._keep = keep
        self.declared: dict[str, dict[str, Any]] = {}
        self._shared: dict[str, Any] = {}
        self._frames: dict[str, nw.LazyFrame] = {}
        self._rows: dict[tuple[str, str], Rows] = {}

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """What ``make`` gives, made once for this day: so that several quantities share the same rows."""
        if name not in self._shared:
            self._shared[name] = make()
        return self._shared[name]

    @property
    def definitions(self) -> Definitions:
        """The agreed definitions."""
        return self.dataset.settings.definitions

    def has(self, table: str, *columns: str) -> bool:
        """Whether the table is there and each named column holds a value."""
        return self.dataset.has(table, *columns)

    def need(self, table: str, *columns: str) -> None:
        """Raise NotEnoughData unless ``has``."""
        self.dataset.need(table, *columns)

    def kept(self, frame: nw.LazyFrame) -> nw.LazyFrame:
        """The frame, stored once where many numbers are wanted."""
        return self.cursor.keep(frame) if self._keep else frame

    def frame(self, table: str) -> nw.LazyFrame:
        """The table as known on the day; where many numbers are wanted, without what no measure reads."""
        if table not in self._frames:
            frame = self.dataset.frame(table, self.cursor)
            # Day arithmetic is done on the companions; the dates themselves only make every query longer.
            self._frames[table] = frame.drop(*TABLES[table].dates) if self._keep else frame
        return self._frames[table]

    def rows(self, table: str, day: str) -> Rows:
        """Rows of a table on one of its dates."""
        if (table, day) not in self._rows:
            self.need(table, day)
            self._rows[table, day] = Rows(self.frame(table), table, f"{day}_n")
        return self._rows[table, day]


def shared(make: Callable[[Any], _Made]) -> Callable[[Any], _Made]:
    """A function of what is known, evaluated once for each day."""

    @wraps(make)
    def made(known: Tables) -> _Made:
        return known.once(f"{make.__module__}.{make.__qualname__}", lambda: make(known))

    return made
