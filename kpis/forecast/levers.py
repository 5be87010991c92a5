"""From levers to rates: which hazards go with the close rates and the cycle a person assumes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from kpis.assumptions import Assumptions
from kpis.errors import AssumptionError
from kpis.forecast.hazards import Hazards
from kpis.forecast.rates import Rates, passage, rates, shift_odds

SWEEPS = 10
CLOSE_ENOUGH = 1e-6

FARTHEST = 12.0
"""Largest shift of log-odds; beyond it a rate is 0 or 1 for every purpose."""


@dataclass(frozen=True)
class Mix:
    """Who a close rate is an average of.

    Parameters
    ----------
    entering
        (C, S) deals that entered each stage lately.
    created
        (C, S) deals created lately, by the stage of their first night.
    """

    entering: np.ndarray
    created: np.ndarray


def stage_rates(r: Rates, mix: Mix) -> np.ndarray:
    """(S,) share of the deals entering each stage that are won in the end; NaN where none entered."""
    return _average(passage(r).eventual(), mix.entering)


def overall_rate(r: Rates, mix: Mix) -> float:
    """Share of the deals created that are won in the end."""
    total = mix.created.sum()
    return float((passage(r).eventual() * mix.created).sum() / total) if total > 0 else float("nan")


def apply(hazards: Hazards, mix: Mix, assumptions: Assumptions, stages: tuple[str, ...]) -> Rates:
    """Rates under the assumptions: cycle first, then the overall close rate, then stages from last to first.

    Each close rate is reached by shifting the log-odds of forward against lost, total exit intensity kept, so
    that it changes what happens and not when.

    Raises
    ------
    AssumptionError
        For a stage that is not there, or a rate that no shift of that stage can reach.
    """
    r = rates(hazards, cycle=assumptions.sales_cycle)
    unknown = set(assumptions.close_rates) - set(stages)
    if unknown:
        raise AssumptionError(
            f"There is no stage called '{min(unknown)}'",
            place="close_rates",
            way_out=f"Stages: {', '.join(stages)}",
        )
    if assumptions.close_rate != 1:
        goal = overall_rate(r, mix) * assumptions.close_rate
        r = _reach(r, range(len(stages)), goal, lambda x: overall_rate(x, mix), "close_rate")
    goals = {s: assumptions.close_rates[name] for s, name in enumerate(stages) if name in assumptions.close_rates}
    # Deals that go back make a later stage's rate depend on an earlier one, so the stages are swept until all hold.
    for _ in range(SWEEPS):
        found = stage_rates(r, mix)
        off = [s for s in sorted(goals, reverse=True) if not abs(goals[s] - found[s]) < CLOSE_ENOUGH]
        if not off:
            break
        for stage in off:
            if not np.isfinite(found[stage]):
                raise AssumptionError(
                    f"No deal has entered {stages[stage]} in the last year", place="close_rates",
                    way_out="Leave its close rate as estimated",
                )  # fmt: skip
            r = _reach(r, [stage], goals[stage], lambda x, s=stage: float(stage_rates(x, mix)[s]), stages[stage])
    return r


def _reach(r: Rates, stages: Iterable[int], goal: float, rate: Callable[[Rates], float], name: str) -> Rates:
    def moved(delta: float) -> Rates:
        shifted = r
        for stage in stages:
            shifted = shift_odds(shifted, stage, delta)
        return shifted

    low, high = rate(moved(-FARTHEST)), rate(moved(FARTHEST))
    if not low < goal < high:
        raise AssumptionError(
            f"A close rate of {goal:.1%} cannot be reached by this lever", place=name,
            way_out=f"Between {low:.1%} and {high:.1%} is possible with the other stages as they are",
        )  # fmt: skip
    delta = brentq(lambda d: rate(moved(d)) - goal, -FARTHEST, FARTHEST, xtol=1e-6, rtol=1e-9)
    return moved(delta)


def _average(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    total = weight.sum(0)
    return np.divide((values * weight).sum(0), total, out=np.full(len(total), np.nan), where=total > 0)
