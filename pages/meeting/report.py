"""Take away: what to do next, and the pack in every form."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from kpis.answers.next_steps import MARKETING, SALES, next_steps
from kpis.answers.pipeline import in_short
from kpis.report.formats import FORMATS, Format
from kpis.report.pack import pack, unnamed
from ui import background, cards, levers, reading, state


@st.fragment
def page() -> None:
    """The page's body: the levers in the sidebar, the next steps, then a button a form."""
    view = levers.view()
    found = view.outlook
    with st.spinner("Weighing what could be done"):
        answer, _ = view.answers(next_steps)
    cards.headline(answer, None, (), found.currency, in_short(found))
    steps = answer.tables["steps"]
    for team, place in zip((SALES, MARKETING), st.columns(2), strict=True):
        with place.container(border=True, height="stretch", key=f"steps_{team.lower()}_card"):
            own = steps[steps["team"] == team]
            cards.head(team, own, f"steps_{team.lower()}")
            st.markdown("\n".join(step(x, found.say) for x in own.itertuples()) or cards.small("Nothing is missing."))
    with st.container(border=True, key="likely_card"):
        cards.head("What will likely happen next", answer.tables["likely"], "likely")
        st.markdown("\n".join(f"* {cards.plain(what)}" for what in answer.tables["likely"]["what"]))
    take(view)
    cards.notes(answer)


def step(row: Any, say: Callable[[float], str]) -> str:
    """A step as an item of a list: what to do, what it adds, and why."""
    worth = row.reason if pd.isna(row.effect) else f"adds {say(row.effect)} in {row.period}"
    return f"* {cards.plain(row.step)}: **{cards.plain(worth)}**  \n  {cards.small(cards.plain(row.why))}"


def take(view: levers.View) -> None:
    """A button a form; the file is made when it is asked for."""
    found, intake, data = view.outlook, state.intake(), reading.names()
    intake = unnamed(intake) if state.names_masked() else intake
    job = background.track_record(found.dataset, found.model.calendar)

    def made(form: Format) -> bytes:
        return form(pack(intake, found, job.future.result(), data))

    with st.container(border=True, key="take"):
        st.subheader("The whole pack", anchor=False)
        moved = f"with {len(view.moved)} levers moved" if view.moved else "as estimated"
        said = f"Every question with its charts, definitions, assumptions and rows, {moved}. Making one takes seconds."
        st.markdown(cards.small(cards.plain(said)))
        for (ending, form), place in zip(FORMATS.items(), 2 * st.columns(3), strict=True):
            with place:
                st.download_button(
                    form.name, lambda form=form: made(form), f"tandem-{found.dataset.as_of}{ending}", form.mime,
                    key=f"take_{ending[1:]}", on_click="ignore", icon=":material/download:", width="stretch",
                )  # fmt: skip
                st.markdown(cards.small(cards.plain(form.about)))


page()
