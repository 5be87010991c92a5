"""Deals as counts: the open ones, and the kinds of those created lately. No projection goes back to the rows."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np

from kpis.forecast.amounts import Amounts, is_open
from kpis.forecast.creation import MARK_DAYS
from kpis.forecast.hazards import Hazards
from kpis.forecast.levers import Mix
from kpis.forecast.margins import margins
from kpis.forecast.revenue import amount_bin
from kpis.forecast.spells import atoms
from kpis.pipeline.stints import Stints

LEAST = 1e-6
"""Fewer deals than this are none: what rounding leaves of a group that was taken out."""


@dataclass(frozen=True)
class Groups:
    """Deals counted by class, stage, days in stage, amount bin and margin.

    Parameters
    ----------
    deal_class, stage, age
        (groups,) keys; for created deals the age is 0.
    margin
        (groups,) what recalibration tells apart beside the stage; 0 for created deals.
    n, total, squares
        (groups,) number of deals, sum of expected amounts and of their squares.
    """

    deal_class: np.ndarray
    stage: np.ndarray
    age: np.ndarray
    margin: np.ndarray
    n: np.ndarray
    total: np.ndarray
    squares: np.ndarray

    @cached_property
    def bins(self) -> np.ndarray:
        """(groups,) bin of the mean amount."""
        return amount_bin(self.total / np.maximum(self.n, 1))

    def holding(self, group: np.ndarray, amount: np.ndarray) -> Groups:
        """The same groups with the number of these deals in each, and the sums of their amounts."""
        size = len(self.n)
        return replace(
            self,
            n=np.bincount(group, minlength=size).astype(float),
            total=np.bincount(group, amount, size),
            squares=np.bincount(group, amount**2, size),
        )

    def sized(self, factor: float) -> Groups:
        """The same deals with all amounts multiplied."""
        if factor == 1:
            return self
        return replace(self, total=self.total * factor, squares=self.squares * factor**2)

    def plus(self, part: Groups, times: float) -> Groups:
        """With a part of them so many times more; -1 leaves it out."""
        n = self.n + times * part.n
        some = n > LEAST
        return replace(
            self,
            n=n,
            total=(self.total + times * part.total) * some,
            squares=(self.squares + times * part.squares) * some,
        )


@dataclass(frozen=True)
class Due:
    """The open qualified deals that count for a period.

    Parameters
    ----------
    deals
        Positions in the model's open deals.
    amount
        Sum of their last known amounts.
    counted
        The same deals as counts.
    """

    deals: np.ndarray
    amount: float
    counted: Groups


@dataclass(frozen=True)
class OpenDeals:
    """Where each open deal stands: class, stage, days in stage, margin, expected amount if won.

    Parameters
    ----------
    row
        (open deals,) row in the deals table.
    group
        (open deals,) which of the model's groups it is counted in.
    """

    row: np.ndarray
    deal_class: np.ndarray
    stage: np.ndarray
    age: np.ndarray
    margin: np.ndarray
    amount: np.ndarray
    group: np.ndarray

    def some(self, deals: np.ndarray) -> OpenDeals:
        """Those at the given positions."""
        return OpenDeals(*(getattr(self, x.name)[deals] for x in fields(self)))


def hold(found: Stints, hazards: Hazards, amounts: Amounts, ends: tuple[int, ...]) -> tuple[OpenDeals, Groups]:
    """The spell each open deal is in, one by one and counted."""
    spells = found.spells
    current = spells[(spells["cause"] == -1) & is_open(found)[spells["deal"].to_numpy()]]
    row, stage = current["deal"].to_numpy(), current["stage"].to_numpy()
    age = found.today - current["entry"].to_numpy()
    margin = margins(found, row, ends, hazards.covariates[0].code)
    amount = amounts.known[row] * amounts.ratio[stage]
    groups, group = grouped(hazards.deal_class[row], stage, age, margin, amount)
    return OpenDeals(row, hazards.deal_class[row], stage, age, margin, amount, group), groups


def _first_stage(found: Stints) -> np.ndarray:
    """Stage of each deal on its first night; -1 for deals that never had one."""
    first = np.full(len(found.deals), -1)
    spells = found.spells
    deal = spells["deal"].to_numpy()
    rows = np.flatnonzero(np.append(True, deal[1:] != deal[:-1])) if len(deal) else np.zeros(0, dtype=np.int64)
    first[deal[rows]] = spells["stage"].to_numpy()[rows]
    return first


def recent(found: Stints) -> tuple[np.ndarray, np.ndarray]:
    """Rows and first stages of the deals created in the last 364 days that did not close at once."""
    first = _first_stage(found)
    created = found.deals["created"].to_numpy()
    since = found.today - MARK_DAYS
    rows = np.flatnonzero((created > since) & (first >= 0) & ~atoms(found))
    if not len(rows):
        rows = np.flatnonzero((first >= 0) & ~atoms(found))
    return rows, first[rows]


def recent_kinds(found: Stints, hazards: Hazards, amounts: Amounts) -> tuple[Groups, dict[str, Groups]]:
    """The kinds of recent deals, and how many of each kind came from each source."""
    rows, stage = recent(found)
    amount = amounts.first[rows] * amounts.ratio[stage]
    none = np.zeros(len(rows), dtype=np.int64)
    marks, group = grouped(hazards.deal_class[rows], stage, none, none, amount)
    source = found.deals["source"].iloc[rows]
    code = source.cat.codes.to_numpy()
    return marks, {
        str(name): marks.holding(group[code == k], amount[code == k])
        for k, name in enumerate(source.cat.categories)
        if (code == k).any()
    }


def recent_mix(found: Stints, hazards: Hazards) -> Mix:
    """Which classes entered each stage lately, and began in it."""
    size = (len(hazards.forward), len(found.stages))
    rows, first = recent(found)
    created = np.zeros(size)
    np.add.at(created, (hazards.deal_class[rows], first), 1)
    spells = found.spells
    lately = (spells["entry"] > found.today - MARK_DAYS).to_numpy()
    use = spells[lately if lately.any() else np.ones(len(spells), dtype=bool)]
    entering = np.zeros(size)
    np.add.at(entering, (hazards.deal_class[use["deal"].to_numpy()], use["stage"].to_numpy()), 1)
    return Mix(entering, created)


def grouped(
    deal_class: np.ndarray, stage: np.ndarray, age: np.ndarray, margin: np.ndarray, amount: np.ndarray
) -> tuple[Groups, np.ndarray]:
    """The deals as counts, and the group of each deal."""
    keys = np.stack([deal_class, stage, age, margin, amount_bin(amount)])
    # As one number: to sort columns takes ten times as long.
    least = keys.min(axis=1, initial=0)
    span = keys.max(axis=1, initial=0) - least + 1
    unique, group = np.unique(np.ravel_multi_index(keys - least[:, None], span), return_inverse=True)
    unique, empty = np.stack(np.unravel_index(unique, span)) + least[:, None], np.zeros(len(unique))
    return Groups(*unique[:4], n=empty, total=empty, squares=empty).holding(group, amount), group
