"""Days out of text: the order of day and month is decided once for a whole column, never value by value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from kpis.intake.words import MONTHS, NULLS_BEYOND_TEXT, plain

Order = Literal["day-first", "month-first"]
_LONGEST = 64
FIRST, LAST = date(1900, 1, 1), date(2999, 12, 31)
"""A day outside this range is no date that a person meant."""

_TIME = r"(?:[T,\s]+(?:at\s+|um\s+|à\s+)?\d{1,2}[:.h]\d{2}(?:[:.]\d{2}(?:[.,]\d+)?)?\s*(?:[ap]\.?\s?m\.?)?\s*(?:Z|UTC|GMT|[A-Z]{2,5}|[+-]\d{2}:?\d{2}(?:\s*\(.*\))?)?)?"
_ISO = re.compile(rf"(\d{{4}})[-/.](\d{{1,2}})[-/.](\d{{1,2}}){_TIME}", re.IGNORECASE)
_NUMERIC = re.compile(rf"(\d{{1,2}})\s?([/.\-])\s?(\d{{1,2}})\s?\2\s?(\d{{4}}|\d{{2}}){_TIME}", re.IGNORECASE)
_COMPACT = re.compile(rf"((?:19|20)\d{{2}})(\d{{2}})(\d{{2}})(?:\d{{4}}|\d{{6}})?{_TIME}", re.IGNORECASE)
_WEEKDAY = re.compile(r"^(?:[^\W\d_]{2,10})[.,]+\s+(?=.*\d)")
_DAY_MONTH = re.compile(
    rf"(\d{{1,2}})(?:st|nd|rd|th|er)?[.\s/-]+(?:de\s+)?([^\W\d_]{{3,10}})[.,]?[\s/-]+(?:de\s+)?(\d{{4}}|\d{{2}}){_TIME}",
    re.IGNORECASE,
)
_MONTH_DAY = re.compile(
    rf"([^\W\d_]{{3,10}})[.\s/-]+(\d{{1,2}})(?:st|nd|rd|th)?[,\s/-]+(\d{{4}}|\d{{2}}){_TIME}", re.IGNORECASE
)
_YEAR_MONTH_DAY = re.compile(rf"(\d{{4}})[\s/-]([^\W\d_]{{3,10}})[\s/-](\d{{1,2}}){_TIME}", re.IGNORECASE)
_MONTH_YEAR = re.compile(r"([^\W\d_]{3,10})[.\s/-]*['’ ]?\s?(\d{4}|\d{2})", re.IGNORECASE)
_YEAR_MONTH = re.compile(r"(\d{4})[-/.](\d{1,2})|(\d{1,2})[-/.](\d{4})")
_QUARTER = re.compile(
    r"(fy\s?)?'?(\d{4}|\d{2})[\s\-/]*[qt]([1-4])|[qt]([1-4])[\s\-/]*(fy\s?)?'?(\d{4}|\d{2})", re.IGNORECASE
)
_FISCAL_MONTH = re.compile(r"(fy\s?)(\d{4}|\d{2})[\s\-/]*[mp](\d{1,2})", re.IGNORECASE)
_SERIAL = re.compile(r"(\d{5})(?:[.,]\d+)?")
_EPOCH = re.compile(r"(\d{10})(\d{3})?(?:\.\d+)?")


@dataclass(frozen=True)
class DateStyle:
    """How a column writes its days.

    Parameters
    ----------
    order
        Which of two numbers comes first; None when the column never needs to know or does not tell.
    why
        What decided it, for the report.
    undecided
        Examples that read both ways, when nothing decided between them.
    """

    order: Order | None = None
    why: str = ""
    undecided: tuple[str, ...] = ()


def order_shown(text: str) -> Order | Literal["either"] | None:
    """Which order ``text`` proves by itself; ``either`` when both read, None when it shows no order."""
    match = _NUMERIC.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if not match:
        return None
    first, separator, second = int(match[1]), match[2], int(match[3])
    if first > 12 >= second:
        return "day-first"
    if second > 12 >= first:
        return "month-first"
    if separator == ".":
        return "day-first"
    return None if first == second else "either"


def decide(
    texts: Iterable[str], agreed: Order | None = None, usual: Order | None = None, usual_why: str = ""
) -> DateStyle:
    """The order of day and month in a whole column.

    In this order: what the values prove; what the settings say; a part that is always 1 in at least six
    different values (months written by their first day); ``usual``, the order of the product or of the
    other columns of the file. When none of these tells, the column stays undecided.
    """
    shown: dict[str, list[str]] = {}
    parts: set[tuple[int, int]] = set()
    for text in texts:
        proof = order_shown(text)
        if proof:
            shown.setdefault(proof, []).append(text)
            match = _NUMERIC.fullmatch(text.strip())
            parts.add((int(match[1]), int(match[3])))  # type: ignore[index]
    day, month, either = (shown.get(key, []) for key in ("day-first", "month-first", "either"))
    if not shown:
        return DateStyle(agreed or usual)
    if len(day) != len(month) and (day or month):
        order: Order = "day-first" if len(day) > len(month) else "month-first"
        return DateStyle(order, f"{(day if order == 'day-first' else month)[0]!r} can only be {order}")
    if agreed:
        return DateStyle(agreed, "the settings say so")
    if not day and len(parts) >= 6:
        if all(first == 1 for first, _ in parts):
            return DateStyle("day-first", "the first number is always 1: months written by their first day")
        if all(second == 1 for _, second in parts):
            return DateStyle("month-first", "the second number is always 1: months written by their first day")
    if usual:
        return DateStyle(usual, usual_why)
    return DateStyle(None, "", tuple(sorted((either or day)[:3])))


def parse_day(text: str, order: Order | None = None, fiscal_start: int = 1) -> date | None:
    """The day that ``text`` names, as written (a time and its zone are cut off); None when it names none.

    A month or quarter stands for its first day; ``FY26-Q3`` counts from ``fiscal_start`` and the year the
    fiscal year ends in. Whole numbers of five digits are Excel's day count from 1899-12-30.

    Examples
    --------
    >>> parse_day("Jun 09, 2018 09:30 pm"), parse_day("3/4/2024", "day-first")
    (datetime.date(2018, 6, 9), datetime.date(2024, 4, 3))
    """
    text = text.strip()
    if len(text) > _LONGEST or text.lower() in NULLS_BEYOND_TEXT:
        return None
    day = _numeric_day(text, order) or _named_day(text) or _period_day(text, fiscal_start)
    return day if day and FIRST <= day <= LAST else None


def time_of(text: str) -> int | None:
    """Seconds after midnight that ``text`` names beside its day; None when it names no time."""
    match = re.search(r"(?<!\d)(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d+)?\s*([ap])?", text, re.IGNORECASE)
    if not match or int(match[1]) > 23 or int(match[2]) > 59:
        return None
    hour = int(match[1]) % 12 + 12 * (match[4].lower() == "p") if match[4] else int(match[1])
    return hour * 3600 + int(match[2]) * 60 + int(match[3] or 0)


def _numeric_day(text: str, order: Order | None) -> date | None:
    if match := _ISO.fullmatch(text) or _COMPACT.fullmatch(text):
        return _day(int(match[1]), int(match[2]), int(match[3]))
    if match := _NUMERIC.fullmatch(text):
        first, second, year = int(match[1]), int(match[3]), _year(match[4])
        read = order or order_shown(text)
        if first == second:
            read = "day-first"
        if read == "day-first":
            return _day(year, second, first)
        return _day(year, first, second) if read == "month-first" else None
    if match := _SERIAL.fullmatch(text):
        return date(1899, 12, 30) + timedelta(days=int(match[1]))
    if match := _EPOCH.fullmatch(text):
        return date(1970, 1, 1) + timedelta(seconds=int(match[1]))
    return None


def _named_day(text: str) -> date | None:
    text = _WEEKDAY.sub("", text)
    for pattern, (d, m, y) in ((_DAY_MONTH, (1, 2, 3)), (_MONTH_DAY, (2, 1, 3)), (_YEAR_MONTH_DAY, (3, 2, 1))):
        match = pattern.fullmatch(text)
        if match and (month := MONTHS.get(plain(match[m]))):
            return _day(_year(match[y]), month, int(match[d]))
    return None


def _period_day(text: str, fiscal_start: int) -> date | None:
    if match := _QUARTER.fullmatch(text):
        fiscal, year = match[1] or match[5], _year(match[2] or match[6])
        return _in_fiscal_year(year, (int(match[3] or match[4]) - 1) * 3, fiscal_start if fiscal else 1)
    if match := _FISCAL_MONTH.fullmatch(text):
        return _in_fiscal_year(_year(match[2]), int(match[3]) - 1, fiscal_start) if 1 <= int(match[3]) <= 12 else None
    if match := _YEAR_MONTH.fullmatch(text):
        return _day(int(match[1] or match[4]), int(match[2] or match[3]), 1)
    match = _MONTH_YEAR.fullmatch(text)
    month = MONTHS.get(plain(match[1])) if match else None
    return _day(_year(match[2]), month, 1) if match and month else None


def _in_fiscal_year(year: int, months: int, fiscal_start: int) -> date:
    """The first day of the month ``months`` after the start of the fiscal year that ends in ``year``."""
    first = (year - (fiscal_start > 1)) * 12 + fiscal_start - 1 + months
    return date(first // 12, first % 12 + 1, 1)


def _year(digits: str) -> int:
    return int(digits) if len(digits) == 4 else 2000 + int(digits) - 100 * (int(digits) >= 80)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def order_that_fits(texts: Sequence[str | None], days: Sequence[date | None], *, after: bool) -> Order | None:
    """The one order under which no undecided date contradicts the decided day beside it; None when both or neither do.

    Parameters
    ----------
    after
        True when each text names a day on or after the one beside it (a close beside a creation), False when
        on or before.
    """
    wrong = {"day-first": 0, "month-first": 0}
    for text, day in zip(texts, days, strict=True):
        if text is None or day is None:
            continue
        for order in wrong:
            read = parse_day(text, order)  # type: ignore[arg-type]
            wrong[order] += read is None or (read < day if after else read > day)
    if wrong["day-first"] and not wrong["month-first"]:
        return "month-first"
    return "day-first" if wrong["month-first"] and not wrong["day-first"] else None
