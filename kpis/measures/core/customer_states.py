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
from kpis.measures.core.rows import Panel, Reducer, Rows, Scan, yes
from kpis.measures.core.tables import EACH
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
    def frame(self) -> nw.LazyFrame:
        """One row a customer and period ``p``: ``account_id``, ``first_n``, 0/1 ``before`` (as it began) and ``after``.

        ``after`` is the state at the end of the period's last known day.
        """
        return self.known.once("customer states", lambda: self.known.kept(self._frame()))

    def _frame(self) -> nw.LazyFrame:
        source, known = self.source, self.known
        if source == "customers":
            rows = known.in_each_period(known.frame("customers").with_columns(first_n=nw.col("first_order_at_n")))
            return rows.with_columns(
                before=yes(_active_customer(EACH.start - 1)), after=yes(_active_customer(EACH.known))
            )
        if source == "subscriptions":
            rows, there = known.frame("subscriptions").filter(nw.col("mrr") > 0), running
            rows = rows.with_columns(first_n=nw.col("start_n"))
        else:
            rows, there = purchases(known).with_columns(first_n=nw.col("bought_n")), self._bought_lately
        rows = known.in_each_period(rows.filter(~nw.col("account_id").is_null()))
        rows = rows.with_columns(before=yes(there(EACH.start - 1)), after=yes(there(EACH.known)))
        states = rows.group_by("account_id", "p", "p_start", "p_known")
        return states.agg(nw.col("first_n").min(), nw.col("before").max(), nw.col("after").max())

    def _bought_lately(self, day: nw.Expr) -> nw.Expr:
        bought, lapse = nw.col("bought_n"), self.known.definitions.lapsed_after_days
        return (bought <= day) & (bought > day - lapse)

    @property
    def panel(self) -> Panel:
        """``at_start``, ``at_end``, ``kept``, ``lost``, ``gained``, ``is_new``, ``lapsed``, ``back`` of each period."""
        return self.known.once("customer panel", lambda: Panel(self.frame.with_columns(**_changes()), "customers"))

    @property
    def first_orders(self) -> nw.LazyFrame:
        """One row a customer: ``account_id``, ``first_n``."""
        return self.frame.filter(nw.col("p") == 0).select("account_id", "first_n")

    @property
    def today(self) -> Rows:
        """The customers of the as-of day, on it."""
        last = len(self.known.window.periods) - 1
        here = self.frame.filter((nw.col("p") == last) & (nw.col("after") == 1))
        return Rows(here.with_columns(today_n=nw.lit(self.known.today)), "customers", "today_n")

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


def running(day: nw.Expr) -> nw.Expr:
    """Whether a subscription runs on ``day``: its end is its last day."""
    return (nw.col("start_n") <= day) & (nw.col("end_n").is_null() | (nw.col("end_n") >= day))


def _active_customer(day: nw.Expr) -> nw.Expr:
    churned, back = nw.col("churned_at_n"), nw.col("reactivated_at_n")
    stays = churned.is_null() | (churned > day)
    returned = (back <= day) & (back >= churned)
    return (nw.col("first_order_at_n") <= day) & (stays | returned.fill_null(False))


def _changes() -> dict[str, nw.Expr]:
    start, end, first = nw.col("before") == 1, nw.col("after") == 1, nw.col("first_n")
    known_before = first < EACH.start
    return {
        "at_start": yes(start),
        "at_end": yes(end),
        "kept": yes(start & end),
        "lost": yes(start & ~end),
        "gained": yes(~start & end),
        "is_new": yes((first >= EACH.start) & (first <= EACH.known)),
        "lapsed": yes(known_before & ~start),
        "back": yes(known_before & ~start & end),
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
        "one": yes(right > 0),
    }  # fmt: skip
