"""How well a lead score ranks: win rate by decile, and the chance that a winner scores higher."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kpis.measures.core import intervals
from kpis.measures.core.grid import Grid
from kpis.measures.core.quantity import Quantity
from kpis.measures.core.rows import Reducer, Rows, Scan

DECILES = tuple(f"decile {k:02d}" for k in range(1, 11))


@dataclass(frozen=True, eq=False)
class WinRateByDecile(Quantity):
    """Won share of the leads created in a period, by decile of their score in it (10 is the highest)."""

    of: Rows
    unit: str = "share"
    over: str = "score decile"
    note: str = "leads with the same score share a decile; recent leads may still be won"

    def scans(self) -> Iterator[Scan]:
        """Leads and wins by score."""
        yield Scan(self.of, ("rows", "was_won"), ("score",))

    def grid(self, reducer: Reducer) -> Grid:
        """One group a decile."""
        table = reducer.run(next(self.scans())).table
        shape = (len(DECILES), len(reducer.window.periods))
        part, whole = np.zeros(shape), np.zeros(shape)
        for p, cell in table[table["p"] >= 0].groupby("p"):
            by_score = cell.groupby("score")[["rows", "was_won"]].sum()
            rows = by_score["rows"].to_numpy()
            middle = (rows.cumsum() - rows / 2) / rows.sum()
            decile = np.minimum((middle * len(DECILES)).astype(int), len(DECILES) - 1)
            np.add.at(part[:, p], decile, by_score["was_won"].to_numpy())
            np.add.at(whole[:, p], decile, rows)
        value = np.divide(part, whole, out=np.full(shape, np.nan), where=whole > 0)
        low, high = intervals.wilson(part, whole)
        return Grid.of(DECILES, value, whole, low=low, high=high, why="no lead with such a score in this period")


@dataclass(frozen=True, eq=False)
class ScoreAuc(Quantity):
    """Chance that a lead that was won scores higher than one that was not (area under the ROC curve); 0.5 is no use.

    Mann and Whitney's U over the number of pairs, ties counting one half; interval by Hanley and McNeil (1982).
    """

    of: Rows
    unit: str = "share"
    note: str = ""

    def scans(self) -> Iterator[Scan]:
        """Leads and wins by score."""
        yield Scan(self.of, ("rows", "was_won"), ("score",))

    def grid(self, reducer: Reducer) -> Grid:
        """The area, of the leads created in each period."""
        table = reducer.run(next(self.scans())).table
        shape = (1, len(reducer.window.periods))
        value, low, high = (np.full(shape, np.nan) for _ in range(3))
        n = np.zeros(shape)
        for p, cell in table[table["p"] >= 0].groupby("p"):
            n[0, p] = cell["rows"].sum()
            value[0, p], low[0, p], high[0, p] = area(cell.groupby("score")[["rows", "was_won"]].sum())
        return Grid.of(("",), value, n, low=low, high=high, why="no lead of this period was won, or all were")


def area(by_score: pd.DataFrame) -> tuple[float, float, float]:
    """Area under the ROC curve and its interval from ``rows`` and ``was_won`` by rising score."""
    won = by_score["was_won"].to_numpy()
    other = by_score["rows"].to_numpy() - won
    wins, others = won.sum(), other.sum()
    if wins == 0 or others == 0:
        return np.nan, np.nan, np.nan
    below = np.concatenate([[0.0], other.cumsum()[:-1]])
    a = float((won * (below + other / 2)).sum() / (wins * others))
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    variance = (a * (1 - a) + (wins - 1) * (q1 - a * a) + (others - 1) * (q2 - a * a)) / (wins * others)
    half = intervals.Z * np.sqrt(max(variance, 0.0))
    return a, max(0.0, a - half), min(1.0, a + half)
