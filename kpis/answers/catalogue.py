"""The 72 KPIs: what each means, what it needs, and whether this data supports it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.measures import SEED, groups_of, latest, spoken
from kpis.answers.render import records
from kpis.answers.words import plural
from kpis.dataset import Dataset
from kpis.measures.core.evaluate import Result, evaluate
from kpis.measures.registry import catalogue

SEARCHED = ("id", "measure", "name", "title", "definition", "formula")


def catalogue_answer(dataset: Dataset) -> Answer:
    """Every id in the order of the articles, with its latest value or what it needs.

    Table ``catalogue``: article, id, measure, name, title, definition, formula, unit, needs (columns in words), said
    (the latest whole period's value, or what is missing), has_value.
    """
    found = {one.measure.name: one for one in evaluate(dataset, rng=np.random.default_rng(SEED), parts=False)}
    columns = ("article", *SEARCHED, "unit")
    rows = [
        {name: entry[name] for name in columns}
        | {"needs": _needs(entry), "said": _said(found[entry["measure"]], dataset.currency)}
        | {"has_value": latest(found[entry["measure"]]) is not None}
        for entry in catalogue()
    ]
    table = pd.DataFrame(rows)
    there = table.drop_duplicates("measure")["has_value"].sum()
    return Answer(
        question="Which KPIs are there, and which does this data support?",
        sentence=(
            f"{len(table)} KPIs of {table['article'].nunique()} lists, {plural(len(found), 'measure')}: "
            f"{there} have a value on this data."
        ),
        tables={"catalogue": table},
        document={"catalogue": records(table)},
    )


def _needs(entry: dict[str, list]) -> str:
    return "; or ".join(", ".join(way) for way in (entry["needs"], *entry["or_needs"]))


def _said(one: Result, currency: str) -> str:
    k = latest(one)
    if k is None:
        return one.status
    low = "" if one.status == "ok" else f", {one.status}"
    if one.headline.over:
        return f"by {groups_of(one.headline)}{low}"
    return f"{spoken(one.headline.grid.value[0, k], one.headline.unit, currency)} in {one.periods[k].label}{low}"


def matching(table: pd.DataFrame, words: str) -> pd.DataFrame:
    """The entries that hold every word in their id, name, definition or formula, whatever its case."""
    text = table[SEARCHED[0]].str.cat(table[list(SEARCHED[1:])], sep=" ").str.lower()
    found = np.ones(len(table), bool)
    for word in words.lower().split():
        found &= text.str.contains(word, regex=False).to_numpy()
    return table[found]
