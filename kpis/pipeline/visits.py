"""Visits of stages and pushes of the expected close, derived from the whole history once a dataset and stored.

They hold every day of the data: a reader keeps the rows up to its as-of day and treats a visit that ends
later as not ended. Nothing here depends on the as-of day, so past forecasts need no windows of their own.
"""

from __future__ import annotations

from collections.abc import Callable

import narwhals.stable.v2 as nw

from kpis.dataset import Dataset
from kpis.engine import NEVER, Cursor

PUSH_DAYS = 7
"""An expected close moved later by fewer days is a correction, not a push."""

KEYS, VISITS, PUSHES, STATES = "derived_keys", "derived_visits", "derived_pushes", "derived_states"


def keys(dataset: Dataset, cursor: Cursor) -> nw.LazyFrame:
    """``opportunity_id`` and ``opportunity_n``, its rank: whole numbers join and travel faster than text."""
    return _stored(dataset, cursor, KEYS)


def visits(dataset: Dataset, cursor: Cursor) -> nw.LazyFrame:
    """One row a visit: ``opportunity_n``, ``stage``, ``entry``, ``next_stage``, ``next_day``, ``first``, ``amount``.

    The stage at the end of a day counts; a row that changes no stage is no move. ``next_day`` is NEVER for the
    last visit, ``first`` is 1 for a deal's first one, ``amount`` is the one at entry.
    """
    keys(dataset, cursor)
    return _stored(dataset, cursor, VISITS)


def pushes(dataset: Dataset, cursor: Cursor) -> nw.LazyFrame:
    """One row a push of at least PUSH_DAYS: ``opportunity_id``, ``day``, ``pushed`` (1), ``later`` (days)."""
    return _stored(dataset, cursor, PUSHES)


def states(dataset: Dataset, cursor: Cursor) -> nw.LazyFrame:
    """One row a state between two changes: ``stage``, ``amount``, ``expected_close_n``, ``since``, ``until``.

    The state at the end of a day counts. ``until`` is the day of the next change or of the close, NEVER while
    it lasts. ``closed`` and ``won`` (the amount if won, else 0) are those of the deal in the end.
    """
    return _stored(dataset, cursor, STATES)


def first_recorded(dataset: Dataset, cursor: Cursor, column: str) -> nw.LazyFrame:
    """The first value that the history known by the as-of day holds of a column: ``opportunity_id``, ``recorded``."""
    history = dataset.frame("opportunity_history", cursor).filter(~nw.col(column).is_null())
    earliest = history.group_by("opportunity_id").agg(nw.col("seq").min())
    first = history.join(earliest, on=["opportunity_id", "seq"], how="inner")
    return first.select("opportunity_id", recorded=nw.col(column))


def _stored(dataset: Dataset, cursor: Cursor, name: str) -> nw.LazyFrame:
    dataset.engine.store(name, DERIVED[name])
    return cursor.frame(name)


def _keys(own: Cursor) -> nw.LazyFrame:
    ids = own.frame("opportunities").select("opportunity_id").with_columns(one=nw.lit(1))
    # A sum of whole numbers is wider than it need be, and what is wide is slow to join and to sort by.
    rank = nw.col("one").cum_sum().over(order_by="opportunity_id").cast(nw.Int64)
    ranked = ids.with_columns(opportunity_n=rank)
    return ranked.select("opportunity_id", "opportunity_n")


def _visits(own: Cursor) -> nw.LazyFrame:
    rows = own.frame("opportunity_history").filter(~nw.col("stage").is_null() & ~nw.col("changed_at_n").is_null())
    rows = rows.join(own.frame(KEYS), on="opportunity_id", how="inner")
    rows = rows.select("opportunity_n", "seq", "stage", "amount", entry=nw.col("changed_at_n"))
    rows = rows.with_columns(then=nw.col("entry").shift(-1).over("opportunity_n", order_by="seq"))
    rows = rows.filter(nw.col("then").is_null() | (nw.col("then") > nw.col("entry")))
    rows = rows.with_columns(before=nw.col("stage").shift(1).over("opportunity_n", order_by="seq"))
    first, same = nw.col("before").is_null(), nw.col("before") == nw.col("stage")
    rows = rows.with_columns(
        first=nw.when(first).then(1).otherwise(0), moved=nw.when(first).then(1).when(same).then(0).otherwise(1)
    )
    rows = rows.filter(nw.col("moved") == 1).with_columns(
        next_stage=nw.col("stage").shift(-1).over("opportunity_n", order_by="seq"),
        next_day=nw.col("entry").shift(-1).over("opportunity_n", order_by="seq"),
    )
    return rows.select(
        "opportunity_n", "stage", "next_stage", "first", "amount", "entry", next_day=nw.col("next_day").fill_null(NEVER)
    )


def _pushes(own: Cursor) -> nw.LazyFrame:
    rows = own.frame("opportunity_history").filter(
        ~nw.col("expected_close_n").is_null() & ~nw.col("changed_at_n").is_null()
    )
    rows = rows.with_columns(before=nw.col("expected_close_n").shift(1).over("opportunity_id", order_by="seq"))
    rows = rows.with_columns(later=nw.col("expected_close_n") - nw.col("before"))
    rows = rows.filter(nw.col("later") >= PUSH_DAYS).with_columns(pushed=nw.lit(1))
    return rows.select("opportunity_id", "pushed", "later", day=nw.col("changed_at_n"))


def _states(own: Cursor) -> nw.LazyFrame:
    rows = own.frame("opportunity_history").filter(~nw.col("changed_at_n").is_null())
    day = rows.group_by("opportunity_id", "changed_at_n").agg(nw.col("seq").max())
    rows = rows.join(day, on=["opportunity_id", "changed_at_n", "seq"], how="inner")
    closed = own.frame("opportunities").with_columns(
        won=nw.when(nw.col("status") == "won").then(nw.col("amount").fill_null(0.0)).otherwise(0.0)
    )
    closed = closed.select("opportunity_id", "closed_at_n", "won")
    rows = rows.join(closed, on="opportunity_id", how="inner")
    rows = rows.with_columns(
        next_day=nw.col("changed_at_n").shift(-1).over("opportunity_id", order_by="seq"),
    ).with_columns(next_day=nw.col("next_day").fill_null(NEVER), closed_at_n=nw.col("closed_at_n").fill_null(NEVER))
    until = nw.when(nw.col("closed_at_n") < nw.col("next_day")).then(nw.col("closed_at_n"))
    return rows.with_columns(until=until.otherwise(nw.col("next_day"))).select(
        "stage",
        "amount",
        "expected_close_n",
        "until",
        "won",
        since=nw.col("changed_at_n"),
        closed=nw.col("closed_at_n"),
    )


DERIVED: dict[str, Callable[[Cursor], nw.LazyFrame]] = {
    KEYS: _keys,
    VISITS: _visits,
    PUSHES: _pushes,
    STATES: _states,
}
"""The stored tables, and the query that each is made by."""
