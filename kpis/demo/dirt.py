"""Dirty rows, as real exports have them, and an account of each so that intake can be held to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from kpis.demo.truth import STAGES

SHARE = 0.0005
"""Of each sort of dirt, as a share of the rows; at least two rows."""
VARIANT_SHARE = 0.005
UNKNOWN_STAGE = "Verbal agreement"


def soil(tables: dict[str, pd.DataFrame], rng: np.random.Generator) -> dict[str, dict[str, dict[str, Any]]]:
    """Make ``tables`` dirty in place; returns table -> sort of dirt -> number of rows and their ids.

    No opportunity gets two sorts. Copies stand right after their original and add to the rows; everything
    else changes a row. History keeps the truth, but for the amounts of opportunities without one.
    """
    opportunities, of_opportunities = _opportunities(tables["opportunities"].copy(), rng)
    leads, of_leads = _leads(tables["leads"].copy(), rng)
    history = tables["opportunity_history"]
    blank = history["opportunity_id"].isin(of_opportunities["open without amount"]["ids"])
    history = history.assign(amount=history["amount"].where(~blank))
    tables |= {"opportunities": opportunities, "leads": leads, "opportunity_history": history}
    return {"opportunities": of_opportunities, "leads": of_leads}


def _opportunities(frame: pd.DataFrame, rng: np.random.Generator) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
    few = max(2, round(SHARE * len(frame)))
    some = max(2, round(VARIANT_SHARE * len(frame)))
    is_open = frame["status"] == "open"
    took_time = frame["closed_at"].notna() & (frame["closed_at"] > frame["created_at"])
    take = _Taker(frame, "opportunity_id", rng)

    rows = take("closed before created", took_time, few)
    frame.loc[rows, ["created_at", "closed_at"]] = frame.loc[rows, ["closed_at", "created_at"]].to_numpy()
    frame.loc[take("open without amount", is_open, few), "amount"] = np.nan
    rows = take("negative amount", took_time, few)
    frame.loc[rows, "amount"] *= -1
    rows = take("date that does not exist", ~is_open, few)
    frame.loc[rows, "created_at"] = frame.loc[rows, "created_at"].str[:4] + "-02-30"
    frame.loc[take("closed without a date", took_time, few), "closed_at"] = None
    frame.loc[take("unknown stage", is_open, few), "stage"] = UNKNOWN_STAGE
    frame.loc[take("closed in an open stage", took_time, few), "stage"] = STAGES[1]
    rows = take("category in other spelling", frame["status"].notna(), some)
    for column, spell in (
        ("segment", str.lower),
        ("region", lambda text: f" {text.lower()}"),
        ("source", lambda text: f"{text} "),
    ):
        third = rows[["segment", "region", "source"].index(column) :: 3]
        frame.loc[third, column] = frame.loc[third, column].map(spell)
    rows = take("product in other spelling", frame["product"].str.contains(" "), few)
    frame.loc[rows, "product"] = frame.loc[rows, "product"].str.replace(" ", "")

    same = frame.loc[take("exact duplicate", took_time, few)]
    other = frame.loc[take("duplicate id, other content", is_open, few)]
    other = other.assign(amount=other["amount"] * 0.9, next_step="Copied by hand")
    nameless = frame.loc[take("blank id", took_time, few)].assign(opportunity_id=None)
    return _insert(frame, same, other, nameless), take.account


def _leads(frame: pd.DataFrame, rng: np.random.Generator) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
    few = max(2, round(SHARE * len(frame)))
    take = _Taker(frame, "lead_id", rng)
    anyone = frame["lead_id"].notna()
    rows = take("category in other spelling", anyone, max(2, round(VARIANT_SHARE * len(frame))))
    frame.loc[rows, "channel"] = frame.loc[rows, "channel"].map(lambda text: f"{text.lower()} ")
    return _insert(frame, frame.loc[take("exact duplicate", anyone, few)]), take.account


class _Taker:
    """Hands out rows at random, each once, and keeps the account."""

    def __init__(self, frame: pd.DataFrame, key: str, rng: np.random.Generator) -> None:
        self.key = frame[key]
        self.free = rng.permutation(len(frame))
        self.account: dict[str, dict[str, Any]] = {}

    def __call__(self, sort: str, fits: pd.Series, count: int) -> np.ndarray:
        rows = self.free[fits.to_numpy()[self.free]][:count]
        self.free = self.free[~np.isin(self.free, rows)]
        self.account[sort] = {"rows": len(rows), "ids": sorted(self.key.iloc[rows])}
        return np.sort(rows)


def _insert(frame: pd.DataFrame, *copies: pd.DataFrame) -> pd.DataFrame:
    """Put copies right after the rows whose index they bear."""
    return pd.concat([frame, *copies]).sort_index(kind="stable").reset_index(drop=True)
