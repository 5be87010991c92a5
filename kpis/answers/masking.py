"""A dataset in which nobody is named: people, teams, accounts and deals go by a word and a number.

The names are replaced in the tables, before anything is computed from them, so no table, chart, sentence, choice or
download that comes after can hold one. Ids of opportunities and leads stay: they find the deal again in the CRM.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256

import narwhals.stable.v2 as nw
import pandas as pd

from kpis.dataset import Dataset
from kpis.engine import Cursor, collect
from kpis.schema import TABLES

WORDS = {
    "owner": ("Owner",),
    "owner_id": ("Owner",),
    "assessor": ("Owner",),
    "team": ("Team",),
    "account_id": ("Account",),
    "scope": ("Owner", "Team"),
}
"""What stands in for the values of a column, in whichever table it is.

Many exports know an account by its name only, so its id is masked too. A target may be for a seller or a team; any
other scope (company, region, segment) stays.
"""

TOLD_APART_BY = {
    ("opportunities", "name"): ("Deal", "opportunity_id"),
    ("accounts", "name"): ("Account", "account_id"),
    ("owners", "name"): ("Owner", "name"),
}
"""Names, which need not be unique: what stands in for them, and the column that tells them apart."""

FREE_TEXT = {("opportunities", "next_step")}
"""Written by hand, so it may name anybody."""

MASKED = "masked"


@dataclass(frozen=True)
class _Column:
    """A column to mask: its table and name, what stands in for its values, and the column that tells them apart."""

    table: str
    name: str
    words: tuple[str, ...]
    by: str


def masked(dataset: Dataset) -> Dataset:
    """The same dataset with names masked, the same name by the same word and number in every table.

    The numbers follow from the names and the data, in no order that says anything. The masked tables lie beside the
    named ones in the engine and take their memory once more.
    """
    engine, columns = dataset.engine.layer(MASKED), tuple(_columns(dataset))
    for word in sorted({word for column in columns for word in column.words}):
        engine.register(_labels(word), _numbered(dataset, columns, word))
    for table in sorted({column.table for column in columns}):
        here = [column for column in columns if column.table == table]
        engine.store(table, lambda cursor, table=table, here=here: _mask(cursor, table, here))
    fingerprint = sha256(f"{dataset.fingerprint} {MASKED}".encode()).hexdigest()
    return replace(dataset, engine=engine, fingerprint=fingerprint, part="certain rows" if dataset.part else "")


def _columns(dataset: Dataset) -> Iterator[_Column]:
    """Every column of the dataset that may name somebody."""
    for table in dataset.present:
        for name in TABLES[table].names:
            if (table, name) in TOLD_APART_BY:
                word, by = TOLD_APART_BY[table, name]
                yield _Column(table, name, (word,), by)
            elif name in WORDS:
                yield _Column(table, name, WORDS[name], name)
            elif (table, name) in FREE_TEXT:
                yield _Column(table, name, (), name)


def _labels(word: str) -> str:
    """Name of the table that holds the labels of a word."""
    return f"labels_{word.lower()}"


def _numbered(dataset: Dataset, columns: tuple[_Column, ...], word: str) -> pd.DataFrame:
    """``value`` and ``label``: each value that the word stands in for, and what is said instead."""
    cursor, found = dataset.engine.cursor(), set()
    for table, by in {(column.table, column.by) for column in columns if column.words == (word,)}:
        frame = cursor.frame(table).select(by).filter(~nw.col(by).is_null()).unique([by])
        found |= set(collect(frame, {by: "text"})[by])
    values = sorted(found, key=lambda value: sha256(f"{dataset.fingerprint} {value}".encode()).digest())
    labels = [f"{word} {n}" for n in range(1, len(values) + 1)]
    return pd.DataFrame({"value": values, "label": labels}, dtype="str")


def _mask(cursor: Cursor, table: str, columns: list[_Column]) -> nw.LazyFrame:
    """The table with its names replaced."""
    frame = cursor.frame(table)
    order, said = frame.columns, {}
    for column in columns:
        tried = []
        for word in column.words:
            tried.append(f"{column.name} as {word}")
            labels = cursor.frame(_labels(word)).select(**{column.by: nw.col("value"), tried[-1]: nw.col("label")})
            frame = frame.join(labels, on=column.by, how="left")
        stays = [nw.col(column.name)] if len(tried) > 1 else [nw.lit(MASKED)]
        said[column.name] = nw.when(~nw.col(column.name).is_null()).then(nw.coalesce(*map(nw.col, tried), *stays))
    return frame.with_columns(**said).select(*order)
