"""A table as it came: cells of text by line, stored in the engine or read where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count

from kpis.engine import Embedded
from kpis.errors import InputError
from kpis.intake import limits
from kpis.intake.profile import Profile, profile
from kpis.intake.sources import Source
from kpis.intake.words import BLANKS

Sample = tuple[tuple[str | None, ...], ...]
SAMPLED = 200
"""About how many rows tell what a column is like."""
_TOTAL = (
    r"(?i)^\W*(grand[ -]?|sub[ -]?|report )?(totals?|gesamt(summe)?|(zwischen)?summe|somme|suma|totaal|totale|insgesamt|sum|count|average)"
    r"( g[eé]n[eé]rale?| general| gesamt)?\s*([:(].*|-.*)?$"
)
_NUMBERS = count(1)


@dataclass(frozen=True)
class RawTable:
    """A table as it came: ``relation`` holds ``_line``, ``_why`` and the text columns ``c0`` to ``cn``.

    A large regular file stays where it lies and the relation is a view on it: asking for a few columns reads the file
    once more, asking for ``_line`` numbers its rows one after the other. Beside each ``cn`` stands ``tn``, the cell in
    the type that the file has it in (untrimmed text in a CSV).

    Parameters
    ----------
    label
        File, sheet or archive member as the report names it.
    header
        The column names as written, made different where they repeat.
    rows
        How many it has; of a view as many as it promises, which whoever stores them must hold it to.
    types
        Of a view, the type of each ``tn``.
    first_line
        Of a view, the line of its first row.
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
    rows: int
    kind: str = "CSV"
    types: tuple[str, ...] = ()
    first_line: int = 0
    warnings: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    decimal_comma: bool = False
    named: bool = True
    width: int = 0
    sample: Sample = field(default=(), repr=False)

    @property
    def is_view(self) -> bool:
        """Whether its rows are still where they came from."""
        return bool(self.types)

    def values(self, column: int) -> list[str | None]:
        """The sampled values of a column."""
        return [row[column] for row in self.sample]

    @cached_property
    def profiles(self) -> list[Profile]:
        """What the sampled values of the columns look like."""
        return [profile(self.values(n)) for n in range(len(self.header))]


class BrokenPromise(Exception):
    """A file that was taken for regular is not."""


def hold(raw: RawTable, rows: int) -> None:
    """Raise BrokenPromise when a table that was read where it lies had other rows than it promised."""
    if rows != raw.rows:
        raise BrokenPromise(raw.label)


def drop(engine: Embedded, raw: RawTable) -> None:
    """Forget the rows of a raw table."""
    engine.execute(f"DROP {'VIEW' if raw.is_view else 'TABLE'} {raw.relation}")


def why_set_aside(cells: Sequence[str]) -> str:
    """SQL: why a row is no data: it is empty, or a total (which has a blank cell somewhere); null for the rest.

    One CASE stands inside the other, so that hardly a row is asked the dear questions.
    """
    first = f"trim(coalesce({', '.join(cells[:4])}, ''))"
    gap = " OR ".join(f"{c} IS NULL OR {c} = '--'" for c in cells)
    return (
        f"CASE WHEN {gap} THEN CASE WHEN coalesce({', '.join(cells)}, '') = '' THEN 'an empty row' "
        f"WHEN length({first}) < 60 THEN CASE WHEN regexp_matches({first}, {quote(_TOTAL)}) "
        f"THEN 'a total row (''' || {first} || ''')' END END END"
    )


def trimmed(cell: str, odd_blanks: bool = True) -> str:
    """SQL for a cell without blanks around it, null when nothing is left."""
    # hardly a cell has any, and looking is several times as fast as trimming
    begins = f"{cell} < '!' OR {cell} > '~'"
    if odd_blanks:
        ends, all_off = f"right({cell}, 1) IN ({', '.join(map(quote, BLANKS))})", f"trim({cell}, {quote(BLANKS)})"
    else:
        ends, all_off = f"ends_with({cell}, ' ')", f"trim({cell}, ' ')"
    return f"CASE WHEN {begins} OR {ends} THEN nullif({all_off}, '') ELSE {cell} END"


def sampled(engine: Embedded, relation: str, width: int, rows: int) -> Sample:
    """Rows spread over the whole of a stored table."""
    step, columns = max(1, rows // SAMPLED), ", ".join(f"c{n}" for n in range(width))
    chosen = f"SELECT {columns} FROM {relation} WHERE _why IS NULL AND _line % {step} = 0 LIMIT {SAMPLED + 50}"
    return tuple(engine.execute(chosen).fetchall())


def different(names: Sequence[str]) -> tuple[str, ...]:
    """Column names made different: a name that comes again gets a number."""
    seen: dict[str, int] = {}
    result = []
    for position, given in enumerate(names, 1):
        name = given or f"column {position}"
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(result)


def check_width(width: int) -> None:
    """Raise InputError for more columns than a table may have."""
    if width > limits.COLUMNS:
        raise InputError(
            f"it has {width:,} columns; a table may have {limits.COLUMNS:,}", way_out="Export the columns that matter"
        )


def new_name() -> str:
    """A name that no relation has yet."""
    return f"_raw{next(_NUMBERS)}"


def quote(literal: str) -> str:
    """A text as an SQL literal."""
    return "'" + literal.replace("'", "''") + "'"
