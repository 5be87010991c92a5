"""What to do next in two columns, Sales and Marketing, each step with its worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from kpis.answers.answer import Answer
from kpis.answers.next_steps import MARKETING, SALES, next_steps
from ui import cards, levers

MOVED = "steps_moved"


def weighed(view: levers.View) -> None:
    """The steps as estimated; under moved levers when that is asked for.

    Every lever is weighed from where it stands, a dozen forecasts in all: a moved slider does not wait for them.
    """
    st.subheader("What can each team do?", anchor=False)
    asked = bool(view.moved) and st.toggle(
        "With the moved levers (off: as estimated)", key=MOVED, persist_state="session",
        help="On: each step is weighed anew whenever a lever moves, which takes a moment.",
    )  # fmt: skip
    with st.spinner("Weighing what could be done"):
        answer = view.answers(next_steps)[0] if asked else view.baseline.answer(next_steps)
    draw(answer, view.outlook.say)


def draw(answer: Answer, say: Callable[[float], str]) -> None:
    """The steps of each team, those worth most first.

    Parameters
    ----------
    say
        Writes an amount of money.
    """
    steps = answer.tables["steps"]
    for team, place in zip((SALES, MARKETING), st.columns(2), strict=True):
        key = f"steps_{team.lower()}"
        with place.container(border=True, height="stretch", key=f"{key}_card"):
            own = steps[steps["team"] == team]
            cards.head(team, own, key)
            st.markdown("\n".join(_item(x, say) for x in own.itertuples()) or cards.small("Nothing is missing."))


def _item(row: Any, say: Callable[[float], str]) -> str:
    """A step as an item of a list: what to do, what it adds, and why."""
    worth = row.reason if pd.isna(row.effect) else f"adds {say(row.effect)} in {row.period}"
    return f"* {cards.plain(row.step)}: **{cards.plain(worth)}**  \n  {cards.small(cards.plain(row.why))}"
