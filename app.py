"""Tandem: the frame around every page."""

import os
from pathlib import Path

import streamlit as st

# Before numpy is loaded: the matrices are small, and on a busy machine threads that wait for each other make a
# moved lever five times slower.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from ui import state
from ui.cards import plain

pictures = Path(__file__).parent / "ui"
st.set_page_config("Tandem", str(pictures / "icon.svg"), "wide", initial_sidebar_state=330)
st.logo(str(pictures / "tandem.svg"), size="large", icon_image=str(pictures / "icon.svg"))

page = st.navigation(
    {
        "Meeting": [
            st.Page(
                "pages/meeting/pipeline.py",
                title="Pipeline health",
                icon=":material/vital_signs:",
                help="Will we make this period? The landing against its target, and the deals behind it.",
                default=True,
            ),
            st.Page(
                "pages/meeting/coverage.py",
                title="Next two periods",
                icon=":material/stacked_bar_chart:",
                help="Is there enough qualified pipeline for the next two periods, and what is missing?",
            ),
            st.Page(
                "pages/meeting/creation.py",
                title="New opportunities",
                icon=":material/add_chart:",
                help="Are we creating enough new opportunities, against past periods and against the need?",
            ),
            st.Page(
                "pages/meeting/track_record.py",
                title="Track record",
                icon=":material/fact_check:",
                help="How good has this forecast been, beside simple rules and what happened?",
            ),
        ],
        "Data": [
            st.Page(
                "pages/data/load.py",
                title="Load data",
                icon=":material/upload_file:",
                help="Load your own export, and see what was read, accepted and rejected.",
            ),
        ],
    }
)
with st.sidebar:
    st.page_link(
        "pages/data/load.py",
        label=plain(state.intake().dataset.name),
        icon=":material/database:",
        help="The data that every page shows. Load other data here.",
    )
page.run()
