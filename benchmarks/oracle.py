"""What an oracle expects of a simulated company: its futures under the true parameters."""

from __future__ import annotations

import numpy as np

from benchmarks.simulator import Book, Seen, draw_shock, features, gamma, new_book, step
from benchmarks.truth import Truth


def running_shock(truth: Truth, seen: Seen, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draws of the running quarter's shock m given its wins W so far: prior(m) m^W exp(-m exposure)."""
    sigma = np.sqrt(np.log1p(truth.shock_cv**2))
    z = np.linspace(-5, 5, 1001)
    log_m = sigma * z - sigma**2 / 2
    weight = -(z**2) / 2 + seen.wins * log_m - seen.exposure * np.exp(log_m)
    weight = np.cumsum(np.exp(weight - weight.max()))
    return np.exp(np.interp(rng.random(draws) * weight[-1], weight, log_m))


def futures(truth: Truth, seen: Seen, ends: tuple[int, ...], *, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Revenue won in each window (seen.day, ends[0]], (ends[0], ends[1]], ..., lived through ``draws`` times.

    The oracle knows every parameter and all that the records show, and nothing else: whether a deal is a zombie, the
    running quarter's shock and the running month's rate of creation are drawn from their distributions given the
    records, later ones from their priors. So the past's continuation is one more draw of the same.

    Returns
    -------
    (draws, windows, 2): from deals open on the day, and from deals created later.
    """
    days = np.arange(seen.day + 1, ends[-1] + 1)
    at = days - truth.first
    held = len(seen.book.group)
    book = seen.book.take(np.tile(np.arange(held), draws))
    book.group = np.repeat(np.arange(draws), held)
    book.asleep = rng.random(len(book.awake)) >= book.awake
    book = book.take(~book.asleep)

    quarter, month = truth.quarter[at] - truth.quarter[at[0] - 1], truth.month[at] - truth.month[at[0] - 1]
    shock = draw_shock(truth, rng, (draws, quarter[-1] + 1))
    shock[:, 0] = running_shock(truth, seen, draws, rng)
    busy = gamma(truth, rng, draws * (month[-1] + 1)).reshape(draws, -1)
    shape = 1 / truth.month_cv**2
    busy[:, 0] = rng.gamma(shape + seen.creations, 1 / (shape + seen.expected_creations), draws)
    counts = rng.poisson(truth.rate[at][:, None] * busy[:, month].T)
    created = np.repeat(np.repeat(days, draws), counts.ravel())
    made = features(truth, created, rng)
    fresh = new_book(truth, made, created, rng)
    fresh.group = np.repeat(np.tile(np.arange(draws), len(days)), counts.ravel())
    won = np.zeros((draws, len(ends), 2))
    window = np.searchsorted(ends, days)
    at_once = made["instant"]
    np.add.at(won, (fresh.group[at_once], window[created[at_once] - days[0]], 1), fresh.amount[at_once])
    book = Book.joined(book, fresh.take(~at_once))
    n = int((book.created <= seen.day).sum())
    for k, day in enumerate(days):
        what = step(truth, book, n, day, shock[book.group[:n], quarter[k]], rng, watch=False)
        hit = what.left[what.to == truth.stages]
        later = (book.created[hit] > seen.day).astype(int)
        np.add.at(won, (book.group[hit], window[k], later), book.amount[hit])
        if day % 5 == 0:
            book = book.take(((book.won > 0) & ~book.asleep) | (book.created > day))
        n = int(np.searchsorted(book.created, day, side="right"))
    return won
