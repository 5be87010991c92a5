"""Decisions of a meeting: taken beside any page, kept in the session, taken away as CSV or minutes."""

from __future__ import annotations

from datetime import date

import streamlit as st

from kpis.answers.minutes import as_minutes, as_table
from ui import cards
from ui.columns import column

TAKEN = "decisions"
TEXT, OWNER, DUE = "decision_text", "decision_owner", "decision_due"
COLUMNS = {
    "decision": column.TextColumn("Decision", width="large"),
    "owner": column.TextColumn("Owner"),
    "due": column.TextColumn("Due"),
    "page": column.TextColumn("Taken on"),
}


def listed() -> list[dict[str, str]]:
    """The session's decisions in the order they were taken."""
    return list(st.session_state.get(TAKEN, ()))


def add(text: str, owner: str, due: date | None, page: str) -> None:
    """Keep a decision; one without a text is none."""
    if text.strip():
        taken = {"decision": text.strip(), "owner": owner.strip(), "due": due.isoformat() if due else "", "page": page}
        st.session_state[TAKEN] = [*listed(), taken]


def remove(number: int) -> None:
    """Forget the decision in this place of the list."""
    st.session_state[TAKEN] = [kept for n, kept in enumerate(listed()) if n != number]


def panel(page: str) -> None:
    """What stands beside a page: a form for a decision, and those taken so far."""
    with st.container(border=True, key="decisions_card"):
        st.subheader("Decisions and notes", anchor=False)
        with st.form("decide", clear_on_submit=True, border=False):
            st.text_area("Decision or note", key=TEXT, height=96)
            st.text_input("Who", key=OWNER)
            st.date_input("By when", None, key=DUE, format="YYYY-MM-DD")
            st.form_submit_button("Add", icon=":material/add:", on_click=_add_typed, args=(page,), width="stretch")
        for number, taken in enumerate(listed()):
            with st.container(border=True, gap=None, key=f"decision_{number}"):
                who = ", ".join(filter(None, (taken["owner"], taken["due"] and f"by {taken['due']}", taken["page"])))
                st.markdown(f"{cards.plain(taken['decision'])}  \n{cards.small(cards.plain(who))}")
                st.button(
                    "Remove", on_click=remove, args=(number,), key=f"decision_drop_{number}", type="tertiary",
                    icon=":material/delete:",
                )  # fmt: skip


def closing(about: str, as_of: date, since: str) -> None:
    """All decisions, as the meeting ends with them, and their files.

    Parameters
    ----------
    about
        Name of the data the meeting was about.
    since
        What changed since the last meeting, where it is known.
    """
    taken = listed()
    if not taken:
        cards.missing("What was decided?", "no decision is noted yet; write it beside the page it is taken on")
        return
    cards.table(
        "What was decided?", as_table(taken), "minutes", COLUMNS,
        says="Each decision with who does it, by when, and the page it was taken on", height="content",
    )  # fmt: skip
    st.download_button(
        "Minutes", as_minutes(taken, about, as_of, since), "minutes.md", "text/markdown", key="minutes_md",
        on_click="ignore", icon=":material/download:", help="The decisions in Markdown, to paste into a mail or a wiki",
    )  # fmt: skip


def _add_typed(page: str) -> None:
    """Keep what was typed (a callback)."""
    state = st.session_state
    add(state[TEXT], state[OWNER], state[DUE], page)
