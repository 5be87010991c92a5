"""What do the sales manager's measures say? The page of fifteen."""

import streamlit as st

from ui import measures


@st.fragment
def page() -> None:
    """The page's body: fifteen measures for sales managers."""
    measures.family("What do the sales manager's measures say?", "SALES-")


page()
