"""Control limits: how far a share may stray from its centre by chance alone."""

from __future__ import annotations

import numpy as np

from kpis.measures.core.grid import Grid
from kpis.measures.core.quantities import Derived
from kpis.measures.core.quantity import Quantity
from kpis.measures.core.rows import Window

FEWEST = 4
"""Whole periods a centre is taken from; with fewer nothing can be called out of control."""


def p_chart(grid: Grid, window: Window) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre, lower and upper limit of a share in each period: p̄ ± 3 √(p̄(1 − p̄)/n), kept within 0 and 1.

    p̄ is the share over the whole periods together. Source: Shewhart's p-chart; three standard errors give a
    false alarm in about 3 of 1,000 periods.
    """
    known = np.isfinite(grid.value) & (grid.n > 0) & window.whole
    n = np.where(known, grid.n, 0.0)
    total = n.sum(axis=1, keepdims=True)
    enough = known.sum(axis=1, keepdims=True) >= FEWEST
    hits = (np.where(known, grid.value, 0.0) * n).sum(axis=1, keepdims=True)
    p = np.divide(hits, total, out=np.full(total.shape, np.nan), where=enough & (total > 0))
    size = np.where(grid.n > 0, grid.n, np.nan)
    half = 3 * np.sqrt(p * (1 - p) / size)
    centre = np.where(np.isfinite(size), p, np.nan)
    return centre, np.clip(centre - half, 0.0, 1.0), np.clip(centre + half, 0.0, 1.0)


def control_limits(of: Quantity) -> dict[str, Quantity]:
    """The p-chart of a share as parts: centre, limits, and 1 where the share is outside of them."""

    def pick(which: str) -> Derived:
        def formula(grid: Grid, window: Window) -> Grid:
            centre, low, high = p_chart(grid, window)
            outside = ((grid.value < low) | (grid.value > high)).astype(float)
            outside = np.where(np.isfinite(low) & np.isfinite(grid.value), outside, np.nan)
            value = {"centre": centre, "lower_limit": low, "upper_limit": high, "out_of_control": outside}[which]
            why = np.where(grid.reason == "", f"needs {FEWEST} whole periods", grid.reason)
            return Grid.of(grid.groups, value, grid.n, why=why)

        return Derived(
            formula, (of,), "count" if which == "out_of_control" else "share", "p-chart, three standard errors"
        )

    return {which: pick(which) for which in ("centre", "lower_limit", "upper_limit", "out_of_control")}
