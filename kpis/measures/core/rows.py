"""Rows that are counted and summed: a lazy frame, the day each row belongs to, and how it is reduced.

The engine gets one query for all that is asked of the same rows: counts and sums by period and group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from itertools import pairwise
from typing import Protocol

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from kpis.dataset import Dataset
from kpis.engine import Cursor, Type, collect
from kpis.errors import NotEnoughData
from kpis.measures.core.dimensions import NOT_GIVEN, group_by_dimension
from kpis.measures.core.forecast_view import ForecastView
from kpis.measures.core.grid import Grid
from kpis.periods import Period, day_n

BEFORE = -1
"""Period number of rows before the first period."""


@dataclass(frozen=True)
class Window:
    """The periods that are asked for, oldest first, and those before them that comparisons need.

    Parameters
    ----------
    periods
        All of them; the last ``shown`` are what was asked for.
    as_of
        The last day known; the last period may go on after it.
    """

    periods: tuple[Period, ...]
    shown: int
    as_of: date

    def last(self, periods: int) -> Window:
        """Only the last ``periods`` of them."""
        return Window(self.periods[-periods:], periods, self.as_of)

    @property
    def starts(self) -> np.ndarray:
        """First day of each period, as whole days."""
        return np.array([day_n(period.start) for period in self.periods])

    @property
    def ends(self) -> np.ndarray:
        """Last known day of each period, as whole days."""
        return np.array([min(day_n(period.end), day_n(self.as_of)) for period in self.periods])

    @property
    def whole(self) -> np.ndarray:
        """Whether each period is over at the end of the as-of day."""
        return np.array([period.end <= self.as_of for period in self.periods])

    @property
    def spans(self) -> tuple[Span, ...]:
        """The periods in whole days."""
        today = day_n(self.as_of)
        elapsed = today - day_n(self.periods[-1].start)
        return tuple(
            Span(period, start, last, min(last, today), min(start + elapsed, last))
            for period in self.periods
            for start, last in [(day_n(period.start), day_n(period.end))]
        )


@dataclass(frozen=True)
class Span:
    """A period in whole days: its first day, its last day, and its last day that is known.

    ``day`` is the same day of the period as the as-of day is of the current one.
    """

    period: Period
    start: int
    last: int
    known: int
    day: int


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of ``frame``, each on the whole day in column ``day``; rows without a day count nowhere.

    Parameters
    ----------
    table
        Which table the rows stem from: decides how they can be broken down.
    over
        A column that the quantity is always broken down by, such as the stage.
    """

    frame: nw.LazyFrame
    table: str
    day: str
    over: str = ""

    def where(self, condition: nw.Expr) -> Rows:
        """Only the rows that meet the condition; unknown counts as not met."""
        return replace(self, frame=self.frame.filter(condition))

    def flag(self, **conditions: nw.Expr) -> Rows:
        """Add 0/1 columns; unknown counts as 0."""
        return self.also(**{name: nw.when(met).then(1).otherwise(0) for name, met in conditions.items()})

    def also(self, **columns: nw.Expr) -> Rows:
        """Add columns."""
        return replace(self, frame=self.frame.with_columns(**columns))

    def by(self, column: str) -> Rows:
        """The same rows, always broken down by ``column``."""
        return replace(self, over=column)

    def on(self, day: str) -> Rows:
        """The same rows, each on another of its days."""
        return replace(self, day=day)


@dataclass(frozen=True, eq=False)
class Panel:
    """Rows that count in several periods: ``flags`` says for each period what a row counts as.

    Parameters
    ----------
    flags
        From a period to named columns of whole numbers or money.
    """

    frame: nw.LazyFrame
    table: str
    flags: Callable[[Span], Mapping[str, nw.Expr]]
    over: str = ""

    def by(self, column: str) -> Panel:
        """The same rows, always broken down by ``column``."""
        return replace(self, over=column)


@dataclass(frozen=True, eq=False)
class Scan:
    """What is asked of rows: sums of columns, by period and group and, where given, by further keys."""

    rows: Rows | Panel
    sums: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


class Gridded(Protocol):
    """Anything that gives a grid on a reducer."""

    @property
    def settled(self) -> bool:
        """Whether that grid stays true for the day and window."""

    def grid(self, reducer: Reducer) -> Grid:
        """Its values by group and period."""


