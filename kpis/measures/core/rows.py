"""Rows that are counted and summed: a lazy frame, the day each row belongs to, and how it is reduced.

The engine gets one query for all that is asked of the same rows: counts and sums by period and group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property, partial
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
from kpis.measures.core.intervals import Resamples, resamples
from kpis.periods import Period, day_n

BEFORE = -1
"""Period number of rows before the first period."""

LEAD_IN = 9
"""As many periods lead in to the first one shown: what a period's own history is taken from, so that its value does not
depend on how many are shown."""


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


def yes(condition: nw.Expr) -> nw.Expr:
    """1 where the condition is met, else 0; unknown counts as 0."""
    return nw.when(condition).then(1).otherwise(0)


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
    _made: dict[tuple[str, ...], Rows] = field(default_factory=dict, init=False, repr=False)

    def once(self, key: tuple[str, ...], make: Callable[[], Rows]) -> Rows:
        """What ``make`` gives, made once: quantities of the same rows share one query."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def given(self, *columns: str) -> Rows:
        """Only the rows in which each of the columns has a value."""
        there = [~nw.col(column).is_null() for column in columns]
        return self.once(("given", *columns), lambda: replace(self, frame=self.frame.filter(*there)))

    def where(self, condition: nw.Expr) -> Rows:
        """Only the rows that meet the condition; unknown counts as not met."""
        return replace(self, frame=self.frame.filter(condition))

    def flag(self, **conditions: nw.Expr) -> Rows:
        """Add 0/1 columns; unknown counts as 0."""
        return self.also(**{name: yes(met) for name, met in conditions.items()})

    def also(self, **columns: nw.Expr) -> Rows:
        """Add columns."""
        return replace(self, frame=self.frame.with_columns(**columns))

    def by(self, column: str) -> Rows:
        """The same rows, always broken down by ``column``."""
        return self.once(("by", column), lambda: replace(self, over=column))

    def on(self, day: str) -> Rows:
        """The same rows, each on another of its days."""
        return self.once(("on", day), lambda: replace(self, day=day))


