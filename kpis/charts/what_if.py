"""Scenarios as pictures: side by side, bridged, one lever at a time, two levers together."""

from __future__ import annotations

import altair as alt
import pandas as pd

from kpis.charts.bridge import DOWN, LEVEL, UP, stepwise
from kpis.charts.style import (
    ROOM,
    Picture,
    coloured,
    exact,
    label,
    money,
    money_axis,
    named,
    names,
    percent,
    room,
    template,
    tinted,
)


def side_by_side(periods: pd.DataFrame, symbol: str = "") -> Picture:
    """Expected landing of each scenario and period, with its likely range and target.

    Parameters
    ----------
    periods
        The table ``periods``: scenario, period, expected, p10, p90, target, p_hit.
    symbol
        What stands before an amount of money.
    """
    order = pd.Categorical(periods["period"], periods["period"].unique(), ordered=True)
    rows = periods.astype({"target": float, "p_hit": float}).assign(order=order)
    rows = rows.sort_values("order", kind="stable").drop(columns="order").reset_index(drop=True)
    rows["meaning"] = ["past" if name == rows["scenario"].iloc[0] else "open" for name in rows["scenario"]]
    rows["row"] = rows["period"] + "  " + rows["scenario"]
    rows["room"] = 2 * ROOM * rows[["expected", "p90", "target"]].max().max()
    return _side_by_side(symbol).filled(rows, 44 * max(len(rows), 2) + 60)


@template
def _side_by_side(symbol: str) -> alt.LayerChart:
    base = alt.Chart().encode(y=alt.Y("row:N", sort=None, axis=names()))
    hover = [
        named("scenario", "Scenario"), named("period", "Period"), exact("expected", "Expected landing"),
        exact("p10", "Likely from (1 in 10 is lower)"), exact("p90", "Likely to (1 in 10 is higher)"),
        exact("target", "Target"), exact("p_hit", "Chance to reach it", ".1%"),
    ]  # fmt: skip
    bars = base.mark_bar(size=18).encode(
        x=alt.X("expected:Q", axis=money_axis("Expected landing", symbol)), color=coloured("meaning"), tooltip=hover
    )
    span = base.mark_rule(strokeWidth=2).encode(x="p10:Q", x2="p90:Q")
    goal = base.transform_filter("isValid(datum.target)").encode(x="target:Q")
    said = f"{money('datum.expected', symbol)} + (isValid(datum.p_hit) ? ', ' + {percent('datum.p_hit')} : '')"
    placed = base.transform_calculate(at="max(datum.p90, datum.target || 0)").encode(x="at:Q")
    return alt.layer(
        room(),
        bars,
        tinted(span, "target"),
        tinted(goal.mark_tick(thickness=3, size=26, opacity=1), "target"),
        label(placed, said, dx=10),
    )


def bridge(
    shares: pd.DataFrame,
    names_: tuple[str, str],
    totals: tuple[float, float],
    symbol: str = "",
    title: str = "Expected over three periods",
) -> Picture:
    """From one total to another, a step an assumption.

    Parameters
    ----------
    shares
        Rows of the table ``bridge`` of the second scenario: assumption, share.
    names_, totals
        What the two totals are called, and their amounts.
    symbol
        What stands before an amount of money.
    """
    changes = shares["share"].astype(float)
    ends = totals[0] + changes.cumsum()
    rows = pd.DataFrame(
        {
            "step": [names_[0], *shares["assumption"], names_[1]],
            "begins": [0.0, *(ends - changes), 0.0],
            "ends": [totals[0], *ends, totals[1]],
            "value": [totals[0], *changes, totals[1]],
            "meaning": [LEVEL, *changes.ge(0).map({True: UP, False: DOWN}), LEVEL],
            "adds": [False, *changes.gt(0), False],
        }
    )
    return stepwise(rows, title=title, symbol=symbol)


def swings(table: pd.DataFrame, symbol: str = "") -> Picture:
    """What each lever does to the landing over its own range, the widest first.

    Parameters
    ----------
    table
        The table ``swings``: lever, end (low or high), value, change, swing.
    symbol
        What stands before an amount of money.
    """
    rows = table.assign(
        meaning=[UP if c >= 0 else DOWN for c in table["change"]], right=[c >= 0 for c in table["change"]]
    )
    # Two ends on one side would write over each other: the farther one is labelled, the nearer one on hover.
    farthest = rows["change"].abs().groupby([rows["lever"], rows["right"]]).transform("max")
    rows["said"] = rows["change"].abs() == farthest
    rows = rows.sort_values("said", key=lambda said: ~said, kind="stable")
    rows = rows.sort_values("swing", ascending=False, kind="stable")
    reach = 1.9 * rows["change"].abs().max()
    return _swings(symbol).filled(
        pd.concat([rows.assign(room=reach), rows.head(1).assign(room=-reach, change=None)], ignore_index=True),
        40 * rows["lever"].nunique() + 60,
    )


@template
def _swings(symbol: str) -> alt.LayerChart:
    base = alt.Chart().transform_filter("isValid(datum.change)").encode(y=alt.Y("lever:N", sort=None, axis=names()))
    hover = [named("lever", "Lever"), named("value", "Moved to"), exact("change", "Change of the landing", "+,.2f")]
    bars = base.mark_bar(size=22).encode(
        x=alt.X("change:Q", axis=money_axis("Change of the expected landing", symbol)), color=coloured("meaning"),
        tooltip=hover,
    )  # fmt: skip
    said = f"datum.value + ': ' + (datum.change > 0 ? '+' : '') + {money('datum.change', symbol)}"
    ends = base.encode(x="change:Q")
    return alt.layer(
        room(),
        bars,
        label(ends.transform_filter("datum.said && datum.right"), said),
        label(ends.transform_filter("datum.said && !datum.right"), said, align="right", dx=-6),
    )


def pairs(table: pd.DataFrame, across: str, down: str) -> Picture:
    """Chance to reach the target over the values of two levers.

    Parameters
    ----------
    table
        The table ``map``: x, y, across, down, p_hit.
    across, down
        What the two levers are called.
    """
    rows = table.dropna(subset=["p_hit"]).astype({"p_hit": float}).sort_values(["y", "x"], ascending=[False, True])
    return _pairs(across, down).filled(rows, 52 * max(table["y"].nunique(), 3) + 60)


@template
def _pairs(across: str, down: str) -> alt.LayerChart:
    base = alt.Chart().encode(
        x=alt.X("across:N", sort=alt.SortField("x"), axis=alt.Axis(title=across, labelAngle=0)),
        y=alt.Y("down:N", sort=alt.SortField("y", order="descending"), axis=alt.Axis(title=down)),
        tooltip=[named("across", across), named("down", down), exact("p_hit", "Chance to reach the target", ".1%")],
    )
    shade = alt.Opacity("p_hit:Q", scale=alt.Scale(domain=[0, 1], range=[0.06, 0.6]), legend=None)
    said = base.transform_calculate(label=percent("datum.p_hit")).mark_text(fontSize=13).encode(text="label:N")
    return alt.layer(tinted(base.mark_rect().encode(opacity=shade), "open"), tinted(said, "target"))
