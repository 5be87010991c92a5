"""Keeping data: in which workspace, what is kept there already, and how it is opened again or deleted."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from kpis.answers.words import plural, size
from kpis.intake import Intake, archive
from kpis.intake.sources import Upload
from kpis.store import Workspace, decisions, ledger, models, scenarios, snapshots, workspace
from kpis.store.roles import Right
from ui import people, reading, sign_in, state, workspaces
from ui.cards import plain, small
from ui.lines import line

IN = "keep in"
_SAVED = {
    Right.SHARE: "Scenarios, decisions, forecasts and settings are saved there as you make them.",
    Right.SAVE: "Scenarios, decisions and forecasts are saved there as you make them, for those who see the same rows.",
    Right.LOOK: "You may look at what is there; what you make is not saved.",
}
"""What becomes of what a person makes in a workspace, by the right that it takes; the first that they have holds."""


def choose() -> None:
    """In the sidebar: the workspace of the session, and what is kept of what is shown."""
    with workspaces.told():
        if workspaces.was_taken():
            workspaces.say(f"What you may see of {workspaces.entered()} was changed, or it was deleted.")
            reading.forget()
            workspaces.leave()
        chosen = workspaces.choice()
        if chosen != workspaces.entered():
            _switch(chosen)
        st.markdown(small(_in_short()))
    workspaces.say_said()


def say_part() -> None:
    """On top of every page: that its numbers are of certain rows only, where they are."""
    part = state.dataset().part
    if part:
        said = f"Every number here is of a part of the data: {part} only."
        st.markdown(small(f":material/filter_alt: {plain(said)}", "orange"))


def _switch(chosen: str | None) -> None:
    """Work in another workspace, with its newest data; data that the session has loaded stay."""
    if chosen is None:
        workspaces.leave()
        return
    target = workspaces.enter(chosen)
    newest = next(iter(snapshots.listed(target)), None)
    if newest is not None and state.is_demo():
        reading.come_back(*_read(target, newest))


def _in_short() -> str:
    """What of the session is kept."""
    if workspaces.entered() is None:
        return ":material/cloud_off: In this session only: nothing is kept"
    if snapshots.kept(workspaces.current(), state.intake().dataset.fingerprint):
        return f":material/cloud_done: Kept in {plain(workspaces.current().name)}"
    return ":orange[:material/cloud_upload: These data are not kept]"


def panel() -> None:
    """One control that keeps what is shown, and what is kept in the workspace of the session."""
    with st.container(border=True, key="keeping"), workspaces.told():
        st.subheader("Are these data kept?", anchor=False)
        entered = workspaces.entered()
        found = snapshots.kept(workspaces.current(), state.intake().dataset.fingerprint) if entered else None
        st.markdown(_said(entered, found))
        if found is None:
            suggested = (entered or next(iter(workspaces.names()), "")) if workspaces.may(Right.SHARE) else ""
            with st.form("keep", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
                name = st.text_input(
                    "Workspace", suggested, max_chars=models.NAME, key=f"{IN} {suggested}", width=320,
                    placeholder="Name of a workspace, new or not",
                )  # fmt: skip
                asked = st.form_submit_button("Keep this data", icon=":material/save:")
            if asked:
                _keep(name)
        if entered:
            _kept(workspaces.current())


def _said(entered: str | None, found: models.Snapshot | None) -> str:
    """Whether the data are kept, and what that means for all else."""
    if entered is None:
        return "**No.** Data, scenarios, decisions and saved forecasts stay in this session and go with it."
    others = next(said for right, said in _SAVED.items() if workspaces.may(right))
    if found is None:
        return f"**Not these.** You work in {plain(entered)}. {others} The data are gone when you close this session."
    return f"**Yes**, in {plain(entered)}, since {_when(found)}. {others}"


def _keep(name: str) -> None:
    """Keep what is shown, and work in that workspace from now on."""
    current = reading.shown()
    with st.spinner("Keeping the data"):
        target = workspaces.enter(name)
        snapshots.keep(
            target, archive.about(current.intake), lambda folder: archive.write(current.intake, current.files, folder)
        )
    own = workspaces.settings()
    if not own.model_fields_set and current.settings.model_fields_set:
        workspaces.agree(current.settings)
    elif own != current.settings:
        workspaces.say("The workspace keeps its own settings: they apply to the next files you load.")
    st.rerun()


def _kept(chosen: Workspace) -> None:
    """What is kept in a workspace: each snapshot with its size, the rest as counts."""
    rows = snapshots.listed(chosen)
    st.markdown(f"**In {plain(chosen.name)}**")
    for row in rows:
        whole = f", {plural(row.rows, 'row')}, {size(row.size)}" if workspaces.sees_all() else ""
        about = f"data to {row.newest:%d %b %Y}{whole}; kept {_when(row)}"
        with line(f"snapshot_{row.id}", f"{plain(row.name)}  \n{small(plain(about))}"):
            is_shown = chosen.scope.mark(row.fingerprint) == state.intake().dataset.fingerprint
            if st.button(
                "Open", key=f"open_{row.id}", icon=":material/folder_open:", type="tertiary", disabled=is_shown
            ):
                _open(chosen, row)
            if chosen.right >= Right.SHARE:
                _delete(
                    "Delete",
                    f"Delete {row.name}, data to {row.newest:%d %b %Y}, for everyone? It cannot be brought back.",
                    lambda row=row: snapshots.delete(chosen, row.id),
                    row.id,
                )
    counts = (
        plural(len(scenarios.listed(chosen)), "scenario"),
        plural(len(decisions.listed(chosen)), "decision"),
        plural(len(ledger.listed(chosen)), "saved forecast"),
    )
    with line("workspace_rest", small(plain(f"{'' if rows else 'No data. '}{', '.join(counts)}."))):
        if chosen.right >= Right.OWN:
            if sign_in.is_asked() and st.button("People", key="people", icon=":material/group:", type="tertiary"):
                people.manage(chosen)
            _delete(
                "Delete workspace",
                f"Delete {chosen.name} with everything in it, for everyone? It cannot be brought back.",
                lambda: _remove(chosen),
                "workspace",
            )


def _remove(chosen: Workspace) -> None:
    """Delete a workspace; the data that the session shows stay in it."""
    workspace.remove(chosen)
    workspaces.leave()


def _open(chosen: Workspace, row: models.Snapshot) -> None:
    """Show kept data on every page, and work in their workspace."""
    found, files = _read(chosen, row)
    workspaces.enter(chosen.name)
    reading.reopen(found, files)


def _read(chosen: Workspace, row: models.Snapshot) -> tuple[Intake, list[Upload]]:
    with st.spinner("Opening the data"):
        return archive.opened(chosen, row.id)


def _delete(label: str, question: str, delete: Callable[[], None], key: str) -> None:
    """Ask before something is deleted."""
    with st.popover(label, icon=":material/delete:", type="tertiary", key=f"ask {key}"):
        st.markdown(plain(question))
        if st.button("Delete for good", key=f"delete {key}", icon=":material/delete_forever:"):
            delete()
            st.rerun()


def _when(row: models.Snapshot) -> str:
    return f"{row.kept_at:%d %b %Y, %H:%M} UTC by {plain(row.kept_by)}"
