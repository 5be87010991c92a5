"""Bytes to text: which encoding a file is in, which delimiter parts its fields, and its records with line numbers."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import TextIOWrapper
from itertools import count
from pathlib import Path

import charset_normalizer
import numpy as np

from kpis.errors import InputError
from kpis.intake import limits

csv.field_size_limit(limits.CELL)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MAGIC = {
    b"%PDF": "a PDF document", b"\x89PNG": "a picture", b"\xff\xd8\xff": "a picture", b"GIF8": "a picture", b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf": "a 7z archive", b"Rar!": "a RAR archive", b"\x7fELF": "a program", b"MZ\x90": "a program", b"SQLite format 3": "an SQLite database",
    b"{\\rtf": "a rich text document", b"<!DOCTYPE": "a web page", b"<html": "a web page", b"<?xml": "an XML document",
}  # fmt: skip
_WAY_OUT = "export the table as CSV or XLSX"
NAMES = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "cp1252": "Windows-1252",
}


_CHUNK, _APART = 1 << 20, 16
_BLANK = {0x09: b"\t", 0x0B: b"\v", 0x0C: b"\f", 0xA0: b"\xc2\xa0", 0x8B: b"\xe2\x80\x8b", 0xBF: b"\xef\xbb\xbf"}
"""Blanks other than spaces, as UTF-8 writes them, by a byte of each that tells at once when there is none."""


@dataclass(frozen=True)
class Dialect:
    """How a text file is written.

    Parameters
    ----------
    delimiter
        None where runs of spaces part the fields.
    skip
        Lines above the header.
    nul
        Whether there are NUL bytes to take out.
    lines
        How many it has; an end without a line break counts as one. Known of UTF-8 only, 0 of the others.
    odd_blanks
        Whether there are blanks other than spaces.
    """

    encoding: str
    delimiter: str | None
    skip: int = 0
    nul: bool = False
    lines: int = 0
    odd_blanks: bool = False

    @property
    def is_utf8(self) -> bool:
        """Whether the bytes are UTF-8, with or without a mark at their beginning."""
        return self.encoding in ("utf-8", "utf-8-sig")


def sniff(path: Path, *, trusting: bool = False) -> Dialect:
    """Encoding and delimiter of a text file; InputError says what it is instead when it is none.

    With ``trusting`` it is taken for UTF-8 when every so many megabytes one is.
    """
    with path.open("rb") as file:
        head = file.read(1 << 18)
    if not head.strip():
        raise InputError("the file is empty")
    for magic, what in _MAGIC.items():
        if head.startswith(magic):
            raise InputError(f"it is {what}, not a table; {_WAY_OUT}")
    if (head.lstrip()[:1] in (b"{", b"[") and head.rstrip()[-1:] in (b"}", b"]", b",")) or head.lstrip()[:2] in (
        b'{"',
        b"{\n",
        b"[{",
    ):
        raise InputError(f"it is a JSON document, not a table; {_WAY_OUT}")
    found = _encoding(path, head, trusting)
    encoding = found.encoding
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(head).replace("\x00", "")
    lines = text.splitlines()[:200]
    if len(head) == 1 << 18 and len(lines) < 2:
        raise InputError(f"its first line is longer than {1 << 18:,} bytes: not a table with a header")
    declared = re.fullmatch(r"\s*sep=(.)\s*", lines[0]) if lines else None
    if declared:
        return replace(found, delimiter=declared[1], skip=1)
    return replace(found, delimiter=_delimiter(lines))


def _encoding(path: Path, head: bytes, trusting: bool) -> Dialect:
    """The encoding, and what else the bytes tell; the delimiter is still to be found."""
    bom = next((name for bom, name in _BOMS if head.startswith(bom)), "")
    if bom:
        return _scan(path, bom, trusting) if bom == "utf-8-sig" else Dialect(bom, None)
    sample = head[: 1 << 16]
    nuls = sample.count(0)
    if nuls:
        even, odd = sample[::2].count(0), sample[1::2].count(0)
        if odd > 0.3 * len(sample) / 2 and even < 0.05 * odd:
            return Dialect("utf-16-le", None)
        if even > 0.3 * len(sample) / 2 and odd < 0.05 * even:
            return Dialect("utf-16-be", None)
    control = sum(sample.count(c) for c in range(32) if c not in (9, 10, 12, 13, 26))
    if control > 0.02 * len(sample):
        raise InputError(f"it holds binary data, whatever its name says; {_WAY_OUT}")
    found = _scan(path, "utf-8", trusting)
    if found.is_utf8 or sum(c >= 128 for c in sample) <= 0.2 * len(sample):
        return found
    best = charset_normalizer.from_bytes(sample).best()
    return replace(found, encoding=best.encoding) if best else found


def _scan(path: Path, encoding: str, trusting: bool) -> Dialect:
    """Every byte looked at once: whether it is UTF-8 (else Windows-1252), its lines, NUL bytes and odd blanks."""
    lines, nul, odd, before = 0, False, False, b"\n"
    with path.open("rb") as file:
        file.seek(3 if encoding == "utf-8-sig" else 0)
        for number in count():
            chunk = file.read(_CHUNK)
            if not chunk:
                return Dialect(encoding, None, 0, nul, lines + (before[-1:] != b"\n"), odd)
            lines += int(np.count_nonzero(np.frombuffer(chunk, np.uint8) == ord("\n")))
            nul = nul or 0 in chunk
            odd = odd or any(byte in chunk and blank in before + chunk for byte, blank in _BLANK.items())
            is_asked = encoding == "utf-8" and (not trusting or number % _APART == 0)
            if is_asked and not chunk.isascii() and not _is_utf8(chunk):
                encoding = "cp1252"
            before = chunk[-2:]
    raise AssertionError


def _is_utf8(chunk: bytes) -> bool:
    """Whether a part of a file is UTF-8; at both ends it may hold a part of a character."""
    begin = next((n for n in range(4) if chunk[n : n + 1] and chunk[n] & 0xC0 != 0x80), 0)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(chunk[begin:])
    except UnicodeDecodeError:
        return False
    return True


def _delimiter(lines: list[str]) -> str | None:
    """The delimiter under which most lines have the same number of fields, more than one."""
    best, score = ",", (0.0, 0)
    for delimiter in (",", ";", "\t", "|"):
        try:
            widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        except csv.Error:
            continue
        width, times = Counter(w for w in widths if w > 1).most_common(1)[0] if any(w > 1 for w in widths) else (1, 0)
        if (times, width) > score:
            best, score = delimiter, (times, width)
    if score[0] >= 0.5 * len([line for line in lines if line.strip()]):
        return best
    widths = Counter(len(line.split()) for line in lines if line.strip())
    width, times = widths.most_common(1)[0]
    plain = times >= 0.9 * sum(widths.values()) and width > 1 and sum(widths.values()) > 2
    return None if plain and all(len(line.split()) == width for line in lines[:2]) else best


def records(path: Path, dialect: Dialect, said: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Records of a text file with the line each one starts on; what had to be mended is added to ``said``.

    A quote that is never closed would swallow the rest of the file; it ends with its own line instead.
    """
    if dialect.nul:
        said.append("NUL characters were taken out")
    with path.open(encoding=dialect.encoding, errors="replace", newline="") as file:
        lines = _lines(file, dialect)
        for _ in range(dialect.skip):
            next(lines, None)
        if dialect.delimiter is None:
            yield from ((number, line.split()) for number, line in enumerate(lines, dialect.skip + 1))
        else:
            yield from _quoted(lines, dialect.delimiter, dialect.skip + 1, said)


