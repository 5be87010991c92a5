"""Deals differ: covariates known at creation, and the few classes that carry their hazard ratios."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from kpis.pipeline.stints import LOST, OPEN, WON

SHRINKAGE = 12.0
"""Events that pull a level's hazard ratio towards 1."""

MIN_EVENTS = 30
"""A covariate with fewer exits of known level is left out."""

MIN_WINS = 100
"""With fewer wins only the amount band is used."""

COVARIATES = ("segment", "source", "owner")
"""Dimensions beside the amount band."""

EMPTY_GAP = 0.10
"""A field is filled in or emptied at the close when its share of empty values differs by more than this."""

MIN_COMPARED = 20
RECENT = 728

DIRECTIONS, SPEEDS = 6, 4
"""Quantiles of log fw - log lost, and inside each of log fw + log lost."""


@dataclass(frozen=True)
class Covariate:
    """Levels of one dimension: ``code[d]`` is the level of deal d, ``labels`` name the levels."""

    name: str
    code: np.ndarray
    labels: tuple[str, ...]


def amount_band(first_amount: np.ndarray) -> Covariate:
    """Quintiles of the amount at creation, with a level 0 for no amount."""
    known = np.isfinite(first_amount) & (first_amount > 0)
    if not known.any():
        return Covariate("amount", np.zeros(len(first_amount), dtype=np.int32), ("no amount",))
    edges = np.unique(np.quantile(first_amount[known], [0.2, 0.4, 0.6, 0.8]))
    code = np.where(known, np.searchsorted(edges, first_amount, side="left") + 1, 0)
    bounds = [f"up to {edges[0]:,.0f}", *(f"{a:,.0f} to {b:,.0f}" for a, b in pairwise(edges))]
    return Covariate("amount", code.astype(np.int32), ("no amount", *bounds, f"above {edges[-1]:,.0f}"))


def knows_the_outcome(empty: np.ndarray, deals: pd.DataFrame, today: int) -> bool:
    """Whether a field is empty markedly more or less often for deals of one outcome than of another.

    Such a field is written at the close, and its empty level would predict what it was written for.
    """
    recent = (deals["closed"] > today - RECENT).to_numpy()
    outcome = deals["outcome"].to_numpy()
    shares = [empty[recent & (outcome == k)] for k in (OPEN, WON, LOST)]
    compared = [float(share.mean()) for share in shares if len(share) >= MIN_COMPARED]
    return len(compared) > 1 and max(compared) - min(compared) > EMPTY_GAP


def covariates(deals: pd.DataFrame, events: np.ndarray, today: int) -> list[Covariate]:
    """The covariates the data can carry: known at creation, with enough events, and blind to the outcome.

    Parameters
    ----------
    deals
        As in Stints.
    events
        Number of counted exits of each deal.
    today
        Whole-number as-of day.
    """
    amount = deals["first_amount"].to_numpy()
    if knows_the_outcome(~(np.isfinite(amount) & (amount > 0)), deals, today):
        found = [Covariate("amount", np.zeros(len(deals), dtype=np.int32), ("amount only known at the close",))]
    else:
        found = [amount_band(amount)]
    if (deals["outcome"] == WON).sum() < MIN_WINS:
        return found
    for name in COVARIATES:
        column = deals[name]
        code = column.cat.codes.to_numpy().astype(np.int32) + 1
        if len(np.unique(code)) < 2 or events[code > 0].sum() < MIN_EVENTS:
            continue
        if knows_the_outcome(code == 0, deals, today):
            continue
        found.append(Covariate(name, code, ("(none)", *map(str, column.cat.categories))))
    return found


def profiles(found: list[Covariate]) -> tuple[list[Covariate], np.ndarray]:
    """The different deals there are: the levels that go together, and which of these profiles each deal has.

    Deals of one profile have one hazard ratio, and there are thousands of profiles where there are millions of deals.
    """
    shape = [len(c.labels) for c in found]
    unique, of_deal = np.unique(np.ravel_multi_index([c.code for c in found], shape), return_inverse=True)
    levels = np.unravel_index(unique, shape)
    return [Covariate(c.name, level, c.labels) for c, level in zip(found, levels, strict=True)], of_deal


def together(covariates: list[Covariate], ratios: list[np.ndarray]) -> np.ndarray:
    """Product of the ratios of all covariates, of each deal or profile."""
    total = np.ones(len(covariates[0].code))
    for covariate, ratio in zip(covariates, ratios, strict=True):
        total *= ratio[covariate.code]
    return total


def backfit(covariates: list[Covariate], observed: np.ndarray, expected: np.ndarray, ratios: list[np.ndarray]) -> None:
    """One pass over the covariates: set each level's ratio to (O + 12) / (E + 12), the others held.

    Parameters
    ----------
    observed, expected
        Exits of each deal or profile, and the cumulated baseline hazard it was exposed to.
    ratios
        Per covariate the ratio of each level; changed in place.
    """
    total = together(covariates, ratios)
    due_in_all = float((expected * total).sum())
    # The baseline weighs recent exits more; brought to the level of all exits, a change over time is no ratio.
    expected = expected * (observed.sum() / due_in_all if due_in_all > 0 else 1.0)
    for covariate, ratio in zip(covariates, ratios, strict=True):
        others = total / ratio[covariate.code]
        size = len(covariate.labels)
        seen = np.bincount(covariate.code, observed, size)
        due = np.bincount(covariate.code, expected * others, size)
        ratio[:] = (seen + SHRINKAGE) / (due + SHRINKAGE)
        total = others * ratio[covariate.code]


def classify(forward: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """Class of each deal: by direction (wins or loses) in six, inside it by speed in four."""
    direction = _quantile_code(np.log(forward) - np.log(lost), DIRECTIONS)
    speed = np.log(forward) + np.log(lost)
    code = np.zeros(len(forward), dtype=np.int64)
    for d in np.unique(direction):
        inside = direction == d
        code[inside] = d * SPEEDS + _quantile_code(speed[inside], SPEEDS)
    return np.unique(code, return_inverse=True)[1] if len(code) else code


def _quantile_code(values: np.ndarray, n: int) -> np.ndarray:
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    edges = np.unique(np.quantile(values, np.arange(1, n) / n))
    return np.searchsorted(edges, values, side="left").astype(np.int64)
