"""The report of one file: how its columns were read, and what became of each of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kpis.engine import Embedded
from kpis.intake.accounting import FileReport, Reject
from kpis.intake.clean import Cleaned
from kpis.intake.lookups import Recognised
from kpis.intake.mapping import Mapped
from kpis.intake.raw import RawTable
from kpis.intake.tables import aside, kept

SAMPLES, LONGEST = 20, 60
"""Different values of a column that a report keeps, and the characters of each."""
_UNUSED = {"web_traffic": ("kept as it is: no measure uses traffic by day, page or query yet",)}


def report(engine: Embedded, n: int, file: Recognised, cleaned: Cleaned | None, said: Sequence[str]) -> FileReport:
    """What became of file ``n``; ``cleaned`` is None for a lookup and a refused file, ``said`` are notes on its rows."""
    raw, form = file.raw, file.form.name if file.form else ""
    if file.into is not None:
        return _lookup(engine, file)
    if cleaned is None:
        return FileReport(
            raw.label, form or raw.kind, None, reason=file.reason, warnings=raw.warnings, samples=_samples(raw)
        )
    [(accepted,)] = engine.execute(
        f"SELECT coalesce(sum(rows), 0)::INTEGER FROM {kept(file.table)} WHERE _file = {n}"
    ).fetchall()
    of_file = f"FROM {aside(file.table)} WHERE _file = {n}"
    [(merged,)] = engine.execute(f"SELECT count(*) {of_file} AND _why IS NULL").fetchall()
    rejects = engine.execute(f"SELECT _line, _why {of_file} AND _why IS NOT NULL ORDER BY 1").fetchall()
    return FileReport(
        raw.label,
        f"{form}, {raw.kind}" if form else f"{raw.kind}, by its columns",
        file.table,
        accepted + len(rejects) + merged,
        accepted,
        len(rejects),
        merged,
        mapping=_mapping(file),
        rejects=tuple(Reject(*r) for r in rejects),
        warnings=(*raw.warnings, *cleaned.warnings, *said, *_UNUSED.get(file.table, ())),
        questions=tuple(cleaned.questions),
        samples=_samples(raw),
    )


def _lookup(engine: Embedded, file: Recognised) -> FileReport:
    """A lookup's rows are merged into the table that refers to them."""
    raw = file.raw
    rejects = engine.execute(f"SELECT _line, _why FROM {raw.relation} WHERE _why IS NOT NULL ORDER BY 1").fetchall()
    return FileReport(
        raw.label,
        f"{raw.kind}, a lookup",
        file.table,
        raw.rows,
        0,
        len(rejects),
        raw.rows - len(rejects),
        mapping=_mapping(file),
        rejects=tuple(Reject(*r) for r in rejects),
        warnings=raw.warnings,
        joined=True,
        samples=_samples(raw),
    )


def _samples(raw: RawTable) -> dict[str, tuple[str, ...]]:
    """A few different values of each of the file's own columns."""
    return {
        header: tuple(value[:LONGEST] for value in list(dict.fromkeys(filter(None, raw.values(n))))[:SAMPLES])
        for n, header in enumerate(raw.header[: raw.width])
    }


def _mapping(file: Recognised) -> tuple[Mapped, ...]:
    """The file's own columns; one close date serves two fields, and an unused column has none."""
    shown: list[Mapped] = []
    for m in file.mapped[: file.raw.width]:
        if m.field == "close_date":
            shown.append(replace(m, field="closed_at", why=f"{m.why}; of closed deals"))
            shown.append(replace(m, field="expected_close", why=f"{m.why}; of open deals"))
        else:
            shown.append(m if m.field else replace(m, field=None, confidence=0.0))
    return tuple(shown)
