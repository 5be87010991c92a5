"""What pages are made of: the headline, the numbers, charts, tables with their download, the notes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from kpis import log
from kpis.answers.answer import Answer, Count, Number
from kpis.answers.render import say
from kpis.answers.spreadsheet import csv
from kpis.answers.words import NOT_AVAILABLE, plural
from kpis.charts.style import Picture
from kpis.errors import TandemError
from kpis.intake.accounting import FileReport
from ui import state
from ui.columns import shown

CARD_HEIGHT = 136
"""Pixels: a number, two lines for its label, a line for its change."""
LARGE = 160
"""Characters: a longer sentence keeps the size of a heading in a meeting too; as a title it would fill the screen."""

_MARKDOWN = re.compile(r"([\\`*_\[\]<>#~$|:])")


def plain(text: str) -> str:
    """Text that Markdown shows as it is: names come from the data, and a dollar sign would begin a formula."""
    return _MARKDOWN.sub(r"\\\1", text)


def small(text: str, colour: str = "gray") -> str:
    """Small text in a colour of the theme; a caption would fade it until it is hard to read."""
    return f":small[:{colour}[{text}]]"


def difference(now: Number, before: Number, currency: str) -> str:
    """How far a number is from what it was as estimated; empty where it is the same or cannot be said."""
    if now.value is None or before.value is None or now.value == before.value:
        return ""
    step = now.value - before.value
    sign = "+" if step > 0 else "-"
    if now.unit == "share":
        return f"{sign}{abs(100 * step):.1f} points"
    return sign + say(replace(now, value=abs(step)), currency)


def headline(answer: Answer, before: Answer | None, moved: Iterable[str], currency: str, basis: str) -> None:
    """The question, its answer in one sentence, and what the moved levers changed against the estimate.

    Parameters
    ----------
    before
        The same answer as estimated; None where the levers do not change the answer, or are what it is about.
    moved
        Labels of the levers that differ from their estimate.
    basis
        What the answer rests on.
    """
    if state.in_meeting() and len(answer.sentence) <= LARGE:
        st.markdown(f":gray[{plain(answer.question)}]")
        st.title(plain(answer.sentence), anchor=False)
    else:
        st.title(f":gray[{plain(answer.question)}]", anchor=False)
        st.header(plain(answer.sentence), anchor=False)
    change = f"  \n{_change(answer, before, tuple(moved), currency)}" if before else ""
    st.markdown(small(plain(basis)) + change)


def _change(answer: Answer, before: Answer, moved: tuple[str, ...], currency: str) -> str:
    """What the moved levers did to the first number they changed, in one line that is always there."""
    if not moved:
        return small(plain("As estimated: no lever is moved."))
    levers = moved[0].lower() if len(moved) == 1 else f"{len(moved)} levers moved"
    for key, number in answer.numbers.items():
        step = difference(number, before.numbers.get(key, number), currency)
        if step:
            was = say(before.numbers[key], currency)
            said = f"{number.label} as estimated: {was}; {step} with {levers}."
            return small(f":material/tune: {plain(said)}", "blue")
    return small(f":material/tune: {plain(f'No number of this page changes with {levers}.')}", "blue")


def numbers(answer: Answer, before: Answer, keys: Iterable[str], currency: str) -> None:
    """Cards of the chosen numbers, with their change against the estimate; a click on a label says how it came."""
    keys = tuple(keys)
    # A row that wraps: columns would give each card a row of its own on a phone.
    row = st.container(horizontal=True)
    for key in keys:
        number = answer.numbers[key]
        step = difference(number, before.numbers.get(key, number), currency)
        with row.container(border=True, height=CARD_HEIGHT, gap=None):
            value = NOT_AVAILABLE if number.value is None else say(number, currency)
            # The label stands below, where it may take two lines: a metric cuts its own label off.
            st.metric(plain(number.label), value, label_visibility="collapsed")
            asked = st.button(
                small(plain(number.label)), key=f"how {key}", type="tertiary", help=_explained(number), wrap=True,
                icon=":material/help:", icon_position="right",
            )  # fmt: skip
            if step:
                st.markdown(small(f"**{plain(step)}**", "blue"))
        if asked:
            _opened(answer, number, currency)
    missing = [answer.numbers[key] for key in keys if answer.numbers[key].value is None]
    if missing:
        st.markdown(small(plain("; ".join(f"{number.label} is n/a: {number.reason}" for number in missing))))


@st.dialog("How is this computed?", width="medium")
def _opened(answer: Answer, number: Number, currency: str) -> None:
    """One number with its definition, its formula with the values, what it rests on, and what was left out."""
    st.markdown(f"**{plain(number.label)}: {plain(say(number, currency))}**  \n{plain(number.help)}")
    if number.working:
        st.markdown(f"**With the values:** {plain(number.working)}")
    if number.value is not None:
        st.markdown(f"**Unrounded:** {plain(repr(float(number.value)))}")
    rows = answer.tables.get(number.rows)
    if rows is not None:
        name = number.rows.replace("_", " ")
        st.download_button(
            f"The {plural(len(rows), 'row')} behind it ({name})", lambda: csv(rows), f"{number.rows}.csv", "text/csv",
            key="how_rows", on_click="ignore", icon=":material/download:",
        )  # fmt: skip
    _rests_on([answer.counts[key] for key in number.counts])
    if answer.notes:
        with st.expander(f"Left out, or standing in ({plural(len(answer.notes), 'note')})"):
            st.markdown("\n".join(f"* {plain(note)}" for note in answer.notes))
    dataset = state.intake().dataset
    known = answer.document.get("as_of", dataset.as_of.isoformat())
    newest = f"{dataset.newest:%d %b %Y}"
    st.markdown(small(plain(f"{dataset.name} as known at the end of {known}; its newest day is {newest}.")))


def _rests_on(counts: Sequence[Count]) -> None:
    """What the engine counted, each with its query, and what became of the rows of the files behind it."""
    tables = {table for count in counts for table in count.tables}
    files = [file for file in state.intake().files if file.table in tables]
    if counts:
        st.markdown("**Rests on** these counts, each with its query:")
    for count in counts:
        with st.expander(f"Each row is {plain(count.says)}"):
            st.code(count.query(), "sql", height=260)
    if files:
        st.markdown("\n".join(f"* {small(plain(_rows_of(file)))}" for file in files))
        st.page_link("pages/data/load.py", label="Which rows were left out, and why?", icon=":material/upload_file:")


def _rows_of(file: FileReport) -> str:
    """``deals.csv: 2,140 rows read, 2,128 accepted, 5 rejected, 7 merged``."""
    kinds = {"accepted": file.accepted, "rejected": file.rejected, "merged": file.merged}
    became = ", ".join(f"{n:,} {kind}" for kind, n in kinds.items() if n)
    return f"{file.file}: {plural(file.read, 'row')} read{', ' if became else ''}{became}"


def _explained(number: Number) -> str:
    """Definition and unrounded value, for the hover, and that there is more."""
    exact = "" if number.value is None else f"  \nUnrounded: {float(number.value)!r}"
    return f"{plain(number.help)}{exact}  \nClick: how is this computed?"


def chart(title: str, drawn: Picture, data: pd.DataFrame, key: str, *, says: str, caption: str = "") -> None:
    """A chart with the question it answers, and its unrounded values to download.

    Parameters
    ----------
    says
        What the chart shows, for those who cannot see it; it names no value, so that the chart stays in place
        when its values change.
    caption
        How to read it, in Markdown.
    """
    with st.container(border=True, height="stretch", key=f"{key}_card"):
        head(title, data, key)
        if caption:
            st.markdown(small(caption))
        st.vega_lite_chart(drawn.live(), theme="streamlit", key=key, alt=says)


def head(title: str, data: pd.DataFrame, key: str, whole: Callable[[], pd.DataFrame] | None = None) -> None:
    """A title with the download of what stands below it; ``whole`` makes a fuller table when it is downloaded."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", wrap=False):
        st.subheader(title, anchor=False)
        st.download_button(
            "CSV", lambda: csv(whole() if whole else data), f"{key}.csv", "text/csv", key=f"{key}_csv",
            on_click="ignore", type="tertiary", icon=":material/download:", help="The unrounded values behind this",
        )  # fmt: skip


