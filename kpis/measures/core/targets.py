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
def company_targets(known: Known) -> dict[str, pd.DataFrame]:
    """The company's targets by metric: ``day`` (first of the month or quarter), ``value``."""
    if not known.has("targets", "period", "metric", "value"):
        return {}
    frame = known.frame("targets")
    whole = nw.col("scope").is_null() | is_one_of("scope", COMPANY)
    complete = ~nw.col("period_n").is_null() & ~nw.col("metric").is_null() & ~nw.col("value").is_null()
    frame = frame.filter(whole & complete).select(
        "value", day=nw.col("period_n"), metric=nw.col("metric").str.to_lowercase()
    )
    every = collect(frame, {"day": "int", "metric": "text", "value": "float"})
    return {metric: mine.drop(columns="metric") for metric, mine in every.groupby("metric")}


def target(known: Known, metric: str, period: Period) -> float | None:
    """The target of a metric in a period; None where none is set, only for a longer span, or not for each month."""
    if metric == "bookings" and period.label in known.dataset.settings.targets:
        return known.dataset.settings.targets[period.label]
    mine = company_targets(known).get(metric)
    if mine is None:
        return None
    day, value = mine["day"].to_numpy(), mine["value"].to_numpy()
    starts = np.unique(day)
    length = np.diff(starts).min() if len(starts) > 1 else period.days
    inside = (day >= day_n(period.start)) & (day <= day_n(period.end))
    if length > period.days + 3 or len(np.unique(day[inside])) < max(round(period.days / length), 1):
        return None
    return float(value[inside].sum() if metric in ADDITIVE_TARGETS else value[inside].mean())


def company_only(dimension: str) -> None:
    """Raise NotEnoughData where a dimension is asked for: targets are the company's."""
    if not dimension:
        return
    raise NotEnoughData(f"targets are the company's and cannot be broken down by {dimension}")
