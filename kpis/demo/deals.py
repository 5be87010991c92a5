"""The pipeline's past: deals arrive, move from stage to stage, and are written about in the CRM."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpis.demo import arrivals
from kpis.demo.calendar import NEVER, Days
from kpis.demo.process import Book, Process
from kpis.demo.truth import LOST, WON, Truth

CATEGORIES = ("Omitted", "Pipeline", "Best Case", "Commit", "Closed")
# Chance of each forecast category by stage; what is left is "Pipeline".
_OMITTED = np.array([0.04, 0.02, 0.01, 0.01, 0.01])
_BEST_CASE = np.array([0.0, 0.06, 0.25, 0.42, 0.34])
_COMMIT = np.array([0.0, 0.0, 0.03, 0.14, 0.46])

_REMAINING = np.array([48.0, 39.0, 28.0, 17.0, 8.0])
"""Days that sellers think are left in each stage; about half of what it takes."""
_SEGMENT_REMAINING = np.array([0.85, 1.0, 1.3])


@dataclass(frozen=True)
class Deals:
    """Every opportunity, and every recorded change of one.

    Parameters
    ----------
    features
        What each was at creation: see ``arrivals.draw``.
    book
        Stage, amount, owner at the end.
    closed
        Day of the close, NEVER while open.
    expected, pushes, category
        Expected close, number of pushes to a later month, forecast category at the end.
    log
        One row a change, by day and then deal: ``deal``, ``day``, ``stage``, ``amount``, ``expected``,
        ``category``, ``owner`` after it.
    """

    features: dict[str, np.ndarray]
    book: Book
    closed: np.ndarray
    expected: np.ndarray
    pushes: np.ndarray
    category: np.ndarray
    log: dict[str, np.ndarray]

    @property
    def won(self) -> np.ndarray:
        """Whether each was won."""
        return self.book.stage == WON

    @property
    def is_open(self) -> np.ndarray:
        """Whether each is open at the end."""
        return self.closed == NEVER


class Simulation:
    """The past of one company, lived day by day for all its deals at once."""

    def __init__(self, truth: Truth, opportunities: int, rng: np.random.Generator) -> None:
        self.truth, self.rng = truth, rng
        self.days = Days(truth.first - 1, truth.last + 1_000)
        self.process = Process(truth, self.days)
        day = np.arange(truth.first, truth.last + 1)
        rate = arrivals.everyday(truth, self.days, day, rng)[0]
        # The number asked for, spread as a Poisson process of this rate would spread it.
        created = np.repeat(day, rng.multinomial(opportunities, rate / rate.sum()))
        self.features = arrivals.draw(truth, created, rng)
        self.book = Book(
            stage=np.zeros(opportunities, dtype=np.int64),
            entry=created.copy(),
            amount=self.features["amount"].copy(),
            owner=self.features["owner"].copy(),
            forward=self.features["forward"],
            lost=self.features["lost"],
        )
        self.closed = np.full(opportunities, NEVER)
        self.expected = np.zeros(opportunities, dtype=np.int64)
        self.pushes = np.zeros(opportunities, dtype=np.int64)
        self.category = np.ones(opportunities, dtype=np.int64)
        self._log: dict[str, list[np.ndarray]] = {
            name: [] for name in ("deal", "day", "stage", "amount", "expected", "category", "owner")
        }

    def run(self) -> Deals:
        """Live through every day and return what happened."""
        truth, created = self.truth, self.features["created"]
        bounds = np.searchsorted(created, np.arange(truth.first, truth.last + 2))
        live = np.zeros(0, dtype=np.int64)
        first_quarter = int(self.days["quarter", truth.first])
        for day in range(truth.first, truth.last + 1):
            shock = truth.shock[int(self.days["quarter", day]) - first_quarter]
            changed = [self._reassign(live, day)]
            moved, before = self.process.step(self.book, live, day, shock, self.rng)
            self._close(moved, day)
            live = live[self.closed[live] == NEVER]
            self._restage(moved, before, day)
            changed += [moved, self._redate(np.setdiff1d(live, moved, assume_unique=True), day)]
            new = np.arange(*bounds[day - truth.first : day - truth.first + 2])
            self._create(new, day)
            self._record(np.unique(np.concatenate([*changed, new])), day)
            live = np.concatenate([live, new[self.closed[new] == NEVER]])
        log = {name: np.concatenate(parts) for name, parts in self._log.items()}
        return Deals(self.features, self.book, self.closed, self.expected, self.pushes, self.category, log)

    def _create(self, new: np.ndarray, day: int) -> None:
        self.expected[new] = self._guess(new, day)
        self.category[new] = self._categorise(new)
        instant = new[self.features["instant"][new]]
        self.book.stage[instant] = WON
        self._close(instant, day)

    def _close(self, moved: np.ndarray, day: int) -> None:
        done = moved[self.book.stage[moved] >= WON]
        self.closed[done] = self.expected[done] = day
        self.category[done] = np.where(
            self.book.stage[done] == WON, CATEGORIES.index("Closed"), CATEGORIES.index("Omitted")
        )

    def _reassign(self, live: np.ndarray, day: int) -> np.ndarray:
        """Deals of sellers who left go to a colleague of the team."""
        orphans = live[self.truth.owners.left[self.book.owner[live]] == day]
        self.book.owner[orphans] = self.truth.owners.pick(self.features["team"][orphans], day, self.rng)
        return orphans

    def _restage(self, moved: np.ndarray, before: np.ndarray, day: int) -> None:
        """A new stage gets a new forecast category, and often a new expected close."""
        still_open = self.book.stage[moved] < WON
        staged, before = moved[still_open], before[still_open]
        self.category[staged] = self._categorise(staged)
        ahead = staged[self.book.stage[staged] > before]
        redated = ahead[self.rng.random(len(ahead)) < 0.35]
        self._move_date(redated, self._guess(redated, day))

    def _redate(self, live: np.ndarray, day: int) -> np.ndarray:
        """Push what is overdue, sooner or later; push some before it is due; pull a few in."""
        if self.days["weekday", day] > 4:
            return live[:0]
        u, due = self.rng.random(len(live)), self.expected[live] - day
        care = self.truth.owners.care[self.book.owner[live]]
        if self.days["phase", day] == 0:
            care = np.minimum(2 * care, 0.6)
        pushed = live[np.where(due <= 0, u < care, (due <= 10) & (u < 0.03))]
        pulled = live[(due > 20) & (u > 0.998)]
        self._move_date(pushed, np.maximum(self._guess(pushed, day, share=0.8), self.expected[pushed] + 7))
        self._move_date(pulled, day + (self.expected[pulled] - day) // 2)
        given_up = pushed[(self.pushes[pushed] >= 4) & (self.rng.random(len(pushed)) < 0.25)]
        self.category[given_up] = CATEGORIES.index("Omitted")
        return np.concatenate([pushed, pulled])

    def _move_date(self, deals: np.ndarray, to: np.ndarray) -> None:
        later = self.days["month_end", to] > self.days["month_end", self.expected[deals]]
        self.pushes[deals] += later
        self.expected[deals] = to

    def _guess(self, deals: np.ndarray, day: int, share: float = 1.0) -> np.ndarray:
        """The close date a seller would enter today: too soon, and mostly the end of a month or a quarter."""
        typical = _REMAINING[self.book.stage[deals]] * _SEGMENT_REMAINING[self.features["segment"][deals]] * share
        guess = day + np.maximum(typical * np.exp(self.rng.normal(0, 0.45, len(deals))), 4).astype(np.int64)
        u = self.rng.random(len(deals))
        ends = np.where(u < 0.30, self.days["month_end", guess], self.days["quarter_end", guess])
        return np.where(u < 0.46, ends, guess)

    def _categorise(self, deals: np.ndarray) -> np.ndarray:
        """Forecast category by stage; sellers know a good deal, a little."""
        stage = self.book.stage[deals]
        good = np.clip(self.book.forward[deals] / self.book.lost[deals], 0.5, 1.6)
        u = self.rng.random(len(deals))
        omitted = _OMITTED[stage]
        commit = omitted + _COMMIT[stage] * good
        best = commit + _BEST_CASE[stage] * good
        return np.select([u < omitted, u < commit, u < best], [0, 3, 2], 1)

    def _record(self, changed: np.ndarray, day: int) -> None:
        """Write down the state of the changed deals."""
        state = {
            "deal": changed,
            "day": np.full(len(changed), day),
            "stage": self.book.stage[changed],
            "amount": self.book.amount[changed],
            "expected": self.expected[changed],
            "category": self.category[changed],
            "owner": self.book.owner[changed],
        }
        for name, values in state.items():
            self._log[name].append(values)


def first_day_in(log: dict[str, np.ndarray], deals: int, stage: int) -> np.ndarray:
    """First day of each deal in a stage or beyond it but not lost, NEVER where it has none."""
    first = np.full(deals, NEVER)
    there = (log["stage"] >= stage) & (log["stage"] != LOST)
    np.minimum.at(first, log["deal"][there], log["day"][there])
    return first
