"""Files to a Dataset: the whole way through intake, and the check of files without a question."""

from __future__ import annotations

import hashlib
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from pathlib import Path, PurePosixPath

import duckdb

from kpis import log
from kpis.dataset import Dataset
from kpis.engine import Embedded
from kpis.errors import InputError, TandemError
from kpis.intake import assemble, onto, places, recognise
from kpis.intake.accounting import Defect, FileReport, Intake
from kpis.intake.assemble import Assembled
from kpis.intake.formats import known
from kpis.intake.load import load
from kpis.intake.lookups import Recognised
from kpis.intake.raw import BrokenPromise
from kpis.intake.sources import DOCUMENT, Source, Upload, gather
from kpis.intake.watch import SORTED_OUT, Watch
from kpis.periods import day_of
from kpis.settings import Settings

VERSION = "2"
"""Raised when intake reads the same bytes differently, so that nothing cached survives it."""
Progress = Watch | Callable[[float, str], None]
"""What follows a reading, or is only told when a part of it begins: share and text."""
SMALL = 20 * 2**20
"""Files that have fewer bytes in all are read on one thread."""


def read(
    files: Iterable[str | Path | Upload], *, settings: Settings | None = None, progress: Progress | None = None
) -> Intake:
    """Read files and folders (or uploads as name and bytes) into one dataset.

    Raises
    ------
    InputError
        When no file holds a usable table; when two folders hold the opportunities of two companies; when
        amounts are in several currencies and nothing converts them.
    Stopped
        When the watch was told to stop.
    """
    settings, entries, watch = settings or Settings(), list(files), _watch(progress)
    place = places.find(entries, settings)
    if place is None:
        return _read(entries, settings, watch)
    try:
        return place.settled(settings) or place.moved(_read(place.files, settings, watch))
    except BaseException:
        place.engine.close()
        raise


