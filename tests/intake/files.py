"""Small files for the tests of intake, and their reading."""

from __future__ import annotations

from typing import Any

from kpis.intake import FileReport, Intake, check, read
from kpis.settings import Settings


def uploads(**files: str | bytes) -> list[tuple[str, bytes]]:
    """Uploads by name: ``deals="..."`` is deals.csv; a double underscore stands for the dot of another ending."""
    return [
        (name.replace("__", ".") if "__" in name else f"{name}.csv", data.encode() if isinstance(data, str) else data)
        for name, data in files.items()
    ]


def load(settings: Settings | None = None, **files: str | bytes) -> Intake:
    """Read uploads into a dataset."""
    return read(uploads(**files), settings=settings)


def look(settings: Settings | None = None, **files: str | bytes) -> dict[str, FileReport]:
    """Check uploads; reports by file, with the accounting identity verified."""
    reports = check(uploads(**files), settings=settings)[0]
    for report in reports:
        assert report.read == report.accepted + report.rejected + report.merged
        assert report.rejected == len(report.rejects)
        assert (report.table is None) == bool(report.reason)
    return {report.file: report for report in reports}


def rows(intake: Intake, sql: str) -> list[tuple[Any, ...]]:
    """What a query on the stored tables gives."""
    return intake.dataset.engine.execute(sql).fetchall()
