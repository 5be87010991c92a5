"""Text rows to typed rows: SQL for every field, and why a row cannot stand without a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from kpis.engine import Engine
from kpis.intake import fields, numbers
from kpis.intake.formats import Format
from kpis.intake.mapping import Mapped
from kpis.intake.raw import RawTable, numbered, quote
from kpis.intake.readings import DATES, NUMBERS, TIMED, Reading, Style
from kpis.schema import DUCKDB_TYPE
from kpis.settings import Settings


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
    style = Style(engine, raw, form, settings)
    readings = style.readings(wanted)
    result = Cleaned(number, raw, warnings=style.warnings, questions=style.questions, codes=style.codes)
    for _, column, header in wanted:
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
    timed = next((r for r in readings if r.column.name == TIMED.get(table)), None)
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


def _why(table: str, readings: Sequence[Reading], mapped: Sequence[Mapped], form: Format | None) -> str:
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
            what = "date" if r.column.kind in DATES else "number" if r.column.kind in NUMBERS else "value we can read"
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


def _moment(timed: Reading) -> str:
    """SQL: the time a row was written, to order rows of one day."""
    return f"coalesce(TRY_CAST(r.{timed.source} AS TIMESTAMP), {'m_' + timed.source + '.moment' if timed.join else timed.value}::TIMESTAMP)"


def _unread(engine: Engine, raw: RawTable, reading: Reading) -> str:
    engine.register("_bad", pa.table({"text": reading.unreadable}))
    count, line = engine.execute(
        f"SELECT count(*), min(_line) FROM {numbered(raw)} WHERE {reading.source} IN (SELECT text FROM _bad) AND _why IS NULL"
    ).fetchone()
    engine.execute("DROP TABLE _bad")
    first = reading.unreadable[0][:60]
    what = "date" if reading.column.kind in DATES else "number" if reading.column.kind in NUMBERS else "yes or no"
    return f"{reading.column.name}: {count} value(s) are no {what} and were left empty, such as {first!r} (first in line {line})"
