"""Scenarios of the session: saved under a name, shown again on the sliders, taken away and brought back as files."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from kpis.answers.board import Lever
from kpis.assumptions import Assumptions
from kpis.errors import AssumptionError
from kpis.scenarios import read_scenario, write_scenario
from ui import levers
from ui.cards import plain, problem, small

SAVED, REFUSED, NAME, FILE = "scenarios", "scenario refused", "scenario_name", "scenario_file"
ESTIMATED, CURRENT = "As estimated", "Current levers"


def saved() -> dict[str, Assumptions]:
    """The session's scenarios by name; kept as text, since classes lose their identity when code is reloaded."""
    texts: dict[str, str] = st.session_state.setdefault(SAVED, {})
    return {name: read_scenario(text, name) for name, text in texts.items()}


def keep(current: Assumptions, board: tuple[Lever, ...]) -> None:
    """Draw what saves the current levers, brings a file back, and acts on what is saved."""
    left, right = st.columns(2)
    with left.form("save_scenario", clear_on_submit=True, border=False):
        st.text_input("Save the levers as", placeholder="Hire two sellers", max_chars=80, key=NAME)
        st.form_submit_button("Save", icon=":material/save:", on_click=_save_typed, args=(current,))
    right.file_uploader(
        "Or bring a scenario file", ("json",), key=FILE, on_change=_bring, max_upload_size=1,
        help="A file saved here, or written by hand: levers by name, such as new_opportunities: 1.3.",
    )  # fmt: skip
    if REFUSED in st.session_state:
        problem(AssumptionError(**st.session_state.pop(REFUSED)))
    for number, (name, scenario) in enumerate(saved().items()):
        _row(number, name, scenario, board)


def chosen() -> list[str]:
    """Which scenarios are compared: what is estimated, the current levers, and saved ones; four at most."""
    names = [ESTIMATED, CURRENT, *saved()]
    picked = st.pills(
        "Compare", names, selection_mode="multi", default=names[:2], key="compared", persist_state="session",
        help="The first is what the others are compared with; four at most.",
    )  # fmt: skip
    return [name for name in names if name in picked]


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
        _refuse(error)
        return
    _save(scenario.name if "name" in scenario.model_fields_set else file.name.removesuffix(".json"), scenario)


def _save(name: str, scenario: Assumptions) -> None:
    if not name or name in (ESTIMATED, CURRENT):
        _refuse(AssumptionError("A scenario needs a name of its own", way_out="Type one and save"))
        return
    texts = st.session_state[SAVED]
    st.session_state[SAVED] = {**texts, name: write_scenario(scenario.model_copy(update={"name": name}))}


def _refuse(error: AssumptionError) -> None:
    st.session_state[REFUSED] = {"problem": error.problem, "place": error.place, "way_out": error.way_out}


def _row(number: int, name: str, scenario: Assumptions, board: Iterable[Lever]) -> None:
    """One saved scenario: what it changes, and what can be done with it."""
    with st.container(horizontal=True, vertical_alignment="center", key=f"scenario_{number}"):
        levers_moved = [Assumptions.model_fields[field].title or field for field in scenario.changed()]
        st.markdown(f"**{plain(name)}**  \n{small(plain(', '.join(levers_moved) or 'no lever moved'))}")
        st.button(
            "Set the sliders", key=f"scenario_show_{number}", on_click=levers.show, args=(tuple(board), scenario),
            icon=":material/tune:", type="tertiary",
        )  # fmt: skip
        st.download_button(
            "File", write_scenario(scenario), f"{name}.json", "application/json", key=f"scenario_get_{number}",
            on_click="ignore", icon=":material/download:", type="tertiary", help="Reproduces this scenario anywhere",
        )  # fmt: skip
        st.button(
            "Remove", key=f"scenario_drop_{number}", on_click=st.session_state[SAVED].pop, args=(name,),
            icon=":material/delete:", type="tertiary",
        )  # fmt: skip
