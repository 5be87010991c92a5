"""Small helpers: evaluate one measure on hand-written tables and read one number of it."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np

from kpis.dataset import Dataset
from kpis.measures.core.evaluate import Result, evaluate
from kpis.measures.core.forecast_view import ForecastView
from kpis.settings import Settings
from tests.build import dataset

END = date(2026, 3, 31)
"""The last day of the hand-written tables: the end of 2026Q1, so that the last period is whole."""


def data(tables: dict[str, Any], *, newest: date = END, **settings: Any) -> Dataset:
    """A dataset known up to ``newest``."""
    return dataset(tables, newest=newest, settings=Settings(**settings))


def result(
    source: Dataset | dict[str, Any], name: str, *, by: str = "", periods: int = 2, forecast: ForecastView | None = None
) -> Result:
    """One measure, in the last ``periods`` periods."""
    known = data(source) if isinstance(source, dict) else source
    return evaluate(known, [name], by=by, periods=periods, rng=np.random.default_rng(7), forecast=forecast)[0]


class Look:
    """Numbers of one result: ``look("part")`` is the last period's value, ``look("part", back=1)`` the one before."""

    def __init__(self, source: Dataset | dict[str, Any], name: str, **options: Any) -> None:
        self.result = result(source, name, **options)
        self.status = self.result.status

    def part(self, name: str = ""):
        return self.result.parts[name] if name else self.result.headline

    def __call__(self, name: str = "", *, group: str = "", back: int = 0, what: str = "value") -> float:
        grid = self.part(name).grid
        array = grid.extra[what] if what in grid.extra else getattr(grid, what)
        return array[grid.groups.index(group), -1 - back]

    def interval(self, name: str = "", *, group: str = "", back: int = 0) -> tuple[float, float]:
        return self(name, group=group, back=back, what="low"), self(name, group=group, back=back, what="high")

    def missing(self, name: str = "", *, group: str = "", back: int = 0) -> str:
        assert np.isnan(self(name, group=group, back=back))
        return self(name, group=group, back=back, what="reason")


def day(text: str) -> date:
    """``"02-15"`` in 2026, or a whole ISO date."""
    return date.fromisoformat(text if len(text) > 5 else f"2026-{text}")
