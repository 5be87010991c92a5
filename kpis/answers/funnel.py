"""From opportunities back to leads and money: what one more opportunity takes on marketing's side."""

from __future__ import annotations

from dataclasses import dataclass

import narwhals.stable.v2 as nw

from kpis.dataset import Dataset
from kpis.engine import collect
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
    """

    mqls_per_opportunity: float | None
    sqls_per_opportunity: float | None
    spend_per_opportunity: float | None
    missing: tuple[str, ...]


def funnel(dataset: Dataset) -> Funnel:
    """Count MQLs, SQLs and opportunities of one cohort, and the spend per MQL."""
    if not dataset.has("leads", "mql_at", "opportunity_id"):
        return Funnel(
            None, None, None, ("Needed SQLs, MQLs and spend: needs table leads, columns mql_at and opportunity_id",)
        )
    today = day_n(dataset.as_of)
    cursor = dataset.engine.cursor()
    leads = dataset.frame("leads", cursor)
    flags = leads.with_columns(
        sql=nw.when(nw.col("sql_at_n").is_null()).then(0).otherwise(1),
        became=nw.when(nw.col("opportunity_id").is_null()).then(0).otherwise(1),
        matured=nw.when(nw.col("mql_at_n") <= today - MATURING).then(1).otherwise(0),
        lately=nw.when(nw.col("mql_at_n") > today - YEAR).then(1).otherwise(0),
    ).filter(nw.col("mql_at_n") > today - MATURING - YEAR)
    counts = collect(
        flags.with_columns(sql=nw.col("sql") * nw.col("matured"), became=nw.col("became") * nw.col("matured")).select(
            nw.col("matured").sum(), nw.col("sql").sum(), nw.col("became").sum(), nw.col("lately").sum()
        ),
        dict.fromkeys(("matured", "sql", "became", "lately"), "float"),
    ).fillna(0.0)
    mqls, sqls, opportunities, recent = (float(counts[c].iloc[0]) for c in ("matured", "sql", "became", "lately"))
    if opportunities == 0:
        return Funnel(None, None, None, ("Needed SQLs, MQLs and spend: no matured MQL has become an opportunity",))
    missing: list[str] = []
    has_sql = dataset.has("leads", "sql_at") and sqls > 0
    if not has_sql:
        missing.append("Needed SQLs: needs table leads, column sql_at")
    spend = _acquisition_spend(dataset, today)
    if spend is None or recent == 0:
        missing.append("Needed spend: needs table spend, columns period, department and amount")
    per = mqls / opportunities
    return Funnel(
        mqls_per_opportunity=per,
        sqls_per_opportunity=sqls / opportunities if has_sql else None,
        spend_per_opportunity=per * spend / recent if spend is not None and recent > 0 else None,
        missing=tuple(missing),
    )


def _acquisition_spend(dataset: Dataset, today: int) -> float | None:
    """Marketing spend to acquire, over the last 364 days."""
    if not dataset.has("spend", "period", "department", "amount"):
        return None
    frame = dataset.frame("spend", dataset.engine.cursor()).with_columns(purpose=nw.col("purpose").fill_null("acquire"))
    rows = frame.filter(
        (nw.col("department") == "marketing") & (nw.col("purpose") == "acquire") & (nw.col("period_n") > today - YEAR)
    )
    return float(collect(rows.select(nw.col("amount").sum()), {"amount": "float"}).fillna(0.0)["amount"].iloc[0])