@dataclass(frozen=True)
class Reduced:
    """The result of a scan: ``p`` (period, -1 before the first), ``g`` (group), keys, sums."""

    groups: tuple[str, ...]
    table: pd.DataFrame
    periods: int

    def sum(self, column: str) -> np.ndarray:
        """Total of ``column`` by group and period."""
        inside = self.table[self.table["p"] >= 0]
        total = np.zeros((len(self.groups), self.periods))
        np.add.at(total, (inside["g"].to_numpy(), inside["p"].to_numpy()), inside[column].to_numpy())
        return total

    @property
    def begun(self) -> np.ndarray:
        """Whether each period is at or after the first that has a row, whatever its group."""
        first = int(self.table["p"].min()) if len(self.table) else self.periods
        return np.arange(self.periods) >= first

    def cells(self) -> Iterator[tuple[int, int, dict[str, np.ndarray]]]:
        """``(group, period, columns)`` of each cell that has rows."""
        inside = self.table[self.table["p"] >= 0].sort_values(["g", "p"], kind="stable")
        columns = {name: inside[name].to_numpy() for name in inside.columns}
        cell = columns["g"] * self.periods + columns["p"]
        edges = [*np.flatnonzero(np.diff(cell, prepend=-1)), len(cell)]
        for first, last in pairwise(edges):
            part = {name: values[first:last] for name, values in columns.items()}
            yield int(part["g"][0]), int(part["p"][0]), part


_Shaped = Callable[[pd.DataFrame], Reduced]
_Asked = tuple[nw.LazyFrame, Mapping[str, Type], _Shaped]


