"""Text columns to typed columns: how each is written is decided once, from all its values.

Columns that the engine can cast as they are, are cast there. The others go through a dictionary of their
different values, read in Python by ``numbers`` and ``dates`` and joined back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pyarrow as pa

from kpis.engine import Engine
from kpis.intake import dates, fields, numbers
from kpis.intake.formats import Format
from kpis.intake.mapping import Mapped
from kpis.intake.raw import RawTable, numbered, quote
from kpis.intake.words import FALSE, NULLS, NULLS_BEYOND_TEXT, TRUE
from kpis.schema import DUCKDB_TYPE, Column
from kpis.settings import Settings

NO_ID = frozenset({"000000000000000", "000000000000000AAA", "00000000-0000-0000-0000-000000000000"})
_NUMBERS = ("money", "number", "count", "share")
_DATES = ("date", "plan_date")
_NULL_TEXT = ", ".join(quote(word) for word in sorted(NULLS - {""}))
_LONGEST_NULL = max(map(len, NULLS))
_TIMED = {"opportunity_history": "changed_at", "opportunities": "modified_at"}
"""The one column of a table whose time of day orders its rows."""


@dataclass
class Cleaned:
    """How the rows of one file become typed rows: SQL for each of its fields, and what was noticed on the way.

    Parameters
    ----------
    values
        Field (or ``_why``, ``_at``, ``_bad_close``) -> SQL for its value.
    source
        SQL for the rows, as ``r`` and what is joined to it.
    maps
        Dictionaries of values that the SQL needs.
    codes
        Currencies named in headers or beside amounts.
    questions
        What only a person can decide, with the setting that answers it.
    """

    number: int
    raw: RawTable
    values: dict[str, str] = field(default_factory=dict)
    source: str = ""
    maps: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    codes: set[str] = field(default_factory=set)


@dataclass
class _Reading:
    """How one column is read: SQL for its value, SQL that is true where a value cannot be read."""

    column: Column
    source: str
    value: str
    bad: str = "false"
    join: str = ""
    unreadable: list[str] = field(default_factory=list)


def clean(
    engine: Engine,
    number: int,
    raw: RawTable,
    table: str,
    mapped: Sequence[Mapped],
    form: Format | None,
    settings: Settings,
) -> Cleaned:
    """Type the mapped columns of raw table ``number`` and set aside the rows that cannot stand without a value."""
    specs = {c.name: c for c in fields.columns(table)}
    wanted = [(f"c{n}", specs[m.field], m.column) for n, m in enumerate(mapped) if m.field in specs]
    result = Cleaned(number, raw)
    style = _Style(engine, raw, form, settings, result)
    readings = style.readings(wanted)
    for source, column, header in wanted:
        if column.kind == "money" and (code := numbers.currency_in(header)):
            result.codes.add(code)
    constants = {
        name: value
        for name, value in (form.constants if form else {}).items()
        if name not in {r.column.name for r in readings}
    }
    values = {r.column.name: r.value for r in readings} | {name: quote(value) for name, value in constants.items()}
    result.values = {name: f"TRY_CAST({sql} AS {DUCKDB_TYPE[specs[name].kind]})" for name, sql in values.items()}
    result.values["_why"] = _why(table, readings, mapped, form)
    timed = next((r for r in readings if r.column.name == _TIMED.get(table)), None)
    if timed:
        result.values["_at"] = _moment(timed)
    close = next((r for r in readings if r.column.name == "close_date" and r.unreadable), None)
    if close:
        result.values["_bad_close"] = f"CASE WHEN {close.bad} THEN r.{close.source} END"
    result.source = f"{_filled(raw, form)} r {' '.join(r.join for r in readings)}"
    result.maps = [r.join.split()[2] for r in readings if r.join]
    for reading in readings:
        if reading.unreadable and not _essential(table, reading.column.name) and reading.column.name != "close_date":
            result.warnings.append(_unread(engine, raw, reading))
    return result


def _essential(table: str, name: str) -> bool:
    """Whether a row is set aside when this field cannot be read."""
    spec = fields.TABLES[table]
    dated = ("created_at", "closed_at", "won_at", "lost_at") if table == "opportunities" else (spec.dated_by,)
    return name in dated or any(c.name == name and c.required for c in spec.columns)


def _why(table: str, readings: Sequence[_Reading], mapped: Sequence[Mapped], form: Format | None) -> str:
    """SQL: why a row is set aside; null when it is not."""
    cases = []
    header_of = {m.field: m.column for m in mapped}
    for r in readings:
        header = header_of[r.column.name]
        if form and {fields.key(header), fields.bare(header)} & form.total_without:
            cases.append(f"WHEN r.{r.source} IS NULL THEN {quote(f'a total row (no {header})')}")
    for r in readings:
        name = r.column.name
        if r.unreadable and _essential(table, name):
            what = "date" if r.column.kind in _DATES else "number" if r.column.kind in _NUMBERS else "value we can read"
            before, after = quote(f"{header_of[name]}: '"), quote(f"' is no {what}")
            cases.append(f"WHEN {r.bad} THEN {before} || left(r.{r.source}, 60) || {after}")
        if any(c.name == name and c.required for c in fields.TABLES[table].columns):
            cases.append(f"WHEN {r.value} IS NULL THEN {quote(header_of[name] + ' is empty')}")
        if name == "is_deleted":
            cases.append(f"WHEN {r.value} = 1 THEN 'deleted in the source system'")
    return f"CASE WHEN r._why IS NOT NULL THEN r._why {' '.join(cases)} END"


def _filled(raw: RawTable, form: Format | None) -> str:
    """The raw rows with their lines, and with the repeated cells of a grouped report written out."""
    group, values = 0, raw.sample
    if form and form.fill_down and values:
        while (
            group < len(raw.header) - 1
            and values[0][group] is not None
            and sum(row[group] is None for row in values) >= 0.3 * len(values)
        ):
            group += 1
    down = "CASE WHEN _why IS NULL THEN last_value({c} IGNORE NULLS) OVER (ORDER BY {line}) END AS {c}"
    cells = ", ".join(down.format(c=f"c{n}", line=raw.line) if n < group else f"c{n}" for n in range(len(raw.header)))
    if group and raw.line == "NULL":
        return f"(SELECT _line, _why, {cells.replace('ORDER BY NULL', 'ORDER BY _line')} FROM {numbered(raw)})"
    return f"(SELECT {raw.line} AS _line, _why, {cells} FROM {raw.relation})"


def _moment(timed: _Reading) -> str:
    """SQL: the time a row was written, to order rows of one day."""
    return f"coalesce(TRY_CAST(r.{timed.source} AS TIMESTAMP), {'m_' + timed.source + '.moment' if timed.join else timed.value}::TIMESTAMP)"


def _unread(engine: Engine, raw: RawTable, reading: _Reading) -> str:
    engine.register("_bad", pa.table({"text": reading.unreadable}))
    count, line = engine.execute(
        f"SELECT count(*), min(_line) FROM {numbered(raw)} WHERE {reading.source} IN (SELECT text FROM _bad) AND _why IS NULL"
    ).fetchone()
    engine.execute("DROP TABLE _bad")
    first = reading.unreadable[0][:60]
    what = "date" if reading.column.kind in _DATES else "number" if reading.column.kind in _NUMBERS else "yes or no"
    return f"{reading.column.name}: {count} value(s) are no {what} and were left empty, such as {first!r} (first in line {line})"


class _Style:
    """Decides how the columns of one file are written; numbers and dates of a file speak for each other."""

    def __init__(self, engine: Engine, raw: RawTable, form: Format | None, settings: Settings, result: Cleaned) -> None:
        self.engine, self.raw, self.form, self.settings, self.result = engine, raw, form, settings, result

    def readings(self, wanted: Sequence[tuple[str, Column, str]]) -> list[_Reading]:
        """How each wanted column is read, in the same order."""
        regular = self._regular([(source, column) for source, column, _ in wanted])
        texts = {
            source: [
                row[0]
                for row in self.engine.execute(
                    f"SELECT DISTINCT {source} FROM {self.raw.relation} WHERE {source} IS NOT NULL AND _why IS NULL"
                ).fetchall()
            ]
            for source, column, _ in wanted
            if column.kind not in ("id", "text", "category") and source not in regular
        }
        votes = [numbers.mark_shown(t) for s, c, _ in wanted if c.kind in _NUMBERS for t in texts.get(s, ())[:5000]]
        mark: numbers.Mark | None = "," if self.raw.decimal_comma else None
        if votes.count(".") != votes.count(","):
            mark = "." if votes.count(".") > votes.count(",") else ","
        styles = self._date_styles({s: texts[s] for s, c, _ in wanted if c.kind in _DATES and s in texts}, wanted)
        readings = []
        for source, column, header in wanted:
            if column.kind in ("id", "text", "category"):
                readings.append(_Reading(column, source, _text_value(source, column)))
            elif source in regular:
                readings.append(_Reading(column, source, regular[source]))
            elif column.kind in _DATES:
                readings.append(self._by_dictionary(source, column, self._days(texts[source], styles[source])))
            elif column.kind == "flag":
                readings.append(
                    self._by_dictionary(
                        source,
                        column,
                        {t: 1 if t.lower() in TRUE else 0 if t.lower() in FALSE else None for t in texts[source]},
                    )
                )
            else:
                readings.append(self._by_dictionary(source, column, self._numbers(texts[source], column, header, mark)))
        return readings

    def _regular(self, wanted: Sequence[tuple[str, Column]]) -> dict[str, str]:
        """SQL for the columns that the engine casts without loss: plain numbers and ISO dates."""
        checks, found = [], {}
        for source, column in wanted:
            if column.kind in _DATES:
                value = f"TRY_CAST({source} AS DATE)"
                ok = f"count({source}) = count(CASE WHEN {value} BETWEEN DATE '{dates.FIRST}' AND DATE '{dates.LAST}' THEN 1 END)"
            elif column.kind in _NUMBERS:
                value = f"TRY_CAST({source} AS DOUBLE)"
                extra = f"AND {value} = floor({value})" if column.kind == "count" else ""
                thousands = f"regexp_full_match({source}, '-?[1-9]\\d{{0,2}}\\.\\d{{3}}')"
                ok = f"count({source}) = count(CASE WHEN abs({value}) < 1e15 {extra} THEN 1 END) AND (count({source}) = 0 OR NOT coalesce(bool_and(NOT contains({source}, '.') OR {thousands}) AND bool_or({thousands}), false))"
            else:
                continue
            top = f"max(abs(TRY_CAST({source} AS DOUBLE)))" if column.kind == "share" else "0"
            checks.append((source, column, ok, top))
        if not checks:
            return {}
        row = self.engine.execute(
            f"SELECT {', '.join(f'{ok}, {top}' for _, _, ok, top in checks)} FROM {self.raw.relation} WHERE _why IS NULL"
        ).fetchone()
        for n, (source, column, _, _) in enumerate(checks):
            if not row[2 * n]:
                continue
            if column.kind in _DATES:
                found[source] = f"CASE WHEN r._why IS NULL THEN TRY_CAST(r.{source} AS DATE) END"
            elif column.kind == "share":
                if (row[2 * n + 1] or 0) <= 100:
                    found[source] = f"TRY_CAST(r.{source} AS DOUBLE)" + (" / 100" if (row[2 * n + 1] or 0) > 1 else "")
            else:
                found[source] = f"TRY_CAST(TRY_CAST(r.{source} AS DOUBLE) AS {DUCKDB_TYPE[column.kind]})"
        return found

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
                self.result.questions.append(
                    f'{header[source]}: {examples} read both day-first and month-first and nothing in the file decides; set dates = "day-first" or dates = "month-first" in the settings'
                )
            elif style.order and style.why and "settings" not in style.why:
                self.result.warnings.append(f"{header[source]}: dates are read {style.order}, since {style.why}")
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
        return dates.order_by_sequence([row[0] for row in rows], [row[1] for row in rows], later_is_text=late)

    def _days(self, texts: Sequence[str], style: dates.DateStyle) -> dict[str, date | None]:
        return {t: dates.parse_day(t, style.order, self.settings.fiscal_start) for t in texts}

    def _numbers(
        self, texts: Sequence[str], column: Column, header: str, mark: numbers.Mark | None
    ) -> dict[str, float | None]:
        style = numbers.decide(texts, mark, column.kind == "count")
        if not style.proven:
            self.result.warnings.append(
                f"{header}: {style.example!r} is read with a decimal point; a decimal comma elsewhere in the file would tell"
            )
        if column.kind == "money":
            self.result.codes |= {code for t in texts[:5000] if (code := numbers.currency_in(t))}
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

    def _by_dictionary(self, source: str, column: Column, values: Mapping[str, Any]) -> _Reading:
        """Join the values read in Python back to their texts."""
        name = f"_map_{self.raw.relation}_{source}"
        unreadable = [t for t, v in values.items() if v is None and t.lower() not in NULLS_BEYOND_TEXT]
        kind = pa.date32() if column.kind in _DATES else pa.float64()
        timed = [dates.time_of(t) for t in values] if column.name in _TIMED.values() else [None] * len(values)
        frame = pa.table(
            {
                "text": pa.array(list(values), pa.string()),
                "value": pa.array(list(values.values()), kind),
                "bad": pa.array(
                    [v is None and t.lower() not in NULLS_BEYOND_TEXT for t, v in values.items()], pa.bool_()
                ),
                "seconds": pa.array(timed, pa.int64()),
            }
        )
        self.engine.register(name, frame)
        alias = f"m_{source}"
        join = f"LEFT JOIN {name} {alias} ON r.{source} = {alias}.text"
        if column.name in _TIMED.values():
            self.engine.execute(f"ALTER TABLE {name} ADD COLUMN moment TIMESTAMP")
            self.engine.execute(f"UPDATE {name} SET moment = value::TIMESTAMP + to_seconds(coalesce(seconds, 0))")
        return _Reading(
            column,
            source,
            f"TRY_CAST({alias}.value AS {DUCKDB_TYPE[column.kind]})",
            f"coalesce({alias}.bad, false)",
            join,
            unreadable,
        )


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
    empty = f"length(r.{source}) <= {_LONGEST_NULL} AND lower(r.{source}) IN ({_NULL_TEXT})"
    return f"CASE WHEN {empty} THEN NULL ELSE {text} END"


def _bare_id(text: str) -> str:
    """SQL: the first of several ids, without the prefix that Zoho writes."""
    return (
        f"CASE WHEN contains({text}, ';') OR starts_with({text}, 'zcrm_') "
        f"THEN regexp_replace(split_part({text}, ';', 1), '^zcrm_', '') ELSE {text} END"
    )
