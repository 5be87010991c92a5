"""The pipeline of the next two periods against what they need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np

from kpis.measures.core.composed import Derived, Ratio
from kpis.measures.core.grid import Grid, first_reason
from kpis.measures.core.known import Known
from kpis.measures.core.pipeline import PAST, from_forecast, open_today, past_share, stock, trailing_mean
from kpis.measures.core.quantity import Quantity, attempt
from kpis.measures.core.rows import Reducer, Rows, Scan, Window
from kpis.measures.core.samples import Amount
from kpis.measures.core.tables import shared
from kpis.measures.core.targets import company_only, target
from kpis.measures.core.totals import Count, Ledger
from kpis.measures.registry import measure, part_of
from kpis.measures.revenue import won_amount
from kpis.periods import day_n, day_of


@measure(
    {"HEINZ-2": "Qualified pipeline for the next two selling periods"}, kind="stock", basis="stock", better="higher"
)
def next_two_periods_coverage(known: Known) -> dict[str, Quantity]:
    """Open qualified money expected in the next two periods, against what they need.

    Definition: The amount of the open, qualified opportunities expected to close in the next period and in the one
        after, on the same day of each period; coverage against their targets; the pipeline that each needs on its
        first day by own history, and how much of it should stand today (pacing); the gap, and the opportunities, MQLs
        and spend that would close it, with the last day on which a new opportunity still helps. Own history is that
        of the last eight whole periods.
    Formula: O_k = Σ amount[open ∧ qualified ∧ expected close ∈ P_k]; coverage_k = O_k ÷ T_k; R_k = max(0, T_k −
        E[create and close] − E[pull-in]) ÷ c(day 1); pacing target = R_k · ρ_k(d), ρ_k(d) = median over past periods
        of O_k(day d) ÷ O_k(day 1 of P_k); gap_k = max(0, pacing target − O_k); opportunities = gap ÷ mean qualified
        amount; MQLs = opportunities ÷ (MQL→SQL→opportunity); spend = MQLs × cost per MQL; last useful creation =
        end(P_k) − median cycle
    Unit: money
    Needs: opportunities.amount, opportunities.expected_close
    Source: HEINZ-2, Heinz: three defining measures of sales and marketing success
    """
    both = Derived(_added, (stock(known, "open1"), stock(known, "open2")), "money")
    parts: dict[str, Quantity] = {"open_next_two": both}
    for k in (1, 2):
        opened = stock(known, f"open{k}")
        target = PlanAhead(known, k)
        required = attempt(lambda target=target: _required(known, target))
        pace = attempt(lambda k=k: _pace(known, k))
        pacing = Derived(_times, (required, pace), "money")
        gap = Derived(_gap, (pacing, opened), "money")
        parts |= {
            f"open_next_{k}": opened,
            f"coverage_next_{k}": Ratio(opened, target, "ratio", empty="no target is set"),
            f"required_on_day_one_next_{k}": required,
            f"pacing_target_next_{k}": pacing,
            f"gap_next_{k}": gap,
            f"opportunities_needed_next_{k}": attempt(lambda gap=gap: _opportunities(known, gap)),
            f"MQLs_needed_next_{k}": attempt(lambda gap=gap: _mqls(known, gap)),
            f"spend_needed_next_{k}": attempt(lambda gap=gap: _spend(known, gap)),
            f"days_left_to_create_next_{k}": attempt(lambda k=k: LastUsefulDay(known, k)),
            f"required_by_forecast_next_{k}": from_forecast(lambda one: one.required_pipeline, "money", k),
        }
    parts["open_within_60_days"] = Ledger(_due_within(known, 60), "money")
    parts["open_within_90_days"] = Ledger(_due_within(known, 90), "money")
    return parts


def _added(first: Grid, second: Grid, window: Window) -> Grid:  # noqa: ARG001
    return Grid.of(first.groups, first.value + second.value, first.n + second.n, why=first_reason(first, second))


def _times(first: Grid, second: Grid, window: Window) -> Grid:  # noqa: ARG001
    return Grid.of(first.groups, first.value * second.value, first.n, why=first_reason(first, second))


def _gap(pacing: Grid, opened: Grid, window: Window) -> Grid:  # noqa: ARG001
    value = np.where(np.isfinite(pacing.value), np.maximum(0.0, pacing.value - opened.value), np.nan)
    return Grid.of(pacing.groups, value, opened.n, why=first_reason(pacing, opened))


@dataclass(frozen=True, eq=False)
class PlanAhead(Quantity):
    """The bookings target of the period ``ahead`` of each period."""

    known: Known
    ahead: int
    unit: str = "money"
    note: str = ""

    @property
    def sampled(self) -> bool:
        """A decision, not a sample."""
        return False

    def grid(self, reducer: Reducer) -> Grid:
        """The target, where one is set."""
        company_only(reducer.by)
        calendar = self.known.dataset.settings.calendar
        found = [
            target(self.known, "bookings", calendar.at(period.start, self.ahead)) for period in reducer.window.periods
        ]
        value = np.array([[np.nan if one is None else one for one in found]], dtype=float)
        return Grid.of(("",), value, np.isfinite(value).astype(float), why="needs a target for bookings in that period")


def _required(known: Known, target: Quantity) -> Quantity:
    """R = max(0, T − E[create and close] − E[pull-in]) ÷ c(day 1)."""
    first_day = past_share("dayone_won", "dayone", known)
    won, kept = won_amount(known), stock(known, "dayone_won", at=lambda span: span.start)
    pulled = stock(known, "pulled_in", at=lambda span: span.start)

    def formula(goal: Grid, share: Grid, total: Grid, kept: Grid, pulled: Grid, window: Window) -> Grid:
        # Won in the period = on its list on day one + pulled in + created (or qualified) after day one.
        made = trailing_mean(total.value - kept.value - pulled.value, window)
        moved = trailing_mean(pulled.value, window)
        still = np.maximum(0.0, goal.value - made - moved)
        value = np.divide(still, share.value, out=np.full(still.shape, np.nan), where=share.value > 0)
        reason = first_reason(goal, share)
        return Grid.of(
            share.groups, value, share.n, why=np.where(reason == "", "no earlier period with a known pipeline", reason)
        )

    return Derived(formula, (target, first_day, won, kept, pulled), "money")


def _pace(known: Known, k: int) -> Quantity:
    """ρ_k(d): median over past periods of O_k on day d ÷ what stood on day one of the period it is for."""

    def formula(ahead: Grid, dayone: Grid, window: Window) -> Grid:  # noqa: ARG001
        ratio = np.full(ahead.shape, np.nan)
        periods = ahead.shape[1]
        # O_k seen in period j is about period j + k, whose first day must have come.
        own, about = ahead.value[:, : periods - k], dayone.value[:, k:]
        ratio[:, k:] = np.divide(own, about, out=np.full(own.shape, np.nan), where=np.isfinite(about) & (about > 0))
        value = np.full(ahead.shape, np.nan)
        for p in range(periods):
            # At p the periods up to p have begun, so their first day is known.
            past = ratio[:, max(0, p - PAST + 1) : p + 1]
            for g in range(len(past)):
                seen = past[g][np.isfinite(past[g])]
                value[g, p] = np.median(seen) if len(seen) else np.nan
        return Grid.of(ahead.groups, value, ahead.n, why="no earlier period with a known pipeline")

    return Derived(formula, (stock(known, f"open{k}"), stock(known, "dayone", at=lambda span: span.start)), "share")


def _opportunities(known: Known, gap: Quantity) -> Quantity:
    return Ratio(gap, _mean_qualified(known), "count")


@shared
def _mean_qualified(known: Known) -> Quantity:
    """Mean amount of the deals that qualified in each period."""
    return Ratio(Amount(known.qualified_deals, "amount"), Count(known.qualified_deals), "money")


def _mqls(known: Known, gap: Quantity) -> Quantity:
    steps = part_of(known, "funnel_ratios").steps

    def formula(needed: Grid, first: Grid, second: Grid, window: Window) -> Grid:  # noqa: ARG001
        rate = first.value * second.value
        value = np.divide(needed.value, rate, out=np.full(needed.shape, np.nan), where=rate > 0)
        reason = first_reason(needed, first, second)
        return Grid.of(
            needed.groups, value, needed.n, why=np.where(reason == "", "no MQL became an opportunity", reason)
        )

    return Derived(formula, (_opportunities(known, gap), steps["MQL to SQL"], steps["SQL to opportunity"]), "count")


def _spend(known: Known, gap: Quantity) -> Quantity:
    return Derived(_times, (_mqls(known, gap), part_of(known, "cost_per_qualified_lead")), "money")


@dataclass(frozen=True, eq=False)
class LastUsefulDay(Quantity):
    """Days from today to the last day on which a new opportunity is as likely as not to be won in the period.

    End of the period less the median sales cycle; negative when that day has passed.
    """

    known: Known
    ahead: int
    unit: str = "days"
    note: str = "end of the period less the median sales cycle"

    def _cycle(self) -> Quantity:
        return part_of(self.known, "sales_cycle_days")

    def scans(self) -> Iterator[Scan]:
        """Those of the sales cycle."""
        yield from self._cycle().scans()

    def grid(self, reducer: Reducer) -> Grid:
        """The days left, in each period as of the same day of it."""
        cycle = reducer.grid(self._cycle())
        calendar = self.known.dataset.settings.calendar
        spans = reducer.window.spans
        ends = np.array(
            [day_n(calendar.at(day_of(span.start), self.ahead).end) - span.day for span in spans], dtype=float
        )
        return Grid.of(
            cycle.groups, ends - cycle.value, cycle.n, low=ends - cycle.high, high=ends - cycle.low, why=cycle.reason
        )


def _due_within(known: Known, days: int) -> Rows:
    """Today's open qualified deals expected to close in the next ``days`` days, on today."""
    close = nw.col("expected_close_n")
    return open_today(known).where((close > known.today) & (close <= known.today + days))
