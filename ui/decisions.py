"""Decisions of a meeting: taken beside any page, saved where the session works, taken away as CSV or minutes."""

from __future__ import annotations

from datetime import date

import streamlit as st

from kpis.answers.minutes import as_minutes, as_table
from kpis.errors import StoreError
from kpis.store import decisions
from kpis.store.roles import Right
from ui import cards, workspaces
from ui.columns import column

TEXT, OWNER, DUE = "decision_text", "decision_owner", "decision_due"
COLUMNS = {
    "decision": column.TextColumn("Decision", width="large"),
    "owner": column.TextColumn("Owner"),
    "due": column.TextColumn("Due"),
    "page": column.TextColumn("Taken on"),
}


def listed() -> list[dict[str, str]]:
    """The decisions in the order they were taken."""
    return [
        {"decision": row.text, "owner": row.owner, "due": row.due.isoformat() if row.due else "", "page": row.page}
        for row in decisions.listed(workspaces.current())
    ]


def panel(page: str) -> None:
    """What stands beside a page: a form for a decision, and those taken so far."""
    with st.container(border=True, key="decisions_card"):
        st.subheader("Decisions and notes", anchor=False)
        may_save = workspaces.may(Right.SAVE)
        said = f"What you add is {workspaces.where()}." if may_save else workspaces.looks_only()
        st.markdown(cards.small(cards.plain(said)))
        workspaces.say_refused()
        if may_save:
            with st.form("decide", clear_on_submit=True, border=False):
                st.text_area("Decision or note", key=TEXT, height=96)
                st.text_input("Who", key=OWNER)
                st.date_input("By when", None, key=DUE, format="YYYY-MM-DD")
                st.form_submit_button("Add", icon=":material/add:", on_click=_add_typed, args=(page,), width="stretch")
        with workspaces.told():
            for number, row in enumerate(decisions.listed(workspaces.current())):
                with st.container(border=True, gap=None, key=f"decision_{number}"):
                    who = ", ".join(filter(None, (row.owner, row.due and f"by {row.due}", row.page)))
                    st.markdown(f"{cards.plain(row.text)}  \n{cards.small(cards.plain(who))}")
                    if may_save:
                        st.button(
                            "Remove", on_click=_remove, args=(row.id,), key=f"decision_drop_{number}", type="tertiary",
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
    taken: list[dict[str, str]] = []
    with workspaces.told():
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
    """Save what was typed; without a text it is no decision (a callback)."""
    text, owner, due = (st.session_state[key] for key in (TEXT, OWNER, DUE))
    if text.strip():
        try:
            decisions.add(workspaces.current(), text.strip(), owner.strip(), due, page)
        except StoreError as error:
            workspaces.refuse(error)


def _remove(number: int) -> None:
    """Delete a decision (a callback)."""
    try:
        decisions.delete(workspaces.current(), number)
    except StoreError as error:
        workspaces.refuse(error)
