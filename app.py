"""Tandem: the frame around every page, and the server it runs on."""

import os
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage
from streamlit.runtime.pages_manager import PagesManager

# Before numpy is loaded: the matrices are small, and on a busy machine threads that wait for each other make a
# moved lever five times slower.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from kpis import memory
from ui import failures, keeping, meeting, questions, sign_in, state
from ui.cards import plain, small

PICTURES = Path(__file__).parent / "ui"


FOLDED = ("Measures",)
"""Sections of many pages, folded unless one of them is shown: the levers stand below."""


def links(section: str, pages: list[StreamlitPage], current: StreamlitPage) -> None:
    """The pages of a section, with the current one marked."""
    if section in FOLDED:
        place = st.expander(section, expanded=current in pages).container(gap="xsmall")
    else:
        place = st.container(gap="xsmall")
        place.markdown(small(section))
    for page in pages:
        place.page_link(page, width="stretch")


def frame() -> None:
    """Set the page up, draw the navigation, run the page that was asked for."""
    sidebar = "collapsed" if state.in_meeting() else 330
    st.set_page_config("Tandem", str(PICTURES / "icon.svg"), "wide", initial_sidebar_state=sidebar)
    st.logo(str(PICTURES / "tandem.svg"), size="large", icon_image=str(PICTURES / "icon.svg"))
    if sign_in.person() is None:
        sign_in.ask()
        return
    with st.sidebar:
        # Streamlit's own menu is a list whose items are wrapped in sections, which a screen reader does not find.
        menu = st.container(gap="xsmall", key="navigation")
        meeting.switches()
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
        "Measures": [
            st.Page(
                "pages/measures/lead_generation.py",
                title="Lead generation",
                icon=":material/person_search:",
                help="Are we finding enough of the right prospects? Five measures of the funnel's top.",
            ),
            st.Page(
                "pages/measures/lead_management.py",
                title="Lead management",
                icon=":material/filter_alt:",
                help="What becomes of the leads we have: seven measures, who leaks, what the score is worth.",
            ),
            st.Page(
                "pages/measures/closing.py",
                title="Closing",
                icon=":material/handshake:",
                help="How well do we turn opportunities into revenue? Nine measures of the funnel's end.",
            ),
            st.Page(
                "pages/measures/retention.py",
                title="Retention",
                icon=":material/loyalty:",
                help="Do customers stay, what are they worth, and how much hangs on few of them?",
            ),
            st.Page(
                "pages/measures/alignment.py",
                title="Alignment",
                icon=":material/join_inner:",
                help="The six measures that sales and marketing both answer for.",
            ),
            st.Page(
                "pages/measures/sales.py",
                title="Sales managers",
                icon=":material/storefront:",
                help="Fifteen measures for sales managers, each with its usual range and its rows.",
            ),
            st.Page(
                "pages/measures/marketing.py",
                title="Marketing managers",
                icon=":material/campaign:",
                help="Fifteen measures for marketing managers, attribution, spend, tests and content.",
            ),
            st.Page(
                "pages/measures/scorecard.py",
                title="Scorecard",
                icon=":material/scoreboard:",
                help="Eight measures of investment beside dated benchmarks, and your own questionnaires.",
            ),
            st.Page(
                "pages/measures/catalogue.py",
                title="Catalogue",
                icon=":material/menu_book:",
                help="All 72 KPIs: definition, formula, what each needs, and whether this data has it.",
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
    page = st.navigation(sections, position="hidden")
    with menu:
        for section, pages in sections.items():
            links(section, pages, page)
        st.divider()
        data = st.container()
        keeping.choose()
        data.page_link(
            "pages/data/load.py",
            label=plain(state.intake().dataset.name),
            icon=":material/database:",
            help="The data that every page shows. Load other data here.",
        )
        if page not in sections["Data"] or state.names_masked():
            questions.beside()
        sign_in.account()
    keeping.say_part()
    meeting.run(page, agenda=sections["Meeting"], files=sections["Data"])


if __name__ == "__main__":
    frame()
else:
    # The server imports this file before its first visitor. A folder named pages/ is taken for navigation by file
    # until the first st.navigation, so the first link to a page would end at "Page not found".
    PagesManager.uses_pages_directory = False
    failures.watch()
    memory.share()
    app = st.App(__file__, on_script_error=failures.say)
