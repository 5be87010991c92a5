"""Deals and their stints: one row an opportunity, and one row a visit of a stage, as known at the as-of day.

The grain is the day: the stage at the end of a day counts, moves within a day collapse into one.
"""

from __future__ import annotations

from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from kpis.dataset import Dataset
from kpis.engine import NEVER, Cursor, Type, collect
from kpis.periods import day_n
from kpis.pipeline.visits import first_recorded, keys, visits
from kpis.pipeline.visits import pushes as pushed

OPEN, WON, LOST = 0, 1, 2
"""Outcome codes of a deal."""

ONE_STAGE = "Open"
"""Name of the only stage where no stage history is known: its clock runs from creation."""


@dataclass(frozen=True)
class Stages:
    """The open stages in order, and which of them count as qualified."""

    names: tuple[str, ...]
    qualified: tuple[bool, ...]

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Stints:
    """The sufficient data of the pipeline at the end of ``today`` (a whole-number day).

    Parameters
    ----------
    deals
        A row a deal created by ``today`` with a creation date: ``opportunity_id``, ``opportunity_n`` (its
        rank), ``created``, ``closed`` (NEVER while open), ``outcome``, ``amount`` (as last known),
        ``first_amount`` (at creation), ``expected_close`` (NEVER when unset), ``pushes`` (times it was moved
        later), ``stage``, ``owner``, ``segment``, ``source`` and more dimensions as categories.
    spells
        A row a visit: ``deal`` (row of ``deals``), ``stage`` (index into ``stages``), ``entry``, ``exit``
        (NEVER while in it), ``cause`` (index of the next stage, ``len(stages)`` for won, one more for
        lost, -1 while in it), ``amount`` (at entry).
    undated
        Open opportunities without a creation date: count and amount.
    bookings
        A row a won opportunity, with or without a creation date: ``closed``, ``amount``.
    history_start
        Day of the first recorded change; -NEVER without history. A deal that ended earlier left no visits.
    """

    today: int
    stages: Stages
    deals: pd.DataFrame
    spells: pd.DataFrame
    undated: tuple[int, float]
    bookings: pd.DataFrame
    history_start: int

    @property
    def has_history(self) -> bool:
        """Whether stage changes are known."""
        return self.history_start > -NEVER


_DIMENSIONS = ("stage", "owner", "team", "segment", "region", "source", "product", "type")
_DEAL: dict[str, Type] = {
    "opportunity_id": "text", "opportunity_n": "int32", "created": "int32", "closed": "int32", "outcome": "int32",
    "amount": "float", "first_amount": "float", "list_price": "float", "amount_basis": "category",
    "expected_close": "int32", "last_activity": "int32", "pushes": "int32", "probability": "float",
    "forecast_category": "category", **dict.fromkeys(_DIMENSIONS, "category"),
}  # fmt: skip
_VISIT: dict[str, Type] = {
    "opportunity_n": "int32", "stage": "category", "next_stage": "category", "entry": "int32", "next_day": "int32",
    "first": "int32", "amount": "float",
}  # fmt: skip


def stints(dataset: Dataset) -> Stints:
    """Rebuild deals and stints from opportunities and, where there is one, their history.

    Without history there is one stage, entered at creation. With history a stage left and entered again
    is a new visit; a row that changes no stage is no move; the first visit begins at creation.
    """
    deals, undated, bookings = _deals(dataset)
    start = -NEVER
    if dataset.has_history:
        stages, spells, start = _spells(dataset, deals)
    else:
        stages = Stages((ONE_STAGE,), (True,))
        outcome = deals["outcome"].to_numpy()
        spells = pd.DataFrame(
            {
                "deal": np.arange(len(deals)),
                "stage": 0,
                "entry": deals["created"],
                "exit": deals["closed"],
                "cause": np.where(outcome == OPEN, -1, outcome),
                "amount": deals["first_amount"],
            }
        )
    return Stints(day_n(dataset.as_of), stages, deals, spells, undated, bookings, start)


