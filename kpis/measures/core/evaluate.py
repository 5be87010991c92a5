"""From declarations to results: values, intervals and changes by period and group, rows and queries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
import pandas as pd

from kpis.dataset import Dataset
from kpis.errors import NotEnoughData
from kpis.measures.core.forecast_view import ForecastView
from kpis.measures.core.grid import Grid, joined
from kpis.measures.core.known import Known
from kpis.measures.core.quantity import Missing, Quantity
from kpis.measures.core.rows import Reducer, Window
from kpis.measures.registry import Measure, find, measures
from kpis.periods import MONTHS, Period

LOW_SAMPLE = 20
"""Below this n a value is marked."""


@dataclass(frozen=True)
class Part:
    """One number of a measure by group and period; the headline is the first part.

    Parameters
    ----------
    grid
        Of the periods asked for.
    change
        Value less the value of the period before; NaN while a total's period is not over.
    over
        What the groups are: the dimension asked for, or the measure's own, such as the stage.
    """

    name: str
    unit: str
    grid: Grid
    change: np.ndarray
    over: str
    sampled: bool
    note: str = ""

    @property
    def label(self) -> str:
        """Its name in words."""
        return self.name.replace("_", " ")

    @property
    def has_value(self) -> bool:
        """Whether any group has a value in any period."""
        return bool(np.isfinite(self.grid.value).any())

    @property
    def reason(self) -> str:
        """Why there is no value at all; empty where there is one."""
        if self.has_value:
            return ""
        reasons = [text for text in self.grid.reason.ravel() if text]
        return reasons[-1] if reasons else "no record in these periods"


@dataclass(frozen=True)
class Result:
    """A measure on a dataset: its parts, or why there are none.

    Parameters
    ----------
    status
        ``ok``, ``low sample`` (n below 20 in the latest period with a value), or ``needs ...``.
    whole
        Whether each period is over on the as-of day.
    """

    measure: Measure
    status: str
    periods: tuple[Period, ...]
    whole: np.ndarray
    parts: Mapping[str, Part] = field(default_factory=dict)

    @property
    def headline(self) -> Part | None:
        """The first part."""
        return next(iter(self.parts.values()), None)

    def table(self) -> pd.DataFrame:
        """Tidy: part, period, start, end, whole, group, value, low, high, n, change, reason."""
        frames = [self._tidy(part) for part in self.parts.values()]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    def _tidy(self, part: Part) -> pd.DataFrame:
        groups, periods = part.grid.shape
        columns = {
            "part": part.name,
            "unit": part.unit,
            "period": [period.label for period in self.periods] * groups,
            "start": [period.start for period in self.periods] * groups,
            "end": [period.end for period in self.periods] * groups,
            "whole": np.tile(self.whole, groups),
            "over": part.over,
            "group": np.repeat(np.array(part.grid.groups, dtype=object), periods),
            "change": part.change.ravel(),
        }
        for name in ("value", "low", "high", "n", "reason"):
            columns[name] = getattr(part.grid, name).ravel()
        columns |= {name: array.ravel() for name, array in part.grid.extra.items()}
        return pd.DataFrame(columns)


@dataclass(frozen=True)
class _Asked:
    """What was asked for: the breakdown, the seed of the bootstraps, and whether many numbers are wanted.

    With ``keep`` the tables that most measures start from are stored once; without it every query names
    the dataset's own tables.
    """

    today: date
    by: str = ""
    seed: int = 0
    keep: bool = False


@dataclass(frozen=True)
class _Run:
    """One day's knowledge and the reducer for one window on it."""

    known: Known
    reducer: Reducer

    @classmethod
    def on(cls, dataset: Dataset, window: Window, asked: _Asked, forecast: ForecastView | None) -> _Run:
        known = Known(dataset, window, forecast, keep=asked.keep and dataset.as_of == asked.today)
        return cls(known, Reducer(dataset, known.frame, window, asked.by, asked.seed))


def window_of(dataset: Dataset, periods: int) -> Window:
    """The last ``periods`` periods up to the one that holds the as-of day, and the year before them."""
    calendar, day = dataset.settings.calendar, dataset.as_of
    back = periods - 1 + 12 // MONTHS[calendar.grain]
    return Window(tuple(calendar.at(day, k) for k in range(-back, 1)), periods, day)


class _Runs:
    """The days measures are evaluated on, by their ``at``; made when first asked for."""

    def __init__(self, dataset: Dataset, window: Window, asked: _Asked, forecast: ForecastView | None = None) -> None:
        self._dataset, self._window, self._asked, self._forecast = dataset, window, asked, forecast
        self._made: dict[str, tuple[_Run, ...]] = {}

    def __getitem__(self, at: str) -> tuple[_Run, ...]:
        if at not in self._made:
            self._made[at] = tuple(self._make(at))
        return self._made[at]

    def _make(self, at: str) -> Iterator[_Run]:
        window, today = self._window, self._dataset.as_of
        if at == "now":
            yield _Run.on(self._dataset, window, self._asked, self._forecast)
            return
        for period in window.periods[-window.shown :]:
            day = min(period.end, today)
            then = self._dataset.known_at(day)
            forecast = self._forecast if day == today else None
            yield _Run.on(then, Window((period,), 1, day), self._asked, forecast)


