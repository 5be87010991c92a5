"""What a measure is made of by group, and which group a change comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np

from kpis.errors import NotEnoughData
from kpis.measures.core.bridge import Fraction, Won, bridge
from kpis.measures.core.dimensions import DIMENSIONS, NOT_GIVEN
from kpis.measures.core.grid import Grid, union
from kpis.measures.core.pipeline import pipeline
from kpis.measures.core.rows import Reduced, Rows, Scan
from kpis.measures.core.runs import Run, Runs
from kpis.measures.registry import find

MOST = 0.5
"""A group explains a change when it adds this share of it."""


@dataclass(frozen=True)
class Cause:
    """The group that a change comes from more than its size explains.

    Parameters
    ----------
    contribution
        What it adds to the change, in the measure's unit.
    share
        That over the whole change; above 1 where other groups went the other way.
    """

    by: str
    group: str
    contribution: float
    share: float


def made_of(run: Run, name: str, part: str = "") -> Fraction:
    """The totals by group and period that a part (the headline when none is named) is made of.

    Raises
    ------
    NotEnoughData
        Where groups do not add up (a median, a growth rate), or the data have no such dimension.
    """
    parts = find(name).declare(run.known)
    found = parts[part or next(iter(parts))].fraction(run.reducer)
    if found is None:
        raise NotEnoughData(f"{name} is not made of totals that add up over groups")
    return found


def usual(of: Fraction, before: Sequence[int], judged: int, length: np.ndarray) -> Fraction:
    """Two periods: what was usual in the periods ``before``, for the length of the judged one, and the judged one."""
    scale = length[judged] / length[list(before)].sum()

    def two(array: np.ndarray) -> np.ndarray:
        past = np.nansum(array[:, list(before)], axis=1) * scale
        return np.stack([past, np.nan_to_num(array[:, judged])], axis=1)

    return Fraction(of.groups, two(of.top), None if of.bottom is None else two(of.bottom), of.is_quotient)


def cause(of: Fraction, by: str) -> tuple[float, Cause] | None:
    """The group of two periods that explains more of the change than its weight lets expect, and by how much.

    A large group explains much of any change. What counts is its share of the change less its share of the
    whole: explanatory power with surprise, as in Bhagwan et al. (2014, Adtributor). None where no group explains
    most of the change.
    """
    change = float(of.value[1] - of.value[0])
    if not np.isfinite(change) or change == 0 or len(of.groups) < 2:
        return None
    effects = bridge(of, 0, 1).groupby("group", sort=False)["value"].sum().reindex(list(of.groups)).to_numpy()
    weight = np.nansum(of.top if of.bottom is None else of.bottom, axis=1)
    surprise = effects / change - weight / weight.sum()
    named = np.array(of.groups) != NOT_GIVEN
    fits = named & (effects / change >= MOST)
    if not fits.any():
        return None
    top = int(np.argmax(np.where(fits, surprise, -np.inf)))
    return float(surprise[top]), Cause(by, of.groups[top], float(effects[top]), float(effects[top] / change))


@dataclass(frozen=True)
class Alarm:
    """A part whose judged period differs from the periods ``before``.

    Parameters
    ----------
    before, judged
        Numbers among the periods asked for.
    length
        What a total of each period is divided by to compare it with others.
    """

    name: str
    part: str
    before: tuple[int, ...]
    judged: int
    length: np.ndarray


def likeliest(runs: Runs, alarms: Sequence[Alarm]) -> list[Cause | None]:
    """For each alarm the cause with the most surprise over all dimensions; None where no dimension tells."""
    best: list[tuple[float, Cause | None]] = [(0.0, None)] * len(alarms)
    with runs.busy:
        for by in DIMENSIONS:
            run = runs.by(by)
            for k, alarm in enumerate(alarms):
                try:
                    of = made_of(run, alarm.name, alarm.part).last(runs.window.shown)
                except NotEnoughData:
                    continue
                found = cause(usual(of, alarm.before, alarm.judged, alarm.length), by)
                best[k] = max(best[k], found or (0.0, None), key=lambda pair: pair[0])
    return [one for _, one in best]


def won_deals(run: Run) -> tuple[Won, bool]:
    """Closed, won and moved deals by group and period, and whether moved ones can be told (they need a history)."""
    known = run.known
    known.need("opportunities", "closed_at", "amount")
    money = nw.col("amount").fill_null(0.0)
    closed = Rows(known.opportunities, "opportunities", "closed_at_n").where(nw.col("is_open") == 0)
    closed = closed.also(won_money=nw.when(nw.col("is_won") == 1).then(money).otherwise(nw.lit(0.0)))
    counted = run.reducer.run(Scan(closed, ("rows", "is_won", "won_money")))
    grids = [_grid(counted, name) for name in ("rows", "is_won", "won_money")]
    followed = known.dataset.has_history and known.has("opportunity_history", "expected_close")
    if followed:
        moved = run.reducer.run(Scan(pipeline(known), ("pulled_deals", "pulled_won")))
        grids += [_grid(moved, name) for name in ("pulled_deals", "pulled_won")]
    groups = union(*grids)
    arrays = [grid.on(groups, absent=0.0).value for grid in grids]
    nothing = np.zeros(arrays[0].shape)
    return Won(groups, *(arrays if followed else [*arrays, nothing, nothing])), followed


def _grid(reduced: Reduced, name: str) -> Grid:
    total = reduced.sum(name)
    return Grid.of(reduced.groups, total, total)
