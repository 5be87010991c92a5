"""Is there enough qualified pipeline? The page of the next two periods."""

import streamlit as st

from kpis.answers.coverage import next_periods
from kpis.answers.day_one import day_one, on_pace
from kpis.answers.pipeline import in_short
from kpis.answers.words import percent
from kpis.charts.build_up import build_up
from kpis.charts.landing import landings
from kpis.charts.pipeline import needed
from ui import cards, columns, levers, steps, turns


@turns.fragment
def page() -> None:
    """The page's body: the levers in the sidebar, then the answer."""
    view = levers.view()
    answer, before = view.answers(next_periods)
    tables, symbol, currency = answer.tables, view.symbol, view.outlook.currency

    cards.headline(answer, before, view.moved, currency, in_short(view.outlook))
    for landing in view.outlook.landings[1:]:
        terms = ("p_hit", "gap", "day_one", "pacing")
        cards.numbers(answer, before, [f"{term} {landing.label}" for term in terms], currency)

    left, right = st.columns(2)
    with left:
        cards.chart(
            "Where will they land?", landings(tables["parts"], symbol), tables["parts"], "landings",
            says="Won, open and not yet created parts of each period's landing, with its target and range",
            caption="Line across a bar: 8 of 10 landings fall in it.",
        )  # fmt: skip
    with right:
        confidence = view.outlook.dataset.settings.confidence
        cards.chart(
            "Is the pipeline enough?", needed(tables["periods"], symbol), tables["periods"], "needed",
            says="Open qualified pipeline of each period, and what is needed",
            caption=f"Tick: the pipeline that gives {percent(confidence)} confidence.",
        )  # fmt: skip
    size = day_one(view.outlook)
    cards.table(
        size.question, tables["rules"], "rules", columns.rules(symbol), caption=cards.plain(size.sentence),
        says="Pipeline to begin each period with, by the company's own past and by two rules of thumb",
    )  # fmt: skip
    course = on_pace(view.outlook)
    if tables["build_up"].empty:
        cards.missing(course.question, "it takes a history of stages, amounts and expected closes over five periods")
    else:
        cards.chart(
            course.question, build_up(tables["build_up"], symbol), tables["build_up"], "build_up",
            says="Open qualified pipeline of the coming periods by day to their start, against the range of past ones",
            caption=f"{cards.plain(course.sentence)} Band: the range of past periods; dashed line: their median.",
        )  # fmt: skip
    cards.table(
        "What would it take?", tables["periods"], "needs", columns.needs(symbol),
        says="Opportunities, leads and spend that each period needs on top of what is expected",
    )  # fmt: skip
    title = "Has that been done before?"
    if tables["precedents"].empty:
        cards.missing(title, "no target is set, or there are fewer than four past months and periods")
    else:
        cards.table(
            title, tables["precedents"], "precedents", columns.PRECEDENTS,
            says="What each period needs as a rate, beside the company's own past", height="content",
        )  # fmt: skip
    left, right = st.columns([3, 2])
    with left:
        labels = [landing.label for landing in view.outlook.landings]
        cards.table(
            "Until when do new opportunities count?", tables["segments"], "segments", columns.segments(labels),
            says="Last day on which a new opportunity has half of its worth in time, by segment and period",
        )  # fmt: skip
    with right:
        title = "What closes in 30, 60 and 90 days?"
        if tables["strips"].empty:
            cards.missing(title, "the expected close of open deals is not known at this day")
        else:
            cards.table(
                title, tables["strips"], "strips", columns.strips(symbol),
                says="Open qualified amount expected to close within 30, 60 and 90 days",
            )  # fmt: skip
    steps.weighed(view)
    cards.notes(answer)
    st.page_link(
        "pages/meeting/creation.py",
        label="Next: enough new opportunities?",
        icon=":material/arrow_forward:",
    )


page()
