"""The lever board: every lever in the user's own unit, with its estimate, its range and its bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from kpis.answers.words import count, money, percent
from kpis.assumptions import Assumptions
from kpis.forecast.model import Model
from kpis.forecast.own_history import Estimate, estimates

CLOSE_RATE_LIMITS = (0.01, 0.99)
RANGE = (0.25, 4.0)
"""Multiples of the estimate a lever may be set to: the limits of Assumptions."""


@dataclass(frozen=True)
class Lever:
    """One slider.

    Parameters
    ----------
    key
        Name in the URL; ``close_rate:<n>`` for the n-th stage, because a stage's name may change.
    field, stage
        What it sets in Assumptions.
    unit
        ``days``, ``per month``, ``money``, ``share`` or ``percent``.
    estimate
        Value that means "as estimated", rounded to the step so that the slider can stand on it.
    minimum, maximum, step
        Of the slider.
    own
        The unrounded estimate with its own history.
    """

    key: str
    label: str
    field: str
    stage: str
    unit: str
    estimate: float
    minimum: float
    maximum: float
    step: float
    help: str
    own: Estimate

    def multiplier(self, value: float) -> float:
        """The value as a multiple of the estimate; exactly 1 on the estimate, within the lever's limits."""
        return 1.0 if value == self.estimate else min(max(value / self.estimate, RANGE[0]), RANGE[1])

    def history(self, currency: str) -> str:
        """Estimate and own range in words, for under the slider."""
        say = {
            "days": lambda v: f"{count(v)} days", "per month": lambda v: f"{count(v)} a month",
            "money": lambda v: money(v, currency), "percent": percent,
        }[self.unit]  # fmt: skip
        if self.own.low is None or self.own.high is None:
            return f"estimated {say(self.own.value)} from {self.own.n:,} deals; too few past periods for a range"
        span = f"was {say(self.own.low)} to {say(self.own.high)} in {self.own.periods} periods"
        return f"estimated {say(self.own.value)} (n {self.own.n:,}); {span}"

    def outside(self, value: float) -> bool:
        """Whether the value is out of the range the company has had."""
        scale = 100.0 if self.unit == "percent" else 1.0
        if value == self.estimate or self.own.low is None or self.own.high is None:
            return False
        return not self.own.low * scale <= value <= self.own.high * scale


def lever_board(model: Model) -> tuple[Lever, ...]:
    """The levers this model supports, in the order of the sidebar."""
    found = estimates(model)
    fields = Assumptions.model_fields
    levers = []
    for field, unit in (("sales_cycle", "days"), ("new_opportunities", "per month"), ("deal_size", "money")):
        own = found[field]
        if not math.isfinite(own.value) or own.value <= 0:
            continue
        step = _step(own.value)
        estimate = max(step, round(own.value / step) * step)
        levers.append(
            Lever(
                key=field, label=fields[field].title or field, field=field, stage="", unit=unit, estimate=estimate,
                minimum=max(step, math.ceil(RANGE[0] * estimate / step) * step),
                maximum=max(2 * step, math.floor((2.0 if field == "sales_cycle" else 3.0) * estimate / step) * step),
                step=step, help=fields[field].description or "", own=own,
            )
        )  # fmt: skip
    for n, stage in enumerate(model.stages):
        own = found.get(f"close_rate:{stage}")
        if own is None or not 0.005 < own.value < 0.995:
            continue
        label = f"Close rate from {stage}" if len(model.stages) > 1 else "Close rate"
        levers.append(
            Lever(
                key=f"close_rate_{n + 1}", label=label, field="close_rates", stage=stage, unit="percent",
                estimate=float(round(100 * own.value)), minimum=1.0, maximum=99.0, step=1.0,
                help=fields["close_rates"].description or "", own=own,
            )
        )  # fmt: skip
    return tuple(levers)


def to_assumptions(board: tuple[Lever, ...], values: dict[str, float], **others: Any) -> Assumptions:
    """Validate slider values as assumptions; a slider on its estimate changes nothing.

    Parameters
    ----------
    values
        Lever key -> value in the lever's unit; missing keys mean as estimated.
    others
        Further fields of Assumptions, such as targets and slippage.
    """
    fields: dict[str, Any] = {k: v for k, v in others.items() if v is not None}
    close_rates: dict[str, float] = {}
    for lever in board:
        value = values.get(lever.key)
        if value is None or value == lever.estimate:
            continue
        if lever.field == "close_rates":
            close_rates[lever.stage] = min(max(value / 100, CLOSE_RATE_LIMITS[0]), CLOSE_RATE_LIMITS[1])
        else:
            fields[lever.field] = lever.multiplier(value)
    return Assumptions.checked({**fields, "close_rates": close_rates})


def _step(value: float) -> float:
    """A step of about a hundredth of the value, as a round number of at least 1."""
    return max(1.0, 10.0 ** math.floor(math.log10(value / 20)))
