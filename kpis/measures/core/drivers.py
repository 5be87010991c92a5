"""What the leads that leave have in common: the rate of each attribute's values beside that of all others."""

from __future__ import annotations

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from scipy import stats

from kpis.errors import NotEnoughData
from kpis.measures.core.experiment import ALPHA, holm, lift_of
from kpis.measures.core.rows import Rows, Scan
from kpis.measures.core.runs import Run

ATTRIBUTES = ("channel", "source_group", "campaign_id", "asset_id", "persona", "industry", "country", "score")
FEWEST = 20
"""Leads a value needs to be looked at."""

COLUMNS = (
    "attribute",
    "value",
    "leads",
    "left",
    "share",
    "share_of_others",
    "lift",
    "low",
    "high",
    "p_value",
    "corrected",
    "tells",
)


def drivers(run: Run, leads: Rows) -> pd.DataFrame:
    """One row a value of an attribute, the strongest first; columns COLUMNS.

    Only leads that have had the agreed time to leave. ``corrected`` is Fisher's exact p-value after Holm's correction
    for all the values looked at, ``tells`` whether it is below 5 %. A score is taken by thirds.

    Parameters
    ----------
    leads
        Leads on the day they were created, with ``leak_day``.
    """
    known = run.known
    old = leads.where(nw.col(leads.day) <= known.today - known.definitions.silent_after_days)
    old = old.flag(has_left=~nw.col("leak_day").is_null())
    there = [name for name in ATTRIBUTES if known.has("leads", name)]
    found = [part for part in (_counted(run, old, name) for name in there) if len(part) > 1]
    if not found:
        raise NotEnoughData(
            "needs leads with attributes, old enough to have left", way_out="Add channel, persona or industry of leads"
        )
    table = pd.concat(found, ignore_index=True)
    total = table.groupby("attribute")[["leads", "left"]].transform("sum")
    table = table[(table["leads"] >= FEWEST) & (total["leads"] - table["leads"] >= FEWEST)]
    return _compared(table, total.loc[table.index])


def _counted(run: Run, leads: Rows, attribute: str) -> pd.DataFrame:
    """Leads, and those that left, by value of an attribute in the periods asked for."""
    if attribute == "score":
        table = run.reducer.run(Scan(leads, ("rows", "has_left"), ("score",))).table
        table = table[(table["p"] >= 0) & table["score"].notna()].groupby("score")[["rows", "has_left"]].sum()
        middle = (table["rows"].cumsum() - table["rows"] / 2) / table["rows"].sum()
        names = np.array(["lowest third", "middle third", "highest third"])
        label = names[np.minimum((3 * middle.to_numpy()).astype(int), 2)]
    else:
        reduced = run.reducer.run(Scan(leads.by(attribute), ("rows", "has_left")))
        table = reduced.table[reduced.table["p"] >= 0]
        label = np.array(reduced.groups, dtype=object)[table["g"].to_numpy()]
    counted = table.groupby(label)[["rows", "has_left"]].sum().reset_index(names="value")
    return counted.rename(columns={"rows": "leads", "has_left": "left"}).assign(attribute=attribute.removesuffix("_id"))


def _compared(table: pd.DataFrame, total: pd.DataFrame) -> pd.DataFrame:
    others = total["leads"] - table["leads"], total["left"] - table["left"]
    lift, low, high = lift_of(*(x.to_numpy() for x in (table["left"], table["leads"], others[1], others[0])))
    pairs = zip(table["left"], table["leads"], others[1], others[0], strict=True)
    p = np.array([stats.fisher_exact([[a, n - a], [b, m - b]]).pvalue for a, n, b, m in pairs])
    corrected = holm(p)
    table = table.assign(
        share=table["left"] / table["leads"], share_of_others=others[1] / others[0], lift=lift, low=low, high=high,
        p_value=p, corrected=corrected, tells=corrected < ALPHA,
    )  # fmt: skip
    return table[list(COLUMNS)].sort_values(["corrected", "p_value"], ignore_index=True)
