"""Track record: how good the forecast has been."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from kpis.answers.answer import Answer
from kpis.answers.track_record import WINDOW_NAMES, of_window, track_record
from kpis.charts.ledger import predicted
from kpis.charts.track_record import calibration, chances, errors, over_time
from kpis.forecast.contest import MODEL
from ui import background, cards, columns, levers, predictions, turns, workspaces


@turns.fragment
def page() -> None:
    """The page's body: the levers in the sidebar, then the record, which they do not touch."""
    view = levers.view()
    head, loop = st.container(), st.container()
    job = background.track_record(view.outlook.dataset, view.outlook.model.calendar)
    if job.future.done():
        made_again(view, track_record(job.future.result(), view.outlook), head)
    else:
        head.title("How good has this forecast been?", anchor=False)
        background.progress(job)
    with workspaces.told():
        stored(view, predictions.answer(view), loop)


def made_again(view: levers.View, answer: Answer, head: DeltaGenerator) -> None:
    """The backtest: past forecasts as they would have been made."""
    symbol = view.symbol
    with head:
        cards.headline(answer, None, (), view.outlook.currency, "Levers do not touch the record: it is the past.")
    if answer.tables["origins"].empty:
        cards.missing("What came of past forecasts?", "no past period has enough history before it")
        return
    window = st.segmented_control(
        "Forecasts of the", WINDOW_NAMES, default=WINDOW_NAMES[0], required=True, key="window", bind="query-params"
    )
    scores, origins, ranges, reached = of_window(answer, window)
    left, right = st.columns([3, 2])
    with left:
        cards.chart(
            "Who was nearer?", errors(scores, MODEL), scores, "errors",
            says="Error of this model and of each simple rule over past forecasts, the smallest first",
            caption="Each method on the past forecasts it has data for.",
        )  # fmt: skip
    with right:
        cards.chart(
            "Are its ranges true?", calibration(ranges), ranges, "calibration",
            says="Share of outcomes at or below each level of the forecast, against the diagonal",
            caption="On the dashed line the levels are true.",
        )  # fmt: skip
    left, right = st.columns([3, 2])
    with left:
        cards.chart(
            "What was forecast, and what came?", over_time(origins, symbol), origins, "over_time",
            says="Each past forecast with its 80 % range, and what came of it, by the day it was made",
            caption=":blue[Bar]: 80 % range, tick: forecast; :green[dot]: what came.",
        )  # fmt: skip
    with right:
        title = "Are its chances true?"
        if reached.empty:
            cards.missing(title, "no past period has a target, and no four periods before it stand in for one")
        else:
            cards.chart(
                title, chances(reached), reached, "chances",
                says="Share of targets that were reached by the chance that was forecast, with its interval",
                caption=f"On the dashed line they are. Against {reached['against'].iloc[0]}.",
            )  # fmt: skip
    cards.table(
        "Which method gives the mean of today's forecast?", answer.tables["methods"], "methods", columns.METHODS,
        says="Method used for each period of today's forecast, and why",
    )  # fmt: skip
    cards.table(
        "How does it compare?", answer.tables["scores"], "scores", columns.scores(),
        says="Error, bias, CRPS and coverage of every method and window",
    )  # fmt: skip
    cards.table(
        "Does it get better during the period?", answer.tables["phases"], "phases", columns.phases(),
        says="Error and bias of this model by day of the period and window",
    )  # fmt: skip
    cards.notes(answer)


def stored(view: levers.View, answer: Answer, loop: DeltaGenerator) -> None:
    """The ledger: forecasts that were saved, and the loop they belong to."""
    tables = answer.tables
    with loop:
        predictions.loop(tables["loop"])
    cards.headline(answer, None, (), view.outlook.currency, "Judged by the data of the sidebar's day, no lever moved.")
    predictions.offer(view)
    if tables["predictions"].empty:
        return
    cards.numbers(answer, answer, answer.numbers, view.outlook.currency)
    left, right = st.columns([3, 2])
    with left:
        judged = tables["predictions"].query("status == ['on track', 'off']")
        if judged.empty:
            cards.missing("What was predicted, and what came?", "there are no later data yet")
        else:
            cards.chart(
                "What was predicted, and what came?", predicted(judged, view.symbol), judged, "stored_chart",
                says="Each stored prediction with its 80 % range, and what came of it or is expected now",
                caption=":blue[Bar]: 80 % range, tick: prediction; :green[dot]: what came, circle: expected now.",
            )  # fmt: skip
    with right:
        if tables["ranges"].empty:
            cards.missing("Are the stored ranges true?", "no predicted period is over yet")
        else:
            cards.chart(
                "Are the stored ranges true?", calibration(tables["ranges"]), tables["ranges"], "stored_calibration",
                says="Share of outcomes at or below each level of the stored predictions, against the diagonal",
                caption="On the dashed line the levels are true.",
            )  # fmt: skip
    cards.table(
        "How does each stand?", tables["predictions"], "stored", predictions.columns(view.symbol),
        says="Each predicted period with its status, its range and what came or is expected now", height="content",
    )  # fmt: skip
    predictions.forget(tables["predictions"])
    for note in answer.notes:
        st.markdown(cards.small(cards.plain(note)))


page()
