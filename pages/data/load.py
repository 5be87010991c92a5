"""Load data: what the pages are based on, and your own export in its place."""

import streamlit as st

from kpis.answers.check import check_answer
from kpis.errors import TandemError
from ui import cards, columns, levers, state, upload


@st.fragment
def page() -> None:
    """The page's body: the files, and the levers last, since they wait for a model of these data."""
    found = state.intake()
    answer = check_answer(found.files, found.defects, found.notes)
    tables = answer.tables
    symbol = levers.symbol(found.dataset.currency)

    st.title(":gray[What are these pages based on?]", anchor=False)
    st.header(cards.plain(f"{found.dataset.name}: {answer.sentence}"), anchor=False)
    newest = f"Newest day in the data: {found.dataset.newest:%d %b %Y}."
    st.markdown(cards.small(f"{newest} Data you load stay in this session and are gone when you close it."))

    why = st.container()
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
            "A second dated export, or the stage history, adds stages. Leads, spend and targets add the needs."
        )
        st.download_button(
            "Template", upload.TEMPLATE, "opportunities.csv", "text/csv", key="template", on_click="ignore",
            icon=":material/download:",
        )  # fmt: skip

    cards.numbers(answer, answer, ("files", "read", "accepted", "rejected", "merged"), found.dataset.currency)
    cards.table(
        "What was recognised?", tables["files"], "files", columns.FILES, says="Each file with what became of its rows"
    )
    for title, key, shown in columns.about_files(symbol):
        if len(tables[key]):
            cards.table(title, tables[key], key, shown, says=title)
    cards.notes(answer)
    st.page_link("pages/meeting/pipeline.py", label="Next: will we make this period?", icon=":material/arrow_forward:")
    forecast = levers.draw()
    upload.show_next()
    if isinstance(forecast, TandemError):
        with why:
            cards.problem(forecast)


page()
