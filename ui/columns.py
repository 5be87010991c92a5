"""How the columns of tables are shown: names, units, short figures; downloads keep the unrounded values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from kpis.answers.outlook import Landing

column = st.column_config
WHOLE, POINTS = "%,.0f", "%+.1f"
SHARES = (
    "p_hit", "p_0", "p_1", "p_2", "confidence", "wape", "bias", "crps", "coverage80",
    "model_wape", "p_hit_won", "p_hit_lost", "crm_share", "model_share",
)  # fmt: skip
"""Columns from 0 to 1 that are shown in percent."""


def in_percent(table: pd.DataFrame) -> pd.DataFrame:
    """The table as shown; downloads keep shares from 0 to 1."""
    return table.assign(**{name: 100 * table[name] for name in SHARES if name in table})


def shown(table: pd.DataFrame, columns: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The table in percent, and its columns; amounts below 0 read ``-$15,200`` (a format would say ``$-15,200``).

    Points are rounded here, since a format would give a tenth of nothing a sign (``-0.0``).
    """
    forms = {name: (config.get("type_config") or {}).get("format") or "" for name, config in columns.items()}
    table = in_percent(table)
    signed = [name for name, form in forms.items() if form == POINTS and name in table]
    table = table.assign(**{name: table[name].round(1) + 0.0 for name in signed})
    negative = {
        name: partial(_signed, form.removesuffix(WHOLE))
        for name, form in forms.items()
        if form.endswith(WHOLE) and name in table and (table[name] < 0).any()
    }
    if not negative:
        return table, dict(columns)
    bare = {name: column.NumberColumn(columns[name]["label"], help=columns[name]["help"]) for name in negative}
    return table.style.format(negative, na_rep=""), {**columns, **bare}


def _signed(symbol: str, amount: float) -> str:
    return f"{'-' if amount < 0 else ''}{symbol}{abs(amount):,.0f}"


def money(name: str, symbol: str, tip: str | None = None) -> Any:
    """An amount in whole units."""
    return column.NumberColumn(name, format=symbol + WHOLE, help=tip)


def chance(name: str, tip: str | None = None) -> Any:
    """A chance in percent, as a bar."""
    return column.ProgressColumn(name, format="%.0f %%", min_value=0.0, max_value=100.0, help=tip)


def share(name: str, tip: str | None = None) -> Any:
    """A chance in percent."""
    return column.NumberColumn(name, format="%.0f %%", help=tip)


def count(name: str, tip: str | None = None) -> Any:
    """A whole number."""
    return column.NumberColumn(name, format="%,.0f", help=tip)


def deals(symbol: str, landings: Iterable[Landing]) -> dict[str, Any]:
    """Columns of the table of open deals."""
    labels = [landing.label for landing in landings]
    return {
        "name": column.TextColumn("Deal", width="medium"),
        "stage": column.TextColumn("Stage"),
        "amount": money("Amount", symbol, "As last known"),
        "expected": money(f"Expected in {labels[0]}", symbol, "Amount if won x chance to be won in the period"),
        "p_0": chance(f"Won in {labels[0]}", "Chance to be won in that period"),
        **{
            f"p_{k}": share(f"Won in {label}", "Chance to be won in that period") for k, label in enumerate(labels) if k
        },
        "flags": column.TextColumn("Risk flags"),
        "expected_close": column.DateColumn("Expected close", format="DD MMM YYYY"),
        "pushes": count("Pushes", "How often its expected close was moved later by a week or more"),
        "age_days": count("Age, days"),
        "days_in_stage": count("In stage, days"),
        "owner": column.TextColumn("Owner"),
        "segment": column.TextColumn("Segment"),
        "account": column.TextColumn("Account"),
        "opportunity_id": column.TextColumn("Id"),
        "qualified": column.CheckboxColumn("Qualified"),
    }


def depends_on(symbol: str, label: str) -> dict[str, Any]:
    """Columns of the deals that the outcome depends on."""
    return {
        "name": column.TextColumn("Deal", width=120),
        "p_0": share("Chance", f"Chance to be won in {label}"),
        "p_hit_won": share("If won", "Chance to reach the target if this deal is won"),
        "p_hit_lost": share("If lost", "Chance to reach the target if this deal is lost"),
        "amount": money("Amount", symbol, "As last known"),
    }


def effects(landings: Iterable[Landing]) -> dict[str, Any]:
    """Columns of what moved a deal's chance."""
    tip = "Points of the chance to be won in that period"
    points = {f"p_{k}": column.NumberColumn(x.label, format=POINTS, help=tip) for k, x in enumerate(landings)}
    return {"reason": column.TextColumn("What moves it, in points", width="large"), **points}


