"""The pipeline of this period and of the next two, new qualified opportunities, and what the funnel is worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np

from kpis.measures.core import intervals
from kpis.measures.core.forecast_view import ForecastView, PeriodView
from kpis.measures.core.formulas import Plan, quotient
from kpis.measures.core.grid import Grid, first_reason
from kpis.measures.core.incidence import pooled
from kpis.measures.core.known import Known
from kpis.measures.core.quantities import Amount, Count, Derived, Keyed, Ledger, Quantity, Ratio, Share, Stock, attempt
from kpis.measures.core.rows import Panel, Reducer, Rows, Scan, Span, Window
from kpis.measures.registry import measure, part_of
from kpis.periods import Period, day_n, day_of

PAST = 8
"""Whole periods that own history is taken from."""


def pipeline(known: Known) -> Panel:
    """Open qualified money on the same day of every period, and on its first day, with what became of it.

    Columns, all Σ amount but the first: ``deals0`` count; ``open0``, ``open1``, ``open2`` expected to close in the
    period, the next, the next but one; ``won0`` the part of ``open0`` won later in the period; ``dayone`` expected
    in the period on its first day, ``dayone_won`` the part won in it; ``pulled_in`` open on the first day, expected
    elsewhere, won in it; ``overdue`` open with an expected close before the day; ``all_open``.
    """
    calendar = known.dataset.settings.calendar
    # A deal "omitted" from the forecast is no pipeline.
    state = known.states.with_columns(
        omitted=nw.when(nw.col("forecast_category").str.to_lowercase() == "omitted").then(1).otherwise(0)
    )
    money = nw.col("state_amount").fill_null(0.0)
    close = nw.col("state_close")

    def stands(day: int) -> nw.Expr:
        """In force, qualified and open at the end of ``day``."""
        running = nw.col("closed_at_n").is_null() | (nw.col("closed_at_n") > day)
        in_force = (nw.col("from_day") <= day) & (nw.col("until_day") > day)
        return in_force & running & (nw.col("qualified_day") <= day) & (nw.col("omitted") == 0)

    def within(period: Period) -> nw.Expr:
        return (close >= day_n(period.start)) & (close <= day_n(period.end))

    def worth(condition: nw.Expr) -> nw.Expr:
        return nw.when(condition).then(money).otherwise(nw.lit(0.0))

    def flags(span: Span) -> dict[str, nw.Expr]:
        here, next_one, after = (calendar.at(span.period.start, k) for k in (0, 1, 2))
        now, first = stands(span.day), stands(span.start)
        won_on = nw.col("closed_at_n")
        won_here = (nw.col("is_won") == 1) & (won_on <= span.last) & (won_on >= span.start)
        later = won_here & (won_on > span.day)
        return {
            "deals0": nw.when(now & within(here)).then(1).otherwise(0),
            "open0": worth(now & within(here)),
            "open1": worth(now & within(next_one)),
            "open2": worth(now & within(after)),
            "won0": worth(now & within(here) & later),
            "dayone": worth(first & within(here)),
            "dayone_won": worth(first & within(here) & won_here),
            "pulled_in": worth(first & ~within(here) & won_here),
            "overdue": worth(now & (close < span.day)),
            "all_open": worth(now),
        }

    return Panel(state, "opportunities", flags)


def _stock(
    known: Known, column: str, *, at: Callable[[Span], int] = lambda span: span.day, unit: str = "money"
) -> Stock:
    panel = known.once("pipeline", lambda: pipeline(known))
    return Stock(panel, column, unit, known.states_from, at, counted="deals0" if column == "open0" else "")


def _past_share(column: str, of: str, known: Known) -> Quantity:
    """Share of ``of`` that became ``column``, over the last PAST whole periods together, at each period."""
    at = (lambda span: span.start) if of == "dayone" else (lambda span: span.day)

    def formula(part: Grid, whole: Grid, window: Window) -> Grid:
        return quotient(
            _trailing_sum(part, window), _trailing_sum(whole, window), "no earlier period with a known pipeline"
        )

    return Derived(formula, (_stock(known, column, at=at), _stock(known, of, at=at)), "share")


def _trailing_sum(grid: Grid, window: Window) -> Grid:
    """At each period the sum over the PAST whole periods before it that are known; NaN where there is none."""
    value = np.full(grid.shape, np.nan)
    for p in range(grid.shape[1]):
        past = grid.value[:, max(0, p - PAST) : p][:, window.whole[max(0, p - PAST) : p]]
        if past.shape[1]:
            value[:, p] = np.where(np.isfinite(past).any(axis=1), np.nansum(past, axis=1), np.nan)
    return Grid.of(grid.groups, value, np.nan_to_num(value), why="no earlier period with a known pipeline")


@measure({"HEINZ-1": "Current selling-period pipeline health"}, kind="stock", basis="stock", better="higher")
def current_period_health(known: Known) -> dict[str, Quantity]:
    """Open qualified money expected to close in this period, and how healthy it is.

    Definition: The amount of the open, qualified opportunities whose expected close lies in the period; for past
        periods on the same day of the period. To-go coverage sets it against what is still to be won; required
        coverage is the inverse of the share of such pipeline that was won by the end of the last eight periods,
        from the same day. Health parts of today's deals: next step or activity in the last 14 days, past-due close
        dates, pushed twice or more, the three largest deals' share, longer in stage than 80 % of winners were.
        Expected landing and P(hit) are the forecast's.
    Formula: O₀(t) = Σ amount[open ∧ qualified ∧ expected close ∈ P₀]; to-go coverage = O₀ ÷ (T₀ − W₀), "target met" if
        T₀ ≤ W₀; required coverage = 1 ÷ c₀(d); F₀ and Pr(F₀ ≥ T₀) from the forecast's simulation
    Unit: money
    Needs: opportunities.amount, opportunities.expected_close
    Source: HEINZ-1, Heinz: three defining measures of sales and marketing success
    """
    opened = _stock(known, "open0")
    today = _today(known)
    return {
        "open_qualified": opened,
        "to_go_coverage": Derived(_coverage, (opened, Plan(known, "bookings"), _won_so_far(known)), "ratio"),
        "required_coverage": attempt(lambda: _inverse(_past_share("won0", "open0", known))),
        "expected_landing": _forecast(known, lambda one: one.expected, "money"),
        "p_hit": _forecast(known, lambda one: one.p_hit, "share"),
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
    deals = known.qualified.filter((nw.col("is_open") == 1) & (nw.col("expected_close_n") <= last))
    rows = Rows(deals, "opportunities", "today_n").also(
        today_n=nw.lit(known.today), money=nw.col("amount").fill_null(0.0)
    )
    return rows.flag(past_due=nw.col("expected_close_n") < known.today)


def _worked(known: Known, today: Rows) -> Share:
    if not known.has("opportunities", "next_step"):
        known.need("opportunities", "last_activity_at")
    recent = nw.col("last_activity_at_n") >= known.today - known.definitions.active_within_days
    return Share(today.flag(worked=recent.fill_null(False) | ~nw.col("next_step").is_null()), "worked", empty=NO_DEALS)


def _pushed(known: Known, today: Rows) -> Share:
    known.need("opportunities", "push_count")
    return Share(today.flag(pushed=nw.col("push_count") >= 2), "pushed", empty=NO_DEALS)


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
        visits = self.known.visits
        done = visits.where((nw.col("is_won") == 1) & ~nw.col("exit_day").is_null())
        done = done.also(age=nw.col("exit_day") - nw.col("entry_day"), is_now=nw.lit(0))
        here = visits.where((nw.col("is_open") == 1) & nw.col("exit_day").is_null())
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
    deals = known.opportunities

    def flags(span: Span) -> dict[str, nw.Expr]:
        won = (nw.col("is_won") == 1) & (nw.col("closed_at_n") >= span.start) & (nw.col("closed_at_n") <= span.day)
        return {"won_money": nw.when(won).then(nw.col("amount").fill_null(0.0)).otherwise(nw.lit(0.0))}

    return Stock(known.once("won so far", lambda: Panel(deals, "opportunities", flags)), "won_money")


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


@dataclass(frozen=True, eq=False)
class FromForecast(Quantity):
    """A number of the forecast, today only."""

    known: Known
    take: Callable[[ForecastView], tuple[float | None, float | None, float | None]]
    unit: str = "money"
    note: str = "from the forecast"

    @property
    def sampled(self) -> bool:
        """The forecast has a range of its own."""
        return False

    def grid(self, reducer: Reducer) -> Grid:
        """The number in the last period."""
        shape = (1, len(reducer.window.periods))
        value, low, high = (np.full(shape, np.nan) for _ in range(3))
        forecast = self.known.forecast
        found = self.take(forecast) if forecast is not None else (None, None, None)
        for array, number in zip((value, low, high), found, strict=True):
            array[0, -1] = np.nan if number is None else number
        why = "needs the forecast" if forecast is None else "the forecast has no value for it"
        return Grid.of(("",), value, np.zeros(shape), low=low, high=high, why=why)


def _forecast(known: Known, take: Callable[[PeriodView], float | None], unit: str, period: int = 0) -> FromForecast:
    def number(forecast: ForecastView) -> tuple[float | None, float | None, float | None]:
        return take(forecast.periods[period]) if period < len(forecast.periods) else None, None, None

    return FromForecast(known, number, unit)


@measure(
    {"HEINZ-2": "Qualified pipeline for the next two selling periods"}, kind="stock", basis="stock", better="higher"
)
def next_two_periods_coverage(known: Known) -> dict[str, Quantity]:
    """Open qualified money expected in the next two periods, against what they need.

    Definition: The amount of the open, qualified opportunities expected to close in the next period and in the one
        after, on the same day of each period; coverage against their targets; the pipeline that each needs on its
        first day by own history, and how much of it should stand today (pacing); the gap, and the opportunities,
        MQLs and spend that would close it, with the last day on which a new opportunity still helps. Own history is
        that of the last eight whole periods.
    Formula: O_k = Σ amount[open ∧ qualified ∧ expected close ∈ P_k]; coverage_k = O_k ÷ T_k;
        R_k = max(0, T_k − E[create and close] − E[pull-in]) ÷ c(day 1); pacing target = R_k · ρ_k(d), ρ_k(d) = median over past
        periods of O_k(day d) ÷ O_k(day 1 of P_k); gap_k = max(0, pacing target − O_k); opportunities = gap ÷ mean qualified
        amount; MQLs = opportunities ÷ (MQL→SQL→opportunity); spend = MQLs × cost per MQL; last useful creation = end(P_k) − median cycle
    Unit: money
    Needs: opportunities.amount, opportunities.expected_close
    Source: HEINZ-2, Heinz: three defining measures of sales and marketing success
    """
    both = Derived(_added, (_stock(known, "open1"), _stock(known, "open2")), "money")
    parts: dict[str, Quantity] = {"open_next_two": both}
    for k in (1, 2):
        opened = _stock(known, f"open{k}")
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
            f"required_by_forecast_next_{k}": _forecast(known, lambda one: one.required_pipeline, "money", k),
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
        if reducer.by:
            self.known.need_targets_by(reducer.by)
        calendar = self.known.dataset.settings.calendar
        found = [
            self.known.target("bookings", calendar.at(period.start, self.ahead)) for period in reducer.window.periods
        ]
        value = np.array([[np.nan if one is None else one for one in found]], dtype=float)
        return Grid.of(("",), value, np.isfinite(value).astype(float), why="needs a target for bookings in that period")


def _required(known: Known, target: Quantity) -> Quantity:
    """R = max(0, T − E[create and close] − E[pull-in]) ÷ c(day 1)."""
    first_day = _past_share("dayone_won", "dayone", known)
    won, kept = Amount(known.won, "amount"), _stock(known, "dayone_won", at=lambda span: span.start)
    pulled = _stock(known, "pulled_in", at=lambda span: span.start)

    def formula(goal: Grid, share: Grid, total: Grid, kept: Grid, pulled: Grid, window: Window) -> Grid:
        # Won in the period = on its list on day one + pulled in + created (or qualified) after day one.
        made = _trailing_mean(total.value - kept.value - pulled.value, window)
        moved = _trailing_mean(pulled.value, window)
        still = np.maximum(0.0, goal.value - made - moved)
        value = np.divide(still, share.value, out=np.full(still.shape, np.nan), where=share.value > 0)
        reason = first_reason(goal, share)
        return Grid.of(
            share.groups, value, share.n, why=np.where(reason == "", "no earlier period with a known pipeline", reason)
        )

    return Derived(formula, (target, first_day, won, kept, pulled), "money")


def _trailing_mean(value: np.ndarray, window: Window) -> np.ndarray:
    mean = np.full(value.shape, np.nan)
    for p in range(value.shape[1]):
        past = value[:, max(0, p - PAST) : p][:, window.whole[max(0, p - PAST) : p]]
        seen = np.isfinite(past)
        counted = seen.sum(axis=1)
        mean[:, p] = np.divide(
            np.where(seen, past, 0.0).sum(axis=1), counted, out=np.full(len(past), np.nan), where=counted > 0
        )
    return mean


def _pace(known: Known, k: int) -> Quantity:
    """ρ_k(d): median over past periods of O_k on day d ÷ what stood on day one of the period it is for."""

    def formula(ahead: Grid, dayone: Grid, window: Window) -> Grid:
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

    return Derived(formula, (_stock(known, f"open{k}"), _stock(known, "dayone", at=lambda span: span.start)), "share")


def _opportunities(known: Known, gap: Quantity) -> Quantity:
    size = Ratio(Amount(known.qualified_deals, "amount"), Count(known.qualified_deals), "money")
    return Ratio(gap, size, "count")


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
    due = (nw.col("is_open") == 1) & (close > known.today) & (close <= known.today + days)
    rows = Rows(known.qualified.filter(due), "opportunities", "today_n")
    return rows.also(today_n=nw.lit(known.today), money=nw.col("amount").fill_null(0.0))


@measure({"HEINZ-3": "New opportunities created"}, kind="simple", basis="flow", better="higher")
def new_qualified_opportunities(known: Known) -> dict[str, Quantity]:
    """Opportunities that first met the shared definition of qualified.

    Definition: How many opportunities qualified in the period, whatever their close date, and their amount; where
        the count should be by now (the target spread over working days as past periods were), and the pace index;
        how they spread over the months of their expected close, as first set and as set now.
    Formula: N(P) = # opportunities with qualified day ∈ P; expected by now = target · s(d), s(d) = past cumulative share by
        working day; pace index = N ÷ expected; spread = N by close-month offset 0, 1, 2, 3, 4+
    Unit: count
    Needs: opportunities.created_at; or opportunities.qualified_at
    Source: HEINZ-3, Heinz: three defining measures of sales and marketing success
    """
    rows = known.qualified_deals
    return {
        "opportunities": Count(rows),
        "amount": attempt(lambda: _qualified_amount(known)),
        "expected_by_now": Pace(known, rows, index=False),
        "pace_index": Pace(known, rows, index=True),
        "by_close_month_now": attempt(lambda: _spread(known)),
        "by_close_month_first_set": attempt(lambda: _first_spread(known)),
    }


def _qualified_amount(known: Known) -> Quantity:
    known.need("opportunities", "amount")
    return Amount(known.qualified_deals, "amount")


@dataclass(frozen=True, eq=False)
class Pace(Quantity):
    """How many should have qualified by now, or how many did for each that should (the pace index)."""

    known: Known
    of: Rows
    index: bool
    note: str = "target × the share that had qualified by this working day in past periods"

    @property
    def unit(self) -> str:
        """Index or count."""
        return "ratio" if self.index else "count"

    def scans(self) -> Iterator[Scan]:
        """Qualified opportunities by day."""
        yield Scan(self.of, ("rows",), (self.of.day,))

    def grid(self, reducer: Reducer) -> Grid:
        """The whole target in periods that are over; its share by working day in the one that is not."""
        reduced, window = reducer.run(next(self.scans())), reducer.window
        plan = reducer.grid(Plan(self.known, "new_opps", "count"))
        n = reduced.sum("rows")[:1]
        share = np.where(window.whole, 1.0, self._share(reduced.table, window))
        expected = plan.value * share
        if not self.index:
            return Grid.of(("",), expected, n, why=plan.reason)
        low, high = intervals.poisson(n)
        safe = np.where(expected > 0, expected, np.nan)
        return Grid.of(("",), n / safe, n, low=low / safe, high=high / safe, why=plan.reason)

    def _share(self, table, window: Window) -> float:  # noqa: ANN001 - a reduced table
        """Share of a past period's total that had come by the working day that the last period has reached."""
        reached = int(np.busday_count(day_of(window.starts[-1]), day_of(window.ends[-1] + 1)))
        shares = []
        for p in np.flatnonzero(window.whole)[-PAST:]:
            cell = table[table["p"] == p]
            total = cell["rows"].sum()
            if total > 0:
                start = np.datetime64(day_of(window.starts[p]))
                worked = np.busday_count(
                    start, cell[self.of.day].to_numpy().astype("int64").astype("datetime64[D]") + 1
                )
                shares.append(cell["rows"].to_numpy()[worked <= reached].sum() / total)
        return float(np.mean(shares)) if shares else np.nan


