"""Fiscal months and quarters: which period a day falls in, and the periods around it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from kpis.errors import AssumptionError

Grain = Literal["month", "quarter"]
MONTHS = {"month": 1, "quarter": 3}
_EPOCH = date(1970, 1, 1).toordinal()


def day_n(day: date) -> int:
    """Whole days from 1970-01-01 to ``day``: the companion of every date column."""
    return day.toordinal() - _EPOCH


def day_of(n: int) -> date:
    """The date that ``day_n`` maps to ``n``."""
    return date.fromordinal(int(n) + _EPOCH)


@dataclass(frozen=True, order=True)
class Period:
    """A fiscal period: first and last day, both included, and its label."""

    start: date
    end: date
    label: str

    @property
    def days(self) -> int:
        """Number of days in it."""
        return (self.end - self.start).days + 1

    def __contains__(self, day: date) -> bool:
        return self.start <= day <= self.end


@dataclass(frozen=True)
class Calendar:
    """The fiscal calendar: months or quarters, of a year that starts with ``fiscal_start`` (1-12).

    A fiscal year that does not start in January is named by the calendar year it ends in.

    Examples
    --------
    >>> Calendar("quarter").at(date(2021, 7, 15)).label
    '2021Q3'
    >>> Calendar("quarter", 4).at(date(2021, 7, 15)).label
    'FY2022Q2'
    """

    grain: Grain = "quarter"
    fiscal_start: int = 1

    def at(self, day: date, offset: int = 0) -> Period:
        """The period that holds ``day``, or the one ``offset`` periods after it (before, if negative)."""
        width = MONTHS[self.grain]
        since_start = (day.month - self.fiscal_start) % 12
        first = day.year * 12 + day.month - 1 - since_start % width + offset * width
        start, end = _first_of(first), _first_of(first + width) - timedelta(days=1)
        return Period(start, end, self._label(start))

    def after(self, day: date, n: int) -> list[Period]:
        """The period that holds ``day`` and those that follow: ``n`` in all."""
        return [self.at(day, k) for k in range(n)]

    def before(self, day: date, n: int) -> list[Period]:
        """The ``n`` whole periods before the one that holds ``day``, oldest first."""
        return [self.at(day, k) for k in range(-n, 0)]

    def named(self, label: str, near: date, within: int = 200) -> Period:
        """The period of that label, at most ``within`` periods from ``near``; AssumptionError when there is none."""
        for k in sorted(range(-within, within + 1), key=abs):
            period = self.at(near, k)
            if period.label.lower() == label.strip().lower():
                return period
        raise AssumptionError(f"There is no {self.grain} '{label}'", way_out=f"Name it like {self.at(near).label}")

    def month_of_quarter(self, day: date) -> int:
        """0, 1 or 2: which month of its fiscal quarter ``day`` is in."""
        return (day.month - self.fiscal_start) % 3

    def _label(self, start: date) -> str:
        if self.fiscal_start == 1:
            year, prefix = start.year, ""
        else:
            year, prefix = start.year + (start.month >= self.fiscal_start), "FY"
        number = (start.month - self.fiscal_start) % 12 // MONTHS[self.grain] + 1
        if self.grain == "quarter":
            return f"{prefix}{year}Q{number}"
        return f"{start:%Y-%m}" if self.fiscal_start == 1 else f"FY{year}M{number:02d}"


def _first_of(months: int) -> date:
    return date(months // 12, months % 12 + 1, 1)