def extend(
    before: Intake,
    files: Iterable[str | Path | Upload],
    *,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Intake:
    """What was read before with newer exports, without reading again what it was read from.

    A newer export of the opportunities goes on with the history that the exports before it gave. An opportunity that
    an export left out and a newer one shows again begins anew.

    Raises
    ------
    InputError
        As ``read``; and when the history came from a file of its own, or the new files hold one.
    """
    settings = settings or before.dataset.settings
    found = _read(list(files), settings, _watch(progress), before)
    data = replace(
        found.dataset,
        name=before.dataset.name,
        fingerprint=hashlib.sha256(f"{before.dataset.fingerprint} {found.dataset.fingerprint}".encode()).hexdigest(),
    )
    return replace(found, dataset=data, files=(*before.files, *found.files))


def _read(
    entries: Sequence[str | Path | Upload], settings: Settings, watch: Watch, before: Intake | None = None
) -> Intake:
    """Read files, and what is read like files, into the embedded engine."""
    with tempfile.TemporaryDirectory(prefix="tandem-") as scratch, ThreadPoolExecutor(1) as beside:
        sources = gather(entries, Path(scratch), settings.connection, watch)
        print_of_files = beside.submit(fingerprint, sources, settings)
        engine, assembled, refused = _assembled(sources, Path(scratch), settings, watch, before, is_one=True)
        try:
            reports = _in_order(sources, [*refused, *assembled.reports])
            newest = _newest(assembled, reports)
            assemble.tidy(engine)
            engine.lock()
        except BaseException:
            engine.close()
            raise
        found = print_of_files.result()
    dataset = Dataset(
        engine,
        found,
        _name(entries, sources),
        newest,
        newest,
        assembled.present,
        settings,
        assembled.currency,
        assembled.amount_known_at_close,
    )
    watch.begin(1.0, "Done")
    return Intake(dataset, tuple(reports), tuple(assembled.defects), tuple(assembled.notes))


def check(
    files: Iterable[str | Path | Upload], *, settings: Settings | None = None, progress: Progress | None = None
) -> tuple[list[FileReport], list[Defect]]:
    """What became of every file, without asking that they belong together: each folder is a dataset of its own."""
    settings, entries, watch = settings or Settings(), list(files), _watch(progress)
    place = places.find(entries, settings)
    if place is not None:
        found = place.settled(settings)
        place.engine.close()
        if found is not None:
            return list(found.files), []
        entries = [*place.files]
    reports: list[FileReport] = []
    defects: dict[str, Defect] = {}
    with tempfile.TemporaryDirectory(prefix="tandem-") as scratch, ExitStack() as stack:
        sources = gather(entries, Path(scratch), settings.connection, watch)
        groups: dict[str, list[Source]] = defaultdict(list)
        for source in sources:
            groups[source.group].append(source)
        for number, group in enumerate(groups.values()):
            watch.within(number / len(groups), (number + 1) / len(groups))
            engine, assembled, refused = _assembled(group, Path(scratch), settings, watch, None, is_one=False)
            stack.callback(engine.close)
            reports += [*refused, *assembled.reports]
            for defect in assembled.defects:
                before = defects.get(defect.defect, Defect(defect.defect, 0, 0.0))
                defects[defect.defect] = replace(
                    before, rows=before.rows + defect.rows, amount=before.amount + defect.amount
                )
        reports = _in_order(sources, reports)
    watch.begin(1.0, "Done")
    return reports, sorted(defects.values(), key=lambda d: (-abs(d.amount), -d.rows))


def fingerprint(sources: Sequence[Source], settings: Settings) -> str:
    """Hash of the files' bytes, of the settings that shape what is read, and of how this version reads."""
    parts = sorted(f"{s.name}:{'' if s.refused else _digest(s.path)}" for s in sources)
    return hashlib.sha256("\n".join([VERSION, settings.model_dump_json(), *parts]).encode()).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _assembled(
    sources: Sequence[Source], scratch: Path, settings: Settings, watch: Watch, before: Intake | None, *, is_one: bool
) -> tuple[Embedded, Assembled, list[FileReport]]:
    """An engine with the tables that the sources make, what they became, and the files that were refused.

    A large file that looks regular is taken at its word, so that it is read once. When one turns out not to be,
    everything is read again and each file is looked through first. ``is_one`` refuses the data of two companies.
    """
    threads = 1 if sum(s.path.stat().st_size for s in sources) < SMALL else None
    for trusting in (True, False):
        engine = Embedded(threads=threads)
        watch.follow(engine)
        try:
            found, refused = _load(engine, sources, scratch, settings, watch, trusting)
            kept = onto.tables(engine, before, found) if before else []
            if is_one:
                _one_company(engine, [*kept, *found])
            assembled = assemble.assemble(engine, recognise.link(engine, [*kept, *found]), settings, watch)
            assembled.notes += onto.notes(engine, len(kept)) if kept else []
        except BaseException as error:
            watch.leave()
            engine.close()
            watch.check()
            if not (trusting and isinstance(error, (BrokenPromise, duckdb.Error))):
                raise
        else:
            watch.leave()
            return engine, assembled, refused
    raise AssertionError


def _load(
    engine: Embedded, sources: Sequence[Source], scratch: Path, settings: Settings, watch: Watch, trusting: bool
) -> tuple[list[Recognised], list[FileReport]]:
    """Read and recognise every source; one bad file never takes the others down."""
    found: list[Recognised] = []
    refused: list[FileReport] = []
    for number, source in enumerate(sources):
        watch.begin(SORTED_OUT * number / len(sources), source.name, SORTED_OUT * (number + 1) / len(sources))
        try:
            tables = load(engine, source, scratch, known, watch, trusting=trusting)
        except TandemError as error:
            if source.kind != DOCUMENT:
                log.note(error)
            refused.append(FileReport(source.name, _kind(source), None, reason=str(error)))
            continue
        except Exception as error:  # noqa: BLE001  one file must never take the others down
            log.note(error)
            why = f"it cannot be read; unexpected {type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"
            refused.append(FileReport(source.name, _kind(source), None, reason=why.replace(str(scratch), "")))
            continue
        found += [recognise.recognise(table, settings) for table in tables]
    return found, refused


def _kind(source: Source) -> str:
    ending = source.name.rpartition(".")[2]
    return ending.upper() if ending and ending != source.name and len(ending) <= 5 else "unknown"


def _one_company(engine: Embedded, files: Sequence[Recognised]) -> None:
    """Refuse two folders whose opportunities have other columns and no id in common: they are two companies'."""
    deals = [f for f in files if f.table == "opportunities"]
    for n, first in enumerate(deals):
        for second in deals[n + 1 :]:
            if first.raw.source.group == second.raw.source.group or {m.column for m in first.mapped} == {
                m.column for m in second.mapped
            }:
                continue
            ids = [
                next((f"c{i}" for i, m in enumerate(f.mapped) if m.field == "opportunity_id"), None)
                for f in (first, second)
            ]
            shared = 0
            if all(ids):
                shared = engine.execute(
                    f"SELECT count(*) FROM (SELECT {ids[0]} FROM {first.raw.relation} INTERSECT SELECT {ids[1]} FROM {second.raw.relation})"
                ).fetchone()[0]
            if not shared:
                raise InputError(
                    "There are two sets of opportunities with different columns and no id in common",
                    place=f"{first.raw.source.group} and {second.raw.source.group}",
                    way_out="Pass one of the folders; `check` accepts both",
                )


def _in_order(sources: Sequence[Source], reports: Iterable[FileReport]) -> list[FileReport]:
    """Reports in the order of the files they are about."""
    rank = {s.name: n for n, s in enumerate(sources)}
    return sorted(
        reports, key=lambda r: max(n for name, n in rank.items() if r.file == name or r.file.startswith(f"{name} › "))
    )


def _newest(assembled: Assembled, reports: Sequence[FileReport]) -> date:
    """The newest day; InputError when the files make no dataset."""
    if assembled.conflict:
        raise InputError(assembled.conflict[0], way_out=assembled.conflict[1])
    if any(r.accepted for r in reports) and assembled.newest is None:
        raise InputError(
            "No row has a date that places it in time",
            way_out="Export the date on which each opportunity was created, and on which it closed",
        )
    if not assembled.present or assembled.newest is None:
        raise InputError(
            _nothing(reports),
            way_out="Export opportunities with an id, a stage or status, an amount and dates as CSV or XLSX",
        )
    return day_of(assembled.newest)


def _nothing(reports: Sequence[FileReport]) -> str:
    if not reports:
        return "There is no file to read"
    first = next((r for r in reports if r.reason), reports[0])
    return f"None of {len(reports)} file(s) holds a usable table; {first.file}: {first.reason or 'no row was accepted'}"


def _name(entries: Sequence[str | Path | Upload], sources: Sequence[Source]) -> str:
    """What to call the data: the folder or file that was named, else the first file."""
    if "://" in sources[0].group:
        return PurePosixPath(sources[0].group).stem
    if len(entries) == 1 and not isinstance(entries[0], tuple):
        path = Path(entries[0]).resolve()
        return path.name if path.is_dir() else path.stem
    return sources[0].stem


def _watch(progress: Progress | None) -> Watch:
    return progress if isinstance(progress, Watch) else Watch(progress)
