"""What a deal will bring when it is won: its last known amount, corrected by how amounts ended in the past."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpis.engine import NEVER
from kpis.pipeline.stints import WON, Stints

MEMORY = 728
"""Days of wins that the corrections learn from."""

DEFAULT_CV = 0.10
"""Revision noise of one deal's amount, as a coefficient of variation, where none can be estimated."""

MIN_WINS = 30
CV_LIMITS = (0.02, 1.0)


@dataclass(frozen=True)
class Amounts:
    """Expected amounts if won.

    Parameters
    ----------
    ratio
        (S,) final over stage-entry amount of deals won in the last two years.
    cv
        Revision noise of one deal.
    known
        (deals,) last known amount, with a stand-in where there is none.
    first
        (deals,) the same at creation.
    stood_in
        (deals,) True where a stand-in is used.
    """

    ratio: np.ndarray
    cv: float
    known: np.ndarray
    first: np.ndarray
    stood_in: np.ndarray


def fit_amounts(stints: Stints) -> Amounts:
    """Estimate ratios and noise, and fill in what is missing.

    A missing or zero amount gets the list price of its product, else the mean won amount of the product,
    else the mean won amount of all.
    """
    deals = stints.deals
    won = ((deals["outcome"] == WON) & (deals["closed"] > stints.today - MEMORY)).to_numpy()
    final = deals["amount"].to_numpy()
    stand_in = _stand_in(stints, won, final)
    known, missing = _filled(final, stand_in)
    first, _ = _filled(deals["first_amount"].to_numpy(), known)

    spells = stints.spells
    entry_amount = spells["amount"].to_numpy()
    deal, stage = spells["deal"].to_numpy(), spells["stage"].to_numpy()
    use = won[deal] & np.isfinite(entry_amount) & (entry_amount > 0) & (final[deal] > 0)
    size = len(stints.stages)
    ended = np.bincount(stage[use], final[deal[use]], size)
    began = np.bincount(stage[use], entry_amount[use], size)
    ratio = (ended + 1) / (began + 1)
    cv = DEFAULT_CV
    if stints.has_history and won.sum() >= MIN_WINS:
        log_change = np.log(final[deal[use]] / entry_amount[use])
        cv = float(np.clip(np.std(log_change), *CV_LIMITS)) if len(log_change) else DEFAULT_CV
    return Amounts(ratio, cv, known, first, missing)


def _stand_in(stints: Stints, won: np.ndarray, final: np.ndarray) -> np.ndarray:
    """List price, else mean won amount of the product, else of all, for each deal."""
    deals = stints.deals
    good = won & np.isfinite(final) & (final > 0)
    overall = float(final[good].mean()) if good.any() else 0.0
    code = deals["product"].cat.codes.to_numpy().astype(np.int64) + 1
    size = int(code.max(initial=0)) + 1
    count = np.bincount(code[good], minlength=size)
    total = np.bincount(code[good], final[good], size)
    by_product = np.where(count > 0, total / np.maximum(count, 1), overall)
    by_product[0] = overall
    price = deals["list_price"].to_numpy()
    return np.where(np.isfinite(price) & (price > 0), price, by_product[code])


def _filled(amount: np.ndarray, stand_in: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    missing = ~(np.isfinite(amount) & (amount > 0))
    return np.where(missing, stand_in, amount), missing


def is_open(stints: Stints) -> np.ndarray:
    """Whether each deal is open at the end of today."""
    return (stints.deals["closed"] >= NEVER).to_numpy()
