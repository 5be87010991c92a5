"""Deals and visits of stages by plain loops over days: what kpis.pipeline.stints does in the engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from itertools import groupby
from typing import Any

from kpis.periods import day_n

Row = Mapping[str, Any]
Visit = tuple[str, str, int, int | None, str | None, float | None]
"""Opportunity, stage, first night, exit day (None while in it), stage moved to or outcome, amount at entry."""


def known(opportunities: Iterable[Row], today: int) -> dict[str, dict[str, Any]]:
    """Opportunities that had been created by ``today``, with what happened later undone."""
    deals = {}
    for row in opportunities:
        created, closed = _day(row.get("created_at")), _day(row.get("closed_at"))
        if created is None or created > today:
            continue
        ended = closed is not None and closed <= today
        deals[row["opportunity_id"]] = {
            "created": created,
            # The day grid needs an order, so a close before the creation counts on the day of the creation.
            "closed": max(created, closed) if ended else None,
            "outcome": row["status"] if ended else "open",
        }
    return deals


def visits(
    opportunities: Iterable[Row], history: Iterable[Row], closing: Mapping[str, str], first: str, today: int
) -> list[Visit]:
    """Every visit of an open stage, read off the stage at the end of each day.

    Parameters
    ----------
    history
        In the order of ``seq``.
    closing
        Stage -> ``won`` or ``lost``.
    first
        The stage of deals that the history shows in no open one.
    """
    deals = known(opportunities, today)
    rows: dict[str, list[tuple[int, str, float | None]]] = {name: [] for name in deals}
    first_amount: dict[str, float] = {}
    state: dict[str, tuple[str | None, float | None]] = {}
    for row in history:
        name, day = row["opportunity_id"], _day(row["changed_at"])
        # What a row leaves empty has not changed.
        before = state.get(name, (None, None))
        stage, amount = (
            old if row.get(key) is None else row[key] for key, old in zip(("stage", "amount"), before, strict=True)
        )
        state[name] = stage, amount
        if name not in rows or day is None or day > today:
            continue
        if amount is not None:
            first_amount.setdefault(name, amount)
        if stage is not None:
            rows[name].append((day, stage, amount))
    found = []
    for name, deal in deals.items():
        of_deal = _of_deal(name, deal, rows[name], closing, today) if rows[name] else []
        if not of_deal and (deal["closed"] is None or deal["closed"] > deal["created"]):
            of_deal = [(name, first, deal["created"], deal["closed"], deal["outcome"], first_amount.get(name))]
        if of_deal and deal["outcome"] == "open":
            # Status beats stage: an open deal is in the last open stage it was seen in.
            of_deal[-1] = (*of_deal[-1][:3], None, None, of_deal[-1][5])
        found += of_deal
    return found


def _of_deal(name: str, deal: Row, rows: list, closing: Mapping[str, str], today: int) -> list[Visit]:
    """The visits of a deal with history."""
    # The last row of a day speaks for the day; rows that repeat the stage belong to the run that began it.
    days = [list(same_day)[-1] for _, same_day in groupby(rows, key=lambda row: row[0])]
    runs = [next(run) for _, run in groupby(days, key=lambda row: row[1])]

    def in_force(day: int) -> int:
        """Index of the run at the end of a day; the first row speaks for the days before it."""
        return max((k for k, run in enumerate(runs) if run[0] <= day), default=0)

    last_night = (deal["closed"] if deal["closed"] is not None else today + 1) - 1
    nights = [(day, in_force(day)) for day in range(deal["created"], last_night + 1)]
    found = []
    stays = [(k, [day for day, _ in stay]) for k, stay in groupby(nights, key=lambda night: night[1])]
    for number, (k, stay) in enumerate(stays):
        _, stage, amount = runs[k]
        if stage in closing:
            continue
        if number + 1 < len(stays):
            exit_day, following = stay[-1] + 1, runs[stays[number + 1][0]][1]
            cause = closing.get(following, following)
        elif deal["closed"] is not None:
            exit_day, cause = deal["closed"], deal["outcome"]
        else:
            exit_day, cause = None, None
        found.append((name, stage, stay[0], exit_day, cause, amount))
    return found


def _day(value: date | None) -> int | None:
    """Whole-number day of a date."""
    return None if value is None else day_n(value)
