"""A projection: the fitted model under assumptions, for the current and the next two periods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from kpis.assumptions import Assumptions, Conversion
from kpis.errors import AssumptionError
from kpis.forecast.calibration import Calibration, capped, neutral
from kpis.forecast.groups import Groups, OpenDeals
from kpis.forecast.levers import apply
from kpis.forecast.model import Model
from kpis.forecast.rates import Rates, passage
from kpis.forecast.recursion import Values, value
from kpis.forecast.revenue import SHOCK, Arrivals, Cells, Distribution, cells, distribution
from kpis.periods import Period
from kpis.pipeline.stints import LOST, WON


@dataclass(frozen=True)
class Window:
    """One period's landing: won so far, plus what open and not yet created deals bring.

    Parameters
    ----------
    won
        Already won in the period.
    open_deals, new
        The parts of what is still to come.
    index, calibration
        Number of the window, and how the model's probability levels are to be read.
    """

    index: int
    calibration: Calibration
    period: Period
    won: float
    open_deals: Cells
    new: Arrivals

    @cached_property
    def to_come(self) -> Distribution:
        """Distribution of what is still to come, as the model has it; made when it is asked for first."""
        return distribution(self.open_deals, self.new, SHOCK[self.index])

    @property
    def expected(self) -> float:
        """Expected landing of the whole period."""
        return self.won + self.from_open + self.from_new

    @property
    def scale(self) -> float:
        """Factor on what is still to come; not 1 where a simple rule has earned the mean."""
        return self.calibration.scale[self.index]

    @property
    def from_open(self) -> float:
        """Expected from deals that are open today."""
        return self.open_deals.expected * self.scale

    @property
    def from_new(self) -> float:
        """Expected from deals not yet created."""
        return self.new.expected * self.scale

    def quantile(self, q: float) -> float:
        """Landing that is not exceeded with probability q."""
        return self.won + self.scale * self.to_come.quantile(self.calibration.to_level(self.index, q))

    def p_hit(self, target: float) -> float:
        """Probability that the landing is at least the target."""
        if target <= self.won:
            return 1.0
        return 1.0 - self.calibration.to_share(self.index, self.to_come.cdf((target - self.won) / self.scale))


@dataclass(frozen=True)
class Projection:
    """Windows, and what they were computed from.

    Parameters
    ----------
    values
        Chances by class, stage and age, before recalibration.
    held, group_p
        The open deals as counts, with the amounts that are assumed, and (3, groups) their recalibrated chances.
    marks
        The deals to come as counts, with the mix that is assumed; the lever of deal size is not in them.
    value_created
        (D, 3) expected money in each window from one deal created on day today+1+d.
    created_p
        (3, D, classes, stages) chance to be won in each window, of a deal created on such a day that spends its
        first night there.
    at_once
        (3, D, 2) share of the deals created that is won at once, by window and day, and their mean amount.
    """

    model: Model
    assumptions: Assumptions
    rates: Rates
    values: Values
    windows: tuple[Window, ...]
    held: Groups
    group_p: np.ndarray
    marks: Groups
    value_created: np.ndarray
    per_day: np.ndarray
    created_p: np.ndarray
    at_once: np.ndarray

    @property
    def calibration(self) -> Calibration:
        """How the model's chances and probability levels are to be read."""
        return self.windows[0].calibration

    @cached_property
    def deal_p(self) -> np.ndarray:
        """(open deals, 3) probability to be won in each window; for lists, since no sum needs the single deal."""
        p = _open_p(self.values, self.rates, self.model.open_deals, self.calibration)
        return _slipped(p, self.assumptions.slippage).T

    @property
    def deal_p_raw(self) -> np.ndarray:
        """(open deals, 3) the same before recalibration and slippage."""
        return self.p_raw(self.model.open_deals)

    def p_raw(self, held: OpenDeals) -> np.ndarray:
        """(n, 3) the same of some of the open deals."""
        return _by_age(self.values, self.rates, held).T

    @property
    def deal_amount(self) -> np.ndarray:
        """(open deals,) expected amount if won, with the size that is assumed."""
        return self.model.open_deals.amount * _open_size(self.assumptions)

    def split(self, w: int, part: Groups) -> tuple[Cells, Cells]:
        """A window's open deals in two: these (as the model counts them), and all others."""
        these, held = part.sized(_open_size(self.assumptions)), self.held
        others = held.plus(these, -1.0)
        # The bins stay those of all deals, so that nothing else changes with the deals set apart.
        bins, p = held.bins, self.group_p[w]
        return _cells(self.model, these, p, bins), _cells(self.model, others, p, bins)

    def without(self, w: int, deals: np.ndarray) -> Window:
        """A window as it would be without these open deals (positions in ``model.open_deals``)."""
        return replace(self.windows[w], open_deals=self.split(w, self.model.counted(deals))[1])

    @property
    def eventual(self) -> np.ndarray:
        """(classes, stages) chance to be won in the end, of a deal that enters the stage now."""
        return self.model.under(self.assumptions.conversion, _eventual)

    def worth_created(self, amounts: np.ndarray) -> np.ndarray:
        """(D, 3) expected money in each window from one deal created on day today+1+d, of a mix of its own.

        Parameters
        ----------
        amounts
            (classes, stages) amount of the mix's deals that spend their first night there, per deal of the mix.
        """
        staying = _share_staying(self.model) * self.assumptions.deal_size
        slow = np.tensordot(self.created_p, amounts, axes=2) * staying
        return (slow + self.at_once[..., 0] * self.at_once[..., 1]).T


