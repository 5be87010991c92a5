"""Hazards by stage and days in stage, with a calendar rhythm and classes of deals.

h[s,c,k] = (d + m) / (x + m / prior_k): weighted events d over weighted person-days x in age bin k,
drawn towards its neighbours. Each deal class multiplies "forward" and "lost" hazards, each calendar
phase multiplies "won" and "lost" ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpis.forecast.classes import Covariate, backfit, classify, covariates, profiles, together
from kpis.forecast.phases import PHASES, phase_of
from kpis.forecast.spells import Exposure
from kpis.periods import Calendar
from kpis.pipeline.stints import Stints

HALF_LIFE = 364.0
"""Days after which an observation counts half."""

PRIOR_EVENTS = 1.0
"""m: how many events the neighbouring bins are worth."""

FLOOR = 0.05
"""A prior never falls below this share of the stage's mean hazard: one empty bin must not end all later ones."""

CALENDAR_SHRINKAGE = 5.0
ALTERNATIONS = 3


@dataclass(frozen=True)
class Hazards:
    """Daily hazards at hazard ratio 1 and calendar factor 1, and what multiplies them.

    Shapes: S stages, K age bins, C classes, 9 calendar phases.

    Parameters
    ----------
    won, lost
        (S, K): probability to be won or lost on the next day.
    move
        (S, S, K): from stage, to stage.
    calendar_won, calendar_lost
        (9,): factor by phase, mean 1 over the exposure.
    forward, losing
        (C,): mean hazard ratio of the class for moving on or winning, and for losing.
    deal_class
        (deals,): class of each deal.
    ratios
        Covariate -> level -> (forward, lost): what moved a deal, for explanations.
    edges
        (K,): first day of each age bin.
    """

    won: np.ndarray
    lost: np.ndarray
    move: np.ndarray
    calendar_won: np.ndarray
    calendar_lost: np.ndarray
    forward: np.ndarray
    losing: np.ndarray
    deal_class: np.ndarray
    covariates: tuple[Covariate, ...]
    ratios: tuple[tuple[np.ndarray, np.ndarray], ...]
    edges: np.ndarray


def smooth(events: np.ndarray, exposure: np.ndarray, m: float = PRIOR_EVENTS) -> np.ndarray:
    """Hazard by age bin, each bin drawn towards its neighbours.

    Parameters
    ----------
    events, exposure
        (..., K) weighted events and person-days.
    m
        Prior events; 0 gives plain events over exposure (0 where there is no exposure).

    Returns
    -------
    (..., K) hazards (d + m) / (x + m / prior). The prior of a bin is the geometric mean of what the bins before
    it and the bins after it suggest, each by a chain of the same form: drawn from one side only, a falling
    hazard would come out too high all along its tail.
    """
    if m == 0:
        return np.divide(events, exposure, out=np.zeros_like(events), where=exposure > 0)
    total = exposure.sum(-1)
    mean = np.divide(events.sum(-1), total, out=np.zeros(total.shape), where=total > 0)
    forth = _chain(events, exposure, mean, mean, m)
    back = _chain(events[..., ::-1], exposure[..., ::-1], forth[..., -1], mean, m)[..., ::-1]
    before = np.concatenate([back[..., 1:2], forth[..., :-1]], axis=-1)
    after = np.concatenate([back[..., 1:], forth[..., -2:-1]], axis=-1)
    if events.shape[-1] == 1:
        before = after = np.broadcast_to(mean[..., None], events.shape)
    prior = np.sqrt(np.maximum(before, FLOOR * mean[..., None]) * np.maximum(after, FLOOR * mean[..., None]))
    some = prior > 0
    hazard = np.zeros_like(events)
    hazard[some] = (events[some] + m) / (exposure[some] + m / prior[some])
    return np.minimum(hazard, 1.0)


def _chain(events: np.ndarray, exposure: np.ndarray, start: np.ndarray, mean: np.ndarray, m: float) -> np.ndarray:
    """h_k = (d + m) / (x + m / prior_k), prior_k = max(h_{k-1}, 0.05 mean), prior_0 = start."""
    hazard = np.zeros_like(events)
    prior = np.array(start, dtype=float)
    some = mean > 0
    for k in range(events.shape[-1]):
        hazard[some, k] = (events[some, k] + m) / (exposure[some, k] + m / prior[some])
        prior = np.maximum(hazard[..., k], FLOOR * mean)
    return hazard


