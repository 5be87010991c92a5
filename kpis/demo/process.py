"""One day of the pipeline: who moves to which stage, is won or is lost. Shared by the past and the futures."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from kpis.demo.calendar import Days
from kpis.demo.truth import AGE_BIN, CAP, LOST, OLDEST, REVISION, STAGES, STATES, WEEKDAY, WON, Truth


@dataclass
class Book:
    """The pipeline as arrays of one value a deal, changed in place day by day.

    ``forward`` and ``lost`` are hazard ratios without the owner's part; ``entry`` is the day on which the
    stage was entered.
    """

    stage: np.ndarray
    entry: np.ndarray
    amount: np.ndarray
    owner: np.ndarray
    forward: np.ndarray
    lost: np.ndarray

    def take(self, deals: np.ndarray) -> Book:
        """A copy that holds only the given deals, in the given order; a deal may come more than once."""
        return Book(*(getattr(self, field.name)[deals] for field in fields(self)))

    def extend(self, other: Book) -> None:
        """Append the deals of another book."""
        for field in fields(self):
            setattr(self, field.name, np.concatenate([getattr(self, field.name), getattr(other, field.name)]))


class Process:
    """The transition of one day, with the truth's tables laid out for it."""

    def __init__(self, truth: Truth, days: Days) -> None:
        self.truth, self.days = truth, days
        to, state = np.meshgrid(np.arange(len(STATES)), np.arange(len(STAGES)))
        ahead = (to > state)[:, :, None]
        h = truth.hazards
        # [stage, age bin, next state], so that a row a deal is one look-up.
        self._forward = np.where(ahead & (to != LOST)[:, :, None], h, 0).transpose(0, 2, 1).copy()
        self._back = np.where(~ahead, h, 0).transpose(0, 2, 1).copy()
        self._lost = h[:, LOST].copy()

    def probabilities(self, book: Book, deals: np.ndarray, day: int, shock: np.ndarray | float) -> np.ndarray:
        """P(exit to each of the 7 states on ``day``) of each deal that was open the day before; shape (deals, 7).

        The formula stands in ``kpis.demo.truth``; ``shock`` is the quarter's factor on winning.
        """
        truth = self.truth
        stage, owner = book.stage[deals], book.owner[deals]
        age = AGE_BIN[np.minimum(day - 1 - book.entry[deals], OLDEST)]
        phase, weekday = self.days["phase", day], WEEKDAY[self.days["weekday", day]]
        p = self._forward[stage, age] * (book.forward[deals] * truth.owners.forward[owner])[:, None]
        p[:, WON] *= truth.calendar["won"][phase] * shock
        p += self._back[stage, age]
        p[:, LOST] = (
            self._lost[stage, age] * book.lost[deals] * truth.owners.lost[owner] * truth.calendar["lost"][phase]
        )
        p *= weekday
        p *= np.minimum(1.0, CAP / np.maximum(p.sum(axis=1), 1e-12))[:, None]
        return p

    def step(
        self, book: Book, deals: np.ndarray, day: int, shock: np.ndarray | float, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Live one day: move deals on, revise amounts. Returns the deals that moved and where from."""
        reached = np.cumsum(self.probabilities(book, deals, day, shock), axis=1)
        to = (rng.random(len(deals))[:, None] >= reached).sum(axis=1)
        leaves = to < len(STATES)
        moved, to = deals[leaves], to[leaves]
        before = book.stage[moved]
        book.stage[moved], book.entry[moved] = to, day
        ahead = moved[(to > before) & (to != LOST)]
        revised = ahead[rng.random(len(ahead)) < REVISION["share"]]
        factor = np.exp(rng.normal(REVISION["mean_log"], REVISION["sd_log"], len(revised)))
        book.amount[revised] = tidy(book.amount[revised] * factor)
        return moved, before


def tidy(amount: np.ndarray) -> np.ndarray:
    """Amounts as people write them: two leading digits and a half."""
    unit = 10.0 ** (np.floor(np.log10(np.maximum(amount, 1.0))) - 1) / 2
    return np.maximum(np.round(amount / unit) * unit, 50.0)
