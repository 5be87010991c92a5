"""Money won: how much, how it grows, how large a deal is, what it was discounted, how it stands to plan."""

from __future__ import annotations

import narwhals.stable.v2 as nw
import numpy as np

from kpis.measures.core.composed import Derived
from kpis.measures.core.formulas import NOT_OVER, Plan, a_year, growth, growth_of, growth_per_working_day, quotient
from kpis.measures.core.grid import Grid, first_reason
from kpis.measures.core.known import Known
from kpis.measures.core.quantity import Quantity, attempt
from kpis.measures.core.rows import Rows, Window
from kpis.measures.core.samples import Amount, Mean, SumRatio
from kpis.measures.core.tables import is_one_of, shared
from kpis.measures.core.tally import sales
from kpis.measures.core.totals import Count
from kpis.measures.registry import measure


def won_amount(known: Known) -> Amount:
    """Σ amount of what was sold in each period."""
    return sales(known).amount


@measure({"SIX-1": "Overall revenue", "SALES-1": "Monthly deal value"}, kind="simple", basis="flow", better="higher")
def won_revenue(known: Known) -> dict[str, Quantity]:
    """Money won.

    Definition: The amount of the opportunities won in the period, by their close date; of the orders, or else of the
        sales that campaigns report, where there are no opportunities. Marketing-sourced is the part whose lead's
        source group is marketing (one origin a deal, so sources add up to the total); influenced is the part with at
        least one content event of the deal or its lead before the close (it does not add up with other influences).
        Leads that became customers are counted by the channel they came in by.
    Formula: Σ amount, won ∧ closed in P; sourced: the same where the lead's source group = marketing
    Unit: money
    Needs: opportunities.closed_at, opportunities.amount; or orders.ordered_at, orders.amount; or spend.conversions,
        spend.conversion_value
    Source: SIX-1, six KPIs for sales and marketing alignment; SALES-1, 30 KPIs for sales managers
    """
    return {
        "won_revenue": won_amount(known),
        "deals_won": sales(known).number,
        "marketing_sourced": attempt(lambda: Amount(_sourced(known).where(nw.col("sourced") == 1), "amount")),
        "marketing_sourced_share": attempt(lambda: SumRatio(_sourced(known), "sourced_money", "amount")),
        "marketing_influenced": attempt(lambda: Amount(_influenced(known), "amount")),
        "revenue_by_channel": attempt(lambda: _by_channel(known)),
        "customers_by_channel": attempt(lambda: Count(_won_leads(known))),
    }


@shared
def _sourced(known: Known) -> Rows:
    known.need("leads", "source_group")
    rows = known.won_with_lead.flag(sourced=is_one_of("lead_group", ("marketing",)))
    money = nw.col("amount").fill_null(0.0)
    return rows.also(sourced_money=nw.when(nw.col("sourced") == 1).then(money).otherwise(nw.lit(0.0)))


def _by_channel(known: Known) -> Quantity:
    sold = sales(known)
    if sold.in_totals:
        known.need("spend", "channel")
        return sold.by("channel").amount
    known.need("leads", "channel")
    return Amount(known.won_with_lead.by("lead_channel"), "amount")


def _won_leads(known: Known) -> Rows:
    known.need("leads", "channel")
    known.need_lead_links()
    return known.leads("created_at").on("won_day").by("channel")


def _influenced(known: Known) -> Rows:
    """Won deals with a content event of the deal, or of its lead, on or before the day they closed."""
    known.need("content_events", "occurred_at")
    touched = []
    events = known.frame("content_events").with_columns(touched_day=nw.col("occurred_at_n"))
    won = known.won.frame.select("opportunity_id", close_day=nw.col("closed_at_n"))
    if known.has("content_events", "opportunity_id"):
        named = events.filter(~nw.col("opportunity_id").is_null()).select("opportunity_id", "touched_day")
        touched.append(named)
    links = known.lead_links() if known.has("content_events", "lead_id") and known.has("leads", "lead_id") else None
    if links is not None:
        by_lead = events.filter(~nw.col("lead_id").is_null()).select("lead_id", "touched_day")
        touched.append(
            links.join(by_lead, left_on="linked_lead", right_on="lead_id", how="inner").select(
                "opportunity_id", "touched_day"
            )
        )
    if not touched:
        known.need("content_events", "opportunity_id")
    before = (
        nw.concat(touched)
        .join(won, on="opportunity_id", how="inner")
        .filter(nw.col("touched_day") <= nw.col("close_day"))
    )
    hit = before.select("opportunity_id").unique(["opportunity_id"])
    return Rows(known.won.frame.join(hit, on="opportunity_id", how="inner"), "opportunities", "closed_at_n")


