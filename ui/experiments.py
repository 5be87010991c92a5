"""A/B tests beside the measures: planned before, analysed after, and those that the data hold."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from kpis.answers.experiments import analyse, experiments, landed_on, landing_pages, plan
from kpis.errors import NotEnoughData
from ui import cards, columns
from ui.past import Past, or_missing, told

column = st.column_config
PERIODS = 4


def tests(past: Past) -> None:
    """A/B tests: planned, analysed, and those that the data hold."""
    what = st.segmented_control(
        "Tests", list(_TESTS), default=next(iter(_TESTS)), required=True, key="tests", bind="query-params",
        label_visibility="collapsed",
    )  # fmt: skip
    or_missing(what, _TESTS[what], past)


def _plan(_past: Past) -> None:
    a, b, c = st.columns(3)
    base = a.number_input("Today's rate, %", 0.1, 99.0, 10.0, 0.5, key="ab_base", bind="query-params")
    lift = b.number_input(
        "Rise worth finding, %", 1.0, 500.0, 20.0, 5.0, key="ab_lift", bind="query-params",
        help="Relative: 20 % tells 12 % from 10 %",
    )  # fmt: skip
    a_day = c.number_input("Members a day", 1, 10_000_000, 500, 50, key="ab_a_day", bind="query-params")
    if base * (1 + lift / 100) >= 100:
        raise NotEnoughData("no rate rises beyond 100 %", way_out="Choose a smaller rise")
    answer = plan(base / 100, lift / 100, float(a_day))
    told(answer, *answer.numbers)
    table = answer.tables["lifts"].assign(lift=100 * answer.tables["lifts"]["lift"])
    cards.table(
        "What other rises would take", table, "lifts",
        {
            "lift": column.NumberColumn("Rise", format="%.0f %%"),
            "members": columns.count("Members a variant"),
            "days": columns.count("Days"),
        },
        says="Members and days for each rise",
    )  # fmt: skip


def _analyse(_past: Past) -> None:
    counts = []
    for name, yes, n, place in zip("AB", (100, 125), (1000, 1000), st.columns(2), strict=True):
        with place:
            sent = st.number_input(f"{name}: members", 1, None, n, key=f"ab_n_{name}", bind="query-params")
            done = st.number_input(
                f"{name}: of them yes", 0, sent, min(yes, sent), key=f"ab_yes_{name}", bind="query-params"
            )
        counts += [done, sent]
    answer = analyse(*counts)
    told(answer, *answer.numbers)


def _found(past: Past) -> None:
    answer = past.answer(experiments, periods=PERIODS)
    told(answer)
    table = answer.tables["tests"]
    rates = ("rate_a", "rate_b", "better")
    cards.table(
        answer.question, table.assign(**{name: 100 * table[name] for name in rates}), "experiments", TESTS,
        says="Each campaign's variants with their rates and whether they can be told apart", height=420,
        whole=lambda: table,
    )  # fmt: skip


TESTS = {
    "campaign": column.TextColumn("Campaign"),
    "outcome": column.TextColumn("Outcome"),
    "a": column.TextColumn("A"),
    "b": column.TextColumn("B"),
    "n_a": columns.count("n of A"),
    "n_b": columns.count("n of B"),
    "rate_a": column.NumberColumn("Rate of A", format="%.1f %%"),
    "rate_b": column.NumberColumn("Rate of B", format="%.1f %%"),
    "better": column.NumberColumn("B is better", format="%.0f %%", help="Chance that it is"),
    "corrected": column.NumberColumn("p, corrected", format="%.3f"),
    "verdict": column.TextColumn("Verdict"),
}


def _pages(past: Past) -> None:
    found = past.answer(landed_on)
    if len(found) < 2:
        raise NotEnoughData("visits landed on fewer than two pages")
    left, right = st.columns(2)
    a = left.selectbox("Page A", found, 0, key="page_a", bind="query-params")
    b = right.selectbox("Page B", found, 1, key="page_b", bind="query-params")
    if a == b:
        raise NotEnoughData("both pages are the same", way_out="Choose another one")
    answer = past.answer(landing_pages, a, b, periods=PERIODS)
    told(answer, *answer.numbers)


_TESTS: dict[str, Callable[[Past], None]] = {
    "Plan a test": _plan,
    "Analyse a test": _analyse,
    "Mailings": _found,
    "Landing pages": _pages,
}
