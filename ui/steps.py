"""What to do next in two columns, Sales and Marketing, each step with its worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from kpis.answers.answer import Answer
from kpis.answers.next_steps import MARKETING, SALES
from ui import cards


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
