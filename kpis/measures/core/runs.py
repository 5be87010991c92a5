"""What is known on a day, and what was counted of it so far by each dimension."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock

import numpy as np

from kpis.dataset import Dataset
from kpis.measures.core.known import Known
from kpis.measures.core.rows import LEAD_IN, Reducer, Scan, Window
from kpis.periods import MONTHS

WORKERS = 2
"""Queries that run while others are being written."""


@dataclass(frozen=True)
class Run:
    """One day's knowledge and the reducer for one window and breakdown of it."""

    known: Known
    reducer: Reducer

    @contextmanager
    def fetching(self, scans: Iterable[Scan]) -> Iterator[None]:
        """Inside, the queries of the scans run in the background; what is asked of them twice is asked once."""
        for scan in scans:
            self.reducer.plan(scan)
        with ThreadPoolExecutor(WORKERS) as pool:
            self.reducer.begin(self.known.cursor, pool)
            yield


class Runs:
    """What is known of a window on the as-of day, and a reducer for each breakdown of it. One caller at a time.

    Parameters
    ----------
    seed
        Where every bootstrap starts.
    keep
        Store the tables that most measures start from once; without it every query names the dataset's own tables.
    """

    def __init__(self, dataset: Dataset, window: Window, seed: int = 0, *, keep: bool = False) -> None:
        self.known, self._seed = Known(dataset, window, keep=keep), seed
        self._by: dict[str, Run] = {}
        self.busy = RLock()

    @property
    def window(self) -> Window:
        """The periods asked for, and those before them."""
        return self.known.window

    def by(self, dimension: str = "") -> Run:
        """What is counted by the dimension, undivided without one; made when first asked for."""
        if dimension not in self._by:
            known = self.known
            reducer = Reducer(known.dataset, known.frame, known.with_period, known.window, dimension, self._seed)
            self._by[dimension] = Run(known, reducer)
        return self._by[dimension]


def window_of(dataset: Dataset, periods: int) -> Window:
    """The last ``periods`` periods up to the one that holds the as-of day, and those that lead in to them."""
    calendar, day = dataset.settings.calendar, dataset.as_of
    back = periods - 1 + max(12 // MONTHS[calendar.grain], LEAD_IN)
    return Window(tuple(calendar.at(day, k) for k in range(-back, 1)), periods, day)


def run_by(dataset: Dataset, by: str, periods: int) -> Run:
    """What is known today, broken down by a dimension; nobody else's."""
    return Runs(dataset, window_of(dataset, periods)).by(by)


def runs_of(dataset: Dataset, periods: int, rng: np.random.Generator) -> Runs:
    """The last ``periods`` periods with what was counted of them so far, remembered with the dataset.

    One draw of ``rng`` seeds every bootstrap, so that a number does not depend on what else was asked for.
    """
    seed = int(rng.integers(2**62))
    return dataset.engine.remember(
        (dataset, periods, seed), lambda: Runs(dataset, window_of(dataset, periods), seed, keep=True)
    )