@dataclass(frozen=True, eq=False)
class Panel:
    """Rows that count in several periods: a copy for each, with the number of the period in column ``p``."""

    frame: nw.LazyFrame
    table: str
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
    keys: tuple[str, ...] = ()

    @cached_property
    def inside(self) -> dict[str, np.ndarray]:
        """The columns of what lies in the periods, with ``cell``, the number of each row's group and period."""
        table = self.table[self.table["p"] >= 0]
        columns = {name: table[name].to_numpy() for name in table}
        return columns | {"cell": columns["g"] * self.periods + columns["p"]}

    def sum(self, column: str) -> np.ndarray:
        """Total of ``column`` by group and period; of a key, over all the rows that have it."""
        each = self.inside[column] * self.inside["rows"] if column in self.keys else self.inside[column]
        shape = (len(self.groups), self.periods)
        return np.bincount(self.inside["cell"], each, shape[0] * shape[1]).reshape(shape)

    @property
    def begun(self) -> np.ndarray:
        """Whether each period is at or after the first that has a row, whatever its group."""
        first = int(self.table["p"].min()) if len(self.table) else self.periods
        return np.arange(self.periods) >= first

    def cells(self) -> Iterator[tuple[int, int, dict[str, np.ndarray]]]:
        """``(group, period, columns)`` of each cell that has rows."""
        order = np.argsort(self.inside["cell"], kind="stable")
        columns = {name: values[order] for name, values in self.inside.items()}
        edges = [*np.flatnonzero(np.diff(columns["cell"], prepend=-1)), len(order)]
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
    with_period
        From a frame and one of its whole days to the frame with the number of the day's period as ``p``.
    by, seed
        The dimension of the breakdown, and where every bootstrap starts.
    forecast
        What the forecast says as of the day; None where nobody computed it.
    """

    dataset: Dataset
    source: Callable[[str], nw.LazyFrame]
    with_period: Callable[[nw.LazyFrame, str], nw.LazyFrame]
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

    def resamples(self) -> Resamples:
        """What every bootstrap is drawn from."""
        return resamples(self.seed)

    def plan(self, scan: Scan) -> None:
        """Note what will be asked."""
        self._alive[id(scan.rows)] = scan.rows
        self._sums.setdefault(self._key(scan), {}).update(dict.fromkeys(scan.sums or ("rows",)))

    def _key(self, scan: Scan) -> tuple[int, tuple[str, ...]]:
        """What shares a query: the same rows by the same keys; sums by day serve as sums by period too."""
        by_day = self._daily(scan.rows) and scan.keys == (scan.rows.day,)
        return id(scan.rows), () if by_day else scan.keys

    def _daily(self, rows: Rows | Panel) -> bool:
        """Whether sums are fetched by day: where nothing is broken down, days are few enough."""
        return isinstance(rows, Rows) and not rows.over and not self.by

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
        self.plan(scan)
        key = self._key(scan)
        sums = tuple(self._sums[key])
        if self._lacks(key, sums):
            begun, table, shaped = self._begun.pop(key, ((), None, None))
            if begun == sums:
                self._done[key] = shaped(table.result())
            else:
                frame, schema, shaped = self._asked(scan.rows, sums, key[1])
                self._done[key] = shaped(collect(frame, schema))
        return self._done[key]

    def _lacks(self, key: tuple[int, tuple[str, ...]], sums: tuple[str, ...]) -> bool:
        """Whether any of the sums is not there yet."""
        return key not in self._done or not set(sums) <= set(self._done[key].table)

    def _asked(self, rows: Rows | Panel, sums: tuple[str, ...], keys: tuple[str, ...]) -> _Asked:
        """The query of sums, the types it gives, and what becomes of its table."""
        floats = dict.fromkeys(("rows", *sums), "float")
        if self._daily(rows) and not keys:
            schema = {rows.day: "float", **floats}
            return self._daily_query(rows, sums), schema, partial(self._by_period, rows.day, sums)
        frame = self._rows_query(rows, sums, keys)
        types = frame.collect_schema() if keys else {}
        kinds = {key: "float" if types[key].is_numeric() else "category" for key in keys}
        group = {"group": "text"} if rows.over or self.by else {}
        return frame, {"p": "float", **group, **kinds, **floats}, partial(self._coded, ("rows", *sums), keys=keys)

    def query(self, scan: Scan) -> nw.LazyFrame:
        """The query of a scan, not run."""
        return self._rows_query(scan.rows, tuple(dict.fromkeys(scan.sums or ("rows",))), scan.keys)

    def with_group(self, rows: Rows | Panel) -> tuple[nw.LazyFrame, dict[str, nw.Expr]]:
        """The rows' frame and the column ``group``, where there are groups."""
        if rows.over:
            return rows.frame, {"group": nw.col(rows.over).fill_null(NOT_GIVEN)}
        if self.by:
            frame = group_by_dimension(self.dataset, self.source, rows.frame, rows.table, self.by)
            return frame, {"group": nw.col("group")}
        return rows.frame, {}

    def _rows_query(self, rows: Rows | Panel, sums: tuple[str, ...], keys: tuple[str, ...]) -> nw.LazyFrame:
        frame, group = self.with_group(rows)
        columns = {name: nw.col(name) for name in (*keys, *sums) if name != "rows"}
        if isinstance(rows, Panel):
            frame = frame.select("p", **group, rows=nw.lit(1), **columns)
        else:
            frame = self.with_period(frame.select(**group, rows=nw.lit(1), **columns, day_n=nw.col(rows.day)), "day_n")
        totals = [nw.col(name).sum() for name in dict.fromkeys(("rows", *sums))]
        return frame.group_by("p", *group, *keys).agg(*totals)

    def _daily_query(self, rows: Rows, sums: tuple[str, ...]) -> nw.LazyFrame:
        columns = {name: nw.col(name) for name in (rows.day, *sums) if name != "rows"}
        frame = rows.frame.select(rows=nw.lit(1), **columns)
        return frame.group_by(rows.day).agg(*[nw.col(name).sum() for name in dict.fromkeys(("rows", *sums))])

    def _by_period(self, day: str, sums: tuple[str, ...], days: pd.DataFrame) -> Reduced:
        """Sums by day with the number of each day's period."""
        table = days[days[day] <= self.window.ends[-1]]
        number = np.searchsorted(self.window.starts, table[day], side="right") - 1
        return self._coded(("rows", *sums), table.assign(p=number))

    def _coded(self, sums: tuple[str, ...], table: pd.DataFrame, keys: tuple[str, ...] = ()) -> Reduced:
        """Without the rows of no period, and with the place of each group in their sorted list for its label."""
        there = table["p"].to_numpy() >= BEFORE
        table = table if there.all() else table[there]
        codes, groups = 0, ("",)
        if "group" in table:
            codes, labels = pd.factorize(table.pop("group"), sort=True)
            groups = tuple(str(label) for label in labels) or ("",)
        # A sum over nothing but nulls is null: nothing was added.
        added = {name: np.nan_to_num(table[name].to_numpy()) for name in sums}
        table = table.assign(p=table["p"].to_numpy().astype(int), g=codes, **added)
        return Reduced(groups, table, len(self.window.periods), keys)
