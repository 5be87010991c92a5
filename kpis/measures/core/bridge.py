"""Why a number changed: its change between two periods as a sum of effects, group by group.

A total of rows with an amount changes by volume, mix and size, a quotient by mix and rate, money won by
volume, mix, rate, size and timing. The effects of the groups add up to the change, whatever the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Fraction:
    """A number as totals by group and period: ``top`` alone, or the quotient Σ top ÷ Σ bottom.

    Parameters
    ----------
    top, bottom
        Totals, shape (groups, periods); without ``bottom`` the number is a total of things that are alike.
    is_quotient
        Whether the number is the quotient; else it is Σ top, over Σ bottom rows.
    """

    groups: tuple[str, ...]
    top: np.ndarray
    bottom: np.ndarray | None = None
    is_quotient: bool = False

    def last(self, periods: int) -> Fraction:
        """Only the last ``periods`` periods."""
        bottom = None if self.bottom is None else self.bottom[:, -periods:]
        return Fraction(self.groups, self.top[:, -periods:], bottom, self.is_quotient)

    @property
    def value(self) -> np.ndarray:
        """The number in each period over all groups; NaN where there is nothing to divide by."""
        top = np.nansum(self.top, axis=0)
        if not self.is_quotient:
            return top
        bottom = np.nansum(self.bottom, axis=0)
        return np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)


def bridge(of: Fraction, before: int, after: int) -> pd.DataFrame:
    """Effects that add up to ``of.value[after] - of.value[before]``: columns effect, group, value.

    Parameters
    ----------
    before, after
        Numbers of the two periods.
    """
    top = np.nan_to_num(of.top[:, [before, after]])
    if of.bottom is None:
        return _table(of.groups, {"volume": top[:, 1] - top[:, 0]})
    bottom = np.nan_to_num(of.bottom[:, [before, after]])
    split = quotient_effects if of.is_quotient else total_effects
    return _table(of.groups, split(top[:, 0], bottom[:, 0], top[:, 1], bottom[:, 1]))


def total_effects(
    money0: np.ndarray, rows0: np.ndarray, money1: np.ndarray, rows1: np.ndarray
) -> dict[str, np.ndarray]:
    """Volume, mix and size of a total of money, by group; all add up to Σ money1 − Σ money0.

    Volume: (n1 − n0 · N1/N0) is what a group's rows grew beyond all rows; with ā the mean amount before,
    volume = (n1 − n0) · ā, mix = (n1 − n0) · (a0 − ā), size = n1 · (a1 − a0). A group that was not there
    before had the mean amount of all.
    """
    mean = _quotient(money0.sum(), rows0.sum(), _quotient(money1.sum(), rows1.sum(), np.zeros(())))
    each0 = _quotient(money0, rows0, mean)
    each1 = _quotient(money1, rows1, each0)
    more = rows1 - rows0
    # Money without a row (nothing was counted) is size: nothing is lost.
    loose = np.where(rows1 > 0, 0.0, money1) - np.where(rows0 > 0, 0.0, money0)
    return {"volume": more * mean, "mix": more * (each0 - mean), "size": rows1 * (each1 - each0) + loose}


def quotient_effects(
    top0: np.ndarray, bottom0: np.ndarray, top1: np.ndarray, bottom1: np.ndarray
) -> dict[str, np.ndarray]:
    """Mix and rate of a quotient of totals, by group; all add up to Σ top1/Σ bottom1 − Σ top0/Σ bottom0.

    With w a group's share of the bottom and r its own quotient: rate = w1 (r1 − r0), mix = (w1 − w0)(r0 − R0).
    A group that was not there before had the quotient of all. Units of the top without any bottom are rate.
    """
    total0, total1 = bottom0.sum(), bottom1.sum()
    all0 = top0.sum() / total0
    weight0, weight1 = bottom0 / total0, bottom1 / total1
    rate0 = _quotient(top0, bottom0, all0)
    rate1 = _quotient(top1, bottom1, rate0)
    loose = np.where(bottom1 > 0, 0.0, top1) / total1 - np.where(bottom0 > 0, 0.0, top0) / total0
    return {"mix": (weight1 - weight0) * (rate0 - all0), "rate": weight1 * (rate1 - rate0) + loose}


@dataclass(frozen=True)
class Won:
    """Decided and won deals and money won by group in two periods, shape (groups, 2).

    ``moved`` and ``moved_money`` are the won deals that were open on the first day of the period and expected in
    another one: pulled in or overdue.
    """

    groups: tuple[str, ...]
    decided: np.ndarray
    won: np.ndarray
    money: np.ndarray
    moved: np.ndarray
    moved_money: np.ndarray


def revenue_bridge(deals: Won) -> pd.DataFrame:
    """Volume, mix, rate, size and timing of the money won; they add up to its change.

    Timing is the change of what came from deals expected in another period. Of the other deals, with D decided,
    w = won/decided, a = money/won by group and v = w a: volume = (D1 − D0) · v̄, mix = (D1 − D0)(v0 − v̄),
    rate = D1 (w1 − w0) a0, size = D1 w1 (a1 − a0).
    """
    moved = np.minimum(deals.moved, deals.won)
    decided, won, money = deals.decided - moved, deals.won - moved, deals.money - deals.moved_money
    mean = _quotient(money[:, 0].sum(), decided[:, 0].sum(), np.zeros(()))
    all_rate = _quotient(won[:, 0].sum(), decided[:, 0].sum(), np.zeros(()))
    all_size = _quotient(money[:, 0].sum(), won[:, 0].sum(), np.zeros(()))
    rate0 = _quotient(won[:, 0], decided[:, 0], all_rate)
    size0 = _quotient(money[:, 0], won[:, 0], all_size)
    rate1, size1 = _quotient(won[:, 1], decided[:, 1], rate0), _quotient(money[:, 1], won[:, 1], size0)
    # A group without a win before has no size of its own; its deals are then worth what they brought: nothing.
    each0 = np.where(decided[:, 0] > 0, rate0 * size0, mean)
    rate0 = np.where(decided[:, 0] > 0, rate0, all_rate)
    more = decided[:, 1] - decided[:, 0]
    effects = {
        "volume": more * mean,
        "mix": more * (each0 - mean),
        "rate": decided[:, 1] * (rate1 * size0 - each0),
        "size": decided[:, 1] * rate1 * (size1 - size0),
        "timing": deals.moved_money[:, 1] - deals.moved_money[:, 0],
    }
    return _table(deals.groups, effects)


def _quotient(top: np.ndarray, bottom: np.ndarray, absent: np.ndarray) -> np.ndarray:
    """Top ÷ bottom, and ``absent`` where bottom is 0."""
    top, bottom = np.asarray(top, dtype=float), np.asarray(bottom, dtype=float)
    return np.divide(top, bottom, out=np.array(np.broadcast_to(absent, top.shape), dtype=float), where=bottom > 0)


def _table(groups: Sequence[str], effects: dict[str, np.ndarray]) -> pd.DataFrame:
    rows = [
        (effect, group, float(v)) for effect, values in effects.items() for group, v in zip(groups, values, strict=True)
    ]
    return pd.DataFrame(rows, columns=["effect", "group", "value"])
