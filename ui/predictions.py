"""Forecasts as predictions: saved where they are made, and the loop they are a step of."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from kpis.answers.answer import Answer
from kpis.answers.ledger import ledger, prediction
from kpis.errors import StoreError
from kpis.store import decisions, models, scenarios
from kpis.store import ledger as kept
from kpis.store.roles import Right
from ui import levers, workspaces
from ui.cards import plain, small
from ui.columns import chance, column, money
from ui.lines import line

SAVED = "forecasts saved"

PAGES = {
    "Simulate": "pages/meeting/what_if.py",
    "Predict": "pages/meeting/pipeline.py",
    "Monitor": "pages/meeting/track_record.py",
    "Analyse": "pages/meeting/changes.py",
    "Report": "pages/meeting/report.py",
}


def columns(symbol: str) -> dict[str, Any]:
    """Columns of the predicted periods."""
    return {
        "made_on": column.DateColumn("As of"),
        "name": column.TextColumn("Assumed"),
        "period": column.TextColumn("Period"),
        "status": column.TextColumn("Status"),
        "now": money("Now", symbol, "What came where the period is over, else what is expected today"),
        "why": column.TextColumn("Which is"),
        "expected": money("Predicted", symbol),
        "p10": money("1 in 10 below", symbol),
        "p90": money("1 in 10 above", symbol),
        "difference": money("Now less predicted", symbol),
        "target": money("Target", symbol),
        "p_hit": chance("Chance", "Predicted chance to reach the target"),
        "saved_by": column.TextColumn("Saved by"),
    }


def offer(view: levers.View) -> None:
    """A button that saves the forecast on the page, or when it was saved."""
    made = prediction(view.outlook)
    workspaces.say_refused()
    with st.container(border=True), workspaces.told():
        said = _saved().get(kept.identity(made))
        if not workspaces.may(Right.SAVE):
            st.markdown(small(plain(said or workspaces.looks_only())))
            return
        asked = f"Save this forecast, and Track record holds later data against it. It is {workspaces.where()}."
        line("save_prediction", plain(said or asked)).button(
            "Save this forecast", key="predict", icon=":material/bookmark_add:", disabled=said is not None,
            on_click=_save, args=(made,),
        )  # fmt: skip


def _saved() -> dict[str, str]:
    """What is said of each saved forecast, by what it follows from.

    Read when the session enters a workspace and after it has saved or deleted one: no lever asks the store. What
    somebody else saves meanwhile is found when it is saved again, and stays as it was.
    """
    name = workspaces.entered()
    if SAVED not in st.session_state or st.session_state[SAVED][0] != name:
        st.session_state[SAVED] = name, {kept.identity(row): _said(row) for row in kept.listed(workspaces.current())}
    return st.session_state[SAVED][1]


def _said(found: models.Prediction) -> str:
    return f"This forecast was saved by {found.saved_by}, {found.saved_at:%d %b %Y %H:%M} UTC, {workspaces.where()}."


def _save(made: models.Prediction) -> None:
    """Save a prediction (a callback)."""
    st.session_state.pop(SAVED, None)
    try:
        kept.save(workspaces.current(), made)
    except StoreError as error:
        workspaces.refuse(error)


def answer(view: levers.View) -> Answer:
    """The stored predictions, judged by the data at hand with no lever moved."""
    there = workspaces.current()
    return ledger(kept.listed(there), view.baseline.outlook, len(scenarios.listed(there)), len(decisions.listed(there)))


def loop(table: pd.DataFrame) -> None:
    """The steps from what is assumed to what is decided, each with its page and where it stands."""
    for step, place in zip(table.itertuples(), st.columns(len(table)), strict=True):
        with place.container(border=True, gap=None, height="stretch", key=f"loop_{step.step.lower()}"):
            query = {"since": step.since.isoformat()} if step.since else None
            st.page_link(PAGES[step.step], label=f"{step.Index + 1}. {step.step}", query_params=query)
            icon = ":green[:material/check_circle:]" if step.done else ":material/radio_button_unchecked:"
            icon = ":orange[:material/error:]" if step.since else icon
            st.markdown(small(f"{icon} {plain(step.state)}"))


def forget(table: pd.DataFrame) -> None:
    """Delete a saved forecast, after asking which."""
    if not workspaces.may(Right.SAVE):
        return
    names = {row.id: f"{row.name}, as of {row.made_on:%d %b %Y}" for row in table.drop_duplicates("id").itertuples()}
    with st.popover("Delete a saved forecast", icon=":material/delete:", type="tertiary", key="forget"):
        number = st.selectbox("Which", names, format_func=lambda number: names[number], key="forget_which")
        st.button(
            "Delete for good", key="forget_it", icon=":material/delete_forever:", on_click=_delete, args=(number,)
        )


def _delete(number: int) -> None:
    """Delete a prediction (a callback)."""
    st.session_state.pop(SAVED, None)
    try:
        kept.delete(workspaces.current(), number)
    except StoreError as error:
        workspaces.refuse(error)
