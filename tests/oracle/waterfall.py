"""The waterfall by a decision a deal, in pandas rows and exact fractions: what kpis.pipeline.waterfall does by masks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from fractions import Fraction
from itertools import groupby, pairwise
from typing import Any, NamedTuple

import pandas as pd

IN, OUT = ("new", "pulled_in", "increased"), ("decreased", "pushed_out", "won", "lost", "removed")


class State(NamedTuple):
    """A deal at the end of a day."""

    status: str
    amount: Fraction
    close: date | None
    closed: date | None


def state(
    deal: Mapping[str, Any],
    changes: pd.DataFrame,
    recorded: set[str],
    closing: Mapping[str, str],
    day: date,
    newest: date,
) -> State | None:
    """What was known of a deal at the end of a day; None before it was there."""
    ended = deal["closed_at"] is not None and deal["closed_at"] <= day
    if not ended if deal["created_at"] is None else deal["created_at"] > day:
        return None
    known = changes[changes["changed_at"].map(lambda when: when <= day).astype(bool)]
    value = {}
    for field in ("amount", "expected_close"):
        value[field] = deal[field]
        if day < newest and field in recorded:
            told = [v for v in known[field] if v is not None]
            value[field] = told[-1] if told else deal[field] if ended else None
        elif day < newest and field == "expected_close" and not ended:
            value[field] = None
    status, closed = (deal["status"], deal["closed_at"]) if ended else _closed_for_now(changes, closing, day)
    return State(status, Fraction(value["amount"] or 0), value["expected_close"], closed)


def _closed_for_now(changes: pd.DataFrame, closing: Mapping[str, str], day: date) -> tuple[str, date | None]:
    """A closing stage that is left again later closed the deal on the day it began."""
    nights: dict[date, str] = {}
    stage = None
    for row in changes.itertuples():
        stage = row.stage if row.stage is not None else stage
        if stage is not None:
            nights[row.changed_at] = stage
    runs = [next(run) for _, run in groupby(sorted(nights.items()), key=lambda night: night[1])]
    for (begun, name), (left, _) in pairwise(runs):
        if begun <= day < left and name in closing:
            return closing[name], begun
    return "open", None


def _of_the_pipeline(a: State, b: State, stays: bool, until: date) -> Iterator[tuple[str, Fraction]]:
    """What became of a deal that was in the pipeline."""
    if stays or b.status == "won":
        yield "increased" if b.amount > a.amount else "decreased", abs(b.amount - a.amount)
    if b.status == "won":
        yield "won", b.amount
    elif b.status == "lost":
        yield "lost", a.amount
    elif not stays:
        yield "pushed_out" if b.close is not None and b.close > until else "removed", a.amount


def waterfall(
    opportunities: Iterable[Mapping[str, Any]],
    history: Iterable[Mapping[str, Any]],
    closing: Mapping[str, str],
    days: tuple[date, date, date],
    period: tuple[date, date],
) -> dict[str, float]:
    """The steps from start to end, each correctly rounded; ``days`` are the first, the last and the newest."""
    first, last, newest = days
    rows = pd.DataFrame(history, dtype=object).reindex(
        columns=["opportunity_id", "changed_at", "stage", "amount", "expected_close"]
    )
    rows = rows.where(rows.notna(), None)
    recorded = {field for field in ("amount", "expected_close") if rows[field].notna().any()}
    pairs = []
    for deal in opportunities:
        own = rows[rows["opportunity_id"] == deal["opportunity_id"]]
        pairs.append([state(deal, own, recorded, closing, day, newest) for day in (first, last)])
    everyone = any(
        all(s.close is None for s in on_day) and on_day
        for on_day in ([p[k] for p in pairs if p[k] and p[k].status == "open"] for k in (0, 1))
    )

    def inside(day: date | None) -> bool:
        return everyone or (day is not None and period[0] <= day <= period[1])

    total: dict[str, Fraction] = defaultdict(Fraction)
    for a, b in pairs:
        was = a is not None and a.status == "open" and inside(a.close)
        if b is None:
            continue
        is_in = b.status == "open" and inside(b.close)
        total["start"] += a.amount if was else 0
        total["end"] += b.amount if is_in else 0
        if was:
            for step, amount in _of_the_pipeline(a, b, is_in, period[1]):
                total[step] += amount
        else:
            entry = "new" if a is None else "pulled_in"
            ended = b.status != "open" and first < b.closed <= last
            through = ended and b.status == "won" and inside(b.closed)
            through |= ended and b.status == "lost" and a is None and inside(b.close or b.closed)
            if is_in or through:
                total[entry] += b.amount
            if through:
                total[b.status] += b.amount
    return {name: float(total[name]) for name in ("start", *IN, *OUT, "end")}
