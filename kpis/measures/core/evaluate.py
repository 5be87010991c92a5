"""From declarations to results: values, intervals and changes by period and group, rows and queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import pandas as pd

from kpis.dataset import Dataset
from kpis.errors import NotEnoughData
from kpis.measures.core.forecast_view import ForecastView
from kpis.measures.core.grid import Grid
from kpis.measures.core.quantity import Quantity
from kpis.measures.core.rows import Window
from kpis.measures.core.runs import Run, Runs, runs_of
from kpis.measures.core.states import store_first
from kpis.measures.registry import Measure, find, measures
from kpis.periods import Period

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

    One draw of ``rng`` seeds every bootstrap. Measures of today's pipeline show what the forecast adds where a
    ``forecast`` is given. What was counted and summed is remembered with the dataset, so that the same question, or
    another measure of it, is answered at once.

    Raises
    ------
    UnknownMeasure
        For a name that no measure has.
    """
    return evaluated(runs_of(dataset, periods, rng), names, by=by, parts=parts, forecast=forecast)


def evaluated(
    runs: Runs,
    names: Iterable[str] | None = None,
    *,
    by: str = "",
    parts: bool = True,
    forecast: ForecastView | None = None,
) -> list[Result]:
    """As ``evaluate``, of what is known and was counted already."""
    chosen = [find(name) for name in names] if names is not None else list(measures().values())
    with runs.busy:
        run = runs.by(by)
        run.reducer.forecast = forecast
        if names is None:
            store_first(run.known)
        declared = [(one, _declare(one, run, parts=parts)) for one in chosen]
        there = [quantity for _, found in declared if isinstance(found, dict) for quantity in found.values()]
        with run.fetching(scan for quantity in there for scan in quantity.scans()):
            return [_result(one, found, run) for one, found in declared]


def _declare(one: Measure, run: Run, *, parts: bool) -> dict[str, Quantity] | NotEnoughData:
    """The parts, the headline alone where no others are wanted; or what is missing."""
    try:
        found = one.declare(run.known)
    except NotEnoughData as error:
        return error
    return found if parts else dict(islice(found.items(), 1))


def _result(one: Measure, declared: dict[str, Quantity] | NotEnoughData, run: Run) -> Result:
    window = run.known.window
    shown, whole = window.periods[-window.shown :], window.whole[-window.shown :]
    if isinstance(declared, NotEnoughData):
        return Result(one, declared.problem, shown, whole)
    parts: dict[str, Part] = {}
    for name, quantity in declared.items():
        try:
            parts[name] = _part(name, quantity, run)
        except NotEnoughData as error:
            if not parts:
                return Result(one, error.problem, shown, whole)
            parts[name] = _absent(name, error.problem, window)
    return Result(one, _status(next(iter(parts.values()))), shown, whole, parts)


def _part(name: str, quantity: Quantity, run: Run) -> Part:
    window, grid = run.known.window, run.reducer.grid(quantity)
    change = grid.value - grid.earlier(1).value
    if quantity.additive and not window.whole[-1]:
        change[:, -1] = np.nan
    last = slice(-window.shown, None)
    grid = grid.per_period(lambda array: array[:, last])
    rows = quantity.rows()
    over = getattr(rows, "over", "") or getattr(quantity, "over", "") or run.reducer.by
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
