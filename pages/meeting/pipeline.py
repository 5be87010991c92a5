"""Will we make this period? The page of pipeline health."""

import streamlit as st

from kpis.answers.pipeline import in_short, pipeline_health
from kpis.charts.chance import chance
from kpis.charts.landing import landing
from kpis.charts.pipeline import composition
from ui import cards, columns, levers


@st.fragment
def page() -> None:
    """The page's body: the levers in the sidebar, then the answer."""
    view = levers.view()
    answer, before = view.answers(pipeline_health)
    current, tables, symbol = view.outlook.landings[0], answer.tables, view.symbol

    cards.headline(answer, before, view.moved, view.outlook.currency, in_short(view.outlook))
    cards.numbers(answer, before, ("p_hit", "expected", "coverage", "gap"), view.outlook.currency)

    left, right = st.columns(2)
    with left:
        parts = tables["parts"].query("period == @current.label")
        cards.chart(
            "Where will we land?", landing(parts, symbol), parts, "landing",
            says="Won so far, from open deals and not yet created: the expected landing, with target and range",
            caption="Line across the bar: 8 of 10 landings fall in it.",
        )  # fmt: skip
    with right:
        cards.chart(
            "How likely is each amount?", chance(tables["distribution"], current.target, current.p_hit, symbol),
            tables["distribution"], "chance", says="Chance to reach at least each amount, falling from left to right",
            caption="The curve: chance to land there or above.",
        )  # fmt: skip
    left, right = st.columns(2)
    reading = "In full colour: expected to be won this period."
    with left:
        cards.chart(
            "Open deals: which stage?", composition(tables["stages"], "stage", symbol, view.outlook.model.stages),
            tables["stages"], "stages", says="Amount of open deals by stage", caption=reading,
        )  # fmt: skip
    with right:
        cards.chart(
            "Open deals: how old?", composition(tables["ages"], "age_band", symbol), tables["ages"], "ages",
            says="Amount of open deals by age since creation", caption=reading,
        )  # fmt: skip
    cards.table(
        "Which deals does it depend on?", tables["deals"], "deals", columns.deals(symbol, view.outlook.landings),
        says="Open deals with their chance to be won in each period, the largest expected amount first", height=420,
    )  # fmt: skip
    cards.notes(answer)
    st.page_link(
        "pages/meeting/coverage.py",
        label="Next: is there enough for the next two periods?",
        icon=":material/arrow_forward:",
    )


page()
