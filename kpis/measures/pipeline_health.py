"""The pipeline of this period: how much, how it covers what is to go, how healthy it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np

from kpis.measures.core import intervals
from kpis.measures.core.composed import Derived
from kpis.measures.core.formulas import Plan
from kpis.measures.core.grid import Grid, first_reason
from kpis.measures.core.known import Known
from kpis.measures.core.pipeline import from_forecast, open_today, past_share, stock
from kpis.measures.core.quantity import Quantity, attempt
from kpis.measures.core.rows import Panel, Reducer, Rows, Scan, Window, yes
from kpis.measures.core.samples import Keyed, Share
from kpis.measures.core.states import visits
from kpis.measures.core.tables import EACH
from kpis.measures.core.totals import Stock
from kpis.measures.registry import measure
from kpis.periods import day_n


@measure({"HEINZ-1": "Current selling-period pipeline health"}, kind="stock", basis="stock", better="higher")
def current_period_health(known: Known) -> dict[str, Quantity]:
    """Open qualified money expected to close in this period, and how healthy it is.

    Definition: The amount of the open, qualified opportunities whose expected close lies in the period; for past
        periods on the same day of the period. To-go coverage sets it against what is still to be won; required
        coverage is the inverse of the share of such pipeline that was won by the end of the last eight periods, from
        the same day. Health parts of today's deals: next step or activity in the last 14 days, past-due close dates,
        pushed twice or more, the three largest deals' share, longer in stage than 80 % of winners were. Expected
        landing and P(hit) are the forecast's.
    Formula: O₀(t) = Σ amount[open ∧ qualified ∧ expected close ∈ P₀]; to-go coverage = O₀ ÷ (T₀ − W₀), "target met"
        if T₀ ≤ W₀; required coverage = 1 ÷ c₀(d); F₀ and Pr(F₀ ≥ T₀) from the forecast's simulation
    Unit: money
    Needs: opportunities.amount, opportunities.expected_close
    Source: HEINZ-1, Heinz: three defining measures of sales and marketing success
    """
    opened = stock(known, "open0")
    today = _today(known)
    return {
        "open_qualified": opened,
        "to_go_coverage": Derived(_coverage, (opened, Plan(known, "bookings"), _won_so_far(known)), "ratio"),
        "required_coverage": attempt(lambda: _inverse(past_share("won0", "open0", known))),
        "expected_landing": from_forecast(lambda one: one.expected, "money"),
        "p_hit": from_forecast(lambda one: one.p_hit, "share"),
        "with_next_step_or_activity": attempt(lambda: _worked(known, today)),
        "past_due": Share(today, "past_due", empty=NO_DEALS),
        "pushed_twice_or_more": attempt(lambda: _pushed(known, today)),
        "top_three_share": Keyed(today, "opportunity_id", "money", _top_three, "share", NO_DEALS),
        "older_in_stage_than_winners": attempt(lambda: _stage_age(known)),
    }


NO_DEALS = "no open qualified deal is expected to close in this period, or the day's deals are not known"


def _today(known: Known) -> Rows:
    """Today's open qualified deals expected in the current period or overdue, on today."""
    last = day_n(known.window.periods[-1].end)
    recent = nw.col("last_activity_at_n") >= known.today - known.definitions.active_within_days
    return (
        open_today(known)
        .where(nw.col("expected_close_n") <= last)
        .flag(
            past_due=nw.col("expected_close_n") < known.today,
            worked=recent.fill_null(False) | ~nw.col("next_step").is_null(),
            pushed=nw.col("push_count") >= 2,
        )
    )


def _worked(known: Known, today: Rows) -> Share:
    if not known.has("opportunities", "next_step"):
        known.need("opportunities", "last_activity_at")
    return Share(today, "worked", empty=NO_DEALS)


def _pushed(known: Known, today: Rows) -> Share:
    known.need("opportunities", "push_count")
    return Share(today, "pushed", empty=NO_DEALS)


