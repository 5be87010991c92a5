"""Text rows to typed rows: SQL for every field, as far as a cast goes; ``settle`` does the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kpis.engine import Engine
from kpis.intake import fields, numbers
from kpis.intake.formats import Format
from kpis.intake.mapping import Mapped
from kpis.intake.raw import RawTable, quote
from kpis.intake.readings import TIMED, Reading, Style
from kpis.schema import DUCKDB_TYPE
from kpis.settings import Settings


@dataclass
class Cleaned:
    """How the rows of one file become typed rows: SQL for each of its fields, and what was noticed on the way.

    Parameters
    ----------
    values
        Field (or ``_why``, ``_at``, ``_bad_close``, the text that a dictionary reads) -> SQL for its value.
    source
        SQL for the rows, as ``r``: no join, which would mix up their order.
    readings, headers
        How its columns are read, and field -> the column it came from.
    same
        Field -> another field that it repeats.
    codes
        Currencies named in headers or beside amounts.
    questions
        What only a person can decide, with the setting that answers it.
    """

    number: int
    raw: RawTable
    values: dict[str, str] = field(default_factory=dict)
    source: str = ""
    readings: list[Reading] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    same: dict[str, str] = field(default_factory=dict)
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
    """How the mapped columns of raw table ``number`` are typed."""
    specs = {c.name: c for c in fields.columns(table)}
    wanted = [(f"c{n}", specs[m.field], m.column) for n, m in enumerate(mapped) if m.field in specs]
    style = Style(engine, raw, form, settings)
    readings = style.readings(wanted)
    headers = {m.field: m.column for m in mapped if m.field}
    result = Cleaned(
        number, raw, source=f"{_filled(raw, form)} r", readings=readings, headers=headers,
        warnings=style.warnings, questions=style.questions, codes=style.codes,
    )  # fmt: skip
    for _, column, header in wanted:
        if column.kind == "money" and (code := numbers.currency_in(header)):
            result.codes.add(code)
    constants = {
        name: value
        for name, value in (form.constants if form else {}).items()
        if name not in {r.column.name for r in readings}
    }
    values = {r.column.name: r.value for r in readings} | {name: quote(value) for name, value in constants.items()}
    for name, other in form.same.items() if form else ():
        if other in values and name not in values:
            values[name] = values[other]
            result.same[name] = other
            result.warnings.append(f"{name}: {other} of each row, as every row of {form.name} is one")
    result.values = {name: f"TRY_CAST({sql} AS {DUCKDB_TYPE[specs[name].kind]})" for name, sql in values.items()}
    result.values |= {r.text: f"CASE WHEN {r.value} IS NULL THEN r.{r.source} END" for r in readings if r.dictionary}
    result.values["_why"] = _why(readings, headers, form)
    timed = next((r for r in readings if r.column.name == TIMED.get(table)), None)
    if timed and (timed.has_times or table == "opportunities"):
        result.values["_at"] = _moment(timed)
    if any(r.column.name == "close_date" and r.dictionary for r in readings):
        result.values["_bad_close"] = "NULL"
    return result


def _why(readings: Sequence[Reading], headers: Mapping[str, str], form: Format | None) -> str:
    """SQL: why a row is no row of the table, whatever its values are; null when it is one."""
    cases = []
    for r in readings:
        header = headers[r.column.name]
        if form and {fields.key(header), fields.bare(header)} & form.total_without:
            cases.append(f"WHEN r.{r.source} IS NULL THEN {quote(f'a total row (no {header})')}")
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
    down = "CASE WHEN _why IS NULL THEN last_value({c} IGNORE NULLS) OVER (ORDER BY _line) END AS {c}"
    cells = ", ".join(down.format(c=f"c{n}") if n < group else f"c{n}" for n in range(len(raw.header)))
    return f"(SELECT _line, _why, {cells} FROM {raw.relation})" if group else raw.relation


def _moment(timed: Reading) -> str:
    """SQL: the time a row was written, to order rows of one day."""
    return f"coalesce(TRY_CAST(r.{timed.source} AS TIMESTAMP), CAST({timed.value} AS TIMESTAMP))"
