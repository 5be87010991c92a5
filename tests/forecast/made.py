"""Stints written by hand, without files or engine."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpis.engine import NEVER
from kpis.pipeline.stints import Stages, Stints

WON, LOST, OPEN = "won", "lost", None
"""How a visit ended; any other text is the stage that was moved to."""


def made(
    deals: list[dict],
    visits: list[tuple],
    *,
    today: int,
    stages: tuple[str, ...] = ("Open",),
    history_start: int = -9999,
) -> Stints:
    """Stints of deals and visits.

    Parameters
    ----------
    deals
        ``created`` and, where it is over, ``closed`` and ``outcome`` (1 won, 2 lost); more columns as wanted.
    visits
        (deal, stage, entry, exit or None, how it ended), the days as whole numbers.
    """
    frame = pd.DataFrame(deals) if deals else pd.DataFrame({"created": np.zeros(0, dtype=np.int64)})
    for column, value in {
        "closed": NEVER, "outcome": 0, "amount": np.nan, "first_amount": np.nan, "list_price": np.nan,
        "expected_close": NEVER, "pushes": 0, "segment": None, "source": None, "owner": None, "product": None,
    }.items():  # fmt: skip
        given = frame[column] if column in frame else pd.Series([None] * len(frame))
        frame[column] = given if value is None else given.astype(float).fillna(value)
    for column in ("closed", "outcome", "expected_close", "pushes"):
        frame[column] = frame[column].astype("int64")
    for column in ("segment", "source", "owner", "product"):
        frame[column] = frame[column].astype("category")
    code = {name: k for k, name in enumerate((*stages, WON, LOST))}
    spells = pd.DataFrame(
        [
            (deal, code[stage], entry, NEVER if end is None else end, -1 if how is None else code[how], np.nan)
            for deal, stage, entry, end, how in visits
        ],
        columns=["deal", "stage", "entry", "exit", "cause", "amount"],
    ).astype(
        {"deal": "int64", "stage": "int64", "entry": "int64", "exit": "int64", "cause": "int64", "amount": "float64"}
    )
    return Stints(
        today=today,
        stages=Stages(stages, (True,) * len(stages)),
        deals=frame,
        spells=spells,
        undated=(0, 0.0),
        bookings=frame.loc[frame["outcome"] == 1, ["closed", "amount"]].fillna({"amount": 0.0}),
        history_start=history_start if len(stages) > 1 else -NEVER,
    )


def one_stage(lives: list[tuple], *, today: int) -> Stints:
    """Stints of one stage since creation: lives are (created, closed or None, 1 won or 2 lost)."""
    deals = [
        {"created": c, "closed": e if e is not None else NEVER, "outcome": o if e is not None else 0}
        for c, e, o in lives
    ]
    visits = [(k, "Open", c, e, None if e is None else (WON, LOST)[o - 1]) for k, (c, e, o) in enumerate(lives)]
    return made(deals, visits, today=today)
