"""From opportunities back to leads and money: what one more opportunity takes on marketing's side."""

from __future__ import annotations

from dataclasses import dataclass, field

import narwhals.stable.v2 as nw
import numpy as np

from kpis.dataset import Dataset
from kpis.engine import collect
from kpis.forecast.own_history import by_month
from kpis.periods import day_n

YEAR = 364
MATURING = 91
"""MQLs of the last 91 days have not had their time to become opportunities and are left out."""


@dataclass(frozen=True)
class Funnel:
    """Leads and money behind one opportunity that came from a lead.

    Parameters
    ----------
    mqls_per_opportunity, sqls_per_opportunity
        From the MQLs of a year that have had 91 days to mature; None when the leads cannot say.
    spend_per_opportunity
        MQLs per opportunity x marketing's acquisition spend per MQL over the last 364 days.
    missing
        Why something is None.
    monthly
        ``mqls``, ``sqls`` and ``spend`` of each of the last 36 whole months that the data cover, oldest first.
    """

    mqls_per_opportunity: float | None
    sqls_per_opportunity: float | None
    spend_per_opportunity: float | None
    missing: tuple[str, ...]
    monthly: dict[str, np.ndarray] = field(default_factory=dict)


def funnel(dataset: Dataset) -> Funnel:
    """Count MQLs, SQLs and opportunities of one cohort, and the spend per MQL."""
    if not dataset.has("leads", "mql_at", "opportunity_id"):
        return Funnel(
            None, None, None, ("Needed SQLs, MQLs and spend: needs table leads, columns mql_at and opportunity_id",)
        )
    today = day_n(dataset.as_of)
    leads = dataset.frame("leads", dataset.engine.cursor())
    flags = leads.with_columns(
        sql=nw.when(nw.col("sql_at_n").is_null()).then(0).otherwise(1),
        became=nw.when(nw.col("opportunity_id").is_null()).then(0).otherwise(1),
    ).filter(nw.col("mql_at_n") > today - MATURING - YEAR, nw.col("mql_at_n") <= today - MATURING)
    summed = flags.with_columns(mqls=nw.lit(1)).select(nw.col("mqls", "sql", "became").sum())
    counts = collect(summed, dict.fromkeys(("mqls", "sql", "became"), "float")).fillna(0.0).iloc[0]
    if counts["became"] == 0:
        return Funnel(None, None, None, ("Needed SQLs, MQLs and spend: no matured MQL has become an opportunity",))
    missing: list[str] = []
    daily = {"mqls": _a_day(leads.with_columns(amount=nw.lit(1.0)), "mql_at_n")}
    has_sql = dataset.has("leads", "sql_at") and counts["sql"] > 0
    if has_sql:
        daily["sqls"] = _a_day(leads.with_columns(amount=nw.lit(1.0)), "sql_at_n")
    else:
        missing.append("Needed SQLs: needs table leads, column sql_at")
    daily["spend"] = _acquisition_spend(dataset)
    lately = {name: float(amount[day > today - YEAR].sum()) for name, (day, amount) in daily.items()}
    has_spend = lately["spend"] > 0 and lately["mqls"] > 0
    if not has_spend:
        missing.append("Needed spend: needs table spend, columns period, department and amount, within the last year")
    per = float(counts["mqls"] / counts["became"])
    return Funnel(
        mqls_per_opportunity=per,
        sqls_per_opportunity=float(counts["sql"] / counts["became"]) if has_sql else None,
        spend_per_opportunity=per * lately["spend"] / lately["mqls"] if has_spend else None,
        missing=tuple(missing),
        monthly={name: by_month(day, amount, today) for name, (day, amount) in daily.items()},
    )


def _a_day(frame: nw.LazyFrame, day: str) -> tuple[np.ndarray, np.ndarray]:
    """Days on which something is recorded, and the sum of ``amount`` on each."""
    summed = frame.filter(~nw.col(day).is_null()).group_by(day).agg(nw.col("amount").sum())
    table = collect(summed.with_columns(amount=nw.col("amount").fill_null(0.0)), {day: "int", "amount": "float"})
    return table[day].to_numpy(), table["amount"].to_numpy()


def _acquisition_spend(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Marketing's spend to acquire, by day."""
    if not dataset.has("spend", "period", "department", "amount"):
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    frame = dataset.frame("spend", dataset.engine.cursor()).with_columns(purpose=nw.col("purpose").fill_null("acquire"))
    return _a_day(frame.filter(nw.col("department") == "marketing", nw.col("purpose") == "acquire"), "period_n")
