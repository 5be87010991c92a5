"""How opportunities are created: per month, against the usual pace, and when they are to close."""

from __future__ import annotations

import altair as alt
import pandas as pd

from kpis.charts.style import coloured, exact, label, named, room, template, tinted


def months(table: pd.DataFrame) -> alt.Chart:
    """Opportunities created per month, and those expected on top.

    Parameters
    ----------
    table
        The table ``months``: month, part (created or not yet created), opportunities.
    """
    # What is created is in the pipeline: it takes the colour of open deals.
    return _months().properties(data=table.assign(meaning=table["part"].replace("created", "open")), height=280)


@template
def _months() -> alt.Chart:
    hover = [
        alt.Tooltip("yearmonth(month):O", title="Month", format="%B %Y"),
        named("part", "Part"),
        exact("opportunities", "Opportunities", ",.1f"),
    ]
    return alt.Chart().mark_bar().encode(
        x=alt.X("yearmonth(month):O", axis=alt.Axis(title="Month of creation", format="%b %y", labelAngle=0)),
        y=alt.Y("opportunities:Q", axis=alt.Axis(title="Opportunities", tickCount=5)),
        color=coloured("meaning"),
        order=alt.Order("meaning:N", sort="descending"),
        tooltip=hover,
    )  # fmt: skip


def pace(table: pd.DataFrame) -> alt.LayerChart:
    """Opportunities created by day of the period: this one against the range and the mean of past ones.

    Parameters
    ----------
    table
        The table ``pace``: day, this_period, and past_low, past_mean, past_high where there are past periods.
    """
    rows = table.reindex(columns=["day", "this_period", "past_low", "past_mean", "past_high"]).astype(float)
    rows["today"] = rows["day"] == rows.loc[rows["this_period"].notna(), "day"].max()
    rows["last"] = rows["day"] == rows["day"].max()
    rows["room"] = 1.15 * rows["day"].max()
    return _pace().properties(data=rows, height=280)


@template
def _pace() -> alt.LayerChart:
    base = alt.Chart().encode(x=alt.X("day:Q", axis=alt.Axis(title="Day of the period", tickCount=8)))
    today, last = base.transform_filter("datum.today"), base.transform_filter("datum.last")
    hover = [
        exact("day", "Day", ",.0f"),
        exact("this_period", "This period", ",.0f"),
        exact("past_mean", "Mean of past periods", ",.1f"),
        exact("past_low", "Lowest", ",.0f"),
        exact("past_high", "Highest", ",.0f"),
    ]
    y = alt.Y("past_low:Q", axis=alt.Axis(title="Opportunities created", tickCount=5))
    so_far = "'this period ' + format(datum.this_period, ',')"
    return alt.layer(
        room(),
        tinted(base.mark_area(opacity=0.2).encode(y=y, y2="past_high:Q", tooltip=hover), "past"),
        tinted(base.mark_line(strokeDash=[5, 3], strokeWidth=2).encode(y="past_mean:Q", tooltip=hover), "past"),
        tinted(base.mark_line(strokeWidth=3).encode(y="this_period:Q", tooltip=hover), "open"),
        tinted(today.mark_point(filled=True, size=70, opacity=1).encode(y="this_period:Q", tooltip=hover), "open"),
        label(last.encode(y="past_mean:Q"), "'usual'", meaning="past"),
        label(today.encode(y="this_period:Q"), so_far, dx=9, fontWeight="bold"),
    )


def spread(table: pd.DataFrame) -> alt.LayerChart:
    """Opportunities by month of creation and months until their expected close.

    Parameters
    ----------
    table
        The table ``spread``: month, months_to_close, opportunities, amount.
    """
    return _spread().properties(data=table, height=26 * max(table["month"].nunique(), 3) + 60)


@template
def _spread() -> alt.LayerChart:
    hover = [
        alt.Tooltip("yearmonth(month):O", title="Created in", format="%B %Y"),
        named("months_to_close", "Months to expected close"),
        exact("opportunities", "Opportunities", ",.0f"),
        exact("amount", "Amount"),
    ]
    offsets = alt.Axis(title="Months from creation to expected close", labelAngle=0)
    base = alt.Chart().encode(
        x=alt.X("months_to_close:N", sort="ascending", axis=offsets),
        y=alt.Y("yearmonth(month):O", axis=alt.Axis(title=None, format="%b %Y")),
        tooltip=hover,
    )
    # Opacity instead of a ramp of colours, so that the figure stays readable on the fullest cell, light and dark.
    shade = alt.Opacity("opportunities:Q", scale=alt.Scale(range=[0.06, 0.5]), legend=None)
    return alt.layer(
        tinted(base.mark_rect().encode(opacity=shade), "open"),
        tinted(base.mark_text(fontSize=13).encode(text=alt.Text("opportunities:Q", format=",")), "target"),
    )
