"""The tables as known on a day, and what is made of them once for all measures."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, wraps
from typing import Any, TypeVar

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from kpis.dataset import Dataset
from kpis.definitions import Definitions
from kpis.engine import NEVER, Cursor
from kpis.measures.core.rows import Rows, Window
from kpis.periods import day_n
from kpis.schema import TABLES

_Made = TypeVar("_Made")

DAYS_OF_PERIOD, AHEAD, ENDS = ("p_start", "p_last", "p_known", "p_day"), (1, 2), ("start", "end")


class EachPeriod:
    """The days of its period beside each copy of a row, as columns: what ``Span`` is for one period."""

    start, last, known, day = (nw.col(name) for name in DAYS_OF_PERIOD)

    def ahead(self, periods: int) -> tuple[nw.Expr, nw.Expr]:
        """First and last day of the period so many later, at most two."""
        return (nw.col(f"p_start_{periods}"), nw.col(f"p_end_{periods}")) if periods else (self.start, self.last)


EACH = EachPeriod()


def is_one_of(column: str, values: tuple[str, ...]) -> nw.Expr:
    """Whether the text, without case, is one of ``values``; unknown when null. Intake has trimmed it."""
    return nw.col(column).str.to_lowercase().is_in([value.lower() for value in values])


def earliest(*days: str) -> nw.Expr:
    """The first of the whole days that happened; null while none has.

    The least of several columns passes over nulls in some engines and is null in others, so none is left to them.
    """
    first = nw.min_horizontal(*[nw.col(day).fill_null(NEVER) for day in days])
    return nw.when(first < NEVER).then(first)


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

    def in_each_period(self, frame: nw.LazyFrame) -> nw.LazyFrame:
        """A copy of the rows for each period, with its number in column ``p`` and its days in those of ``EACH``."""
        return frame.join(self._periods, how="cross")

    def with_period(self, frame: nw.LazyFrame, day: str) -> nw.LazyFrame:
        """The rows with the number of the period that the whole day in ``day`` lies in as ``p``: BEFORE the first one.

        Without the rows that have no day or a later one.
        """
        before = int(self.window.starts[0]) - 1
        frame = frame.with_columns(day_of_p=nw.when(nw.col(day) < before).then(before).otherwise(nw.col(day)))
        return frame.join(self._days, on="day_of_p", how="inner")

    @cached_property
    def _periods(self) -> nw.LazyFrame:
        calendar = self.dataset.settings.calendar
        rows = [
            {"p": p} | {name: getattr(span, name.removeprefix("p_")) for name in DAYS_OF_PERIOD}
            | {f"p_{end}_{k}": day_n(getattr(calendar.at(span.period.start, k), end)) for k in AHEAD for end in ENDS}
            for p, span in enumerate(self.window.spans)
        ]  # fmt: skip
        return self._placed("periods", lambda: pd.DataFrame(rows))

    @cached_property
    def _days(self) -> nw.LazyFrame:
        days = np.arange(self.window.starts[0] - 1, self.window.ends[-1] + 1)
        periods = np.searchsorted(self.window.starts, days, side="right") - 1
        return self._placed("days", lambda: pd.DataFrame({"day_of_p": days, "p": periods}))

    def _placed(self, what: str, make: Callable[[], pd.DataFrame]) -> nw.LazyFrame:
        """A small table about the window, put beside the others once."""
        engine, calendar = self.dataset.engine, self.dataset.settings.calendar
        name = f"{what}_{len(self.window.periods)}_{calendar.grain}_{calendar.fiscal_start}_{self.today}"

        def place(cursor: Cursor) -> nw.LazyFrame:
            engine.register(f"{name}_rows", make())
            return cursor.frame(f"{name}_rows")

        engine.store(name, place)
        return self.cursor.frame(name)

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
