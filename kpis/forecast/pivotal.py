"""The deals that the outcome depends on: how the chance to hit moves when one of them is won or lost."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from kpis.forecast.projection import Projection

CONSIDERED = 3
"""How many deals are taken out together: what people can keep in mind."""

PLAUSIBLE = 0.1
"""A deal with less of a chance is a surprise when it comes, and nobody's plan."""


@dataclass(frozen=True)
class Pivotal:
    """What the chance to hit hangs on.

    Parameters
    ----------
    deals
        (k,) positions in ``model.open_deals``; first the one whose outcome decides most.
    p_won, p_lost
        (k,) chance to hit if this deal is won, or lost, the others open as they are.
    p_hit_by_count
        (k + 1,) chance to hit when 0, 1, ... of them are won, averaged over which.
    """

    deals: np.ndarray
    p_won: np.ndarray
    p_lost: np.ndarray
    p_hit_by_count: np.ndarray

    def needed(self, chance: float) -> int | None:
        """Fewest of them that must be won for this chance to hit; None when not even all are enough."""
        enough = np.flatnonzero(self.p_hit_by_count >= chance)
        return int(enough[0]) if len(enough) else None


def p_hit_if(projection: Projection, target: float, deal: int, w: int = 0) -> tuple[float, float]:
    """Chance to hit if this open deal is won, and if it is lost.

    It leaves the distribution of what is still to come; the common shock stays on all others.
    """
    others = projection.without(w, np.array([deal]))
    return others.p_hit(target - float(projection.deal_amount[deal])), others.p_hit(target)


def pivotal(projection: Projection, target: float, w: int = 0) -> Pivotal | None:
    """Take the plausible deals with the most uncertain amounts out, and put every outcome of theirs back.

    A deal's uncertainty is the standard deviation of what it brings, amount x sqrt(p (1 - p)); how much its outcome
    decides is the same of the chance to hit, (chance if won - chance if lost) x sqrt(p (1 - p)). None where the
    target is met or no open deal is plausible in the window.
    """
    p, amount = projection.deal_p[:, w], projection.deal_amount
    doubt = np.where(p >= PLAUSIBLE, np.sqrt(p * (1 - p)), 0.0)
    uncertain = int((amount * doubt > 0).sum())
    if target <= projection.windows[w].won or not uncertain:
        return None
    top = np.argsort(-amount * doubt, kind="stable")[: min(CONSIDERED, uncertain)]
    p_won, p_lost = np.array([p_hit_if(projection, target, k, w) for k in top]).T
    order = np.argsort(-(p_won - p_lost) * doubt[top], kind="stable")
    return Pivotal(top[order], p_won[order], p_lost[order], _by_count(projection, target, top, w))


def _by_count(projection: Projection, target: float, top: np.ndarray, w: int) -> np.ndarray:
    """(k + 1,) chance to hit when so many of these deals are won: over which ones, as likely as they are."""
    others, p, amount = projection.without(w, top), projection.deal_p[top, w], projection.deal_amount[top]
    chance, hit = np.zeros(len(top) + 1), np.zeros(len(top) + 1)
    for won in product((False, True), repeat=len(top)):
        of_these = np.array(won)
        likely = np.prod(np.where(of_these, p, 1 - p))
        chance[of_these.sum()] += likely
        hit[of_these.sum()] += likely * others.p_hit(target - float(amount[of_these].sum()))
    return hit / chance
