"""Who was a customer on which day: from the customers table, from subscriptions, or from what was bought."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np

from kpis.errors import NotEnoughData
from kpis.measures.core import intervals
from kpis.measures.core.grid import Grid
from kpis.measures.core.known import Known
from kpis.measures.core.quantity import Quantity
from kpis.measures.core.rows import Panel, Reducer, Rows, Scan, Span
from kpis.measures.core.totals import Count


class CustomerStates:
    """Customers and whether each was one at the start and at the end of every period.

    * a customers table with churn dates: from the first order until churn, and again from reactivation;
    * subscriptions: while any subscription above 0 runs (a trial at 0 is no customer);
    * orders, or won opportunities as orders: bought in the last ``lapsed_after_days`` days.
    """

    def __init__(self, known: Known) -> None:
        self.known = known

    @property
    def source(self) -> str:
        """What the states come from; NotEnoughData where nothing tells."""
        has = self.known.has
        if has("customers", "account_id", "first_order_at", "churned_at"):
            return "customers"
        if has("subscriptions", "account_id", "mrr", "start"):
            return "subscriptions"
        if has("orders", "account_id", "ordered_at"):
            return "orders"
        if has("opportunities", "account_id", "closed_at"):
            return "opportunities"
        raise NotEnoughData("needs table customers, column churned_at", way_out="Or upload orders or subscriptions")

    @property
    def days(self) -> tuple[int, ...]:
        """The whole days whose state is asked for: before each period, and its last known day."""
        spans = self.known.window.spans
        return tuple(sorted({day for span in spans for day in (span.start - 1, span.known)}))

    @property
    def frame(self) -> nw.LazyFrame:
        """One row a customer: ``account_id``, ``first_n``, and ``on_<day>`` 0/1 for each of ``days``."""
        return self.known.once("customer states", lambda: self.known.kept(self._frame()))

    def _frame(self) -> nw.LazyFrame:
        source, known = self.source, self.known
        if source == "customers":
            rows = known.frame("customers").with_columns(first_n=nw.col("first_order_at_n"))
            return rows.with_columns(**{_on(day): _flag(_active_customer(day)) for day in self.days})
        if source == "subscriptions":
            rows = known.frame("subscriptions").filter(nw.col("mrr") > 0).with_columns(first_n=nw.col("start_n"))
            active = {_on(day): _flag(running(day)) for day in self.days}
        else:
            rows, lapse = purchases(known), known.definitions.lapsed_after_days
            bought = nw.col("bought_n")
            rows = rows.with_columns(first_n=bought)
            active = {_on(day): _flag((bought <= day) & (bought > day - lapse)) for day in self.days}
        rows = rows.filter(~nw.col("account_id").is_null()).with_columns(**active)
        return rows.group_by("account_id").agg(nw.col("first_n").min(), *[nw.col(_on(day)).max() for day in self.days])

    @property
    def panel(self) -> Panel:
        """``at_start``, ``at_end``, ``kept``, ``lost``, ``gained``, ``is_new``, ``lapsed``, ``back`` of each period."""
        return self.known.once("customer panel", lambda: Panel(self.frame, "customers", _changes))

    def count(self, column: str) -> Count:
        """How many customers have the flag."""
        return Count(self.panel, column)


def purchases(known: Known) -> nw.LazyFrame:
    """Orders, or won opportunities where there are none: ``account_id``, ``bought_n``, ``money``."""
    if known.has("orders", "account_id", "ordered_at"):
        return known.frame("orders").select(
            "account_id", bought_n=nw.col("ordered_at_n"), money=nw.col("amount").fill_null(0.0)
        )
    return known.won.frame.select("account_id", bought_n=nw.col("closed_at_n"), money=nw.col("amount").fill_null(0.0))


def running(day: int) -> nw.Expr:
    """Whether a subscription runs on ``day``: its end is its last day."""
    return (nw.col("start_n") <= day) & (nw.col("end_n").is_null() | (nw.col("end_n") >= day))


def _active_customer(day: int) -> nw.Expr:
    churned, back = nw.col("churned_at_n"), nw.col("reactivated_at_n")
    stays = churned.is_null() | (churned > day)
    returned = (back <= day) & (back >= churned)
    return (nw.col("first_order_at_n") <= day) & (stays | returned.fill_null(False))


def _on(day: int) -> str:
    return f"on_{day}".replace("-", "m")


def _flag(condition: nw.Expr) -> nw.Expr:
    return nw.when(condition).then(1).otherwise(0)


def _changes(span: Span) -> dict[str, nw.Expr]:
    start, end = nw.col(_on(span.start - 1)) == 1, nw.col(_on(span.known)) == 1
    first = nw.col("first_n")
    known_before = first < span.start
    return {
        "at_start": _flag(start),
        "at_end": _flag(end),
        "kept": _flag(start & end),
        "lost": _flag(start & ~end),
        "gained": _flag(~start & end),
        "is_new": _flag((first >= span.start) & (first <= span.known)),
        "lapsed": _flag(known_before & ~start),
        "back": _flag(known_before & ~start & end),
    }


@dataclass(frozen=True, eq=False)
class NetShare(Quantity):
    """(Σ plus − Σ minus) ÷ rows, times 100: a net score in points, with its normal interval.

    ±1.96 √((p + d − (p − d)²)/n), p and d the shares of plus and minus.
    """

    of: Rows
    plus: str
    minus: str
    unit: str = "points"
    note: str = ""

    def scans(self) -> Iterator[Scan]:
        """Both sums and the number of rows."""
        yield Scan(self.of, (self.plus, self.minus, "rows"))

    def grid(self, reducer: Reducer) -> Grid:
        """The net score."""
        reduced = reducer.run(next(self.scans()))
        n = reduced.sum("rows")
        safe = np.where(n > 0, n, np.nan)
        p, d = reduced.sum(self.plus) / safe, reduced.sum(self.minus) / safe
        value = 100 * (p - d)
        half = 100 * intervals.Z * np.sqrt(np.maximum(p + d - (p - d) ** 2, 0.0) / safe)
        return Grid.of(
            reduced.groups, value, n, low=value - half, high=value + half, why="nobody answered in this period"
        )


@dataclass(frozen=True, eq=False)
class PanelRatio(Quantity):
    """Σ x ÷ Σ y over a panel; interval by linearisation, from the sums of squares and products.

    The panel's flags come from ``squares``: x, y, x², xy, y². Variance of the ratio R: Σ(x − Ry)² ÷ (Σ y)².
    """

    of: Panel
    x: str
    y: str
    empty: str
    unit: str = "share"
    note: str = ""

    def scans(self) -> Iterator[Scan]:
        """The five sums."""
        yield Scan(self.of, (self.x, self.y, f"{self.x}_2", f"{self.x}_{self.y}", f"{self.y}_2", "one"))

    def grid(self, reducer: Reducer) -> Grid:
        """The ratio."""
        reduced = reducer.run(next(self.scans()))
        x, y, xx, xy, yy, n = (reduced.sum(name) for name in next(self.scans()).sums)
        below = np.where(y > 0, y, np.nan)
        value = x / below
        spread = np.sqrt(np.maximum(xx - 2 * value * xy + value**2 * yy, 0.0)) / below
        half = intervals.Z * spread
        return Grid.of(reduced.groups, value, n, low=value - half, high=value + half, why=self.empty)


def squares(x: str, y: str, left: nw.Expr, right: nw.Expr) -> dict[str, nw.Expr]:
    """The columns that PanelRatio sums; a row counts where ``right`` is above 0."""
    return {
        x: left, y: right, f"{x}_2": left * left, f"{x}_{y}": left * right, f"{y}_2": right * right,
        "one": nw.when(right > 0).then(1).otherwise(0),
    }  # fmt: skip
