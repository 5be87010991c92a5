"""A read dataset as files, and back: its tables as Parquet, what became of every row as JSON, the files themselves.

What comes back gives the same numbers on any later version, since nothing is read or mapped again. The files as they
came lie beside the tables, because a correction reads them once more. Who sees a part of the rows gets neither the
files nor the account of them: both are of all rows.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from datetime import date
from pathlib import Path, PurePath
from typing import Any

import duckdb
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from kpis.dataset import Dataset
from kpis.engine import Embedded
from kpis.errors import InputError
from kpis.intake import part, tables
from kpis.intake.accounting import KEPT, Defect, FileReport, Intake
from kpis.intake.raw import quote
from kpis.intake.reader import SMALL
from kpis.intake.sources import Upload
from kpis.schema import TABLES
from kpis.settings import Settings
from kpis.store import Workspace, snapshots
from kpis.store.scope import Scope
from kpis.store.snapshots import About

VERSION = 1
ACCOUNT, ORIGINALS = "intake.json", "files.zip"

_REPORTS, _DEFECTS = TypeAdapter(tuple[FileReport, ...]), TypeAdapter(tuple[Defect, ...])


def about(intake: Intake) -> About:
    """What is told of an intake that is kept, without opening it."""
    data = intake.dataset
    return About(data.name, data.fingerprint, data.newest, sum(report.accepted for report in intake.files))


def write(intake: Intake, files: Iterable[Upload | Path | str], folder: Path) -> None:
    """Write an intake, and the files it was read from, into an empty folder; an address of a database is no file."""
    data = intake.dataset
    stored = {name: _columns(data, name) for name in TABLES if name in data.present}
    cursor = data.engine.cursor()
    for name, columns in stored.items():
        rows = cursor.frame(name).select(*columns).collect("pyarrow").to_native()
        pq.write_table(rows, folder / f"{name}.parquet", compression="zstd")
    with zipfile.ZipFile(folder / ORIGINALS, "w", zipfile.ZIP_DEFLATED) as archive:
        for n, file in enumerate(file for file in files if not isinstance(file, str)):
            name, content = (file.name, file.read_bytes()) if isinstance(file, Path) else file
            archive.writestr(f"{n}/{name}", content)
    account = {
        "version": VERSION,
        "name": data.name,
        "fingerprint": data.fingerprint,
        "part": data.part,
        "newest": data.newest.isoformat(),
        "currency": data.currency,
        "amount_known_at_close": data.amount_known_at_close,
        "settings": data.settings.as_toml(),
        "present": {name: sorted(columns) for name, columns in data.present.items()},
        "tables": stored,
        "files": _REPORTS.dump_python(intake.files, mode="json"),
        "defects": _DEFECTS.dump_python(intake.defects, mode="json"),
        "notes": list(intake.notes),
    }
    (folder / ACCOUNT).write_text(json.dumps(account, ensure_ascii=False), encoding="utf-8")


def opened(workspace: Workspace, name: str) -> tuple[Intake, list[Upload]]:
    """What ``read`` gives of a snapshot of a workspace: of the rows that its person sees."""
    with snapshots.opened(workspace, name) as folder:
        return read(folder, workspace.scope)


def read(folder: Path, scope: Scope) -> tuple[Intake, list[Upload]]:
    """The intake that was written into a folder, and the files it was read from; for a part, no files.

    Raises
    ------
    InputError
        When the folder holds none that is whole, or one that a newer version has written.
    NotEnoughData
        When no deal is in the part.
    """
    try:
        account = json.loads((folder / ACCOUNT).read_text(encoding="utf-8"))
        if account["version"] > VERSION:
            raise InputError("The snapshot was written by a newer Tandem", place=folder.name, way_out="Update this one")
        with zipfile.ZipFile(folder / ORIGINALS) as archive:
            size = sum(file.file_size for file in archive.infolist())
            files = [] if scope else [(PurePath(name).name, archive.read(name)) for name in archive.namelist()]
        data = _dataset(account, folder, size, scope)
        if scope:
            return _account_of_part(data), files
        reports = _REPORTS.validate_python(account["files"])
        defects = _DEFECTS.validate_python(account["defects"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, duckdb.Error) as error:
        raise InputError(
            f"The snapshot cannot be read ({type(error).__name__})", place=folder.name, way_out="Load the files again"
        ) from error
    return Intake(data, reports, defects, tuple(account["notes"])), files


def _columns(data: Dataset, table: str) -> list[str]:
    """The columns of a stored table that hold a value (the companions of dates follow from them); one at the least."""
    filled = data.present.get(table, frozenset()) | {TABLES[table].names[0]}
    return [name for name in TABLES[table].names if name in filled]


def _account_of_part(data: Dataset) -> Intake:
    """What can be told of a part: the rows of each table, all of them accepted when they were read."""
    counts = ((name, data.engine.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]) for name in data.present)
    reports = (FileReport(name, KEPT, name, read=rows, accepted=rows) for name, rows in counts)
    return Intake(data, tuple(reports), (), (f"These are the rows of {data.part} only, chosen when they were opened.",))


def _dataset(account: dict[str, Any], folder: Path, size: int, scope: Scope) -> Dataset:
    # As many threads as the files were read with: the order of a sum can change its last digit.
    engine = Embedded(threads=1 if size < SMALL else None)
    try:
        # What a later dictionary no longer has is left; what it has besides is empty.
        stored = {
            table: [name for name in account["tables"][table] if name in TABLES[table].names]
            for table in TABLES.keys() & account["tables"].keys()
        }
        sources = {table: f"read_parquet({quote(str(folder / f'{table}.parquet'))})" for table in stored}
        where = part.conditions(engine, scope, sources, stored.get("opportunities", ()))
        for table, condition in where.items():
            tables.create(engine, table, stored[table])
            listed = ", ".join(f'"{name}"' for name in stored[table])
            rows = f"SELECT {listed} FROM {sources[table]} WHERE {condition}"
            engine.execute(f'INSERT INTO "{table}" ({listed}) {rows}')
        present = part.settled(engine, scope, where) if scope else account["present"]
        engine.lock()
    except BaseException:
        engine.close()
        raise
    newest = date.fromisoformat(account["newest"])
    settings = Settings.parse(account["settings"].encode(), "settings of the snapshot")
    return Dataset(
        engine,
        scope.mark(account["fingerprint"]),
        account["name"],
        newest,
        newest,
        {name: frozenset(columns) for name, columns in present.items()},
        settings.of_a_part() if scope else settings,
        account["currency"],
        account["amount_known_at_close"],
        " and ".join(filter(None, (account.get("part"), scope.words))),
    )
