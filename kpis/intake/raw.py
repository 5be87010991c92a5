"""Sources to raw tables: text columns in the engine, each row with its line and, where set aside, the reason.

A regular CSV goes straight through DuckDB's reader. Anything else (other encodings, preambles, footers,
several tables, line breaks in cells, ragged rows, sheets) is first written down as a regular CSV with the
original line numbers, so there is one reader and one form of the result.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TextIO

import duckdb

from kpis.engine import Engine
from kpis.errors import InputError
from kpis.intake import limits, sheets, text
from kpis.intake.blocks import Block, Known, Record, find_header, split
from kpis.intake.profile import Profile, profile
from kpis.intake.sources import Source, too_tight
from kpis.intake.survey import Facts, survey
from kpis.intake.words import BLANKS

_TOTAL = (
    r"(?i)^\W*(grand[ -]?|sub[ -]?|report )?(totals?|gesamt(summe)?|(zwischen)?summe|somme|suma|totaal|totale|insgesamt|sum|count|average)"
    r"( g[eé]n[eé]rale?| general| gesamt)?\s*([:(].*|-.*)?$"
)
_NUMBERS = count(1)
_ODD_BLANKS = (b"\t", b"\v", b"\f", b"\xc2\xa0", b"\xe2\x80\x8b", b"\xef\xbb\xbf")  # the ASCII ones first


@dataclass(frozen=True)
class RawTable:
    """A table as it came: ``relation`` holds ``_line``, ``_why`` and the text columns ``c0`` to ``cn``.

    Parameters
    ----------
    label
        File, sheet or archive member as the report names it.
    header
        The column names as written, made different where they repeat.
    text
        The table as it was read, where ``relation`` is a view on it.
    rows, aside
        How many it has, and how many of them are set aside; known with ``facts``.
    width
        How many of the columns are its own; the others were joined.
    decimal_comma
        True when the delimiter suggests a country that writes decimal commas.
    """

    source: Source
    label: str
    stem: str
    relation: str
    header: tuple[str, ...]
    rows: int = -1
    aside: int = 0
    kind: str = "CSV"
    text: str = ""
    warnings: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    decimal_comma: bool = False
    named: bool = True
    width: int = 0
    sample: tuple[tuple[str | None, ...], ...] = field(default=(), repr=False)
    facts: tuple[Facts, ...] = field(default=(), repr=False)

    def values(self, column: int) -> list[str | None]:
        """The sampled values of a column."""
        return [row[column] for row in self.sample]

    @cached_property
    def profiles(self) -> list[Profile]:
        """What the sampled values of the columns look like."""
        return [profile(self.values(n)) for n in range(len(self.header))]


def load(engine: Engine, source: Source, scratch: Path, known: Known) -> list[RawTable]:
    """The tables of a source; InputError with the reason when there is none."""
    if source.refused:
        raise InputError(source.refused)
    with source.path.open("rb") as file:
        magic = file.read(8)
    if magic.startswith(b"PAR1"):
        tables = [_parquet(engine, source)]
    elif magic.startswith((b"PK", b"\xd0\xcf\x11\xe0")):
        tables = _workbook(engine, source, scratch, known)
    else:
        tables = _text(engine, source, scratch, known)
    return [replace(surveyed(engine, table), width=len(table.header)) for table in tables]


def surveyed(engine: Engine, raw: RawTable, rows: str = "") -> RawTable:
    """The table with a sample, and with the facts of those of its columns, the last ones, that have none yet.

    ``rows`` is SQL for its rows while the relation is not there yet.
    """
    new = range(len(raw.facts), len(raw.header))
    if not new:
        return raw
    rows = rows or raw.relation
    sample = raw.sample or _sample(engine, rows, len(raw.header))
    count, aside, facts = survey(engine, rows, sample, new)
    return replace(raw, sample=sample, rows=count, aside=aside, facts=raw.facts + facts)


def _text(engine: Engine, source: Source, scratch: Path, known: Known) -> list[RawTable]:
    dialect = text.sniff(source.path)
    table = _regular(engine, source, dialect, known)
    if table:
        return [table]
    said = (
        []
        if dialect.encoding.startswith("utf-8")
        else [f"read as {text.NAMES.get(dialect.encoding, dialect.encoding)}"]
    )
    lines = text.records(source.path, dialect, said)
    tables = _irregular(engine, source, scratch, lines, known, source.name, source.stem)
    if not tables:
        raise InputError("it holds text but no table with a header and columns")
    shown = (*said[:5], f"and {len(said) - 5} more such lines") if len(said) > 6 else tuple(said)
    comma = dialect.delimiter == ";"
    return [replace(t, warnings=shown + t.warnings, decimal_comma=comma) for t in tables]


def _regular(engine: Engine, source: Source, dialect: text.Dialect, known: Known) -> RawTable | None:
    """The file through DuckDB's own reader, when every line of it is a plain row under a header on line 1."""
    if dialect.encoding not in ("utf-8", "utf-8-sig") or dialect.nul or dialect.skip or dialect.delimiter is None:
        return None
    head: list[Record] = [
        r for r, _ in zip(text.records(source.path, dialect, []), range(limits.HEADER_WITHIN), strict=False)
    ]
    if not head:
        raise InputError("the file is empty")
    width = len(head[0][1])
    straight = all(line == n and len(cells) == width for n, (line, cells) in enumerate(head, 1))
    if (
        not straight
        or width < 2
        or not all(c.strip() for c in head[0][1])
        or find_header([cells for _, cells in head], known) != 0
    ):
        return None
    _check_width(width)
    lines, odd_blanks = _scan(source.path)
    columns = ", ".join(f"'c{n}': 'VARCHAR'" for n in range(width))
    reader = (
        f"read_csv({quote(str(source.path))}, auto_detect=false, header=false, skip=1, delim={quote(dialect.delimiter)}, quote='\"', "
        f"escape='\"', strict_mode=true, null_padding=false, columns={{{columns}}})"
    )
    header, name = _different([cell.strip() for cell in head[0][1]]), _new_name()
    table = RawTable(
        source, source.name, source.stem, name, header, text=f"{name}_text", decimal_comma=dialect.delimiter == ";"
    )
    try:
        engine.execute(f"CREATE TABLE {table.text} AS SELECT * FROM {reader}")
    except duckdb.Error:
        return None
    table = surveyed(engine, table, f"({_rows(table.text, width)})")
    trimmed = [n for n, facts in enumerate(table.facts) if odd_blanks or not facts.is_cast]
    engine.execute(f"CREATE VIEW {name} AS {_rows(table.text, width, trimmed, odd_blanks, bool(table.aside))}")
    if table.rows + 1 != lines:
        drop(engine, table)
        return None
    return table


