"""Expected revenue of a fitted model under levers, by walking its deals forward day by day.

Every day in a stage is told apart up to MAX_DAYS, so there is no block of ages; nothing is imported from
kpis.forecast but the fitted hazards, and a close rate is reached by bisection on a closed form of its own.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from tests.oracle.chance import CAP, phase

MAX_DAYS = 900
WON = 1


class Walk:
    """Daily exit probabilities of the model with a cycle and shifted odds, and deals carried through them."""

    def __init__(self, model, cycle: float = 1.0) -> None:
        self.model, h = model, model.hazards
        stages = len(model.stages)

        def daily(hazard: np.ndarray) -> np.ndarray:
            """Exits of each day in stage: the hazard of the days u/c to (u+1)/c of the course as estimated."""
            course = hazard[..., np.searchsorted(h.edges, np.arange(int(MAX_DAYS / min(cycle, 1)) + 2), "right") - 1]
            total = np.concatenate([np.zeros_like(course[..., :1]), course.cumsum(-1)], axis=-1)
            at = np.arange(MAX_DAYS + 1) / cycle
            below = at.astype(int)
            return np.diff(total[..., below] + (at - below) * course[..., below], axis=-1)

        forward, losing = h.forward[:, None, None], h.losing[:, None, None]
        self.won, self.lost = forward * daily(h.won), losing * daily(h.lost)
        self.move = forward[:, None] * daily(h.move)
        assert self.move.shape == (len(h.forward), stages, stages, MAX_DAYS)

    def shifted(self, delta: np.ndarray) -> Walk:
        """A copy with the log-odds of going on against being lost shifted by ``delta`` in each stage."""
        other = object.__new__(Walk)
        other.model = self.model
        ahead = self.won + self.move.sum(2)
        total = ahead + self.lost
        live = (ahead > 0) & (self.lost > 0)
        share = np.where(live, ahead / np.where(total > 0, total, 1), 0.5)
        new = expit(logit(share) + delta[:, None])
        up, down = np.where(live, new / share, 1), np.where(live, (1 - new) / (1 - share), 1)
        other.won, other.lost, other.move = self.won * up, self.lost * down, self.move * up[:, :, None]
        return other

    def eventual(self) -> np.ndarray:
        """(C, S) chance to be won in the end of a deal that enters the stage."""
        total = self.won + self.lost + self.move.sum(2)
        scale = np.minimum(1, CAP / np.maximum(total, 1e-300))
        reached = np.concatenate(
            [np.ones_like(total[..., :1]), np.cumprod(1 - (total * scale)[..., :-1], axis=-1)], axis=-1
        )
        # The last day stands for all later ones: a geometric number of them.
        reached[..., -1] /= np.maximum((total * scale)[..., -1], 1e-12)
        won = (reached * scale * self.won).sum(-1)
        move = (reached * scale)[:, :, None] * self.move
        chance = np.zeros_like(won)
        for _ in range(400):
            chance = won + np.einsum("csj,cj->cs", move.sum(-1), chance)
        return chance

    def expected(self, held: np.ndarray, created: np.ndarray) -> np.ndarray:
        """(W,) money won in each window.

        Parameters
        ----------
        held
            (C, S, U) money of the deals that stand there at the end of today.
        created
            (D, C, S) money of the deals created on each later day.
        """
        model, mass = self.model, held.copy()
        out = np.zeros(len(model.ends))
        for d in range(len(created)):
            day = model.today + 1 + d
            p = phase(day, model.calendar)
            won, lost = self.won * model.hazards.calendar_won[p], self.lost * model.hazards.calendar_lost[p]
            total = won + lost + self.move.sum(2)
            scale = np.minimum(1, CAP / np.maximum(total, 1e-300))
            out[np.searchsorted(model.ends, day)] += (mass * won * scale).sum()
            arriving = (self.move @ (mass * scale)[..., None]).sum(1)[..., 0]
            stays = mass * (1 - total * scale)
            mass = np.concatenate([np.zeros_like(stays[..., :1]), stays[..., :-1]], axis=-1)
            mass[..., -1] += stays[..., -1]
            mass[..., 0] += arriving + created[d]
        return out


def forecast(model, *, cycle=1.0, close_rate=1.0, close_rates=None, volume=1.0, sources=None) -> np.ndarray:
    """(W, 2) expected money of open deals and of deals not yet created, before recalibration."""
    walk = Walk(model, cycle)
    delta = np.zeros(len(model.stages))
    mix = model.mix

    def overall(d: float) -> float:
        chance = walk.shifted(np.full(len(delta), d)).eventual()
        return (chance * mix.created).sum() / mix.created.sum()

    if close_rate != 1:
        delta[:] = bisect(overall, overall(0.0) * close_rate)
    for name, goal in (close_rates or {}).items():
        s = model.stages.index(name)

        def of_stage(d: float, s: int = s) -> float:
            chance = walk.shifted(np.where(np.arange(len(delta)) == s, d, delta)).eventual()
            return (chance[:, s] * mix.entering[:, s]).sum() / mix.entering[:, s].sum()

        delta[s] = bisect(of_stage, goal)
    walk = walk.shifted(delta)

    shape = (*walk.won.shape,)
    held = np.zeros(shape)
    deals = model.open_deals
    np.add.at(held, (deals.deal_class, deals.stage, np.minimum(deals.age, MAX_DAYS - 1)), deals.amount)
    money, count = np.zeros(shape[:2]), 0.0
    for name, part in model.by_source.items():
        times = (sources or {}).get(name, 1.0)
        np.add.at(money, (part.deal_class, part.stage), times * part.total)
        count += part.n.sum()
    staying = 1 - model.atom[1][0] - model.atom[2][0]
    per_day = volume * model.creation.per_day
    created = per_day[:, None, None] * staying * money / count
    nothing = np.zeros_like(created)
    from_new = walk.expected(np.zeros(shape), created)
    window = np.searchsorted(model.ends, model.today + 1 + np.arange(len(per_day)))
    share, amount = model.atom[WON]
    mixed = sum((sources or {}).get(n, 1.0) * part.n.sum() for n, part in model.by_source.items()) / count
    from_new += np.bincount(window, per_day * mixed * share * amount, len(model.ends))
    return np.column_stack([walk.expected(held, nothing), from_new])


def bisect(rate, goal: float) -> float:
    """The shift at which a rising ``rate`` is the goal."""
    low, high = -12.0, 12.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if rate(middle) < goal else (low, middle)
    return (low + high) / 2
