"""What happens to a deal, by walking forward in time: exact probabilities and seeded lives.

kpis.forecast.recursion walks backward over all states at once; here one state is carried forward.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from kpis.forecast.rates import Rates
from kpis.periods import Calendar, day_of

CAP = 0.98


def phase(day: int, calendar: Calendar) -> int:
    """Month of the fiscal quarter x part of the month, by dates."""
    date = day_of(day)
    first_of_next = (date.replace(day=1) + timedelta(days=32)).replace(day=1)
    part = 0 if date.day <= 7 else 2 if (first_of_next - date).days <= 7 else 1
    return calendar.month_of_quarter(date) * 3 + part


def ageing(r: Rates) -> np.ndarray:
    """(U, U) chance of each age tomorrow, of a deal that stays in its stage: a day more, or on to the next bin."""
    ages = r.won.shape[2]
    daily = ages - len(r.far)
    tomorrow = np.zeros((ages, ages))
    for age in range(ages):
        if age < daily:
            tomorrow[age, age + 1] = 1.0
        elif age == ages - 1:
            tomorrow[age, age] = 1.0
        else:
            width = r.far[age - daily + 1] - r.far[age - daily]
            tomorrow[age, age + 1], tomorrow[age, age] = 1 / width, 1 - 1 / width
    return tomorrow


def exits(r: Rates, c: int, s: int, u: int, p: int) -> tuple[float, float, np.ndarray]:
    """Probabilities of a day: won, lost, to each stage; capped."""
    won, lost = r.won[c, s, u] * r.calendar_won[p], r.lost[c, s, u] * r.calendar_lost[p]
    move = r.forward[c, s, u] * r.move[s, :, u]
    total = won + lost + move.sum()
    scale = CAP / total if total > CAP else 1.0
    return won * scale, lost * scale, move * scale


def fate(r: Rates, c: int, s: int, u: int, today: int, ends: tuple[int, ...], calendar: Calendar) -> np.ndarray:
    """(W + 1, 2): probability to be won and lost in each window; the last row holds (still open, 0)."""
    stages, older = r.won.shape[1], ageing(r)
    held = {(s, u): 1.0}
    out = np.zeros((len(ends) + 1, 2))
    for day in range(today + 1, ends[-1] + 1):
        window = next(w for w, end in enumerate(ends) if day <= end)
        p = phase(day, calendar)
        after: dict[tuple[int, int], float] = {}
        for (stage, age), mass in held.items():
            won, lost, move = exits(r, c, stage, age, p)
            out[window] += mass * won, mass * lost
            for j in range(stages):
                if move[j] > 0:
                    after[j, 0] = after.get((j, 0), 0.0) + mass * move[j]
            for then in np.flatnonzero(older[age]):
                stays = mass * (1 - won - lost - move.sum()) * older[age, then]
                after[stage, then] = after.get((stage, then), 0.0) + stays
        held = after
    out[-1, 0] = sum(held.values())
    return out


def lives(
    r: Rates,
    c: np.ndarray,
    s: np.ndarray,
    u: np.ndarray,
    today: int,
    last: int,
    calendar: Calendar,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Simulate deals day by day; outcome (0 open, 1 won, 2 lost) and its day, of each."""
    stage, age = s.copy(), u.copy()
    outcome, when = np.zeros(len(s), dtype=int), np.zeros(len(s), dtype=int)
    alive = np.arange(len(s))
    moves_on = 1 - np.diag(ageing(r))
    for day in range(today + 1, last + 1):
        p = phase(day, calendar)
        at = c[alive], stage[alive], age[alive]
        won, lost = r.won[at] * r.calendar_won[p], r.lost[at] * r.calendar_lost[p]
        move = r.forward[at][:, None] * r.move[at[1], :, at[2]]
        total = won + lost + move.sum(1)
        scale = np.minimum(1.0, CAP / np.maximum(total, 1e-300))
        bounds = np.cumsum(np.column_stack([won, lost, move]) * scale[:, None], axis=1)
        draw = rng.random(len(alive))
        event = (draw[:, None] >= bounds).sum(1)
        stays = event == bounds.shape[1]
        age[alive] = np.where(stays, age[alive] + (rng.random(len(alive)) < moves_on[age[alive]]), 0)
        moved = (event >= 2) & ~stays
        stage[alive[moved]] = event[moved] - 2
        ended = event < 2
        outcome[alive[ended]], when[alive[ended]] = event[ended] + 1, day
        alive = alive[~ended]
    return outcome, when
