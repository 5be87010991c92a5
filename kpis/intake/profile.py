"""What the values of a column look like, from a sample: the evidence that a header's name is checked against."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kpis.intake.dates import order_shown, parse_day
from kpis.intake.numbers import mark_shown, parse_number
from kpis.intake.words import FALSE, NULLS_BEYOND_TEXT, TRUE
from kpis.schema import Column

_ISO = re.compile(r"[12]\d{3}-[01]\d-[0-3]\d(?:$|[ T]\d)")
_DIGIT = re.compile(r"\d")
_PLAIN = re.compile(r"-?\d+(\.\d+)?")


@dataclass(frozen=True)
class Profile:
    """Shares of the filled values of a column (0 to 1), and how many are filled and different."""

    filled: int
    distinct: int
    dates: float = 0.0
    numbers: float = 0.0
    whole: float = 0.0
    flags: float = 0.0
    at_most_one: float = 0.0
    longest: int = 0
    serial: bool = False

    @property
    def constant(self) -> bool:
        """One value on every row."""
        return self.distinct <= 1 < self.filled


def profile(values: Sequence[str | None]) -> Profile:
    """Look at the values of a column."""
    texts = [v for v in values if v is not None and v.lower() not in NULLS_BEYOND_TEXT]
    different = set(texts)
    if not texts:
        return Profile(0, 0)
    number: dict[str, float | None] = {}
    day: dict[str, bool] = {}
    for text in different:
        if _ISO.match(text) or not _DIGIT.search(text):
            number[text], day[text] = None, bool(_ISO.match(text))
            continue
        number[text] = (
            float(text) if _PLAIN.fullmatch(text) else parse_number(text, "," if mark_shown(text) == "," else ".")
        )
        day[text] = (
            parse_day(text, order_shown(text) if order_shown(text) in ("day-first", "month-first") else "month-first")
            is not None
        )  # type: ignore[arg-type]
    total = len(texts)
    numbers = [number[t] for t in texts if number[t] is not None]
    return Profile(
        total,
        len(different),
        dates=sum(day[t] for t in texts) / total,
        numbers=len(numbers) / total,
        whole=sum(n == int(n) for n in numbers if abs(n) < 1e300) / total,
        flags=sum(t.lower() in TRUE or t.lower() in FALSE for t in texts) / total,
        at_most_one=sum(0 <= n <= 1 for n in numbers) / total,
        longest=max(map(len, different)),
        serial=all(_PLAIN.fullmatch(t) for t in different),
    )


def fits(seen: Profile, column: Column, is_key: bool = False) -> tuple[float, str]:
    """How well values fit a field, 0 (cannot be) to 1, and the reason when they do not fit well."""
    if not seen.filled:
        return 0.9, "no values to check"
    kind = column.kind
    if kind in ("date", "plan_date"):
        if seen.dates < 0.6:
            return 0.0, "its values are no dates"
        return (0.9, "whole numbers read as dates") if seen.serial else (1.0, "")
    if kind in ("money", "number", "count"):
        if seen.numbers < 0.6:
            return 0.0, "its values are no numbers"
        if kind == "money" and seen.at_most_one == 1 and seen.distinct > 2:
            return 0.3, "its values are shares, not money"
        return (0.3, "its values are no whole numbers") if kind == "count" and seen.whole < 0.9 else (1.0, "")
    if kind == "share":
        return (1.0, "") if seen.numbers >= 0.6 else (0.0, "its values are no numbers")
    if kind == "flag":
        return (1.0, "") if seen.flags >= 0.9 else (0.0, "its values are not yes or no")
    if seen.dates > 0.9 and not seen.serial:
        return 0.1, "its values are dates"
    if is_key and seen.distinct < 0.9 * seen.filled:
        return (
            (0.8, "some of its values repeat")
            if seen.distinct >= 0.5 * seen.filled
            else (0.3, "its values repeat, so they identify no row")
        )
    if kind == "category" and seen.constant:
        return 0.9, "the same value on every row"
    return (0.85, "numbers where words are usual") if kind in ("category", "text") and seen.numbers > 0.9 else (1.0, "")
