"""How often deals are won: of what was decided, of each stage, of leads, of visitors."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from kpis.measures.core.composed import Derived, Ratio, Stacked
from kpis.measures.core.control import control_limits
from kpis.measures.core.formulas import mean_of_four_before
from kpis.measures.core.incidence import IN_THE_END, Incidence
from kpis.measures.core.known import Known, with_outcome_days
from kpis.measures.core.quantity import Missing, Quantity, attempt, tried
from kpis.measures.core.rows import Rows
from kpis.measures.core.samples import Share, SumRatio
from kpis.measures.core.states import stage_entries
from kpis.measures.core.tables import shared
from kpis.measures.core.tally import reported
from kpis.measures.core.totals import Count
from kpis.measures.registry import measure

NONE_DECIDED = "nothing was won or lost in this period"


@measure({"SALES-7": "Opportunity-to-win ratio"}, kind="ratio", basis="flow", better="higher")
def win_rate(known: Known) -> dict[str, Quantity]:
    """Won share of the qualified opportunities that were decided.

    Definition: Of the opportunities that qualified and closed in the period, the share that was won. Losses in which
        the customer decided nothing are left out (their lost reason says so); the broad rate counts them. Beside it
        the same by amount, and the rate of the opportunities created in the period, followed until they close
        (incidence with censoring).
    Formula: W ÷ (W + L) by count, closed in P, from qualified stage; by amount Σ won ÷ Σ decided; broad W ÷ all
        closed; created cohort: incidence of winning among those that qualified in P
    Unit: share
    Needs: opportunities.closed_at
    Source: SALES-7, 30 KPIs for sales managers; interval: Wilson (1927)
    """
    closed = Rows(known.qualified, "opportunities", "closed_at_n").where(nw.col("is_open") == 0)
    money = nw.col("amount").fill_null(0.0)
    closed = closed.flag(decided=nw.col("no_decision") == 0)
    closed = closed.also(
        won_money=nw.when(nw.col("is_won") == 1).then(money).otherwise(nw.lit(0.0)),
        decided_money=nw.when(nw.col("decided") == 1).then(money).otherwise(nw.lit(0.0)),
    )
    rate = Share(closed, "is_won", "decided", NONE_DECIDED)
    return {
        "win_rate": rate,
        "by_amount": attempt(lambda: _by_amount(known, closed)),
        "broad": Share(closed, "is_won", "rows", NONE_DECIDED),
        "mean_of_four_before": Derived(mean_of_four_before, (rate,), "share"),
        "created_cohort": Incidence(known.qualified_deals, "won_day", "lost_day", IN_THE_END, today=known.today),
    }


def _by_amount(known: Known, closed: Rows) -> Quantity:
    known.need("opportunities", "amount")
    return SumRatio(closed, "won_money", "decided_money", empty=NONE_DECIDED)


@measure({"SALES-13": "Internal funnel ratios"}, kind="cohort", basis="cohort", better="higher")
def funnel_ratios(known: Known) -> dict[str, Quantity]:
    """From qualified lead to sale, step by step.

    Definition: Of the leads (opportunities) that reached a step in the period, the share that went on to the next
        one, in the end. Young cohorts are estimated by the incidence with censoring; the raw ratio and the share
        matured stand beside it. The activity variant divides what reached the next step in the period by what reached
        this one in it, whichever lead it was.
    Formula: MQL→SQL, SQL→opportunity, opportunity→won, each as the incidence of its cohort
    Unit: share
    Needs: leads.mql_at, leads.sql_at, opportunities.closed_at
    Source: SALES-13, 30 KPIs for sales managers
    """
    mql, sql = known.leads("mql_at"), known.leads("sql_at")
    steps = {
        "MQL to SQL": _eventually(known, mql, "sql_at_n", "dropped_day"),
        "SQL to opportunity": _eventually(known, sql, "deal_day", "dropped_day"),
        "opportunity to won": _eventually(known, known.qualified_deals, "won_day", "lost_day"),
    }
    mqls, sqls = Count(mql), Count(sql)
    deals, wins = Count(known.qualified_deals), Count(known.won)
    in_period = {
        "MQL to SQL": Ratio(sqls, mqls, exact_counts=True),
        "SQL to opportunity": Ratio(deals, sqls, exact_counts=True),
        "opportunity to won": Ratio(wins, deals, exact_counts=True),
    }
    return {
        "step_rates": Stacked(steps, "share"),
        "MQL_to_won": _eventually(known, mql, "won_day", "gone_day"),
        "step_rates_in_period": Stacked(in_period, "ratio", note="activity of the period, not a cohort: can exceed 1"),
    }


def _eventually(known: Known, rows: Rows, arrived: str, left: str) -> Incidence:
    return Incidence(rows, arrived, left, IN_THE_END, today=known.today)


def leads_to_won(known: Known) -> Incidence:
    """Leads created in each period that are won in the end."""
    known.need("leads", "created_at")
    known.need("opportunities", "closed_at")
    known.need_lead_links()
    return _eventually(known, known.leads("created_at"), "won_day", "gone_day")


@measure({"FUNNEL-3.5": "Close ratios"}, kind="cohort", basis="cohort", better="higher")
def close_ratio_by_stage(known: Known) -> dict[str, Quantity]:
    """Share of what enters each stage that is won in the end.

    Definition: Of the opportunities that first entered a stage in the period, the share that is won in the end, by
        stage; young cohorts by the incidence with censoring, with the raw ratio and the share matured beside it.
        Without a stage history there is one stage, entered at creation. The top of the funnel is lead to won.
    Formula: #(entered s in P ∧ eventually won) ÷ #(entered s in P), by Aalen-Johansen's incidence
    Unit: share
    Needs: opportunities.created_at, opportunities.closed_at
    Source: FUNNEL-3.5, MarketingProfs: 25 metrics by funnel stage
    """
    if known.dataset.has_history:
        entries = stage_entries(known)
    else:
        entries = known.deals("created_at").also(visit_stage=nw.lit("All opportunities")).by("visit_stage")
        entries = Rows(with_outcome_days(entries.frame), entries.table, entries.day, entries.over)
    return {
        "close_ratio": _eventually(known, entries, "won_day", "lost_day"),
        "lead_to_won": attempt(lambda: leads_to_won(known)),
    }


@measure({"SIX-6": "End-to-end conversion rate"}, kind="cohort", basis="cohort", better="higher")
def end_to_end_conversion(known: Known) -> dict[str, Quantity]:
    """Share of leads, and of visitors, that become customers.

    Definition: Of the leads created in the period, the share that is won in the end; young cohorts by the incidence
        with censoring, with the raw ratio and the share matured beside it. The same for the site's visitors by their
        first visit, where web data are there. Stable rates mean sales and marketing are aligned; the p-chart of the
        whole periods says how far the rate may stray by chance. Campaigns that report totals alone give the sales of
        the period for each of its leads and clicks, which is no cohort.
    Formula: won customers from leads (visitors) of P ÷ leads (visitors) of P, by the incidence of the cohort;
        control limits p̄ ± 3 √(p̄(1 − p̄)/n)
    Unit: share
    Needs: leads.created_at, opportunities.closed_at, opportunities.lead_id; or leads.created_at,
        opportunities.closed_at, leads.opportunity_id; or spend.leads, spend.conversions
    Source: SIX-6, six KPIs for sales and marketing alignment
    """
    rate = tried(lambda: leads_to_won(known))
    if isinstance(rate, Missing):
        return {
            "sales_per_lead_in_period": _in_period(known, "leads"),
            "sales_per_click_in_period": attempt(lambda: _in_period(known, "clicks")),
        }
    return {
        "lead_to_won": rate,
        **control_limits(rate),
        "visitor_to_won": attempt(lambda: _visitors_to_won(known)),
        "visitor_to_lead": attempt(lambda: _visitors_to_lead(known)),
    }


@shared
def _visitors(known: Known) -> Rows:
    """Visitors on the day of their first visit, with the first day they became a lead and were won."""
    known.need("web_sessions", "visitor_id", "started_at")
    known.need("leads", "visitor_id")
    seen = known.frame("web_sessions").filter(~nw.col("visitor_id").is_null())
    visitors = seen.group_by("visitor_id").agg(first_visit=nw.col("started_at_n").min())
    leads = known.lead_outcomes.filter(~nw.col("visitor_id").is_null())
    became = leads.group_by("visitor_id").agg(lead_day=nw.col("created_at_n").min(), won_day=nw.col("won_day").min())
    return Rows(visitors.join(became, on="visitor_id", how="left"), "web_visitors", "first_visit")


def _in_period(known: Known, start: str) -> Quantity:
    sold, began = reported(known, "conversions"), reported(known, start)
    note = f"{sold.note}: activity of the period, not a cohort"
    return Ratio(sold.number, began.number, "share", empty=f"no {start} in this period", exact_counts=True, note=note)


def _visitors_to_won(known: Known) -> Quantity:
    known.need_lead_links()
    return Incidence(_visitors(known), "won_day", "", IN_THE_END, today=known.today)


def _visitors_to_lead(known: Known) -> Quantity:
    return Incidence(_visitors(known), "lead_day", "", IN_THE_END, today=known.today)
