"""Which rows a member sees: all, or those of certain owners, teams, regions or segments."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from kpis.errors import StoreError

COLUMNS = ("owner", "team", "region", "segment")
"""Columns of opportunities that rows can be told apart by."""


@dataclass(frozen=True)
class Scope:
    """The rows that have one of the values in the column; without a column, all."""

    column: str = ""
    values: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.column)

    @classmethod
    def of(cls, column: str, values: Iterable[str]) -> Self:
        """The rows with these values; StoreError for a column that tells no rows apart, or without a value.

        Examples
        --------
        >>> Scope.of("team", ["South", "North "]).words
        'team North or South'
        """
        if column not in COLUMNS:
            raise StoreError(
                f"Rows cannot be told apart by '{column}'", place="scope", way_out=f"Known: {', '.join(COLUMNS)}"
            )
        named = {value.strip() for value in values} - {""}
        if not named:
            raise StoreError(f"No {column} is named", place="scope", way_out="Name one, or let all rows be seen")
        return cls(column, tuple(sorted(named)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The scope that is stored as ``text``."""
        return cls.of(*json.loads(text)) if text else cls()

    @property
    def text(self) -> str:
        """How it is stored; equal scopes have equal texts, and that of all rows is empty."""
        return json.dumps([self.column, self.values], ensure_ascii=False) if self else ""

    @property
    def words(self) -> str:
        """The scope in words; empty where all rows are seen."""
        return f"{self.column} {' or '.join(self.values)}" if self else ""

    def mark(self, fingerprint: str) -> str:
        """Fingerprint of what is seen of the data with that fingerprint."""
        return sha256(f"{fingerprint} {self.text}".encode()).hexdigest() if self else fingerprint


ALL = Scope()
