"""Charts as office programs draw them: stacked bars, and heat maps as shaded cells."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from kpis.charts.changes import MEANING
from kpis.charts.landing import STEPS, TOTAL
from kpis.charts.style import PARTS
from kpis.forecast.contest import MODEL
from kpis.report.section import Bars

PART_NAMES = {"won": "Won", "open": "From open deals", "not yet created": "Not yet created", "target": "Target"}
"""What the colours of a landing stand for, in an order that stacks."""


def landing_bars(parts: pd.DataFrame) -> Bars:
    """One period's landing step by step, as its chart draws it."""
    amount = [float(parts.loc[parts["part"] == part, "amount"].sum()) for part in PARTS]
    below = [sum(amount[:k]) for k in range(len(PARTS))]
    rows = {STEPS[part]: [below[k], *(a if j == k else 0.0 for j, a in enumerate(amount)), 0.0]
            for k, part in enumerate(PARTS)}  # fmt: skip
    rows[TOTAL] = [0.0, *amount, 0.0]
    target = parts["target"].astype(float).max()
    if pd.notna(target):
        rows["Target"] = [0.0] * 4 + [target]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["", *PART_NAMES.values()])
    return _bars(table, (None, *PART_NAMES), "money")


def landings_bars(parts: pd.DataFrame) -> Bars:
    """Each period's landing above its target."""
    rows = {}
    for period, these in parts.groupby("period", sort=False):
        rows[f"{period} expected"] = [*(float(these.loc[these["part"] == p, "amount"].sum()) for p in PARTS), 0.0]
        target = these["target"].astype(float).max()
        if pd.notna(target):
            rows[f"{period} target"] = [0.0, 0.0, 0.0, target]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(PART_NAMES.values()))
    return _bars(table, tuple(PART_NAMES), "money")


def month_bars(table: pd.DataFrame) -> Bars:
    """Opportunities by month: created, and expected on top."""
    wide = table.pivot_table(index="month", columns="part", values="opportunities", aggfunc="sum", fill_value=0.0)
    wide = wide.reindex(columns=["created", "not yet created"], fill_value=0.0)
    wide.index = [f"{month:%b %y}" for month in wide.index]
    wide.columns = ["Created", "Not yet created"]
    return _bars(wide, ("open", "not yet created"), "count", upright=True)


def change_bars(steps: pd.DataFrame) -> Bars:
    """The pipeline's waterfall: what lifts a bar is not drawn."""
    names = {"open": "Open, or coming in", "won": "Won", "warning": "Leaving otherwise"}
    meaning = steps["kind"].map(MEANING).fillna("open")
    size = steps["high"] - steps["low"]
    columns = {"": steps["low"], **{said: size.where(meaning == key, 0.0) for key, said in names.items()}}
    return _bars(pd.DataFrame(columns).set_index(pd.Index(steps["step"])), (None, *names), "money")


def error_bars(scores: pd.DataFrame) -> Bars:
    """Error of each method, the smallest first."""
    rows = scores.dropna(subset=["wape"]).sort_values("wape")
    mine, error = (rows["method"] == MODEL).to_numpy(), rows["wape"].astype(float).to_numpy()
    table = pd.DataFrame({"This model": error * mine, "Simple rule": error * ~mine}, index=list(rows["method"]))
    return _bars(table, ("open", "past"), "share")


def grid(counts: pd.DataFrame) -> pd.DataFrame:
    """New opportunities by month of creation (rows) and months until their close."""
    wide = counts.pivot_table(
        index="month", columns="months_to_close", values="opportunities", aggfunc="sum", fill_value=0.0
    )
    wide.index = [f"{month:%b %Y}" for month in wide.index]
    return wide


def _bars(table: pd.DataFrame, meanings: Sequence[str | None], unit: str, *, upright: bool = False) -> Bars:
    """Bars without the parts that no bar has."""
    there = table.fillna(0.0).ne(0).any()
    kept = [meaning for meaning, some in zip(meanings, there, strict=True) if some]
    return Bars(table.loc[:, there], tuple(kept), unit, upright)