def _top_three(money: np.ndarray) -> tuple[float, float, float, float]:
    total = money.sum()
    share = np.sort(money)[-3:].sum() / total if total > 0 else np.nan
    return share, np.nan, np.nan, len(money)


@dataclass(frozen=True, eq=False)
class StageAge(Quantity):
    """Share of today's open deals that are longer in their stage than 80 % of winners were."""

    known: Known
    unit: str = "share"
    note: str = "compared by stage with the visits of deals that were won"

    def _visits(self) -> tuple[Rows, Rows]:
        return self.known.once("visit ages", self._ages)

    def _ages(self) -> tuple[Rows, Rows]:
        visited = visits(self.known)
        done = visited.where((nw.col("is_won") == 1) & ~nw.col("exit_day").is_null())
        done = done.also(age=nw.col("exit_day") - nw.col("entry_day"), is_now=nw.lit(0))
        here = visited.where((nw.col("is_open") == 1) & nw.col("exit_day").is_null())
        here = here.also(age=nw.lit(self.known.today) - nw.col("entry_day"), today_n=nw.lit(self.known.today)).on(
            "today_n"
        )
        return done, here

    def scans(self) -> Iterator[Scan]:
        """Visits of winners and of open deals, by stage and whole days."""
        for rows in self._visits():
            yield Scan(rows, ("rows",), ("age",))

    def grid(self, reducer: Reducer) -> Grid:
        """The share, today only."""
        done, here = (reducer.run(scan) for scan in self.scans())
        limits = {}
        for g, cell in done.table.groupby("g"):
            ages = cell.groupby("age")["rows"].sum()
            limits[done.groups[g]] = float(ages.index[np.searchsorted(ages.cumsum(), 0.8 * ages.sum())])
        value, n = np.full((1, here.periods), np.nan), np.zeros((1, here.periods))
        table = here.table[here.table["p"] >= 0]
        limit = np.array([limits.get(name, np.nan) for name in here.groups])[table["g"]]
        known = np.isfinite(limit)
        old = float(table["rows"][known & (table["age"].to_numpy() > limit)].sum())
        n[0, -1] = float(table["rows"][known].sum())
        value[0, -1] = old / n[0, -1] if n[0, -1] else np.nan
        low, high = intervals.wilson(value * n, n)
        return Grid.of(("",), value, n, low=low, high=high, why="needs open deals in stages that winners passed")


def _stage_age(known: Known) -> Quantity:
    known.need("opportunity_history", "opportunity_id", "changed_at", "stage")
    return StageAge(known)


def _won_so_far(known: Known) -> Quantity:
    """Won in each period up to the same day of it."""
    day = nw.col("closed_at_n")
    so_far = yes((nw.col("is_won") == 1) & (day >= EACH.start) & (day <= EACH.day))
    deals = known.in_each_period(known.slim).with_columns(won_money=so_far * nw.col("amount").fill_null(0.0))
    return Stock(Panel(deals, "opportunities"), "won_money")


def _coverage(opened: Grid, plan: Grid, won: Grid, window: Window) -> Grid:  # noqa: ARG001
    to_go = plan.value - won.value
    value = np.divide(opened.value, to_go, out=np.full(opened.shape, np.nan), where=np.isfinite(to_go) & (to_go > 0))
    reason = first_reason(plan, opened)
    return Grid.of(opened.groups, value, opened.n, why=np.where(reason == "", "target met", reason))


def _inverse(share: Quantity) -> Derived:
    def formula(grid: Grid, window: Window) -> Grid:  # noqa: ARG001
        value = np.divide(1.0, grid.value, out=np.full(grid.shape, np.nan), where=grid.value > 0)
        reason = np.where(grid.reason == "", "none of such pipeline was won", grid.reason)
        return Grid.of(grid.groups, value, grid.n, why=reason)

    return Derived(formula, (share,), "ratio")
