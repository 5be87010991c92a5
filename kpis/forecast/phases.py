"""Position in the fiscal period: wins bunch at its end, losses are cleaned up at its start."""

from __future__ import annotations

import numpy as np

from kpis.periods import Calendar

EDGE_DAYS = 7
"""How many days the first and the last part of a month have."""

PHASES = 9
"""Month of the quarter (0, 1, 2) x part of that month (first days, middle, last days)."""


def phase_of(days: np.ndarray, calendar: Calendar) -> np.ndarray:
    """Phase 0..8 of each whole-number day.

    ``month of fiscal quarter * 3 + part``; the part is 0 in the first seven days of the month, 2 in the
    last seven, 1 between.
    """
    stamps = days.astype("datetime64[D]")
    months = stamps.astype("datetime64[M]")
    day_of_month = (stamps - months).astype(int)
    length = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(int)
    part = np.where(day_of_month < EDGE_DAYS, 0, np.where(day_of_month >= length - EDGE_DAYS, 2, 1))
    month = (months.astype(int) % 12 + 1 - calendar.fiscal_start) % 3
    return month * 3 + part


def describe(phase: int) -> str:
    """A phase in words, for tables."""
    month, part = divmod(phase, 3)
    return f"{('first', 'second', 'third')[month]} month, {('first 7 days', 'middle', 'last 7 days')[part]}"
