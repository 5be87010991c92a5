"""Open deals on a page: the table with the explanation of one of them, and the list of who helps with which."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import streamlit as st

from kpis.answers.answer import Answer
from kpis.answers.assists import EDITABLE, agreed, assists, titles
from kpis.answers.explain import explain_deal
from kpis.answers.words import money
from kpis.forecast.risks import BLOCKERS
from ui import cards, columns, levers, state

SHOWN = 300
"""Deals in the table of a page; the download has all."""

LISTED = 20
"""Deals on the assist list of a page: what a meeting can talk about."""

EDITS = {False: "assist edits", True: "assist edits, names masked"}
"""Where edits are kept, by whether names are masked: what was typed beside names may hold one."""


def table(view: levers.View, deals: pd.DataFrame) -> None:
    """The open deals; choosing a row explains that deal below."""
    shown = deals.head(SHOWN)
    first = "" if len(deals) <= SHOWN else f" The {SHOWN} with the most expected of {len(deals):,}; the CSV has all."
    cards.table(
        "Which deals are open?", shown, "deals", columns.deals(view.symbol, view.outlook.landings),
        says="Open deals with their chance to be won in each period, the largest expected amount first", height=420,
        caption=cards.small(f"Choose a row to see what moves its chance.{first}"), whole=lambda: deals,
        on_pick=lambda ids=tuple(shown["opportunity_id"]): _pick(ids),
    )  # fmt: skip


def _pick(ids: tuple[str, ...]) -> None:
    rows = st.session_state["deals"].selection.rows
    if rows:
        st.session_state["deal"] = ids[rows[0]]


def explained(view: levers.View, deals: pd.DataFrame) -> None:
    """What moves the chance of the chosen deal."""
    with st.container(border=True, key="explained"):
        # In an order that no lever changes, so that the choice stays.
        listed = deals.head(SHOWN).sort_values(["amount", "opportunity_id"], ascending=[False, True])
        said = {
            row.opportunity_id: f"{row.name if isinstance(row.name, str) else row.opportunity_id}, "
            f"{money(row.amount, view.outlook.currency)}"
            for row in listed[["opportunity_id", "name", "amount"]].itertuples(index=False, name="Deal")
        }
        if st.session_state.get("deal") not in said:
            st.session_state["deal"] = deals["opportunity_id"].iloc[0]
        chosen = st.selectbox("What moves the chance of", list(said), key="deal", format_func=said.get)
        answer = explain_deal(view.outlook, chosen)
        st.markdown(cards.plain(answer.sentence))
        rows, config = columns.shown(answer.tables["effects"], columns.effects(view.outlook.landings))
        st.dataframe(
            rows, hide_index=True, column_config=config, key="effects",
            alt="What the deal's chance is made of, in points for each period",
        )  # fmt: skip


def assist_list(view: levers.View, proposed: Answer) -> None:
    """The list to be edited in the meeting; what is changed stays in the session."""
    edits: dict[str, dict[str, Any]] = st.session_state.setdefault(EDITS[state.names_masked()], {})
    listed = agreed(proposed, edits)
    rows = listed.head(LISTED)
    with st.container(border=True, key="assists_card"):
        cards.head("Who helps with which deal?", listed, "assists")
        part = f" The first {LISTED} of {len(listed)} by money; the CSV has all." if len(listed) > LISTED else ""
        st.markdown(cards.small(f"Blocker and asset are proposed from the flags; change them here.{part}"))
        label, assets = view.outlook.landings[0].label, titles(view.outlook.dataset)
        shown = columns.assists(view.symbol, label, BLOCKERS, assets)
        st.data_editor(
            rows, key="assists", hide_index=True, num_rows="fixed",
            column_order=list(shown), column_config=shown, on_change=_keep, args=(tuple(rows["opportunity_id"]),),
        )  # fmt: skip


def _keep(ids: tuple[str, ...]) -> None:
    """Merge what was edited, by deal: rows may change their places."""
    kept = EDITS[state.names_masked()]
    edits: dict[str, dict[str, Any]] = {deal: dict(changes) for deal, changes in st.session_state[kept].items()}
    for row, changes in st.session_state["assists"]["edited_rows"].items():
        deal = edits.setdefault(ids[int(row)], {})
        deal |= {column: value for column, value in changes.items() if column in EDITABLE}
        if isinstance(deal.get("due"), str):  # as the browser sends dates
            deal["due"] = date.fromisoformat(deal["due"][:10])
    st.session_state[kept] = edits


def proposal(view: levers.View) -> Answer:
    """The assist list as proposed; no lever changes it."""
    return view.baseline.answer(assists)
