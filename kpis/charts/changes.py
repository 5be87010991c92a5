"""What changed in a period's pipeline: from one day's open amount to another's, step by step."""

from __future__ import annotations

import pandas as pd

from kpis.charts.bridge import LEVEL, stepwise
from kpis.charts.style import Picture

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
    rows = pd.DataFrame(
        {
            "step": [f"{step} ({deals:,})" for step, deals in zip(steps["step"], steps["deals"], strict=True)],
            "begins": steps["low"],
            "ends": steps["high"],
            "value": steps["amount"],
            "meaning": steps["kind"].map(MEANING).fillna(LEVEL),
            "adds": rises,
        }
    )
    return stepwise(rows, title="Open pipeline", symbol=symbol)
