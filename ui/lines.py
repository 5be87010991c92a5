"""A list's line: what it is about, and what can be done with it at its end."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator


def line(key: str, said: str) -> DeltaGenerator:
    """Draw a line and give the place for its buttons, which stay beside the text however long it is."""
    whole = st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", wrap=False, key=key
    )
    whole.markdown(said)
    return whole.container(horizontal=True, horizontal_alignment="right", width="content", wrap=False)
