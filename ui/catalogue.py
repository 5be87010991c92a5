"""The catalogue's tables: one a list of KPIs, and the entry that is chosen with a link to where it is shown."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from ui import cards
from ui.cards import plain, small

column = st.column_config
PAGES = {
    "IDC-": "pages/measures/scorecard.py",
    "SIX-": "pages/measures/alignment.py",
    "HEINZ-1": "pages/meeting/pipeline.py",
    "HEINZ-2": "pages/meeting/coverage.py",
    "HEINZ-3": "pages/meeting/creation.py",
    "SALES-": "pages/measures/sales.py",
    "MKTG-": "pages/measures/marketing.py",
    "FUNNEL-1.": "pages/measures/lead_generation.py",
    "FUNNEL-2.": "pages/measures/lead_management.py",
    "FUNNEL-3.": "pages/measures/closing.py",
    "FUNNEL-4.": "pages/measures/retention.py",
}
"""How the ids begin that a page shows."""

COLUMNS = {
    "id": column.TextColumn("Id"),
    "name": column.TextColumn("Name", width=280),
    "said": column.TextColumn("On this data", width=210),
    "needs": column.TextColumn("Needs", width="large"),
}


def page_of(identifier: str) -> str:
    """Where a KPI is shown."""
    return next(path for begins, path in PAGES.items() if identifier.startswith(begins))


def table(article: str, entries: pd.DataFrame) -> None:
    """A list of KPIs, and below it the chosen one."""
    key = f"catalogue_{entries['id'].iloc[0].split('-')[0]}"
    cards.table(
        article, entries, key, COLUMNS, says=f"KPIs of {article}: what each is, its latest value and what it needs",
        height="content", on_pick=lambda: None,
    )  # fmt: skip
    chosen = st.session_state[key].selection.rows
    if not chosen or chosen[0] >= len(entries):
        return
    entry = entries.iloc[chosen[0]]
    path = page_of(entry["id"])
    with st.container(border=True, key=f"{key}_chosen"):
        st.markdown(f"**{plain(entry['title'])}**  \n{plain(entry['definition'])}")
        st.markdown(small(plain(f"Formula: {entry['formula']}")) + "  \n" + small(plain(f"Needs: {entry['needs']}")))
        query = {"measure": entry["measure"]} if "measures" in path else None
        st.page_link(path, label=f"Open {plain(entry['name'])}", icon=":material/arrow_forward:", query_params=query)
