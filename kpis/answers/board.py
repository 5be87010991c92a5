"""The lever board: every lever in the user's own unit, with its estimate, its range and its bounds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from kpis.answers.words import count, money, percent
from kpis.assumptions import Assumptions
from kpis.forecast.levers import limits
from kpis.forecast.model import Model
from kpis.forecast.own_history import Estimate, estimates

RANGE = (0.25, 4.0)
"""Multiples of the estimate a lever may be set to: the limits of Assumptions."""

LARGEST_SLIP = 0.9
"""Share of the expected wins that the lever of slippage moves at most: the limit of Assumptions."""

MIN_DEALS = 10
"""A source with fewer deals in the last year has no slider of its own; the one for all sources moves it."""


@dataclass(frozen=True)
class Lever:
    """One slider.

    Parameters
    ----------
    key
        Name in the URL; ``close_rate_<n>`` for the n-th stage, because a stage's name may change.
    field, part
        What it sets in Assumptions: a field, and in it the stage or source where the field has one value for each.
    unit
        ``days``, ``per month``, ``money`` or ``percent``.
    estimate
        Value that means "as estimated", rounded to the step so that the slider can stand on it.
    minimum, maximum, step
        Of the slider; no value between them is refused while the other levers stand on their estimates.
    own
        The unrounded estimate with its own history.
    """

    key: str
    label: str
    field: str
    part: str
    unit: str
    estimate: float
    minimum: float
    maximum: float
    step: float
    help: str
    own: Estimate

    @property
    def scale(self) -> float:
        """Slider units in one of ``own``: rates are kept from 0 to 1 and set in percent."""
        return 100.0 if self.unit == "percent" else 1.0

    def assumed(self, value: float) -> float:
        """What a value of the slider means in Assumptions."""
        if self.field == "close_rates":
            return value / self.scale
        if self.field == "slippage":
            more = (value - self.estimate) / (self.scale - self.estimate)
            return min(max(more, 0.0), LARGEST_SLIP)
        return self.multiplier(value)

    def value_in(self, assumptions: Assumptions) -> float:
        """Where the lever stands in a scenario, in the slider's unit."""
        now = getattr(assumptions, self.field)
        if isinstance(now, dict):
            if self.part not in now:
                return self.estimate
            now = now[self.part]
        if self.field == "close_rates":
            return now * self.scale
        if self.field == "slippage":
            return self.estimate + now * (self.scale - self.estimate)
        return now * self.estimate

    def multiplier(self, value: float) -> float:
        """The value as a multiple of the estimate; exactly 1 on the estimate, within the lever's limits."""
        return 1.0 if value == self.estimate else min(max(value / self.estimate, RANGE[0]), RANGE[1])

    def history(self, currency: str) -> str:
        """Estimate and own range in words, for under the slider."""
        if not self.own.n:
            return "no past of it is known"
        estimate = self.say(self.own.value, currency)
        if self.own.low is None:
            return f"estimated {estimate} from {self.own.n:,} deals; {self.span(currency)}"
        return f"estimated {estimate} (n {self.own.n:,}); {self.span(currency)}"

    def span(self, currency: str) -> str:
        """The range it has had, in words."""
        if self.own.low is None or self.own.high is None:
            return "too few past periods for a range"
        low, high = self._figure(self.own.low, currency), self.say(self.own.high, currency)
        return f"was {low} to {high} in {self.own.periods} periods"

    def say(self, value: float, currency: str) -> str:
        """A value of the lever in words; a rate from 0 to 1."""
        return self._figure(value, currency) + {"days": " days", "per month": " a month"}.get(self.unit, "")

    def _figure(self, value: float, currency: str) -> str:
        """The same without the words of its unit."""
        digits = 1 if value * self.scale < 10 else 0
        if self.unit == "money":
            return money(value, currency)
        return percent(value, digits) if self.unit == "percent" else count(value, digits)

    def words(self, value: float, currency: str) -> str:
        """A value of the slider in words."""
        return self.say(value / self.scale, currency)

    def outside(self, value: float) -> bool:
        """Whether the value is out of the range the company has had."""
        if value == self.estimate or self.own.low is None or self.own.high is None:
            return False
        return not self.own.low * self.scale <= value <= self.own.high * self.scale


def lever_board(model: Model) -> tuple[Lever, ...]:
    """The levers this model supports and that can be moved, in the order of the sidebar."""
    found = estimates(model)
    return tuple(
        lever
        for lever in (
            _times("sales_cycle", "days", found["sales_cycle"], most=2.0),
            *_close_rates(model, found),
            _times("new_opportunities", "per month", found["new_opportunities"]),
            *_sources(model, found),
            _times("deal_size", "money", found["deal_size"]),
            _slippage(found["slippage"]),
        )
        if lever and lever.minimum <= lever.estimate <= lever.maximum and lever.minimum < lever.maximum
    )


