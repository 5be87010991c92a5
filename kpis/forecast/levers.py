"""From levers to rates: which hazards go with the close rates and the cycle a person assumes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import logit

from kpis.assumptions import Assumptions
from kpis.errors import AssumptionError
from kpis.forecast.hazards import Hazards
from kpis.forecast.rates import Passage, Rates, kept, occupancy, odds_factors, passage, rates, shift_odds

SWEEPS = 10
CLOSE_ENOUGH = 1e-6

FARTHEST = 12.0
"""Largest shift of log-odds; beyond it a rate is 0 or 1 for every purpose."""

INSIDE = 1e-3
"""How far inside its limits, as a share of their distance, a rate is put that was out of reach."""


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

    def by_stage(self, chance: np.ndarray) -> np.ndarray:
        """(S,) mean chance of the deals entering each stage; NaN where none entered."""
        total = self.entering.sum(0)
        return np.divide((chance * self.entering).sum(0), total, out=np.full(len(total), np.nan), where=total > 0)

    def overall(self, chance: np.ndarray) -> float:
        """Mean chance of the deals created."""
        total = self.created.sum()
        return float((chance * self.created).sum() / total) if total > 0 else float("nan")


class OutOfReach(AssumptionError):
    """A close rate that no shift of its lever gives.

    Parameters
    ----------
    stage
        Name of the stage; empty for the overall rate.
    goal, low, high
        The rate that was asked for, and the limits of what the lever reaches with the others as they are.
    """

    def __init__(self, stage: str, goal: float, low: float, high: float) -> None:
        self.stage, self.goal, self.low, self.high = stage, goal, low, high
        super().__init__(
            f"A close rate of {goal:.1%} cannot be reached by this lever",
            place=stage or "close_rate",
            way_out=f"Between {low:.1%} and {high:.1%} is possible with the other stages as they are",
        )

    @property
    def nearest(self) -> float:
        """The rate within reach that is nearest to the goal."""
        return float(np.clip(self.goal, *np.interp([INSIDE, 1 - INSIDE], [0, 1], [self.low, self.high])))


def stage_rates(r: Rates, mix: Mix) -> np.ndarray:
    """(S,) share of the deals entering each stage that are won in the end; NaN where none entered."""
    return mix.by_stage(passage(r).eventual())


def overall_rate(r: Rates, mix: Mix) -> float:
    """Share of the deals created that are won in the end."""
    return mix.overall(passage(r).eventual())


class Shifts:
    """Shifts of the log-odds of forward against lost, one a stage, and what they lead to.

    A shift keeps the total intensity of leaving. The days a visit spends at each age stay as they are, so only the
    ends of the visits of the stage that is shifted are worked out again.
    """

    def __init__(self, r: Rates, mix: Mix) -> None:
        self._rates, self._mix = r, mix
        self._days = occupancy(r) * kept(r)
        self._passage = passage(r)
        self.delta = np.zeros(r.won.shape[1])

    def stage_rates(self) -> np.ndarray:
        """(S,) close rate of each stage under the shifts."""
        return self._mix.by_stage(self._passage.eventual())

    def rates(self) -> Rates:
        """The rates under the shifts; the same object where there is none."""
        r = self._rates
        for stage in np.flatnonzero(self.delta):
            r = shift_odds(r, stage, self.delta[stage])
        return r

    def overall(self, delta: float) -> float:
        """Overall close rate with every stage shifted by ``delta``."""
        return self._mix.overall(self._with(range(len(self.delta)), delta).eventual())

    def stage(self, stage: int, delta: float) -> float:
        """Close rate of a stage with that stage shifted by ``delta``, the others as they are."""
        return float(self._mix.by_stage(self._with([stage], delta).eventual())[stage])

    def set(self, stages: Sequence[int], delta: float) -> None:
        """Shift these stages by ``delta``."""
        self._passage = self._with(stages, delta)
        self.delta[list(stages)] = delta

    def _with(self, stages: Sequence[int], delta: float) -> Passage:
        """What visits lead to, with these stages shifted by ``delta`` from the rates as estimated."""
        r, won, move = self._rates, self._passage.won.copy(), self._passage.move.copy()
        for s in stages:
            up, _ = odds_factors(r, s, delta)
            days = self._days[:, s] * up
            won[:, s] = (days * r.won[:, s]).sum(-1)
            move[:, s] = (days * r.forward[:, s]) @ r.move[s].T
        return Passage(won, move)


def apply(hazards: Hazards, mix: Mix, assumptions: Assumptions, stages: tuple[str, ...]) -> Rates:
    """Rates under the assumptions: cycle first, then the overall close rate, then stages from last to first.

    Each close rate is reached by shifting the log-odds of forward against lost, total exit intensity kept, so
    that it changes what happens and not when. A stage whose rate is not given follows the overall rate.

    Raises
    ------
    OutOfReach
        For a rate that no shift reaches.
    AssumptionError
        For a stage that is not there, or that no deal entered.
    """
    unknown = set(assumptions.close_rates) - set(stages)
    if unknown:
        raise AssumptionError(
            f"There is no stage called '{min(unknown)}'",
            place="close_rates",
            way_out=f"Stages: {', '.join(stages)}",
        )
    r = rates(hazards, cycle=assumptions.sales_cycle)
    goals = {s: assumptions.close_rates[name] for s, name in enumerate(stages) if name in assumptions.close_rates}
    if assumptions.close_rate == 1 and not goals:
        return r
    shifts = Shifts(r, mix)
    if assumptions.close_rate != 1:
        goal = overall_rate(r, mix) * assumptions.close_rate
        shifts.set(range(len(stages)), _reach(shifts.overall, goal, ""))
    # Deals that go back make a later stage's rate depend on an earlier one, so the stages are swept until all hold.
    for _ in range(SWEEPS):
        found = shifts.stage_rates()
        off = [s for s in sorted(goals, reverse=True) if not abs(goals[s] - found[s]) < CLOSE_ENOUGH]
        if not off:
            break
        for stage in off:
            if not np.isfinite(found[stage]):
                raise AssumptionError(
                    f"No deal has entered {stages[stage]} in the last year", place="close_rates",
                    way_out="Leave its close rate as estimated",
                )  # fmt: skip
            shifts.set([stage], _reach(lambda d, s=stage: shifts.stage(s, d), goals[stage], stages[stage]))
    return shifts.rates()


def limits(hazards: Hazards, mix: Mix) -> tuple[tuple[float, float], ...]:
    """Lowest and highest rate that a lever reaches, the others as estimated: overall, then of each stage."""
    shifts = Shifts(rates(hazards), mix)
    reached = [shifts.overall, *(lambda d, s=s: shifts.stage(s, d) for s in range(len(shifts.delta)))]
    return tuple((rate(-FARTHEST), rate(FARTHEST)) for rate in reached)


def within_reach(hazards: Hazards, mix: Mix, assumptions: Assumptions, stages: tuple[str, ...]) -> Assumptions:
    """The assumptions with each close rate that the others put out of reach at the nearest that goes with them.

    A stage's rate can be no better than those of the stages it leads to, so two sliders may ask for what no
    company could have. Names and values that are wrong in themselves are still refused.
    """
    # One stage brought nearer moves the limits of others, of some more than once where deals go back.
    for _ in range(SWEEPS * len(stages)):
        try:
            apply(hazards, mix, assumptions, stages)
        except OutOfReach as found:
            if found.stage:
                change = {"close_rates": {**assumptions.close_rates, found.stage: found.nearest}}
            else:
                change = {"close_rate": assumptions.close_rate * found.nearest / found.goal}
            assumptions = assumptions.model_copy(update=change)
        else:
            break
    return assumptions


def _reach(rate: Callable[[float], float], goal: float, stage: str) -> float:
    """The shift at which ``rate`` is the goal."""
    low, high = rate(-FARTHEST), rate(FARTHEST)
    if not low < goal < high:
        raise OutOfReach(stage, goal, low, high)
    # Between its limits a rate's log-odds are nearly linear in the shift, which saves half of the steps.
    share = logit((goal - low) / (high - low))

    def short(delta: float) -> float:
        return float(np.clip(logit((rate(delta) - low) / (high - low)), -50, 50)) - share

    return brentq(short, -FARTHEST, FARTHEST, xtol=1e-9, rtol=1e-9)
