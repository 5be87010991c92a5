"""How long it takes: from opportunity to won, in each stage, from lead to won, and how fast money comes in."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from kpis.measures.core import intervals
from kpis.measures.core.composed import Derived
from kpis.measures.core.grid import Grid, first_reason
from kpis.measures.core.incidence import MedianWait
from kpis.measures.core.known import Known
from kpis.measures.core.quantity import Quantity, attempt
from kpis.measures.core.rows import Panel, Rows, Window, yes
from kpis.measures.core.samples import Mean, Median
from kpis.measures.core.states import visits
from kpis.measures.core.tables import EACH, is_one_of
from kpis.measures.core.totals import Stock
from kpis.measures.registry import measure, part_of

EXISTING_BUSINESS = (
    "expansion",
    "renewal",
    "winback",
    "win-back",
    "upsell",
    "cross-sell",
    "upgrade",
    "add-on",
    "existing",
    "existing business",
    "existing customer",
    "existing customer - upgrade",
    "existing customer - replacement",
    "existing customer - downgrade",
)
"""Types of deals with a customer that was there before; whatever has another type, or none, is new business."""

NOTHING_WON = "nothing was won in this period"


@measure({"SIX-2": "Sales cycle length", "FUNNEL-3.4": "Time to close"}, kind="median", basis="flow", better="lower")
def sales_cycle_days(known: Known) -> dict[str, Quantity]:
    """Days from creating an opportunity to winning it.

    Definition: Calendar days from the creation of the opportunity to its close, of the deals won in the period;
        median, and the mean beside it. Lost deals are shown apart. By stage: the median days of the visits that began
        in the period, with visits that still go on counted as censored.
    Formula: median (closed − created) over won in P; by stage the Kaplan-Meier median of days in stage
    Unit: days
    Needs: opportunities.created_at, opportunities.closed_at
    Source: SIX-2, six KPIs for sales and marketing alignment; FUNNEL-3.4, MarketingProfs
    """
    closed = known.deals("closed_at").also(cycle=nw.col("closed_at_n") - nw.col("created_at_n"))
    won, lost = closed.where(nw.col("is_won") == 1), closed.where(nw.col("is_lost") == 1)
    return {
        "median": Median(won, "cycle", "days", NOTHING_WON),
        "mean": Mean(won, "cycle", "days", NOTHING_WON),
        "median_of_lost": Median(lost, "cycle", "days", "nothing was lost in this period"),
        "median_by_stage": attempt(lambda: MedianWait(visits(known), "exit_day", today=known.today)),
    }


@measure({"SALES-5": "Average time per acquisition"}, kind="mean", basis="flow", better="lower")
def lead_to_close_days(known: Known) -> dict[str, Quantity]:
    """Days from the lead to the won deal.

    Definition: Calendar days from the creation of the lead to the close of its opportunity, of the new business won
        in the period (all deals where no type is recorded); mean, and the median beside it.
    Formula: mean and median (closed − lead created) over won new business in P
    Unit: days
    Needs: leads.created_at, opportunities.closed_at, opportunities.lead_id; or leads.created_at,
        opportunities.closed_at, leads.opportunity_id
    Source: SALES-5, 30 KPIs for sales managers
    """
    rows = new_business(known, known.won_with_lead).also(days=nw.col("closed_at_n") - nw.col("lead_created"))
    nothing = "no deal with a lead was won in this period"
    return {"mean": Mean(rows, "days", "days", nothing), "median": Median(rows, "days", "days", nothing)}


def new_business(known: Known, rows: Rows) -> Rows:
    """Without the deals whose type says that the customer was there before."""
    if not known.has("opportunities", "type"):
        return rows
    return rows.where(~is_one_of("type", EXISTING_BUSINESS).fill_null(False))


@measure({"SALES-14": "Sales velocity"}, kind="derived", basis="flow", better="higher")
def sales_velocity(known: Known) -> dict[str, Quantity]:
    """Money that the pipeline turns into orders a day.

    Definition: How fast signed orders come in: the qualified opportunities open at the end of the period, times the
        average won amount, times the win rate, divided by the median sales cycle; the four factors are the measures
        of those names and stand beside it.
    Formula: V = N open qualified × mean won amount × win rate ÷ median cycle days
    Unit: money per day
    Needs: opportunities.created_at, opportunities.closed_at, opportunities.amount
    Source: SALES-14, 30 KPIs for sales managers
    """
    opened = Stock(open_at_end(known), "open_deals", "count", counted="open_deals")
    size, rate, days = (part_of(known, name) for name in ("avg_deal_size", "win_rate", "sales_cycle_days"))
    return {
        "velocity": Derived(_velocity, (opened, size, rate, days), "money per day"),
        "open_qualified": opened,
        "mean_won_amount": size,
        "win_rate": rate,
        "median_cycle": days,
    }


def open_at_end(known: Known) -> Panel:
    """Qualified opportunities with 0/1 ``open_deals``: whether each was open at the end of the period."""
    entered = nw.col("qualified_day") <= EACH.known
    still = nw.col("closed_at_n").is_null() | (nw.col("closed_at_n") > EACH.known)
    deals = known.in_each_period(known.qualified).with_columns(open_deals=yes(entered & still))
    return Panel(deals, "opportunities")


def _velocity(opened: Grid, size: Grid, rate: Grid, days: Grid, window: Window) -> Grid:  # noqa: ARG001
    cycle = days.value.copy()
    cycle[cycle <= 0] = float("nan")
    value = opened.value * size.value * rate.value / cycle
    factors = [(g.value, g.low, g.high) for g in (size, rate)] + [(days.value, days.high, days.low)]
    low, high = intervals.product(value, factors)
    why = first_reason(opened, size, rate, days)
    return Grid.of(size.groups, value, size.n, low=low, high=high, why=why)
