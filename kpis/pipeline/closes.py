"""When deals were first expected to close, and when they are expected to now."""

from __future__ import annotations

import narwhals.stable.v2 as nw
import pandas as pd

from kpis.dataset import Dataset
from kpis.engine import NEVER, Type, collect
from kpis.pipeline.visits import first_recorded

_SCHEMA: dict[str, Type] = {"created": "int", "first": "int", "last": "int", "n": "float", "amount": "float"}


def closes(dataset: Dataset, since: int) -> pd.DataFrame:
    """Deals created from a day on, counted by creation day and expected close, first recorded and last known.

    Columns: ``created``, ``first``, ``last`` (NEVER where none is known), ``n``, ``amount`` (as last known).

    Parameters
    ----------
    since
        Whole-number day; no earlier than the first recorded change, or the first record is not the first set.
    """
    return collect(closes_frame(dataset, since), _SCHEMA)


def closes_frame(dataset: Dataset, since: int) -> nw.LazyFrame:
    """The query of ``closes``."""
    cursor = dataset.engine.cursor()
    deals = dataset.frame("opportunities", cursor).filter(nw.col("created_at_n") >= since)
    if dataset.has("opportunity_history", "expected_close"):
        deals = deals.join(first_recorded(dataset, cursor, "expected_close_n"), on="opportunity_id", how="left")
    else:
        deals = deals.with_columns(recorded=nw.lit(NEVER))
    deals = deals.with_columns(
        created=nw.col("created_at_n"),
        first=nw.col("recorded").fill_null(NEVER),
        last=nw.col("expected_close_n").fill_null(NEVER),
        n=nw.lit(1),
        amount=nw.col("amount").fill_null(0.0),
    )
    return deals.group_by("created", "first", "last").agg(nw.col("n", "amount").sum())
