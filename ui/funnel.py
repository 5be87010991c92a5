"""What is asked beside the funnel's measures: who leaks, what the score is worth, customers, and the scorecards."""

from __future__ import annotations

import streamlit as st

from kpis.answers.customers import concentration, lifetime_value
from kpis.answers.leads import lead_quality, leak_drivers
from kpis.answers.scorecard import QUESTIONNAIRES, RATINGS, own_index, questionnaire, scorecard
from kpis.answers.spreadsheet import csv
from kpis.charts.measures import deciles, drivers, pareto
from ui import cards, columns
from ui.past import Past, told

column = st.column_config
PERIODS = 4


def leaks(past: Past) -> None:
    """What leads that leave the funnel have in common."""
    answer = past.answer(leak_drivers)
    told(answer)
    table = answer.tables["drivers"]
    cards.chart(
        answer.question, drivers(table), table, "drivers",
        says="How many times as often leads with each value leave as all others, with the interval",
        caption=":orange[**More often**] or :green[**less often**] than all others, beyond chance; grey: cannot tell.",
    )  # fmt: skip


def scores(past: Past) -> None:
    """Whether the lead score ranks leads."""
    answer = past.answer(lead_quality)
    told(answer, *answer.numbers)
    table = answer.tables["deciles"]
    cards.chart(
        answer.question, deciles(table), table, "deciles",
        says="Share of the leads won by tenth of the lead score, with its interval",
    )  # fmt: skip


def losing(past: Past) -> None:
    """How much hangs on few customers, and what is left without the largest."""
    lost = st.slider("Without the largest customers", 1, 10, 1, key="lost", bind="query-params", width=320)
    answer = past.answer(concentration, periods=PERIODS, lost=lost)
    told(answer, "top_fifth", "at_risk", currency=past.currency)
    left, right = st.columns(2)
    with left:
        cards.chart(
            answer.question, pareto(answer.tables["pareto"]), answer.tables["pareto"], "pareto",
            says="Share of revenue by share of customers, the largest first",
        )  # fmt: skip
    with right:
        cards.table(
            "Before and after", answer.tables["what_if"], "without", BEFORE_AND_AFTER,
            says="What would be left without the largest customers",
        )  # fmt: skip
    cards.table(
        "Who are the largest?", answer.tables["customers"], "largest", _customers(past.symbol),
        says="The largest customers with their revenue and share",
    )  # fmt: skip


BEFORE_AND_AFTER = {
    "what": column.TextColumn("What"),
    "before_said": column.TextColumn("Now"),
    "after_said": column.TextColumn("Without them"),
}


def _customers(symbol: str) -> dict[str, object]:
    return {
        "rank": columns.count("Rank"),
        "account_id": column.TextColumn("Customer"),
        "revenue": columns.money("Revenue", symbol),
        "share": column.NumberColumn("Share", format="percent"),
        "cumulative": column.NumberColumn("With all larger ones", format="percent"),
    }


def worth(past: Past) -> None:
    """What a customer is worth, with its assumptions."""
    answer = past.answer(lifetime_value)
    told(answer, "lifetime_value", "revenue_per_customer_and_year", "retention_a_year", currency=past.currency)
    cards.table(
        "On which assumptions?", answer.tables["assumptions"], "assumptions",
        {
            "what": column.TextColumn("What"),
            "said": column.TextColumn("Value"),
            "source": column.TextColumn("From", width="large"),
        },
        says="Each assumption of the lifetime value with its source",
    )  # fmt: skip


def benchmarks(past: Past) -> None:
    """The eight beside what others reported."""
    answer = past.answer(scorecard)
    told(answer)
    cards.table(
        answer.question, answer.tables["scorecard"], "scorecard",
        {
            "title": column.TextColumn("Measure", width="large"),
            "said": column.TextColumn("Ours"),
            "band": column.TextColumn("Benchmark"),
            "place": column.TextColumn("We are", width="medium"),
            "period": column.TextColumn("Period"),
            "dated": column.TextColumn("Dated"),
            "source": column.TextColumn("Reported by", width="medium"),
        },
        says="Each measure beside its dated benchmark",
    )  # fmt: skip


def own_scores(past: Past) -> None:
    """The company's own questionnaires, to edit and to take away."""
    name = st.segmented_control(
        "Scorecard", QUESTIONNAIRES, default=QUESTIONNAIRES[0], required=True, key="questionnaire",
        bind="query-params", format_func=lambda name: name.replace("_", " ").capitalize(),
    )  # fmt: skip
    low, high = RATINGS
    edited = st.data_editor(
        past.answer(questionnaire, name), key=f"rated_{name}", num_rows="dynamic", hide_index=True,
        column_config={
            "item": column.TextColumn("Item", width="large", required=True),
            "weight": column.NumberColumn("Weight", min_value=0.0, default=1.0),
            "rating": column.NumberColumn("Rating", min_value=low, max_value=high, help=f"{low} to {high}"),
            "assessor": column.TextColumn("Who"),
            "assessed_on": column.DateColumn("On", format="DD MMM YYYY"),
        },
        alt="The questionnaire's items with weight and rating, to edit",
    )  # fmt: skip
    told(own_index(edited, name))
    st.download_button(
        "Take it away", csv(edited.assign(scorecard=name)), f"scorecards_{name}.csv", "text/csv", on_click="ignore",
        icon=":material/download:", key="ratings", help="Load it together with your next export: the score follows.",
    )  # fmt: skip
