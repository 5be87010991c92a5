"""Control charts: how far a measure strays by chance alone, and whether its latest period strayed further.

The limits come from the whole periods before the one that is judged. Shares get a p-chart and counts a
u-chart, both with Laney's correction where the periods vary more than chance alone makes them; all other
values get an XmR chart.

Sources: Shewhart (1931); Wheeler and Chambers (1992) for XmR; Laney (2002) for p' and u'.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from kpis.measures.core.composed import Derived
from kpis.measures.core.grid import Grid
from kpis.measures.core.quantity import Quantity
from kpis.measures.core.rows import Window

SIGMAS = 3.0
FEWEST = 8
"""Periods before the judged one that limits are taken from; with fewer nothing can be told."""

FEWEST_SHOWN = 4
"""Whole periods that the p-chart of a measure's own parts is drawn from."""

RUN = 8
"""So many periods in a row on one side of the centre are a shift."""

D2 = 1.128
"""Mean range of two normal values in standard deviations (d₂ for n = 2)."""

SEASONAL_BELOW = 0.1
"""Periods are adjusted for the season where Kruskal and Wallis's test tells its seasons apart at this level."""

VERDICTS = ("in control", "spike", "dip", "shift", "cannot tell")


@dataclass(frozen=True)
class Chart:
    """A measure's control chart by period, and its verdict on the judged period.

    Parameters
    ----------
    kind
        ``p``, ``u`` or ``XmR``.
    value
        As charted: u-charts show counts per working day.
    centre, low, high
        What chance makes of it; with a season they go up and down with it. NaN where there are too few periods.
    judged
        Number of the judged period; None where no period can be judged.
    false_alarm
        Chance of an alarm in the judged period though nothing changed.
    seasonal
        Whether the limits go with the season.
    reason
        Why nothing can be told, in words; empty otherwise.
    """

    kind: str
    value: np.ndarray
    centre: np.ndarray
    low: np.ndarray
    high: np.ndarray
    judged: int | None
    verdict: str
    false_alarm: float
    seasonal: bool
    reason: str = ""


def chart(kind: str, value: np.ndarray, size: np.ndarray, usable: np.ndarray, season: np.ndarray, a_year: int) -> Chart:
    """The chart of one series of periods, oldest first.

    Parameters
    ----------
    value
        Share, count per unit of ``size``, or value.
    size
        n of a share, opportunity of a count (working days); ignored by XmR charts.
    usable
        Which periods can be compared with the others.
    season, a_year
        Number of each period in its year, and how many periods a year has.
    """
    usable = usable & np.isfinite(value) & (np.ones(len(value), bool) if kind == "XmR" else size > 0)
    known = np.flatnonzero(usable)
    nothing = np.full(len(value), np.nan)
    before = known[:-1]
    if len(before) < FEWEST:
        short = f"needs {FEWEST} periods before the latest that can be compared; {len(before)} are there"
        return Chart(kind, value, nothing, nothing, nothing, None, "cannot tell", np.nan, seasonal=False, reason=short)
    judged = int(known[-1])
    factor = seasonal_factors(value, before, season, a_year)
    plain = value / factor
    weight = np.ones(len(value)) if kind == "XmR" else np.where(size > 0, size, np.nan)
    level = float(np.average(plain[before], weights=weight[before]))
    unit = {"p": np.sqrt(max(level * (1 - level), 0.0) / weight), "u": np.sqrt(max(level, 0.0) / weight)}.get(
        kind, np.ones(len(value))
    )
    spread = _spread(plain[before], level, unit[before])
    if kind == "XmR" and spread == 0:
        return Chart(
            kind,
            value,
            nothing,
            nothing,
            nothing,
            None,
            "cannot tell",
            np.nan,
            seasonal=False,
            reason="it has not moved",
        )
    if kind != "XmR":
        spread = max(1.0, spread)
    seasonal = bool(np.ptp(factor) > 0)
    if seasonal:
        # The factors were fitted to the same periods, which draws these towards them.
        spread *= np.sqrt(len(before) / max(len(before) - a_year + 1, 1))
    centre, half = level * factor, SIGMAS * spread * unit * factor
    low, high = centre - half, centre + half
    if kind != "XmR":
        low = np.maximum(low, 0.0)
    if kind == "p":
        high = np.minimum(high, 1.0)
    verdict = _verdict(value, centre, low, high, known)
    free = len(before) - (a_year - 1 if seasonal else 0)
    return Chart(kind, value, centre, low, high, judged, verdict, false_alarm(free), seasonal)


def _spread(plain: np.ndarray, level: float, unit: np.ndarray) -> float:
    """Mean moving range in units of what chance alone makes of it, ÷ d₂."""
    scored = np.divide(plain - level, unit, out=np.zeros(len(plain)), where=unit > 0)
    return float(np.abs(np.diff(scored)).mean() / D2)


