"""The catalogue: the 72 KPIs, what each needs, and where it is shown."""

import streamlit as st

from kpis.answers.catalogue import catalogue_answer, matching
from ui import cards, catalogue, past, turns


@turns.fragment
def page() -> None:
    """The page's body: a search over names, definitions and formulas, and a table for each list of KPIs."""
    look = past.look_back()
    with st.spinner("Looking which of the 72 this data supports"):
        answer = look.answer(catalogue_answer)
    cards.headline(answer, None, (), look.currency, "Choose a row to read its definition and to open it.")
    words = st.text_input(
        "Search", key="search", bind="query-params", placeholder="Name, definition or formula, such as win rate",
        icon=":material/search:", type="search",
    )  # fmt: skip
    found = matching(answer.tables["catalogue"], words or "")
    if found.empty:
        cards.missing("Nothing found", "no KPI holds all of these words")
    for article, entries in found.groupby("article", sort=False):
        catalogue.table(article, entries.reset_index(drop=True))


page()