def table(
    title: str,
    data: pd.DataFrame,
    key: str,
    columns: Mapping[str, Any],
    *,
    says: str,
    caption: str = "",
    height: int | str = "auto",
    whole: Callable[[], pd.DataFrame] | None = None,
    on_pick: Callable[[], None] | None = None,
) -> None:
    """A table of the named columns, in their order; those without a value are left out.

    Parameters
    ----------
    caption
        What it says or how to read it, in Markdown.
    whole
        Makes the table that is downloaded, where it holds more than what is shown.
    on_pick
        Called when a row is chosen; ``st.session_state[key].selection.rows`` then holds its number.
    """
    order = [name for name in columns if name in data and data[name].notna().any()]
    said, config = shown(data, columns)
    with st.container(border=True, height="stretch", key=f"{key}_card"):
        head(title, data, key, whole)
        if caption:
            st.markdown(caption)
        st.dataframe(
            said,
            height=height,
            hide_index=True,
            column_order=order,
            column_config=config,
            key=key,
            alt=says,
            placeholder=NOT_AVAILABLE,
            on_select=on_pick or "ignore",
            selection_mode="single-row",
        )


def notes(answer: Answer) -> None:
    """How the numbers came about: every definition with its formula, and what was left out and why."""
    with st.expander(f"How this came about ({plural(len(answer.notes), 'note')})", icon=":material/info:", key="notes"):
        st.markdown("\n".join(f"* {plain(note)}" for note in answer.notes))
        st.markdown("**Definitions**")
        st.markdown(
            "\n".join(f"* **{plain(number.label)}**: {plain(number.help)}" for number in answer.numbers.values())
        )


def problem(error: TandemError) -> None:
    """An error in one sentence, with the place and the way out; the log has it too."""
    log.note(error)
    place = f" ({error.place})" if error.place else ""
    out = f" {error.way_out}." if error.way_out else ""
    st.error(plain(f"{error.problem}{place}.{out}"), icon=":material/error:")


def missing(title: str, reason: str) -> None:
    """What stands in the place of a chart or table that the data cannot support."""
    with st.container(border=True, height="stretch"):
        st.subheader(title, anchor=False)
        st.markdown(small(f"n/a: {plain(reason)}"))
