"""Sources to raw tables: each file is read as what its bytes say it is, whatever it is called.

A regular CSV goes straight through DuckDB's reader (``direct``). Any other text (other encodings, preambles, footers,
several tables, line breaks in cells, ragged rows) and every sheet is first written down as a regular CSV with the
original line numbers, so there is one reader and one form of the result.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from kpis.engine import Embedded
from kpis.errors import InputError
from kpis.intake import direct, limits, sheets, text
from kpis.intake.blocks import Block, Known, Record, split
from kpis.intake.raw import RawTable, check_width, different, new_name, quote, sampled, trimmed, why_set_aside
from kpis.intake.sources import Source
from kpis.intake.watch import Watch


def load(
    engine: Embedded, source: Source, scratch: Path, known: Known, watch: Watch | None = None, *, trusting: bool = False
) -> list[RawTable]:
    """The tables of a source; InputError with the reason when there is none.

    Parameters
    ----------
    watch
        Asked now and then whether the reading is to end.
    trusting
        Take a large file that looks regular for regular and leave it where it lies; ``raw.hold`` is then to be
        asked when its rows are stored.
    """
    if source.refused:
        raise InputError(source.refused)
    watch = watch or Watch()
    with source.path.open("rb") as file:
        magic = file.read(8)
    if magic.startswith(b"PAR1"):
        tables = [direct.parquet(engine, source, trusting)]
    elif magic.startswith((b"PK", b"\xd0\xcf\x11\xe0")):
        tables = _workbook(engine, source, scratch, known, watch)
    else:
        tables = _text(engine, source, scratch, known, watch, trusting)
    return [replace(table, width=len(table.header)) for table in tables]


def _text(
    engine: Embedded, source: Source, scratch: Path, known: Known, watch: Watch, trusting: bool
) -> list[RawTable]:
    dialect = text.sniff(source.path, trusting=trusting and source.path.stat().st_size >= direct.LARGE)
    table = direct.regular(engine, source, dialect, known, trusting)
    if table:
        return [table]
    said = [] if dialect.is_utf8 else [f"read as {text.NAMES.get(dialect.encoding, dialect.encoding)}"]
    lines = _watched(text.records(source.path, dialect, said), watch)
    tables = _irregular(engine, source, scratch, lines, known, source.name, source.stem)
    if not tables:
        raise InputError("it holds text but no table with a header and columns")
    shown = (*said[:5], f"and {len(said) - 5} more such lines") if len(said) > 6 else tuple(said)
    comma = dialect.delimiter == ";"
    return [replace(t, warnings=shown + t.warnings, decimal_comma=comma) for t in tables]


def _watched(records: Iterator[Record], watch: Watch) -> Iterator[Record]:
    for n, record in enumerate(records):
        if n % 10_000 == 0:
            watch.check()
        yield record


def _irregular(
    engine: Embedded, source: Source, scratch: Path, records: Iterator[Record], known: Known, label: str, stem: str
) -> list[RawTable]:
    """Every table in the records, each written down as a regular CSV and read back."""
    blocks: list[Block] = []
    files: list[tuple[Path, TextIO]] = []
    try:
        for block, line, why, cells in split(records, known):
            if not blocks or blocks[-1] is not block:
                check_width(len(block.header))
                blocks.append(block)
                path = scratch / f"{source.path.name}_t{len(list(scratch.iterdir()))}"
                files.append((path, path.open("w", encoding="utf-8", errors="replace", newline="")))
                writer = csv.writer(files[-1][1], quoting=csv.QUOTE_ALL, lineterminator="\n")
            padded = [*cells, *[""] * (len(block.header) - len(cells))]
            writer.writerow([line, why, *(cell.replace("\r\n", "\n").replace("\r", "\n") for cell in padded)])
    finally:
        for _, file in files:
            file.close()
    tables = []
    for number, (block, (path, _)) in enumerate(zip(blocks, files, strict=True), 1):
        relation, cells = new_name(), [f"c{n}" for n in range(len(block.header))]
        columns = ", ".join(["'_line': 'INTEGER'", "'_why': 'VARCHAR'", *(f"'{c}': 'VARCHAR'" for c in cells)])
        reader = (
            f"read_csv({quote(str(path))}, auto_detect=false, header=false, delim=',', quote='\"', escape='\"', parallel=false, "
            f"max_line_size={limits.LINE}, columns={{{columns}}})"
        )
        why = f"coalesce(nullif(_why, ''), {why_set_aside(cells)})"
        [(rows,)] = engine.execute(
            f"CREATE TABLE {relation} AS SELECT _line, {why} AS _why, {', '.join(f'{trimmed(c)} AS {c}' for c in cells)} "
            f"FROM {reader}"
        ).fetchall()
        path.unlink()
        tables.append(
            RawTable(
                source,
                label if len(blocks) == 1 else f"{label} › table {number}",
                stem,
                relation,
                different(block.header),
                rows,
                warnings=_around(block),
                before=tuple(block.before),
                after=tuple(block.after),
                named=block.named,
                sample=sampled(engine, relation, len(cells), rows),
            )
        )
    return tables


def _around(block: Block) -> tuple[str, ...]:
    """What the report says about lines that are no rows."""
    warnings = []
    if not block.named:
        warnings.append("no line reads like a header, so the columns are numbered")
    if block.before:
        warnings.append(f"{len(block.before)} line(s) above the table are no rows: {'; '.join(block.before)[:200]}")
    if block.after:
        warnings.append(f"{len(block.after)} line(s) below the table are no rows: {'; '.join(block.after)[:200]}")
    if block.short:
        warnings.append(f"{block.short} row(s) have fewer cells than the header; the missing ones are empty")
    return tuple(warnings)


def _workbook(engine: Embedded, source: Source, scratch: Path, known: Known, watch: Watch) -> list[RawTable]:
    """Every sheet that is shown; a note on the hidden and the empty ones."""
    tables, aside = [], []
    found = sheets.read(source.path, scratch)
    several = sum(sheet.is_shown for sheet in found) > 1
    for sheet in found:
        if not sheet.is_shown:
            aside.append(f"sheet {sheet.name!r} is hidden and was not read")
            continue
        label, stem = (f"{source.name} › {sheet.name}", sheet.name) if several else (source.name, source.stem)
        inside = _irregular(engine, source, scratch, _watched(sheet.records(), watch), known, label, stem)
        if not inside:
            aside.append(f"sheet {sheet.name!r} holds no table")
        tables += inside
    if not tables:
        raise InputError("; ".join(aside) or "the workbook holds no table")
    return [replace(t, kind="XLSX", warnings=t.warnings + tuple(aside)) for t in tables]