def evaluate(
    dataset: Dataset,
    names: Iterable[str] | None = None,
    *,
    by: str = "",
    periods: int = 8,
    rng: np.random.Generator,
    parts: bool = True,
    forecast: ForecastView | None = None,
) -> list[Result]:
    """Values of the named measures (all when None) in the last ``periods`` periods.

    Without ``parts`` the headlines alone: what an overview of all measures shows.

    One draw of ``rng`` seeds every bootstrap, so that a number does not depend on what else was
    asked for. Measures of today's pipeline show what the forecast adds where a ``forecast`` is given.

    Raises
    ------
    UnknownMeasure
        For a name that no measure has.
    """
    chosen = [find(name) for name in names] if names is not None else list(measures().values())
    window = window_of(dataset, periods)
    asked = _Asked(dataset.as_of, by, int(rng.integers(2**62)), keep=True)
    runs = _Runs(dataset, window, asked, forecast)
    declared = [(one, _declare(one, runs[one.at], parts=parts)) for one in chosen]
    return [_result(one, there, runs, window) for one, there in declared]


def _declare(one: Measure, runs: tuple[_Run, ...], *, parts: bool) -> list[dict[str, Quantity]] | NotEnoughData:
    """The parts on each day, their scans planned; or what is missing.

    A past day may lack what the as-of day has: its values are then missing, with the reason.
    """
    declared: list[dict[str, Quantity]] = []
    for run in runs:
        try:
            there = one.declare(run.known)
        except NotEnoughData as error:
            if run is runs[-1]:
                return error
            there = {}
        if not parts:
            there = dict(list(there.items())[:1])
        for quantity in there.values():
            for scan in quantity.scans():
                run.reducer.plan(scan)
        declared.append(there)
    return declared


def _result(
    one: Measure,
    declared: list[dict[str, Quantity]] | NotEnoughData,
    runs: _Runs,
    window: Window,
) -> Result:
    shown, whole = window.periods[-window.shown :], window.whole[-window.shown :]
    if isinstance(declared, NotEnoughData):
        return Result(one, declared.problem, shown, whole)
    parts: dict[str, Part] = {}
    for name in declared[-1]:
        try:
            parts[name] = _part(name, declared, runs[one.at], window)
        except NotEnoughData as error:
            if not parts:
                return Result(one, error.problem, shown, whole)
            parts[name] = _absent(name, error.problem, window)
    return Result(one, _status(next(iter(parts.values()))), shown, whole, parts)


def _part(name: str, declared: list[dict[str, Quantity]], runs: tuple[_Run, ...], window: Window) -> Part:
    grids = []
    for there, run in zip(declared, runs, strict=True):
        quantity = there.get(name, Missing("not known on that day"))
        grids.append(run.reducer.grid(quantity))
    grid = joined(grids)
    quantity = declared[-1][name]
    change = grid.value - grid.earlier(1).value
    if quantity.additive and not window.whole[-1]:
        change[:, -1] = np.nan
    last = slice(-window.shown, None)
    grid = grid.per_period(lambda array: array[:, last])
    rows = quantity.rows()
    over = getattr(rows, "over", "") or getattr(quantity, "over", "") or runs[-1].reducer.by
    return Part(
        name,
        quantity.unit,
        grid,
        change[:, last],
        over if grid.groups != ("",) else "",
        quantity.sampled,
        quantity.note,
    )


def _absent(name: str, reason: str, window: Window) -> Part:
    shape = (1, window.shown)
    grid = Grid.of(("",), np.full(shape, np.nan), np.zeros(shape), why=reason)
    return Part(name, "", grid, np.full(shape, np.nan), "", sampled=False)


def _status(headline: Part) -> str:
    """How far the headline can be relied on."""
    if not headline.has_value:
        reason = headline.reason
        return reason if reason.startswith("needs ") else f"needs other data: {reason}"
    known = np.isfinite(headline.grid.value)
    last = np.flatnonzero(known.any(axis=0))[-1]
    n = headline.grid.n[:, last].sum()
    return "low sample" if headline.sampled and n < LOW_SAMPLE else "ok"


def queries(dataset: Dataset, name: str, *, by: str = "", periods: int = 8) -> dict[str, list[str]]:
    """The SQL behind each part: the counts and sums its formula is taken over.

    A measure of a past state has one query a day; the one of the as-of day is given.
    """
    run, parts = _declared_now(dataset, name, by, periods)
    found: dict[str, list[str]] = {}
    for part, quantity in parts.items():
        found[part] = [run.reducer.query(scan).to_native().sql_query() for scan in quantity.scans()]
    return found


def rows_behind(
    dataset: Dataset,
    name: str,
    part: str = "",
    *,
    by: str = "",
    group: str | None = None,
    period: str = "",
    limit: int = 1000,
) -> pd.DataFrame:
    """The rows behind one number: those of the part, in the labelled period and group, at most ``limit``.

    Raises
    ------
    NotEnoughData
        When the part has no rows of its own, or the data cannot support it.
    """
    import narwhals.stable.v2 as nw

    run, parts = _declared_now(dataset, name, by, 8)
    quantity = parts[part or next(iter(parts))]
    rows = quantity.rows()
    if rows is None:
        raise NotEnoughData(f"{name} has no rows of its own", way_out="Open the measures it is made of")
    frame, label = run.reducer.with_group(rows)
    if group is not None:
        frame = frame.filter(label == group)
    day = getattr(rows, "day", "")
    if day and period:
        window = run.reducer.window
        number = [one.label for one in window.periods].index(period)
        frame = frame.filter((nw.col(day) >= int(window.starts[number])) & (nw.col(day) <= int(window.ends[number])))
    return frame.head(limit).collect("pyarrow").to_native().to_pandas()


def _declared_now(dataset: Dataset, name: str, by: str, periods: int) -> tuple[_Run, dict[str, Quantity]]:
    one = find(name)
    run = _Runs(dataset, window_of(dataset, periods), _Asked(dataset.as_of, by))[one.at][-1]
    return run, one.declare(run.known)


def only(result: Result, part: str) -> Result:
    """The same result with one part as its headline."""
    return replace(result, parts={part: result.parts[part]})
