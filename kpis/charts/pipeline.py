"""What the open pipeline is made of, and how much of it is needed."""

from __future__ import annotations

import altair as alt
import pandas as pd

from kpis.charts.style import ROOM, Picture, exact, label, money, money_axis, named, names, room, template, tinted


def composition(table: pd.DataFrame, by: str, symbol: str = "") -> Picture:
    """Amount of open deals by one dimension; the full colour is what is expected to be won this period.

    Parameters
    ----------
    table
        Columns ``by``, deals, amount and expected; names from top to bottom.
    symbol
        Currency symbol that stands before amounts.
    """
    # The label at the end of a bar tells the number of deals as well and needs more room.
    rows = table.rename(columns={by: "name"}).assign(room=1.6 * ROOM * table["amount"].max())
    return _composition(symbol).filled(rows, 40 * max(len(rows), 3) + 60)


@template
def _composition(symbol: str) -> alt.LayerChart:
    base = alt.Chart().encode(y=alt.Y("name:N", sort=None, axis=names()))
    hover = [
        named("name", "Open deals"),
        exact("deals", "Number", ",.0f"),
        exact("amount", "Amount"),
        exact("expected", "Expected to be won this period"),
    ]
    amount = alt.X("amount:Q", axis=money_axis("Amount of open deals", symbol))
    deals = "format(datum.deals, ',') + (datum.deals == 1 ? ' deal' : ' deals')"
    return alt.layer(
        room(),
        tinted(base.mark_bar(size=22, opacity=0.35).encode(x=amount, tooltip=hover), "open"),
        tinted(base.mark_bar(size=22).encode(x="expected:Q", tooltip=hover), "open"),
        label(base.encode(x="amount:Q"), f"{money('datum.amount', symbol)} + ' · ' + {deals}"),
    )


def needed(periods: pd.DataFrame, symbol: str = "") -> Picture:
    """Open qualified pipeline of each period, and a tick at what the wanted confidence takes.

    Parameters
    ----------
    periods
        The table ``periods``: period, open_qualified, required_pipeline, gap.
    symbol
        Currency symbol that stands before amounts.
    """
    columns = ["open_qualified", "required_pipeline", "gap"]
    rows = periods[["period", *columns]].astype(dict.fromkeys(columns, float))
    rows["room"] = ROOM * rows[columns[:2]].max().max()
    return _needed(symbol).filled(rows, 92 * max(len(rows), 1) + 70)


@template
def _needed(symbol: str) -> alt.LayerChart:
    base = alt.Chart().encode(y=alt.Y("period:N", sort=None, axis=names()))
    hover = [
        named("period", "Period"),
        exact("open_qualified", "Open qualified pipeline"),
        exact("required_pipeline", "Needed"),
        exact("gap", "Missing"),
    ]
    need = base.transform_filter("isValid(datum.required_pipeline)").encode(x="required_pipeline:Q")
    need_said = f"{money('datum.required_pipeline', symbol)} + ' needed'"
    amount = alt.X("open_qualified:Q", axis=money_axis("Open qualified pipeline", symbol))
    without = "isValid(datum.required_pipeline) ? '' : ', needed n/a'"
    open_said = f"{money('datum.open_qualified', symbol)} + ' open' + ({without})"
    return alt.layer(
        room(),
        tinted(base.mark_bar(size=26).encode(x=amount, tooltip=hover), "open"),
        tinted(need.mark_tick(thickness=3, size=34, opacity=1).encode(tooltip=hover), "target"),
        label(need, need_said, align="center", baseline="bottom", dx=0, dy=-20),
        label(base.encode(x=alt.value(0)), open_said, baseline="top", dx=2, dy=19),
    )
