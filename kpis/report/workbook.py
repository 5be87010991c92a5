"""The pack as a workbook: the sheet that computes, and every table unrounded."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from kpis.answers.spreadsheet import harmless
from kpis.answers.words import symbol
from kpis.report import live
from kpis.report.pack import TITLE, Pack

LONGEST = 31
"""Characters of a sheet's name that Excel takes."""

LINE = 15
"""Height of a line of text, in points."""

_FORBIDDEN = re.compile(r"[\[\]:*?/\\']")


def xlsx(pack: Pack) -> bytes:
    """The pack as an Excel workbook."""
    buffer = BytesIO()
    texts_only = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with Workbook(buffer, {"in_memory": True, **texts_only}) as book:
        book.set_properties(
            {"title": TITLE, "subject": pack.subject, "created": datetime.combine(pack.as_of, time(), UTC)}
        )
        pages = _Pages(book)
        summary = pages.add("Summary")
        live.write(book, pages.add(live.SHEET), pack.found, symbol(pack.found.currency))
        pages.rows(summary, _summary(pack), widths=(48, 110, 8, 80, 40))
        sheets = {
            "Numbers": _numbers(pack),
            "Notes": _notes(pack),
            "Rests on": pd.DataFrame(pack.facts, columns=["what", "words"]),
        }
        for name, table in sheets.items():
            pages.rows(pages.add(name), table, widths=(40, 60, 16, 16, 90))
        for section in pack.sections:
            for name, table in section.answer.tables.items():
                pages.rows(pages.add(f"{section.key} {name}"), table)
    return buffer.getvalue()


def _summary(pack: Pack) -> pd.DataFrame:
    """The questions with their answers, under what the workbook is about."""
    rows = [(TITLE, pack.subject), *((s.answer.question, s.answer.sentence) for s in pack.sections)]
    return pd.DataFrame(rows, columns=["question", "answer"])


def _numbers(pack: Pack) -> pd.DataFrame:
    """Every number of every answer with its definition."""
    rows = [
        (s.answer.question, n.label, n.value, n.unit, n.help, n.reason if n.value is None else "")
        for s in pack.sections
        for n in s.answer.numbers.values()
    ]
    return pd.DataFrame(rows, columns=["question", "number", "value", "unit", "definition", "why there is none"])


def _notes(pack: Pack) -> pd.DataFrame:
    """How the numbers came about, and what was left out."""
    return pd.DataFrame(
        [(s.answer.question, note) for s in pack.sections for note in s.answer.notes], columns=["question", "note"]
    )


class _Pages:
    """The sheets of a book, each under a name of its own."""

    def __init__(self, book: Workbook) -> None:
        self.book = book
        self.bold, self.day = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd"})
        self.wrapped = book.add_format({"text_wrap": True, "valign": "top"})

    def add(self, name: str) -> Worksheet:
        """A sheet; its name is cut to what Excel takes, and told apart from one that is there."""
        short = _FORBIDDEN.sub(" ", name)[:LONGEST].strip()
        taken, n = {sheet.get_name().lower() for sheet in self.book.worksheets()}, 2
        unique = short
        while unique.lower() in taken:
            unique, n = f"{short[: LONGEST - len(str(n)) - 1]} {n}", n + 1
        return self.book.add_worksheet(unique)

    def rows(self, sheet: Worksheet, table: pd.DataFrame, widths: tuple[int, ...] = ()) -> None:
        """A table, unrounded; texts stay texts, whatever they look like."""
        sheet.freeze_panes(1, 0)
        for c, name in enumerate(table.columns):
            sheet.write_string(0, c, str(harmless(str(name))), self.bold)
            sheet.set_column(c, c, widths[c] if c < len(widths) else 18, self.wrapped if widths else None)
        for r, row in enumerate(table.itertuples(index=False), 1):
            if widths:
                # A program that does not fit the heights itself would lay wrapped lines over each other.
                lines = max(-(-len(str(value)) // width) for value, width in zip(row, widths, strict=False))
                sheet.set_row(r, LINE * max(lines, 1))
            for c, value in enumerate(row):
                self._write(sheet, r, c, value)

    def _write(self, sheet: Worksheet, row: int, column: int, value: Any) -> None:
        if value is None or (not isinstance(value, str) and np.ndim(value) == 0 and pd.isna(value)):
            return
        look: Format | None = self.day if isinstance(value, date) else None
        if isinstance(value, (bool, np.bool_)):
            sheet.write_boolean(row, column, bool(value))
        elif isinstance(value, date):
            sheet.write_datetime(row, column, datetime.combine(value, time()), look)
        elif isinstance(value, (int, float, np.number)) and np.isfinite(value):
            sheet.write_number(row, column, float(value))
        else:
            sheet.write_string(row, column, str(harmless(str(value))))
