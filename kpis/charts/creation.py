"""How opportunities are created: per month, against the usual pace and the need, and when they are to close."""

from __future__ import annotations

import altair as alt
import pandas as pd

from kpis.charts.style import Picture, coloured, exact, label, named, room, template, tinted


def months(table: pd.DataFrame) -> Picture:
    """Opportunities created per month, those expected on top, and a tick at what each coming period needs a month.

    Parameters
    ----------
    table
        The table ``months``: month, part (created, not yet created or needed), opportunities, period (of the need).
    """
    # What is created is in the pipeline: it takes the colour of open deals.
    rows = table.assign(meaning=table["part"].replace({"created": "open", "needed": "target"}))
    need = rows["part"] == "needed"
    rows["last"] = need & (rows["month"] == rows["month"].where(need).groupby(rows["period"]).transform("max"))
    return _months().filled(rows, 280)


@template
def _months() -> alt.LayerChart:
    hover = [
        alt.Tooltip("yearmonth(month):O", title="Month", format="%B %Y"),
        named("part", "Part"),
        exact("opportunities", "Opportunities", ",.1f"),
    ]
    base = alt.Chart().encode(
        x=alt.X("yearmonth(month):O", axis=alt.Axis(title="Month of creation", format="%b %y", labelAngle=0)),
        y=alt.Y("opportunities:Q", axis=alt.Axis(title="Opportunities", tickCount=5)),
    )
    need = base.transform_filter("datum.part == 'needed'")
    said = "format(datum.opportunities, ',.0f') + ' for ' + datum.period"
    return alt.layer(
        base.transform_filter("datum.part != 'needed'").mark_bar().encode(
            color=coloured("meaning"), order=alt.Order("meaning:N", sort="descending"), tooltip=hover
        ),
        tinted(need.mark_tick(thickness=3).encode(tooltip=[*hover, named("period", "Needed for")]), "target"),
        label(need.transform_filter("datum.last"), said, align="right", baseline="bottom", dx=8, dy=-5),
    )  # fmt: skip


def pace(table: pd.DataFrame) -> Picture:
    """Opportunities created by working day of the period: this one, past ones, and the way to what is needed.

    Parameters
    ----------
    table
        The table ``pace``: day, this_period, past_low, past_mean, past_high where there are past periods, and needed
        from today on where it is known.
    """
    columns = ["day", "this_period", "past_low", "past_mean", "past_high", "needed"]
    rows = table.reindex(columns=columns).astype(float)
    rows["today"] = rows["day"] == rows.loc[rows["this_period"].notna(), "day"].max()
    rows["last"] = rows["day"] == rows["day"].max()
    rows["room"] = 1.15 * rows["day"].max()
    return _pace().filled(rows, 280)


@template
def _pace() -> alt.LayerChart:
    base = alt.Chart().encode(x=alt.X("day:Q", axis=alt.Axis(title="Working day of the period", tickCount=8)))
    today, last = base.transform_filter("datum.today"), base.transform_filter("datum.last")
    hover = [
        exact("day", "Working day", ",.0f"),
        exact("this_period", "This period", ",.0f"),
        exact("past_mean", "Mean of past periods", ",.1f"),
        exact("past_low", "Lowest", ",.0f"),
        exact("past_high", "Highest", ",.0f"),
        exact("needed", "Needed by then", ",.1f"),
    ]
    y = alt.Y("past_low:Q", axis=alt.Axis(title="Opportunities created", tickCount=5))
    so_far = "'this period ' + format(datum.this_period, ',')"
    need = "'needed ' + format(datum.needed, ',.0f')"
    return alt.layer(
        room(),
        tinted(base.mark_area(opacity=0.2).encode(y=y, y2="past_high:Q", tooltip=hover), "past"),
        tinted(base.mark_line(strokeDash=[5, 3], strokeWidth=2).encode(y="past_mean:Q", tooltip=hover), "past"),
        tinted(base.mark_line(strokeDash=[2, 3], strokeWidth=2).encode(y="needed:Q", tooltip=hover), "target"),
        tinted(base.mark_line(strokeWidth=3).encode(y="this_period:Q", tooltip=hover), "open"),
        tinted(today.mark_point(filled=True, size=70, opacity=1).encode(y="this_period:Q", tooltip=hover), "open"),
        label(last.transform_filter("isValid(datum.past_mean)").encode(y="past_mean:Q"), "'usual'", meaning="past"),
        label(last.transform_filter("isValid(datum.needed)").encode(y="needed:Q"), need, align="right", dx=-9),
        label(today.encode(y="this_period:Q"), so_far, dx=9, fontWeight="bold"),
    )


def spread(table: pd.DataFrame) -> Picture:
    """Opportunities by month of creation and months until their expected close.

    Parameters
    ----------
    table
        The table ``spread``: month, months_to_close, opportunities, amount.
    """
    return _spread().filled(table, 26 * max(table["month"].nunique(), 3) + 60)


@template
def _spread() -> alt.LayerChart:
    hover = [
        alt.Tooltip("yearmonth(month):O", title="Created in", format="%B %Y"),
        named("months_to_close", "Months to expected close"),
        exact("opportunities", "Opportunities", ",.0f"),
        exact("amount", "Amount"),
    ]
    offsets = alt.Axis(title="Months to expected close", labelAngle=0)
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
