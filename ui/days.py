"""Which pipeline, and between which two days: what a look back is drawn for."""

from __future__ import annotations

from datetime import date, timedelta

import streamlit as st

from kpis.answers.changes import DAYS, WhatChanged
from kpis.forecast.model import Model
from kpis.periods import day_of
from ui import meeting
from ui.levers import settle

OFFSETS = {"before": -1, "current": 0, "next": 1, "next but one": 2}
FIRST, LAST = "since", "until"


def choose(model: Model) -> WhatChanged:
    """Draw the choice of period and days; by default the last 30 days of the current period's pipeline."""
    today = day_of(model.today)
    periods = {name: model.calendar.at(today, k) for name, k in OFFSETS.items()}
    with st.container(horizontal=True, vertical_alignment="bottom", key="days"):
        name = st.segmented_control(
            "Pipeline of", tuple(OFFSETS), default="current", required=True, key="pipeline_of", bind="query-params",
            format_func=lambda name: periods[name].label,
        )  # fmt: skip
        period = periods[name]
        earliest = min(day_of(model.stints.deals["created"].min()), today - timedelta(days=DAYS))
        left, right = st.container(width=170), st.container(width=170)
        last = _day(right, "To", LAST, today, earliest, today, "The end of this day; at most the as-of day.")
        first = _day(
            left, "From", FIRST, min(max(_since_when(last), earliest), last), earliest, last,
            "The end of this day: the day of the last meeting, say.",
        )  # fmt: skip
        begun = period.start - timedelta(days=1)
        for text, day in (
            ("Last week", today - timedelta(days=7)),
            ("30 days", today - timedelta(days=30)),
            (f"Since {period.label} began", begun),
        ):
            if earliest <= day < today:
                st.button(text, on_click=_since, args=(day, today), type="tertiary", key=f"since {text}")
    return WhatChanged(period, first, last)


def _since_when(last: date) -> date:
    """The day of the last meeting where the session knows it, else some days back."""
    return meeting.last_one() or last - timedelta(days=DAYS)


def _day(
    place: st.delta_generator.DeltaGenerator, name: str, key: str, default: date, low: date, high: date, tip: str
) -> date:
    settle(key, default, low, high)
    return place.date_input(
        name, default, min_value=low, max_value=high, key=key, bind="query-params", format="YYYY-MM-DD", help=tip
    ) or default  # fmt: skip


def _since(first: date, last: date) -> None:
    """Set both days (a callback)."""
    st.session_state[FIRST], st.session_state[LAST] = first, last
