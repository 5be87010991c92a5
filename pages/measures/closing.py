"""How well do we turn opportunities into revenue? The page of closing."""

import streamlit as st

from ui import measures


@st.fragment
def page() -> None:
    """The page's body: nine measures of the funnel's end."""
    measures.family("How well do we turn opportunities into revenue?", "FUNNEL-3.")


page()
