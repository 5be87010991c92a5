"""Columns: what each column of the files was taken for, and the corrections of a person who knows better."""

import streamlit as st

from kpis.answers.mapping import mapping_answer
from ui import cards, corrections, levers, questions, reading, turns


@turns.fragment
def page() -> None:
    """The page's body: one file at a time as an editable table, and what the last correction changed."""
    current = reading.now()
    answer = mapping_answer(current.reports)
    files = answer.tables["files"]

    st.title(f":gray[{answer.question}]", anchor=False)
    st.header(cards.plain(answer.sentence), anchor=False)
    st.markdown(
        cards.small(
            "Where a field is mistaken, choose another: your files are read again with it. The settings file does the "
            "same next time, also for a file of another name with the same columns."
        )
    )
    questions.tell()
    questions.ask_dates()
    if len(files):
        corrections.edit(current, files)
    corrections.changes(current)
    st.page_link("pages/data/definitions.py", label="Next: what do our words mean?", icon=":material/arrow_forward:")
    levers.draw()
    reading.show_next()


page()
