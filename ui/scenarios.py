"""Scenarios: saved under a name, shown again on the sliders, taken away and brought back as files.

Whoever saves one says which edition was on the sliders. Where somebody else saved it meanwhile, both versions are
there and the person chooses: theirs, mine under another name, or both in one.
"""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from kpis.answers.board import Lever, to_assumptions
from kpis.assumptions import Assumptions
from kpis.errors import AssumptionError, TandemError
from kpis.scenarios import Clash, merge, read_scenario, write_scenario
from kpis.store import models, scenarios
from kpis.store.roles import Right
from kpis.store.versions import NEW, Changed
from ui import levers, workspaces
from ui.cards import plain, small
from ui.lines import line

ON_SLIDERS, CLASH = "scenario on sliders", "scenario clash"
NAME, FILE = "scenario_name", "scenario_file"
ESTIMATED, CURRENT = "As estimated", "Current levers"

Board = tuple[Lever, ...]


def saved() -> dict[str, Assumptions]:
    """The scenarios by name."""
    return {row.name: scenarios.read(row) for row in scenarios.listed(workspaces.current())}


def keep(current: Assumptions, board: Board) -> None:
    """Draw what saves the current levers, brings a file back, and acts on what is saved."""
    if workspaces.may(Right.SAVE):
        _offer(current)
    else:
        st.markdown(small(plain(workspaces.looks_only())))
    workspaces.say_refused()
    if CLASH in st.session_state:
        _ask(board)
    for number, row in enumerate(scenarios.listed(workspaces.current())):
        _row(number, row, current, board)


def _offer(current: Assumptions) -> None:
    """Draw what saves a new scenario."""
    left, right = st.columns(2)
    with left.form("save_scenario", clear_on_submit=True, border=False):
        st.text_input("Save the levers as", placeholder="Hire two sellers", max_chars=80, key=NAME)
        st.form_submit_button("Save", icon=":material/save:", on_click=_save_typed, args=(current,))
    right.file_uploader(
        "Or bring a scenario file", ("json",), key=FILE, on_change=_bring, max_upload_size=1,
        help="A file saved here, or written by hand: levers by name, such as new_opportunities: 1.3.",
    )  # fmt: skip


def chosen(there: Iterable[str]) -> list[str]:
    """Which scenarios are compared: what is estimated, the current levers, and those that are there; four at most."""
    names = [ESTIMATED, CURRENT, *there]
    picked = st.pills(
        "Compare", names, selection_mode="multi", default=names[:2], key="compared", persist_state="session",
        help="The first is what the others are compared with; four at most.",
    )  # fmt: skip
    return [name for name in names if name in picked]


def _row(number: int, row: models.Scenario, current: Assumptions, board: Board) -> None:
    """One saved scenario: what it changes, who saved it, and what can be done with it."""
    scenario = scenarios.read(row)
    edited = _is_on(row.name) and _exact(current) != _base()
    moved = [Assumptions.model_fields[field].title or field for field in scenario.changed()]
    said = small(plain(f"{', '.join(moved) or 'no lever moved'}; {_where(row)}"))
    unsaved = small(", **edited, not saved**", "orange") if edited else ""
    may_save = workspaces.may(Right.SAVE)
    with line(f"scenario_{number}", f"**{plain(row.name)}**  \n{said}{unsaved}"):
        if edited and may_save:
            st.button(
                "Save changes", key=f"scenario_save_{number}", on_click=_save, args=(row.name, current),
                icon=":material/save:", type="tertiary",
            )  # fmt: skip
        st.button(
            "Set the sliders", key=f"scenario_show_{number}", on_click=_show, args=(row, current.targets, board),
            icon=":material/tune:", type="tertiary",
        )  # fmt: skip
        st.download_button(
            "File", write_scenario(scenario), f"{row.name}.json", "application/json", key=f"scenario_get_{number}",
            on_click="ignore", icon=":material/download:", type="tertiary", help="Reproduces this scenario anywhere",
        )  # fmt: skip
        if may_save:
            st.button(
                "Remove", key=f"scenario_drop_{number}", on_click=_drop, args=(row.name,), icon=":material/delete:",
                type="tertiary",
            )  # fmt: skip


def _where(row: models.Scenario) -> str:
    if workspaces.entered() is None:
        return workspaces.where()
    return f"saved by {row.saved_by}, {row.saved_at:%d %b %Y %H:%M} UTC, version {row.version}"


def _save_typed(current: Assumptions) -> None:
    """Save the levers under the name that was typed (a callback: what is drawn above knows it at once)."""
    _save(st.session_state[NAME].strip(), current)


def _bring() -> None:
    """Save the scenario of a file under its name (a callback)."""
    file = st.session_state[FILE]
    if file is None:
        return
    try:
        scenario = read_scenario(file.getvalue(), file.name)
    except AssumptionError as error:
        workspaces.refuse(error)
        return
    name = scenario.name if "name" in scenario.model_fields_set else file.name.removesuffix(".json")
    _write(name, scenario, _seen(name))


def _save(name: str, current: Assumptions) -> None:
    """Save the levers; the sliders then show what is saved (a callback)."""
    row = _write(name, _exact(current) if _is_on(name) else current, _seen(name))
    if row is not None:
        _note(row, current)


