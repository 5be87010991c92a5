"""Cells to values in the engine: SQL that takes what can mean only one thing, and leaves the rest behind as text.

A sample tells which cast is worth trying; no value rests on it. What a cast leaves behind (3/4/2024, 1.234,50, ``n/a``)
is read by ``readings``, from all the texts of the column that were left behind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kpis.intake import dates, numbers
from kpis.intake.raw import RawTable, quote
from kpis.intake.words import FALSE, NULLS, NULLS_BEYOND_TEXT, TRUE
from kpis.schema import Column

NO_ID = frozenset({"000000000000000", "000000000000000AAA", "00000000-0000-0000-0000-000000000000"})
"""What Salesforce and Dynamics write for no record at all."""
NUMBERS = ("money", "number", "count", "share")
DATES = ("date", "plan_date")
FEW = 0.1
"""The share of a sample up to which the texts that a cast leaves behind are few."""

_DAY = re.compile(r"[12]\d{3}-\d\d-\d\d(?:$|[ T].*)")
_NUMBER = re.compile(r"-?\d*\.?\d+(?:e[+-]?\d+)?", re.IGNORECASE)
_THOUSANDS = re.compile(r"-?[1-9]\d{0,2}\.\d{3}")
_TYPED = {
    "date": re.compile(r"DATE|TIMESTAMP.*"),
    "number": re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL.*"),
    "flag": re.compile(r"BOOLEAN"),
}
_NULL_TEXT = ", ".join(quote(word) for word in sorted(NULLS - {""}))


@dataclass(frozen=True)
class Cast:
    """SQL for the value of a cell, null where it takes more.

    Parameters
    ----------
    cell
        SQL for the cell as the file has it.
    leaves
        How much of the sample stays behind as text, 0 to 1; None where nothing ever does.
    has_times, moment
        Of a date, whether it may come with a time of day, and SQL for the two together.
    of_hundred
        Of a share, whether the sample proves that it counts to 100.
    """

    sql: str
    cell: str = ""
    leaves: float | None = None
    has_times: bool = False
    moment: str = ""
    of_hundred: bool = False


def cast(raw: RawTable, n: int, column: Column, is_moment: bool) -> Cast:
    """How column ``n`` becomes ``column``; ``is_moment`` when its time of day orders the rows."""
    seen = [text for text in raw.values(n) if text is not None and text.lower() not in NULLS_BEYOND_TEXT]
    if column.kind in DATES:
        return _date(_cell(raw, n, "date"), seen, is_moment)
    if column.kind in NUMBERS:
        return _number(_cell(raw, n, "number"), seen, column.kind, is_typed=_is_typed(raw, n, "number"))
    if column.kind == "flag":
        cell = _cell(raw, n, "flag")
        word = f"lower(CAST({cell} AS VARCHAR))"
        sql = f"CASE WHEN {word} IN ({_listed(TRUE)}) THEN 1 WHEN {word} IN ({_listed(FALSE)}) THEN 0 END"
        return Cast(sql, cell, _left(seen, lambda text: text.lower() in TRUE | FALSE))
    return Cast(_text(f"r.c{n}", column.kind))


def day(cell: str) -> str:
    """SQL for the day that a cell names as an ISO date; null when it names none."""
    value = f"TRY_CAST({cell} AS DATE)"
    return f"CASE WHEN {value} BETWEEN DATE '{dates.FIRST}' AND DATE '{dates.LAST}' THEN {value} END"


def _date(cell: str, seen: Sequence[str], is_moment: bool) -> Cast:
    has_times = any(len(text) > 10 for text in seen)
    value, moment = day(cell), f"TRY_CAST({cell} AS TIMESTAMP)"
    if is_moment and not has_times:
        # a time that the sample does not show must not get lost: it stays behind
        value = f"CASE WHEN length(CAST({cell} AS VARCHAR)) <= 10 THEN {value} END"
    return Cast(value, cell, _left(seen, _DAY.fullmatch), has_times, moment)


def _number(cell: str, seen: Sequence[str], kind: str, *, is_typed: bool) -> Cast:
    """1.234 in every value that has a point may be thousands: unless the sample shows decimals, no point is taken."""
    plain = [float(text) for text in seen if _NUMBER.fullmatch(text)]
    of_hundred = kind == "share" and any(1 < abs(value) <= 100 for value in plain)
    value = f"TRY_CAST({cell} AS DOUBLE)"
    rules = [f"abs({value}) <= 100" if kind == "share" else f"abs({value}) < {numbers.MOST:g}"]
    if kind == "count":
        rules.append(f"{value} = floor({value})")
    is_decimal = is_typed or any(
        "." in text and not _THOUSANDS.fullmatch(text) for text in seen if _NUMBER.fullmatch(text)
    )
    if not is_decimal:
        rules.append(f"NOT contains({cell}, '.')")
    sql = f"CASE WHEN {' AND '.join(rules)} THEN {value}{' / 100' if of_hundred else ''} END"
    left = _left(seen, lambda text: _NUMBER.fullmatch(text) and (is_decimal or "." not in text))
    return Cast(sql, cell, left, of_hundred=of_hundred)


def _left(seen: Sequence[str], takes: Callable[[str], object]) -> float:
    """The share of texts that a cast does not take."""
    return sum(not takes(text) for text in seen) / max(1, len(seen))


def _is_typed(raw: RawTable, n: int, kind: str) -> bool:
    return raw.is_view and bool(_TYPED[kind].fullmatch(raw.types[n]))


def _cell(raw: RawTable, n: int, kind: str) -> str:
    """The cell as the file has it, where a cast takes that; else its text."""
    return f"r.t{n}" if raw.is_view and (raw.types[n] == "VARCHAR" or _is_typed(raw, n, kind)) else f"r.c{n}"


def _text(cell: str, kind: str) -> str:
    """SQL for text: words for nothing are null; of several ids the first counts, without the prefix that Zoho writes.

    A category is left as it is: ``categories`` looks at its different values anyway, which costs less.
    """
    if kind == "category":
        return cell
    # words for nothing begin with a sign, n or s: hardly a cell is compared with all of them
    may_be = f"({cell} < '0' OR ({cell} >= 'N' AND {cell} < 'O') OR ({cell} >= 'S' AND {cell} < 'T') OR {cell} >= '\\')"
    is_nothing = f"{may_be} AND lower({cell}) IN ({_NULL_TEXT})"
    if kind == "text":
        return f"CASE WHEN {is_nothing} THEN NULL ELSE {cell} END"
    first = f"regexp_replace(split_part({cell}, ';', 1), '^zcrm_', '')"
    bare = f"CASE WHEN {is_nothing} OR {cell} IN ({_listed(NO_ID)}) THEN NULL ELSE {first} END"
    # hardly an id is anything but itself
    return f"CASE WHEN {may_be} OR starts_with({cell}, '00000000') OR contains({cell}, ';') THEN {bare} ELSE {cell} END"


def _listed(words: frozenset[str]) -> str:
    return ", ".join(quote(word) for word in sorted(words))
