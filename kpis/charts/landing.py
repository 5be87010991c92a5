"""Where periods land: what a landing is made of, against its target, with the likely range."""

from __future__ import annotations

import altair as alt
import pandas as pd

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
    room,
    template,
    tinted,
)

STEPS = {"won": "Won so far", "open": "From open deals", "not yet created": "Not yet created"}
TOTAL = "Expected landing"
HOVER = [
    named("period", "Period"),
    named("part", "Part"),
    exact("amount", "Amount"),
    exact("target", "Target"),
    exact("p10", "Likely from (1 in 10 is lower)"),
    exact("p90", "Likely to (1 in 10 is higher)"),
]


def landing(parts: pd.DataFrame, symbol: str = "") -> Picture:
    """One period's landing in steps from won to expected, with the target and the likely range.

    Parameters
    ----------
    parts
        One period of the table ``parts``: period, part, amount, target, p10, p90.
    symbol
        Currency symbol that stands before amounts.
    """
    steps = _stacked(parts)
    total = steps.assign(row=TOTAL, said=steps["end"].max(), low=steps["p10"], high=steps["p90"])
    total.loc[1:, ["said", "low", "high"]] = None
    steps = steps.assign(row=steps["part"].map(STEPS), said=steps["amount"], goal=steps["target"])
    steps.loc[1:, "goal"] = None
    return _landing(symbol).filled(pd.concat([steps, total], ignore_index=True), 250)


@template
def _landing(symbol: str) -> alt.LayerChart:
    base = alt.Chart().encode(y=alt.Y("row:N", sort=[*STEPS.values(), TOTAL], axis=names()))
    bars = base.mark_bar(size=26).encode(
        x=alt.X("start:Q", axis=money_axis("Amount", symbol)), x2="end:Q", color=coloured("part"), tooltip=HOVER
    )
    said = base.transform_filter("isValid(datum.said)").encode(x="room:Q")
    goal = alt.Chart().transform_filter("isValid(datum.goal)").encode(x="goal:Q")
    goal_said = label(
        goal, f"'target ' + {money('datum.goal', symbol)}", align="center", baseline="bottom", dx=0, dy=-5
    )
    return alt.layer(
        room(),
        bars,
        *_range(base),
        tinted(goal.mark_rule(strokeDash=[5, 3], strokeWidth=2), "target"),
        label(said, money("datum.said", symbol), align="right", dx=0),
        goal_said.encode(y=alt.value(0)),
    )


def landings(parts: pd.DataFrame, symbol: str = "") -> Picture:
    """The landings of several periods: stacked parts, a tick at each target, and the likely range.

    Parameters
    ----------
    parts
        The table ``parts``: period, part, amount, target, p10, p90.
    symbol
        Currency symbol that stands before amounts.
    """
    rows = _stacked(parts)
    once = ~rows["period"].duplicated()
    rows["expected"] = rows.groupby("period")["amount"].transform("sum").where(once)
    rows["goal"], rows["low"], rows["high"] = (rows[c].where(once) for c in ("target", "p10", "p90"))
    return _landings(symbol).filled(rows, 92 * max(rows["period"].nunique(), 1) + 70)


@template
def _landings(symbol: str) -> alt.LayerChart:
    base = alt.Chart().encode(y=alt.Y("period:N", sort=None, axis=names()))
    bars = base.mark_bar(size=26).encode(
        x=alt.X("start:Q", axis=money_axis("Amount", symbol)),
        x2="end:Q",
        color=coloured("part", legend=True),
        tooltip=HOVER,
    )
    goal = base.transform_filter("isValid(datum.goal)").encode(x="goal:Q")
    said = base.transform_filter("isValid(datum.expected)").transform_calculate(at="max(datum.expected, datum.high)")
    return alt.layer(
        room(),
        bars,
        *_range(base),
        tinted(goal.mark_tick(thickness=3, size=44, opacity=1), "target"),
        label(goal, f"'target ' + {money('datum.goal', symbol)}", align="center", baseline="bottom", dx=0, dy=-25),
        label(said.encode(x="at:Q"), f"'expected ' + {money('datum.expected', symbol)}", dx=10),
    )


def _stacked(parts: pd.DataFrame) -> pd.DataFrame:
    """Where each part of a period's bar starts and ends, and how far the axis reaches."""
    rows = parts.astype({"amount": float, "target": float, "p10": float, "p90": float}).reset_index(drop=True)
    rows["end"] = rows.groupby("period", sort=False)["amount"].cumsum()
    rows["start"] = rows["end"] - rows["amount"]
    rows["room"] = 1.25 * ROOM * rows[["end", "p90", "target"]].max().max()
    return rows


def _range(base: alt.Chart) -> list[alt.Chart]:
    """The likely range as a line with ends, in the colour of text so that it shows on every bar."""
    line = base.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q")
    ends = [base.mark_tick(thickness=2, size=14, opacity=1).encode(x=f"{end}:Q") for end in ("low", "high")]
    return [tinted(mark, "target") for mark in (line, *ends)]
