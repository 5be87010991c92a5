"""The rows that were rejected, with their content: looked up in the files again when somebody asks for them.

Keeping every rejected row as it was written would cost memory on every load, for a table that is rarely opened.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from kpis.engine import Embedded
from kpis.errors import TandemError
from kpis.intake.accounting import FileReport
from kpis.intake.formats import known
from kpis.intake.load import load
from kpis.intake.raw import RawTable
from kpis.intake.sources import Source, Upload, gather
from kpis.settings import Connection


def rejected_rows(
    files: Iterable[str | Path | Upload], reports: Sequence[FileReport], connection: Connection | None = None
) -> pd.DataFrame:
    """File, line, reason, and every cell of the rejected rows as written, under the file's own headers.

    Parameters
    ----------
    files
        What was read, as ``read`` got it.
    reports
        What ``read`` or ``check`` told about them.
    connection
        The settings' own, where a database was read.
    """
    wanted = {report.file: report for report in reports if report.rejects}
    parts = [_told(report) for report in wanted.values()]
    with tempfile.TemporaryDirectory(prefix="tandem-") as scratch:
        engine = Embedded()
        try:
            sources = [
                s for s in gather(files, Path(scratch), connection) if any(name.startswith(s.name) for name in wanted)
            ]
            content = {raw.label: raw for source in sources for raw in _tables(engine, source, Path(scratch))}
            parts = [
                part.merge(_cells(engine, content[file], wanted[file]), on="line", how="left")
                if file in content
                else part
                for file, part in zip(wanted, parts, strict=True)
            ]
        finally:
            engine.close()
    return pd.concat(parts, ignore_index=True) if parts else _told(FileReport("", "", None))


def _told(report: FileReport) -> pd.DataFrame:
    rows = [(report.file, reject.line, reject.reason) for reject in report.rejects]
    return pd.DataFrame(rows, columns=["file", "line", "reason"])


def _tables(engine: Embedded, source: Source, scratch: Path) -> list[RawTable]:
    try:
        return load(engine, source, scratch, known)
    except TandemError:
        return []


def _cells(engine: Embedded, raw: RawTable, report: FileReport) -> pd.DataFrame:
    """The cells of the rejected rows by line."""
    cells = [f"c{n}" for n in range(raw.width)]
    rows = engine.execute(
        f"SELECT _line, {', '.join(cells)} FROM {raw.relation} WHERE _line IN (SELECT unnest($1::BIGINT[]))",
        [[reject.line for reject in report.rejects]],
    ).fetchall()
    taken = {"file", "line", "reason"}
    names = [f"{name} (of the file)" if name in taken else name for name in raw.header[: raw.width]]
    return pd.DataFrame(rows, columns=["line", *names]).drop_duplicates("line")
