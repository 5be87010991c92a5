"""Do sales and marketing pull in one direction? The page of the six measures of both."""

import streamlit as st

from ui import measures, turns


@turns.fragment
def page() -> None:
    """The page's body: the six measures that both teams answer for, and where their counts differ."""
    measures.family("Do sales and marketing pull in one direction?", "SIX-")
    st.page_link(
        "pages/data/definitions.py",
        label="Where do Sales and Marketing count differently?",
        icon=":material/handshake:",
    )


page()