def _verdict(value: np.ndarray, centre: np.ndarray, low: np.ndarray, high: np.ndarray, known: np.ndarray) -> str:
    judged = known[-1]
    if value[judged] > high[judged]:
        return "spike"
    if value[judged] < low[judged]:
        return "dip"
    side = np.sign(value[known[-RUN:]] - centre[known[-RUN:]])
    return "shift" if len(side) == RUN and abs(side.sum()) == RUN else "in control"


def seasonal_factors(value: np.ndarray, before: np.ndarray, season: np.ndarray, a_year: int) -> np.ndarray:
    """What each period's season multiplies its value by; 1 without two years or without a season that shows.

    Each value is set against the mean of the year centred on it, and the factor is the mean of a season's
    quotients, all factors' mean being 1.
    """
    flat = np.ones(len(value))
    if len(before) < 2 * a_year or a_year < 2 or not (value[before] > 0).all():
        return flat
    # The mean over a year centred on each period; at the ends that of the nearest one that has a whole year around it.
    around = np.ones(a_year + 1) / a_year
    around[[0, -1]] /= 2
    level = np.convolve(value[before], around, mode="valid")
    level = np.pad(level, a_year // 2, mode="edge")
    quotient = value[before] / level
    groups = [quotient[season[before] == s] for s in range(a_year)]
    if min(len(group) for group in groups) < 2 or np.ptp(quotient) == 0:
        return flat
    if stats.kruskal(*groups).pvalue > SEASONAL_BELOW:
        return flat
    means = np.array([group.mean() for group in groups])
    return (means / means.mean())[season]


def false_alarm(periods: int) -> float:
    """Chance of about how often a period in control gets an alarm, with limits from ``periods`` earlier ones.

    Beyond the limits: the judged value less the mean of m others, over the mean moving range's sigma, has about a
    t distribution with ν = 0.62 (m − 1) degrees of freedom (Wheeler 2004), and that sigma is c₄(ν) times as large as
    a t's: 2 P(t > 3 ÷ (c₄ √(1 + 1/m))). A run of eight on one side: at most 2 (1/2)⁸.
    """
    freedom = 0.62 * (periods - 1)
    c4 = np.sqrt(2 / freedom) * np.exp(special.gammaln((freedom + 1) / 2) - special.gammaln(freedom / 2))
    beyond = 2 * stats.t.sf(SIGMAS / (c4 * np.sqrt(1 + 1 / periods)), freedom)
    return float(beyond + (1 - beyond) * 2 * 0.5**RUN)


def p_chart(grid: Grid, window: Window) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre, lower and upper limit of a share in each period: p̄ ± 3 √(p̄(1 − p̄)/n), kept within 0 and 1.

    p̄ is the share over the whole periods together. Source: Shewhart's p-chart; three standard errors give a
    false alarm in about 3 of 1,000 periods.
    """
    known = np.isfinite(grid.value) & (grid.n > 0) & window.whole
    n = np.where(known, grid.n, 0.0)
    total = n.sum(axis=1, keepdims=True)
    enough = known.sum(axis=1, keepdims=True) >= FEWEST_SHOWN
    hits = (np.where(known, grid.value, 0.0) * n).sum(axis=1, keepdims=True)
    p = np.divide(hits, total, out=np.full(total.shape, np.nan), where=enough & (total > 0))
    size = np.where(grid.n > 0, grid.n, np.nan)
    half = SIGMAS * np.sqrt(p * (1 - p) / size)
    centre = np.where(np.isfinite(size), p, np.nan)
    return centre, np.clip(centre - half, 0.0, 1.0), np.clip(centre + half, 0.0, 1.0)


def control_limits(of: Quantity) -> dict[str, Quantity]:
    """The p-chart of a share as parts: centre, limits, and 1 where the share is outside of them."""

    def pick(which: str) -> Derived:
        def formula(grid: Grid, window: Window) -> Grid:
            centre, low, high = p_chart(grid, window)
            outside = ((grid.value < low) | (grid.value > high)).astype(float)
            outside = np.where(np.isfinite(low) & np.isfinite(grid.value), outside, np.nan)
            value = {"centre": centre, "lower_limit": low, "upper_limit": high, "out_of_control": outside}[which]
            why = np.where(grid.reason == "", f"needs {FEWEST_SHOWN} whole periods", grid.reason)
            return Grid.of(grid.groups, value, grid.n, why=why)

        return Derived(
            formula, (of,), "count" if which == "out_of_control" else "share", "p-chart, three standard errors"
        )

    return {which: pick(which) for which in ("centre", "lower_limit", "upper_limit", "out_of_control")}
