"""Companies with known truth, lived through day by day: their past as a CRM would have recorded it.

Nothing here knows the forecast or the demo company. Deals follow hazards in days: on day d, a deal that at the end of
the day before was u days in stage s leaves it with probability 1 - exp(-total), and among the causes in proportion to

    won   base_won[s, u]  * ratio.won  * pushed^pushes * due(expected close - d) * calendar_won[d] * shock[quarter of d]
    lost  base_lost[s, u] * ratio.lost * calendar_lost[d]
    move  base_move[s, u] * ratio.move * calendar_move[d]           then to another stage with chance ``to[s]``

A ratio is the product of the deal's segment, source, owner and (amount / typical)^elasticity. The calendars hold
weekdays, the bunching at the ends of months and quarters, the season and a slow drift. With chance ``sleep`` a day a
deal is given up without anybody closing it (a zombie): nothing ever happens to it again. An overdue expected close is
pushed with chance ``push`` a day; a move forward revises the amount with chance ``revision``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.truth import AGES, Truth, first_day_of, months_of

DUE = np.array([0.8, *[1.5] * 11, 1.0])
"""Factor on winning by days until the expected close: overdue, 0 to 10 days, more."""

PUSHED = 0.85
"""Factor on winning of each of the first three pushes."""


def features(truth: Truth, created: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """What deals created on these days are like; heavy tails: one in ten amounts has a Pareto factor."""
    at, n = created - truth.first, len(created)

    def pick(share: np.ndarray) -> np.ndarray:
        return (rng.random((n, 1)) > np.cumsum(share, axis=1)[:, :-1]).sum(1)

    source = pick(truth.source_share[at])
    segment = pick(truth.segment_share[source])
    active = (truth.hired <= created[:, None]) & (created[:, None] <= truth.gone)
    owner = pick(active / active.sum(1, keepdims=True))
    tail = np.where(rng.random(n) < 0.1, np.minimum((1 - rng.random(n)) ** (-1 / 2.5), 12.0), 1.0)
    amount = truth.typical[segment] * np.exp(rng.normal(0, truth.spread, n)) * tail * truth.price[at]
    instant = rng.random(n) < truth.instant
    return {
        "segment": segment, "source": source, "owner": owner, "instant": instant,
        "amount": np.round(np.where(instant, 0.4, 1.0) * amount, -1) + 10,
    }  # fmt: skip


@dataclass
class Book:
    """Deals as columns, by creation; ``group`` is the deal in the past and the draw in futures.

    ``won``, ``lost``, ``move`` are the ratios, 0 once a deal is over. ``awake`` is the chance that somebody
    who sees the records gives a deal not to be a zombie.
    """

    group: np.ndarray
    created: np.ndarray
    amount: np.ndarray
    stage: np.ndarray
    entry: np.ndarray
    expected: np.ndarray
    pushes: np.ndarray
    won: np.ndarray
    lost: np.ndarray
    move: np.ndarray
    asleep: np.ndarray
    awake: np.ndarray

    def take(self, which: np.ndarray) -> Book:
        """A copy of the deals at these places (or where a mask is true)."""
        return Book(**{name: values[which] for name, values in vars(self).items()})

    def over(self, which: np.ndarray) -> None:
        """Nothing happens to these deals any more."""
        self.won[which] = self.lost[which] = self.move[which] = 0.0
        self.awake[which] = 0.0

    @classmethod
    def joined(cls, a: Book, b: Book) -> Book:
        """The deals of both."""
        return cls(**{name: np.concatenate([values, getattr(b, name)]) for name, values in vars(a).items()})


def new_book(truth: Truth, made: dict[str, np.ndarray], created: np.ndarray, rng: np.random.Generator) -> Book:
    """Deals with these features in their first stage on the day of their creation."""
    n = len(created)
    size = np.log(made["amount"] / truth.typical[1])
    won, lost = (
        truth.segment[k, made["segment"]] * truth.source[k, made["source"]] * truth.owner[k, made["owner"]]
        * np.exp(truth.elasticity[k] * size)
        for k in (0, 1)
    )  # fmt: skip
    stage = np.zeros(n, dtype=np.int64)
    book = Book(
        group=np.arange(n), created=created, amount=made["amount"].copy(), stage=stage, entry=created.copy(),
        expected=_guess(truth, stage, created, rng), pushes=stage.copy(), won=won, lost=lost, move=won.copy(),
        asleep=np.zeros(n, dtype=bool), awake=np.ones(n),
    )  # fmt: skip
    book.over(made["instant"])
    return book


def _guess(truth: Truth, stage: np.ndarray, day: np.ndarray | int, rng: np.random.Generator) -> np.ndarray:
    """The expected close somebody enters: too early, and half of the time the end of a month."""
    left = (truth.stages - stage) / truth.stages * 110 * truth.optimism
    guess = day + np.maximum(left * np.exp(rng.normal(0, 0.5, len(stage))), 5).astype(np.int64)
    month_end = first_day_of(months_of(guess) + 1) - 1
    return np.where(rng.random(len(stage)) < 0.5, month_end, guess)


@dataclass(frozen=True)
class Day:
    """What happened on a day, as places in the book: deals that left a stage, were pushed; and the win exposure.

    ``to`` is the stage after leaving (S won, S+1 lost).
    """

    left: np.ndarray
    to: np.ndarray
    pushed: np.ndarray
    exposure: float


def step(
    truth: Truth, book: Book, n: int, day: int, shock: np.ndarray | float, rng: np.random.Generator, *, watch: bool
) -> Day:
    """Live through a day with the first ``n`` deals of the book, changed in place.

    ``watch`` also keeps up what the records tell an observer: ``awake`` and the exposure to winning at shock 1.
    """
    at, now = day - truth.first, slice(0, n)
    cell = book.stage[now] * AGES + np.minimum(day - 1 - book.entry[now], AGES - 1)
    late = book.expected[now] - day
    due = DUE[np.clip(late, -1, 11) + 1]
    at_shock_1 = truth.base_won.ravel()[cell] * book.won[now] * due * truth.calendar_won[at]
    won = at_shock_1 * shock
    lost = truth.base_lost.ravel()[cell] * book.lost[now] * truth.calendar_lost[at]
    total = truth.base_move.ravel()[cell] * book.move[now] * truth.calendar_move[at] + won + lost
    leaving = -np.expm1(-total)
    u = rng.random(n)
    left = np.flatnonzero((u < leaving) & ~book.asleep[now])
    fell_asleep = np.flatnonzero((u > 1 - truth.sleep) & (total > 0) & ~book.asleep[now])
    exposure = 0.0
    if watch:
        exposure = float((at_shock_1 * book.awake[now]).sum())
        # Bayes: no exit and no push today, by a deal that somebody still works on, against a zombie. The observer
        # does not know the quarter's shock.
        staying = np.exp(won - at_shock_1 - total)
        quiet = (staying - truth.sleep) * np.where(late < 0, 1 - truth.push, 1.0) * book.awake[now]
        asleep = book.awake[now] * truth.sleep + 1 - book.awake[now]
        book.awake[now] = np.where(total > 0, quiet / (quiet + asleep), 0.0)

    v = rng.random(len(left)) * total[left]
    is_won = v < won[left]
    is_lost = ~is_won & (v < won[left] + lost[left])
    stage = book.stage[left]
    to = (rng.random((len(left), 1)) > np.cumsum(truth.to, axis=1)[stage, :-1]).sum(1)
    to = np.where(is_won, truth.stages, np.where(is_lost, truth.stages + 1, to))
    ahead = left[(to > stage) & ~is_lost]
    share, mean, sd = truth.revision
    revised = ahead[rng.random(len(ahead)) < share]
    book.amount[revised] *= np.exp(rng.normal(mean, sd, len(revised)))
    moved = left[to < truth.stages]
    book.stage[moved], book.entry[moved], book.awake[moved] = to[to < truth.stages], day, 1.0
    book.over(left[to >= truth.stages])
    book.asleep[fell_asleep] = True

    overdue = np.flatnonzero((late < 0) & ~book.asleep[now] & (book.won[now] > 0))
    overdue = overdue[~np.isin(overdue, left)]
    pushed = overdue[rng.random(len(overdue)) < truth.push]
    book.expected[pushed] = _guess(truth, book.stage[pushed], day, rng)
    book.won[pushed] *= np.where(book.pushes[pushed] < 3, PUSHED, 1.0)
    book.pushes[pushed] += 1
    book.awake[pushed] = 1.0
    return Day(left, to, pushed, exposure)


@dataclass(frozen=True)
class Seen:
    """What the records show at the end of a day: open deals, the quarter's wins and exposure, the month's creations."""

    day: int
    book: Book
    wins: int
    exposure: float
    creations: int
    expected_creations: float


@dataclass(frozen=True)
class Company:
    """A company's past.

    Parameters
    ----------
    made
        Features of each deal by creation, with ``created``.
    closed, outcome
        Day of the close (-1 while open) and stage code of the end (S won, S+1 lost, -1 open).
    log
        A row a change: ``deal``, ``day``, ``stage``, ``amount``, ``expected`` after it.
    seen
        Day -> what the records show at its end.
    shock
        Quarter -> realised factor on winning.
    """

    truth: Truth
    made: dict[str, np.ndarray]
    closed: np.ndarray
    outcome: np.ndarray
    amount: np.ndarray
    log: dict[str, np.ndarray]
    seen: dict[int, Seen]
    shock: dict[int, float]


def live(truth: Truth, rng: np.random.Generator, watched: tuple[int, ...] = ()) -> Company:
    """Live through the company's past; ``watched`` are the days from which futures will be asked for."""
    days = np.arange(truth.first, truth.last + 1)
    at = days - truth.first
    months, quarters = np.unique(truth.month[at]), np.unique(truth.quarter[at])
    busy = dict(zip(months, gamma(truth, rng, len(months)), strict=True))
    shock = dict(zip(quarters, draw_shock(truth, rng, len(quarters)), strict=True))
    counts = rng.poisson(truth.rate[at] * np.array([busy[m] for m in truth.month[at]]))
    created = np.repeat(days, counts)
    made = features(truth, created, rng)
    book = new_book(truth, made, created, rng)
    closed = np.where(made["instant"], created, -1)
    outcome = np.where(made["instant"], truth.stages, -1)
    amount = made["amount"].copy()
    log: list[tuple[np.ndarray, ...]] = []
    seen, watching, wins, exposure = {}, set(watched), 0, 0.0
    n = 0
    for day in days:
        if day == truth.first or truth.quarter[day - truth.first] != truth.quarter[day - truth.first - 1]:
            wins, exposure = 0, 0.0
        what = step(truth, book, n, day, shock[truth.quarter[day - truth.first]], rng, watch=bool(watched))
        ended = what.to >= truth.stages
        deal, to = book.group[what.left], what.to
        closed[deal[ended]], outcome[deal[ended]] = day, to[ended]
        wins, exposure = wins + int((to == truth.stages).sum()), exposure + what.exposure
        fresh = np.arange(n, n + counts[day - truth.first])
        n += len(fresh)
        for which, stage in ((what.left, to), (what.pushed, book.stage[what.pushed]), (fresh, book.stage[fresh])):
            rows = book.group[which], np.full(len(which), day), stage, book.amount[which], book.expected[which]
            log.append(tuple(np.array(x) for x in rows))
        at_once = fresh[made["instant"][book.group[fresh]]]
        won = np.full(len(at_once), truth.stages)
        log.append((book.group[at_once], np.full(len(at_once), day), won, book.amount[at_once], book.expected[at_once]))
        amount[book.group[what.left]] = book.amount[what.left]
        if day in watching:
            same_month = days[(truth.month[at] == truth.month[day - truth.first]) & (days <= day)]
            inside = same_month - truth.first
            still = np.flatnonzero(book.won[:n] > 0)
            seen[int(day)] = Seen(
                int(day), book.take(still), wins, exposure, int(counts[inside].sum()), float(truth.rate[inside].sum())
            )
        if day % 10 == 0:
            keep = (book.won > 0) | (book.created > day)
            n = int(keep[:n].sum())
            book = book.take(keep)
    names = ("deal", "day", "stage", "amount", "expected")
    joined = {name: np.concatenate(parts) for name, parts in zip(names, zip(*log, strict=True), strict=True)}
    return Company(truth, {**made, "created": created}, closed, outcome, amount, joined, seen, shock)


def gamma(truth: Truth, rng: np.random.Generator, size: int) -> np.ndarray:
    """Factors on a month's creations."""
    shape = 1 / truth.month_cv**2
    return rng.gamma(shape, 1 / shape, size)


def draw_shock(truth: Truth, rng: np.random.Generator, size: int | tuple[int, ...]) -> np.ndarray:
    """Factors on a quarter's win hazards."""
    sigma = np.sqrt(np.log1p(truth.shock_cv**2))
    return np.exp(rng.normal(-(sigma**2) / 2, sigma, size))
