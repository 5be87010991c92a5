"""Cells to typed rows: SQL for every field, as far as a cast goes; ``settle`` does the rest once they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from kpis.intake import casts, fields, numbers
from kpis.intake.formats import Format
from kpis.intake.mapping import Mapped
from kpis.intake.raw import RawTable, quote, trimmed
from kpis.intake.readings import TIMED, Reading
from kpis.schema import DUCKDB_TYPE


@dataclass
class Cleaned:
    """How the rows of one file become typed rows: SQL for each of its fields, and what was noticed on the way.

    Parameters
    ----------
    values
        Field (or ``_why``, ``_at``, or what keeps the texts that casts leave behind) -> SQL for its value.
    source
        SQL for the rows with their cast values, as ``r``: no join, which would mix up their order.
    readings
        How its columns are read.
    same
        Field -> another field that it repeats.
    codes
        Currencies named in headers or beside amounts.
    questions
        What only a person can decide, with the setting that answers it.
    """

    number: int
    raw: RawTable
    form: Format | None
    values: dict[str, str] = field(default_factory=dict)
    source: str = ""
    readings: list[Reading] = field(default_factory=list)
    same: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    codes: set[str] = field(default_factory=set)


def clean(number: int, raw: RawTable, table: str, mapped: Sequence[Mapped], form: Format | None) -> Cleaned:
    """How the mapped columns of raw table ``number`` are typed."""
    specs = {c.name: c for c in fields.columns(table)}
    readings = [
        Reading(specs[m.field], n, m.column, casts.cast(raw, n, specs[m.field], m.field == TIMED.get(table)))
        for n, m in enumerate(mapped)
        if m.field in specs
    ]
    readings = _with_slots(readings)
    cast_values = ", ".join(f'{r.cast.sql} AS "v_{r.name}"' for r in readings)
    result = Cleaned(number, raw, form, readings=readings)
    result.source = f"(SELECT r.*, {cast_values} FROM {_filled(raw, form)} r) r"
    for r in readings:
        if r.column.kind == "money" and (code := numbers.currency_in(r.header)):
            result.codes.add(code)
    values = {r.name: f'r."v_{r.name}"' for r in readings}
    values |= {name: quote(value) for name, value in (form.constants if form else {}).items() if name not in values}
    for name, other in form.same.items() if form else ():
        if other in values and name not in values:
            values[name] = f"TRY_CAST({values[other]} AS {DUCKDB_TYPE[specs[name].kind]})"
            result.same[name] = other
            result.warnings.append(f"{name}: taken from {other}, as every row of {form.name} has come that far")
    result.values = values
    result.values |= _left_behind(readings)
    result.values["_why"] = _why(readings, form)
    timed = next((r for r in readings if r.name == TIMED.get(table)), None)
    if timed and (timed.cast.has_times or table == "opportunities"):
        # the time a row was written orders the rows of one day
        result.values["_at"] = f'coalesce({timed.cast.moment}, CAST(r."v_{timed.name}" AS TIMESTAMP))'
    if any(r.name == "close_date" for r in readings):
        result.values["_bad_close"] = "NULL"
    return result


def _with_slots(readings: Sequence[Reading]) -> list[Reading]:
    """Columns that leave few texts behind share one list; each has its place in it, from 1."""
    sharing = [r for r in readings if r.cast.leaves is not None and not r.keeps_texts]
    slots = {r.source: slot for slot, r in enumerate(sharing, 1)}
    return [replace(r, slot=slots.get(r.source)) for r in readings]


def _left_behind(readings: Sequence[Reading]) -> dict[str, str]:
    """What keeps the texts that casts leave behind -> SQL for them."""
    left = {
        r: f'CASE WHEN r."v_{r.name}" IS NULL THEN {trimmed(f"CAST({r.cast.cell} AS VARCHAR)")} END'
        for r in readings
        if r.cast.leaves is not None
    }
    kept = {r.texts: left[r] for r in readings if r.keeps_texts}
    sharing = [r for r in readings if r.slot]
    if sharing:
        odd = " OR ".join(f'(r."v_{r.name}" IS NULL AND {r.cast.cell} IS NOT NULL)' for r in sharing)
        kept["_odd"] = f"CASE WHEN {odd} THEN [{', '.join(left[r] for r in sharing)}] END"
    return kept


def _why(readings: Sequence[Reading], form: Format | None) -> str:
    """SQL: why a row is no row of the table, whatever its values are; null when it is one."""
    cases = [
        f"WHEN r.c{r.source} IS NULL THEN {quote(f'a total row: its {r.header} is empty')}"
        for r in readings
        if form and {fields.key(r.header), fields.bare(r.header)} & form.total_without
    ]
    return f"CASE WHEN r._why IS NOT NULL THEN r._why {' '.join(cases)} END" if cases else "r._why"


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
    if not group:
        return raw.relation
    filled = ", ".join(
        f"CASE WHEN _why IS NULL THEN last_value({cell} IGNORE NULLS) OVER (ORDER BY _line) END AS {cell}"
        for n in range(group)
        for cell in ([f"c{n}", f"t{n}"] if raw.is_view else [f"c{n}"])
    )
    return f"(SELECT * REPLACE ({filled}) FROM {raw.relation})"
