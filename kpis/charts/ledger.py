"""The ledger: each stored prediction's range, with what came of it or what is expected now."""

from __future__ import annotations

import altair as alt
import pandas as pd

from kpis.charts.style import Picture, exact, money_axis, named, names, template, tinted


def predicted(rows: pd.DataFrame, symbol: str = "") -> Picture:
    """A line a predicted period: its 80 % range, the prediction, and a dot for what came or is expected now.

    Parameters
    ----------
    rows
        Rows of the table ``predictions`` that are judged: period, made_on, name, expected, p10, p90, now, phase, why.
    symbol
        What stands before an amount of money.
    """
    as_of = pd.to_datetime(rows["made_on"]).dt.strftime("%d %b %Y")
    said = rows["period"] + ", as of " + as_of + rows["name"].where(rows["levers"] > 0, "").radd(" ").str.rstrip()
    told = rows.assign(made_on=as_of, prediction=said)
    return _predicted(symbol).filled(told, 26 * max(len(rows), 3) + 60)


@template
def _predicted(symbol: str) -> alt.LayerChart:
    hover = [
        named("prediction", "Prediction"), exact("expected", "Predicted"), exact("p10", "P10"), exact("p90", "P90"),
        exact("now", "Now"), named("why", "Which is"),
    ]  # fmt: skip
    base = alt.Chart().encode(y=alt.Y("prediction:N", sort=None, axis=names()), tooltip=hover)
    x = alt.X("p10:Q", axis=money_axis("Landing of the period", symbol), scale=alt.Scale(zero=False))
    now = base.encode(x="now:Q")
    return alt.layer(
        tinted(base.mark_rule(strokeWidth=6, opacity=0.35).encode(x=x, x2="p90:Q"), "open"),
        tinted(base.mark_tick(thickness=3, size=14).encode(x="expected:Q"), "open"),
        tinted(now.transform_filter("datum.phase == 'over'").mark_point(filled=True, size=80, opacity=1), "won"),
        tinted(now.transform_filter("datum.phase == 'running'").mark_point(size=80, strokeWidth=2), "won"),
    )
