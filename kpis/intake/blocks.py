"""Records to tables: finds headers under preambles, parts several tables in one file, sets footers aside.

Works on records of text files and of sheets alike. Nothing is lost: a record is a row of a table, a row
set aside with its reason, or a line before or after the table that the report quotes.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from kpis.intake import limits
from kpis.intake.dates import parse_day
from kpis.intake.numbers import parse_number

Record = tuple[int, list[str]]
Known = Callable[[str], bool]
"""Whether a cell is a header that some export is known to use."""


@dataclass
class Block:
    """A table found in a file: its header, and the lines around it that are no rows.

    Parameters
    ----------
    line
        Line of the header.
    before, after
        Titles, comments and footers.
    short
        Rows with fewer cells than the header has (the missing ones are empty).
    named
        False when no header was found and the columns are numbered.
    """

    header: list[str]
    line: int
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    short: int = 0
    named: bool = True


Row = tuple[Block, int, str, list[str]]
"""A row: its table, its line, why it is set aside (empty when it is not), its cells."""


def split(records: Iterator[Record], known: Known) -> Iterator[Row]:
    """Rows of every table in ``records``, in order; a block's ``after`` is complete when the iterator ends.

    The lines of a table without rows count as lines around the next table, or after the one before.
    """
    pending: deque[Record] = deque()
    last: Block | None = None
    spare: list[str] = []
    while True:
        while len(pending) < limits.HEADER_WITHIN and (record := next(records, None)):
            pending.append(record)
        block, row = _open(pending, known)
        if block is None:
            spare += [_text(cells) for _, cells in pending if _text(cells)]
            break
        block.before = spare + block.before
        spare = []
        if row:
            yield row
            last = block
            continue
        rows = 0
        for found in _body(block, records, pending, known):
            rows += 1
            yield found
        if rows:
            last = block
        else:
            spare = [*block.before, _text(block.header), *block.after]
    if last:
        last.after += spare


def _body(block: Block, records: Iterator[Record], pending: deque[Record], known: Known) -> Iterator[Row]:
    """The rows of one table, up to the end or to the header of another, which goes back to ``pending``."""
    loose: list[Record] = []
    gap = False
    while record := (pending.popleft() if pending else next(records, None)):
        line, cells = record
        if not any(cell.strip() for cell in cells):
            gap = True
            if len(cells) > 1:
                yield block, line, "an empty row", []
        elif _is_loose(cells, block):
            loose.append(record)
        elif (gap or loose) and _starts_anew(cells, block, known, any(c[0].startswith("#") for _, c in loose)):
            pending.extendleft([record, *reversed(loose)])
            return
        else:
            for at, lone in loose:
                yield block, at, f"one cell only, a heading or subtotal: {_text(lone)!r}", []
            loose, gap = [], False
            yield _row(block, line, cells)
    block.after += [_text(cells) for _, cells in loose]


def _open(pending: deque[Record], known: Known) -> tuple[Block | None, Row | None]:
    """The table that begins in ``pending``; what comes before its first row is taken out.

    A report of ``key:``, value lines is one row at once. None when there is no table any more.
    """
    pairs = _pairs(pending)
    if pairs:
        return pairs[0], pairs
    at = find_header([cells for _, cells in pending], known)
    if at is None:
        width = max((len(_trimmed(cells)) for _, cells in pending), default=0)
        if width < 2:
            return None, None
        return Block([f"column {n}" for n in range(1, width + 1)], 0, named=False), None
    line, cells = pending[at]
    block = Block([cell.strip() for cell in _trimmed(cells)], line)
    for _ in range(at + 1):
        before = pending.popleft()[1]
        block.before += [_text(before)] if before is not cells and _text(before) else []
    return block, None


def find_header(rows: Sequence[Sequence[str]], known: Known) -> int | None:
    """Which of the first rows is the header: the first with mostly known names, else the first that reads like one."""
    widths = Counter(len(row) for row in rows if len(_trimmed(row)) > 1)
    usual = widths.most_common(1)[0][0] if widths else 1
    for at, row in enumerate(rows):
        named = [cell for cell in row if cell.strip()]
        if len(named) >= 2 and 2 * sum(known(cell) for cell in named) >= len(named):
            return at
    for at, row in enumerate(rows):
        named = [cell for cell in row if cell.strip()]
        if len(named) >= max(0.6 * usual, min(2, usual)) and is_label_row(named) and abs(len(row) - usual) <= 1:
            return at
    return None


def is_label_row(cells: Sequence[str]) -> bool:
    """Whether cells read like column names: short, all different, none a number or a date."""
    texts = [cell.strip() for cell in cells]
    return len(set(texts)) >= 0.9 * len(texts) and all(
        len(t) <= 150
        and not t.startswith("#")
        and parse_number(t) is None
        and parse_day(t, "day-first") is None
        and parse_day(t, "month-first") is None
        for t in texts
    )


def _row(block: Block, line: int, cells: list[str]) -> Row:
    width = len(block.header)
    if len(cells) < width:
        block.short += 1
        return block, line, "", cells
    extra = [cell for cell in cells[width:] if cell.strip()]
    if extra:
        total = any("total" in cell.lower() for cell in extra)
        why = (
            f"a total row ({extra[0]!r})"
            if total
            else f"{len(cells)} cells under a header of {width}: {extra[0]!r} is one too many"
        )
        return block, line, why, cells[:width]
    if [cell.strip() for cell in cells[:width]] == block.header:
        return block, line, "the header again", cells[:width]
    return block, line, "", cells[:width]


def _is_loose(cells: Sequence[str], block: Block) -> bool:
    """A line of a single text under a wider header: a footer, a heading, a comment."""
    return len(block.header) >= 3 and bool(cells[0].strip()) and len(_trimmed(cells)) == 1


def _starts_anew(cells: Sequence[str], block: Block, known: Known, commented: bool) -> bool:
    """Whether a line after a gap is the header of another table; after a table without a header nothing can tell."""
    if not block.named:
        return False
    named = [cell for cell in _trimmed(cells) if cell.strip()]
    if len(named) < 2 or not is_label_row(named) or [c.strip() for c in _trimmed(cells)] == block.header:
        return False
    return (
        commented or 2 * sum(known(cell) for cell in named) >= len(named) or len(_trimmed(cells)) != len(block.header)
    )


def _pairs(pending: deque[Record]) -> Row | None:
    """A report written as blocks of ``key:``, value lines: one row whose columns are the keys."""
    keys = [(line, cells) for line, cells in pending if len(cells) == 2 and cells[0].strip().endswith(":")]
    if len(keys) < 3 or 2 * len(keys) < sum(1 for _, cells in pending if len(cells) > 1):
        return None
    block = Block([cells[0].strip().rstrip(":") for _, cells in keys], keys[0][0])
    while pending and pending[0][0] <= keys[-1][0]:
        line, cells = pending.popleft()
        if _text(cells) and (line, cells) not in keys:
            block.before.append(_text(cells))
    return block, keys[0][0], "", [cells[1] for _, cells in keys]


def _trimmed(cells: Sequence[str]) -> Sequence[str]:
    end = len(cells)
    while end and not cells[end - 1].strip():
        end -= 1
    return cells[:end]


def _text(cells: Sequence[str]) -> str:
    return " ".join(cell.strip() for cell in cells if cell.strip())[:200]
