"""Cohorts that are still maturing: the share that gets there, estimated with censoring.

Aalen and Johansen's estimate from counts by lag in whole days: of those at risk on each day after the
start, the share that arrives and the share that leaves otherwise. Where a young cohort has not lived
long enough, it goes on with the rates of all cohorts together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from kpis.measures.core import intervals
from kpis.measures.core.bridge import Fraction
from kpis.measures.core.grid import Grid
from kpis.measures.core.quantity import Quantity
from kpis.measures.core.rows import Reducer, Rows, Scan

CENSORED, ARRIVED, LEFT = 0, 1, 2
"""How a row stands at the end of what is known of it."""

IN_THE_END = 0
"""A window of 0 days: however late."""

MATURE = 0.9
"""The default window is the lag by which this share of all that ever arrive have arrived."""


@dataclass(frozen=True)
class Counts:
    """Rows by lag in days: how many arrived, left otherwise, or are still followed."""

    arrived: np.ndarray
    left: np.ndarray
    followed: np.ndarray

    @classmethod
    def of(cls, lag: np.ndarray, kind: np.ndarray, rows: np.ndarray, length: int) -> Counts:
        """Counts on lags 0 ... length - 1."""

        def count(code: int) -> np.ndarray:
            chosen = kind == code
            return np.bincount(lag[chosen], rows[chosen], length)

        return cls(count(ARRIVED), count(LEFT), count(CENSORED))

    @property
    def at_risk(self) -> np.ndarray:
        """How many are still there at the start of each lag."""
        total = self.arrived + self.left + self.followed
        return total[::-1].cumsum()[::-1]


@dataclass(frozen=True)
class Curve:
    """Share that has arrived by each lag, and its variance."""

    share: np.ndarray
    variance: np.ndarray

    def at(self, lag: int) -> tuple[float, float]:
        """Share and variance at the end of ``lag`` days; of the last lag if it ends before."""
        k = min(lag, len(self.share) - 1)
        return float(self.share[k]), float(self.variance[k])


def curve(counts: Counts, others: Counts | None = None) -> Curve:
    """Aalen-Johansen's cumulative incidence of arriving, and its variance.

    F(t) = Σ S(u-1) a(u)/n(u), S(u) = Π (1 - (a(v) + l(v))/n(v)), u and v up to t; a arrived, l left, n at risk.
    Variance by the delta method (Marubini and Valsecchi 1995, formula 10.12).

    Parameters
    ----------
    others
        All cohorts together: their rates are used at lags where nobody of ``counts`` is at risk any more.
    """
    n, arrived, left = counts.at_risk.copy(), counts.arrived.copy(), counts.left.copy()
    if others is not None:
        alone = n <= 0
        n[alone], arrived[alone], left[alone] = others.at_risk[alone], others.arrived[alone], others.left[alone]
    safe = np.where(n > 0, n, 1.0)
    gone = arrived + left
    survival = np.cumprod(1 - gone / safe)
    before = np.concatenate([[1.0], survival[:-1]])
    share = np.cumsum(before * arrived / safe)
    stays = n - gone
    a = np.divide(gone, safe * stays, out=np.zeros_like(safe), where=stays > 0)
    b = before**2 * arrived * (safe - arrived) / safe**3
    c = before * arrived / safe**2
    # Σ_j (F(t)-F_j)² a_j + Σ_j b_j - 2 Σ_j (F(t)-F_j) c_j, with the squares multiplied out into running sums.
    sums = [np.cumsum(x) for x in (a, a * share, a * share**2, b, c, c * share)]
    variance = share**2 * sums[0] - 2 * share * sums[1] + sums[2] + sums[3] - 2 * (share * sums[4] - sums[5])
    return Curve(np.clip(share, 0.0, 1.0), np.maximum(variance, 0.0))


def interval(share: np.ndarray, variance: np.ndarray, n: float) -> tuple[np.ndarray, np.ndarray]:
    """Wilson interval on the effective sample size F(1-F)/variance; plain Wilson without censoring."""
    share, variance = np.asarray(share), np.asarray(variance)
    inside = (variance > 0) & (share > 0) & (share < 1)
    effective = np.divide(share * (1 - share), variance, out=np.full(share.shape, float(n)), where=inside)
    return intervals.wilson(share * effective, effective)


def usual_window(counts: Counts) -> int:
    """The lag by which MATURE of all that arrive, by the incidence of all cohorts, have arrived."""
    share = curve(counts).share
    if not len(share) or share[-1] <= 0:
        return max(len(share) - 1, 0)
    return int(np.argmax(share >= MATURE * share[-1]))


@dataclass(frozen=True, eq=False)
class Incidence(Quantity):
    """Share of the rows that started in a period and arrive, within ``window`` days or in the end.

    Parameters
    ----------
    of
        Rows on their start day.
    arrived, left
        Columns with the whole day of arriving and of leaving otherwise; null while neither has happened.
    window
        Days allowed; None: the usual window of the data; 0: in the end, however late.
    lost
        Read the share that did not arrive: 1 - F at the horizon.
    """

    of: Rows
    arrived: str
    left: str = ""
    window: int | None = None
    unit: str = "share"
    note: str = ""
    today: int = 0
    _scan: Scan = field(init=False)

    def __post_init__(self) -> None:
        rows = self.of.once(("followed", self.arrived, self.left), self._followed)
        object.__setattr__(self, "_scan", Scan(rows, ("rows",), ("lag", "kind")))

    def _followed(self) -> Rows:
        """The rows with ``kind``, how each stands, and ``lag``, the days until it arrived, left or was last seen."""
        start, came = nw.col(self.of.day), nw.col(self.arrived)
        went = nw.col(self.left) if self.left else nw.lit(None, dtype=nw.Int64)
        arrived = ~came.is_null() & (went.is_null() | (came <= went))
        gone = ~arrived & ~went.is_null()
        end = nw.when(arrived).then(came).otherwise(nw.when(gone).then(went).otherwise(nw.lit(self.today)))
        kind = nw.when(arrived).then(ARRIVED).otherwise(nw.when(gone).then(LEFT).otherwise(CENSORED))
        # An arrival dated before the start is an error of the record, reported at intake: it counts as at once.
        return self.of.also(kind=kind, lag=nw.when(end < start).then(0).otherwise(end - start))

    @property
    def chart(self) -> str:
        """A p-chart."""
        return "p"

    def scans(self) -> Iterator[Scan]:
        """Rows by lag and outcome, of every cohort."""
        yield self._scan

    def grid(self, reducer: Reducer) -> Grid:
        """The incidence at the horizon; beside it the raw share and the share of the cohort matured."""
        reduced = reducer.run(self._scan)
        table = reduced.table
        shape = (len(reduced.groups), reduced.periods)
        value, low, high, raw, matured = (np.full(shape, np.nan) for _ in range(5))
        n = np.zeros(shape)
        length = int(table["lag"].max()) + 1 if len(table) else 1
        everyone = [_counts(table[table["g"] == g], length) for g in range(len(reduced.groups))]
        horizons = [usual_window(all_) if self.window is None else (self.window or length - 1) for all_ in everyone]
        for g, p, cell in reduced.cells():
            horizon = horizons[g]
            share, variance = curve(_counts(cell, length), everyone[g]).at(horizon)
            rows, lag, kind = cell["rows"], cell["lag"], cell["kind"]
            n[g, p] = size = rows.sum()
            value[g, p] = share
            low[g, p], high[g, p] = interval(share, variance, size)
            raw[g, p] = rows[(kind == ARRIVED) & (lag <= horizon)].sum() / size
            lived = (kind != CENSORED) | ((lag >= horizon) & (self.window != IN_THE_END))
            matured[g, p] = rows[lived].sum() / size
        return Grid.of(
            reduced.groups, value, n, low=low, high=high, why="no cohort started in this period",
            extra={"raw": raw, "matured": matured},
        )  # fmt: skip

    def fraction(self, reducer: Reducer) -> Fraction:
        """Expected arrivals and rows; the groups' incidences weighted by rows come close to that of all together."""
        grid = reducer.grid(self)
        return Fraction(grid.groups, grid.value * grid.n, grid.n, is_quotient=True)


