"""Which dates are typing errors: a day far after every other event must not become the newest day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from kpis.periods import day_n

EARLIEST = day_n(date(1980, 1, 1))
"""No sales system is older; an earlier event is a default value or a typing error."""
_DECADE, _YEAR = 3653, 366


def latest(days: Sequence[tuple[int, int]]) -> int | None:
    """The newest day that can be right, of (day, events on it) pairs; None when there are none.

    Going back from the newest day, the days beyond a gap are errors when the gap is more than ten years and
    they hold at most half of the events, or more than a year and they hold at most 1 % of them.
    """
    ordered = sorted((d, n) for d, n in days if d >= EARLIEST)
    if not ordered:
        return None
    total = sum(n for _, n in ordered)
    result, above = ordered[-1][0], 0
    for (day, _), (after, count) in zip(reversed(ordered[:-1]), reversed(ordered), strict=False):
        above += count
        gap = after - day
        if above > total / 2:
            break
        if gap > _DECADE or (gap > _YEAR and above <= 0.01 * total):
            result = day
    return result
