"""Load data: what the pages are based on, and your own export in its place."""

import streamlit as st

from kpis.answers.check import check_answer
from kpis.errors import TandemError
from kpis.intake.defects import MERGED, rows_behind
from kpis.intake.rejected import rejected_rows
from ui import cards, connections, data_columns, keeping, levers, questions, reading, state, turns, upload


@turns.fragment
def page() -> None:
    """The page's body: the files, and the levers last, since they wait for a model of these data."""
    found, files = state.intake(), reading.shown().files
    answer = check_answer(found.files, found.defects, found.notes)
    tables = answer.tables
    symbol = levers.symbol(found.dataset.currency)

    st.title(":gray[What are these pages based on?]", anchor=False)
    st.header(cards.plain(f"{found.dataset.name}: {answer.sentence}"), anchor=False)
    st.markdown(cards.small(f"Newest day in the data: {found.dataset.newest:%d %b %Y}."))

    why = st.container()
    questions.ask_dates()
    left, right = st.columns(2)
    with left.container(border=True, height="stretch"):
        st.subheader("Load your own", anchor=False)
        upload.receive()
    with right.container(border=True, height="stretch"):
        st.subheader("What is enough to start", anchor=False)
        st.markdown(
            "One table of opportunities, as your CRM exports it; names of columns may differ.\n"
            "* an **id**, the day it was **created**, its **stage** or **status**, its **amount**\n"
            "* the day it **closed**, or is expected to\n\n"
            "A second dated export, or the stage history, adds stages. Leads, spend and targets add the needs. "
            "Corrections and definitions of last time apply by themselves when you load their settings file as well."
        )
        with st.container(horizontal=True):
            st.download_button(
                "Template", upload.TEMPLATE, "opportunities.csv", "text/csv", key="template", on_click="ignore",
                icon=":material/download:",
            )  # fmt: skip
            questions.offer_settings()
    connections.draw()
    keeping.panel()

    cards.numbers(answer, answer, ("files", "read", "accepted", "rejected", "merged"), found.dataset.currency)
    cards.table(
        "What was recognised?",
        tables["files"],
        "files",
        data_columns.FILES,
        says="Each file with what became of its rows",
    )
    st.page_link("pages/data/columns.py", label="What each column was taken for", icon=":material/view_column:")
    if len(tables["rejects"]):
        cards.table(
            "Which rows were rejected?",
            tables["rejects"],
            "rejects",
            data_columns.REJECTS,
            says="Each rejected row with its line and reason; the download has its content too",
            whole=lambda: rejected_rows(files, found.files, found.dataset.settings.connection),
        )
    if len(tables["defects"]):
        cards.table(
            "What is wrong with the data?",
            tables["defects"],
            "defects",
            data_columns.defects(symbol),
            says="Each defect with its rows and the money it touches",
        )
        named = [defect for defect in tables["defects"]["defect"] if defect != MERGED]
        if named:
            chosen = st.selectbox("Show the rows of", named, key="defect")
            cards.table(
                f"{chosen[:1].upper()}{chosen[1:]}",
                rows_behind(found.dataset, found.files, chosen),
                "defect_rows",
                data_columns.defect_rows(symbol),
                says="The rows behind the chosen defect",
            )
    if answer.notes:
        with st.container(border=True, key="decided"):
            st.subheader("What was decided while reading?", anchor=False)
            st.markdown("\n".join(f"* {cards.plain(note)}" for note in answer.notes))
            st.page_link("pages/data/definitions.py", label="Agree on definitions", icon=":material/handshake:")
    if len(tables["warnings"]):
        cards.table(
            "What else is there to know?",
            tables["warnings"],
            "warnings",
            data_columns.WARNINGS,
            says="Warnings and questions about each file",
        )
    st.page_link("pages/meeting/pipeline.py", label="Next: will we make this period?", icon=":material/arrow_forward:")
    forecast = levers.draw()
    reading.show_next()
    if isinstance(forecast, TandemError):
        with why:
            cards.problem(forecast)


page()
