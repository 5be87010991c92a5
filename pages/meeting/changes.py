"""What changed? The page of a period's pipeline between two days."""

import streamlit as st

from kpis.answers.changes import DIMENSIONS
from kpis.charts.changes import waterfall
from ui import cards, columns, days, levers, turns


@turns.fragment
def page() -> None:
    """The page's body: the levers in the sidebar, the two days, then the answer, which no lever touches."""
    view = levers.view()
    head = st.container()
    question = days.choose(view.outlook.model)
    answer = view.baseline.answer(question)
    tables, symbol, currency = answer.tables, view.symbol, view.outlook.currency

    with head:
        basis = (
            f"From the end of {question.first:%d %b %Y} to the end of {question.last:%d %b %Y}; levers do not touch it."
        )
        cards.headline(answer, None, (), currency, basis)
    cards.numbers(answer, answer, ("slippage", "slippage_before", "pushed_twice", "pushes_per_deal"), currency)

    cards.chart(
        "How did the pipeline change?", waterfall(tables["steps"], symbol), tables["steps"], "waterfall",
        says="Open pipeline on the first day, each kind of change, and open pipeline on the last day",
        caption=":blue[**Open**] and coming in, :green[**won**], :orange[**leaving otherwise**]; in brackets: deals.",
    )  # fmt: skip
    cards.table(
        "Which deals changed?", tables["changes"], "changes", columns.changes(symbol),
        says="Each change of a deal with its amount before and after, the largest first", height=420,
    )  # fmt: skip
    if tables["pushes_owner"].empty:
        cards.missing("Who pushes deals?", answer.numbers["pushed_twice"].reason)
    else:
        by = st.segmented_control(
            "Pushes by", DIMENSIONS, default=DIMENSIONS[0], required=True, format_func=str.capitalize, key="pushes_by",
            bind="query-params",
        )  # fmt: skip
        cards.table(
            "Who pushes deals?", tables[f"pushes_{by}"], "pushes", columns.pushes(by, symbol),
            says=f"Open deals by {by}: how many were pushed between the days, and how many twice or more",
        )  # fmt: skip
        cards.table(
            "Which deals were pushed again and again?", tables["offenders"], "offenders", columns.offenders(symbol),
            says="Open deals pushed twice or more, the most often pushed first", height=420,
        )  # fmt: skip
    cards.notes(answer)
    st.page_link("pages/meeting/what_if.py", label="Next: what if?", icon=":material/arrow_forward:")


page()
