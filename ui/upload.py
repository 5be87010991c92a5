"""The uploader: files are read at once, since it forgets them."""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ui import questions, reading, state

TYPES = ("csv", "tsv", "txt", "xlsx", "parquet", "zip", "toml")
TEMPLATE = """\
opportunity_id,name,owner,stage,status,amount,created_at,expected_close,closed_at
1001,Acme - annual licence,Robin,Proposal,open,48000,2026-05-04,2026-09-30,
1002,Globex - pilot,Sam,Closed Won,won,12500,2026-03-16,,2026-06-22
1003,Initech - renewal,Robin,Closed Lost,lost,30000,2026-02-02,,2026-05-11
"""
"""The least that a forecast can start from, as an example to fill in."""

ROUND, SEEN = "upload round", "upload seen"
REPLACE, GO_ON = "Replace these data", "Add as a later export"


def receive() -> None:
    """Draw the uploader and read new files, or say why they cannot be used."""
    adds = _asked() == GO_ON
    files = st.file_uploader(
        "CSV, XLSX, Parquet or a zip of them; several at once",
        TYPES,
        accept_multiple_files=True,
        key=f"files_{st.session_state.setdefault(ROUND, 0)}",
        help="Opportunities alone are enough. A history of stages, leads, spend and targets answer more questions. "
        "A settings file that you saved here applies by itself.",
    )
    seen, before = [file.file_id for file in files], st.session_state.get(SEEN, [])
    if seen and seen != before:
        st.session_state[SEEN] = seen
        # The uploader goes on listing what is loaded already.
        new = [(file.name, file.getvalue()) for file in files if not adds or file.file_id not in before]
        if adds and new:
            reading.go_on(new)
        elif not adds:
            reading.begin(new)
    _let_go(seen)
    questions.tell()
    if reading.now().error:
        st.page_link("pages/data/columns.py", label="Say what the columns are", icon=":material/view_column:")
    if not state.is_demo():
        st.button("Back to the demo company", on_click=_back_to_demo, icon=":material/undo:", key="back")


def _let_go(listed: Collection[str]) -> None:
    """Forget the bytes of files that the uploader lists no more: Streamlit would keep them as long as the session."""
    context = get_script_run_ctx()
    there = context.uploaded_file_mgr.file_storage.get(context.session_id, {})
    for file in there.keys() - set(listed):
        context.uploaded_file_mgr.remove_file(context.session_id, file)


def _asked() -> str:
    """What is to become of the data that are shown; asked where a later export can be added to them."""
    if not reading.goes_on():
        return REPLACE
    reach = f"{state.intake().dataset.newest:%d %b %Y}"
    return st.radio(
        "Your next files",
        (REPLACE, GO_ON),
        captions=(
            "The pages then rest on the new files alone.",
            f"The same tables, exported after {reach}. What changed becomes history; former files are not read again.",
        ),
        key="next_files",
    )


def _back_to_demo() -> None:
    """Show the demo company again (a callback); a new round empties the uploader."""
    st.session_state[ROUND] += 1
    reading.back_to_demo()
