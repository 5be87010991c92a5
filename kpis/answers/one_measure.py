"""One measure opened: what it can be broken down by, how its groups differ, and all of its numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.measures import SEED, groups_of, latest, rows_behind, spoken
from kpis.answers.outlook import Outlook
from kpis.answers.words import count
from kpis.dataset import Dataset
from kpis.errors import NotEnoughData
from kpis.measures.core.dimensions import DIMENSIONS, NOT_GIVEN
from kpis.measures.core.evaluate import LOW_SAMPLE, evaluate
from kpis.measures.core.runs import run_by
from kpis.measures.registry import find

OWN = "its own"
"""The breakdown of a measure that is shown by groups of its own, such as the stage."""


def dimensions(dataset: Dataset, name: str) -> tuple[str, ...]:
    """What the headline of a measure can be broken down by on this data; nothing is counted for it."""
    return tuple(by for by in DIMENSIONS if _reached(dataset, name, by))


def _reached(dataset: Dataset, name: str, by: str) -> bool:
    run = run_by(dataset, by, 1)
    try:
        headline = next(iter(find(name).declare(run.known).values()))
        scans = [scan.rows for scan in headline.scans()]
        for rows in scans:
            run.reducer.with_group(rows)
    except NotEnoughData:
        return False
    return bool(scans) and not any(rows.over for rows in scans)


def by_group(dataset: Dataset, name: str, by: str = "", *, periods: int = 8) -> Answer:
    """The groups of a measure in its latest whole period; by its own groups when no dimension is named.

    Table ``groups``: group, value, low, high, n, change, said, interval, low_sample; the highest value first.

    Raises
    ------
    NotEnoughData
        Where the measure has no value by this dimension.
    """
    one = evaluate(dataset, [name], by=by, periods=periods, rng=np.random.default_rng(SEED), parts=False)[0]
    k = latest(one)
    if k is None:
        raise NotEnoughData(one.status)
    part, grid = one.headline, one.headline.grid
    table = pd.DataFrame(
        {
            "group": grid.groups,
            "value": grid.value[:, k],
            "low": grid.low[:, k],
            "high": grid.high[:, k],
            "n": grid.n[:, k],
            "change": part.change[:, k],
        }
    )
    table = table[np.isfinite(table["value"])].sort_values("value", ascending=False, ignore_index=True)
    table["said"] = [spoken(value, part.unit, dataset.currency) for value in table["value"]]
    table["low_sample"] = part.sampled & (table["n"] < LOW_SAMPLE)
    label = one.periods[k].label
    return Answer(
        question=f"{one.measure.title} by {groups_of(part)} in {label}",
        sentence=_sentence(table, label),
        tables={"groups": table},
        document={"measure": name, "by": groups_of(part), "period": label, "unit": part.unit},
    )


def _sentence(table: pd.DataFrame, label: str) -> str:
    named = table[table["group"] != NOT_GIVEN]
    if len(named) < 2:
        return f"There is only one group in {label}."
    top, bottom = named.iloc[0], named.iloc[-1]
    said = f"{label}: {_of(top)} is highest, {_of(bottom)} lowest."
    if np.isfinite([top["low"], bottom["high"]]).all() and top["low"] <= bottom["high"]:
        said += " Their intervals overlap: chance alone can make such a difference."
    return said


def _of(row: pd.Series) -> str:
    n = "" if row["n"] == row["value"] else f", n {count(row['n'])}"
    return f"{row['group']} ({row['said']}{n})"


def all_numbers(dataset: Dataset, name: str, *, outlook: Outlook | None = None, periods: int = 8) -> Answer:
    """Every part of a measure by period: the headline first, then what stands beside it.

    Tables: ``said`` (one row a part and group, one column a period, in words; what has no value says why) and
    ``numbers`` (tidy and unrounded).
    """
    from kpis.answers.measures import measure

    answer = measure(dataset, [name], periods=periods, outlook=outlook)
    tidy = answer.tables.get(name, pd.DataFrame(columns=["part", "group", "period", "value"]))
    rows = []
    for (part, group), one in tidy.groupby(["part", "group"], sort=False):
        known = one["value"].notna().any()
        words = [spoken(v, u, dataset.currency) for v, u in zip(one["value"], one["unit"], strict=True)]
        row = {"part": part.replace("_", " "), "group": group, **dict(zip(one["period"], words, strict=True))}
        rows.append(row | {"reason": "" if known else one["reason"].iloc[-1]})
    return Answer(
        question=f"All numbers of {find(name).title.lower()}",
        sentence=answer.sentence,
        tables={"said": pd.DataFrame(rows), "numbers": tidy},
        notes=answer.notes,
        document=answer.document,
    )


def rows_of(
    dataset: Dataset, name: str, period: str, *, by: str = "", group: str | None = None, limit: int = 1000
) -> pd.DataFrame:
    """The rows behind the headline in a period (and group), without the whole-number twins of dates.

    Raises
    ------
    NotEnoughData
        Where the measure has no rows of its own.
    """
    rows = rows_behind(dataset, name, by=by, group=group, period=period, limit=limit)
    twins = [f"{column}_n" for column in rows if f"{column}_n" in rows]
    return rows.drop(columns=twins)
