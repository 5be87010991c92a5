"""Are we finding enough of the right prospects? The page of lead generation."""

import streamlit as st

from ui import measures


@st.fragment
def page() -> None:
    """The page's body: five measures of the funnel's top."""
    measures.family("Are we finding enough of the right prospects?", "FUNNEL-1.")


page()
