"""What every value of the columns of a table is like: all columns in one scan, as a sample suggests.

The sample tells what is worth asking of a column; only the scan of all rows decides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kpis.engine import Engine
from kpis.intake import dates, numbers
from kpis.intake.words import BLANKS

Sample = Sequence[Sequence[str | None]]
_DAY = re.compile(r"[12]\d{3}-\d\d-\d\d(?:$|[ T].*)")
_NUMBER = re.compile(r"-?\d*\.?\d+(?:e[+-]?\d+)?", re.IGNORECASE)
_FEW = 1_000
"""Odd values, each as often as it comes, that are told at once."""
_THOUSANDS = r"'-?[1-9]\d{0,2}\.\d{3}'"


@dataclass(frozen=True)
class Facts:
    """What holds for all values of a column that are not set aside.

    Parameters
    ----------
    has_days
        Whether the sample shows ISO dates, so that ``odd`` and ``has_times`` were looked at.
    odd
        The different values that are no ISO date; None when they are many.
    has_times
        Whether any day comes with a time.
    is_plain, is_whole
        Whether every value is a number that the engine casts as it is; whether all are whole.
    largest
        The largest number, its sign left out.
    """

    has_days: bool = False
    odd: frozenset[str] | None = None
    has_times: bool = True
    is_plain: bool = False
    is_whole: bool = False
    largest: float = 0.0

    @property
    def is_cast(self) -> bool:
        """Whether a cast is all that its values need, so that blanks around them do not matter."""
        return self.is_plain or (self.has_days and self.odd == frozenset())


def survey(engine: Engine, relation: str, sample: Sample, columns: Sequence[int]) -> tuple[int, int, tuple[Facts, ...]]:
    """The rows of a relation, how many of them are set aside, and the facts of some of its columns."""
    asked = [_asked(f"c{n}", [row[n] for row in sample if row[n] is not None]) for n in columns]
    about = f"SELECT {', '.join(['count(*)', 'count(_why)', *asked])} FROM {relation}"
    [(rows, aside, *facts)] = engine.execute(about).fetchall()
    if aside:
        [(_, _, *facts)] = engine.execute(f"{about} WHERE _why IS NULL").fetchall()
    return rows, aside, tuple(map(_facts, facts))


def day(cell: str) -> str:
    """SQL for the day that a cell names as an ISO date; null when it names none."""
    cast = f"TRY_CAST({cell} AS DATE)"
    return f"CASE WHEN {cast} BETWEEN DATE '{dates.FIRST}' AND DATE '{dates.LAST}' THEN {cast} END"


def _asked(cell: str, seen: Sequence[str]) -> str:
    """SQL for the facts of one column, by name."""
    has_days = _mostly(seen, _DAY)
    asked = {"has_days": str(has_days)}
    if has_days:
        odd = f"FILTER ({cell} IS NOT NULL AND ({day(cell)}) IS NULL)"
        asked |= {
            "count": f"count(*) {odd}",
            "odd": f"min({cell}, {_FEW}) {odd}",
            "has_times": f"coalesce(max(length({cell})), 0) > 10",
        }
    if _mostly(seen, _NUMBER):
        value = f"TRY_CAST({cell} AS DOUBLE)"
        # 1.234 in every value that has a point: thousands as likely as decimals
        grouped = f"bool_and(CASE WHEN contains({cell}, '.') THEN regexp_full_match({cell}, {_THOUSANDS}) END)"
        counted = f"count({cell}) = count(CASE WHEN abs({value}) < {numbers.MOST:g} THEN 1 END)"
        asked |= {
            "is_plain": f"{counted} AND NOT coalesce({grouped}, false)",
            "is_whole": f"coalesce(bool_and({value} = floor({value})), true)",
            "largest": f"coalesce(max(abs({value})), 0)",
        }
    return "{" + ", ".join(f"'{name}': {sql}" for name, sql in asked.items()) + "}"


def _mostly(seen: Sequence[str], pattern: re.Pattern[str]) -> bool:
    return 2 * sum(bool(pattern.fullmatch(text)) for text in seen) >= max(1, len(seen))


def _facts(answer: dict[str, Any]) -> Facts:
    count, odd = answer.pop("count", 0), answer.pop("odd", None) or ()
    is_whole = len(odd) == count
    return Facts(**answer, odd=frozenset(text.strip(BLANKS) for text in odd) - {""} if is_whole else None)
