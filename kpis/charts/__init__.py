"""Tidy tables become charts, shared by pages and reports: a function a chart, no Streamlit, no computing."""
