"""The uploader: files are read at once, since it forgets them."""

from __future__ import annotations

import streamlit as st

from ui import reading, state

TYPES = ("csv", "tsv", "txt", "xlsx", "parquet", "zip", "toml")
TEMPLATE = """\
opportunity_id,name,owner,stage,status,amount,created_at,expected_close,closed_at
1001,Acme - annual licence,Robin,Proposal,open,48000,2026-05-04,2026-09-30,
1002,Globex - pilot,Sam,Closed Won,won,12500,2026-03-16,,2026-06-22
1003,Initech - renewal,Robin,Closed Lost,lost,30000,2026-02-02,,2026-05-11
"""
"""The least that a forecast can start from, as an example to fill in."""

ROUND, SEEN = "upload round", "upload seen"


def receive() -> None:
    """Draw the uploader and read new files, or say why they cannot be used."""
    files = st.file_uploader(
        "CSV, XLSX, Parquet or a zip of them; several at once",
        TYPES,
        accept_multiple_files=True,
        key=f"files_{st.session_state.setdefault(ROUND, 0)}",
        help="Opportunities alone are enough. A history of stages, leads, spend and targets answer more questions. "
        "A settings file that you saved here applies by itself.",
    )
    seen = [file.file_id for file in files]
    if seen and seen != st.session_state.get(SEEN):
        st.session_state[SEEN] = seen
        reading.begin([(file.name, file.getvalue()) for file in files])
    reading.tell()
    if reading.now().error:
        st.page_link("pages/data/columns.py", label="Say what the columns are", icon=":material/view_column:")
    if not state.is_demo():
        st.button("Back to the demo company", on_click=_back_to_demo, icon=":material/undo:", key="back")


def _back_to_demo() -> None:
    """Show the demo company again (a callback); a new round empties the uploader."""
    st.session_state[ROUND] += 1
    reading.back_to_demo()
