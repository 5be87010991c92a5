"""How the columns of one file are written: decided once for each column, from all of its texts.

What the engine can cast as it is, is cast while the rows are stored (``casts``). The texts that are left behind go
through a dictionary, read in Python by ``numbers`` and ``dates`` and written back by ``settle``. The columns of one
file speak for each other: a decimal comma in one tells how another is meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from kpis.engine import Embedded
from kpis.intake import dates, numbers
from kpis.intake.casts import DATES, FEW, NUMBERS, Cast
from kpis.intake.formats import Format
from kpis.intake.raw import RawTable
from kpis.intake.words import FALSE, NULLS_BEYOND_TEXT, TRUE
from kpis.schema import Column
from kpis.settings import Settings

TIMED = {"opportunity_history": "changed_at", "opportunities": "modified_at"}
"""The one column of a table whose time of day orders its rows."""
_VOTES = 5_000
"""Texts of a column that are asked for its decimal mark and its currency."""


@dataclass(frozen=True)
class Reading:
    """How one column of a file is read.

    Parameters
    ----------
    source
        Number of the column.
    header
        Its name in the file.
    slot
        Where in ``_odd`` a text that the cast left behind is kept; None where the column keeps a column of texts.
    """

    column: Column
    source: int
    header: str
    cast: Cast
    slot: int | None = None

    @property
    def name(self) -> str:
        """The field."""
        return self.column.name

    @property
    def keeps_texts(self) -> bool:
        """Whether a column of its own keeps the texts: they are many."""
        return self.cast.leaves is not None and self.cast.leaves > FEW

    @property
    def text(self) -> str:
        """SQL for the text that the cast left behind, in the typed rows."""
        return f'"{self.texts}"' if self.keeps_texts else f"_odd[{self.slot}]"

    @property
    def texts(self) -> str:
        """Name of the column of its own."""
        return f"_text_{self.name}"


class Style:
    """Decides how the columns of one file are written; what it notices on the way is for the report.

    Parameters
    ----------
    rows
        SQL for its rows as they are stored by now, with a condition that others can be added to.
    warnings, questions
        What the person should know, and what only a person can decide.
    codes
        Currencies named beside amounts.
    to_scale
        Columns of shares that turn out to count to 100.
    """

    def __init__(self, engine: Embedded, rows: str, raw: RawTable, form: Format | None, settings: Settings) -> None:
        self.engine, self.raw, self.form, self.settings = engine, raw, form, settings
        self._rows = rows
        self.warnings: list[str] = []
        self.questions: list[str] = []
        self.codes: set[str] = set()
        self.to_scale: list[Reading] = []

    def dictionaries(self, readings: Sequence[Reading]) -> dict[Reading, str]:
        """What the texts mean that were left behind: for each such column a table of text and value."""
        left = {reading.source: texts for reading in readings if (texts := self._left(reading))}
        odd = [reading for reading in readings if reading.source in left]
        seen = {r.source: [*left[r.source], *self._sample(r)] for r in odd if r.column.kind in NUMBERS}
        votes = [numbers.mark_shown(text) for texts in seen.values() for text in texts[:_VOTES]]
        mark: numbers.Mark | None = "," if self.raw.decimal_comma else None
        if votes.count(".") != votes.count(","):
            mark = "." if votes.count(".") > votes.count(",") else ","
        styles = self._date_styles({r: left[r.source] for r in odd if r.column.kind in DATES}, readings)
        marks = {
            r: numbers.decide(seen[r.source], mark, r.column.kind == "count") for r in odd if r.column.kind in NUMBERS
        }
        self.to_scale = [
            r for r in readings if r.column.kind == "share" and not r.cast.of_hundred
            and self._counts_to_hundred(r, left.get(r.source, ()), marks[r].mark if r in marks else ".")
        ]  # fmt: skip
        found = {}
        for reading in odd:
            texts = left[reading.source]
            if reading.column.kind in DATES:
                values: Mapping[str, Any] = self._days(texts, styles[reading.source])
            elif reading.column.kind == "flag":
                values = {t: 1 if t.lower() in TRUE else 0 if t.lower() in FALSE else None for t in texts}
            else:
                values = self._numbers(reading, texts, marks[reading])
            found[reading] = self._write(reading, values)
        return found

    def _counts_to_hundred(self, reading: Reading, texts: Iterable[str], mark: numbers.Mark) -> bool:
        """Whether a value of a column of shares, one without a percent sign, is more than 1."""
        plain = (numbers.parse_number(text, mark) for text in texts if "%" not in text)
        if any(abs(value) > 1 for value in plain if value is not None):
            return True
        [(is_more,)] = self.engine.execute(f'SELECT max(abs("{reading.name}")) > 1 FROM {self._rows}').fetchall()
        return bool(is_more)

    def _left(self, reading: Reading) -> list[str]:
        """The different texts that the cast of a column left behind."""
        if reading.cast.leaves is None:
            return []
        query = f"SELECT DISTINCT {reading.text} FROM {self._rows} AND {reading.text} IS NOT NULL ORDER BY 1"
        return [row[0] for row in self.engine.execute(query).fetchall()]

    def _sample(self, reading: Reading) -> list[str]:
        """Texts of the column that may show its decimal mark."""
        return [] if self.raw.is_view and self.raw.types[reading.source] != "VARCHAR" else [
            text for text in dict.fromkeys(self.raw.values(reading.source)) if text
        ]  # fmt: skip

    def _date_styles(
        self, texts: Mapping[Reading, Sequence[str]], readings: Sequence[Reading]
    ) -> dict[int, dates.DateStyle]:
        """The order of day and month of every irregular date column; undecided ones become questions."""
        usual = self.form.dates if self.form else None
        why = f"{self.form.name} writes {usual}" if self.form else ""
        styles = {r: dates.decide(t, self.settings.dates, usual, why) for r, t in texts.items()}
        proven = {style.order for style in styles.values() if style.order and "can only be" in style.why}
        for reading, style in styles.items():
            if style.undecided and len(proven) == 1:
                styles[reading] = dates.DateStyle(next(iter(proven)), "the other dates of the file are")
            elif style.undecided and (order := self._by_sequence(reading, readings, texts)):
                styles[reading] = dates.DateStyle(order, "the other order would close deals before they were created")
        for reading, style in styles.items():
            if style.undecided:
                examples = ", ".join(repr(t) for t in style.undecided)
                self.questions.append(
                    f'{reading.header}: {examples} read both day-first and month-first and nothing in the file decides; set dates = "day-first" or dates = "month-first" in the settings'
                )
            elif style.order and style.why and "settings" not in style.why:
                self.warnings.append(f"{reading.header}: dates are read {style.order}, since {style.why}")
        return {reading.source: style for reading, style in styles.items()}

    def _by_sequence(
        self, reading: Reading, readings: Sequence[Reading], texts: Mapping[Reading, Sequence[str]]
    ) -> dates.Order | None:
        """The order under which an undecided date does not contradict a decided one of the same rows."""
        late = reading.name in ("closed_at", "close_date", "won_at", "lost_at", "expected_close")
        others = [
            r.name
            for r in readings
            if r not in texts and ((r.name == "created_at") if late else r.name in ("closed_at", "close_date"))
        ]
        if not others or (not late and reading.name != "created_at"):
            return None
        rows = self.engine.execute(f'SELECT {reading.text}, "{others[0]}" FROM {self._rows} LIMIT 20000').fetchall()
        return dates.order_that_fits([row[0] for row in rows], [row[1] for row in rows], after=late)

    def _days(self, texts: Sequence[str], style: dates.DateStyle) -> dict[str, date | None]:
        return {t: dates.parse_day(t, style.order, self.settings.fiscal_start) for t in texts}

    def _numbers(self, reading: Reading, texts: Sequence[str], style: numbers.NumberStyle) -> dict[str, float | None]:
        column = reading.column
        if not style.proven:
            self.warnings.append(
                f"{reading.header}: {style.example!r} is read with a decimal point; a decimal comma elsewhere in the file would tell"
            )
        if column.kind == "money":
            self.codes |= {code for t in texts[:_VOTES] if (code := numbers.currency_in(t))}
        values = {t: numbers.parse_number(t, style.mark) for t in texts}
        if column.kind == "share":
            hundred = reading.cast.of_hundred or reading in self.to_scale
            return {
                t: v if v is None or 0 <= v <= 1 else None
                for t in texts
                for v in [numbers.parse_share(t, style.mark, hundred)]
            }
        if column.kind == "count":
            return {t: v if v is None or v == int(v) else None for t, v in values.items()}
        return values

    def _write(self, reading: Reading, values: Mapping[str, Any]) -> str:
        """Put the values that were read in Python beside their texts, as a table."""
        name, is_moment = f"_dictionary_{reading.name}", reading.name in TIMED.values()
        timed = [dates.time_of(t) if is_moment else None for t in values]
        frame = pa.table(
            {
                "text": pa.array(list(values), pa.string()),
                "value": pa.array(list(values.values()), pa.date32() if reading.column.kind in DATES else pa.float64()),
                "seconds": pa.array(timed, pa.int64()),
                "is_unread": [v is None and t.lower() not in NULLS_BEYOND_TEXT for t, v in values.items()],
            }
        )
        self.engine.register(name, frame)
        if is_moment:
            self.engine.execute(f"ALTER TABLE {name} ADD COLUMN moment TIMESTAMP")
            self.engine.execute(f"UPDATE {name} SET moment = value::TIMESTAMP + to_seconds(coalesce(seconds, 0))")
        return name
