"""What the pages of data say and ask of a reading: how far it is, whose settings hold, the order of dates."""

from __future__ import annotations

import streamlit as st

from ui import reading, workspaces
from ui.cards import plain, problem
from ui.running import follow, in_short


def tell() -> None:
    """Say how far a reading is, why the last files cannot be used, and who else changed the settings."""
    if reading.RUNNING in st.session_state:
        reading.take() if st.session_state[reading.RUNNING].is_done else follow(reading.RUNNING)
    found = reading.now()
    _tell_clash(found)
    if found.error:
        problem(found.error)
        st.button("Leave these files", on_click=reading.leave, icon=":material/close:", key="leave")


def beside() -> None:
    """In the sidebar of other pages, or closed ones: how far a reading is, and where it waits once it is over."""
    if reading.RUNNING in st.session_state:
        in_short(reading.RUNNING)


def _tell_clash(found: reading.Reading) -> None:
    """Ask whose settings hold where somebody else saved others meanwhile."""
    with workspaces.told():
        clash = workspaces.settings_clash()
        if clash is None:
            return
        what, mine, theirs = clash
        with st.container(border=True, key="settings_clash"):
            st.markdown(f":material/warning: {plain(what)}. Yours hold in this session only.")
            with st.container(horizontal=True):
                if st.button("Take theirs", icon=":material/download:", key="settings_theirs"):
                    workspaces.settle_clash(theirs)
                    reading.again(found, theirs)
                st.button(
                    "Save mine in their place", on_click=workspaces.settle_clash, args=(mine,), key="settings_mine",
                    icon=":material/upload:",
                )  # fmt: skip


def ask_dates() -> None:
    """Ask for the order of day and month where the files do not tell, and read them again with the answer."""
    found = reading.now()
    asked = [question.partition("; set dates")[0] for file in found.reports for question in file.questions]
    if not asked:
        return
    with st.container(border=True, key="ask_dates"):
        st.subheader("Which comes first in these dates, the day or the month?", anchor=False)
        st.markdown("\n".join(f"* {plain(question)}" for question in asked))
        with st.container(horizontal=True):
            for order, example in (("day-first", "3/4 is 3 April"), ("month-first", "3/4 is March 4")):
                if st.button(f"{order.capitalize()}: {example}", key=order):
                    reading.again(found, found.settings.revised(dates=order))


def offer_settings() -> None:
    """The settings in force as a file, which does the same next time."""
    settings = reading.now().settings
    st.download_button(
        "Settings file", settings.as_toml, "tandem.toml", "application/toml", key="settings", on_click="ignore",
        icon=":material/download:", disabled=not settings.model_fields_set,
        help="Load it together with your next export: what you set here applies by itself.",
    )  # fmt: skip
