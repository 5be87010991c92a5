"""How the columns of tables are shown: names, units, short figures; downloads keep the unrounded values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
import streamlit as st

from kpis.answers.outlook import Landing

column = st.column_config
SHARES = ("p_hit", "p_0", "p_1", "p_2", "confidence", "wape", "bias", "crps", "coverage80", "model_wape")
"""Columns from 0 to 1 that are shown in percent."""


def in_percent(table: pd.DataFrame) -> pd.DataFrame:
    """The table as shown; downloads keep shares from 0 to 1."""
    return table.assign(**{name: 100 * table[name] for name in SHARES if name in table})


def money(name: str, symbol: str, tip: str | None = None) -> Any:
    """An amount in whole units."""
    return column.NumberColumn(name, format=f"{symbol}%,.0f", help=tip)


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
        "expected_close": column.DateColumn("Expected close", format="DD MMM YYYY"),
        "age_days": count("Age, days"),
        "days_in_stage": count("In stage, days"),
        "owner": column.TextColumn("Owner"),
        "segment": column.TextColumn("Segment"),
        "account": column.TextColumn("Account"),
        "opportunity_id": column.TextColumn("Id"),
        "qualified": column.CheckboxColumn("Qualified"),
    }


def pipeline(symbol: str) -> dict[str, Any]:
    """Columns of the coming periods: what is there and what is needed."""
    return {
        "period": column.TextColumn("Period"),
        "target": money("Target", symbol),
        "expected": money("Expected", symbol),
        "p_hit": chance("Chance", "Chance to reach the target"),
        "open_qualified": money("Open pipeline", symbol, "Open qualified amount"),
        "required_pipeline": money("Needed", symbol, "Open qualified amount that gives the wanted confidence"),
        "gap": money("Missing", symbol, "Needed less open, at least 0"),
    }


def needs(symbol: str) -> dict[str, Any]:
    """Columns of the coming periods: what it takes on top of what is expected."""
    return {
        "period": column.TextColumn("Period"),
        "opportunities": count("More opportunities", "Created on top of what is expected"),
        "last_useful_creation_date": column.DateColumn("Created by", format="DD MMM YYYY"),
        "sqls": count("SQLs", "Sales qualified leads behind them"),
        "mqls": count("MQLs", "Marketing qualified leads behind them"),
        "spend": money("Marketing spend", symbol, "Acquisition spend behind these MQLs"),
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
        "period_before": count("Period before", "The whole of it"),
    }


FILES = {
    "file": column.TextColumn("File"),
    "table": column.TextColumn("Table"),
    "read": count("Rows read"),
    "accepted": count("Accepted"),
    "rejected": count("Rejected"),
    "merged": count("Merged"),
    "reason": column.TextColumn("Why not used"),
    "format": column.TextColumn("Format"),
}


def about_files(symbol: str) -> tuple[tuple[str, str, dict[str, Any]], ...]:
    """Title, key and columns of the tables that tell about files, where there is something to tell."""
    file = column.TextColumn("File")
    rejects = {"file": file, "line": column.NumberColumn("Line", format="%d"), "reason": column.TextColumn("Reason")}
    warnings = {"file": file, "kind": column.TextColumn("Kind"), "text": column.TextColumn("What to know")}
    defects = {
        "defect": column.TextColumn("Defect"),
        "rows": count("Rows"),
        "amount": money("Money it touches", symbol),
    }
    mapping = {
        "file": file,
        "column": column.TextColumn("Column of the file"),
        "field": column.TextColumn("Taken as"),
        "confidence": share("Confidence"),
        "why": column.TextColumn("Why"),
    }
    return (
        ("Which rows were rejected?", "rejects", rejects),
        ("What is wrong with the data?", "defects", defects),
        ("What else is there to know?", "warnings", warnings),
        ("What was each column taken for?", "mapping", mapping),
    )


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
        "coverage80": share("In 80 % range", "Share of outcomes inside the 80 % range"),
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
