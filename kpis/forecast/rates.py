"""Daily hazards as the recursion uses them: by class, stage and days in stage, with the levers applied."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.special import expit, logit

from kpis.forecast.hazards import Hazards
from kpis.forecast.spells import bin_of

DAILY = {True: 220, False: 400}
"""Days in stage that are told apart one by one: with stages, and with one stage since creation."""

BLOCK = 5
"""Days in stage that share an age after those, up to the last age bin; it has no end."""

CAP = 0.98
"""Exit probabilities of one day that sum to more are scaled to this."""


@dataclass(frozen=True)
class Rates:
    """Hazards of the next day, for C classes, S stages and U ages.

    An age is a day in stage, up to the ``daily`` first ones; after them it is a block of days, which a deal
    leaves for the next one with probability 1 / width a day. So forgotten deals get the hazards of their own
    age at the price of a few cells.

    Parameters
    ----------
    won, lost
        (C, S, U) at calendar factor 1.
    move
        (S, S, U): from, to; at hazard ratio 1.
    forward
        (C, S, U): what multiplies ``move``.
    calendar_won, calendar_lost
        (9,) factor by phase.
    far
        (F,) first day of each block after the daily ages; U = daily + F. By default the last age has no end.
    """

    won: np.ndarray
    lost: np.ndarray
    move: np.ndarray
    forward: np.ndarray
    calendar_won: np.ndarray
    calendar_lost: np.ndarray
    far: np.ndarray = field(default_factory=lambda: np.zeros(1))

    @property
    def moving(self) -> np.ndarray:
        """(C, S, U) probability to move to any other stage."""
        return self.forward * self.move.sum(1)

    @property
    def onward(self) -> np.ndarray:
        """(F,) probability that a deal which stays is in the next block a day later; 0 for the last."""
        return np.append(1 / np.diff(self.far), 0.0)

    def age(self, days: np.ndarray) -> np.ndarray:
        """Number of the age of each number of days in stage."""
        daily = self.won.shape[-1] - len(self.far)
        beyond = daily + np.searchsorted(self.far, days, side="right") - 1
        return np.where(days < daily, days, np.maximum(beyond, daily))


def rates(hazards: Hazards, *, cycle: float = 1.0) -> Rates:
    """Spread the hazards over ages, with the sales cycle stretched by ``cycle``.

    h(u) becomes h(u / c) / c for every cause: every duration is c times as long, the outcome is not touched. The
    days in stage that are told apart grow with it, so that the same deals stay at the same point of their course.
    """
    n_stages, edges = len(hazards.won), hazards.edges
    base = max(1, min(DAILY[n_stages > 1], int(edges[-1])))
    near = bin_of(np.arange(base), edges)
    far = np.append(np.arange(base, edges[-1], BLOCK), edges[-1])
    beyond = bin_of(far, edges)
    longest = max(1, math.ceil(base * cycle))

    def spread(hazard: np.ndarray) -> np.ndarray:
        return np.concatenate([_stretched(hazard[..., near], cycle, longest), hazard[..., beyond] / cycle], axis=-1)

    shape = (len(hazards.forward), n_stages, longest + len(far))
    return Rates(
        won=hazards.forward[:, None, None] * spread(hazards.won),
        lost=hazards.losing[:, None, None] * spread(hazards.lost),
        move=spread(hazards.move),
        forward=np.broadcast_to(hazards.forward[:, None, None], shape),
        calendar_won=hazards.calendar_won,
        calendar_lost=hazards.calendar_lost,
        far=np.maximum(far * cycle, longest).astype(float),
    )


def _stretched(hazard: np.ndarray, cycle: float, longest: int) -> np.ndarray:
    """Daily hazards whose running total at day u is that of ``hazard`` at day u / cycle.

    Differences of the running total, not samples: no part of a short age bin is skipped or counted twice.
    Beyond its last day the hazard goes on as it was on that day.
    """
    if cycle == 1:
        return hazard
    base = hazard.shape[-1]
    total = np.concatenate([np.zeros_like(hazard[..., :1]), np.cumsum(hazard, axis=-1)], axis=-1)
    at = np.arange(longest + 1) / cycle
    day = np.minimum(np.floor(at).astype(np.int64), base - 1)
    running = total[..., day] + (at - day) * hazard[..., day]
    return np.diff(running, axis=-1)


@dataclass(frozen=True)
class Passage:
    """What happens in each stage in the end, by class, at calendar factor 1.

    Parameters
    ----------
    won
        (C, S) probability that a visit ends in won.
    move
        (C, S, S) probability that it ends in a move: from, to.
    """

    won: np.ndarray
    move: np.ndarray

    def eventual(self) -> np.ndarray:
        """(C, S) probability that a deal entering the stage is won in the end: solves R = won + move R."""
        # A hair above 1, so that stages which only lead to each other have an answer: nothing is won there.
        identity = np.eye(self.won.shape[1]) * (1 + 1e-12)
        return np.linalg.solve(identity - self.move, self.won[..., None])[..., 0]


def occupancy(r: Rates) -> np.ndarray:
    """(C, S, U) expected days at each age of a visit."""
    staying = 1 - np.minimum(r.won + r.lost + r.moving, CAP)
    daily = staying.shape[-1] - len(r.far)
    reached = np.cumprod(staying[..., :daily], axis=-1)
    days = np.concatenate([np.ones_like(staying[..., :1]), reached[..., :-1], staying[..., daily:]], axis=-1)
    arriving = reached[..., -1]
    for f, onward in enumerate(r.onward):
        stay = staying[..., daily + f]
        # A geometric number of days in the block; a hair above 0, so that deals which never leave have an answer.
        days[..., daily + f] = arriving / np.maximum(1 - stay * (1 - onward), 1e-12)
        arriving = days[..., daily + f] * stay * onward
    return days


def passage(r: Rates) -> Passage:
    """Sum the hazards over the days of a visit."""
    days = occupancy(r) * kept(r)
    won = (days * r.won).sum(-1)
    move = np.einsum("csu,sju->csj", days * r.forward, r.move)
    return Passage(won, move)


def kept(r: Rates) -> np.ndarray:
    """(C, S, U) what exit probabilities are multiplied by where they would sum to more than CAP."""
    return np.minimum(1.0, CAP / np.maximum(r.won + r.lost + r.moving, 1e-300))


def shift_odds(r: Rates, stage: int, delta: float) -> Rates:
    """Shift the log-odds of forward against lost in one stage, total exit intensity kept."""
    up, down = odds_factors(r, stage, delta)
    won, lost, forward = r.won.copy(), r.lost.copy(), np.array(r.forward)
    won[:, stage] *= up
    forward[:, stage] *= up
    lost[:, stage] *= down
    return replace(r, won=won, lost=lost, forward=forward)


def odds_factors(r: Rates, stage: int, delta: float) -> tuple[np.ndarray, np.ndarray]:
    """(C, U) factors on forward and on lost hazards of a stage whose log-odds are shifted; 1 where one of them is 0."""
    ahead = r.won[:, stage] + r.forward[:, stage] * r.move[stage].sum(0)
    behind = r.lost[:, stage]
    total = ahead + behind
    live = (ahead > 0) & (behind > 0)
    share = np.where(live, ahead / np.where(total > 0, total, 1), 0.5)
    new = expit(logit(share) + delta)
    return np.where(live, new / share, 1.0), np.where(live, (1 - new) / (1 - share), 1.0)


def eventual_by_age(r: Rates) -> np.ndarray:
    """(C, S, U) probability that a deal which has been u days in the stage is won in the end.

    E[s,u] = won + sum_j move_j R_j + stay E[s,u+1], backwards from the last age, which goes on for ever.
    """
    after = passage(r).eventual()
    total = r.won + r.lost + r.moving
    scale = kept(r)
    gain = scale * (r.won + r.forward * np.einsum("sju,cj->csu", r.move, after))
    stay = 1 - total * scale
    daily = gain.shape[-1] - len(r.far)
    chance = np.zeros_like(gain)
    following = np.zeros_like(gain[..., 0])
    for f in range(len(r.far) - 1, -1, -1):
        u, onward = daily + f, r.onward[f]
        within = 1 - stay[..., u] * (1 - onward)
        gained = gain[..., u] + stay[..., u] * onward * following
        following = np.divide(gained, within, out=np.zeros_like(gained), where=within > 0)
        chance[..., u] = following
    for u in range(daily - 1, -1, -1):
        chance[..., u] = gain[..., u] + stay[..., u] * chance[..., u + 1]
    return chance
