"""The exports that are known by their headers: an entry each in ``formats.toml``, no branches elsewhere."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType

from kpis.intake import fields
from kpis.intake.dates import Order

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Format:
    """One export of one product.

    Parameters
    ----------
    name
        As the report calls it.
    signatures
        Keys of headers; the export has all those of at least one set.
    table
        The table it becomes; empty when it is refused, and then ``reason`` says why.
    columns
        Key of a header -> field; an empty field is a column that is not used.
    dates
        The order of day and month that the product always writes.
    constants
        Field -> value for every row.
    same
        Field -> the field whose value it takes on every row.
    total_without
        Keys of headers without whose value a row is a total.
    fill_down
        Whether a grouped report leaves repeated cells blank.
    entered
        How headers name the day a stage was entered: a pattern with one group for the stage.
    """

    name: str
    signatures: tuple[frozenset[str], ...]
    table: str = ""
    reason: str = ""
    columns: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    dates: Order | None = None
    constants: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    same: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    total_without: frozenset[str] = frozenset()
    fill_down: bool = False
    entered: str = ""

    @property
    def given(self) -> frozenset[str]:
        """Fields that every row has without a column of their own."""
        return frozenset({*self.constants, *self.same})


def _read() -> tuple[Format, ...]:
    """Read ``formats.toml``: headers by field become fields by header."""
    entries = tomllib.loads((Path(__file__).parent / "formats.toml").read_text(encoding="utf-8"))["format"]
    formats = []
    for entry in entries:
        unused = dict.fromkeys(map(fields.key, entry.pop("unused", ())), "")
        used = {fields.key(header): name for name, headers in entry.pop("columns", {}).items() for header in headers}
        signatures = tuple(frozenset(map(fields.key, names)) for names in entry.pop("signatures"))
        totals = frozenset(map(fields.key, entry.pop("total_without", ())))
        formats.append(Format(signatures=signatures, columns={**unused, **used}, total_without=totals, **entry))
    return tuple(formats)


FORMATS: tuple[Format, ...] = _read()


def recognise(header: Sequence[str]) -> Format | None:
    """The format with the longest signature of those that are whole in the header; None when there is none."""
    present = {form for name in header for form in (fields.key(name), fields.bare(name))}
    fitting = [(len(s), -n, f) for n, f in enumerate(FORMATS) for s in f.signatures if s <= present]
    return max(fitting)[2] if fitting else None


@cache
def _known() -> frozenset[str]:
    """Keys of every header that is known."""
    return fields.known_keys().union(*(f.columns for f in FORMATS), *(s for f in FORMATS for s in f.signatures))


def known(cell: str) -> bool:
    """Whether a cell is a header of any known table or export."""
    return 0 < len(cell.strip()) <= 200 and fields.key(cell) in _known()