def risks(symbol: str) -> dict[str, Any]:
    """Columns of the risk flags."""
    return {
        "flag": column.TextColumn("Flag"),
        "deals": count("Deals"),
        "amount": money("Amount", symbol, "Of the open deals with this flag"),
        "at_risk": money("At risk this period", symbol, "Amount if won x chance this period, of the same deals"),
        "blocker": column.TextColumn("Points to", help="What the buyer is likely to be short of"),
        "why": column.TextColumn("Rule", width="large"),
    }


def assists(symbol: str, label: str, blockers: Iterable[str], assets: Iterable[str]) -> dict[str, Any]:
    """Columns of the assist list: blocker, asset, owner and due date can be edited."""
    return {
        "name": column.TextColumn("Deal", width=170, disabled=True),
        "blocker": column.SelectboxColumn("Blocker", options=list(blockers), required=True),
        "asset": column.SelectboxColumn("Asset", options=list(assets)),
        "owner": column.TextColumn("Owner"),
        "due": column.DateColumn("Due", format="DD MMM YYYY"),
        "flags": column.TextColumn("Risk flags", width="medium", disabled=True),
        "amount": column.NumberColumn("Amount", format=symbol + WHOLE, disabled=True),
        "expected": column.NumberColumn(f"Expected in {label}", format=symbol + WHOLE, disabled=True),
    }


def stages_against_crm(symbol: str) -> dict[str, Any]:
    """Columns of the CRM's percentages beside the company's own past."""
    return {
        "stage": column.TextColumn("Stage"),
        "deals": count("Open deals"),
        "amount": money("Amount", symbol),
        "crm_share": share("CRM says"),
        "model_share": share("Own past says", "Chance to be won in the end, of these deals"),
        "crm": money("CRM: amount x percentage", symbol),
        "model": money("Own past", symbol, "Amount x chance to be won in the end"),
    }


def rules(symbol: str) -> dict[str, Any]:
    """Columns of the ways to size a period's first pipeline."""
    return {
        "period": column.TextColumn("Period"),
        "rule": column.TextColumn("Rule"),
        "asks_for": money("Asks for", symbol, "Open qualified pipeline on the first day of the period"),
        "difference_said": column.TextColumn("Against own past"),
        "formula": column.TextColumn("Formula"),
    }


def needs(symbol: str) -> dict[str, Any]:
    """Columns of the coming periods: what it takes on top of what is expected."""
    return {
        "period": column.TextColumn("Period"),
        "opportunities": count("More opportunities", "Created on top of what is expected"),
        "last_useful_creation_date": column.DateColumn("Created by", format="DD MMM YYYY"),
        "a_month": count("In all, a month", "Expected and additional creations until then, a month"),
        "sqls": count("SQLs", "Sales qualified leads behind them"),
        "mqls": count("MQLs", "Marketing qualified leads behind them"),
        "spend": money("Marketing spend", symbol, "Acquisition spend behind these MQLs"),
    }


PRECEDENTS = {
    "period": column.TextColumn("Period"),
    "rate": column.TextColumn("What it needs"),
    "needed_said": column.TextColumn("Needed"),
    "usual_said": column.TextColumn("Usual", help="Median of the past"),
    "highest_said": column.TextColumn("Highest", help="Of the past"),
    "below_said": column.TextColumn("Past below it", help="Share of the past that lies below what is needed"),
}


def segments(labels: Iterable[str]) -> dict[str, Any]:
    """Columns of the last useful creation dates: a period each."""
    return {
        "segment": column.TextColumn("Segment"),
        "created": count("Created", "In the last 364 days"),
        **{
            label: column.DateColumn(f"For {label}", format="DD MMM YYYY", help="Empty where that day has passed")
            for label in labels
        },
    }


def strips(symbol: str) -> dict[str, Any]:
    """Columns of the 30, 60 and 90 day strips."""
    return {
        "days": column.NumberColumn("Within", format="%d days"),
        "deals": count("Open deals"),
        "amount": money("Amount", symbol),
    }


def sources() -> dict[str, Any]:
    """Columns of the table of sources."""
    return {
        "source": column.TextColumn("Source"),
        "this_period": count("This period"),
        "period_before": count("Before", "In the whole period before"),
    }


