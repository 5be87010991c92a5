"""How a chart writes values of a measure's unit: beside a mark, along an axis, on hover."""

from __future__ import annotations

import altair as alt

from kpis.charts.style import money, money_axis


def written(field: str, unit: str, symbol: str) -> str:
    """Vega expression that writes a value of the unit in short."""
    value = f"datum.{field}"
    if unit.startswith("money"):
        return money(value, symbol)
    return f"format(100 * {value}, '.1f') + ' %'" if unit == "share" else f"format({value}, ',.3~r')"


def axis(unit: str, title: str, symbol: str) -> alt.Axis:
    """Axis for values of the unit."""
    if unit.startswith("money"):
        return money_axis(title, symbol)
    return alt.Axis(title=title or None, tickCount=5, format="%" if unit == "share" else "~s")


def form(unit: str) -> str:
    """Format of the exact value."""
    return ".2%" if unit == "share" else ",.2f"