def deals_frame(dataset: Dataset) -> nw.LazyFrame:
    """The query behind the deals: one row an opportunity as known at the end of the as-of day."""
    cursor = dataset.engine.cursor()
    frame = dataset.frame("opportunities", cursor)
    first = nw.col("list_price") if dataset.amount_known_at_close else nw.col("amount")
    frame = frame.with_columns(first_amount=first)
    if dataset.has("opportunity_history", "amount"):
        frame = _with_first_amount(dataset, frame, cursor)
    pushes = nw.col("push_count").fill_null(0)
    if dataset.has("opportunity_history", "expected_close"):
        until = pushed(dataset, cursor).filter(nw.col("day") <= day_n(dataset.as_of))
        counted = until.group_by("opportunity_id").agg(nw.col("pushed").sum())
        frame = frame.join(counted, on="opportunity_id", how="left")
        pushes = nw.col("pushed").fill_null(0)
    frame = frame.join(keys(dataset, cursor), on="opportunity_id", how="left").with_columns(
        pushes=pushes,
        created=nw.col("created_at_n").fill_null(NEVER),
        closed=nw.col("closed_at_n").fill_null(NEVER),
        expected_close=nw.col("expected_close_n").fill_null(NEVER),
        last_activity=nw.col("last_activity_at_n").fill_null(-NEVER),
        outcome=nw.when(nw.col("status") == "won")
        .then(WON)
        .when(nw.col("status") == "lost")
        .then(LOST)
        .otherwise(OPEN),
    )
    return frame.select(*_DEAL)


def _deals(dataset: Dataset) -> tuple[pd.DataFrame, tuple[int, float], pd.DataFrame]:
    """One row a deal, count and amount of the open ones without a creation date, and all bookings."""
    deals = collect(deals_frame(dataset), _DEAL)
    deals = deals.iloc[_in_order(deals["created"].to_numpy(), deals["opportunity_n"].to_numpy())].reset_index(drop=True)
    # Those without a creation date are the last ones.
    dated = deals["created"] < NEVER
    still_open = ~dated & (deals["outcome"] == OPEN)
    undated = int(still_open.sum()), float(deals.loc[still_open, "amount"].sum())
    bookings = deals.loc[deals["outcome"] == WON, ["closed", "amount"]].fillna({"amount": 0.0})
    deals = deals.iloc[: int(dated.sum())]
    # A close before the creation is an error of the record: intake reports it; the day grid needs an order.
    return deals.assign(closed=np.maximum(deals["created"], deals["closed"])), undated, bookings


def _with_first_amount(dataset: Dataset, frame: nw.LazyFrame, cursor: Cursor) -> nw.LazyFrame:
    """Add the amount as first recorded: the band of a deal must not know how it ended."""
    joined = frame.join(first_recorded(dataset, cursor, "amount"), on="opportunity_id", how="left")
    return joined.with_columns(first_amount=nw.coalesce(nw.col("recorded"), nw.col("first_amount")))


def read_stages(dataset: Dataset) -> pd.DataFrame:
    """The stages table in order: stage, position, is_qualified, is_won, is_lost, default_probability."""
    cursor = dataset.engine.cursor()
    frame = dataset.frame("stages", cursor).with_columns(
        position=nw.col("position").fill_null(NEVER),
        is_qualified=nw.col("is_qualified").fill_null(1),
        is_won=nw.col("is_won").fill_null(0),
        is_lost=nw.col("is_lost").fill_null(0),
    )
    flags = dict.fromkeys(("position", "is_qualified", "is_won", "is_lost"), "int")
    table = collect(frame, {"stage": "text", **flags, "default_probability": "float"})
    return table.sort_values(["position", "stage"]).drop_duplicates("stage").reset_index(drop=True)


def visits_frame(dataset: Dataset) -> nw.LazyFrame:
    """The query behind the spells: one row a visit of a stage that began by the as-of day."""
    today = day_n(dataset.as_of)
    frame = visits(dataset, dataset.engine.cursor()).filter(nw.col("entry") <= today)
    over = nw.col("next_day") <= today
    frame = frame.with_columns(
        next_stage=nw.when(over).then(nw.col("next_stage")),
        next_day=nw.when(over).then(nw.col("next_day")).otherwise(NEVER),
    )
    return frame.select(*_VISIT)


