"""Days as whole numbers since 1970-01-01: what the simulation must know of each, and how one is written."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from kpis.periods import Calendar, day_n, day_of

NEVER = 1_000_000
"""The day of an event that does not happen; later than any day that is written."""

EDGE_DAYS = 7
"""How many days the first and the last part of a month have."""


class Days:
    """Facts about each day from ``first`` to ``last``, as arrays that are indexed by ``day - first``."""

    def __init__(self, first: int, last: int) -> None:
        self.first = first
        stamps = np.arange(first, last + 1).astype("datetime64[D]")
        months = stamps.astype("datetime64[M]")
        number = months.astype(int)
        month_start = months.astype("datetime64[D]").astype(int)
        next_month = (months + 1).astype("datetime64[D]").astype(int)
        day = stamps.astype(int)
        part = np.where(day - month_start < EDGE_DAYS, 0, np.where(next_month - day <= EDGE_DAYS, 2, 1))
        self.phase: np.ndarray = number % 3 * 3 + part
        """Month of the quarter (0, 1, 2) x 3 + part of the month (first 7 days, middle, last 7 days)."""
        self.weekday: np.ndarray = (day + 3) % 7
        """0 is Monday."""
        self.week: np.ndarray = (day + 3) // 7
        """Number of the week, from the one that holds 1970-01-01."""
        self.month: np.ndarray = number % 12
        """0 is January."""
        self.month_number: np.ndarray = number
        """Months since January 1970."""
        self.quarter: np.ndarray = number // 3
        """Quarters since the first of 1970."""
        self.month_end: np.ndarray = next_month - 1
        self.quarter_end: np.ndarray = (months + 3 - number % 3).astype("datetime64[D]").astype(int) - 1

    def __getitem__(self, name_and_day: tuple[str, np.ndarray | int]) -> np.ndarray:
        """The named fact of one or many days: ``days["phase", day]``."""
        name, day = name_and_day
        return getattr(self, name)[np.asarray(day) - self.first]


def quarter_label(quarter: int) -> str:
    """Label of a quarter counted from the first of 1970: 2026Q3."""
    return f"{1970 + quarter // 4}Q{quarter % 4 + 1}"


def month_starts(first: int, last: int) -> np.ndarray:
    """First days of the months from the one that holds ``first`` to the one that holds ``last``."""
    one, other = np.array([first, last]).astype("datetime64[D]").astype("datetime64[M]").astype(int)
    return np.arange(one, other + 1).astype("datetime64[M]").astype("datetime64[D]").astype(int)


def quarters(first: int, last: int) -> list[tuple[int, int]]:
    """First and last day of every quarter from the one that holds ``first`` to the one that holds ``last``."""
    calendar, found = Calendar("quarter"), []
    day: date = day_of(first)
    while day_n(day) <= last:
        period = calendar.at(day)
        found.append((day_n(period.start), day_n(period.end)))
        day = calendar.at(day, 1).start
    return found


def iso(days: np.ndarray, until: int = NEVER - 1) -> pd.Series:
    """Days as ISO text; missing where a day comes after ``until``: it is not known yet."""
    days = np.asarray(days, dtype=np.int64)
    known = days <= until
    text = np.where(known, days, 0).astype("datetime64[D]").astype(str)
    return pd.Series(text, dtype="str").where(known)