@measure({"SALES-2": "Month-by-month % change"}, kind="derived", basis="flow", better="higher")
def won_revenue_growth(known: Known) -> dict[str, Quantity]:
    """Change of the money won against the period before.

    Definition: How much more, as a share, was won than in the period before; n/a while the period is not over or when
        the earlier one was 0. Beside it the change per working day, which an unfinished period has too, and the
        change against the same period a year earlier.
    Formula: (B(P) − B(P−1)) ÷ B(P−1); n/a if B(P−1) ≤ 0
    Unit: share
    Needs: opportunities.closed_at, opportunities.amount; or orders.ordered_at, orders.amount; or spend.conversions,
        spend.conversion_value
    Source: SALES-2, 30 KPIs for sales managers
    """
    won = won_amount(known)
    return {
        "growth": growth(won),
        "growth_per_working_day": growth_per_working_day(won),
        "growth_on_a_year_ago": growth(won, a_year(known.window)),
    }


@measure({"SALES-3": "Average deal size"}, kind="mean", basis="flow", better="higher")
def avg_deal_size(known: Known) -> dict[str, Quantity]:
    """Mean amount of a won deal.

    Definition: Money won in the period divided by the number of deals won; the median beside it, because a few large
        deals move the mean. Orders, or else the sales that campaigns report, where there are no opportunities.
    Formula: Σ amount (won in P) ÷ # won in P; median amount
    Unit: money
    Needs: opportunities.closed_at, opportunities.amount; or orders.ordered_at, orders.amount; or spend.conversions,
        spend.conversion_value
    Source: SALES-3, 30 KPIs for sales managers
    """
    return {"mean": sales(known).mean, "median": sales(known).median}


@measure(
    {"SALES-4": "Cost of acquisition target (discounts, incentives, other)"}, kind="mean", basis="flow", better="lower"
)
def concession_cost(known: Known) -> dict[str, Quantity]:
    """What was given away to win a deal.

    Definition: Discounts, incentives and other deal costs of the deals won in the period, per deal; as a rate of
        their list value; against the target rate; and by deal size, because more effort for larger deals is fine.
    Formula: Σ (discount + incentive + other deal cost) ÷ # won; rate = the same Σ ÷ Σ list value
    Unit: money
    Needs: opportunities.closed_at, opportunities.discount_amount; or opportunities.closed_at,
        opportunities.incentive_cost; or opportunities.closed_at, opportunities.other_deal_cost
    Source: SALES-4, 30 KPIs for sales managers
    """
    rows = with_concessions(known)
    rate = attempt(lambda: _concession_rate(known, rows))
    return {
        "cost_per_win": Mean(rows, "concession", empty="nothing was won in this period"),
        "concession_rate": rate,
        "rate_less_target": attempt(lambda: _less_target(known, rate)),
        "cost_per_win_by_size": Mean(size_bands(known, rows), "concession"),
    }


@shared
def with_concessions(known: Known) -> Rows:
    """Won deals with the money column ``concession``: Σ discount, incentive and other cost."""
    parts = [nw.col(name).fill_null(0.0) for name in ("discount_amount", "incentive_cost", "other_deal_cost")]
    return known.won.also(concession=parts[0] + parts[1] + parts[2])


def _concession_rate(known: Known, rows: Rows) -> Quantity:
    if known.has("opportunities", "list_amount"):
        listed = rows
    else:
        known.need("opportunities", "amount", "discount_amount")
        listed = rows.also(list_amount=nw.col("amount") + nw.col("discount_amount").fill_null(0.0))
    return SumRatio(listed, "concession", "list_amount", empty="no list value in this period")


def _less_target(known: Known, rate: Quantity) -> Quantity:
    known.need("targets", "metric", "value")

    def formula(actual: Grid, target: Grid, window: Window) -> Grid:  # noqa: ARG001 - every formula gets the window
        value = actual.value - target.value
        return Grid.of(actual.groups, value, actual.n, low=actual.low - target.value, high=actual.high - target.value,
                       why=first_reason(actual, target))  # fmt: skip

    return Derived(formula, (rate, Plan(known, "concession_rate", "share")), "share")


