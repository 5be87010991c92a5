"""The mapping of one file as a table to correct, and what the last correction did."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from kpis.answers.mapping import NOT_USED, changes_answer, columns_of, corrected, taken_for
from kpis.errors import TandemError
from kpis.intake import FileReport
from kpis.intake.corrections import choices, tables
from ui import cards, data_columns, questions, reading
from ui.columns import in_percent
from ui.reading import Reading


def edit(current: Reading, files: pd.DataFrame) -> None:
    """One file's columns, to be corrected; the file with the most doubt comes first.

    Parameters
    ----------
    files
        The table ``files`` of the mapping's answer.
    """
    grains = tables()
    with st.container(border=True, key="mapping_card"):
        left, right = st.columns(2)
        doubt = files.assign(main=files["table"] == "opportunities").sort_values(["unsure", "main"], ascending=False)
        name = left.selectbox("File", files["file"], int(doubt.index[0]), key="file")
        report = next(report for report in current.reports if report.file == name)
        as_is = taken_for(report)
        others = [table for table in (NOT_USED, *grains) if table != as_is]
        table = right.selectbox("Taken for", [as_is, *others], key=f"table_{current.changes}_{name}")
        if report.reason and table == as_is:
            st.markdown(cards.plain(f"Not used: {report.reason}."))
        if table in grains:
            st.markdown(cards.small(f"{table}: {grains[table]}"))
        shown = columns_of(report, table if table in grains and table != as_is else None)
        fields = dict.fromkeys([NOT_USED, *(choices(table) if table in grains else ()), *shown["field"]])
        edited = st.data_editor(
            in_percent(shown),
            hide_index=True,
            column_config=data_columns.mapping(list(fields)),
            disabled=["column", "samples", "confidence", "why"] if table in grains else True,
            placeholder="",
            key=f"mapping_{current.changes}_{name}_{table}",
        )
        is_changed = table != as_is or list(edited["field"]) != list(shown["field"])
        with st.container(horizontal=True):
            if st.button("Use these columns", disabled=not is_changed, icon=":material/check:", key="apply"):
                _correct(current, report, table, edited)
            if st.button("Undo the last change", disabled=not current.before, icon=":material/undo:", key="undo"):
                reading.undo(current)
            questions.offer_settings()


def _correct(current: Reading, report: FileReport, table: str, edited: pd.DataFrame) -> None:
    """Read the files again with one of them corrected, or say what is wrong with the correction."""
    try:
        entry = corrected(report, table, edited)
    except TandemError as error:
        cards.problem(error)
    else:
        reading.again(current, current.settings.revised(mapping=current.settings.mapping | {report.file: entry}))


def changes(current: Reading) -> None:
    """What the last change did to columns and rows."""
    if not current.before:
        return
    answer = changes_answer(current.before.reports, current.reports)
    with st.container(border=True, key="changes_card"):
        st.subheader(answer.question, anchor=False)
        st.markdown(cards.plain(answer.sentence))
        for key, shown in (("columns", data_columns.CHANGED_COLUMNS), ("rows", data_columns.CHANGED_ROWS)):
            table = answer.tables[f"changed_{key}"]
            if len(table):
                st.dataframe(table, hide_index=True, column_config=shown, key=f"changed_{key}", alt=f"Changed {key}")
