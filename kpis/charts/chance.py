"""How likely each amount is: the chance to land at or above it."""

from __future__ import annotations

import altair as alt
import pandas as pd

from kpis.charts.style import Picture, exact, label, money, money_axis, percent, room, template, tinted

NAMED = (0.9, 0.5, 0.1)
"""Chances that are named on the curve: nearly sure, even, a stretch."""

NEAR = 0.1
"""Nothing else is named as near as this to the chance of the target."""


def chance(
    distribution: pd.DataFrame, target: float | None = None, p_hit: float | None = None, symbol: str = ""
) -> Picture:
    """The chance to reach at least each amount, with the target marked.

    Parameters
    ----------
    distribution
        The table ``distribution``: amount, and the chance to reach at least that.
    target, p_hit
        The target and the chance to reach it; None without a target.
    symbol
        Currency symbol that stands before amounts.
    """
    amount, likely = distribution["amount"], distribution["chance"]
    named = likely.round(2).isin(NAMED) & ~((likely - p_hit).abs() < NEAR if p_hit is not None else False)
    room_for = 0.45 * (amount.max() - amount.min())
    curve = distribution.assign(named=named, room=max(amount.max(), target or 0.0) + room_for)
    mark = pd.DataFrame({"goal": [target], "hit": [p_hit]}, dtype=float)
    return _chance(symbol).filled(pd.concat([curve, mark], ignore_index=True), 250)


BESIDE = {"dx": 9, "dy": -8}


@template
def _chance(symbol: str) -> alt.LayerChart:
    shares = alt.Axis(title="Chance to reach it", labelExpr=percent("datum.value"), tickCount=5)
    base = alt.Chart().encode(
        x=alt.X("amount:Q", axis=money_axis("Landing of the period", symbol), scale=alt.Scale(zero=False)),
        y=alt.Y("chance:Q", axis=shares, scale=alt.Scale(domain=[0, 1])),
    )
    hover = [exact("amount", "Amount"), exact("chance", "Chance to reach it", ".0%")]
    points = base.transform_filter("datum.named == true")
    goal = alt.Chart().transform_filter("isValid(datum.goal)").encode(x="goal:Q", y="hit:Q")
    drop = (
        goal.transform_calculate(floor="0").mark_rule(strokeDash=[5, 3], strokeWidth=2).encode(y="floor:Q", y2="hit:Q")
    )
    hit = [exact("goal", "Target"), exact("hit", "Chance to reach it", ".2%")]
    return alt.layer(
        room(),
        tinted(base.mark_area(opacity=0.15), "open"),
        tinted(base.mark_line(strokeWidth=2.5).encode(tooltip=hover), "open"),
        tinted(points.mark_point(filled=True, size=60, opacity=1).encode(tooltip=hover), "open"),
        tinted(drop, "target"),
        tinted(goal.mark_point(filled=True, size=90, opacity=1).encode(tooltip=hit), "target"),
        label(points, f"{percent('datum.chance')} + ' for ' + {money('datum.amount', symbol)}", **BESIDE),
        label(
            goal,
            f"'target: ' + {percent('datum.hit')}",
            fontWeight="bold",
            **BESIDE,
        ),
    )
