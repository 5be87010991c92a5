"""The forecast's record: its error beside the simple rules', forecast against outcome, how true its levels are."""

from __future__ import annotations

import altair as alt
import pandas as pd

from kpis.charts.style import Picture, coloured, exact, label, money_axis, named, names, percent, room, template, tinted


def errors(scores: pd.DataFrame, model: str) -> Picture:
    """WAPE of each method in one window, the smallest first; this model in the colour of open deals.

    Parameters
    ----------
    scores
        Rows of the table ``scores`` of one window: method, wape, bias, n.
    model
        Name of the method that is this model.
    """
    rows = scores.dropna(subset=["wape"]).sort_values("wape").assign(wape=lambda t: t["wape"].astype(float))
    rows = rows.assign(
        meaning=["open" if m == model else "past" for m in rows["method"]], room=1.3 * rows["wape"].max()
    )
    return _errors().filled(rows, 34 * max(len(rows), 3) + 60)


@template
def _errors() -> alt.LayerChart:
    base = alt.Chart().encode(y=alt.Y("method:N", sort=None, axis=names()))
    hover = [
        named("method", "Method"), exact("wape", "Error (WAPE)", ".1%"), exact("bias", "Bias", "+.1%"),
        exact("n", "Past forecasts", ",.0f"),
    ]  # fmt: skip
    axis = alt.Axis(title="Error, in % of revenue", format=".0%", tickCount=5)
    return alt.layer(
        room(),
        base.mark_bar(size=20).encode(x=alt.X("wape:Q", axis=axis), color=coloured("meaning"), tooltip=hover),
        label(base.encode(x="wape:Q"), percent("datum.wape")),
    )


def over_time(origins: pd.DataFrame, symbol: str = "") -> Picture:
    """Forecast with its 80 % range and what came of it, by the day it was made.

    Parameters
    ----------
    origins
        Rows of the table ``origins`` of one window: made_on, expected, p10, p90, actual, inside.
    symbol
        What stands before an amount of money.
    """
    rows = origins.assign(made_on=pd.to_datetime(origins["made_on"]))
    return _over_time(symbol).filled(rows, 300)


@template
def _over_time(symbol: str) -> alt.LayerChart:
    base = alt.Chart().encode(x=alt.X("made_on:T", axis=alt.Axis(title="Day the forecast was made", format="%b %y")))
    hover = [
        alt.Tooltip("made_on:T", title="Made on", format="%d %b %Y"), exact("expected", "Forecast"),
        exact("p10", "P10"), exact("p90", "P90"), exact("actual", "What came"),
    ]  # fmt: skip
    y = alt.Y("p10:Q", axis=money_axis("Revenue still to come", symbol))
    return alt.layer(
        tinted(base.mark_rule(strokeWidth=6, opacity=0.35).encode(y=y, y2="p90:Q", tooltip=hover), "open"),
        tinted(base.mark_tick(thickness=3, size=14).encode(y="expected:Q", tooltip=hover), "open"),
        tinted(base.mark_point(filled=True, size=70, opacity=1).encode(y="actual:Q", tooltip=hover), "won"),
    )


def calibration(ranges: pd.DataFrame) -> Picture:
    """Share of outcomes at or below each level of the forecast: on the diagonal when the levels are true.

    Parameters
    ----------
    ranges
        Rows of the table ``ranges`` of one window: level, share, n.
    """
    return _calibration().filled(ranges, 300)


@template
def _calibration() -> alt.LayerChart:
    axis = {"format": ".0%", "tickCount": 5}
    base = alt.Chart().encode(
        x=alt.X(
            "level:Q",
            scale=alt.Scale(domain=[0, 1]),
            axis=alt.Axis(title="Level of the forecast", **axis),
        ),
        y=alt.Y("share:Q", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(title="Came out below it", **axis)),
        tooltip=[
            exact("level", "Said", ".0%"),
            exact("share", "Happened", ".0%"),
            exact("n", "Past forecasts", ",.0f"),
        ],
    )
    ideal = base.encode(y=alt.Y("level:Q"))
    return alt.layer(
        tinted(ideal.mark_line(strokeDash=[5, 3], strokeWidth=2), "past"),
        tinted(base.mark_line(strokeWidth=2.5, point=alt.OverlayMarkDef(size=60, filled=True)), "open"),
    )


def chances(table: pd.DataFrame) -> Picture:
    """Share of targets reached beside the chance that was forecast, with its interval: on the diagonal when true.

    Parameters
    ----------
    table
        Rows of the table ``chances`` of one window: said, reached, low, high, hits, n.
    """
    return _chances().filled(table, 300)


@template
def _chances() -> alt.LayerChart:
    whole = alt.Scale(domain=[0, 1])
    axis = {"format": ".0%", "tickCount": 5}
    hover = [
        exact("said", "Forecast chance", ".1%"), exact("reached", "Reached", ".1%"),
        exact("low", "Interval from", ".1%"), exact("high", "Interval to", ".1%"),
        exact("hits", "Reached, number", ",.0f"), exact("n", "Past forecasts", ",.0f"),
    ]  # fmt: skip
    base = alt.Chart().encode(x=alt.X("said:Q", scale=whole, axis=alt.Axis(title="Forecast chance", **axis)))
    reached = alt.Y("reached:Q", scale=whole, axis=alt.Axis(title="Target reached", **axis))
    return alt.layer(
        tinted(base.encode(y=alt.Y("said:Q")).mark_line(strokeDash=[5, 3], strokeWidth=2), "past"),
        tinted(base.mark_rule(strokeWidth=4, opacity=0.35).encode(y="low:Q", y2="high:Q", tooltip=hover), "open"),
        tinted(base.mark_point(filled=True, size=90, opacity=1).encode(y=reached, tooltip=hover), "open"),
        label(base.encode(y="reached:Q"), "datum.hits + '/' + datum.n", align="center", dx=0, dy=-14),
    )
