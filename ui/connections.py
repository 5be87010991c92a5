"""Data from a database: what is in it, which table is which, and how much may be asked of it at once.

Only databases that whoever runs the app has named in its secrets are offered, and where people sign in, to those whom
the entry names. An address that a visitor typed would be opened by the server, with the server's reach and its secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from kpis.addresses import DRIVERS, shown
from kpis.answers.connection import MAIN, connection_answer
from kpis.intake import databases
from kpis.settings import Connection, Settings
from ui import data_columns, reading, sign_in, workspaces
from ui.cards import plain

SECRETS, THERE = "connections", "database tables"


def draw() -> None:
    """Choose a database, see what is in it, say which table is which, read it; nothing where none is offered."""
    offered = _offered()
    if not offered:
        return
    with st.container(border=True, key="database"), workspaces.told():
        st.subheader("From a database", anchor=False)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            name = st.selectbox("Database", offered, key="database_name", width=320)
            asked = st.button("See what is in it", icon=":material/search:", key="look")
        if asked:
            _look(name, offered[name])
        looked, there = st.session_state.get(THERE, (None, {}))
        if looked == name:
            _choose(offered[name], there)


def _offered() -> dict[str, Mapping[str, Any]]:
    """The databases that the secrets name under [connections], each with its url, for this person."""
    named = st.secrets.get(SECRETS, {}) if st.secrets.load_if_toml_exists() else {}
    return {name: entry for name, entry in named.items() if _is_database(entry) and _may_read(entry)}


def _is_database(entry: object) -> bool:
    return isinstance(entry, Mapping) and str(entry.get("url")).partition("://")[0].partition("+")[0] in DRIVERS


def _may_read(entry: Mapping[str, Any]) -> bool:
    return not sign_in.is_asked() or workspaces.person() in {name.strip().lower() for name in entry.get("people", ())}


def _settings(entry: Mapping[str, Any]) -> Connection:
    """What the secrets say of a database's tables and limits."""
    said = {name: entry[name] for name in Connection.model_fields if name in entry}
    return Settings().revised(connection=said).connection


def _look(name: str, entry: Mapping[str, Any]) -> None:
    st.session_state.pop(THERE, None)
    with st.spinner("Looking"):
        st.session_state[THERE] = name, databases.look(entry["url"], _settings(entry))


def _choose(entry: Mapping[str, Any], there: Mapping[str, tuple[str, ...]]) -> None:
    """Which table is which, what that lacks, how much one query may give and take, and the button that reads."""
    settings, place = _settings(entry), shown(entry["url"])
    begun = connection_answer(place, there, databases.proposed(there) | settings.tables).tables["tables"]
    edited = st.data_editor(
        begun[["table", "there", "grain"]], hide_index=True, disabled=["table", "grain"], placeholder="",
        column_config=data_columns.database(list(there)), key=f"tables_of_{place}",
    )  # fmt: skip
    chosen = {row.table: row.there for row in edited.dropna(subset="there").itertuples()}
    st.markdown(plain(connection_answer(place, there, chosen).sentence))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        rows = st.number_input(
            "Rows a query may give", 1, None, settings.rows, 100_000, key="database_rows", width=240,
            help=Connection.model_fields["rows"].description,
        )  # fmt: skip
        seconds = st.number_input(
            "Seconds a query may take", 1, None, settings.seconds, 30, key="database_seconds", width=240,
            help=Connection.model_fields["seconds"].description,
        )  # fmt: skip
        if st.button("Read these tables", icon=":material/database:", disabled=MAIN not in chosen, key="read_database"):
            reading.connect(entry["url"], Connection(tables=chosen, rows=rows, seconds=seconds))
