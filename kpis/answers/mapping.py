"""What each column was taken for, and what a correction of it changed."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.words import plural
from kpis.intake.accounting import FileReport
from kpis.intake.corrections import chosen, correction, proposed
from kpis.intake.mapping import SURE, Mapped

NOT_USED = "not used"
SHOWN = 3
"""Sample values of a column that are shown."""
CHANGES = "What has the correction changed?"


def mapping_answer(files: Sequence[FileReport]) -> Answer:
    """What the columns of all files were taken for.

    Tables: ``files`` (a row a file that has columns: table, columns, used, unsure) and ``mapping`` (a row a
    column: file, column, samples, field, confidence, why).
    """
    shown = [file for file in files if file.samples]
    columns = pd.concat([columns_of(file).assign(file=file.file) for file in shown] or [columns_of(_NO_FILE)])
    used = columns["field"] != NOT_USED
    unsure = used & (columns["confidence"] < SURE)
    counts = columns.assign(used=used, unsure=unsure).groupby("file", sort=False)[["used", "unsure"]].sum()
    per_file = pd.DataFrame(
        [(file.file, taken_for(file), len(file.samples)) for file in shown], columns=["file", "table", "columns"]
    ).merge(counts, left_on="file", right_index=True, how="left")
    doubt = "all of them are sure"
    if unsure.any():
        doubt = f"{plural(unsure.sum(), 'is', 'are')} unsure: look at {'it' if unsure.sum() == 1 else 'them'} first"
    said = f"{used.sum():,} of {plural(len(columns), 'column')} are used, and {doubt}."
    if not used.any():
        said = f"None of {plural(len(columns), 'column')} is used: say which table the file is, and what they hold."
    return Answer(
        question="What was each column taken for?",
        sentence=said,
        tables={"files": per_file, "mapping": columns},
    )


def taken_for(file: FileReport) -> str:
    """The table a file was taken for, in words."""
    if not file.table:
        return NOT_USED
    return f"joined into {file.table}" if file.joined else file.table


def columns_of(file: FileReport, table: str | None = None) -> pd.DataFrame:
    """A row a column of one file: column, samples, field, confidence, why.

    Parameters
    ----------
    table
        Another table than the file was taken for: then what the columns would be in it.
    """
    told = {m.column: m for m in (file.mapping if table is None else proposed(file, table))}
    fields = chosen(file) if table is None else {column: m.field or "" for column, m in told.items()}
    rows = []
    for column, values in file.samples.items():
        m = told.get(column, Mapped(column, None, 0.0, file.reason))
        # What became rows of another table has no field of this one, and is used all the same.
        elsewhere = m.field if m.field and "." in m.field else ""
        field = fields.get(column) or elsewhere or NOT_USED
        why = m.why.removesuffix("; of open deals")
        rows.append((column, " · ".join(values[:SHOWN]), field, m.confidence if field != NOT_USED else None, why))
    return pd.DataFrame(rows, columns=["column", "samples", "field", "confidence", "why"])


def corrected(file: FileReport, table: str, columns: pd.DataFrame) -> dict[str, str]:
    """The entry of the settings for a file whose table and columns a person went over.

    Raises
    ------
    AssumptionError
        When a field is chosen twice, or one that the table needs is not chosen.
    """
    fields = {
        column: "" if field == NOT_USED or "." in field else field
        for column, field in zip(columns["column"], columns["field"], strict=True)
    }
    return correction(file, "" if table == NOT_USED else table, fields)


def changes_answer(before: Sequence[FileReport], after: Sequence[FileReport]) -> Answer:
    """What another reading of the same files changed.

    Tables: ``changed_columns`` (file, column, before, after) and ``changed_rows`` (file, accepted and rejected
    before and after), where they differ.
    """
    was, now = ({file.file: file for file in files} for files in (before, after))
    common = [name for name in now if name in was]
    columns = [
        (name, column, old.get(column, NOT_USED), new)
        for name in common
        for old in [_fields(was[name])]
        for column, new in _fields(now[name]).items()
        if old.get(column, NOT_USED) != new
    ]
    counts = ("accepted", "rejected", "merged")
    rows = [
        (name, *(getattr(file, count) for count in counts for file in (was[name], now[name])))
        for name in common
        if any(getattr(was[name], count) != getattr(now[name], count) for count in counts)
    ]
    accepted = sum(row[2] - row[1] for row in rows)
    moved = f"{plural(abs(accepted), 'row')} {'more' if accepted > 0 else 'fewer'} accepted" if accepted else ""
    parts = [f"{plural(len(columns), 'column is', 'columns are')} read differently" if columns else "", moved]
    said = " and ".join(filter(None, parts)) or "No column is read differently, and no row was gained or lost"
    return Answer(
        question=CHANGES,
        sentence=f"{said}.",
        tables={
            "changed_columns": pd.DataFrame(columns, columns=["file", "column", "before", "after"]),
            "changed_rows": pd.DataFrame(
                rows, columns=["file", *(f"{count}_{when}" for count in counts for when in ("before", "after"))]
            ),
        },
    )


def _fields(file: FileReport) -> dict[str, str]:
    """Column -> table and field, as a person reads it."""
    table = columns_of(file)
    where = f"{file.table}." if file.table else ""
    return {c: f if f == NOT_USED else f"{where}{f}" for c, f in zip(table["column"], table["field"], strict=True)}


_NO_FILE = FileReport("", "", None)