def scores() -> dict[str, Any]:
    """Columns of the contest between methods."""
    return {
        "window": column.TextColumn("Forecast of the"),
        "method": column.TextColumn("Method"),
        "wape": share("Error", "WAPE: sum of absolute errors over the revenue that came"),
        "model_wape": share("This model's", "Error of this model on the same past forecasts"),
        "bias": share("Bias", "Sum of errors over the revenue that came: above 0 it promised too much"),
        "crps": share(
            "CRPS", "Error of the whole distribution over the revenue that came; of a point forecast its absolute error"
        ),
        "coverage80": share("In range", "Share of outcomes inside the 80 % range"),
        "n": count("Past forecasts"),
    }


def phases() -> dict[str, Any]:
    """Columns of the model's error by day of the period."""
    return {
        "window": column.TextColumn("Forecast of the"),
        "day_of_period": count("Made on day", "Day of the period on which the forecast was made; 0 is the first"),
        "wape": share("Error", "WAPE: sum of absolute errors over the revenue that came"),
        "bias": share("Bias", "Sum of errors over the revenue that came: above 0 it promised too much"),
        "n": count("Past forecasts"),
    }


METHODS = {
    "window": column.TextColumn("Forecast of the"),
    "used": column.TextColumn("Used today"),
    "why": column.TextColumn("Why"),
    "by_whole_record": column.TextColumn(
        "By the whole record", help="The same choice by all past forecasts, instead of those at this day of the period"
    ),
}


def scenarios(symbol: str) -> dict[str, Any]:
    """Columns of scenarios side by side."""
    return {
        "scenario": column.TextColumn("Scenario"),
        "period": column.TextColumn("Period"),
        "expected": money("Expected", symbol),
        "p10": money("1 in 10 below", symbol),
        "p50": money("Median", symbol),
        "p90": money("1 in 10 above", symbol),
        "target": money("Target", symbol),
        "p_hit": chance("Chance", "Chance to reach the target"),
        "required_pipeline": money("Pipeline needed", symbol, "Open qualified amount that gives the wanted confidence"),
        "gap": money("Missing", symbol, "Needed less open, at least 0"),
    }


GOALS = {
    "lever": column.TextColumn("Lever"),
    "standing": column.TextColumn("Stands at"),
    "said": column.TextColumn("Would have to be"),
    "verdict": column.TextColumn("Can it?"),
    "past": column.TextColumn("Its own past"),
}


def _deal() -> dict[str, Any]:
    """Columns that tell whose deal a row is about."""
    return {
        "stage": column.TextColumn("Stage"),
        "owner": column.TextColumn("Owner"),
        "segment": column.TextColumn("Segment"),
        "account": column.TextColumn("Account"),
        "opportunity_id": column.TextColumn("Id"),
    }


def changes(symbol: str) -> dict[str, Any]:
    """Columns of the changes between two days."""
    return {
        "name": column.TextColumn("Deal", width="medium"),
        "change": column.TextColumn("Change"),
        "amount": money("Amount", symbol, "What it adds to the pipeline or takes from it"),
        "before": money("Before", symbol, "Its amount in this pipeline before the change"),
        "after": money("After", symbol, "Its amount in this pipeline after the change"),
        "close_before": column.DateColumn("Close expected then", format="DD MMM YYYY"),
        "close_after": column.DateColumn("Close expected now", format="DD MMM YYYY"),
        "closed": column.DateColumn("Closed", format="DD MMM YYYY"),
        **_deal(),
    }


def pushes(by: str, symbol: str) -> dict[str, Any]:
    """Columns of the pushes of open deals by one dimension."""
    return {
        by: column.TextColumn(by.capitalize()),
        "deals": count("Open deals"),
        "pushed_recently": count("Pushed lately", "Open deals whose close was moved later between the two days"),
        "pushed_twice": count("Twice or more", "Open deals pushed twice or more so far"),
        "twice_amount": money("Their amount", symbol),
        "per_deal": column.NumberColumn("Pushes per deal", format="%.1f", help="Pushes so far / open deals"),
        "amount": money("Amount", symbol, "Of all open deals"),
    }


def offenders(symbol: str) -> dict[str, Any]:
    """Columns of the deals pushed again and again."""
    return {
        "name": column.TextColumn("Deal", width="medium"),
        "pushes": count("Pushes"),
        "pushed_recently": count("Lately", "Pushes between the two days"),
        "days_later": count("Days later", "By how many days the pushes moved its close"),
        "amount": money("Amount", symbol),
        "expected_close": column.DateColumn("Expected close", format="DD MMM YYYY"),
        **_deal(),
    }