@dataclass(frozen=True)
class Course:
    """How deals fare by class, stage and age: what cycle and close rates decide, before any volume, size or slip."""

    rates: Rates
    values: Values


def course(model: Model, assumptions: Assumptions) -> Course:
    """Run the recursion under the cycle and the close rates of the assumptions.

    It is most of a projection's work, and scenarios that differ in volume, size or slippage share it.
    """
    return model.under(assumptions.conversion, _course)


def _course(model: Model, conversion: Conversion) -> Course:
    r = apply(model.hazards, model.mix, conversion.alone(), model.stages)
    return Course(r, value(r, model.today, model.ends, model.calendar))


def _eventual(model: Model, conversion: Conversion) -> np.ndarray:
    return passage(course(model, conversion.alone()).rates).eventual()


def project(model: Model, assumptions: Assumptions | None = None, calibration: Calibration | None = None) -> Projection:
    """Gather the distribution of each window under the assumptions."""
    assumptions = assumptions or Assumptions()
    calibration = calibration or neutral(len(model.stages))
    fares = course(model, assumptions)
    r, v = fares.rates, fares.values
    group_p = _slipped(_open_p(v, r, model.groups, calibration), assumptions.slippage)
    held = model.groups.sized(_open_size(assumptions))
    mixed = _mixed(model, assumptions.new_opportunities_by_source)
    marks = mixed.sized(assumptions.deal_size)
    per_day = model.creation.per_day * assumptions.new_opportunities * _times(mixed.n.sum(), model.marks.n.sum())
    at_once = _at_once(model, len(per_day), assumptions.deal_size)
    at_once[..., 0] = _slipped(at_once[..., 0], assumptions.slippage)
    created_p = _slipped(v.created.transpose(1, 0, 2, 3), assumptions.slippage)
    chances = created_p[:, :, marks.deal_class, marks.stage]

    windows = []
    for w, period in enumerate(model.periods):
        open_cells = _cells(model, held, group_p[w], held.bins)
        arrivals = _arrivals(per_day, chances[w], marks, model, at_once[w])
        won = model.won if w == 0 else 0.0
        windows.append(Window(w, calibration, period, won, open_cells, arrivals))
    return Projection(
        model=model,
        assumptions=assumptions,
        rates=r,
        values=v,
        windows=tuple(windows),
        held=held,
        group_p=group_p,
        marks=mixed,
        value_created=_value_created(chances, marks, model, at_once).T,
        per_day=per_day,
        created_p=created_p,
        at_once=at_once,
    )


