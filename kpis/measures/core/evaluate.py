"""From declarations to results: values, intervals and changes by period and group, rows and queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from kpis.dataset import Dataset
from kpis.errors import NotEnoughData
from kpis.measures.core.forecast_view import ForecastView
from kpis.measures.core.grid import Grid, joined
from kpis.measures.core.quantity import Missing, Quantity
from kpis.measures.core.rows import Window
from kpis.measures.core.runs import Run, Runs, runs_of
from kpis.measures.registry import Measure, find, measures
from kpis.periods import Period

WORKERS = 2
"""Queries that run while others are being written."""

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
    chart
        Its control chart: ``p``, ``u`` or ``XmR``.
    additive
        Whether it adds up over days, so that an unfinished period cannot be compared with a whole one.
    """

    name: str
    unit: str
    grid: Grid
    change: np.ndarray
    over: str
    sampled: bool
    note: str = ""
    chart: str = "XmR"
    additive: bool = False

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
    asked for. Measures of today's pipeline show what the forecast adds where a ``forecast`` is given. What
    was counted and summed is remembered with the dataset, so that the same question, or another measure of it,
    is answered at once.

    Raises
    ------
    UnknownMeasure
        For a name that no measure has.
    """
    chosen = [find(name) for name in names] if names is not None else list(measures().values())
    runs = runs_of(dataset, periods, by, int(rng.integers(2**62)))
    window = runs.window
    with runs.busy:
        runs["now"][0].reducer.forecast = forecast
        declared = [(one, _declare(one, runs[one.at], parts=parts)) for one in chosen]
        with ThreadPoolExecutor(WORKERS) as pool:
            for run in runs.made():
                run.reducer.begin(run.known.cursor, pool)
            return [_result(one, there, runs, window) for one, there in declared]


def _declare(one: Measure, runs: tuple[Run, ...], *, parts: bool) -> list[dict[str, Quantity]] | NotEnoughData:
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
    runs: Runs,
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


def _part(name: str, declared: list[dict[str, Quantity]], runs: tuple[Run, ...], window: Window) -> Part:
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
        quantity.chart,
        quantity.additive,
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
