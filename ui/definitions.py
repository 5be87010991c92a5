"""The definitions in short and as a form, and the agreement on them."""

from __future__ import annotations

import calendar
from typing import Any

import pandas as pd
import streamlit as st

from kpis.answers.definitions import agreed_on, stage_entries
from kpis.answers.outlook import Outlook
from kpis.answers.reconcile import DEPARTMENTS, LEAD_DAYS, NAMES, Department, rule_of, shared_definition
from kpis.errors import TandemError
from kpis.intake import Intake
from ui import cards, data_columns, questions, reading
from ui.levers import GRAINS

MONTHS = tuple(calendar.month_name)[1:]


def in_short(found: Outlook) -> None:
    """What counts as new and as qualified, who agreed on it, and the count under both rules, with the way to more."""
    said = shared_definition(found)
    rules = "\n".join(f"* {cards.small(cards.plain(note))}" for note in said.notes)
    cards.table(
        said.question, said.tables["counts"], "counts", data_columns.COUNTS,
        says="Qualified opportunities and leads by period, under the rule of Sales and that of Marketing",
        caption=f"{cards.plain(said.sentence)}\n{rules}",
    )  # fmt: skip
    st.page_link("pages/data/definitions.py", label="Change these rules, or agree on them", icon=":material/handshake:")


def edit(found: Intake, stages: pd.DataFrame) -> None:
    """Every definition to edit; what is applied holds for all pages of the session.

    Parameters
    ----------
    stages
        The table of stages of the definitions' answer.
    """
    with st.form("definitions", enter_to_submit=False):
        st.subheader("Stages, in the order of the process", anchor=False)
        rows = stages
        if len(stages):
            # Without a key a widget is a new one when its default changes: other data bring their own.
            rows = st.data_editor(
                stages, hide_index=True, column_order=list(data_columns.STAGES), column_config=data_columns.STAGES
            )
        else:
            st.markdown("The data name no stages: every deal is in one, and qualifies when it is created.")
        st.subheader("Who counts what as qualified?", anchor=False)
        rules = {department: _rule(found, department, stages) for department in DEPARTMENTS}
        st.subheader("Calendar, currency, confidence", anchor=False)
        changes = agreed_on(found) | _others(found)
        changes["definitions"] = {**changes["definitions"], **rules}
        if st.form_submit_button("Apply", icon=":material/check:", key="apply"):
            _apply({**changes, "stages": stage_entries(rows.to_dict("records"))})


def _rule(found: Intake, department: Department, stages: pd.DataFrame) -> dict[str, Any]:
    """What one department counts, as it stands and as it is changed."""
    rule, name = rule_of(found.dataset, department), NAMES[department]
    chosen = st.pills(
        f"{name} counts an opportunity once it enters", stages["stage"], selection_mode="multi", default=rule.stages
    )
    days = list(LEAD_DAYS)
    left, right = st.columns(2)
    lead = left.selectbox(
        f"{name} counts a lead once it", days, days.index(str(rule.lead)), format_func=LEAD_DAYS.__getitem__
    )
    score = right.number_input(f"{name}: least score", value=rule.score_from, placeholder="any", step=1.0)
    return {"stages": chosen, "lead": lead, "score_from": score}


def _others(found: Intake) -> dict[str, Any]:
    """Calendar, currency and confidence, as they stand and as they are changed."""
    settings, places = found.dataset.settings, st.columns(4)
    grain = places[0].selectbox("Period", GRAINS, GRAINS.index(settings.grain), format_func=str.capitalize)
    month = places[1].selectbox("Fiscal year from", MONTHS, settings.fiscal_start - 1)
    currency = places[2].text_input(
        "Currency", found.dataset.currency, max_chars=3, help="What money is reported in; another than that of the "
        "data needs a table of rates.",
    )  # fmt: skip
    confidence = places[3].slider(
        "Confidence", 51, 99, round(100 * settings.confidence), format="%d %%",
        help="How sure 'enough pipeline' means.",
    )  # fmt: skip
    return {
        "grain": grain,
        "fiscal_start": MONTHS.index(month) + 1,
        "currency": currency.strip().upper() or None,
        "confidence": confidence / 100,
    }


def agree(found: Intake) -> None:
    """Who agrees on the definitions as they are applied, and when; what was guessed is fixed with it."""
    with st.form("agreement", enter_to_submit=False):
        st.subheader("Who agrees on these definitions?", anchor=False)
        left, right = st.columns([3, 1])
        by = left.text_input("Names", placeholder="VP Sales, VP Marketing")
        on = right.date_input("On", "today", format="YYYY-MM-DD")
        if st.form_submit_button("Agree on what is applied", icon=":material/handshake:", key="agree"):
            if by.strip():
                _apply({**agreed_on(found), "agreed": {"by": by.strip(), "on": on}})
            else:
                cards.problem(TandemError("Nobody is named", way_out="Write who agrees"))
    questions.offer_settings()


def _apply(changes: dict[str, Any]) -> None:
    """Read the data again under changed settings, or say what is wrong with them."""
    current = reading.shown()
    try:
        settings = current.settings.revised(**changes)
    except TandemError as error:
        cards.problem(error)
    else:
        reading.again(current, settings)
