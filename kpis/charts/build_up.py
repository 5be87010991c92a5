"""How a period's pipeline builds up: the coming periods against the range of past ones, by day to their start."""

from __future__ import annotations

import altair as alt
import pandas as pd

from kpis.charts.style import Picture, exact, label, money_axis, named, room, template, tinted


def build_up(table: pd.DataFrame, symbol: str = "") -> Picture:
    """Open qualified amount expected to close in a period, by day before and in it.

    Parameters
    ----------
    table
        The table ``build_up`` of the coming periods: period, day (0 is the first), amount, low, usual, high.
    symbol
        What stands before an amount of money.
    """
    rows = table.copy()
    known = rows["day"].where(rows["amount"].notna())
    rows["now"] = rows["day"] == known.groupby(rows["period"]).transform("max")
    rows["room"] = rows["day"].max() * 1.1
    return _build_up(symbol).filled(rows, 300)


@template
def _build_up(symbol: str) -> alt.LayerChart:
    base = alt.Chart().encode(x=alt.X("day:Q", axis=alt.Axis(title="Days to the first day of the period", tickCount=8)))
    now = base.transform_filter("datum.now")
    hover = [
        named("period", "Period"),
        exact("day", "Day", ",.0f"),
        exact("amount", "Open qualified"),
        exact("usual", "Median of past periods"),
        exact("low", "Lowest"),
        exact("high", "Highest"),
    ]
    y = alt.Y("low:Q", axis=money_axis("Open qualified pipeline", symbol))
    past = base.transform_filter("datum.first")
    return alt.layer(
        room(),
        tinted(past.mark_area(opacity=0.2).encode(y=y, y2="high:Q", tooltip=hover), "past"),
        tinted(past.mark_line(strokeDash=[5, 3], strokeWidth=2).encode(y="usual:Q", tooltip=hover), "past"),
        tinted(base.mark_line(strokeWidth=3).encode(y="amount:Q", detail="period:N", tooltip=hover), "open"),
        tinted(now.mark_point(filled=True, size=70, opacity=1).encode(y="amount:Q", tooltip=hover), "open"),
        label(now.encode(y="amount:Q"), "datum.period", dx=9, fontWeight="bold"),
    )
