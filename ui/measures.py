"""A family of measures as a page: one sentence, a card each, and below its row the one that is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from kpis.answers.family import family as family_of
from kpis.answers.family import ids_of
from kpis.answers.words import plural
from ui import cards, one_measure
from ui.cards import plain, small
from ui.past import Past, look_back, or_missing

ACROSS = 4
ALL = "The measures"
OPENED = "measure"
"""Name of the opened measure in the address."""

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
    past, head, chosen = look_back(), st.container(), None
    if also:
        chosen = st.segmented_control(
            "Ask", [ALL, *also], default=ALL, required=True, key="ask", bind="query-params",
            label_visibility="collapsed",
        )  # fmt: skip
    if also and chosen in also:
        head.title(f":gray[{plain(question)}]", anchor=False)
        or_missing(chosen, also[chosen], past)
    else:
        _cards(past, question, ids_of(ids), head)


def _cards(past: Past, question: str, ids: tuple[str, ...], head: DeltaGenerator) -> None:
    with st.spinner(f"Computing {plural(len(ids), 'measure')} and their usual range"):
        answer = past.answer(family_of, question, ids)
    with head:
        known = f"As known at the end of {past.dataset.as_of:%d %b %Y}; levers do not touch the past."
        cards.headline(answer, None, (), past.currency, known)
    shown, opened = answer.document["measures"], st.query_params.get(OPENED)
    for k in range(0, len(shown), ACROSS):
        row = shown[k : k + ACROSS]
        for card, place in zip(row, st.columns(ACROSS), strict=False):
            with place:
                _card(card, opened=card["measure"] == opened)
        for card in row:
            if card["measure"] == opened:
                course = answer.tables["course"]
                one_measure.draw(past, card, course[course["measure"] == opened], close=_open)
    cards.head(f"All {len(shown)} as a file", answer.tables["cards"].drop(columns="history"), "measures")
    cards.notes(answer)


def _open(name: str | None) -> None:
    """Open a measure, or close it (a callback)."""
    if name is None:
        st.query_params.pop(OPENED, None)
    else:
        st.query_params[OPENED] = name


def _card(card: Mapping[str, Any], *, opened: bool) -> None:
    """One measure at a glance; its name opens it."""
    with st.container(border=True, height="stretch", gap="xsmall", key=f"card_{card['measure']}"):
        name, icon = (None, "expand_less") if opened else (card["measure"], "expand_more")
        st.button(
            card["id"], key=f"open_{card['measure']}", type="tertiary", on_click=_open, args=(name,),
            icon=f":material/{icon}:", icon_position="right",
            help=plain(f"{card['title']}. Opens its course, its groups, why it changed, its rows and its query."),
        )  # fmt: skip
        st.markdown(f"**{plain(card['label'])}**")
        if card["needs"]:
            st.markdown(small(plain(card["needs"])))
            return
        st.metric(
            plain(card["label"]),
            plain(card["said"]),
            plain(card["change_said"]) or None,
            COLOURS[card["change_mood"]],
            delta_arrow="auto" if card["change"] else "off",
            chart_data=card["history"],
            chart_type="bar" if card["over"] else "line",
            label_visibility="collapsed",
        )
        st.markdown("  \n".join(_lines(card)), help=plain(card["verdict_help"]) or None)


def _lines(card: Mapping[str, Any]) -> list[str]:
    """What a card says in small print: whose value, of when, how sure, and whether it is as usual."""
    n = f"n {card['n']:,.0f}" if card["interval"] else ""
    low = ":orange[low sample]" if card["low_sample"] else ""
    lines = [" · ".join(filter(None, (plain(card["period"]), _per(card), n, low)))]
    if card["over"]:
        groups = plural(card["groups"], card["over"])
        lines.insert(0, plain(f"{card['group']}, the highest of {groups}"))
    lines += [plain(card[name]) for name in ("interval", "so_far") if card[name]]
    said = [small(line) for line in lines]
    return [*said, _verdict(card)] if card["verdict"] else said


def _per(card: Mapping[str, Any]) -> str:
    """What a unit such as ``money per day`` is per."""
    return plain(card["unit"].partition(" ")[2])


def _verdict(card: Mapping[str, Any]) -> str:
    alarm = card["verdict_mood"] != "none"
    icon = ":material/notification_important:" if alarm else ""
    return small(f"{icon} {plain(card['verdict_said'])}".strip(), COLOURS[card["verdict_mood"]])
