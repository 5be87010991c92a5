"""What recalibration tells deals apart by, beside the stage: amount band, expected close and pushes."""

from __future__ import annotations

import numpy as np

from kpis.engine import NEVER
from kpis.pipeline.stints import Stints

BANDS = 6
"""No amount, and the quintiles of the amount at creation."""

BUCKETS = 5
"""Expected close overdue, in window 0, 1, 2, or later."""

PUSHES = 3
"""Moved later never, once, or more often."""

CLOSES = BUCKETS * PUSHES + 1
"""Bucket x pushes, and one level for deals without an expected close."""


def margins(stints: Stints, row: np.ndarray, ends: tuple[int, ...], band: np.ndarray) -> np.ndarray:
    """Code ``band * CLOSES + close`` of each deal in ``row``; the close level is 0 where none is known.

    ``band`` is the amount band of every deal, as the hazards have it.
    """
    deals = stints.deals.iloc[row]
    expected = deals["expected_close"].to_numpy()
    bucket = np.where(expected <= stints.today, 0, 1 + np.searchsorted(np.array(ends), expected))
    pushes = np.minimum(deals["pushes"].to_numpy(), PUSHES - 1)
    close = np.where(expected < NEVER, 1 + np.minimum(bucket, BUCKETS - 1) * PUSHES + pushes, 0)
    return band[row] * CLOSES + close


def split(margin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Band and close level of each margin code."""
    return margin // CLOSES, margin % CLOSES
