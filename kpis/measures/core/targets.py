"""The company's targets."""

from __future__ import annotations

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from kpis.engine import collect
from kpis.errors import NotEnoughData
from kpis.measures.core.known import Known
from kpis.measures.core.tables import is_one_of, shared
from kpis.periods import Period, day_n

COMPANY = ("company", "total", "all", "")
"""Scopes of a target that mean the whole company."""

ADDITIVE_TARGETS = ("bookings", "new_opps", "mqls", "revenue")
"""Metrics whose monthly targets add up to the quarter's; others are averaged."""


@shared
def company_targets(known: Known) -> pd.DataFrame:
    """The company's targets: ``day`` (first of the month or quarter), ``metric``, ``value``."""
    if not known.has("targets", "period", "metric", "value"):
        return pd.DataFrame({"day": [], "metric": [], "value": []})
    frame = known.frame("targets")
    whole = nw.col("scope").is_null() | is_one_of("scope", COMPANY)
    complete = ~nw.col("period_n").is_null() & ~nw.col("metric").is_null() & ~nw.col("value").is_null()
    frame = frame.filter(whole & complete).select(
        "value", day=nw.col("period_n"), metric=nw.col("metric").str.to_lowercase()
    )
    return collect(frame, {"day": "int", "metric": "text", "value": "float"})


def target(known: Known, metric: str, period: Period) -> float | None:
    """The target of a metric in a period; None where none is set, or only for a longer span than the period."""
    if metric == "bookings" and period.label in known.dataset.settings.targets:
        return known.dataset.settings.targets[period.label]
    every = company_targets(known)
    mine = every[every["metric"] == metric]
    days = np.sort(mine["day"].unique())
    if len(days) > 1 and np.diff(days).min() > period.days + 3:
        return None
    inside = mine[(mine["day"] >= day_n(period.start)) & (mine["day"] <= day_n(period.end))]
    if inside.empty:
        return None
    adds_up = metric in ADDITIVE_TARGETS
    return float(inside["value"].sum() if adds_up else inside["value"].mean())


def company_only(dimension: str) -> None:
    """Raise NotEnoughData where a dimension is asked for: targets are the company's."""
    if not dimension:
        return
    raise NotEnoughData(f"targets are the company's and cannot be broken down by {dimension}")