def pooled(of: Incidence, reducer: Reducer) -> dict[str | None, tuple[float, float, float]]:
    """The incidence of all cohorts together, by group, and under None of all groups: share, low, high."""
    reduced = reducer.run(next(of.scans()))
    length = int(reduced.table["lag"].max()) + 1 if len(reduced.table) else 1
    found: dict[str | None, tuple[float, float, float]] = {}
    for g, name in [(None, None), *enumerate(reduced.groups)]:
        mine = reduced.table if g is None else reduced.table[reduced.table["g"] == g]
        if len(mine):
            everyone = _counts(mine, length)
            horizon = usual_window(everyone) if of.window is None else (of.window or length - 1)
            share, variance = curve(everyone).at(horizon)
            low, high = interval(share, variance, mine["rows"].sum())
            found[name] = share, float(low), float(high)
    return found


@dataclass(frozen=True, eq=False)
class MedianWait(Incidence):
    """Median days from start to arrival, of those that started in a period; who has not arrived is censored.

    Kaplan-Meier median; the interval is where the 95 % band of the curve crosses one half
    (Brookmeyer and Crowley 1982).
    """

    unit: str = "days"

    @property
    def chart(self) -> str:
        """No share."""
        return "XmR"

    def grid(self, reducer: Reducer) -> Grid:
        """The median; unknown while fewer than half have arrived."""
        reduced = reducer.run(self._scan)
        table = reduced.table
        shape = (len(reduced.groups), reduced.periods)
        value, low, high = (np.full(shape, np.nan) for _ in range(3))
        n = np.zeros(shape)
        length = int(table["lag"].max()) + 1 if len(table) else 1
        for g, p, cell in reduced.cells():
            counts = _counts(cell, length)
            n[g, p] = cell["rows"].sum()
            line = curve(counts)
            below, above = interval(line.share, line.variance, n[g, p])
            value[g, p] = _first(line.share >= 0.5)
            low[g, p], high[g, p] = _first(above >= 0.5), _first(below >= 0.5)
        why = np.where(n > 0, "fewer than half have arrived yet", "no cohort started in this period")
        return Grid.of(reduced.groups, value, n, low=low, high=high, why=why)

    def fraction(self, reducer: Reducer) -> None:
        """None: medians of groups do not add up."""


def _first(reached: np.ndarray) -> float:
    return float(np.argmax(reached)) if reached.any() else np.nan


def _counts(table: Mapping[str, Any], length: int) -> Counts:
    columns = (np.asarray(table[name]) for name in ("lag", "kind", "rows"))
    lag, kind, rows = columns
    return Counts.of(lag.astype(int), kind, rows, length)