OFFSETS = ("same month", "1 month on", "2 months on", "3 months on", "4 and more")


@dataclass(frozen=True, eq=False)
class Spread(Quantity):
    """Count by how many months after qualifying the deal is expected to close."""

    of: Rows
    close: str
    unit: str = "count"
    over: str = "close month"
    note: str = ""

    def scans(self) -> Iterator[Scan]:
        """Opportunities by qualified day and expected close."""
        yield Scan(self.of, ("rows",), (self.of.day, self.close))

    def grid(self, reducer: Reducer) -> Grid:
        """One group an offset; what was expected earlier than it qualified counts as the same month."""
        table = reducer.run(next(self.scans())).table
        table = table[(table["p"] >= 0) & table[self.close].notna()]
        month = [
            table[name].to_numpy().astype("int64").astype("datetime64[D]").astype("datetime64[M]").astype(int)
            for name in (self.of.day, self.close)
        ]
        offset = np.clip(month[1] - month[0], 0, len(OFFSETS) - 1)
        value = np.zeros((len(OFFSETS), len(reducer.window.periods)))
        np.add.at(value, (offset, table["p"].to_numpy()), table["rows"].to_numpy())
        low, high = intervals.poisson(value)
        return Grid.of(OFFSETS, value, value, low=low, high=high)


