"""Visits of stages and past states of opportunities, from their recorded changes; what is stored of them first."""

from __future__ import annotations

from contextlib import suppress

import narwhals.stable.v2 as nw
import numpy as np

from kpis.engine import NEVER, collect
from kpis.errors import NotEnoughData
from kpis.measures.core.known import Known, with_outcome_days
from kpis.measures.core.rows import Rows
from kpis.measures.core.tables import shared


@shared
def visits(known: Known) -> Rows:
    """Visits of open stages: ``visit_stage``, ``entry_day``, ``exit_day`` (null while in it), with their deal."""
    known.need("opportunity_history", "opportunity_id", "changed_at", "stage")
    history = known.frame("opportunity_history").filter(~nw.col("stage").is_null())
    history = history.select("opportunity_id", "seq", visit_stage=nw.col("stage"), entry_day=nw.col("changed_at_n"))
    history = history.with_columns(before=nw.col("visit_stage").shift(1).over("opportunity_id", order_by="seq"))
    moved = nw.col("before").is_null() | (nw.col("before") != nw.col("visit_stage"))
    history = history.with_columns(moved=nw.when(moved).then(1).otherwise(0)).filter(nw.col("moved") == 1)
    history = history.with_columns(next_day=nw.col("entry_day").shift(-1).over("opportunity_id", order_by="seq"))
    visits = _open_stages_only(known, history).join(known.slim, on="opportunity_id", how="inner")
    exit_day = nw.coalesce(nw.col("next_day"), nw.col("closed_at_n"))
    return Rows(known.kept(visits.with_columns(exit_day=exit_day)), "opportunities", "entry_day", over="visit_stage")


@shared
def stage_entries(known: Known) -> Rows:
    """First entry of each deal into each open stage, with ``won_day`` and ``lost_day``."""
    known.need("opportunity_history", "opportunity_id", "changed_at", "stage")
    history = known.frame("opportunity_history").filter(~nw.col("stage").is_null())
    first = history.group_by("opportunity_id", "stage").agg(entry_day=nw.col("changed_at_n").min())
    first = _open_stages_only(known, first.select("opportunity_id", "entry_day", visit_stage=nw.col("stage")))
    entries = with_outcome_days(first.join(known.slim, on="opportunity_id", how="inner"))
    return Rows(entries, "opportunities", "entry_day", over="visit_stage")


def _open_stages_only(known: Known, frame: nw.LazyFrame) -> nw.LazyFrame:
    """Without the stages that mean won or lost."""
    if not known.has("stages", "stage"):
        return frame
    closing = (nw.col("is_won").fill_null(0) == 1) | (nw.col("is_lost").fill_null(0) == 1)
    closed = (
        known.frame("stages")
        .filter(closing)
        .select(visit_stage=nw.col("stage"), closing=nw.lit(1))
        .unique(["visit_stage"])
    )
    return frame.join(closed, on="visit_stage", how="left").filter(nw.col("closing").is_null())


@shared
def states(known: Known) -> nw.LazyFrame:
    """Every state of a deal in a qualified stage, in force from ``from_day`` until before ``until_day``.

    ``state_stage``, ``state_amount`` and ``state_close`` (expected close, whole day) are as recorded then.
    Without history there is one state a deal, the present one, from today on.
    """
    deals = known.slim
    if not known.dataset.has_history:
        return deals.filter(nw.col("flagged") == 1).with_columns(
            from_day=nw.lit(known.today),
            until_day=nw.lit(NEVER),
            state_stage=nw.col("stage"),
            state_amount=nw.col("amount"),
            state_close=nw.col("expected_close_n"),
        )
    history = known.frame("opportunity_history").select(
        "opportunity_id",
        "seq",
        from_day=nw.col("changed_at_n"),
        then_stage=nw.col("stage"),
        then_amount=nw.col("amount"),
        then_close=nw.col("expected_close_n"),
    )
    history = history.with_columns(until_day=nw.col("from_day").shift(-1).over("opportunity_id", order_by="seq"))
    # A state that ended before the first period asked for is in force on no day that is looked at.
    first = int(known.window.starts[0])
    history = history.filter(nw.col("until_day").is_null() | (nw.col("until_day") > first))
    states = deals.join(history, on="opportunity_id", how="left")
    created = nw.col("created_at_n").fill_null(known.today)
    states = states.with_columns(
        from_day=nw.col("from_day").fill_null(created),
        until_day=nw.col("until_day").fill_null(NEVER),
        state_stage=nw.coalesce(nw.col("then_stage"), nw.col("stage")),
        state_amount=nw.coalesce(nw.col("then_amount"), nw.col("amount")),
        state_close=nw.coalesce(nw.col("then_close"), nw.col("expected_close_n")),
    )
    if known.qualified_stages is not None:
        qualified = known.qualified_stages.select(state_stage=nw.col("stage"), counts=nw.col("flagged"))
        states = states.join(qualified, on="state_stage", how="inner")
    return known.kept(states)


def store_first(known: Known) -> None:
    """Make what most measures start from before any of them, as far as the data have it.

    Each new table makes DuckDB look again at every query written before it.
    """
    for make in (
        lambda: known.lead_outcomes,
        lambda: known.won_with_lead,
        lambda: visits(known),
        lambda: states(known),
    ):
        with suppress(NotEnoughData):
            make()


@shared
def states_from(known: Known) -> int:
    """First whole day whose pipeline is known: of the first recorded change, or today without history."""
    if not known.dataset.has_history:
        return known.today
    frame = known.frame("opportunity_history").select(one=nw.lit(1), first=nw.col("changed_at_n")).group_by("one")
    found = collect(frame.agg(nw.col("first").min()), {"first": "float"})["first"]
    return int(found.iloc[0]) if len(found) and np.isfinite(found.iloc[0]) else known.today
