"""How much pipeline is enough: as many times the deals due in a period as make its target likely."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri

from kpis.forecast.groups import Groups
from kpis.forecast.projection import Projection
from kpis.forecast.revenue import Arrivals, Cells, Series, Together, shock_sigma
from kpis.pipeline.stints import WON

TERMS = 512
POINTS = 256
"""Values of the common shock, of equal probability, that are averaged over."""

VANISHED = -32.0
"""Log of a term of the series that no number holds beside 1."""

LARGEST = 20.0
"""More than this many times what today's open deals bring, or today's creation, is no plan but another company."""

ALL = "All"
"""Name of all segments together."""

TOO_LATE = "the last day on which a new opportunity has half of its worth in time has passed"


@dataclass(frozen=True)
class Required:
    """What one window needs; a None has its reason in ``reasons``.

    Parameters
    ----------
    times
        Multiple of the open deals that count for the window, of today's composition, that reaches the target with
        the wanted confidence, all other open deals and new business as expected.
    from_open
        What the open deals would then be expected to bring in the window, all of them.
    opportunities
        Opportunities to create beyond the expected ones, of the usual mix, from tomorrow to the last useful
        day, that reach it with the open deals as they are.
    last_useful
        Last day (whole-number) on which a new opportunity has at least half of its eventual worth by the end
        of the window.
    """

    times: float | None
    from_open: float | None
    opportunities: float | None
    last_useful: int | None
    reasons: tuple[str, ...] = ()


def required(projection: Projection, w: int, target: float, confidence: float, shock: float, due: Groups) -> Required:
    """Solve P(landing >= target) = confidence in window ``w``, once for open deals and once for new ones.

    log phi = k log phi_due + log phi_others + log phi_new for the required pipeline, log phi_open + k log phi_new for
    the required creation; a root over k.

    Parameters
    ----------
    due
        The open deals that count for the window, as the model counts them.
    """
    window = projection.windows[w]
    to_go = (target - window.won) / window.scale
    # The confidence is meant as calibrated; the solver works on the model's own probability levels.
    confidence = 1 - window.calibration.to_level(w, 1 - confidence)
    last = _last_useful(projection, projection.value_created, _usual(projection))[w]
    today = projection.model.today
    reasons = [] if last is not None else [TOO_LATE]
    counted, others = projection.split(w, due)
    if to_go <= 0:
        return Required(0.0, window.scale * others.expected, 0.0, last, tuple(reasons))
    most = LARGEST * window.open_deals.expected / counted.expected if counted.expected > 0 else LARGEST
    times = _times(counted, Together((others, window.new)), to_go, confidence, shock, most)
    from_open = None if times is None else window.scale * (times * counted.expected + others.expected)
    if times is None and due.n.any():
        reasons.append(
            f"not even {LARGEST:.0f} times what today's open deals bring would do: it has to come from new ones"
        )
    if last is None:
        return Required(times, from_open, None, None, tuple(reasons))
    by_new = _times(window.new, window.open_deals, to_go, confidence, shock)
    if by_new is None:
        reasons.append(f"not even {LARGEST:.0f} times the usual number of new opportunities would bring it")
        return Required(times, from_open, None, last, tuple(reasons))
    until = last - today
    missing = max(by_new - 1.0, 0.0) * window.new.expected
    worth = float(projection.value_created[:until, w].mean())
    return Required(times, from_open, missing / worth, last, tuple(reasons))


def last_useful_days(projection: Projection) -> dict[str, tuple[int | None, ...]]:
    """Segment -> last useful creation day for each window, by the segment's own speed and stages; first of ALL."""
    every = _last_useful(projection, projection.value_created, _usual(projection))
    return {ALL: every} | {
        name: _last_useful(projection, projection.worth_created(mix), float((projection.eventual * mix).sum()))
        for name, (_, mix) in projection.model.segments.items()
    }


def _last_useful(projection: Projection, value: np.ndarray, eventual: float) -> tuple[int | None, ...]:
    """Last creation day with half of the eventual value by the end of each window.

    Parameters
    ----------
    value
        (D, 3) expected money in each window from one deal created on each day.
    eventual
        Expected money that one deal of several days' life brings in the end, before the lever of deal size.
    """
    model = projection.model
    staying = 1.0 - sum(share for share, _ in model.atom.values())
    won_share, won_amount = model.atom[WON]
    whole = (eventual * staying + won_share * won_amount) * projection.assumptions.deal_size
    if whole <= 0:
        return (None,) * value.shape[1]
    enough = [np.flatnonzero(by_end >= 0.5 * whole) for by_end in value.cumsum(1).T]
    return tuple(int(model.today + 1 + days[-1]) if len(days) else None for days in enough)


def _usual(projection: Projection) -> float:
    """Expected money that one new deal of the usual mix brings in the end."""
    marks = projection.marks
    total = marks.n.sum()
    return float(projection.eventual[marks.deal_class, marks.stage] @ marks.total) / total if total else 0.0


def _times(
    scaled: Cells | Arrivals,
    fixed: Cells | Together,
    to_go: float,
    confidence: float,
    shock: float,
    most: float = LARGEST,
) -> float | None:
    """Multiple of ``scaled`` for which P(M (X_scaled + X_fixed) >= to_go) = confidence; None beyond ``most``."""
    z = ndtri(1 - confidence)
    scaled_variance, fixed_variance = max(scaled.spread, 0.0), max(fixed.spread, 0.0)

    def moments(times: float) -> tuple[float, float]:
        return times * scaled.expected + fixed.expected, times * scaled_variance + fixed_variance

    def rough(times: float) -> float:
        # A lognormal with the same two moments: only to choose the interval of the series.
        mean, variance = moments(times)
        if mean <= 0:
            return -to_go
        sigma = np.sqrt(np.log1p((variance * (1 + shock**2) + (shock * mean) ** 2) / mean**2))
        return float(mean * np.exp(sigma * z - sigma**2 / 2)) - to_go

    if rough(most) < 0:
        return None
    guess = 0.0 if rough(0.0) >= 0 else brentq(rough, 0.0, most)
    ceiling = min(max(2.0 * guess, 1.0), most)
    mean, variance = moments(ceiling)
    sd = float(np.sqrt(variance))
    series = Series(-0.02 * (mean + 10 * sd), mean + 10 * sd + to_go, TERMS)
    phi_fixed = fixed.log_phi(series.theta)
    # What the fixed part makes vanish stays so, however many times the other is taken.
    series = replace(series, terms=int(np.flatnonzero(phi_fixed.real > VANISHED)[-1]) + 1)
    phi, phi_fixed = scaled.log_phi(series.theta), phi_fixed[: series.terms]
    sigma = shock_sigma(shock)
    shocks = np.exp(sigma * ndtri((np.arange(POINTS) + 0.5) / POINTS) - sigma**2 / 2)
    basis = series.basis(to_go / shocks)

    def above(times: float) -> float:
        below = series.cdf(times * phi + phi_fixed, times * scaled.log_zero + fixed.log_zero, basis)
        return float(1 - below.mean()) - confidence

    if above(0.0) >= 0:
        return 0.0
    return brentq(above, 0.0, ceiling, xtol=1e-6) if above(ceiling) > 0 else None