def fit_hazards(
    stints: Stints,
    exposure: Exposure,
    calendar: Calendar,
    *,
    half_life: float = HALF_LIFE,
    prior_events: float = PRIOR_EVENTS,
    plain: bool = False,
) -> Hazards:
    """Estimate hazards, calendar factors and hazard ratios by alternation.

    Parameters
    ----------
    plain
        True leaves out calendar and classes: with one-day bins, no prior and an infinite half-life this is
        the Aalen-Johansen estimate.
    """
    n, k, deals = len(stints.stages), len(exposure.edges), len(stints.deals)
    days = exposure.days
    phase = phase_of(days, calendar)
    every = np.ones(len(days))
    decay = 0.5 ** ((stints.today - days) / half_life)

    ended = exposure.cause >= 0
    exit_day = exposure.exit - exposure.first_day - 1
    events = np.zeros((n, n + 2, k))
    np.add.at(events, (exposure.stage[ended], exposure.cause[ended], exposure.exit_bin[ended]), decay[exit_day[ended]])

    is_won, is_lost = exposure.cause == n, exposure.cause == n + 1
    went = np.bincount(exposure.deal[ended & ~is_lost], minlength=deals).astype(float)
    left = np.bincount(exposure.deal[is_lost], minlength=deals).astype(float)
    found = [] if plain else covariates(stints.deals, went + left, stints.today)
    ratios = [(np.ones(len(c.labels)), np.ones(len(c.labels))) for c in found]
    calendar_won, calendar_lost = np.ones(PHASES), np.ones(PHASES)

    def rates() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x_move = np.broadcast_to((going @ decay)[:, None], (n, n, k))
        return (
            smooth(events[:, n], going @ (decay * calendar_won[phase]), prior_events),
            smooth(events[:, :n], x_move, prior_events),
            smooth(events[:, n + 1], leaving @ (decay * calendar_lost[phase]), prior_events),
        )

    forward, losing = np.ones(deals), np.ones(deals)
    going, leaving = exposure.at_risk(forward, losing)
    won, move, lost = rates()
    if not plain:
        kinds, kind = profiles(found)
        went, left = np.bincount(kind, went), np.bincount(kind, left)
    for _ in range(0 if plain else ALTERNATIONS):
        calendar_won = _calendar(phase, np.tensordot(won, going), phase[exit_day[is_won]])
        calendar_lost = _calendar(phase, np.tensordot(lost, leaving), phase[exit_day[is_lost]])
        expected = exposure.due((won, calendar_won[phase]), (move.sum(1), every))
        backfit(kinds, went, np.bincount(kind, expected), [r[0] for r in ratios])
        expected = exposure.due((lost, calendar_lost[phase]))
        backfit(kinds, left, np.bincount(kind, expected), [r[1] for r in ratios])
        forward, losing = (together(kinds, [r[side] for r in ratios])[kind] for side in (0, 1))
        going, leaving = exposure.at_risk(forward, losing)
        won, move, lost = rates()

    deal_class = classify(forward, losing)
    size = np.maximum(np.bincount(deal_class), 1)
    class_forward = np.bincount(deal_class, forward) / size if len(deal_class) else np.ones(1)
    class_losing = np.bincount(deal_class, losing) / size if len(deal_class) else np.ones(1)
    if not plain and len(deal_class):
        # The recursion knows classes only, so the baseline must be the one that goes with their mean ratios.
        forward, losing = class_forward[deal_class], class_losing[deal_class]
        going, leaving = exposure.at_risk(forward, losing)
        won, move, lost = rates()
    return Hazards(
        won, lost, move, calendar_won, calendar_lost, class_forward, class_losing, deal_class,
        tuple(found), tuple(ratios), exposure.edges,
    )  # fmt: skip


def _calendar(phase: np.ndarray, expected: np.ndarray, exits: np.ndarray) -> np.ndarray:
    """Observed over expected exits by phase, shrunk, with mean 1 over the expected exits.

    Parameters
    ----------
    phase, expected
        Of each day: its phase, and the exits that the hazards expect on it.
    exits
        Phase of each exit.
    """
    due = np.bincount(phase, expected, PHASES)
    factor = (np.bincount(exits, minlength=PHASES) + CALENDAR_SHRINKAGE) / (due + CALENDAR_SHRINKAGE)
    level = (factor * due).sum() / due.sum() if due.sum() > 0 else 1.0
    return factor / level
