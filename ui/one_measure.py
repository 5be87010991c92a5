"""One measure opened: its course, its groups, why it changed, all of its numbers, the rows and the query."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from kpis.answers.measures import find, sql
from kpis.answers.one_measure import all_numbers, by_group, dimensions, rows_of
from kpis.answers.why import why
from kpis.answers.words import plural
from kpis.charts.measures import bridge, control, groups
from kpis.measures.registry import Measure
from ui import cards
from ui.cards import plain, small
from ui.past import Past, or_missing

ROWS = 1_000
"""Rows shown; the file has all of them."""

EVERY_ROW = 10_000_000
column = st.column_config

Card = Mapping[str, Any]


def draw(past: Past, card: Card, course: pd.DataFrame, *, close: Callable[[None], None]) -> None:
    """The opened measure below its card."""
    one = find(card["measure"])
    with st.container(border=True, key="opened"):
        _about(one, close)
        if card["needs"]:
            cards.missing("Not with this data", card["needs"])
            return
        by = _by(past, card)
        pictures = []
        if len(course):
            pictures.append(partial(_course, past, card, course))
        if by or card["over"]:
            pictures.append(partial(_groups, past, card, by))
        for picture, place in zip(pictures, st.columns(len(pictures) or 1), strict=False):
            with place:
                or_missing(one.title, picture)
        closer = st.segmented_control(
            "Look closer", list(CLOSER), default=next(iter(CLOSER)), required=True, key="closer", bind="query-params"
        )
        or_missing(closer, CLOSER[closer], past, card, by)


def _about(one: Measure, close: Callable[[None], None]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", wrap=False):
        st.subheader(plain(one.title), anchor=False)
        st.button("Close", on_click=close, args=(None,), type="tertiary", icon=":material/close:", key="close")
    ids = ", ".join(f"{name} ({identifier})" for identifier, name in one.ids.items())
    st.markdown(plain(one.definition))
    said = f"Formula: {one.formula}", f"{ids}. Unit: {one.unit}. Basis: {one.basis}. Better: {one.better}. {one.source}"
    st.markdown("  \n".join(small(plain(text)) for text in said))


def _course(past: Past, card: Card, course: pd.DataFrame) -> None:
    unit = course["unit"].iloc[0]
    per = unit.partition(" ")[2]
    cards.chart(
        f"Against its usual range{', ' + per if per else ''}",
        control(course, unit, past.symbol),
        course.drop(columns="plain", errors="ignore"),
        "course",
        says="The measure by period with its 95 % interval, and the limits between which chance alone keeps it",
        caption=plain(f"{card['verdict_said'].capitalize()}: {card['verdict_help']}")
        + " Band: the usual range; lines: 95 % intervals.",
    )


def _by(past: Past, card: Card) -> str:
    """What the measure is broken down by; empty where it has groups of its own or nothing to go by."""
    name = card["measure"]
    if card["over"]:
        return ""
    with st.spinner("Finding what it can be broken down by"):
        found = past.answer(dimensions, name)
    if not found:
        return ""
    return st.segmented_control(
        "By", found, default=found[0], required=True, format_func=str.capitalize, key=f"by_{name}", bind="query-params"
    )


def _groups(past: Past, card: Card, by: str) -> None:
    answer = past.answer(by_group, card["measure"], by)
    table = answer.tables["groups"]
    cards.chart(
        f"By {answer.document['by']}",
        groups(table, answer.document["unit"], past.symbol),
        table,
        "groups",
        says="The measure by group with its 95 % interval, the highest first",
        caption=plain(answer.sentence),
    )


def _why(past: Past, card: Card, by: str) -> None:
    answer = past.answer(why, card["measure"], by=by)
    steps = answer.tables["steps"]
    left, right = st.columns(2)
    with left:
        cards.chart(
            answer.question, bridge(steps, answer.document["unit"], past.symbol), steps, "bridge",
            says="The value of the period before, what each effect added or took, and the value now",
            caption=plain(answer.sentence),
        )  # fmt: skip
    with right:
        cards.table(
            "Which groups moved it?", answer.tables["groups"], "movers", MOVERS,
            says="Each effect of each group on the change, the largest first", height=320,
        )  # fmt: skip


MOVERS = {
    "effect": column.TextColumn("Effect"),
    "group": column.TextColumn("Group"),
    "value": column.NumberColumn(
        "Adds", format="%+,.4g", help="To the change, in the measure's unit (a share: 0 to 1)"
    ),
}


def _numbers(past: Past, card: Card, _by: str) -> None:
    answer = all_numbers(past.dataset, card["measure"], outlook=past.outlook)
    said = answer.tables["said"]
    periods = [name for name in said if name not in ("part", "group", "reason")]
    named = {"part": "Number", "group": "Group", **{name: name for name in periods}, "reason": "Missing"}
    # What is empty in every row is no column of this measure.
    table = said.replace("", pd.NA)
    cards.table(
        "All of its numbers", table, "numbers", {name: column.TextColumn(label) for name, label in named.items()},
        says="Every number of the measure by period", whole=lambda: answer.tables["numbers"],
        caption=small("The last period may be running."),
    )  # fmt: skip


def _rows(past: Past, card: Card, by: str) -> None:
    name, period = card["measure"], card["period"]
    group = None
    if by or card["over"]:
        found = past.answer(by_group, name, by).tables["groups"]["group"]
        group = st.selectbox("Of", list(found), None, key=f"group_{name}_{by}", placeholder="All groups")
    rows = past.answer(rows_of, name, period, by=by, group=group, limit=ROWS)
    full = len(rows) == ROWS
    dataset = past.dataset
    cards.table(
        f"The rows behind {period}", rows, "rows", {name: column.Column(name.replace("_", " ")) for name in rows},
        says="The records that the number is counted from", height=420,
        whole=lambda: rows_of(dataset, name, period, by=by, group=group, limit=EVERY_ROW),
        caption=small(
            plain(
                f"{'The first ' if full else ''}{plural(len(rows), 'record')} that the headline looks at; "
                "the last columns are what it counts and sums."
            )
        ),
    )  # fmt: skip


def _query(past: Past, card: Card, by: str) -> None:
    st.markdown(small("The engine counts and sums; the formula is taken over what these queries return."))
    st.code(past.answer(sql, card["measure"], by=by), "sql", height=420)


CLOSER: dict[str, Callable[[Past, Card, str], None]] = {
    "Why did it change?": _why,
    "All numbers": _numbers,
    "Rows": _rows,
    "Query": _query,
}
