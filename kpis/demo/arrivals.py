"""New opportunities: how many come on each day, and what they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from kpis.demo.calendar import Days
from kpis.demo.owners import TEAM_REGION, TEAM_SHARE, TEAMS
from kpis.demo.process import tidy
from kpis.demo.truth import SEGMENTS, SOURCES, TYPES, WEEK_CV, Truth, arrival_shape

SEGMENT_SHARE = np.array([0.50, 0.33, 0.17])
TYPE_SHARE = np.array([0.64, 0.19, 0.12, 0.05])

LEAD_SHARE = np.array([0.66, 0.10, 0.0, 0.30])
"""Share of each type that grew from a lead; the others were found by sales."""

# Where they come from, with a lead and without, in the order of SOURCES.
_SOURCE_OF_LEADS = np.array([0.19, 0.18, 0.10, 0.12, 0.10, 0.11, 0.08, 0.08, 0.04, 0.0])
_SOURCE_OF_OTHERS = np.array(
    [
        [0, 0, 0, 0, 0.06, 0, 0.14, 0.68, 0.12, 0],
        [0, 0, 0, 0, 0, 0, 0.04, 0.06, 0.04, 0.86],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 1.0],
        [0, 0, 0, 0, 0, 0, 0.06, 0.60, 0, 0.34],
    ]
)

SCORE_MEAN, SCORE_SD = 58.0, 15.0
"""Lead scores of opportunities; they count in the hazards."""

AMOUNT_MEDIAN = np.array([9_000.0, 27_000.0, 85_000.0])
AMOUNT_SD = np.array([0.60, 0.65, 0.72])
TYPE_FACTOR = np.array([1.0, 0.55, 0.90, 0.75])
TAIL_SHARE, TAIL_FACTOR, TAIL_ALPHA, TAIL_MOST = 0.04, 2.5, 1.8, 12.0
"""Some amounts are a Pareto multiple, bounded, of the segment's median instead."""

INSTANT_SHARE = np.array([0.012, 0.03, 0.10, 0.0])
"""Share of each type that is won on the day it is created: self-service and automatic renewals."""
INSTANT_FACTOR = 0.4


def everyday(truth: Truth, days: Days, day: np.ndarray, rng: np.random.Generator, draws: int = 1) -> np.ndarray:
    """Expected arrivals of each day with each week's noise, shape (draws, days)."""
    weeks, week = np.unique(days["week", day], return_inverse=True)
    k = 1 / WEEK_CV**2
    noise = rng.gamma(k, 1 / k, (draws, len(weeks)))
    return truth.level * arrival_shape(days, day, truth.first, truth.growth) * noise[:, week]


def draw(truth: Truth, day: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """What the opportunities created on the given days are: codes of their dimensions, amount, owner, ratios.

    ``score`` is -1 without a lead; ``instant`` marks those won on the day.
    """
    n = len(day)
    deals: dict[str, np.ndarray] = {"created": day}
    deals["type"] = rng.choice(len(TYPES), n, p=TYPE_SHARE)
    deals["segment"] = rng.choice(len(SEGMENTS), n, p=SEGMENT_SHARE)
    deals["team"] = rng.choice(len(TEAMS), n, p=TEAM_SHARE)
    deals["region"] = TEAM_REGION[deals["team"]]
    deals["owner"] = truth.owners.pick(deals["team"], day, rng)
    lead = rng.random(n) < LEAD_SHARE[deals["type"]]
    others = _pick_rows(_SOURCE_OF_OTHERS[deals["type"]], rng)
    deals["source"] = np.where(lead, rng.choice(len(SOURCES), n, p=_SOURCE_OF_LEADS), others)
    score = np.clip(np.round(rng.normal(SCORE_MEAN, SCORE_SD, n)), 1, 100)
    deals["score"] = np.where(lead, score, -1).astype(np.int64)
    deals["instant"] = rng.random(n) < INSTANT_SHARE[deals["type"]]
    deals["amount"] = _amounts(deals, rng)
    deals["forward"] = truth.ratios(deals, "forward")
    deals["lost"] = truth.ratios(deals, "lost")
    return deals


def as_json() -> dict[str, Any]:
    """The parameters above with labels, for ``truth.json``."""
    by_type = {name: i for i, name in enumerate(TYPES)}
    return {
        "segment_share": dict(zip(SEGMENTS, SEGMENT_SHARE.tolist(), strict=True)),
        "team_share": dict(zip(TEAMS, TEAM_SHARE.tolist(), strict=True)),
        "type_share": dict(zip(TYPES, TYPE_SHARE.tolist(), strict=True)),
        "lead_share": dict(zip(TYPES, LEAD_SHARE.tolist(), strict=True)),
        "source_of_leads": dict(zip(SOURCES, _SOURCE_OF_LEADS.tolist(), strict=True)),
        "source_of_others": {
            name: dict(zip(SOURCES, _SOURCE_OF_OTHERS[i].tolist(), strict=True)) for name, i in by_type.items()
        },
        "score": {"mean": SCORE_MEAN, "sd": SCORE_SD, "clip": [1, 100]},
        "amount": {
            "median": dict(zip(SEGMENTS, AMOUNT_MEDIAN.tolist(), strict=True)),
            "sd_log": dict(zip(SEGMENTS, AMOUNT_SD.tolist(), strict=True)),
            "type_factor": dict(zip(TYPES, TYPE_FACTOR.tolist(), strict=True)),
            "tail": {"share": TAIL_SHARE, "factor": TAIL_FACTOR, "alpha": TAIL_ALPHA, "most": TAIL_MOST},
        },
        "instant": {"share": dict(zip(TYPES, INSTANT_SHARE.tolist(), strict=True)), "amount_factor": INSTANT_FACTOR},
    }


def _amounts(deals: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Amounts at creation: lognormal by segment with a Pareto tail, scaled by type."""
    n, segment = len(deals["type"]), deals["segment"]
    body = np.exp(rng.normal(0, AMOUNT_SD[segment]))
    tail = np.minimum(TAIL_FACTOR * (1 + rng.pareto(TAIL_ALPHA, n)), TAIL_MOST)
    multiple = np.where(rng.random(n) < TAIL_SHARE, tail, body)
    instant = np.where(deals["instant"], INSTANT_FACTOR, 1.0)
    return tidy(AMOUNT_MEDIAN[segment] * multiple * TYPE_FACTOR[deals["type"]] * instant)


def _pick_rows(shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One column of each row, with the row's shares as chances."""
    return (rng.random((len(shares), 1)) >= np.cumsum(shares, axis=1)[:, :-1]).sum(axis=1)
