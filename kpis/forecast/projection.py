"""A projection: the fitted model under assumptions, for the current and the next two periods."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kpis.assumptions import Assumptions
from kpis.forecast.calibration import Calibration, capped, neutral
from kpis.forecast.levers import apply
from kpis.forecast.model import Groups, Model, OpenDeals
from kpis.forecast.rates import Rates
from kpis.forecast.recursion import Values, value
from kpis.forecast.revenue import SHOCK, Arrivals, Cells, Distribution, amount_bin, cells, distribution
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
    to_come
        Distribution of what is still to come, as the model has it.
    index, calibration
        Number of the window, and how the model's probability levels are to be read.
    """

    index: int
    calibration: Calibration
    period: Period
    won: float
    open_deals: Cells
    new: Arrivals
    to_come: Distribution

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
    deal_p, deal_p_raw
        (deals open today, 3) probability to be won in each window, and the same before recalibration.
    value_created
        (D, 3) expected money in each window from one deal created on day today+1+d.
    """

    model: Model
    assumptions: Assumptions
    rates: Rates
    windows: tuple[Window, ...]
    deal_p: np.ndarray
    deal_p_raw: np.ndarray
    value_created: np.ndarray
    per_day: np.ndarray


def project(model: Model, assumptions: Assumptions | None = None, calibration: Calibration | None = None) -> Projection:
    """Run the recursion under the assumptions and gather the distribution of each window."""
    assumptions = assumptions or Assumptions()
    calibration = calibration or neutral(len(model.stages))
    r = apply(model.hazards, model.mix, assumptions, model.stages)
    v = value(r, model.today, model.ends, model.calendar)
    size_open = assumptions.deal_size if assumptions.deal_size_open else 1.0
    p_group = _slipped(_open_p(v, r, model.groups, calibration), assumptions.slippage)
    held = _scaled(model.groups, size_open)
    marks = _scaled(model.marks, assumptions.deal_size)
    per_day = model.creation.per_day * assumptions.new_opportunities
    at_once = _at_once(model, len(per_day), assumptions.deal_size)
    at_once[..., 0] = _slipped(at_once[..., 0], assumptions.slippage)
    chances = _slipped(_created_p(v, marks), assumptions.slippage)

    windows = []
    for w, period in enumerate(model.periods):
        open_cells = cells(p_group[w], held.n, held.total, held.squares, _bins(held), model.amounts.cv)
        arrivals = _arrivals(per_day, chances[w], marks, model, at_once[w])
        won = model.won if w == 0 else 0.0
        windows.append(
            Window(w, calibration, period, won, open_cells, arrivals, distribution(open_cells, arrivals, SHOCK[w]))
        )
    deals = model.open_deals
    return Projection(
        model=model,
        assumptions=assumptions,
        rates=r,
        windows=tuple(windows),
        deal_p=_slipped(_open_p(v, r, deals, calibration), assumptions.slippage).T,
        deal_p_raw=_by_age(v, r, deals).T,
        value_created=_value_created(chances, marks, model, at_once).T,
        per_day=per_day,
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


def _scaled(groups: Groups, factor: float) -> Groups:
    if factor == 1:
        return groups
    return replace(groups, total=groups.total * factor, squares=groups.squares * factor**2)


def _bins(groups: Groups) -> np.ndarray:
    return amount_bin(groups.total / np.maximum(groups.n, 1))


def _created_p(v: Values, marks: Groups) -> np.ndarray:
    """(W, D, groups) probability to win in each window, of a deal like each group created on each day."""
    return v.created[:, :, marks.deal_class, marks.stage].transpose(1, 0, 2)


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
    bins, bin_of_group = np.unique(_bins(marks), return_inverse=True)
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
