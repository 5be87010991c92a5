"""What changed in a period's pipeline: from one day's open amount to another's, step by step."""

from __future__ import annotations

import altair as alt
import pandas as pd

from kpis.charts.style import ROOM, Picture, coloured, exact, label, money, money_axis, named, names, room, template

MEANING = {
    "won": "won", "decreased": "warning", "pushed out": "warning", "lost": "warning", "pulled forward": "warning",
    "undated": "warning",
}  # fmt: skip
"""What leaves, as won or as money at risk; all else is open."""


def waterfall(steps: pd.DataFrame, symbol: str = "") -> Picture:
    """Each step as a bar that begins where the one before it ended.

    Parameters
    ----------
    steps
        The table ``steps``: step, kind, deals, amount, low, high.
    symbol
        Currency symbol that stands before amounts.
    """
    rises = (steps["amount"] > 0) & ~steps["kind"].isin(["start", "end"])
    rows = steps.assign(
        name=[f"{step} ({deals:,})" for step, deals in zip(steps["step"], steps["deals"], strict=True)],
        meaning=steps["kind"].map(MEANING).fillna("open"),
        sign=rises.map({True: "+", False: ""}),
        room=1.15 * ROOM * steps["high"].max(),
    )
    return _waterfall(symbol).filled(rows, 34 * len(rows) + 60)


@template
def _waterfall(symbol: str) -> alt.LayerChart:
    base = alt.Chart().encode(y=alt.Y("name:N", sort=None, axis=names()))
    hover = [named("step", "Step"), exact("amount", "Amount"), exact("deals", "Deals", ",.0f")]
    bars = base.mark_bar(size=22).encode(
        x=alt.X("low:Q", axis=money_axis("Open pipeline", symbol)),
        x2="high:Q",
        color=coloured("meaning"),
        tooltip=hover,
    )
    return alt.layer(room(), bars, label(base.encode(x="high:Q"), f"datum.sign + {money('datum.amount', symbol)}"))
