"""A company that follows the model exactly, with known hazards, calendar rhythm and hazard ratios."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from kpis.periods import Calendar
from tests.oracle.chance import phase

STAGES = ("Discovery", "Proposal")
EDGES = np.array([0, 7, 33, 85])
"""First day of each age band of the true hazards: edges of the model's own age bins."""


@dataclass(frozen=True)
class Truth:
    """Daily probabilities by stage and age band, and what multiplies them.

    ``forward`` and ``losing`` multiply by segment; ``won_rhythm`` and ``lost_rhythm`` by calendar phase;
    ``price`` is the mean amount of a segment.
    """

    won: np.ndarray = field(
        default_factory=lambda: np.array([[0.002, 0.002, 0.001, 0.001], [0.004, 0.015, 0.02, 0.008]])
    )
    lost: np.ndarray = field(
        default_factory=lambda: np.array([[0.012, 0.015, 0.012, 0.01], [0.004, 0.01, 0.012, 0.015]])
    )
    move: np.ndarray = field(
        default_factory=lambda: np.array(
            [[[0.0] * 4, [0.01, 0.03, 0.02, 0.008]], [[0.002, 0.002, 0.001, 0.001], [0.0] * 4]]
        )
    )
    forward: np.ndarray = field(default_factory=lambda: np.array([1.25, 0.6]))
    losing: np.ndarray = field(default_factory=lambda: np.array([0.8, 1.3]))
    price: np.ndarray = field(default_factory=lambda: np.array([1000.0, 4000.0]))
    won_rhythm: np.ndarray = field(default_factory=lambda: np.array([0.6, 0.8, 0.9, 0.7, 0.9, 1.1, 0.8, 1.2, 2.5]))
    lost_rhythm: np.ndarray = field(default_factory=lambda: np.array([1.8, 1.0, 0.8, 1.0, 0.9, 0.9, 0.9, 0.9, 1.1]))
    per_day: float = 8.0
    segment_share: float = 0.5


def plain(**changes) -> Truth:
    """The company without calendar rhythm and without differences between segments, but for ``changes``."""
    ones = {name: np.ones(2) for name in ("forward", "losing")}
    rhythm = {name: np.ones(9) for name in ("won_rhythm", "lost_rhythm")}
    return Truth(**{**ones, **rhythm, "price": np.array([1000.0, 1000.0]), **changes})


@dataclass
class Pipeline:
    """Deals of the company as columns, and its log of moves (deal, day, stage)."""

    created: np.ndarray
    segment: np.ndarray
    amount: np.ndarray
    stage: np.ndarray
    entry: np.ndarray
    outcome: np.ndarray
    closed: np.ndarray
    moves: list[tuple[np.ndarray, int, np.ndarray]]

    @classmethod
    def empty(cls) -> Pipeline:
        """No deals."""
        ints = [np.zeros(0, dtype=np.int64) for _ in range(6)]
        return cls(ints[0], ints[1], np.zeros(0), ints[2], ints[3], ints[4], ints[5], [])

    def copies(self, n: int) -> Pipeline:
        """The open deals n times over: n possible futures at once; deal k belongs to future k // open."""
        live = self.outcome == 0
        columns = {
            name: np.tile(getattr(self, name)[live], n)
            for name in ("created", "segment", "amount", "stage", "entry", "outcome", "closed")
        }
        return Pipeline(**columns, moves=[])


def run(
    truth: Truth,
    pipeline: Pipeline,
    first: int,
    last: int,
    calendar: Calendar,
    rng: np.random.Generator,
    *,
    arrivals: float = 1.0,
) -> Pipeline:
    """Live through the days first ... last: first the day's exits, then its creations in the first stage.

    ``arrivals`` multiplies the number of creations.
    """
    p = pipeline
    for day in range(first, last + 1):
        rhythm = phase(day, calendar)
        live = np.flatnonzero(p.outcome == 0)
        stage, segment = p.stage[live], p.segment[live]
        band = np.searchsorted(EDGES, day - 1 - p.entry[live], side="right") - 1
        won = truth.won[stage, band] * truth.forward[segment] * truth.won_rhythm[rhythm]
        lost = truth.lost[stage, band] * truth.losing[segment] * truth.lost_rhythm[rhythm]
        to = 1 - stage
        move = truth.move[stage, to, band] * truth.forward[segment]
        draw = rng.random(len(live))
        is_won, is_lost = draw < won, (draw >= won) & (draw < won + lost)
        moves = (draw >= won + lost) & (draw < won + lost + move)
        p.outcome[live[is_won]], p.outcome[live[is_lost]] = 1, 2
        p.closed[live[is_won | is_lost]] = day
        p.stage[live[moves]], p.entry[live[moves]] = to[moves], day
        if moves.any():
            p.moves.append((live[moves], day, to[moves]))
        n = rng.poisson(truth.per_day * arrivals)
        segment = (rng.random(n) < truth.segment_share).astype(np.int64)
        new = np.arange(len(p.created), len(p.created) + n)
        p.created = np.append(p.created, np.full(n, day))
        p.segment = np.append(p.segment, segment)
        p.amount = np.append(p.amount, truth.price[segment] * rng.lognormal(-0.045, 0.3, n))
        p.stage = np.append(p.stage, np.zeros(n, dtype=np.int64))
        p.entry = np.append(p.entry, np.full(n, day))
        p.outcome = np.append(p.outcome, np.zeros(n, dtype=np.int64))
        p.closed = np.append(p.closed, np.full(n, -1))
        p.moves.append((new, day, np.zeros(n, dtype=np.int64)))
    return p


def tables(pipeline: Pipeline) -> dict[str, pd.DataFrame]:
    """The company's CRM: opportunities, history and stages."""
    p = pipeline
    name = np.array([f"d{k:06d}" for k in range(len(p.created))])
    closed = pd.Series(p.closed.astype("datetime64[D]")).where(p.outcome > 0)
    stage = np.where(p.outcome == 1, "Won", np.where(p.outcome == 2, "Lost", np.array(STAGES)[p.stage]))
    opportunities = pd.DataFrame({
        "opportunity_id": name, "created_at": p.created.astype("datetime64[D]"), "closed_at": closed,
        "status": np.array(["open", "won", "lost"])[p.outcome], "amount": p.amount, "stage": stage,
        "segment": np.array(["small", "large"])[p.segment],
    })  # fmt: skip
    deal = np.concatenate([deals for deals, _, _ in p.moves])
    moved_on = np.repeat([day for _, day, _ in p.moves], [len(deals) for deals, _, _ in p.moves])
    history = pd.DataFrame({
        "opportunity_id": name[deal],
        "changed_at": moved_on.astype("datetime64[D]"),
        "stage": np.array(STAGES)[np.concatenate([stages for _, _, stages in p.moves])],
        "amount": p.amount[deal],
    })  # fmt: skip
    stages = pd.DataFrame({
        "stage": [*STAGES, "Won", "Lost"], "position": [1, 2, 3, 4], "is_won": [0, 0, 1, 0], "is_lost": [0, 0, 0, 1],
    })  # fmt: skip
    return {"opportunities": opportunities, "opportunity_history": history, "stages": stages}
