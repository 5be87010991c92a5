"""From one level to another, step by step: each bar begins where the one before it ended."""

from __future__ import annotations

import altair as alt
import pandas as pd

from kpis.charts.style import ROOM, Picture, coloured, exact, label, named, names, room, template
from kpis.charts.units import axis, form, written

UP, DOWN, LEVEL = "won", "warning", "open"
"""Meanings whose colours say that a step brings more or less, or that a bar is a level and no step."""


def stepwise(rows: pd.DataFrame, unit: str = "money", title: str = "", symbol: str = "") -> Picture:
    """Levels and the steps between them as bars, with their values beside them.

    Parameters
    ----------
    rows
        Step, begins, ends, value, meaning (of its colour) and adds (whether a plus stands before its value).
    unit
        Of the values.
    title
        Of the axis.
    symbol
        What stands before an amount of money.
    """
    reach = rows[["begins", "ends"]].max(axis=1)
    rows = rows.assign(
        reach=reach, sign=rows["adds"].map({True: "+", False: ""}), room=1.15 * ROOM * max(reach.max(), 0)
    )
    return _stepwise(unit, title, symbol).filled(rows, 34 * len(rows) + 60)


@template
def _stepwise(unit: str, title: str, symbol: str) -> alt.LayerChart:
    base = alt.Chart().encode(y=alt.Y("step:N", sort=None, axis=names()))
    hover = [named("step", "Step"), exact("value", "Value", form(unit))]
    bars = base.mark_bar(size=22).encode(
        x=alt.X("begins:Q", axis=axis(unit, title, symbol)), x2="ends:Q", color=coloured("meaning"), tooltip=hover
    )
    return alt.layer(room(), bars, label(base.encode(x="reach:Q"), f"datum.sign + {written('value', unit, symbol)}"))
