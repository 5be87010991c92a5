"""The deals that the outcome depends on: how the chance to hit moves when one is won or lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from kpis.forecast.projection import Projection
from kpis.forecast.revenue import SHOCK, amount_bin, cells, distribution

CONSIDERED = 3
"""How many deals are taken out together: what people can keep in mind."""


@dataclass(frozen=True)
class Pivotal:
    """What the chance to hit in the current period hangs on.

    Parameters
    ----------
    row
        (k,) positions in ``model.open_deals``, the largest swing first.
    p_won, p_lost
        (k,) chance to hit if this deal is won, or lost, the others as they are.
    p_hit_by_count
        (k + 1,) chance to hit when 0, 1, ... of them are won, averaged over which.
    """

    row: np.ndarray
    p_won: np.ndarray
    p_lost: np.ndarray
    p_hit_by_count: np.ndarray

    def needed(self) -> int | None:
        """Fewest of them that must be won for an even chance; None when not even all are enough."""
        enough = np.flatnonzero(self.p_hit_by_count >= 0.5)
        return int(enough[0]) if len(enough) else None


def pivotal(projection: Projection, target: float, w: int = 0) -> Pivotal | None:
    """Take the deals with the largest uncertain amounts out and put every outcome of theirs back.

    The uncertainty of a deal is amount x sqrt(p (1 - p)). The common shock stays on all other deals. None where
    the target is met or no open deal can be won in the window.
    """
    model, window = projection.model, projection.windows[w]
    to_go = (target - window.won) / window.scale
    held = model.open_deals
    p, amount = projection.deal_p[:, w], held.amount
    weight = amount * np.sqrt(p * (1 - p))
    if to_go <= 0 or not (weight > 0).any():
        return None
    top = np.argsort(-weight, kind="stable")[: min(CONSIDERED, int((weight > 0).sum()))]
    rest = np.ones(len(p), dtype=bool)
    rest[top] = False
    others = cells(
        p[rest], np.ones(rest.sum()), amount[rest], amount[rest] ** 2, amount_bin(amount[rest]), model.amounts.cv
    )
    left = distribution(others, window.new, SHOCK[w])

    def hit(won: tuple[int, ...]) -> float:
        short = to_go - float(sum(amount[top[k]] for k in won))
        return 1.0 if short <= 0 else 1.0 - window.calibration.to_share(w, left.cdf(short))

    size = len(top)
    outcomes = [won for n in range(size + 1) for won in combinations(range(size), n)]
    chance = {won: float(np.prod([p[top[k]] if k in won else 1 - p[top[k]] for k in range(size)])) for won in outcomes}
    hits = {won: hit(won) for won in outcomes}

    def given(test: Callable[[tuple[int, ...]], bool]) -> float:
        kept = [won for won in outcomes if test(won)]
        total = sum(chance[won] for won in kept)
        return sum(chance[won] * hits[won] for won in kept) / total if total > 0 else float("nan")

    p_won = np.array([given(lambda won, k=k: k in won) for k in range(size)])
    p_lost = np.array([given(lambda won, k=k: k not in won) for k in range(size)])
    by_count = np.array([given(lambda won, n=n: len(won) == n) for n in range(size + 1)])
    order = np.argsort(-(p_won - p_lost), kind="stable")
    return Pivotal(top[order], p_won[order], p_lost[order], by_count)
