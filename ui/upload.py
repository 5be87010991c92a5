"""Uploads: files are read at once, since the uploader forgets them, and what was read stays in the session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

import streamlit as st

from kpis.errors import TandemError
from kpis.intake import Intake, read
from ui import levers, state
from ui.cards import problem

TYPES = ("csv", "tsv", "txt", "xlsx", "parquet", "zip")
TEMPLATE = """\
opportunity_id,name,owner,stage,status,amount,created_at,expected_close,closed_at
1001,Acme - annual licence,Robin,Proposal,open,48000,2026-05-04,2026-09-30,
1002,Globex - pilot,Sam,Closed Won,won,12500,2026-03-16,,2026-06-22
1003,Initech - renewal,Robin,Closed Lost,lost,30000,2026-02-02,,2026-05-11
"""
"""The least that a forecast can start from, as an example to fill in."""

ROUND, SEEN, FAILED, NEXT = "upload round", "upload seen", "upload failed", "upload next"


def receive() -> None:
    """Draw the uploader and read new files, or say why they cannot be used."""
    files = st.file_uploader(
        "CSV, XLSX, Parquet or a zip of them; several at once",
        TYPES,
        accept_multiple_files=True,
        key=f"files_{st.session_state.setdefault(ROUND, 0)}",
        help="Opportunities alone are enough. A history of stages, leads, spend and targets answer more questions.",
    )
    seen = [file.file_id for file in files]
    if seen and seen != st.session_state.get(SEEN):
        st.session_state[SEEN] = seen
        _read([(file.name, file.getvalue()) for file in files])
    if seen and FAILED in st.session_state:
        problem(TandemError(**st.session_state[FAILED]))
    if not state.is_demo():
        st.button("Back to the demo company", on_click=_back_to_demo, icon=":material/undo:", key="back")


def show_next() -> None:
    """Show what was read on every page; after the levers, which the run before the change puts back.

    A lever in the address was set for the data before. It leaves the address only as the lever is drawn on its
    default once more, and would otherwise be taken for a value of the new data.
    """
    if NEXT in st.session_state:
        state.use(st.session_state.pop(NEXT))
        st.rerun()


def _back_to_demo() -> None:
    """Show the demo company again (a callback); a new round empties the uploader."""
    levers.reset()
    st.session_state[ROUND] += 1
    st.session_state[NEXT] = None


def _read(files: Sequence[tuple[str, bytes]]) -> None:
    """Read files with their progress; what the session showed before stays when they cannot be used."""
    st.session_state.pop(FAILED, None)
    bar = st.progress(0.0, "Reading")
    try:
        found = read(files, progress=lambda share, text: bar.progress(min(share, 1.0), text))
    except TandemError as error:
        st.session_state[FAILED] = {"problem": error.problem, "place": error.place, "way_out": error.way_out}
    else:
        st.session_state[NEXT] = replace(found, dataset=replace(found.dataset, name=_name(found, len(files))))
        levers.reset()
    finally:
        bar.empty()


def _name(found: Intake, n: int) -> str:
    """The file that holds the opportunities, and how many came with it."""
    main = next((report.file for report in found.files if report.table == "opportunities"), found.files[0].file)
    more = f" and {n - 1} more" if n > 1 else ""
    return f"{PurePath(main).stem}{more}"
