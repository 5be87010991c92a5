"""What a question is on paper: its answer, the numbers that are shown, its charts and tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

import pandas as pd

from kpis.answers.answer import Answer, Number
from kpis.answers.render import say
from kpis.answers.words import NOT_AVAILABLE, plural
from kpis.charts.style import Picture

TEXT, DATE = "text", "date"
"""Units of a column beside those of a number."""


@dataclass(frozen=True)
class Bars:
    """A chart as stacked bars, which an office program can edit.

    Parameters
    ----------
    table
        A row a bar, by name from top to bottom (or left to right); a column a part of it.
    meanings
        What each column stands for: one of ``kpis.charts.style.MEANINGS``; None for a part that only lifts the others.
    unit
        ``money``, ``share`` or ``count``.
    upright
        Whether bars stand, as those over time do.
    """

    table: pd.DataFrame
    meanings: tuple[str | None, ...]
    unit: str
    upright: bool = False


@dataclass(frozen=True)
class Figure:
    """A chart under the question it answers.

    Parameters
    ----------
    bars
        The same as stacked bars.
    grid
        A heat map's counts, a row a line of it and a column a cell, which a table of shaded cells stands for in an
        office program.
    """

    title: str
    chart: Picture
    bars: Bars | None = None
    grid: pd.DataFrame | None = None


@dataclass(frozen=True)
class Listing:
    """A table as people read it.

    Parameters
    ----------
    columns
        Name -> heading and unit (of a number, or text or date), in their order.
    """

    title: str
    table: pd.DataFrame
    columns: Mapping[str, tuple[str, str]]

    @property
    def shown(self) -> list[str]:
        """Columns that hold a value."""
        return [name for name in self.columns if name in self.table and self.table[name].notna().any()]

    @property
    def says(self) -> bool:
        """Whether there is a row, and more in it than its name."""
        return len(self.table) > 0 and len(self.shown) > 1

    @property
    def headings(self) -> list[str]:
        """Headings of the columns that hold a value."""
        return [self.columns[name][0] for name in self.shown]

    @property
    def figures(self) -> list[bool]:
        """Which columns stand to the right, as figures do."""
        return [self.columns[name][1] not in (TEXT, DATE) for name in self.shown]

    def rows(self, currency: str, most: int) -> Iterator[list[str]]:
        """At most so many rows, as words."""
        for row in self.table[self.shown].head(most).itertuples(index=False):
            yield [cell(value, self.columns[name][1], currency) for name, value in zip(self.shown, row, strict=True)]

    def more(self, most: int) -> str:
        """Where the rows are that are not among them; empty where there are none."""
        left = len(self.table) - most
        return f"{plural(left, 'more row')} in the workbook." if left > 0 else ""


@dataclass(frozen=True)
class Section:
    """A question of the meeting on paper.

    Parameters
    ----------
    key
        Name of the answer in the JSON document, and beginning of the names of its sheets.
    shown
        Keys of the numbers that stand beside the charts; the others are in the definitions and the workbook.
    """

    key: str
    answer: Answer
    shown: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    listings: tuple[Listing, ...] = field(default=())

    @property
    def cards(self) -> list[Number]:
        """The numbers that stand beside the charts."""
        return [self.answer.numbers[key] for key in self.shown if key in self.answer.numbers]


def cell(value: object, unit: str, currency: str) -> str:
    """A value of a table in words; a text or a day that is not there is empty."""
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return "" if unit in (TEXT, DATE) else NOT_AVAILABLE
    if unit == DATE and isinstance(value, date):
        return f"{value:%d %b %Y}"
    return str(value) if unit in (TEXT, DATE) else say(Number("", float(value), unit), currency)  # type: ignore[arg-type]
