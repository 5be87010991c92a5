"""Will we make this period? The page of pipeline health."""

import streamlit as st

from kpis.answers.dependence import dependence
from kpis.answers.pipeline import COMPOSITIONS, in_short, pipeline_health
from kpis.charts.chance import chance
from kpis.charts.landing import landing
from kpis.charts.pipeline import composition
from ui import cards, columns, deals, levers, meeting, predictions, turns

READINGS = {"stage": "which stage?", "age": "how old?", "pushes": "how often pushed?", "segment": "which segment?"}


@turns.fragment
def page() -> None:
    """The page's body: the levers in the sidebar, then the answer."""
    view = levers.view()
    answer, before = view.answers(pipeline_health)
    depends, _ = view.answers(dependence)
    current, tables, symbol = view.outlook.landings[0], answer.tables, view.symbol

    meeting.since_last(view)
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
    left, right = st.columns([5, 6])
    with left:
        by = st.segmented_control(
            "Open deals by", list(COMPOSITIONS), default="stage", required=True, key="composition_by",
            format_func=str.capitalize, persist_state="session",
        )  # fmt: skip
        cards.chart(
            f"Open deals: {READINGS[by]}", composition(tables[by], COMPOSITIONS[by], symbol), tables[by], "composition",
            says=f"Amount of open deals by {by}", caption="In full colour: expected to be won this period.",
        )  # fmt: skip
    with right:
        cards.table(
            depends.question, depends.tables["depends_on"], "depends_on", columns.depends_on(symbol, current.label),
            says="The deals whose results decide, with the chance to reach the target if each is won or lost",
            caption=cards.plain(depends.sentence),
        )  # fmt: skip
    if len(tables["deals"]):
        deals.table(view, tables["deals"])
        deals.explained(view, tables["deals"])
    predictions.offer(view)
    cards.notes(answer)
    st.page_link(
        "pages/meeting/deals.py",
        label="Next: what could keep these deals away?",
        icon=":material/arrow_forward:",
    )


page()
