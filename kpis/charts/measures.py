"""Measures: their course and limits, why they changed, and what stands behind marketing's numbers."""

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
from kpis.charts.units import axis, form, written

ALARMS = ("spike", "dip", "shift")
MOST = 12
"""Rows that a chart of names shows."""

WIDE_ROOM = 1.8
"""As ``ROOM``, for labels that say n as well."""


def control(points: pd.DataFrame, unit: str, symbol: str = "") -> Picture:
    """A measure by period between its control limits; the judged period stands out where it gives an alarm.

    Parameters
    ----------
    points
        One measure's rows of the table ``points``: period, value, centre, low, high, judged, verdict; where there
        are ``least`` and ``most`` as well, they are drawn as the value's interval.
    unit
        The measure's unit: money and shares are written as such.
    """
    kept = ["period", "value", "least", "most", "centre", "low", "high", "judged", "verdict"]
    rows = points.reindex(columns=kept).assign(
        place=range(len(points)),
        alarm=points["judged"] & points["verdict"].isin(ALARMS),
        last=[k == len(points) - 1 for k in range(len(points))],
    )
    return _control(unit, symbol).filled(rows, 260)


@template
def _control(unit: str, symbol: str) -> alt.LayerChart:
    base = alt.Chart().encode(
        x=alt.X("period:O", sort=alt.SortField("place"), axis=alt.Axis(title=None, labelAngle=0, labelOverlap=True))
    )
    hover = [
        named("period", "Period"),
        *(exact(name, title, form(unit)) for name, title in HOVER.items()),
        named("verdict", "Verdict"),
    ]
    y = alt.Y("low:Q", axis=axis(unit, "", symbol), scale=alt.Scale(zero=False))
    alarm = base.transform_filter("datum.alarm")
    return alt.layer(
        tinted(base.mark_area(opacity=0.15).encode(y=y, y2="high:Q", tooltip=hover), "past"),
        tinted(base.mark_line(strokeDash=[5, 3]).encode(y="centre:Q", tooltip=hover), "past"),
        tinted(base.mark_rule(strokeWidth=2, opacity=0.6).encode(y="least:Q", y2="most:Q", tooltip=hover), "open"),
        tinted(base.mark_line(strokeWidth=2, point=True).encode(y="value:Q", tooltip=hover), "open"),
        tinted(alarm.mark_point(filled=True, size=140, opacity=1).encode(y="value:Q", tooltip=hover), "warning"),
        label(
            alarm.encode(y="value:Q"),
            f"datum.verdict + ' ' + {written('value', unit, symbol)}",
            meaning="warning",
            dy=-12,
        ),
        label(base.transform_filter("datum.last").encode(y="centre:Q"), "'usual'", meaning="past", dx=2, dy=14),
    )


HOVER = {
    "value": "Value",
    "least": "95 % from",
    "most": "95 % to",
    "centre": "Usual",
    "low": "Lower limit",
    "high": "Upper limit",
}


def groups(table: pd.DataFrame, unit: str, symbol: str = "") -> Picture:
    """A measure by group as bars with their intervals, the highest first.

    Parameters
    ----------
    table
        The table ``groups``: group, value, low, high, n, said; with more than MOST the largest n are drawn.
    """
    drawn = table.loc[table["n"].nlargest(MOST).index].sort_index()
    rows = drawn[["group", "value", "low", "high", "n", "said"]]
    rows = rows.assign(end=rows[["value", "high"]].max(axis=1))
    rows = rows.assign(room=WIDE_ROOM * max(rows["end"].max(), 0.0))
    return _groups(unit, symbol).filled(rows, 30 * max(len(rows), 3) + 60)


