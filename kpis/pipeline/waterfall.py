"""What changed in a period's open pipeline between the ends of two days, deal by deal.

A deal counts where it stands on each of the two days, and each step starts where the one before it ended:

* in: a deal comes in at its amount on the second day;
* stays: a changed amount is an increase or a decrease;
* won: the amount first changes to the one it was won at, so that wins add up to bookings;
* out otherwise: it leaves at its amount on the first day, since what happened to it elsewhere (a loss booked
  as 0, a pushed deal that grew) is no change of this pipeline;
* in and out in between: it counts as come in and as won or lost, both at the amount it closed at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from math import fsum

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from kpis.dataset import Dataset
from kpis.engine import NEVER, Cursor, Type, collect
from kpis.periods import Period, day_n
from kpis.pipeline.stints import LOST, OPEN, WON, read_stages
from kpis.pipeline.visits import keys, pushes, visits

ABSENT = -1
"""Outcome code of a deal that was not there yet."""

BUCKETS = {
    "new": 1, "pulled_in": 1, "increased": 1, "decreased": -1, "pushed_out": -1, "won": -1, "lost": -1, "removed": -1,
}  # fmt: skip
"""The steps from start to end, in order, and whether each adds to the pipeline or takes from it."""

KINDS = {
    "new": "new",
    "pulled in": "pulled_in",
    "slipped in": "pulled_in",
    "dated": "pulled_in",
    "reopened": "pulled_in",
    "increased": "increased",
    "decreased": "decreased",
    "pushed out": "pushed_out",
    "won": "won",
    "lost": "lost",
    "pulled forward": "removed",
    "undated": "removed",
}
"""Every kind of change, in order, and its step: pulled in from a later period, slipped in from an earlier one, given
an expected close for the first time (dated) or back from a close; pulled forward into an earlier period or left
without an expected close (undated)."""

_MOVE: dict[str, Type] = {
    "opportunity_id": "text", **dict.fromkeys(("name", "account", "owner", "segment", "stage"), "category"),
    **dict.fromkeys(("outcome_from", "outcome_to", "close_from", "close_to", "closed"), "int"),
    **dict.fromkeys(("amount_from", "amount_to", "pushes", "recent", "later"), "float"),
}  # fmt: skip


@dataclass(frozen=True)
class Waterfall:
    """A period's open pipeline at the ends of two days, and what lies between them.

    Parameters
    ----------
    by_close
        Whether deals are told by their expected close; where none is known on one of the days, all count.
    start, end
        Open amount on each day.
    totals
        Step of BUCKETS -> amount: start + new + pulled_in + increased - decreased - pushed_out - won - lost - removed
        = end.
    changes
        A row a change: ``deal`` (row of the moves), ``kind``, and the deal's amount in this pipeline ``before`` and
        ``after`` it. A deal has up to two rows; an unchanged one has none.
    held_before, held
        (moves,) whether each deal is in the pipeline on the first and the last day.
    residual
        start + changes - end over the single amounts, summed without rounding: exactly 0 unless a deal was
        counted wrongly.
    """

    period: Period
    by_close: bool
    start: float
    end: float
    totals: dict[str, float]
    changes: pd.DataFrame
    held_before: np.ndarray
    held: np.ndarray
    residual: float


def moves(dataset: Dataset, first: date, last: date) -> pd.DataFrame:
    """Deals open at the end of ``first`` or ``last``, or closed in between, as each day knew them.

    One row a deal: ``opportunity_id``, ``name``, ``account``, ``owner``, ``segment``, ``stage`` (at ``last``); with
    ``_from`` and ``_to``: ``outcome`` (OPEN, WON, LOST, or ABSENT), ``amount`` (0 where none is known), ``close``
    (expected, NEVER where none is known); ``closed`` (NEVER while open), ``pushes`` until ``last``, ``recent``
    ones after ``first``, ``later`` (days that they moved the close), each NaN where unknown. A deal without a
    creation date is there once it has closed.
    """
    return collect(moves_frame(dataset, first, last), _MOVE).sort_values("opportunity_id", ignore_index=True)


def moves_frame(dataset: Dataset, first: date, last: date) -> nw.LazyFrame:
    """The query of ``moves``."""
    cursor = dataset.engine.cursor()
    today = day_n(last)
    before = _state(dataset, first, first, cursor).select(
        "opportunity_id", outcome_from="outcome", amount_from="amount", close_from="close"
    )
    frame = _state(dataset, last, first, cursor).join(before, on="opportunity_id", how="left")
    frame = frame.with_columns(
        outcome_from=nw.col("outcome_from").fill_null(ABSENT),
        amount_from=nw.col("amount_from").fill_null(0.0),
        close_from=nw.col("close_from").fill_null(NEVER),
    )
    closed_since = (nw.col("closed") > day_n(first)) & (nw.col("closed") <= today)
    frame = frame.filter((nw.col("outcome_from") == OPEN) | (nw.col("outcome") == OPEN) | closed_since)
    frame = _with_pushes(dataset, frame, cursor, day_n(first), today)
    frame = frame.rename({"outcome": "outcome_to", "amount": "amount_to", "close": "close_to", "account_id": "account"})
    return frame.select(*_MOVE)


def _state(dataset: Dataset, day: date, since: date, cursor: Cursor) -> nw.LazyFrame:
    """Deals as known at the end of a day: ``outcome``, ``amount``, ``close``, ``closed`` and what names them.

    Those closed for good by the end of ``since``, which are most, are left out.
    """
    frame = dataset.known_at(day).frame("opportunities", cursor)
    frame = frame.filter(nw.col("closed_at_n").is_null() | (nw.col("closed_at_n") > day_n(since)))
    frame = frame.filter(~nw.col("created_at_n").is_null() | ~nw.col("closed_at_n").is_null())
    status = nw.when(nw.col("status") == "won").then(WON).when(nw.col("status") == "lost").then(LOST)
    if dataset.has_history:
        frame = frame.join(_closed_for_now(dataset, day_n(day), cursor), on="opportunity_id", how="left")
        outcome = nw.coalesce(status, nw.col("for_now"), nw.lit(OPEN))
        closed = nw.coalesce(nw.col("closed_at_n"), nw.col("since"))
    else:
        outcome, closed = status.otherwise(OPEN), nw.col("closed_at_n")
    return frame.with_columns(
        outcome=outcome,
        closed=closed.fill_null(NEVER),
        amount=nw.col("amount").fill_null(0.0),
        close=nw.col("expected_close_n").fill_null(NEVER),
    )


def _closed_for_now(dataset: Dataset, day: int, cursor: Cursor) -> nw.LazyFrame:
    """Deals that were in a closing stage at the end of a day and left it again: how they were closed, and since when.

    The table of opportunities knows the last close only, so a deal that was lost and reopened would seem open all
    along. A closing stage that is never left is no such case: there the status counts.
    """
    table = read_stages(dataset)
    won, lost = (table.loc[table[flag] == 1, "stage"].tolist() for flag in ("is_won", "is_lost"))
    in_force = (nw.col("entry") <= day) & (nw.col("next_day") > day) & (nw.col("next_day") < NEVER)
    rows = visits(dataset, cursor).filter(in_force, nw.col("stage").is_in([*won, *lost]))
    rows = rows.join(keys(dataset, cursor), on="opportunity_n", how="inner")
    how = nw.when(nw.col("stage").is_in(won)).then(WON).otherwise(LOST)
    return rows.select("opportunity_id", since="entry", for_now=how)


def _with_pushes(dataset: Dataset, frame: nw.LazyFrame, cursor: Cursor, first: int, last: int) -> nw.LazyFrame:
    """Add the pushes until ``last`` and those after ``first``, by the history or, without one, by the CRM's counter."""
    unknown = nw.lit(None).cast(nw.Float64)
    if not dataset.has("opportunity_history", "expected_close"):
        return frame.with_columns(pushes=nw.col("push_count"), recent=unknown, later=unknown)
    until = pushes(dataset, cursor).filter(nw.col("day") <= last)
    until = until.with_columns(recent=nw.when(nw.col("day") > first).then(nw.col("pushed")).otherwise(0))
    summed = until.group_by("opportunity_id").agg(nw.col("pushed").sum(), nw.col("recent").sum(), nw.col("later").sum())
    frame = frame.join(summed, on="opportunity_id", how="left")
    return frame.with_columns(
        pushes=nw.col("pushed").fill_null(0), recent=nw.col("recent").fill_null(0), later=nw.col("later").fill_null(0)
    )


