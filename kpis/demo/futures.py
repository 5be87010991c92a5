"""Futures of a company under its true parameters: what an oracle would expect, and how widely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from kpis.demo import arrivals
from kpis.demo.calendar import Days
from kpis.demo.deals import Deals
from kpis.demo.process import Book, Process
from kpis.demo.truth import WON, Truth, draw_shock
from kpis.periods import day_n


@dataclass(frozen=True)
class Futures:
    """Won amounts, shape (draws, windows): from deals open at the as-of day, and from those created later."""

    from_open: np.ndarray
    from_new: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """Both together."""
        return self.from_open + self.from_new


def book_at(deals: Deals, day: int) -> tuple[np.ndarray, Book]:
    """The deals open at the end of ``day``, and their state then, rebuilt from the log."""
    order = np.lexsort((deals.log["day"], deals.log["deal"]))
    log = {name: values[order] for name, values in deals.log.items()}
    log = {name: values[log["day"] <= day] for name, values in log.items()}
    deal, stage = log["deal"], log["stage"]
    row = np.arange(len(deal))
    entered = np.append(True, (deal[1:] != deal[:-1]) | (stage[1:] != stage[:-1]))[: len(deal)]
    entry = log["day"][np.maximum.accumulate(np.where(entered, row, 0))]
    latest = np.append(deal[1:] != deal[:-1], True)[: len(deal)] & (stage < WON)
    who = deal[latest]
    features = deals.features
    book = Book(
        stage[latest], entry[latest], log["amount"][latest], log["owner"][latest],
        features["forward"][who], features["lost"][who],
    )  # fmt: skip
    return who, book


def simulate(
    truth: Truth,
    deals: Deals,
    as_of: date,
    ends: Sequence[date],
    *,
    draws: int,
    rng: np.random.Generator,
    shocks: bool = True,
) -> Futures:
    """Live on from the end of ``as_of`` to the last of ``ends``, ``draws`` times.

    Windows are (as_of, ends[0]], (ends[0], ends[1]], ...; the state is that of ``as_of``, also where more
    of the past is known. The running quarter keeps its true shock, later quarters get a new one in each draw
    (none with ``shocks=False``); sellers stay as they are at the end of the records.
    """
    today, horizon = day_n(as_of), [day_n(end) for end in ends]
    days = Days(truth.first, horizon[-1] + 1)
    process = Process(truth, days)
    _, now = book_at(deals, today)
    book = now.take(np.tile(np.arange(len(now.stage)), draws))
    draw = np.repeat(np.arange(draws), len(now.stage))
    window = np.searchsorted(horizon, np.arange(today + 1, horizon[-1] + 1))
    new, new_draw = _arrivals(truth, days, np.arange(today + 1, horizon[-1] + 1), draws, rng)
    old = len(draw)
    book.extend(
        Book(np.zeros_like(new["created"]), new["created"], new["amount"], new["owner"], new["forward"], new["lost"])
    )
    draw = np.append(draw, new_draw)
    won = np.zeros((2, draws, len(horizon)))
    starts = np.searchsorted(new["created"], np.arange(today + 1, horizon[-1] + 2))
    live = np.arange(old)
    quarter, first_quarter = int(days["quarter", today]), int(days["quarter", truth.first])
    shock = np.ones((draws, int(days["quarter", horizon[-1]]) - quarter + 1))
    if shocks:
        shock[:, 0] = truth.shock[quarter - first_quarter]
        shock[:, 1:] = draw_shock(rng, (draws, shock.shape[1] - 1))
    for i, day in enumerate(range(today + 1, horizon[-1] + 1)):
        factor = shock[draw[live], int(days["quarter", day]) - quarter]
        process.step(book, live, day, factor, rng)
        fresh = old + np.arange(starts[i], starts[i + 1])
        book.stage[fresh[new["instant"][fresh - old]]] = WON
        here = np.concatenate([live, fresh])
        closed = here[book.stage[here] == WON]
        np.add.at(won, ((closed >= old).astype(int), draw[closed], window[i]), book.amount[closed])
        live = here[book.stage[here] < WON]
    return Futures(won[0], won[1])


def _arrivals(
    truth: Truth, days: Days, day: np.ndarray, draws: int, rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """New deals of all draws by day of creation, and the draw each belongs to."""
    count = rng.poisson(arrivals.everyday(truth, days, day, rng, draws)).T
    draw = np.tile(np.arange(draws), len(day))
    created = np.repeat(np.repeat(day, draws), count.ravel())
    return arrivals.draw(truth, created, rng), np.repeat(draw, count.ravel())