@template
def _groups(unit: str, symbol: str) -> alt.LayerChart:
    base = alt.Chart().encode(y=alt.Y("group:N", sort=None, axis=names()))
    hover = [
        named("group", "Group"),
        exact("value", "Value", form(unit)),
        exact("low", "95 % from", form(unit)),
        exact("high", "95 % to", form(unit)),
        exact("n", "n", ",.0f"),
    ]
    value = alt.X("value:Q", axis=axis(unit, "", symbol))
    return alt.layer(
        room(),
        tinted(base.mark_bar(size=18).encode(x=value, tooltip=hover), "open"),
        tinted(base.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q", tooltip=hover), "target"),
        label(
            base.encode(x="end:Q"), "datum.said" if unit == "count" else "datum.said + ', n ' + format(datum.n, ',.0f')"
        ),
    )


def bridge(steps: pd.DataFrame, unit: str, symbol: str = "") -> Picture:
    """From one period's value to another's: each effect begins where the one before it ended.

    Parameters
    ----------
    steps
        The table ``steps``: step, kind (level, up or down), begins, ends, value.
    """
    rows = steps.assign(meaning=steps["kind"].map({"level": LEVEL, "up": UP, "down": DOWN}), adds=steps["kind"] == "up")
    return stepwise(rows, unit, symbol=symbol)


def credited(table: pd.DataFrame, rules: tuple[str, ...], symbol: str = "", rule: str = "linear") -> Picture:
    """Revenue credited to each channel or campaign: one rule as a bar, the span of all rules as a line.

    Parameters
    ----------
    table
        The table ``channels`` or ``campaigns``: name, touched, and a column a rule; what no touch is recorded of is
        not drawn.
    """
    table = table[table["touched"]]
    every = table[list(rules)]
    rows = table[["name"]].assign(credit=table[rule], least=every.min(axis=1), most=every.max(axis=1))
    rows = rows.nlargest(MOST, "credit")
    rows = rows.assign(room=ROOM * rows["most"].max())
    return _credited(symbol).filled(rows, 30 * max(len(rows), 3) + 60)


@template
def _credited(symbol: str) -> alt.LayerChart:
    base = alt.Chart().encode(y=alt.Y("name:N", sort=None, axis=names()))
    hover = [
        named("name", "Name"),
        exact("credit", "By this rule"),
        exact("least", "Lowest of all rules"),
        exact("most", "Highest of all rules"),
    ]
    amount = alt.X("credit:Q", axis=money_axis("Credited revenue", symbol))
    return alt.layer(
        room(),
        tinted(base.mark_bar(size=18).encode(x=amount, tooltip=hover), "won"),
        tinted(base.mark_rule(strokeWidth=3).encode(x="least:Q", x2="most:Q", tooltip=hover), "target"),
        label(base.encode(x="most:Q"), money("datum.credit", symbol)),
    )


def response(curve: pd.DataFrame, months: pd.DataFrame, outcome: str, symbol: str = "") -> Picture:
    """An outcome against a month's spend: what months brought, what is usual, and nothing outside of what was tried.

    Parameters
    ----------
    curve, months
        The rows of one outcome of the tables of those names.
    """
    rows = pd.concat(
        [curve.assign(kind="curve"), months.assign(kind="month", month=months["month"].astype(str))], ignore_index=True
    )
    return _response(outcome, symbol).filled(rows, 300)


@template
def _response(outcome: str, symbol: str) -> alt.LayerChart:
    base = alt.Chart().encode(
        x=alt.X("spend:Q", axis=money_axis("Marketing spend a month", symbol), scale=alt.Scale(zero=False))
    )
    drawn, month = base.transform_filter("datum.kind == 'curve'"), base.transform_filter("datum.kind == 'month'")
    axis = money_axis("Revenue", symbol) if outcome == "revenue" else alt.Axis(title=outcome.capitalize(), tickCount=5)
    y = alt.Y("low:Q", axis=axis, scale=alt.Scale(zero=False))
    usual = [exact("spend", "Spend"), exact("usual", "Usually"), exact("low", "Lower"), exact("high", "Upper")]
    return alt.layer(
        tinted(drawn.mark_area(opacity=0.15).encode(y=y, y2="high:Q", tooltip=usual), "past"),
        tinted(drawn.mark_line(strokeWidth=2).encode(y="usual:Q", tooltip=usual), "past"),
        tinted(
            month.mark_point(filled=True, size=60, opacity=0.8).encode(
                y="result:Q", tooltip=[named("month", "Month"), exact("spend", "Spend"), exact("result", "Brought")]
            ),
            "open",
        ),
    )


def deciles(table: pd.DataFrame) -> Picture:
    """Win rate by decile of the lead score, with its interval.

    Parameters
    ----------
    table
        The table ``deciles``: decile, leads, share, low, high.
    """
    return _deciles().filled(table, 260)


@template
def _deciles() -> alt.LayerChart:
    base = alt.Chart().encode(
        x=alt.X("decile:O", axis=alt.Axis(title="Tenth of the leads by score, highest last", labelAngle=0))
    )
    hover = [
        exact("leads", "Leads", ",.0f"),
        exact("share", "Won", ".1%"),
        exact("low", "Lower", ".1%"),
        exact("high", "Upper", ".1%"),
    ]
    share = alt.Y("share:Q", axis=axis("share", "Leads won", ""))
    return alt.layer(
        tinted(base.mark_bar(size=22).encode(y=share, tooltip=hover), "won"),
        tinted(base.mark_rule(strokeWidth=2).encode(y="low:Q", y2="high:Q", tooltip=hover), "target"),
        label(base.encode(y="high:Q"), percent("datum.share"), align="center", dx=0, dy=-10),
    )


def drivers(table: pd.DataFrame) -> Picture:
    """How much more often leads with a value leave than all others: lift with its interval, 1 is no difference.

    Parameters
    ----------
    table
        The table ``drivers``: attribute, value, leads, share, share_of_others, lift, low, high, corrected, tells.
    """
    rows = table.head(MOST)
    rows = rows.assign(
        name=rows["attribute"] + ": " + rows["value"],
        meaning=[
            ("warning" if lift > 1 else "won") if tells else "past"
            for tells, lift in zip(rows["tells"], rows["lift"], strict=True)
        ],
        one=1.0,
    )
    return _drivers().filled(rows, 28 * max(len(rows), 3) + 60)


@template
def _drivers() -> alt.LayerChart:
    base = alt.Chart().encode(y=alt.Y("name:N", sort=None, axis=names()))
    hover = [
        named("name", "Leads with"),
        exact("leads", "Leads", ",.0f"),
        exact("share", "Left", ".1%"),
        exact("share_of_others", "Others that left", ".1%"),
        exact("corrected", "p-value, corrected", ".3g"),
    ]
    x = alt.X(
        "low:Q",
        scale=alt.Scale(type="log", zero=False, nice=False, padding=12),
        axis=alt.Axis(title="Times as often as all others", tickCount=6),
    )
    return alt.layer(
        base.mark_rule(strokeWidth=3, opacity=0.6).encode(x=x, x2="high:Q", color=coloured("meaning"), tooltip=hover),
        base.mark_point(filled=True, size=90, opacity=1).encode(x="lift:Q", color=coloured("meaning"), tooltip=hover),
        tinted(base.mark_rule(strokeDash=[4, 3]).encode(x="one:Q", y=alt.value(0), y2=alt.value("height")), "target"),
    )


def pareto(table: pd.DataFrame) -> Picture:
    """Share of the revenue that the largest customers bring, cumulated.

    Parameters
    ----------
    table
        The table ``pareto``: customers and revenue, both as shares cumulated from the largest.
    """
    at = (table["customers"] - 0.2).abs().idxmin() if len(table) else None
    rows = table.assign(fifth=table.index == at)
    return _pareto().filled(rows, 280)


@template
def _pareto() -> alt.LayerChart:
    base = alt.Chart().encode(x=alt.X("customers:Q", axis=axis("share", "Customers, largest first", "")))
    hover = [exact("customers", "Customers", ".1%"), exact("revenue", "Revenue", ".1%")]
    fifth = base.transform_filter("datum.fifth").encode(y="revenue:Q")
    revenue = alt.Y("revenue:Q", axis=axis("share", "Revenue", ""))
    return alt.layer(
        tinted(base.mark_line(strokeWidth=3).encode(y=revenue, tooltip=hover), "won"),
        tinted(fifth.mark_point(filled=True, size=90, opacity=1).encode(tooltip=hover), "target"),
        label(fifth, f"'the largest fifth: ' + {percent('datum.revenue')}", dx=10, dy=8),
    )
