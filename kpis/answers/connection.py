"""What is in a database: which tables are taken for those of the dictionary, and what they lack. No row is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.words import plural
from kpis.intake.corrections import tables
from kpis.intake.mapping import SURE, missing, named

MAIN = "opportunities"
"""The table without which there is no forecast."""


def connection_answer(place: str, there: Mapping[str, Sequence[str]], chosen: Mapping[str, str]) -> Answer:
    """Whether the chosen tables of a database can be read, judged by the names of their columns.

    Parameters
    ----------
    place
        What may be said of its address.
    there
        Table or view -> its columns.
    chosen
        Table of the dictionary -> the table or view that is taken for it.

    Tables: ``tables`` (table of the dictionary, what one row of it is, its name there, fields found, what it lacks).
    """
    rows = []
    for table, grain in tables().items():
        columns = there.get(chosen.get(table, ""))
        fields = named(columns or (), table)
        found = len({m.field for m in fields if m.confidence >= SURE}) if columns is not None else None
        lacks = ", ".join(missing(table, fields)) if columns is not None else ""
        rows.append((table, grain, chosen.get(table), found, lacks))
    listed = pd.DataFrame(rows, columns=["table", "grain", "there", "fields", "lacks"])
    return Answer(
        question="What is in the database?",
        sentence=_sentence(place, len(there), listed[listed["fields"].notna()]),
        tables={"tables": listed},
    )


def _sentence(place: str, there: int, known: pd.DataFrame) -> str:
    has = f"{place} has {plural(there, 'table or view', 'tables and views')}, and {len(known)} of them are chosen."
    if MAIN not in set(known["table"]):
        return f"{has} Say which holds the opportunities."
    lacking = [f"{row.table} lacks {row.lacks}" for row in known.itertuples() if row.lacks]
    return f"{has} {'; '.join(lacking)}." if lacking else f"{has} They have what is needed."
