"""Rates written by hand, and random ones."""

from __future__ import annotations

import numpy as np

from kpis.forecast.hazards import Hazards
from kpis.forecast.rates import CAP, Rates
from kpis.forecast.spells import EDGES
from tests.oracle.chance import ageing


def constant(won: list[float], lost: list[float], move: list[list[float]], *, longest: int = 30) -> Rates:
    """One class, hazards that do not change with the days in stage, no calendar; the last age has no end."""
    stages = len(won)
    spread = np.ones(longest)
    return Rates(
        won=np.array(won)[None, :, None] * spread,
        lost=np.array(lost)[None, :, None] * spread,
        move=np.array(move)[:, :, None] * spread,
        forward=np.ones((1, stages, longest)),
        calendar_won=np.ones(9),
        calendar_lost=np.ones(9),
        far=np.array([longest - 1.0]),
    )


def random_rates(seed: int, *, classes: int = 2, stages: int = 3, longest: int = 12, size: float = 0.2) -> Rates:
    """Hazards that change from day to day, moves between all stages, classes and a calendar.

    Up to three of the ages are bins of several days.
    """
    rng = np.random.default_rng(seed)
    bins = max(1, min(3, longest - 2))
    move = rng.uniform(0, size, (stages, stages, longest)) * ~np.eye(stages, dtype=bool)[:, :, None]
    return Rates(
        won=rng.uniform(0, size, (classes, stages, longest)),
        lost=rng.uniform(0, size, (classes, stages, longest)),
        move=move,
        forward=rng.uniform(0.5, 1.5, (classes, stages, longest)),
        calendar_won=rng.uniform(0.3, 2.5, 9),
        calendar_lost=rng.uniform(0.3, 2.5, 9),
        far=longest - bins + np.cumsum(rng.uniform(1, 9, bins)),
    )


def hazards(
    won: np.ndarray,
    lost: np.ndarray,
    move: np.ndarray,
    *,
    forward: tuple = (1.0,),
    losing: tuple = (1.0,),
    deals: int = 0,
) -> Hazards:
    """Hazards by age bin (S, 19), (S, S, 19), without calendar."""
    return Hazards(
        won=won,
        lost=lost,
        move=move,
        calendar_won=np.ones(9),
        calendar_lost=np.ones(9),
        forward=np.array(forward),
        losing=np.array(losing),
        deal_class=np.zeros(deals, dtype=np.int64),
        covariates=(),
        ratios=(),
        edges=EDGES,
    )


def ending(r: Rates, c: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(S, U) P(won in the end) and mean days until then, of class c: a linear system over all states."""
    stages, longest = r.won.shape[1:]
    leaving = (r.won[c] + r.lost[c] + r.forward[c] * r.move.sum(1)).ravel()
    scale = np.minimum(1.0, CAP / np.maximum(leaving, 1e-300))
    states = np.arange(stages * longest)
    step = np.zeros((len(states), len(states)))
    for s in range(stages):
        here = slice(s * longest, (s + 1) * longest)
        step[here, here] = (1 - leaving * scale)[here, None] * ageing(r)
    moves = r.forward[c][:, None, :] * r.move * scale.reshape(stages, 1, longest)
    for j in range(stages):
        step[:, j * longest] += moves[:, j].ravel()
    a = np.eye(len(states)) - step
    chance = np.linalg.solve(a, r.won[c].ravel() * scale)
    days = np.linalg.solve(a, chance)
    return chance.reshape(stages, longest), (days / chance).reshape(stages, longest)
