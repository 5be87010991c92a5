"""Workbooks to records: calamine reads the cells in a process of its own, so that a bomb takes down only itself.

Dates and whole numbers are written as a text export would have them.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kpis.errors import InputError
from kpis.intake import limits
from kpis.intake.blocks import Record
from kpis.intake.sources import packed_too_tight

_WORKER = Path(__file__).parent / "sheets_worker.py"
_WAY_OUT = "Save the table alone as CSV"


@dataclass(frozen=True)
class Sheet:
    """A worksheet: its name, whether it is shown, and where its cells were written down."""

    name: str
    is_shown: bool
    path: Path

    def records(self) -> Iterator[Record]:
        """Row number and cells of every row; an empty row has no cells."""
        with self.path.open(encoding="utf-8", newline="") as file:
            for number, cells in enumerate(csv.reader(file), 1):
                yield number, cells if any(cells) else []


def read(path: Path, scratch: Path) -> list[Sheet]:
    """The worksheets of a workbook, written down in ``scratch``.

    InputError when it is damaged, protected, or asks for more memory, time or cells than a table does.
    """
    _check(path)
    folder = scratch / f"{path.name}_sheets"
    folder.mkdir()
    bounds = [str(n) for n in (limits.WORKER_BYTES, limits.WORKER_SECONDS, limits.CELLS, limits.COLUMNS)]
    try:
        done = subprocess.run(  # noqa: S603  our own script, and a path of our own
            [sys.executable, "-I", str(_WORKER), str(path), str(folder), *bounds],
            capture_output=True,
            timeout=limits.WORKER_SECONDS + 10,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InputError(
            f"the workbook takes longer than {limits.WORKER_SECONDS} seconds to open", way_out=_WAY_OUT
        ) from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        why = (
            said[-1][:200]
            if said and done.returncode == 1
            else f"it asks for more than {limits.WORKER_BYTES >> 30} GB of memory or is damaged"
        )
        raise InputError(
            f"the workbook cannot be read: {why}", way_out="Open it and save it again, or " + _WAY_OUT.lower()
        )
    found = json.loads((folder / "sheets.json").read_text(encoding="utf-8"))
    return [Sheet(name, shown, folder / f"{n}.csv") for n, (name, shown) in enumerate(found)]


def _check(path: Path) -> None:
    """Refuse a workbook that would unpack to far more than it is, before anything opens it."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            problem = packed_too_tight(archive.infolist(), path.stat().st_size)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise InputError(f"the workbook is damaged ({error})", way_out=_WAY_OUT) from None
    if problem:
        raise InputError(problem, way_out=_WAY_OUT)
