"""Are we creating enough? The page of new opportunities."""

import streamlit as st

from kpis.answers.close_months import close_months
from kpis.answers.creation import new_opportunities
from kpis.answers.pipeline import in_short
from kpis.charts.creation import months, pace, spread
from ui import cards, columns, definitions, levers, turns


@turns.fragment
def page() -> None:
    """The page's body: the levers in the sidebar, then the answer."""
    view = levers.view()
    answer, before = view.answers(new_opportunities)
    tables, currency = answer.tables, view.outlook.currency

    cards.headline(answer, before, view.moved, currency, in_short(view.outlook))
    shown = ("created", "pace", "expected_created", "required_created", "per_working_day")
    cards.numbers(answer, before, shown, currency)
    definitions.in_short(view.outlook)

    left, right = st.columns(2)
    with left:
        cards.chart(
            "How many each month?", months(tables["months"]), tables["months"], "months",
            says="Opportunities created per month, those expected in the months to come, and what each period needs",
            caption=":blue[**Created**] and :violet[**not yet created**]; lines: needed a month, and for which period.",
        )  # fmt: skip
    with right:
        cards.chart(
            "Are we on pace?", pace(tables["pace"]), tables["pace"], "pace",
            says="Opportunities created by working day of the period, past periods, and the way to what is needed",
            caption="Band: range of past periods, dashes: mean, dots: the way to what is needed.",
        )  # fmt: skip
    closing = close_months(view.outlook)
    st.subheader(closing.question, anchor=False)
    st.markdown(cards.plain(closing.sentence))
    maps = {"spread_first": "By the close first set", "spread": "By the close set now"}
    for (key, title), place in zip(maps.items(), st.columns(2), strict=True):
        with place:
            if tables[key].empty:
                cards.missing(title, closing.numbers["close_later"].reason)
            else:
                cards.chart(
                    title, spread(tables[key]), tables[key], key,
                    says="Opportunities by month of creation and months until their expected close",
                )  # fmt: skip
    cards.table(
        "Where do they come from?", tables["sources"], "sources", columns.sources(),
        says="Opportunities created by source",
    )  # fmt: skip
    cards.notes(answer)
    st.page_link("pages/meeting/changes.py", label="Next: what changed?", icon=":material/arrow_forward:")


page()
