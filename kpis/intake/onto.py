"""Newer exports onto data that are there already: what was read before is not read again.

The tables of a dataset go through intake once more as tables of the dictionary, beside the new files. A newer export of
the opportunities is then the newest of two: what differs from the day before becomes history, and the history that is
there stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import narwhals.stable.v2 as nw

from kpis.engine import Embedded
from kpis.errors import InputError
from kpis.intake import events, fields, snapshots
from kpis.intake.accounting import Intake
from kpis.intake.lookups import Recognised
from kpis.intake.mapping import Mapped
from kpis.intake.raw import RawTable, new_name, sampled
from kpis.intake.sources import Source
from kpis.intake.tables import aside

_WAY_OUT = "Load all files together"


def tables(engine: Embedded, before: Intake, new: Sequence[Recognised]) -> list[Recognised]:
    """The tables of an earlier reading as recognised tables of another engine, to stand before the new ones.

    Raises
    ------
    InputError
        When the history came from a file, so that the changes since then can only come from one as well; when the
        new files say something about the earlier ones, too.
    """
    given = {report.table for report in before.files}
    told = {(m.field or "").partition(".")[0] for report in before.files for m in report.mapping}
    if "opportunity_history" in given | told:
        raise InputError(
            "The files of before tell their own history, which a newer export does not go on with", way_out=_WAY_OUT
        )
    for file in new:
        if file.table in ("opportunity_history", "rates") or events.stage_days(file):
            raise InputError("It tells of what was read before as well", place=file.raw.label, way_out=_WAY_OUT)
    # stages that were guessed are guessed again
    names = [name for name in before.dataset.present if name in fields.TABLES and (name != "stages" or name in given)]
    return [_table(engine, before, name) for name in names]


def notes(engine: Embedded, files: int) -> list[str]:
    """What to say of the earlier tables, which are the first so many files, once the new ones are with them."""
    if aside("opportunities") not in engine.tables():
        return []
    gone = f"SELECT count(*) FROM {aside('opportunities')} WHERE _file BETWEEN 0 AND {files - 1} AND _why IS NOT NULL"
    [(deals,)] = engine.execute(gone).fetchall()
    return (
        [
            f"{deals:,} open deal(s) are missing from the newer export and are left out: nothing tells what became of them"
        ]
        if deals
        else []
    )


def _table(engine: Embedded, before: Intake, name: str) -> Recognised:
    data = before.dataset
    columns = [
        c for c in fields.TABLES[name].names if c in data.present[name] and c not in fields.SET_HERE.get(name, ())
    ]
    frame = data.engine.cursor().frame(name)
    if name == "opportunities" and "amount" in columns:
        # a list price that stood in for an amount is none of the deal's own
        frame = frame.with_columns(amount=nw.when(nw.col("amount_basis") != "list price").then(nw.col("amount")))
    if name == "opportunity_history":
        frame = frame.sort("seq")
    stored, relation = f"_before_{name}", new_name()
    engine.register(stored, frame.select(*columns).collect("pyarrow").to_native())
    [(rows,)] = engine.execute(f"SELECT count(*) FROM {stored}").fetchall()
    cells = ", ".join(f'CAST("{c}" AS VARCHAR) AS c{n}, "{c}" AS t{n}' for n, c in enumerate(columns))
    engine.execute(
        f"CREATE VIEW {relation} AS SELECT (row_number() OVER ())::INTEGER AS _line, NULL::VARCHAR AS _why, {cells} FROM {stored}"
    )
    types = tuple(row[1] for row in engine.execute(f"DESCRIBE {stored}").fetchall())
    label = f"{data.name} {_day(before)}"
    raw = RawTable(
        Source(label, "", Path()), label, name, relation, tuple(columns), rows, "before", types, 1, width=len(columns),
        sample=sampled(engine, relation, len(columns), rows),
    )  # fmt: skip
    return Recognised(raw, name, tuple(Mapped(c, c, 1.0, "read before") for c in columns), derived=True)


def _day(before: Intake) -> str:
    """The day of the newest export of opportunities, which the label hands on; else the newest day of the data."""
    names = [report.file for report in before.files if report.table == "opportunities"]
    days = [day for name in names if (day := snapshots.day_of_export(name, (), before.dataset.settings.dates))]
    return max(days, default=before.dataset.newest).isoformat()