def _write(name: str, scenario: Assumptions, seen: str) -> models.Scenario | None:
    """Save a scenario; None where it cannot be, and then the page says why and what can be done."""
    if not name or name in (ESTIMATED, CURRENT):
        workspaces.refuse(AssumptionError("A scenario needs a name of its own", way_out="Type one and save"))
        return None
    st.session_state.pop(CLASH, None)
    try:
        return scenarios.save(workspaces.current(), name, scenario, seen)
    except Changed as changed:
        base = _base() if _is_on(name) else Assumptions()
        st.session_state[CLASH] = {
            "name": name, "base": write_scenario(base), "mine": write_scenario(scenario), "said": changed.problem,
        }  # fmt: skip
    except TandemError as error:
        workspaces.refuse(error)
    return None


def _ask(board: Board) -> None:
    """Somebody else saved the scenario meanwhile: what both have, and what can be done."""
    clash = st.session_state[CLASH]
    theirs = scenarios.named(workspaces.current(), clash["name"])
    base, mine, other = (read_scenario(text) for text in (clash["base"], clash["mine"], theirs.levers))
    _, clashes = merge(base, mine, other)
    with st.container(border=True, key="scenario_clash"):
        st.markdown(f":material/warning: **{plain(clash['said'])}.** Nothing was overwritten.")
        if clashes:
            both_changed = "\n".join(f"* {_told(each, mine, other, board)}" for each in clashes)
            st.markdown(f"Both of you changed:\n{both_changed}")
        with st.container(horizontal=True):
            st.button(
                "Take theirs", key="clash_theirs", icon=":material/download:", on_click=_show,
                args=(theirs, mine.targets, board),
            )  # fmt: skip
            fork = scenarios.free_name(workspaces.current(), clash["name"])
            st.button(
                f"Keep mine as {plain(fork)}", key="clash_fork", icon=":material/call_split:", on_click=_settle,
                args=(fork, mine, NEW, board),
            )  # fmt: skip
            sides = ((", mine where both changed", True), (", theirs where both changed", False))
            for said, prefer_mine in sides if clashes else (("", True),):
                both, _ = merge(base, mine, other, prefer_mine=prefer_mine)
                st.button(
                    f"Merge{said}", key=f"clash_merge_{'mine' if prefer_mine else 'theirs'}", icon=":material/merge:",
                    on_click=_settle, args=(clash["name"], both, theirs.edition, board),
                )  # fmt: skip


def _told(clash: Clash, mine: Assumptions, theirs: Assumptions, board: Board) -> str:
    """A lever that both changed, with both values in its own unit."""
    lever = next((each for each in board if each.field == clash.field and each.part in (clash.part, clash.field)), None)
    if lever is None:
        title = Assumptions.model_fields[clash.field].title
        return plain(f"{title} {clash.part}: mine {clash.mine}, theirs {clash.theirs}")
    values = [lever.words(lever.value_in(side), "") for side in (mine, theirs)]
    return plain("{}: mine {}, theirs {}".format(lever.label, *values))


def _settle(name: str, scenario: Assumptions, seen: str, board: Board) -> None:
    """Save what was decided on and put the sliders there (a callback)."""
    row = _write(name, scenario, seen)
    if row is not None:
        _show(row, scenario.targets, board)


def _show(row: models.Scenario, targets: tuple[float | None, ...], board: Board) -> None:
    """Put the sliders where a scenario has them (a callback)."""
    scenario = scenarios.read(row)
    levers.show(board, scenario)
    values = {lever.key: st.session_state[lever.key] for lever in board}
    _note(row, to_assumptions(board, values, targets=targets, deal_size_open=scenario.deal_size_open))
    st.session_state.pop(CLASH, None)


def _note(row: models.Scenario, shown: Assumptions) -> None:
    """Remember which scenario the sliders show, in which edition, and what they make of it."""
    st.session_state[ON_SLIDERS] = {
        "name": row.name, "edition": row.edition, "base": row.levers, "shown": write_scenario(shown),
    }  # fmt: skip


def _exact(current: Assumptions) -> Assumptions:
    """The scenario on the sliders with what was moved since: a slider's step rounds what nobody touched."""
    base, shown = _base(), read_scenario(st.session_state[ON_SLIDERS]["shown"])
    return merge(shown, current.model_copy(update={"name": base.name}), base)[0]


def _base() -> Assumptions:
    """The scenario on the sliders as it was when they were set."""
    return read_scenario(st.session_state[ON_SLIDERS]["base"])


def _is_on(name: str) -> bool:
    return st.session_state.get(ON_SLIDERS, {}).get("name") == name


def _seen(name: str) -> str:
    """The edition that a save begins from: that on the sliders; alone in a session the latest, whatever it is."""
    if workspaces.entered() is None:
        return next((x.edition for x in scenarios.listed(workspaces.current()) if x.name == name), NEW)
    return st.session_state[ON_SLIDERS]["edition"] if _is_on(name) else NEW


def _drop(name: str) -> None:
    """Delete a scenario (a callback)."""
    if _is_on(name):
        del st.session_state[ON_SLIDERS]
    try:
        scenarios.delete(workspaces.current(), name)
    except TandemError as error:
        workspaces.refuse(error)
