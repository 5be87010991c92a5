"""What a raw table is: by the person's mapping, by a known format, else by the table its columns fit best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kpis.engine import Embedded
from kpis.errors import AssumptionError
from kpis.intake import fields, formats, mapping
from kpis.intake.lookups import Recognised, Values, attach, choose_keys
from kpis.intake.raw import RawTable
from kpis.settings import Settings


def recognise(raw: RawTable, settings: Settings) -> Recognised:
    """Table and mapping of one raw table; ``table`` stays empty where nothing fits, with the reason."""
    said = _corrections(raw, settings)
    if said and len(said) == len(raw.header) and not any(target for target, _ in said.values()):
        return Recognised(raw, "", reason="left out, as you said")
    form = formats.recognise(raw.header)
    tables = [target.partition(".")[0] for target, _ in said.values() if target]
    if not tables:
        found = _recognise(raw, form)
        if not said or not found.table:
            return found
        tables = [found.table]
    table = max(set(tables), key=tables.count)
    form = form if form and form.table == table else None
    own = {n: (target.partition(".")[2], why) for n, (target, why) in said.items()}
    named = {field for field, _ in own.values() if field}
    by_format = _by_format(raw, form) if form else {}
    fixed = {n: one for n, one in by_format.items() if one[0] not in named} | own
    given = form.given if form else frozenset()
    mapped = mapping.assign(raw.header, raw.profiles, raw.values, table, fixed, given)
    return Recognised(raw, table, tuple(mapped), form, fixed=tuple(fixed.items()))


def _recognise(raw: RawTable, form: formats.Format | None) -> Recognised:
    """Table and mapping by the format, else by the columns."""
    if form and not form.table:
        return Recognised(raw, "", form=form, reason=form.reason)
    if form:
        fixed = _by_format(raw, form)
        mapped = mapping.assign(raw.header, raw.profiles, raw.values, form.table, fixed, form.given)
        if not mapping.missing(form.table, mapped, form.given):
            return Recognised(raw, form.table, tuple(mapped), form, fixed=tuple(fixed.items()))
    return _by_columns(raw, Recognised(raw, "", form=form))


def _by_format(raw: RawTable, form: formats.Format) -> dict[int, tuple[str, str]]:
    """Columns that a format names; one that it leaves out on purpose is fixed to no field."""
    taken: set[str] = set()
    fixed = {}
    for n, header in enumerate(raw.header):
        named = next(
            (form.columns[key] for key in (fields.key(header), fields.bare(header)) if key in form.columns), None
        )
        if named is None or (named and named in taken):
            continue
        taken.add(named)
        fixed[n] = (named, f"a column of {form.name}" if named else f"a column of {form.name} that no number needs")
    return fixed


def _by_columns(raw: RawTable, bare: Recognised) -> Recognised:
    """The table whose fields the columns fit best."""
    profiles = bare.profiles
    best: Recognised | None = None
    best_weight, nearest = 0.0, ("", [""], 0.0)
    for table in fields.TABLES:
        if not mapping.possible(raw.header, table):
            continue
        mapped = mapping.assign(raw.header, profiles, raw.values, table, {})
        total, lacking = mapping.weight(table, mapped, raw.stem), mapping.missing(table, mapped)
        if lacking:
            # a name and an id alone are near to every table and say nothing
            if sum(bool(m.field) for m in mapped) > 2 and total - len(lacking) > nearest[2]:
                nearest = (table, lacking, total - len(lacking))
        elif total > best_weight:
            best, best_weight = Recognised(raw, table, tuple(mapped)), total
    if best:
        return best
    if not raw.named:
        return replace(bare, reason="")
    return replace(
        bare,
        mapped=tuple(
            mapping.Mapped(
                h, None, 0.0, f"for {nearest[0]}, the nearest, it lacks {', '.join(nearest[1])}" if nearest[0] else ""
            )
            for h in raw.header
        ),
    )


def _corrections(raw: RawTable, settings: Settings) -> dict[int, tuple[str, str]]:
    """What the person said about this file: column number -> (table.field or nothing, why).

    A file of another name is the same export once more when it has exactly the columns that were mapped; a file is
    left out by its name alone.
    """
    names = (raw.label, raw.source.name, raw.source.name.rpartition("/")[2])
    said = next((settings.mapping[name] for name in names if name in settings.mapping), None)
    if said is None:
        alike = (columns for columns in settings.mapping.values() if set(columns) == set(raw.header))
        said = next((columns for columns in alike if any(columns.values())), {})
    for column, target in said.items():
        table, _, field = target.partition(".")
        if target and (table not in fields.TABLES or field not in {c.name for c in fields.columns(table)}):
            raise AssumptionError(
                f"mapping: {target!r} is no table and field",
                place=f"{raw.label}, column {column!r}",
                way_out="Write it as table.field, such as opportunities.amount",
            )
    return {
        n: (said[column], "set by you" if said[column] else "set by you: not used")
        for n, column in enumerate(raw.header)
        if column in said
    }


def link(engine: Embedded, files: Sequence[Recognised]) -> list[Recognised]:
    """Choose the keys that join, join the lookups, and give a reason to what is left over."""
    values = Values(engine)
    files = choose_keys([_dictionary(f, files) for f in files], values)
    files = choose_keys(attach(engine, files, values), values)
    return [f if f.table or f.reason else replace(f, reason=_reason(f)) for f in files]


def _dictionary(file: Recognised, files: Sequence[Recognised]) -> Recognised:
    """Refuse a data dictionary: a column of it lists the column names of the other files."""
    if file.table or file.reason:
        return file
    headers = {fields.key(h) for other in files if other is not file for h in other.raw.header}
    for n in range(len(file.raw.header)):
        values = {fields.key(v) for v in file.raw.values(n) if v}
        if len(values) >= 4 and len(values & headers) >= 0.6 * len(values):
            return replace(
                file,
                reason=f"a data dictionary: its column {file.raw.header[n]!r} describes the columns of the other files",
            )
    return file


def _reason(file: Recognised) -> str:
    if not file.raw.named:
        return "no line of it reads like a header, so nothing tells what its columns are; add a header line"
    shown = ", ".join(file.raw.header[:6]) + (", ..." if len(file.raw.header) > 6 else "")
    near = file.mapped[0].why if file.mapped else ""
    return f"no table has columns like these ({shown}){'; ' + near if near else ''}, and no other file refers to it by a key"