def _rows(text: str, width: int, trimmed: Sequence[int] = (), odd_blanks: bool = False, has_aside: bool = True) -> str:
    """SQL for the rows of a text file: line, why it is no row, and cells, those trimmed that need it."""
    blanks = f", {quote(BLANKS)}" if odd_blanks else ""  # spaces alone are five times as fast
    cells = [f"nullif(trim(c{n}{blanks}), '') AS c{n}" if n in trimmed else f"c{n}" for n in range(width)]
    why = _why(width) if has_aside else "NULL::VARCHAR"
    return f"SELECT CAST(rowid + 2 AS INTEGER) AS _line, {why} AS _why, {', '.join(cells)} FROM {text}"


def drop(engine: Engine, raw: RawTable) -> None:
    """Forget the rows of a raw table."""
    if raw.text:
        engine.execute(f"DROP VIEW {raw.relation}")
    engine.execute(f"DROP TABLE {raw.text or raw.relation}")


def _irregular(
    engine: Engine, source: Source, scratch: Path, records: Iterator[Record], known: Known, label: str, stem: str
) -> list[RawTable]:
    """Every table in the records, each written down as a regular CSV and read back."""
    blocks: list[Block] = []
    files: list[tuple[Path, TextIO]] = []
    try:
        for block, line, why, cells in split(records, known):
            if not blocks or blocks[-1] is not block:
                _check_width(len(block.header))
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
        width, relation = len(block.header), _new_name()
        columns = ", ".join(["'_line': 'INTEGER'", "'_why': 'VARCHAR'", *(f"'c{n}': 'VARCHAR'" for n in range(width))])
        reader = (
            f"read_csv({quote(str(path))}, auto_detect=false, header=false, delim=',', quote='\"', escape='\"', parallel=false, "
            f"max_line_size={limits.LINE}, columns={{{columns}}})"
        )
        cells = ", ".join(f"nullif(trim(c{n}, {quote(BLANKS)}), '') AS c{n}" for n in range(width))
        engine.execute(
            f"CREATE TABLE {relation} AS SELECT _line, coalesce(nullif(_why, ''), {_why(width)}) AS _why, {cells} FROM {reader}"
        )
        path.unlink()
        name = label if len(blocks) == 1 else f"{label} › table {number}"
        tables.append(
            RawTable(
                source,
                name,
                stem,
                relation,
                _different(block.header),
                warnings=_around(block),
                before=tuple(block.before),
                after=tuple(block.after),
                named=block.named,
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


def _workbook(engine: Engine, source: Source, scratch: Path, known: Known) -> list[RawTable]:
    """Every sheet that is shown; a note on the hidden and the empty ones."""
    tables, aside = [], []
    found = sheets.read(source.path, scratch)
    several = sum(sheet.is_shown for sheet in found) > 1
    for sheet in found:
        if not sheet.is_shown:
            aside.append(f"sheet {sheet.name!r} is hidden and was not read")
            continue
        label, stem = (f"{source.name} › {sheet.name}", sheet.name) if several else (source.name, source.stem)
        inside = _irregular(engine, source, scratch, sheet.records(), known, label, stem)
        if not inside:
            aside.append(f"sheet {sheet.name!r} holds no table")
        tables += inside
    if not tables:
        raise InputError("; ".join(aside) or "the workbook holds no table")
    return [replace(t, kind="XLSX", warnings=t.warnings + tuple(aside)) for t in tables]


def _parquet(engine: Engine, source: Source) -> RawTable:
    path = quote(str(source.path))
    try:
        [(unpacked,)] = engine.execute(
            f"SELECT coalesce(sum(greatest(total_uncompressed_size, {limits.CELL_BYTES} * num_values)), 0) FROM parquet_metadata({path})"
        ).fetchall()
        problem = too_tight(unpacked, source.path.stat().st_size)
        if problem and not source.kind:
            raise InputError(problem)
        names = [row[0] for row in engine.execute(f"DESCRIBE SELECT * FROM read_parquet({path})").fetchall()]
        _check_width(len(names))
        relation = _new_name()
        cells = ", ".join(
            f"nullif(trim(CAST({_identifier(name)} AS VARCHAR), {quote(BLANKS)}), '') AS c{n}"
            for n, name in enumerate(names)
        )
        engine.execute(
            f"CREATE TABLE {relation} AS SELECT row_number() OVER ()::INTEGER AS _line, NULL::VARCHAR AS _why, {cells} FROM read_parquet({path})"
        )
    except duckdb.Error as error:
        why = re.sub(r" in file '[^']*'", "", str(error).splitlines()[0])[:200]
        raise InputError(f"the Parquet file cannot be read ({why})") from None
    return RawTable(source, source.name, source.stem, relation, _different(names), kind=source.kind or "Parquet")


def _why(width: int) -> str:
    """SQL: why a row is no data: it is empty, or a total (which has a blank cell somewhere); null for the rest.

    One CASE stands inside the other, so that hardly a row is asked the dear questions.
    """
    cells = [f"c{n}" for n in range(width)]
    first = f"trim(coalesce({', '.join(cells[:4])}, ''))"
    gap = " OR ".join(f"{c} IS NULL OR {c} = '--'" for c in cells)
    return (
        f"CASE WHEN {gap} THEN CASE WHEN coalesce({', '.join(cells)}, '') = '' THEN 'an empty row' "
        f"WHEN length({first}) < 60 THEN CASE WHEN regexp_matches({first}, {quote(_TOTAL)}) "
        f"THEN 'a total row (''' || {first} || ''')' END END END"
    )


def _sample(engine: Engine, rows: str, width: int, size: int = 200) -> tuple[tuple[str | None, ...], ...]:
    """Rows spread over the whole table."""
    [(count,)] = engine.execute(f"SELECT count(*) FROM {rows}").fetchall()
    step, columns = max(1, count // size), ", ".join(f"c{n}" for n in range(width))
    chosen = f"SELECT {columns} FROM {rows} WHERE _why IS NULL AND _line % {step} = 0 LIMIT {size + 50}"
    return tuple(tuple((cell or "").strip(BLANKS) or None for cell in row) for row in engine.execute(chosen).fetchall())


def _different(names: Sequence[str]) -> tuple[str, ...]:
    """Column names made different: a name that comes again gets a number."""
    seen: dict[str, int] = {}
    result = []
    for position, given in enumerate(names, 1):
        name = given or f"column {position}"
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(result)


def _check_width(width: int) -> None:
    if width > limits.COLUMNS:
        raise InputError(
            f"it has {width:,} columns; a table may have {limits.COLUMNS:,}", way_out="Export the columns that matter"
        )


def _scan(path: Path) -> tuple[int, bool]:
    """Lines of a text file (an end without a line break counts as one), and whether there are blanks other than spaces."""
    lines, last, odd = 0, b"\n", False
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            lines += chunk.count(b"\n")
            odd = odd or any(blank in chunk for blank in (_ODD_BLANKS[:3] if chunk.isascii() else _ODD_BLANKS))
            last = chunk[-1:]
    return lines + (last != b"\n"), odd


def _new_name() -> str:
    return f"_raw{next(_NUMBERS)}"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def quote(literal: str) -> str:
    """A text as an SQL literal."""
    return "'" + literal.replace("'", "''") + "'"
