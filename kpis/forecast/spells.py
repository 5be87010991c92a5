"""Spells made ready for counting: exposure by stage and age, with atoms and truncation taken out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from kpis.engine import NEVER
from kpis.pipeline.stints import LOST, WON, Stints

EDGES = np.array([0, 2, 4, 7, 11, 15, 20, 26, 33, 42, 53, 67, 85, 107, 135, 170, 220, 290, 400])
"""First day in stage of each age bin; the last bin has no end."""

STRAY = 0.002
"""Share of the earliest closes that may be stray dates."""

ATOM_DAYS = 1
"""A deal closed at most this many days after its creation never was in a pipeline."""


def bin_of(days: np.ndarray, edges: np.ndarray = EDGES) -> np.ndarray:
    """Age bin of each number of days in stage."""
    return np.searchsorted(edges, days, side="right") - 1


PART = 500_000
"""How many spells are counted at a time."""


@dataclass(frozen=True)
class Exposure:
    """Who is at risk when, and how it ended: one entry a spell, counted on demand by stage, age bin and day.

    A spell entered on day e is at risk on the days e+1, e+2, ..., exit; on day e+1+u it has been u days in stage.
    Nobody is at risk up to ``first_day``. Only the bounds of a spell are kept: the days between them, and the bins
    they lie in, are the same for all spells of one stage, entry and last bin, so they are worked out once for all.

    Parameters
    ----------
    deal, stage, entry
        Of each spell, in the order of the deals; an entry so early that the last age bin began before ``first_day``
        stands at the least that has it.
    exit, exit_bin
        Last day at risk, and its age bin.
    cause
        Of each spell's exit; -1 where it has not ended by today or its exit is not counted.
    deals, stages
        How many there are.
    """

    deal: np.ndarray
    stage: np.ndarray
    entry: np.ndarray
    exit: np.ndarray
    exit_bin: np.ndarray
    cause: np.ndarray
    deals: int
    stages: int
    first_day: int
    today: int
    edges: np.ndarray

    @property
    def days(self) -> np.ndarray:
        """The days at risk, first_day+1 ... today."""
        return np.arange(self.first_day + 1, self.today + 1)

    def at_risk(self, *ratios: np.ndarray) -> list[np.ndarray]:
        """For each set of ratios per deal, their sum over the spells at risk: (stages, bins, ``days``)."""
        size = prod(self._shape)
        counted = np.zeros((len(ratios), 2, size))
        for part, at_entry, at_exit in self._parts():
            for bounds, ratio in zip(counted, ratios, strict=True):
                weight = ratio[self.deal[part]]
                bounds += [np.bincount(at, weight, size) for at in (at_entry, at_exit)]
        return [self._between(*bounds.reshape(2, *self._shape)) for bounds in counted]

    def _between(self, began: np.ndarray, ended: np.ndarray) -> np.ndarray:
        """Those at risk by stage, bin and day, of the spells by stage, last bin and day of entry and of exit."""
        reached = began[:, ::-1].cumsum(axis=1)[:, ::-1]
        step = -ended
        for k, edge in enumerate(self.edges[self.edges < self._shape[-1]]):
            entered = reached[:, k, : self._shape[-1] - edge]
            step[:, k, edge:] += entered
            if k:
                step[:, k - 1, edge:] -= entered
        return step.cumsum(axis=2)[:, :, self.first_day - self._origin : self.today - self._origin]

    def due(self, *terms: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """(deals,) sum over the days at risk of a deal's spells of hazard x weight of the day.

        Parameters
        ----------
        terms
            Hazards (stages, bins) and weights (``days``,), added up.
        """
        on_entry, on_exit = np.zeros(self._shape), np.zeros(self._shape)
        last = self._shape[-1] - 1
        since = np.minimum(np.arange(last + 1) + np.append(self.edges, last)[:, None], last)
        for hazard, weight in terms:
            summed = np.zeros(last + 1)
            summed[last - len(weight) + 1 :] = np.cumsum(weight)
            at_edge = summed[since]
            whole = hazard[:, :, None] * np.diff(at_edge, axis=0)
            on_entry += whole.cumsum(axis=1) - whole - hazard[:, :, None] * at_edge[:-1]
            on_exit += hazard[:, :, None] * summed
        total = np.zeros(self.deals)
        for part, at_entry, at_exit in self._parts():
            deal = self.deal[part]
            here = np.bincount(deal - deal[0], on_entry.ravel()[at_entry] + on_exit.ravel()[at_exit])
            total[deal[0] : deal[0] + len(here)] += here
        return total

    def _parts(self) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """The spells in parts that fit into memory beside all the others.

        Of each spell its cell by stage, last bin and day of entry, and by stage, last bin and day of exit.
        """
        for begin in range(0, len(self.deal), PART):
            part = slice(begin, begin + PART)
            cell = self.stage[part].astype(np.int64) * len(self.edges) + self.exit_bin[part]
            cell = cell * self._shape[-1] - self._origin
            yield part, cell + self.entry[part], cell + self.exit[part]

    @cached_property
    def _origin(self) -> int:
        """The first day of the axis on which spells are counted."""
        return int(self.entry.min(initial=self.first_day))

    @cached_property
    def _shape(self) -> tuple[int, int, int]:
        """Stages, bins, days from ``_origin`` to today."""
        return self.stages, len(self.edges), self.today - self._origin + 1


def atoms(stints: Stints) -> np.ndarray:
    """Whether each deal closed within ATOM_DAYS of its creation."""
    deals = stints.deals
    return ((deals["outcome"] != 0) & (deals["closed"] - deals["created"] <= ATOM_DAYS)).to_numpy()


def first_seen(stints: Stints) -> int:
    """Day before which no exit could have been seen (left truncation).

    The first recorded close, or the first recorded change where that is later: a deal that ended before the
    history began has no visits, and counting only the survivors' days would make every exit look rare.
    """
    closed = stints.deals["closed"].to_numpy()[~atoms(stints)]
    closed = closed[closed < NEVER]
    if not len(closed):
        return stints.today
    # Not the very first: one stray early date would switch the truncation off.
    return max(int(np.quantile(closed, STRAY, method="lower")), stints.history_start)


def expose(stints: Stints, edges: np.ndarray = EDGES) -> Exposure:
    """What every spell adds to the days at risk.

    Deals that closed at once are left out. Exits at or before the first day on which one could be seen are dropped and
    exposure counts from there on, because a spell that ended earlier would not be in the data.
    """
    columns = ("deal", "stage", "entry", "exit", "cause")
    deal, stage, entry, exit_, cause = (stints.spells[name].to_numpy() for name in columns)
    start, end = np.maximum(entry, first_seen(stints)), np.minimum(exit_, stints.today)
    seen = (end > start) & ~atoms(stints)[deal]
    deal, stage, entry, start, end = deal[seen], stage[seen], entry[seen], start[seen], end[seen]
    first_day = int(start.min(initial=stints.today))
    return Exposure(
        deal=deal,
        stage=stage,
        entry=np.maximum(entry, first_day - edges[-1]),
        exit=end,
        exit_bin=bin_of(end - 1 - entry, edges).astype(np.int32),
        cause=np.where(exit_ <= stints.today, cause, -1)[seen],
        deals=len(stints.deals),
        stages=len(stints.stages),
        first_day=first_day,
        today=stints.today,
        edges=edges,
    )


def atom_shares(stints: Stints, known: np.ndarray, since: int) -> dict[int, tuple[float, float]]:
    """Share of deals created after ``since`` that were won or lost at once, and their mean amount.

    Only creations old enough to have shown it count. ``known`` is the amount of each deal. Returns outcome ->
    (share, mean amount).
    """
    deals = stints.deals
    grown = (deals["created"] > since) & (deals["created"] <= stints.today - ATOM_DAYS)
    at_once = atoms(stints) & grown.to_numpy()
    shares = {}
    for outcome in (WON, LOST):
        hit = at_once & (deals["outcome"] == outcome).to_numpy()
        mean = float(known[hit].mean()) if hit.any() else 0.0
        shares[outcome] = float(hit.sum() / grown.sum()) if grown.any() else 0.0, mean
    return shares