def _quoted(lines: Iterator[str], delimiter: str, line: int, said: list[str]) -> Iterator[tuple[int, list[str]]]:
    again: deque[str] = deque()
    taken: list[str] = []

    def feed() -> Iterator[str]:
        while True:
            following = again.popleft() if again else next(lines, None)
            if following is None:
                return
            taken.append(following)
            yield following

    reader = csv.reader(feed(), delimiter=delimiter, skipinitialspace=delimiter != "\t")
    while True:
        try:
            record = next(reader, None)
            swallowed = len(taken) > 1 and sum(part.count('"') for part in taken) % 2 == 1
        except csv.Error:
            record, swallowed = [], True
        if swallowed:
            said.append(f"a quote in line {line} is never closed and was taken out")
            again.extendleft(reversed(taken[1:]))
            record = next(csv.reader([taken[0].replace('"', "")], delimiter=delimiter), [])
            del taken[1:]
            reader = csv.reader(feed(), delimiter=delimiter, skipinitialspace=delimiter != "\t")
        if record is None:
            return
        yield line, record
        line += len(taken)
        taken.clear()


def _lines(file: TextIOWrapper, dialect: Dialect) -> Iterator[str]:
    while line := file.readline(limits.LINE):
        if len(line) >= limits.LINE:
            raise InputError(f"a line is longer than {limits.LINE:,} characters")
        yield line.replace("\x00", "") if dialect.nul else line
