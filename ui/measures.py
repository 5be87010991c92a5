"""A family of measures as a page: one sentence, a card each, and below its row the one that is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from kpis.answers.family import family as family_of
from kpis.answers.family import ids_of
from kpis.answers.words import plural
from ui import cards, one_measure
from ui.cards import plain, small
from ui.past import Past, look_back, or_missing

ACROSS = 4
OPENED = "measure"
"""Key of the opened measure, and its name in the address."""

COLOURS = {"good": "green", "bad": "orange", "open": "blue", "none": "gray"}
"""What a change or alarm is shown in: welcome, unwelcome, either, no more than chance."""

Special = Callable[[Past], None]


def family(question: str, ids: str, also: Mapping[str, Special] | None = None) -> None:
    """Draw the page of the ids that begin with ``ids``.

    Parameters
    ----------
    also
        What else can be asked on this page, by what it is called; only the chosen one is computed.
    """
    past, wanted = look_back(), ids_of(ids)
    with st.spinner(f"Computing {plural(len(wanted), 'measure')} and their usual range"):
        answer = past.answer(family_of, question, wanted)
    shown = answer.document["measures"]
    known = f"As known at the end of {past.dataset.as_of:%d %b %Y}; levers do not touch the past."
    cards.headline(answer, None, (), past.currency, known)
    opened = _choose({card["measure"]: f"{card['label']} ({card['id']})" for card in shown})
    for k in range(0, len(shown), ACROSS):
        row = shown[k : k + ACROSS]
        for card, place in zip(row, st.columns(ACROSS), strict=False):
            with place:
                _card(card, opened=card["measure"] == opened)
        for card in row:
            if card["measure"] == opened:
                course = answer.tables["course"]
                one_measure.draw(past, card, course[course["measure"] == opened], close=_open)
    cards.head(f"All {len(shown)} in one table", answer.tables["cards"].drop(columns="history"), "measures")
    if also:
        _also(past, also)
    cards.notes(answer)


def _choose(labels: Mapping[str, str]) -> str | None:
    return st.selectbox(
        "Open a measure", list(labels), None, format_func=lambda name: labels[name], key=OPENED, bind="query-params",
        placeholder="Open a measure: its course, groups, reasons, rows and query", label_visibility="collapsed",
    )  # fmt: skip


def _open(name: str | None) -> None:
    """Open a measure, or close it (a callback)."""
    st.session_state[OPENED] = name


def _card(card: Mapping[str, Any], *, opened: bool) -> None:
    """One measure at a glance; its name opens it."""
    with st.container(border=True, height="stretch", gap="xsmall", key=f"card_{card['measure']}"):
        st.button(
            plain(card["label"]), key=f"open_{card['measure']}", type="tertiary", on_click=_open,
            args=(None if opened else card["measure"],), help=plain(f"{card['id']}: {card['title']}"),
            icon=":material/expand_less:" if opened else ":material/expand_more:",
        )  # fmt: skip
        if card["needs"]:
            st.markdown(small(plain(card["needs"])))
            return
        st.metric(
            plain(card["label"]),
            plain(card["said"]),
            plain(card["change_said"]) if card["change_said"] else None,
            COLOURS[card["change_mood"] or "none"],
            chart_data=[value for value in card["history"] if value is not None],
            chart_type="bar" if card["over"] else "line",
            label_visibility="collapsed",
        )
        st.markdown("  \n".join(_lines(card)), help=plain(card["verdict_help"]) if card["verdict_help"] else None)


def _lines(card: Mapping[str, Any]) -> list[str]:
    """What a card says in small print: whose value, of when, how sure, and whether it is as usual."""
    n = f"n {card['n']:,.0f}" if card["interval"] else ""
    low = ":orange[low sample]" if card["low_sample"] else ""
    lines = [" · ".join(filter(None, (plain(card["period"]), _per(card), n, low)))]
    if card["over"]:
        groups = plural(card["groups"], card["over"].replace("_", " "))
        lines.insert(0, plain(f"{card['group']}, the highest of {groups}"))
    lines += [plain(card[name]) for name in ("interval", "so_far") if card[name]]
    said = [small(line) for line in lines]
    return [*said, _verdict(card)] if card["verdict"] else said


def _per(card: Mapping[str, Any]) -> str:
    """What a unit such as ``money per day`` is per."""
    return plain(card["unit"].partition(" ")[2])


def _verdict(card: Mapping[str, Any]) -> str:
    alarm = card["verdict_mood"] not in (None, "none")
    icon = ":material/notification_important:" if alarm else ""
    return small(f"{icon} {plain(card['verdict_said'])}".strip(), COLOURS[card["verdict_mood"] or "none"])


def _also(past: Past, also: Mapping[str, Special]) -> None:
    st.divider()
    chosen = st.segmented_control("Also ask", list(also), key="also", bind="query-params")
    if chosen:
        or_missing(chosen, also[chosen], past)
