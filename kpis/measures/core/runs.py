"""The days on which measures are evaluated, and what was counted on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from threading import RLock

from kpis.dataset import Dataset
from kpis.measures.core.known import Known
from kpis.measures.core.rows import Reducer, Window
from kpis.periods import MONTHS


@dataclass(frozen=True)
class Asked:
    """What was asked for: the breakdown, the seed of the bootstraps, and whether many numbers are wanted.

    With ``keep`` the tables that most measures start from are stored once; without it every query names
    the dataset's own tables.
    """

    today: date
    by: str = ""
    seed: int = 0
    keep: bool = False


@dataclass(frozen=True)
class Run:
    """One day's knowledge and the reducer for one window on it."""

    known: Known
    reducer: Reducer

    @classmethod
    def on(cls, dataset: Dataset, window: Window, asked: Asked) -> Run:
        """What is known of the dataset on its as-of day."""
        known = Known(dataset, window, keep=asked.keep and dataset.as_of == asked.today)
        return cls(known, Reducer(dataset, known.frame, window, asked.by, asked.seed))


def window_of(dataset: Dataset, periods: int) -> Window:
    """The last ``periods`` periods up to the one that holds the as-of day, and the year before them."""
    calendar, day = dataset.settings.calendar, dataset.as_of
    back = periods - 1 + 12 // MONTHS[calendar.grain]
    return Window(tuple(calendar.at(day, k) for k in range(-back, 1)), periods, day)


class Runs:
    """The days measures are evaluated on, by their ``at``; made when first asked for. One caller at a time."""

    def __init__(self, dataset: Dataset, window: Window, asked: Asked) -> None:
        self.dataset, self.window, self._asked = dataset, window, asked
        self._made: dict[str, tuple[Run, ...]] = {}
        self.busy = RLock()

    def __getitem__(self, at: str) -> tuple[Run, ...]:
        if at not in self._made:
            self._made[at] = tuple(self._make(at))
        return self._made[at]

    def made(self) -> Iterator[Run]:
        """Those that were asked for."""
        for runs in self._made.values():
            yield from runs

    def _make(self, at: str) -> Iterator[Run]:
        window, today = self.window, self.dataset.as_of
        if at == "now":
            yield Run.on(self.dataset, window, self._asked)
            return
        for period in window.periods[-window.shown :]:
            day = min(period.end, today)
            then = self.dataset.known_at(day)
            yield Run.on(then, Window((period,), 1, day), self._asked)


def runs_of(dataset: Dataset, periods: int, by: str = "", seed: int = 0) -> Runs:
    """The days of the last ``periods`` periods with what was counted on them so far, remembered with the dataset."""
    asked = Asked(dataset.as_of, by, seed, keep=True)
    return dataset.engine.remember((dataset, periods, asked), lambda: Runs(dataset, window_of(dataset, periods), asked))