def _spread(known: Known) -> Quantity:
    known.need("opportunities", "expected_close")
    return Spread(known.qualified_deals, "expected_close_n")


def _first_spread(known: Known) -> Quantity:
    known.need("opportunity_history", "expected_close")
    history = known.frame("opportunity_history").filter(~nw.col("expected_close_n").is_null())
    earliest = history.group_by("opportunity_id").agg(nw.col("seq").min())
    first = history.join(earliest, on=["opportunity_id", "seq"], how="inner")
    first = first.select("opportunity_id", first_close=nw.col("expected_close_n"))
    rows = known.qualified_deals
    return Spread(Rows(rows.frame.join(first, on="opportunity_id", how="left"), rows.table, rows.day), "first_close")


@measure({"FUNNEL-3.6": "Value of sales funnel"}, kind="stock", basis="forecast", better="higher")
def funnel_value(known: Known) -> dict[str, Quantity]:
    """What the open funnel is worth by the company's own close ratios.

    Definition: The amount of every open, qualified opportunity times the share of deals that are won after entering
        its stage, by own history (the close ratios); where the forecast is at hand, its value, which also knows
        each deal's age and segment, with its 80 % range, and by period; for comparison the sum weighted with the
        CRM's stage probabilities.
    Formula: Σ aᵢ · P(win | stageᵢ); the forecast's Σ aᵢ · P(win | stageᵢ, age in stage, segment) beside it
    Unit: money
    Needs: opportunities.amount, opportunities.created_at, opportunities.closed_at
    Source: FUNNEL-3.6, MarketingProfs: 25 metrics by funnel stage
    """
    return {
        "by_own_close_ratios": FunnelValue(known),
        "by_forecast": FromForecast(known, lambda one: (one.funnel_value, one.funnel_low, one.funnel_high)),
        "by_forecast_this_period": _forecast(known, lambda one: one.from_open, "money", 0),
        "by_forecast_next_period": _forecast(known, lambda one: one.from_open, "money", 1),
        "by_forecast_next_but_one": _forecast(known, lambda one: one.from_open, "money", 2),
        "by_stage_probability": attempt(lambda: _stage_weighted(known)),
        "open_amount": Ledger(_open_today(known), "money"),
    }


