"""Files that the engine reads as they are: regular CSV, and Parquet."""

from __future__ import annotations

import csv
import re
from itertools import islice
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from kpis.engine import Embedded
from kpis.errors import InputError
from kpis.intake import limits, text
from kpis.intake.blocks import Known, Record, find_header
from kpis.intake.raw import (
    SAMPLED,
    RawTable,
    Sample,
    check_width,
    different,
    new_name,
    quote,
    sampled,
    trimmed,
    why_set_aside,
)
from kpis.intake.sources import Source, too_tight

LARGE = 20 << 20
"""Bytes (of Parquet, unpacked) from which a file stays where it lies until its rows are stored for good: looking at a smaller one is cheap."""
_TAIL = 1 << 14
_BUFFER = 16 << 20
"""Bytes that the engine reads at a time: with half of its usual 32 MB, storing long narrow tables takes a third less."""


def regular(engine: Embedded, source: Source, dialect: text.Dialect, known: Known, trusting: bool) -> RawTable | None:
    """A text file of which every line is a plain row under a header on line 1; None when it is none.

    A large one is not read for that: its first and last lines and a sample between have to look it.
    """
    if not dialect.is_utf8 or dialect.nul or dialect.skip or dialect.delimiter is None:
        return None
    head: list[Record] = list(islice(text.records(source.path, dialect, []), limits.HEADER_WITHIN))
    if not head:
        raise InputError("the file is empty")
    names = [cell.strip() for cell in head[0][1]]
    straight = all(line == n and len(cells) == len(names) for n, (line, cells) in enumerate(head, 1))
    if not straight or len(names) < 2 or not all(names) or find_header([cells for _, cells in head], known) != 0:
        return None
    check_width(len(names))
    is_left = trusting and source.path.stat().st_size >= LARGE
    seen = _looked_at(source.path, dialect) if is_left else []
    if any(len(row) != len(names) for row in seen):
        return None
    relation, bare = new_name(), [f"t{n}" for n in range(len(names))]
    columns = ", ".join(f"'{t}': 'VARCHAR'" for t in bare)
    reader = (
        f"read_csv({quote(str(source.path))}, auto_detect=false, header=false, skip=1, delim={quote(dialect.delimiter)}, quote='\"', "
        f"escape='\"', strict_mode=true, null_padding=false, buffer_size={_BUFFER}, columns={{{columns}}})"
    )
    cells = ", ".join(f"{trimmed(t, dialect.odd_blanks)} AS c{n}" for n, t in enumerate(bare))
    why = why_set_aside(bare)
    rows = f"SELECT (row_number() OVER () + 1)::INTEGER AS _line, {why} AS _why, {cells}"
    promised = dialect.lines - 1
    if is_left:
        engine.execute(f"CREATE VIEW {relation} AS {rows}, {', '.join(bare)} FROM {reader}")
        parts = pa.table([pa.array([row[n] or None for row in seen], pa.string()) for n in range(len(names))], bare)
        sample = _selected(engine, parts, f"SELECT {cells} FROM _sampled WHERE ({why}) IS NULL")
    else:
        try:
            [(found,)] = engine.execute(f"CREATE TABLE {relation} AS {rows} FROM {reader}").fetchall()
        except duckdb.Error:
            return None
        if found != promised:
            engine.execute(f"DROP TABLE {relation}")
            return None
        sample = sampled(engine, relation, len(names), promised)
    return RawTable(
        source,
        source.name,
        source.stem,
        relation,
        different(names),
        promised,
        types=("VARCHAR",) * len(names) if is_left else (),
        first_line=2,
        decimal_comma=dialect.delimiter == ";",
        sample=sample,
    )


def _looked_at(path: Path, dialect: text.Dialect) -> list[list[str]]:
    """Lines at even distances over a file, and its last ones, each as a row."""
    lines: dict[int, bytes] = {}
    with path.open("rb") as file:
        file.readline()
        begin, end = file.tell(), file.seek(0, 2)
        apart = max((end - begin) // SAMPLED, 1)
        for at in range(begin, max(begin, end - _TAIL), apart):
            file.seek(at)
            if at > begin:
                file.readline()
            lines[file.tell()] = file.readline()
        file.seek(max(begin, end - _TAIL))
        if lines:
            file.readline()
        while line := file.readline():
            lines[file.tell()] = line
    texts = (line.decode("utf-8", "replace") for line in lines.values())
    return [next(csv.reader([line], delimiter=dialect.delimiter), []) for line in texts]


def _selected(engine: Embedded, rows: pa.Table, query: str) -> Sample:
    """What a query gives of rows called ``_sampled``."""
    engine.register("_sampled", rows)
    found = engine.execute(query).fetchall()
    engine.execute("DROP TABLE _sampled")
    return tuple(found)


def parquet(engine: Embedded, source: Source, trusting: bool) -> RawTable:
    """A Parquet file; its rows are numbered from 1."""
    path = quote(str(source.path))
    try:
        [(unpacked, rows)] = engine.execute(
            f"SELECT coalesce(sum(greatest(total_uncompressed_size, {limits.CELL_BYTES} * num_values)), 0), "
            f"(SELECT num_rows FROM parquet_file_metadata({path})) FROM parquet_metadata({path})"
        ).fetchall()
        problem = too_tight(unpacked, source.path.stat().st_size)
        if problem and not source.kind:
            raise InputError(problem)
        is_left = trusting and unpacked >= LARGE
        found = engine.execute(f"DESCRIBE SELECT * FROM read_parquet({path})").fetchall()
        names = [row[0] for row in found]
        check_width(len(names))
        relation, quoted = new_name(), ['"' + name.replace('"', '""') + '"' for name in names]
        cells = ", ".join(f"{trimmed(f'CAST({name} AS VARCHAR)')} AS c{n}" for n, name in enumerate(quoted))
        shown = f"SELECT (row_number() OVER ())::INTEGER AS _line, NULL::VARCHAR AS _why, {cells}"
        if is_left:
            bare = ", ".join(f"{name} AS t{n}" for n, name in enumerate(quoted))
            engine.execute(f"CREATE VIEW {relation} AS {shown}, {bare} FROM read_parquet({path})")
            sample = _of_groups(engine, source.path, cells)
        else:
            engine.execute(f"CREATE TABLE {relation} AS {shown} FROM read_parquet({path})")
            sample = sampled(engine, relation, len(names), rows)
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        why = re.sub(r" in file '[^']*'", "", str(error).splitlines()[0])[:200]
        raise InputError(f"the Parquet file cannot be read ({why})") from None
    return RawTable(
        source,
        source.name,
        source.stem,
        relation,
        different(names),
        rows,
        kind=source.kind or "Parquet",
        types=tuple(row[1] for row in found) if is_left else (),
        first_line=1,
        sample=sample,
    )


def _of_groups(engine: Embedded, path: Path, cells: str) -> Sample:
    """The first rows of row groups all over a Parquet file."""
    with pq.ParquetFile(path, pre_buffer=False) as file:
        groups = range(0, file.num_row_groups, max(1, file.num_row_groups // SAMPLED))
        each = -(-SAMPLED // len(groups))
        parts = [next(file.iter_batches(each, row_groups=[group])) for group in groups]
    return _selected(engine, pa.Table.from_batches(parts), f"SELECT {cells} FROM _sampled")
