"""The people of a workspace: an owner invites them by e-mail, gives them a role and rows, and sees who did what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

import pandas as pd
import streamlit as st

from kpis.errors import StoreError
from kpis.store import Workspace, members, models, workspace
from kpis.store.roles import OWNER, ROLES
from kpis.store.scope import ALL, COLUMNS, Scope
from ui.cards import plain, problem, small
from ui.columns import column

SOMEBODY, ALL_ROWS = "Somebody new", "All rows"
MAY = {
    "viewer": "A viewer looks at the data and at what is saved.",
    "editor": "An editor also saves scenarios, decisions and forecasts; one who sees all rows also data and settings.",
    "owner": "An owner also invites people, and may delete the workspace.",
}
LOG = {
    "at": column.DatetimeColumn("When, UTC", format="DD MMM YYYY, HH:mm"),
    "person": column.TextColumn("Who"),
    "did": column.TextColumn("Did"),
    "what": column.TextColumn("What", width="medium"),
}


@st.dialog("Who works here?", width="large")
def manage(chosen: Workspace) -> None:
    """Who takes part, a form to invite or to change somebody, and the audit log."""
    there = {row.person: row for row in members.listed(chosen)}
    st.markdown("\n".join(f"* {_line(row)}" for row in there.values()))
    with st.container(border=True):
        who = st.selectbox("Invite or change", [SOMEBODY, *there], key="people_who")
        row, address = (there[who], who) if who in there else _invited(there)
        _form(chosen, row, address)
    with st.expander("Who did what?", on_change="rerun", key="people_log") as log:
        if log.open:
            _log(chosen)


def _line(row: models.Member) -> str:
    rows = Scope.parse(row.scope).words
    said = f"{row.role}, sees {f'{rows} only' if rows else ALL_ROWS.lower()}, since {row.since:%d %b %Y}"
    return f"**{plain(row.person)}** {small(plain(said))}"


def _invited(there: Mapping[str, models.Member]) -> tuple[models.Member | None, str]:
    """The address of somebody new; of a member who has it, role and rows are changed and not given anew."""
    address = st.text_input("E-mail address", key="people_address", help="The one they sign in with")
    row = None
    with suppress(StoreError):  # half an address is said to be none when it is to be invited
        row = there.get(members.called(address))
    if row:
        st.markdown(f"**{plain(row.person)}** takes part already. What you save here changes their role and rows.")
    return row, address


def _form(chosen: Workspace, row: models.Member | None, address: str) -> None:
    """Role and rows of a person, who has widgets of their own: nothing typed for one is saved for another."""
    of = row.person if row else SOMEBODY
    role = st.segmented_control(
        "Role", ROLES, default=row.role if row else ROLES[0], required=True, key=f"people_role {of}"
    )
    st.markdown(small(MAY[role]))
    by, values = ("", ()) if role == OWNER else _rows(Scope.parse(row.scope) if row else ALL, of)
    with st.container(horizontal=True):
        if st.button("Save" if row else "Invite", key=f"people_save {of}", icon=":material/check:"):
            _try(lambda: members.admit(chosen, address, role, Scope.of(by, values) if by else ALL))
        if row and st.button("Remove", key=f"people_remove {of}", icon=":material/person_remove:", type="tertiary"):
            _try(lambda: members.remove(chosen, of))
    st.markdown(small("Nobody is written to. What you change holds from the next page on that the person opens."))


def _rows(scope: Scope, of: str) -> tuple[str, list[str]]:
    """The column that tells a person's rows apart, empty for all rows, and its values."""
    choices = [ALL_ROWS, *COLUMNS]
    by = st.selectbox(
        "Sees", choices, choices.index(scope.column or ALL_ROWS), key=f"people_by {of}",
        format_func=lambda by: by if by == ALL_ROWS else f"Deals of certain {by}s, and what belongs to them",
    )  # fmt: skip
    if by == ALL_ROWS:
        return "", []
    given = "\n".join(scope.values) if by == scope.column else ""
    written = st.text_area(
        f"Which {by}s, a line each, written as in the data", given, key=f"people_values {of} {by}", height=96
    )
    return by, written.splitlines()


def _try(change: Callable[[], None]) -> None:
    """Change something and draw the dialog again, or say why it cannot be."""
    try:
        change()
    except StoreError as error:
        problem(error)
    else:
        st.rerun(scope="fragment")


def _log(chosen: Workspace) -> None:
    """The audit log, the latest first."""
    rows = [(row.at, row.person, f"{row.action} {row.kind}", row.what) for row in workspace.log(chosen)]
    st.dataframe(
        pd.DataFrame(rows, columns=list(LOG)), column_config=LOG, hide_index=True, key="people_log_table",
        alt="Who did what, and when", height=240,
    )  # fmt: skip
