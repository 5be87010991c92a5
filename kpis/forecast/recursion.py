"""One backward recursion for every win probability: exact for the day grid, free of the number of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kpis.forecast.phases import phase_of
from kpis.forecast.rates import CAP, Rates
from kpis.periods import Calendar


@dataclass(frozen=True)
class Values:
    """Probabilities to be won (or lost) in each of W windows.

    Parameters
    ----------
    now
        (W, C, S, U): for a deal that at the end of today has age u in stage s (``Rates.age`` of its days).
    created
        (D, W, C, S): for a deal created on day today+1+d that ends that day in stage s.
    """

    now: np.ndarray
    created: np.ndarray


def value(
    r: Rates, today: int, ends: tuple[int, ...], calendar: Calendar, *, outcome: Literal["won", "lost"] = "won"
) -> Values:
    """Run from the end of the last window back to today, a day at a time.

    V_t[s,u,w] = h 1{day t+1 in w} + sum_j h_j V_{t+1}[j,0,w] + (1 - all exits) V_{t+1}[s,u+1,w], V = 0 at the end;
    in a block of days, V_{t+1} of the next age is that of the next block with probability 1 / width, else its own.

    Parameters
    ----------
    ends
        Last day of each window, ascending; window w covers the days after the one before up to ends[w].
    outcome
        Which exit to count; won + lost + still open is 1.
    """
    n_classes, n_stages, longest = r.won.shape
    shape = (len(ends), n_classes, n_stages, longest)
    days = np.arange(today + 1, ends[-1] + 1)
    phases = phase_of(days, calendar)
    window = np.searchsorted(ends, days)
    to = np.ascontiguousarray(r.move.transpose(1, 0, 2)).reshape(n_stages, -1)
    steps = {p: _step(r, p, outcome) for p in np.unique(phases)}

    daily, onward = longest - len(r.far), r.onward
    v, new, gained = np.zeros(shape), np.zeros(shape), np.empty(shape)
    created = np.zeros((len(days), len(ends), n_classes, n_stages))
    for d in range(len(days) - 1, -1, -1):
        w = window[d]
        created[d] = v[..., 0]
        stay, forward, hit = steps[phases[d]]
        live, out, arriving = v[w:], new[w:], gained[w:]
        # In one run through memory, three times as fast as age by age: what a stage's last age gets from the next
        # stage's first one is set right below.
        row = (len(live), -1)
        np.multiply(stay.reshape(-1)[:-1], live.reshape(row)[:, 1:], out=out.reshape(row)[:, :-1])
        following = np.concatenate([live[..., daily + 1 :], live[..., -1:]], axis=-1)
        out[..., daily:] = stay[..., daily:] * (onward * following + (1 - onward) * live[..., daily:])
        if n_stages > 1:
            np.matmul(live[..., 0].reshape(-1, n_stages), to, out=arriving.reshape(-1, n_stages * longest))
            arriving *= forward
            out += arriving
        out[0] += hit
        v, new = new, v
        new[:w] = 0.0
        v[:w] = 0.0
    return Values(v, created)


def _step(r: Rates, phase: int, outcome: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probability to stay, factor on moves, and probability of the outcome, on a day of this phase."""
    won, lost, moving = r.won * r.calendar_won[phase], r.lost * r.calendar_lost[phase], r.moving
    total = won + lost + moving
    scale = np.minimum(1.0, CAP / np.maximum(total, 1e-300))
    parts = 1 - total * scale, r.forward * scale, (won if outcome == "won" else lost) * scale
    stay, forward, hit = map(np.ascontiguousarray, parts)
    return stay, forward, hit
