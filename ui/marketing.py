"""What marketing asks beside its measures: who is credited, what spend brought, which content works."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from kpis.answers.attribution import attribution, spend_response
from kpis.answers.content_audit import VERDICTS, content_audit
from kpis.charts.measures import credited, response
from kpis.measures.core.attribution import RULES
from ui import cards, columns
from ui.past import Past, told

column = st.column_config
PERIODS = 4


def credit(past: Past) -> None:
    """Which channels and campaigns brought the revenue, by the rule that is chosen."""
    answer = past.answer(attribution, periods=PERIODS)
    told(answer, "revenue", "marketing_sourced", "marketing_influenced", currency=past.currency)
    with st.container(horizontal=True):
        of = st.segmented_control(
            "Of", ("channels", "campaigns"), default="channels", required=True, key="credit_of", bind="query-params",
            format_func=str.capitalize,
        )  # fmt: skip
        rule = st.segmented_control(
            "By the rule", RULES, default="linear", required=True, key="rule", bind="query-params",
            format_func=str.capitalize,
        )  # fmt: skip
    table = answer.tables[of]
    left, right = st.columns(2)
    with left:
        cards.chart(
            answer.question, credited(table, RULES, past.symbol, rule), table, "credited",
            says="Revenue credited under the chosen rule, and the span of all rules",
            caption="Bar: the chosen rule. Line: lowest to highest of all five.",
        )  # fmt: skip
    with right:
        shown = {rule: columns.money(rule.capitalize(), past.symbol) for rule in RULES}
        cards.table(
            "Under every rule", table, "credits", {"name": column.TextColumn(of[:-1].capitalize()), **shown},
            says="Credited revenue under each rule; every column adds up to the revenue", height=420,
        )  # fmt: skip


def spend(past: Past) -> None:
    """What more or less marketing spend has gone with."""
    typed = st.number_input(
        "A month's spend to look up", min_value=0.0, value=None, step=1000.0, format="%.0f", key="spend",
        bind="query-params", placeholder="Any amount", width=260,
    )  # fmt: skip
    answer = past.answer(spend_response, spend=typed)
    told(answer)
    found = tuple(answer.tables["months"]["outcome"].unique())
    of = st.segmented_control(
        "Outcome", found, default=found[0], required=True, key="outcome", bind="query-params",
        format_func=str.capitalize,
    )  # fmt: skip
    curve, months = (_only(answer.tables[name], "outcome", of) for name in ("curve", "months"))
    left, right = st.columns(2)
    with left:
        cards.chart(
            answer.question, response(curve, months, of, past.symbol), months, "response",
            says="Months by their spend and what they brought, with what is usual within the spend that was tried",
            caption="Each point is a month; the band is what is usual. Nothing is said outside of what was tried.",
        )  # fmt: skip
    with right:
        cards.table(
            "How much goes with one per cent more?", answer.tables["outcomes"], "outcomes", _elasticities(past.symbol),
            says="Elasticity of each outcome with its interval",
        )  # fmt: skip


def _only(table: pd.DataFrame, name: str, value: str) -> pd.DataFrame:
    return table[table[name] == value] if len(table) else table


def _elasticities(symbol: str) -> dict[str, Any]:
    return {
        "outcome": column.TextColumn("Outcome"),
        "elasticity": column.NumberColumn("Per cent more", format="%.2f", help="For one per cent more spend"),
        "low": column.NumberColumn("From", format="%.2f"),
        "high": column.NumberColumn("To", format="%.2f"),
        "least": columns.money("Least spend tried", symbol),
        "most": columns.money("Most", symbol),
        "months": columns.count("Months"),
    }


def content(past: Past) -> None:
    """Which assets to keep, refresh or retire."""
    answer = past.answer(content_audit, periods=PERIODS)
    told(answer, *answer.numbers)
    verdict = st.segmented_control("Verdict", VERDICTS, key="verdict", bind="query-params", format_func=str.capitalize)
    table = answer.tables["assets"]
    cards.table(
        answer.question, _only(table, "verdict", verdict) if verdict else table, "assets", ASSETS,
        says="Each asset on offer with its use and its verdict", height=460, whole=lambda: table,
    )  # fmt: skip


ASSETS = {
    "title": column.TextColumn("Asset", width="medium"),
    "verdict": column.TextColumn("Verdict"),
    "index": column.ProgressColumn("Index", format="%.0f", min_value=0.0, max_value=100.0, help="Mean rank, 0 to 100"),
    "reach": column.NumberColumn("Reach", format="%.0f", help="Rank by views, downloads and use by sales"),
    "conversion": column.NumberColumn("Conversion", format="%.0f", help="Rank by MQLs and pipeline touched"),
    "views": columns.count("Views"),
    "downloads": columns.count("Downloads"),
    "uses_by_sales": columns.count("Used by sales"),
    "type": column.TextColumn("Type"),
    "target_persona": column.TextColumn("For"),
}