def _times(field: str, unit: str, own: Estimate, *, most: float = 3.0) -> Lever | None:
    """A lever that multiplies its estimate; None where there is nothing to multiply."""
    if not math.isfinite(own.value) or own.value <= 0:
        return None
    step = _step(own.value)
    estimate = _rounded(max(step, own.value), step)
    low, high = math.ceil(RANGE[0] * estimate / step) * step, math.floor(most * estimate / step) * step
    return _lever(field, field, "", unit, estimate, (max(step, low), max(2 * step, high)), step, own)


def _close_rates(model: Model, found: dict[str, Estimate]) -> Iterator[Lever]:
    """The overall close rate, then that of each stage where there are several; each as far as it reaches."""
    overall, *reached = limits(model.hazards, model.mix)
    own = found["close_rate"]
    if not math.isfinite(own.value) or own.value <= 0:
        return
    estimate, step = _in_percent(own.value)
    low, high = (limit / own.value * estimate for limit in overall)
    bounds = _inside((max(low, RANGE[0] * estimate), min(high, RANGE[1] * estimate)), step)
    yield _lever("close_rate", "close_rate", "", "percent", estimate, bounds, step, own)
    if len(model.stages) == 1:
        return
    for n, stage in enumerate(model.stages):
        own = found.get(f"close_rate:{stage}")
        if own is None:
            continue
        estimate, step = _in_percent(own.value)
        bounds = _inside((100 * reached[n][0], 100 * reached[n][1]), step)
        label = f"Close rate from {stage}"
        yield _lever(f"close_rate_{n + 1}", "close_rates", stage, "percent", estimate, bounds, step, own, label)


def _sources(model: Model, found: dict[str, Estimate]) -> Iterator[Lever]:
    """New opportunities from each source with enough of them, the largest first."""
    numbered = list(enumerate(sorted(model.by_source), 1))
    for n, source in sorted(numbered, key=lambda x: -model.by_source[x[1]].n.sum()):
        own = found[f"new_opportunities:{source}"]
        lever = _times("new_opportunities_by_source", "per month", own) if own.n >= MIN_DEALS else None
        if lever:
            bounds = (lever.minimum, lever.maximum)
            yield _lever(
                f"new_opportunities_{n}", lever.field, source, lever.unit, lever.estimate, bounds, lever.step, own,
                f"New from {source}",
            )  # fmt: skip


def _slippage(own: Estimate) -> Lever:
    """The share of a period's deals that is pushed on: as usual, or more."""
    estimate = float(round(100 * own.value))
    most = math.floor(estimate + LARGEST_SLIP * (100 - estimate))
    return _lever("slippage", "slippage", "", "percent", estimate, (estimate, most), 1.0, own)


def _lever(
    key: str,
    field: str,
    part: str,
    unit: str,
    estimate: float,
    bounds: tuple[float, float],
    step: float,
    own: Estimate,
    label: str = "",
) -> Lever:
    about = Assumptions.model_fields[field]
    low, high = (round(bound, 1) for bound in bounds)
    return Lever(
        key, label or about.title or field, field, part, unit, estimate, low, high, step, about.description or "", own
    )


def to_assumptions(board: tuple[Lever, ...], values: dict[str, float], **others: Any) -> Assumptions:
    """Validate slider values as assumptions; a slider on its estimate changes nothing.

    Parameters
    ----------
    values
        Lever key -> value in the lever's unit; missing keys mean as estimated.
    others
        Further fields of Assumptions, such as targets.
    """
    found = Assumptions.checked({k: v for k, v in others.items() if v is not None})
    for lever in board:
        if lever.key in values:
            found = set_to(found, lever, values[lever.key])
    return Assumptions.checked(found.model_dump())


def set_to(assumptions: Assumptions, lever: Lever, value: float) -> Assumptions:
    """The scenario with one lever moved to a value of its slider, all others as they stand."""
    change: Any = lever.assumed(value)
    if lever.part:
        kept = {name: one for name, one in getattr(assumptions, lever.field).items() if name != lever.part}
        change = kept if value == lever.estimate else {**kept, lever.part: change}
    return assumptions.model_copy(update={lever.field: change})


def _step(value: float) -> float:
    """A step of about a hundredth of the value, as a round number; at least 1, or 0.1 for a value below 10."""
    return max(1.0 if value >= 10 else 0.1, 10.0 ** math.floor(math.log10(value / 20)))


def _in_percent(rate: float) -> tuple[float, float]:
    """A rate in percent on its step, and the step."""
    step = 1.0 if rate >= 0.1 else 0.1
    return _rounded(100 * rate, step), step


def _rounded(value: float, step: float) -> float:
    return round(round(value / step) * step, 1)


def _inside(bounds: tuple[float, float], step: float) -> tuple[float, float]:
    """The first and last step strictly between two bounds, and between 0 and 100 percent."""
    low, high = np.clip(bounds, 0, 100)
    return (math.floor(low / step + 1e-9) + 1) * step, (math.ceil(high / step - 1e-9) - 1) * step
