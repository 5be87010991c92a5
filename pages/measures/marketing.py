"""What do the marketing manager's measures say? The page of fifteen."""

import streamlit as st

from ui import experiments, marketing, measures


@st.fragment
def page() -> None:
    """The page's body: fifteen measures for marketing managers, attribution, spend, tests and content."""
    also = {
        "Attribution": marketing.credit,
        "Spend": marketing.spend,
        "A/B tests": experiments.tests,
        "Content": marketing.content,
    }
    measures.family("What do the marketing manager's measures say?", "MKTG-", also)


page()