def size_bands(known: Known, rows: Rows) -> Rows:
    """Rows by the band of their amount, as the definitions bound them; rows without an amount have none."""
    bounds = sorted(known.definitions.size_bands)
    names = [f"1: below {bounds[0]:,.0f}"]
    names += [f"{k + 2}: {bound:,.0f} and more" for k, bound in enumerate(bounds)]
    band: nw.Expr = nw.lit(names[0])
    for bound, name in zip(bounds, names[1:], strict=True):
        band = nw.when(nw.col("amount") >= bound).then(nw.lit(name)).otherwise(band)
    return rows.where(~nw.col("amount").is_null()).also(size_band=band).by("size_band")


@measure({"SALES-11": "Actual sales growth vs plan"}, kind="derived", basis="flow", better="higher")
def growth_vs_plan(known: Known) -> dict[str, Quantity]:
    """Growth of the money won against the growth that was planned.

    Definition: How far, in percentage points, growth over the same period a year ago is above or below the growth the
        plan asks for. Beside it the two growth rates and the attainment of the plan so far, whose alarm is up when it
        is behind the share of working days gone.
    Formula: g_actual = B(P) ÷ B(P−1y) − 1; g_plan = Plan(P) ÷ B(P−1y) − 1; variance = g_actual − g_plan; attainment =
        B ÷ Plan
    Unit: share
    Needs: opportunities.closed_at, opportunities.amount, targets.period, targets.metric, targets.value; or
        orders.ordered_at, orders.amount, targets.period, targets.metric, targets.value; or spend.conversions,
        spend.conversion_value, targets.period, targets.metric, targets.value
    Source: SALES-11, 30 KPIs for sales managers
    """
    won, plan = won_amount(known), Plan(known, "bookings")
    year = a_year(known.window)

    def variance(actual: Grid, planned: Grid, window: Window) -> Grid:
        grown = growth_of(actual, window, year)
        wanted = quotient(planned, actual.earlier(year), "nothing was won a year earlier")
        shift = 1 - wanted.value
        return Grid.of(actual.groups, grown.value + shift, grown.n, low=grown.low + shift, high=grown.high + shift,
                       why=first_reason(grown, wanted))  # fmt: skip

    def planned_growth(actual: Grid, planned: Grid, window: Window) -> Grid:  # noqa: ARG001
        wanted = quotient(planned, actual.earlier(year), "nothing was won a year earlier")
        return Grid.of(wanted.groups, wanted.value - 1, planned.n, why=wanted.reason)

    def attainment(actual: Grid, planned: Grid, window: Window) -> Grid:  # noqa: ARG001
        return quotient(actual, Grid.of(planned.groups, planned.value, actual.n, why=planned.reason), "the plan is 0")

    def behind(actual: Grid, planned: Grid, window: Window) -> Grid:
        done = attainment(actual, planned, window)
        value = np.where(np.isfinite(done.value), (done.value < gone(window) - ALARM_TOLERANCE).astype(float), np.nan)
        return Grid.of(done.groups, value, done.n, why=np.where(np.isfinite(done.value), NOT_OVER, done.reason))

    pair = (won, plan)
    return {
        "variance": Derived(variance, pair, "share"),
        "actual_growth": growth(won, year),
        "planned_growth": Derived(planned_growth, pair, "share"),
        "attainment": Derived(attainment, pair, "share"),
        "alarm": Derived(behind, pair, "count", "1 when attainment is behind the share of working days gone"),
    }


ALARM_TOLERANCE = 0.10
"""How far attainment may lag behind the share of working days gone before the alarm is up."""


def gone(window: Window) -> np.ndarray:
    """Share of each period's working days that are over."""
    first = [period.start for period in window.periods]
    last = [period.end for period in window.periods]
    one = np.timedelta64(1, "D")
    every = np.busday_count(first, np.array(last, dtype="datetime64[D]") + one)
    past = np.busday_count(first, np.minimum(np.array(last, dtype="datetime64[D]"), np.datetime64(window.as_of)) + one)
    return past / every
