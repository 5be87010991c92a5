"""Spells made ready for counting: exposure by stage and age, with atoms and truncation taken out."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True)
class Exposure:
    """Person-days and events, at the grain of a spell and an age bin.

    A spell entered on day e is at risk on the days e+1, e+2, ...; on day e+1+u it has been u days in
    stage. Row r of the exposure covers the days (``low[r]``, ``high[r]``] of spell ``spell[r]``, all
    of them in age bin ``bin[r]``; kept as days after ``first_day``, since every sum over days asks for them so.

    Parameters
    ----------
    deal, stage
        Of each spell.
    cause
        Of each spell's exit; -1 where it has not ended by today or its exit is not counted.
    exit, exit_bin
        Day and age bin of the exit.
    spell, bin, since, until
        The rows of exposure; ``since`` and ``until`` are ``low`` and ``high`` in days after ``first_day``.
    first_day
        The first day at risk anywhere less one: origin for cumulated daily weights.
    """

    deal: np.ndarray
    stage: np.ndarray
    cause: np.ndarray
    exit: np.ndarray
    exit_bin: np.ndarray
    spell: np.ndarray
    bin: np.ndarray
    since: np.ndarray
    until: np.ndarray
    first_day: int
    today: int
    edges: np.ndarray

    @property
    def low(self) -> np.ndarray:
        """Of each row: the day before its first."""
        return self.since + self.first_day

    @property
    def high(self) -> np.ndarray:
        """Of each row: its last day."""
        return self.until + self.first_day

    @property
    def days(self) -> np.ndarray:
        """The days at risk, first_day+1 ... today."""
        return np.arange(self.first_day + 1, self.today + 1)

    def between(self, weight: np.ndarray) -> np.ndarray:
        """Sum of a daily weight (one value for each of ``days``) over each row's days."""
        cumulated = np.append(0.0, np.cumsum(weight))
        return cumulated[self.until] - cumulated[self.since]

    def daily(self, rate: np.ndarray) -> np.ndarray:
        """Sum over the rows at risk on each of ``days`` of a rate per row: the inverse of ``between``."""
        size = self.today - self.first_day + 1
        starts = np.bincount(self.since, rate, size)
        ends = np.bincount(self.until, rate, size)
        return np.cumsum(starts - ends)[:-1]


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
    """Cut every spell into age bins.

    Deals that closed at once are left out. Exits at or before the first day on which one could be seen are dropped and
    exposure counts from there on, because a spell that ended earlier would not be in the data.
    """
    spells = stints.spells[~atoms(stints)[stints.spells["deal"].to_numpy()]]
    entry = spells["entry"].to_numpy()
    start = np.maximum(entry, first_seen(stints))
    end = np.minimum(spells["exit"].to_numpy(), stints.today)
    seen = end > start
    spells, entry, start, end = spells[seen], entry[seen], start[seen], end[seen]
    exit_ = spells["exit"].to_numpy()
    cause = np.where(exit_ <= stints.today, spells["cause"].to_numpy(), -1)

    first, last = bin_of(start - entry, edges), bin_of(end - 1 - entry, edges)
    rows = last - first + 1
    spell = np.repeat(np.arange(len(entry)), rows)
    bins = np.arange(rows.sum()) - np.repeat(rows.cumsum() - rows, rows) + first[spell]
    opens = entry[spell] + edges[bins]
    closes = entry[spell] + np.append(edges[1:], NEVER)[bins]
    first_day = int(start.min()) if len(start) else stints.today
    return Exposure(
        deal=spells["deal"].to_numpy(),
        stage=spells["stage"].to_numpy(),
        cause=cause,
        exit=end,
        exit_bin=last,
        spell=spell,
        bin=bins,
        since=np.maximum(opens, start[spell]) - first_day,
        until=np.minimum(closes, end[spell]) - first_day,
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
