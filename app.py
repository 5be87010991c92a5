"""Tandem: the frame around every page, and the server it runs on."""

import os
from pathlib import Path

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

# Before numpy is loaded: the matrices are small, and on a busy machine threads that wait for each other make a
# moved lever five times slower.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from ui import meeting, state
from ui.cards import plain

PICTURES = Path(__file__).parent / "ui"


def frame() -> None:
    """Set the page up, draw the navigation, run the page that was asked for."""
    with st.sidebar:
        data = st.container()
        meeting.switches()
    sidebar = "collapsed" if state.in_meeting() else meeting.SIDEBAR
    st.set_page_config("Tandem", str(PICTURES / "icon.svg"), "wide", initial_sidebar_state=sidebar)
    st.logo(str(PICTURES / "tandem.svg"), size="large", icon_image=str(PICTURES / "icon.svg"))
    sections = {
        "Meeting": [
            st.Page(
                "pages/meeting/pipeline.py",
                title="Pipeline health",
                icon=":material/vital_signs:",
                help="Will we make this period? The landing against its target, and the deals behind it.",
                default=True,
            ),
            st.Page(
                "pages/meeting/deals.py",
                title="Deals at risk",
                icon=":material/warning:",
                help="What could keep the open deals from coming through, and who can help with which.",
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
                "pages/meeting/changes.py",
                title="What changed",
                icon=":material/waterfall_chart:",
                help="What came into the pipeline and left it between two days, deal by deal, and what is pushed.",
            ),
            st.Page(
                "pages/meeting/what_if.py",
                title="What if?",
                icon=":material/tune:",
                help="Scenarios side by side, what would reach the target, and which lever matters most.",
            ),
            st.Page(
                "pages/meeting/track_record.py",
                title="Track record",
                icon=":material/fact_check:",
                help="How good has this forecast been, beside simple rules and what happened?",
            ),
            st.Page(
                "pages/meeting/report.py",
                title="Take away",
                icon=":material/download:",
                help="What to do next, and the whole pack as a web page, PDF, slides, workbook, notebook or JSON.",
            ),
        ],
        "Data": [
            st.Page(
                "pages/data/load.py",
                title="Load data",
                icon=":material/upload_file:",
                help="Load your own export, and see what was read, accepted and rejected.",
            ),
            st.Page(
                "pages/data/columns.py",
                title="Columns",
                icon=":material/view_column:",
                help="What each column of your files was taken for, to check and to correct.",
            ),
            st.Page(
                "pages/data/definitions.py",
                title="Definitions",
                icon=":material/handshake:",
                help="Stages, rules for qualified, calendar, currency: guessed or agreed, and where rules differ.",
            ),
        ],
    }
    page = st.navigation(sections, position="hidden" if state.in_meeting() else "sidebar")
    with data:
        st.page_link(
            "pages/data/load.py",
            label=plain(state.intake().dataset.name),
            icon=":material/database:",
            help="The data that every page shows. Load other data here.",
        )
    meeting.run(page, sections["Meeting"])


if __name__ == "__main__":
    frame()
else:
    # The server imports this file before its first visitor. A folder named pages/ is taken for navigation by file
    # until the first st.navigation, so the first link to a page would end at "Page not found".
    PagesManager.uses_pages_directory = False
    app = st.App(__file__)
