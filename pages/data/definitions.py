"""Definitions: what the words mean, who agreed on it, and where Sales and Marketing count differently."""

import streamlit as st

from kpis.answers.definitions import definitions_answer
from kpis.answers.reconcile import reconciler
from ui import cards, data_columns, definitions, levers, questions, reading, state, turns


@turns.fragment
def page() -> None:
    """The page's body: the definitions, then one count under two rules, as of the day in the sidebar."""
    found = state.intake()
    answer = definitions_answer(found)
    currency = found.dataset.currency

    st.title(f":gray[{answer.question}]", anchor=False)
    st.header(cards.plain(answer.sentence), anchor=False)
    st.markdown(cards.small("What you apply here holds for every page of this session, and in the settings file."))
    questions.tell()
    definitions.edit(found, answer.tables["stages"])
    cards.table(
        "What does each rest on?",
        answer.tables["definitions"],
        "definitions_table",
        data_columns.DEFINITIONS,
        says="Each definition with its value and what it rests on",
    )
    definitions.agree(found)

    levers.draw()
    reading.show_next()
    count = reconciler(*levers.asked())
    st.title(f":gray[{count.question}]", anchor=False)
    st.header(cards.plain(count.sentence), anchor=False)
    st.markdown("\n".join(f"* {cards.plain(note)}" for note in count.notes))
    cards.numbers(count, count, count.numbers, currency)
    cards.table(
        "The same count under two rules",
        count.tables["counts"],
        "counts",
        data_columns.COUNTS,
        says="Qualified opportunities and leads by period, under each rule",
    )
    if len(count.tables["differences"]):
        cards.table(
            "Which records differ, and why?",
            count.tables["differences"],
            "differences",
            data_columns.differences(levers.symbol(currency)),
            says="Each record that the rules do not count in the same period, with the reason",
        )
    cards.notes(answer)


page()