def _open_today(known: Known) -> Rows:
    rows = Rows(known.qualified.filter(nw.col("is_open") == 1), "opportunities", "today_n")
    return rows.also(today_n=nw.lit(known.today), money=nw.col("amount").fill_null(0.0))


def _stage_weighted(known: Known) -> Quantity:
    if known.has("opportunities", "probability"):
        return Ledger(_open_today(known).also(weighted=nw.col("amount") * nw.col("probability")), "weighted")
    known.need("stages", "default_probability")
    stages = known.frame("stages").select("stage", chance=nw.col("default_probability")).unique(["stage"], keep="any")
    rows = _open_today(known)
    joined = rows.frame.join(stages, on="stage", how="left")
    return Ledger(Rows(joined, rows.table, rows.day).also(weighted=nw.col("amount") * nw.col("chance")), "weighted")


@dataclass(frozen=True, eq=False)
class FunnelValue(Quantity):
    """Σ open amount by stage × the stage's close ratio (incidence over every deal that entered it)."""

    known: Known
    unit: str = "money"
    note: str = "today; past days are in the pipeline measures"

    def _open(self) -> Rows:
        def make() -> Rows:
            rows = _open_today(self.known)
            if self.known.dataset.has_history:
                return rows.also(stage_now=nw.col("stage"))
            return rows.also(stage_now=nw.lit("All opportunities"))

        return self.known.once("open by stage", make)

    def scans(self) -> Iterator[Scan]:
        """Open money by stage, and the close ratios' scans."""
        yield Scan(self._open(), ("money", "rows"), ("stage_now",))
        yield from part_of(self.known, "close_ratio_by_stage").scans()

    def grid(self, reducer: Reducer) -> Grid:
        """The value today, with the interval of the close ratios."""
        opened = reducer.run(next(self.scans()))
        ratios = pooled(part_of(self.known, "close_ratio_by_stage"), reducer)
        value, n = (np.zeros((len(opened.groups), opened.periods)) for _ in range(2))
        low, high = value.copy(), value.copy()
        for g, p, cell in opened.cells():
            for stage, money, rows in zip(cell["stage_now"], cell["money"], cell["rows"], strict=True):
                share = ratios.get(str(stage), (np.nan, np.nan, np.nan))
                value[g, p] += money * share[0]
                low[g, p] += money * share[1]
                high[g, p] += money * share[2]
                n[g, p] += rows
        value = np.where(n > 0, value, np.nan)
        return Grid.of(opened.groups, value, n, low=low, high=high, why="only today's funnel is valued")