def waterfall(rows: pd.DataFrame, period: Period) -> Waterfall:
    """The waterfall of a period's open pipeline: open deals whose expected close lies in it.

    A deal that was not in it on either day counts only if it was won on a day of the period, or was created and
    lost in between with a close in the period.

    Parameters
    ----------
    rows
        The moves between the two days.
    """
    close = [rows[f"close_{end}"].to_numpy() for end in ("from", "to")]
    outcome = [rows[f"outcome_{end}"].to_numpy() for end in ("from", "to")]
    a, b = (rows[f"amount_{end}"].to_numpy() for end in ("from", "to"))
    is_open = [codes == OPEN for codes in outcome]
    by_close = all((day[held] < NEVER).any() or not held.any() for day, held in zip(close, is_open, strict=True))
    begin, finish = (day_n(period.start), day_n(period.end)) if by_close else (-NEVER, NEVER)

    def inside(day: np.ndarray) -> np.ndarray:
        return (day >= begin) & (day <= finish)

    closed = rows["closed"].to_numpy()
    held, stays = is_open[0] & inside(close[0]), is_open[1] & inside(close[1])
    won, lost = outcome[1] == WON, outcome[1] == LOST
    absent = outcome[0] == ABSENT
    passes = ~held & (won & inside(closed) | lost & absent & inside(np.where(close[1] < NEVER, close[1], closed)))
    comes, goes = ~held & (stays | passes), held & is_open[1] & ~stays
    kept = held & (stays | won)
    origin = np.select(
        [absent, ~is_open[0], close[0] == NEVER, close[0] > finish],
        ["new", "reopened", "dated", "pulled in"],
        "slipped in",
    )
    way_out = np.select([close[1] == NEVER, close[1] > finish], ["undated", "pushed out"], "pulled forward")
    nothing = np.zeros(len(rows))
    steps = [
        *((comes & (origin == kind), kind, nothing, b) for kind in KINDS if KINDS[kind] in ("new", "pulled_in")),
        (kept & (b > a), "increased", a, b),
        (kept & (b < a), "decreased", a, b),
        *((goes & (way_out == kind), kind, a, nothing) for kind in ("pushed out", "pulled forward", "undated")),
        ((held | passes) & won, "won", b, nothing),
        ((held | passes) & lost, "lost", np.where(held, a, b), nothing),
    ]  # fmt: skip
    changes = _changes(steps)
    left, right = changes["before"].to_numpy(), changes["after"].to_numpy()
    bucket = changes["kind"].map(KINDS).to_numpy()
    totals = {
        # 0.0 + turns -0.0 into 0.0.
        name: 0.0 + sign * fsum([*right[bucket == name], *-left[bucket == name]])
        for name, sign in BUCKETS.items()
    }
    residual = fsum([*a[held], *right, *-left, *-b[stays]])
    return Waterfall(period, by_close, fsum(a[held]), fsum(b[stays]), totals, changes, held, stays, residual)


def _changes(steps: Iterable[tuple[np.ndarray, str, np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """A row for every deal of each step, in the order of the steps."""
    parts = [
        pd.DataFrame({"deal": np.flatnonzero(which), "kind": kind, "before": before[which], "after": after[which]})
        for which, kind, before, after in steps
    ]
    return pd.concat(parts, ignore_index=True)
