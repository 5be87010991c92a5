"""Write the cells of a workbook down as CSV files: run as a script, inside bounds, by ``sheets``.

It imports nothing of Tandem, so that it starts fast and a workbook that breaks it breaks nothing else.
"""

from __future__ import annotations

import csv
import json
import sys
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any


def bound(memory: int, seconds: int) -> None:
    """Give this process at most so much memory and processor time; without effect on Windows."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def as_text(value: Any) -> str:
    """A cell's value as a text export would write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}" if value.time() == time() else f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, (date, time, timedelta)):
        return str(value)
    return " ".join(str(value).split("\n"))


def write(path: str, folder: Path, most_cells: int, most_columns: int) -> None:
    """Write ``0.csv`` and so on, and their names and visibility as ``sheets.json``."""
    from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

    book = CalamineWorkbook.from_path(path)
    found = []
    for sheet in book.sheets_metadata:
        if sheet.typ != SheetTypeEnum.WorkSheet:
            continue
        shown = sheet.visible == SheetVisibleEnum.Visible
        with (folder / f"{len(found)}.csv").open("w", encoding="utf-8", errors="replace", newline="") as file:
            if shown:
                cells = book.get_sheet_by_name(sheet.name)
                if cells.width > most_columns or cells.height * cells.width > most_cells:
                    sys.exit(f"sheet {sheet.name!r} has {cells.height:,} rows and {cells.width:,} columns")
                writer = csv.writer(file)
                for row in cells.to_python(skip_empty_area=False):
                    writer.writerow([as_text(value) for value in row])
        found.append((sheet.name, shown))
    (folder / "sheets.json").write_text(json.dumps(found), encoding="utf-8")


def main() -> None:
    """Arguments: workbook, folder to write to, bytes of memory, seconds, cells, columns."""
    path, folder, memory, seconds, cells, columns = sys.argv[1:]
    bound(int(memory), int(seconds))
    try:
        write(path, Path(folder), int(cells), int(columns))
    except MemoryError:
        sys.exit("it asks for too much memory")
    except Exception as error:  # noqa: BLE001  whatever breaks, the reason is handed over
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