def _spells(dataset: Dataset, deals: pd.DataFrame) -> tuple[Stages, pd.DataFrame, int]:
    """Visits up to the as-of day, and the day the history begins."""
    rows = collect(visits_frame(dataset), _VISIT)
    start = int(rows["entry"].min()) if len(rows) else -NEVER
    stages, code = _coded(rows["stage"].cat.categories, read_stages(dataset))
    visited = _visited(rows, deals, code, len(stages))
    # Of millions of rows there is hardly room for two tables.
    del rows
    others = _without_visits(deals, visited["deal"], code, len(stages))
    for name in visited:
        visited[name] = np.append(visited[name], others[name].to_numpy(visited[name].dtype))
    order = _in_order(visited["deal"], visited["entry"])
    for name in visited:
        visited[name] = visited[name][order]
    # Status beats stage: an open deal whose last recorded stage is a closing one stays where it was before.
    last = np.append(visited["deal"][1:] != visited["deal"][:-1], True)[: len(order)]
    last &= deals["outcome"].to_numpy()[visited["deal"]] == OPEN
    visited["exit"][last], visited["cause"][last] = NEVER, -1
    return stages, pd.DataFrame(visited, copy=False), start


def _coded(seen: pd.Index, table: pd.DataFrame) -> tuple[Stages, dict[str, int]]:
    """The open stages, those that are not listed last, and the number of each stage: won and lost come after them."""
    unlisted = seen.difference(table["stage"])
    closing = table[(table["is_won"] == 1) | (table["is_lost"] == 1)]
    listed = table[~table["stage"].isin(closing["stage"])]
    stages = Stages((*listed["stage"], *unlisted), (*(listed["is_qualified"] == 1), *(True for _ in unlisted)))
    if not len(stages):
        stages = Stages((ONE_STAGE,), (True,))
    code = {name: k for k, name in enumerate(stages.names)}
    code.update({row.stage: len(stages) + (0 if row.is_won == 1 else 1) for row in closing.itertuples()})
    return stages, code


def _visited(rows: pd.DataFrame, deals: pd.DataFrame, code: dict[str, int], n: int) -> dict[str, np.ndarray]:
    """The columns of the spells, for visits of the ``n`` open stages that had a night: ended at the close, coded."""

    def codes(column: str) -> np.ndarray:
        categories = [code.get(name, -1) for name in rows[column].cat.categories]
        return np.append(categories, -1).astype(np.int32)[rows[column].cat.codes.to_numpy()]

    of_deal, of_row = deals["opportunity_n"].to_numpy(), rows["opportunity_n"].to_numpy()
    deal = np.full(max(of_deal.max(initial=0), of_row.max(initial=0)) + 1, -1, dtype=np.int32)
    deal[of_deal] = np.arange(len(deals))
    deal = deal[of_row]
    # One more row for what belongs to no deal
    created, closed, outcome = (np.pad(deals[name], (0, 1))[deal] for name in ("created", "closed", "outcome"))
    entry, next_day = rows["entry"].to_numpy(), rows["next_day"].to_numpy()
    entry = np.where(rows["first"] == 1, created, np.maximum(entry, created))
    stage, cause = codes("stage"), codes("next_stage")
    cause = np.where((closed <= next_day) & (closed < NEVER), n + outcome - WON, cause)
    exit_ = np.minimum(next_day, closed)
    del created, closed, outcome
    # A visit that begins on the day the deal closes, or on the day of the next move, has no night of its own.
    keep = (deal >= 0) & (stage < n) & (entry < exit_)
    columns = {"deal": deal, "stage": stage, "entry": entry, "exit": exit_, "cause": cause, "amount": rows["amount"]}
    return {name: np.asarray(values)[keep] for name, values in columns.items()}


def _in_order(first: np.ndarray, then: np.ndarray) -> np.ndarray:
    """Positions in the order of two columns of whole numbers, no pair twice: as one number, which sorts much faster."""
    both = first.astype(np.int64)
    both *= int(then.max(initial=0)) - int(then.min(initial=0)) + 1
    both += then
    return np.argsort(both)


def _without_visits(deals: pd.DataFrame, seen: np.ndarray, code: dict[str, int], n: int) -> pd.DataFrame:
    """Deals that the history shows in no open stage: since creation in their present one, closed ones in the first."""
    unseen = np.bincount(seen, minlength=len(deals)) == 0
    missing = deals[unseen & (deals["closed"] > deals["created"])]
    is_open = missing["outcome"] == OPEN
    stage = missing["stage"].astype("object").map(code).astype("float64").fillna(0).astype("int64")
    rows = {
        "deal": missing.index,
        "stage": stage.where(is_open & (stage < n), 0),
        "entry": missing["created"],
        "exit": missing["closed"],
        "cause": np.where(is_open, -1, n + missing["outcome"] - WON),
        "amount": missing["first_amount"].astype("float64"),
    }
    return pd.DataFrame(rows)