@dataclass
class Reducer:
    """Runs scans on one dataset and window; what is asked of the same rows runs once.

    Call ``plan`` with every scan first, so that their sums go into one query.

    Parameters
    ----------
    source
        Another table's frame by its name: for breakdowns by a column of another table.
    by, seed
        The dimension of the breakdown, and where every bootstrap starts.
    forecast
        What the forecast says as of the day; None where nobody computed it.
    """

    dataset: Dataset
    source: Callable[[str], nw.LazyFrame]
    window: Window
    by: str = ""
    seed: int = 0
    forecast: ForecastView | None = None
    _sums: dict[tuple[int, tuple[str, ...]], dict[str, None]] = field(default_factory=dict)
    _done: dict[tuple[int, tuple[str, ...]], Reduced] = field(default_factory=dict)
    _grids: dict[int, tuple[Gridded, Grid]] = field(default_factory=dict)
    _alive: dict[int, Rows | Panel] = field(default_factory=dict)
    _begun: dict[tuple[int, tuple[str, ...]], tuple[tuple[str, ...], Future[pd.DataFrame], _Shaped]] = field(
        default_factory=dict
    )

    def grid(self, quantity: Gridded) -> Grid:
        """The grid of a quantity, made once: measures that share a factor share its numbers and its interval."""
        if id(quantity) not in self._grids or not quantity.settled:
            self._grids[id(quantity)] = quantity, quantity.grid(self)
        return self._grids[id(quantity)][1]

    def rng(self) -> np.random.Generator:
        """A generator that starts alike every time: an interval does not depend on what else was asked for."""
        return np.random.default_rng(self.seed)

    def plan(self, scan: Scan) -> None:
        """Note what will be asked."""
        self._alive[id(scan.rows)] = scan.rows
        self._sums.setdefault((id(scan.rows), scan.keys), {}).update(dict.fromkeys(scan.sums or ("rows",)))

    def begin(self, cursor: Cursor, pool: Executor) -> None:
        """Fetch what is planned and not there yet in the background, while its queries are still being written."""
        for key, names in self._sums.items():
            sums = tuple(names)
            if self._lacks(key, sums):
                try:
                    frame, schema, shaped = self._asked(self._alive[key[0]], sums, key[1])
                except NotEnoughData:
                    # Whoever asks for it is told.
                    continue
                self._begun[key] = sums, cursor.ahead(frame, schema, pool), shaped

    def run(self, scan: Scan) -> Reduced:
        """The reduced table of a scan."""
        key = (id(scan.rows), scan.keys)
        self.plan(scan)
        sums = tuple(self._sums[key])
        if self._lacks(key, sums):
            begun, table, shaped = self._begun.pop(key, ((), None, None))
            if begun == sums:
                self._done[key] = shaped(table.result())
            else:
                frame, schema, shaped = self._asked(scan.rows, sums, scan.keys)
                self._done[key] = shaped(collect(frame, schema))
        return self._done[key]

    def _lacks(self, key: tuple[int, tuple[str, ...]], sums: tuple[str, ...]) -> bool:
        """Whether any of the sums is not there yet."""
        return key not in self._done or not set(sums) <= set(self._done[key].table)

    def _asked(self, rows: Rows | Panel, sums: tuple[str, ...], keys: tuple[str, ...]) -> _Asked:
        """The query of sums, the types it gives, and what becomes of its table."""
        if isinstance(rows, Panel):
            if keys:
                raise ValueError("a panel has sums only: its rows count in several periods")
            return self._panel_asked(rows, tuple(name for name in sums if name != "rows"))
        floats = dict.fromkeys(("rows", *sums), "float")
        if not keys and not rows.over and not self.by:
            return self._daily_query(rows, sums), {"p": "int", **floats}, partial(self._by_period, sums)
        frame = self._rows_query(rows, sums, keys)
        types = frame.collect_schema() if keys else {}
        kinds = {key: "float" if types[key].is_numeric() else "category" for key in keys}
        schema = {"p": "int", "group": "text", **kinds, **floats}
        return frame, schema, partial(self._coded, sums=("rows", *sums))

    def query(self, scan: Scan) -> nw.LazyFrame:
        """The query of a scan, not run."""
        sums = tuple(dict.fromkeys(scan.sums or ("rows",)))
        if isinstance(scan.rows, Panel):
            return self._panel_query(scan.rows, sums)[0]
        return self._rows_query(scan.rows, sums, scan.keys)

    def with_group(self, rows: Rows | Panel) -> tuple[nw.LazyFrame, nw.Expr]:
        """The rows' frame and the expression of each row's group."""
        if rows.over:
            return rows.frame, nw.col(rows.over).fill_null(NOT_GIVEN)
        if self.by:
            frame = group_by_dimension(self.dataset, self.source, rows.frame, rows.table, self.by)
            return frame, nw.col("group")
        return rows.frame, nw.lit("")

    def _rows_query(self, rows: Rows, sums: tuple[str, ...], keys: tuple[str, ...]) -> nw.LazyFrame:
        frame, group = self.with_group(rows)
        columns = {name: nw.col(name) for name in (*keys, *sums) if name != "rows"}
        frame = frame.select(p=self._period(rows.day), group=group, rows=nw.lit(1), **columns)
        totals = [nw.col(name).sum() for name in dict.fromkeys(("rows", *sums))]
        return frame.filter(~nw.col("p").is_null()).group_by("p", "group", *keys).agg(*totals)

    def _period(self, day: str) -> nw.Expr:
        """Number of the period that a whole day falls in; null without a day or after the last one known."""
        period = nw.when(nw.col(day).is_null() | (nw.col(day) > int(self.window.ends[-1]))).then(
            nw.lit(None, dtype=nw.Int64)
        )
        for number, start in reversed(list(enumerate(self.window.starts.tolist()))):
            period = period.when(nw.col(day) >= start).then(nw.lit(number))
        return period.otherwise(nw.lit(BEFORE))

    def _daily_query(self, rows: Rows, sums: tuple[str, ...]) -> nw.LazyFrame:
        """Sums by whole day: where nothing is broken down, days are few enough to fetch."""
        columns = {name: nw.col(name) for name in sums if name != "rows"}
        frame = rows.frame.select(p=nw.col(rows.day), rows=nw.lit(1), **columns).filter(~nw.col("p").is_null())
        return frame.group_by("p").agg(*[nw.col(name).sum() for name in dict.fromkeys(("rows", *sums))])

    def _by_period(self, sums: tuple[str, ...], days: pd.DataFrame) -> Reduced:
        """Sums by day as sums by period."""
        table = days[days["p"] <= self.window.ends[-1]]
        number = np.searchsorted(self.window.starts, table["p"], side="right") - 1
        return self._coded(table.assign(p=number, group=""), ("rows", *sums))

    def _panel_query(self, panel: Panel, sums: tuple[str, ...]) -> tuple[nw.LazyFrame, list[str]]:
        frame, group = self.with_group(panel)
        columns = {}
        for number, span in enumerate(self.window.spans):
            flags = panel.flags(span)
            columns |= {f"{name}_{number}": flags[name] for name in sums if name != "rows"}
        frame = frame.select(group=group, rows=nw.lit(1), **columns)
        return frame.group_by("group").agg(nw.col("rows").sum(), *[nw.col(name).sum() for name in columns]), list(
            columns
        )

    def _panel_asked(self, panel: Panel, sums: tuple[str, ...]) -> _Asked:
        frame, columns = self._panel_query(panel, sums)
        schema = {"group": "text", "rows": "float", **dict.fromkeys(columns, "float")}

        def tall(wide: pd.DataFrame) -> Reduced:
            parts = [
                pd.DataFrame(
                    {"group": wide["group"], "p": p, "rows": wide["rows"], **{n: wide[f"{n}_{p}"] for n in sums}}
                )
                for p in range(len(self.window.periods))
            ]
            return self._coded(pd.concat(parts, ignore_index=True), ("rows", *sums))

        return frame, schema, tall

    def _coded(self, table: pd.DataFrame, sums: tuple[str, ...]) -> Reduced:
        """Replace group labels by their place in the sorted list of groups."""
        codes, labels = pd.factorize(table.pop("group"), sort=True)
        groups = tuple(str(label) for label in labels) or ("",)
        # A sum over nothing but nulls is null: nothing was added.
        columns = list(dict.fromkeys(sums))
        table[columns] = table[columns].fillna(0.0)
        return Reduced(groups, table.assign(g=codes), len(self.window.periods))
