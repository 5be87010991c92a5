"""Are we creating enough? The page of new opportunities."""

import streamlit as st

from kpis.answers.creation import new_opportunities
from kpis.answers.pipeline import in_short
from kpis.charts.creation import months, pace, spread
from ui import cards, columns, levers


@st.fragment
def page() -> None:
    """The page's body: the levers in the sidebar, then the answer."""
    view = levers.view()
    answer, before = view.answers(new_opportunities)
    tables, currency = answer.tables, view.outlook.currency

    cards.headline(answer, before, view.moved, currency, in_short(view.outlook))
    cards.numbers(answer, before, ("created", "pace", "expected_created", "required_created"), currency)

    left, right = st.columns(2)
    with left:
        cards.chart(
            "How many each month?", months(tables["months"]), tables["months"], "months",
            says="Opportunities created per month, and those expected in the months to come",
            caption=":blue[**Created**] and :violet[**not yet created**].",
        )  # fmt: skip
    with right:
        cards.chart(
            "Are we on pace?", pace(tables["pace"]), tables["pace"], "pace",
            says="Opportunities created by day of the period, against the range and the mean of past periods",
            caption="Band: range of past periods, dashes: mean.",
        )  # fmt: skip
    left, right = st.columns(2)
    with left:
        title = "When will they close?"
        if tables["spread"].empty:
            cards.missing(title, "the expected close of open deals is not known at this day")
        else:
            cards.chart(
                title, spread(tables["spread"]), tables["spread"], "spread",
                says="Opportunities by month of creation and months until their expected close",
                caption="By month of creation, close as set now.",
            )  # fmt: skip
    with right:
        cards.table(
            "Where do they come from?",
            tables["sources"],
            "sources",
            columns.sources(),
            says="Opportunities created by source",
        )
    cards.notes(answer)
    st.page_link("pages/meeting/changes.py", label="Next: what changed?", icon=":material/arrow_forward:")


page()
