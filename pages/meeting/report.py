"""Take away: what to do next, and the pack in every form."""

import streamlit as st

from kpis.answers.next_steps import next_steps
from kpis.answers.pipeline import in_short
from kpis.report.formats import FORMATS, Format
from kpis.report.pack import pack, unnamed
from ui import background, cards, levers, reading, state, steps, turns


@turns.fragment
def page() -> None:
    """The page's body: the levers in the sidebar, the next steps, then a button a form."""
    view = levers.view()
    found = view.outlook
    with st.spinner("Weighing what could be done"):
        answer, _ = view.answers(next_steps)
    cards.headline(answer, None, (), found.currency, in_short(found))
    steps.draw(answer, found.say)
    with st.container(border=True, key="likely_card"):
        cards.head("What will likely happen next", answer.tables["likely"], "likely")
        st.markdown("\n".join(f"* {cards.plain(what)}" for what in answer.tables["likely"]["what"]))
    take(view)
    cards.notes(answer)


def take(view: levers.View) -> None:
    """A button a form; the file is made when it is asked for."""
    found, intake = view.outlook, state.intake()
    names, kept = reading.names(), reading.kept()
    intake = unnamed(intake) if state.names_masked() else intake
    job = background.track_record(found.dataset, found.model.calendar)

    def made(form: Format) -> bytes:
        return form(pack(intake, found, job.future.result(), kept() or names))

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