def _open_p(v: Values, r: Rates, held: Groups | OpenDeals, calibration: Calibration) -> np.ndarray:
    """(W, n) recalibrated probability to win in each window."""
    p = _by_age(v, r, held)
    return capped(p * calibration.factors(held.stage, held.margin))


def _by_age(v: Values, r: Rates, held: Groups | OpenDeals) -> np.ndarray:
    """(W, n) probability to win by class, stage and days in stage."""
    return v.now[:, held.deal_class, held.stage, r.age(held.age)]


def _slipped(p: np.ndarray, share: float) -> np.ndarray:
    """Move a share of the first window's wins into the second; axis 0 is the window."""
    if share == 0:
        return p
    moved = p.copy()
    moved[0] -= share * p[0]
    moved[1] += share * p[0]
    return moved


def _mixed(model: Model, times: Mapping[str, float]) -> Groups:
    """Deals to come by kind, with each source's part of them multiplied."""
    marks = model.marks
    for source, factor in times.items():
        if source not in model.by_source:
            raise AssumptionError(
                f"No opportunity of the last year has the source '{source}'",
                place="new_opportunities_by_source",
                way_out=f"Sources: {', '.join(model.by_source) or 'none is known'}",
            )
        marks = marks.plus(model.by_source[source], factor - 1.0)
    return marks


def _times(after: float, before: float) -> float:
    """How many times as much; 1 where there was nothing."""
    return float(after / before) if before > 0 else 1.0


def _open_size(assumptions: Assumptions) -> float:
    """Factor on the amounts of open deals."""
    return assumptions.deal_size if assumptions.deal_size_open else 1.0


def _cells(model: Model, held: Groups, p: np.ndarray, bins: np.ndarray) -> Cells:
    return cells(p, held.n, held.total, held.squares, bins, model.amounts.cv)


def _share_staying(model: Model) -> float:
    """Share of deals created that do not close at once."""
    return 1.0 - model.atom[WON][0] - model.atom[LOST][0]


def _at_once(model: Model, days: int, size: float) -> np.ndarray:
    """(W, D, 2) share won at once and its mean amount, by window and day of creation."""
    share, amount = model.atom[WON]
    window = np.searchsorted(np.array(model.ends) - model.today, np.arange(1, days + 1))
    out = np.zeros((len(model.ends), days, 2))
    out[window, np.arange(days), 0] = share
    out[..., 1] = amount * size
    return out


def _arrivals(per_day: np.ndarray, chance: np.ndarray, marks: Groups, model: Model, at_once: np.ndarray) -> Arrivals:
    """Expected wins of deals not yet created, by amount bin; the mean is exact."""
    total = marks.n.sum()
    staying = _share_staying(model)
    weight = (per_day @ chance) * (staying / total if total else 0.0)
    bins, bin_of_group = np.unique(marks.bins, return_inverse=True)
    size = len(bins)
    count = np.bincount(bin_of_group, weight * marks.n, size)
    money = np.bincount(bin_of_group, weight * marks.total, size)
    squares = np.bincount(bin_of_group, weight * marks.squares, size)
    instant = float(per_day @ at_once[:, 0])
    mean = np.divide(money, count, out=np.zeros(size), where=count > 0)
    second = np.divide(squares, count, out=np.zeros(size), where=count > 0)
    variance = np.maximum(second - mean**2, 0) + model.amounts.cv**2 * second
    amount = at_once[0, 1] if len(at_once) else 0.0
    return Arrivals(np.append(count, instant), np.append(mean, amount), np.append(variance, amount**2))


def _value_created(chances: np.ndarray, marks: Groups, model: Model, at_once: np.ndarray) -> np.ndarray:
    """(W, D) expected money from one deal created on a day."""
    total = marks.n.sum()
    slow = chances @ marks.total * (_share_staying(model) / total if total else 0.0)
    return slow + at_once[..., 0] * at_once[..., 1]
