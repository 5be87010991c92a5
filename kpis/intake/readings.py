"""How the columns of one file are written: decided once for each column, from all of its values.

What the engine can cast as it is, is cast there (``survey`` tells). The rest goes through a dictionary of its
different values, read in Python by ``numbers`` and ``dates`` and written back. The columns of one file speak
for each other: a decimal comma in one tells how another is meant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from kpis.engine import Engine
from kpis.intake import dates, numbers
from kpis.intake.formats import Format
from kpis.intake.raw import RawTable, quote
from kpis.intake.survey import day
from kpis.intake.words import FALSE, NULLS, NULLS_BEYOND_TEXT, TRUE
from kpis.schema import Column
from kpis.settings import Settings

NO_ID = frozenset({"000000000000000", "000000000000000AAA", "00000000-0000-0000-0000-000000000000"})
"""What Salesforce and Dynamics write for no record at all."""
NUMBERS = ("money", "number", "count", "share")
DATES = ("date", "plan_date")
TIMED = {"opportunity_history": "changed_at", "opportunities": "modified_at"}
"""The one column of a table whose time of day orders its rows."""
_NULL_TEXT = ", ".join(quote(word) for word in sorted(NULLS - {""}))
_LONGEST_NULL = max(map(len, NULLS))


@dataclass
class Reading:
    """How one column is read.

    Parameters
    ----------
    value
        SQL for its value, as far as a cast gives one.
    dictionary
        Table of what else its texts mean; empty when a cast is enough.
    has_times
        Whether its days may come with times.
    """

    column: Column
    source: str
    value: str
    dictionary: str = ""
    has_times: bool = True

    @property
    def text(self) -> str:
        """Where the typed rows keep a text until the dictionary has read it."""
        return f"_text_{self.column.name}"


class Style:
    """Decides how the columns of one file are written; what it notices on the way is for the report.

    Parameters
    ----------
    warnings, questions
        What the person should know, and what only a person can decide.
    codes
        Currencies named beside amounts.
    """

    def __init__(self, engine: Engine, raw: RawTable, form: Format | None, settings: Settings) -> None:
        self.engine, self.raw, self.form, self.settings = engine, raw, form, settings
        self.warnings: list[str] = []
        self.questions: list[str] = []
        self.codes: set[str] = set()

    def readings(self, wanted: Sequence[tuple[str, Column, str]]) -> list[Reading]:
        """How each wanted column is read, in the same order."""
        casts: dict[str, str] = {}
        left: dict[str, list[str]] = {}
        for source, column, _ in wanted:
            casts[source], left[source] = self._cast(source, column)
        votes = [numbers.mark_shown(t) for s, c, _ in wanted if c.kind in NUMBERS for t in left[s][:5000]]
        mark: numbers.Mark | None = "," if self.raw.decimal_comma else None
        if votes.count(".") != votes.count(","):
            mark = "." if votes.count(".") > votes.count(",") else ","
        styles = self._date_styles({s: left[s] for s, c, _ in wanted if c.kind in DATES and left[s]}, wanted)
        readings = []
        for source, column, header in wanted:
            texts, values = left[source], {}
            if not texts:
                has_times = self.raw.facts[int(source[1:])].has_times
                readings.append(Reading(column, source, casts[source], has_times=has_times))
                continue
            if column.kind in DATES:
                values = self._days(texts, styles[source])
            elif column.kind == "flag":
                values = {t: 1 if t.lower() in TRUE else 0 if t.lower() in FALSE else None for t in texts}
            else:
                values = self._numbers(texts, column, header, mark)
            readings.append(self._by_dictionary(source, column, casts[source], values))
        return readings

    def _cast(self, source: str, column: Column) -> tuple[str, list[str]]:
        """SQL for the values that need no more than a cast, and the different values that do need more."""
        cell, facts, kind = f"r.{source}", self.raw.facts[int(source[1:])], column.kind
        if kind in ("id", "text", "category"):
            return _text_value(source, column), []
        if kind in DATES and facts.has_days and facts.odd is not None:
            return day(cell), sorted(facts.odd)
        if kind in NUMBERS and facts.is_plain and (facts.is_whole or kind != "count"):
            if kind != "share" or facts.largest <= 1:
                return f"TRY_CAST({cell} AS DOUBLE)", []
            if facts.largest <= 100:
                return f"TRY_CAST({cell} AS DOUBLE) / 100", []
        cast = day(cell) if kind in DATES else "NULL"
        texts = f"SELECT DISTINCT {cell} FROM {self.raw.relation} r WHERE {cell} IS NOT NULL AND {cast} IS NULL AND _why IS NULL ORDER BY 1"
        return cast, [row[0] for row in self.engine.execute(texts).fetchall()]

    def _date_styles(
        self, texts: Mapping[str, Sequence[str]], wanted: Sequence[tuple[str, Column, str]]
    ) -> dict[str, dates.DateStyle]:
        """The order of day and month of every irregular date column; undecided ones become questions."""
        usual = self.form.dates if self.form else None
        why = f"{self.form.name} writes {usual}" if self.form else ""
        styles = {s: dates.decide(t, self.settings.dates, usual, why) for s, t in texts.items()}
        header = {s: h for s, _, h in wanted}
        proven = {style.order for style in styles.values() if style.order and "can only be" in style.why}
        for source, style in styles.items():
            if style.undecided and len(proven) == 1:
                styles[source] = dates.DateStyle(next(iter(proven)), "the other dates of the file are")
            elif style.undecided and (order := self._by_sequence(source, wanted, texts)):
                styles[source] = dates.DateStyle(order, "the other order would close deals before they were created")
        for source, style in styles.items():
            if style.undecided:
                examples = ", ".join(repr(t) for t in style.undecided)
                self.questions.append(
                    f'{header[source]}: {examples} read both day-first and month-first and nothing in the file decides; set dates = "day-first" or dates = "month-first" in the settings'
                )
            elif style.order and style.why and "settings" not in style.why:
                self.warnings.append(f"{header[source]}: dates are read {style.order}, since {style.why}")
        return styles

    def _by_sequence(
        self, source: str, wanted: Sequence[tuple[str, Column, str]], texts: Mapping[str, Sequence[str]]
    ) -> dates.Order | None:
        """The order under which an undecided date does not contradict a decided one of the same rows."""
        names = {s: c.name for s, c, _ in wanted}
        late = names[source] in ("closed_at", "close_date", "won_at", "lost_at", "expected_close")
        others = [
            s
            for s, name in names.items()
            if s not in texts and ((name == "created_at") if late else name in ("closed_at", "close_date"))
        ]
        if not others or (not late and names[source] != "created_at"):
            return None
        rows = self.engine.execute(
            f"SELECT {source}, TRY_CAST({others[0]} AS DATE) FROM {self.raw.relation} WHERE _why IS NULL LIMIT 20000"
        ).fetchall()
        return dates.order_that_fits([row[0] for row in rows], [row[1] for row in rows], after=late)

    def _days(self, texts: Sequence[str], style: dates.DateStyle) -> dict[str, date | None]:
        return {t: dates.parse_day(t, style.order, self.settings.fiscal_start) for t in texts}

    def _numbers(
        self, texts: Sequence[str], column: Column, header: str, mark: numbers.Mark | None
    ) -> dict[str, float | None]:
        style = numbers.decide(texts, mark, column.kind == "count")
        if not style.proven:
            self.warnings.append(
                f"{header}: {style.example!r} is read with a decimal point; a decimal comma elsewhere in the file would tell"
            )
        if column.kind == "money":
            self.codes |= {code for t in texts[:5000] if (code := numbers.currency_in(t))}
        values = {t: numbers.parse_number(t, style.mark) for t in texts}
        if column.kind == "share":
            plain = [v for t, v in values.items() if v is not None and "%" not in t]
            hundred = max(map(abs, plain), default=0) > 1
            return {
                t: v if v is None or 0 <= v <= 1 else None
                for t in texts
                for v in [numbers.parse_share(t, style.mark, hundred)]
            }
        if column.kind == "count":
            return {t: v if v is None or v == int(v) else None for t, v in values.items()}
        return values

    def _by_dictionary(self, source: str, column: Column, cast: str, values: Mapping[str, Any]) -> Reading:
        """Put the values that were read in Python beside their texts, as a table."""
        name = f"_dictionary_{self.raw.relation}_{source}"
        timed = [dates.time_of(t) for t in values] if column.name in TIMED.values() else [None] * len(values)
        frame = pa.table(
            {
                "text": pa.array(list(values), pa.string()),
                "value": pa.array(list(values.values()), pa.date32() if column.kind in DATES else pa.float64()),
                "seconds": pa.array(timed, pa.int64()),
                "is_unread": [v is None and t.lower() not in NULLS_BEYOND_TEXT for t, v in values.items()],
            }
        )
        self.engine.register(name, frame)
        if column.name in TIMED.values():
            self.engine.execute(f"ALTER TABLE {name} ADD COLUMN moment TIMESTAMP")
            self.engine.execute(f"UPDATE {name} SET moment = value::TIMESTAMP + to_seconds(coalesce(seconds, 0))")
        return Reading(column, source, cast, name)


def _text_value(source: str, column: Column) -> str:
    """SQL for text: words for nothing are null, an id loses its decoration.

    A category is left as it is: ``categories`` looks at its different values anyway, which costs less.
    """
    text = f"r.{source}"
    if column.kind == "category":
        return text
    if column.kind == "id":
        nothing = ", ".join(quote(word) for word in sorted(NO_ID))
        text = f"CASE WHEN {text} NOT IN ({nothing}) THEN {_bare_id(text)} END"
    empty = f"CASE WHEN length(r.{source}) <= {_LONGEST_NULL} THEN lower(r.{source}) IN ({_NULL_TEXT}) END"
    return f"CASE WHEN {empty} THEN NULL ELSE {text} END"


def _bare_id(text: str) -> str:
    """SQL: the first of several ids, without the prefix that Zoho writes."""
    return (
        f"CASE WHEN contains({text}, ';') OR starts_with({text}, 'zcrm_') "
        f"THEN regexp_replace(split_part({text}, ';', 1), '^zcrm_', '') ELSE {text} END"
    )
