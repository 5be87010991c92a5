"""Meeting mode: the pages as an agenda to walk through, large and without a sidebar, with decisions beside them.

The levers keep their place in the sidebar, which is closed and not gone: what is not drawn would lose its value.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from kpis.answers.changes import DAYS, WhatChanged
from kpis.errors import TandemError
from kpis.periods import day_of
from ui import cards, decisions, levers, state

LAST, SINCE = "last_meeting", "since last meeting"


def switches() -> None:
    """The two switches of the frame, which a link can set: meeting mode, and masked names."""
    st.toggle(
        "Meeting mode", key=state.MEETING, bind="query-params",
        help="For the shared screen: no sidebar, larger type, the agenda above and decisions beside each page.",
    )  # fmt: skip
    st.toggle(
        "Mask names", key=state.MASK, bind="query-params",
        help="Owners, teams, accounts and deals go by a number, on every page and in every download.",
    )  # fmt: skip


def run(page: StreamlitPage, agenda: Sequence[StreamlitPage], files: Sequence[StreamlitPage]) -> None:
    """Run a page; in a meeting with the agenda above it and the decisions beside it.

    Parameters
    ----------
    files
        Pages that show files as they were written: closed while names are masked. All but the first, which loads
        others, are also closed where the person sees a part of the rows, since files are of all.
    """
    run_page = page.run
    if page in files and state.names_masked():
        run_page = _masked
    elif page in files[1:] and state.intake().dataset.part:
        run_page = _without_files
    if not state.in_meeting():
        run_page()
        return
    _agenda(page, agenda)
    body, beside = st.columns([7, 2], gap="medium")
    with beside:
        decisions.panel(page.title)
    with body:
        if page == agenda[-1]:
            found = state.dataset()
            decisions.closing(found.title, found.newest, st.session_state.get(SINCE, ""))
        run_page()


def _without_files() -> None:
    """Why a page is closed to who sees a part of the rows."""
    st.title("This page needs whole files", anchor=False)
    st.markdown("You see a part of the rows. How columns are read and what words mean is set by who sees all of them.")
    levers.draw()


def _masked() -> None:
    """Why a page is closed while names are masked, and what opens it."""
    st.title("Names are masked", anchor=False)
    st.markdown("This page shows your files as they were written, names included.")
    st.button("Show names", on_click=_off, args=(state.MASK,), icon=":material/visibility:", key="show_names")
    levers.draw()


def _agenda(page: StreamlitPage, agenda: Sequence[StreamlitPage]) -> None:
    """The pages in order with the current one marked, and the ways to the next and out, each with its key."""
    at = agenda.index(page) if page in agenda else -1
    with st.container(horizontal=True, vertical_alignment="center", key="agenda"):
        for other in agenda:
            st.page_link(other)
        if at >= 0:
            st.markdown(cards.small(f"{at + 1} of {len(agenda)}"), width="content")
        # With a modifier the keys work wherever the focus is: on a switch, in a table, in the text of a decision.
        back = st.button("Back", shortcut="Alt+P", disabled=at <= 0, key="previous")
        on = st.button("Next", shortcut="Alt+N", disabled=at == len(agenda) - 1, key="next")
        st.button("Leave", shortcut="Esc", on_click=_off, args=(state.MEETING,), key="leave_meeting")
    if back or on:
        # Not the default: Streamlit refuses to clear parameters that widgets are bound to, and the frame's write again.
        st.switch_page(agenda[at + (1 if on else -1)], query_params={})


def _off(switch: str) -> None:
    """Turn a switch off (a callback)."""
    st.session_state[switch] = False


def last_one() -> date | None:
    """The day of the last meeting; None where nobody was asked for it yet."""
    return st.session_state.get(LAST)


def since_last(view: levers.View) -> None:
    """What changed since the last meeting, at the top of the first page; its day is asked for once."""
    if not state.in_meeting():
        return
    model = view.outlook.model
    today = day_of(model.today)
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="since_last"):
        last = st.date_input(
            "Last meeting", today - timedelta(days=DAYS), max_value=today, key=LAST, persist_state="session",
            format="YYYY-MM-DD", width=160,
        )  # fmt: skip
        try:
            changed = WhatChanged(model.calendar.at(today), last or today - timedelta(days=DAYS), today)
            said = view.baseline.answer(changed).sentence
        except TandemError as error:
            said = f"n/a: {error.problem}"
        st.session_state[SINCE] = said
        st.markdown(f"**Since the last meeting**  \n{cards.plain(said)}")
        st.page_link("pages/meeting/changes.py", label="Deal by deal", icon=":material/arrow_forward:")
