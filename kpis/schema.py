"""The tables and columns Tandem knows, what they mean and what other systems call them.

``dictionary.toml`` beside this module is the only description of data: intake maps uploads onto it,
the dictionary in ``sample_data/`` is printed from it, and an answer that lacks something names it
from here.

Every date column gets a whole-number companion ``<name>_n`` (days since 1970-01-01) at intake;
everything after intake does its day arithmetic on the companion.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["id", "text", "category", "date", "plan_date", "money", "number", "count", "share", "flag"]
"""What the values of a column are.

``date`` is something that happened on a day and is unknown before it; ``plan_date`` may lie in the
future and is known as soon as it is written down (expected close, end of a campaign).
"""

DUCKDB_TYPE: dict[str, str] = {
    "id": "VARCHAR",
    "text": "VARCHAR",
    "category": "VARCHAR",
    "date": "DATE",
    "plan_date": "DATE",
    "money": "DOUBLE",
    "number": "DOUBLE",
    "count": "BIGINT",
    "share": "DOUBLE",
    "flag": "TINYINT",
}
"""How each kind is stored. Flags are 0/1 whole numbers so that they can be summed."""

SPARK_TYPE: dict[str, str] = {
    **DUCKDB_TYPE,
    **dict.fromkeys(("id", "text", "category"), "STRING"),
}
"""The same where Spark's names of types are spoken."""


@dataclass(frozen=True)
class Column:
    """One column: its name, what its values are, and what it means in one sentence."""

    name: str
    kind: Kind
    meaning: str
    aliases: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True)
class Table:
    """One table: its grain, its key (empty where rows have none) and its columns.

    ``dated_by`` is the date from which a row is known; a row without that date is always known.
    """

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    dated_by: str = ""
    aliases: tuple[str, ...] = ()

    def column(self, name: str) -> Column:
        """The column of that name; KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name} has no column {name}")

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in the order of the dictionary."""
        return tuple(c.name for c in self.columns)

    @property
    def dates(self) -> tuple[str, ...]:
        """Columns that get a whole-day companion."""
        return tuple(c.name for c in self.columns if c.kind in ("date", "plan_date"))


def _read_dictionary() -> dict[str, Table]:
    """Read ``dictionary.toml``: a table each, a line ``[name, kind, meaning, aliases]`` a column."""
    text = (Path(__file__).parent / "dictionary.toml").read_text(encoding="utf-8")
    tables = {}
    for name, entry in tomllib.loads(text).items():
        required = set(entry.get("required", ()))
        columns = tuple(
            Column(column, kind, meaning, tuple(aliases), column in required)
            for column, kind, meaning, *rest in entry["columns"]
            for aliases in [rest[0] if rest else ()]
        )
        tables[name] = Table(
            name,
            entry["grain"],
            tuple(entry.get("key", ())),
            columns,
            entry.get("dated_by", ""),
            tuple(entry.get("aliases", ())),
        )
    return tables


TABLES: dict[str, Table] = _read_dictionary()
"""Every table by its canonical name."""
