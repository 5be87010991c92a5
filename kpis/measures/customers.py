"""Customers: won, kept, engaged, recommending, coming back."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from kpis.measures.core.composed import Ratio
from kpis.measures.core.customer_states import CustomerStates, NetShare, PanelRatio, running, squares
from kpis.measures.core.known import Known
from kpis.measures.core.quantity import Quantity, attempt
from kpis.measures.core.rows import Panel, Rows, yes
from kpis.measures.core.samples import Amount, Median, Share
from kpis.measures.core.tables import EACH, is_one_of, shared
from kpis.measures.core.totals import Count, Ledger
from kpis.measures.leads import is_meeting
from kpis.measures.registry import measure
from kpis.measures.revenue import with_concessions

NO_CUSTOMERS = "there was no customer at the start of this period"


def new_customers(known: Known) -> Quantity:
    """Customers whose first order falls in each period."""
    if known.has("customers", "first_order_at"):
        return Count(known.rows("customers", "first_order_at"))
    return CustomerStates(known).count("is_new")


@measure({"SALES-8": "New-acquisition rate"}, kind="ratio", basis="flow", better="higher")
def new_customer_rate(known: Known) -> dict[str, Quantity]:
    """New customers for each customer there was.

    Definition: Customers whose first order falls in the period, over the customers at its start; and how many are new
        for each one lost in it. Without churn dates a customer is lost a year after its last order.
    Formula: new customers(P) ÷ customers at start(P); replacement = new ÷ lost(P)
    Unit: share
    Needs: customers.first_order_at, customers.churned_at; or subscriptions.account_id, subscriptions.mrr,
        subscriptions.start; or orders.account_id, orders.ordered_at; or opportunities.account_id,
        opportunities.closed_at
    Source: SALES-8, 30 KPIs for sales managers; interval: exact Poisson on the new customers
    """
    states, fresh = CustomerStates(known), new_customers(known)
    there, lost = states.count("at_start"), states.count("lost")
    return {
        "new_customer_rate": Ratio(fresh, Ledger(states.panel, "at_start", "count"), "share", empty=NO_CUSTOMERS),
        "replacement_ratio": Ratio(
            fresh, lost, "ratio", empty="no customer was lost in this period", exact_counts=True
        ),
        "new_customers": fresh,
        "customers_at_start": there,
        "lost_customers": lost,
    }


@measure({"SALES-15": "Customer retention rate"}, kind="cohort", basis="cohort", better="higher")
def retention_rate(known: Known) -> dict[str, Quantity]:
    """Share of customers that stayed.

    Definition: Of the customers at the start of the period, the share that were still customers at its end. By
        revenue (subscriptions): gross retention keeps what each customer paid before at most, net retention adds what
        they pay more. Without churn dates a customer stays while it has ordered in the last year.
    Formula: (E − N) ÷ S: customers at end less those gained, ÷ customers at start; GRR = Σ min(before, after) ÷ Σ
        before; NRR = Σ after ÷ Σ before, over customers at the start
    Unit: share
    Needs: customers.first_order_at, customers.churned_at; or subscriptions.account_id, subscriptions.mrr,
        subscriptions.start; or orders.account_id, orders.ordered_at; or opportunities.account_id,
        opportunities.closed_at
    Source: SALES-15, 30 KPIs for sales managers
    """
    states = CustomerStates(known)
    return {
        "retention": Share(states.panel, "kept", "at_start", NO_CUSTOMERS),
        "gross_revenue_retention": attempt(lambda: _money_kept(known, "gross")),
        "net_revenue_retention": attempt(lambda: _money_kept(known, "net")),
        "customers_at_start": states.count("at_start"),
        "customers_at_end": states.count("at_end"),
        "gained": states.count("gained"),
    }


def _money_kept(known: Known, which: str) -> Quantity:
    known.need("subscriptions", "account_id", "mrr", "start")
    return PanelRatio(_mrr_panel(known), which, "before", "no subscription ran at the start of this period")


@shared
def _mrr_panel(known: Known) -> Panel:
    """Monthly recurring revenue of each account ``before`` each period, and what is kept of it: ``gross``, ``net``."""
    rows = known.in_each_period(known.frame("subscriptions").filter(~nw.col("account_id").is_null()))
    rows = rows.with_columns(
        before=yes(running(EACH.start - 1)) * nw.col("mrr"), after=yes(running(EACH.known)) * nw.col("mrr")
    )
    accounts = rows.group_by("account_id", "p").agg(nw.col("before").sum(), nw.col("after").sum())
    before, after = nw.col("before"), nw.col("after")
    accounts = accounts.with_columns(
        net=nw.when(before > 0).then(after).otherwise(nw.lit(0.0)),
        gross=nw.when(before <= 0).then(nw.lit(0.0)).otherwise(nw.when(after < before).then(after).otherwise(before)),
    )
    sums = {name: squares(name, "before", nw.col(name), before) for name in ("gross", "net")}
    return Panel(accounts.with_columns(**{**sums["gross"], **sums["net"]}), "customers")


@measure({"SALES-10": "Existing client engagement"}, kind="ratio", basis="stock", better="higher")
def client_engagement(known: Known) -> dict[str, Quantity]:
    """Share of customers with a two-way touch in the last 90 days.

    Definition: Of the customers at the end of the period, those with at least one two-way touch in the agreed days
        before it: a meeting or demo, an inbound or two-way activity, a content event of theirs, or a survey answer.
        Touches are counted by account, through the opportunity where an activity names no account. Beside it the
        median touches of a customer today.
    Formula: customers with ≥ 1 two-way touch in the last 90 days ÷ active customers; median touches per customer
    Unit: share
    Needs: activities.type, activities.account_id, customers.first_order_at, customers.churned_at; or activities.type,
        activities.account_id, subscriptions.account_id, subscriptions.mrr, subscriptions.start; or activities.type,
        activities.account_id, orders.account_id, orders.ordered_at; or activities.type, activities.account_id,
        opportunities.account_id, opportunities.closed_at; or activities.type, activities.opportunity_id,
        opportunities.account_id, opportunities.closed_at
    Source: SALES-10, 30 KPIs for sales managers
    """
    states = CustomerStates(known)
    within = known.definitions.engaged_within_days
    lately = (nw.col("touch_n") <= EACH.known) & (nw.col("touch_n") > EACH.known - within)
    touches = known.in_each_period(_touches(known)).filter(lately).with_columns(one=nw.lit(1))
    counted = known.kept(touches.group_by("account_id", "p").agg(touches=nw.col("one").sum()))
    active = states.frame.filter(nw.col("after") == 1).join(counted, on=["account_id", "p"], how="left")
    today = states.today
    now = Rows(today.frame.join(counted, on=["account_id", "p"], how="left"), today.table, today.day)
    return {
        "engaged_share": Share(
            Panel(active.with_columns(engaged=yes(nw.col("touches") > 0)), "customers"),
            "engaged",
            empty="there was no customer at the end of this period",
        ),
        "median_touches": Median(
            now.also(touches=nw.col("touches").fill_null(0)),
            "touches",
            "count",
            "only today's touches are counted one by one",
        ),
    }


def _touches(known: Known) -> nw.LazyFrame:
    """Two-way touches: ``account_id``, ``touch_n``."""
    found = []
    rows = known.frame("activities")
    if known.has("activities", "direction"):
        rows = rows.filter(is_meeting() | is_one_of("direction", ("two-way", "two way", "inbound", "both")))
    else:
        rows = rows.filter(is_meeting())
    if known.has("activities", "account_id"):
        found.append(rows.select("account_id", touch_n=nw.col("occurred_at_n")))
    if known.has("activities", "opportunity_id") and known.has("opportunities", "account_id"):
        deals = known.frame("opportunities").select("opportunity_id", deal_account=nw.col("account_id"))
        unnamed = rows.filter(nw.col("account_id").is_null()).join(deals, on="opportunity_id", how="inner")
        found.append(unnamed.select(account_id=nw.col("deal_account"), touch_n=nw.col("occurred_at_n")))
    if not found:
        known.need("activities", "account_id")
    if known.has("content_events", "account_id", "occurred_at"):
        own = known.frame("content_events").filter(~is_one_of("event", ("sales_use",)).fill_null(False))
        found.append(own.select("account_id", touch_n=nw.col("occurred_at_n")))
    if known.has("nps", "account_id", "responded_at"):
        found.append(known.frame("nps").select("account_id", touch_n=nw.col("responded_at_n")))
    return nw.concat(found).filter(~nw.col("account_id").is_null())


@measure({"FUNNEL-4.2": "Net Promoter Score"}, kind="derived", basis="flow", better="higher")
def net_promoter_score(known: Known) -> dict[str, Quantity]:
    """Promoters less detractors among those who answered.

    Definition: The share that answered 9 or 10 less the share that answered 0 to 6, in points; of each account the
        latest answer of the period counts (the lower one of a day with several). Answers without an account count
        once each.
    Formula: %(9-10) − %(0-6) of respondents in P; ± 1.96 √((p + d − (p − d)²) ÷ n)
    Unit: points
    Needs: nps.responded_at, nps.score
    Source: FUNNEL-4.2, MarketingProfs: 25 metrics by funnel stage
    """
    answers = known.with_period(known.frame("nps").filter(~nw.col("score").is_null()), "responded_at_n")
    named = answers.filter(~nw.col("account_id").is_null())
    latest = named.group_by("p", "account_id").agg(nw.col("responded_at_n").max())
    latest = named.join(latest, on=["account_id", "responded_at_n"], how="inner")
    latest = latest.group_by("account_id", "responded_at_n").agg(nw.col("score").min())
    columns = ["account_id", "responded_at_n", "score"]
    alone = answers.filter(nw.col("account_id").is_null()).select(*columns)
    rows = Rows(nw.concat([latest.select(*columns), alone]), "nps", "responded_at_n")
    rows = rows.flag(promotes=nw.col("score") >= 9, detracts=nw.col("score") <= 6)
    return {
        "net_promoter_score": NetShare(rows, "promotes", "detracts"),
        "promoters": Share(rows, "promotes", empty="nobody answered in this period"),
        "detractors": Share(rows, "detracts", empty="nobody answered in this period"),
    }


@measure({"FUNNEL-4.4": "Win-back opportunities and successes"}, kind="ratio", basis="flow", better="higher")
def win_back_rate(known: Known) -> dict[str, Quantity]:
    """Share of win-back opportunities that are won.

    Definition: Of the win-back opportunities closed in the period, the share won; how many were created; the money
        won back and what was conceded for it. Of the customers that had lapsed before the period, the share that came
        back in it (the headline where opportunities carry no type); without churn dates a customer has lapsed a year
        after its last order.
    Formula: won win-back ÷ closed win-back; reactivated in P ÷ lapsed at start
    Unit: share
    Needs: opportunities.type, opportunities.closed_at; or customers.first_order_at, customers.churned_at,
        customers.reactivated_at; or subscriptions.account_id, subscriptions.mrr, subscriptions.start; or
        orders.account_id, orders.ordered_at; or opportunities.account_id, opportunities.closed_at
    Source: FUNNEL-4.4, MarketingProfs: 25 metrics by funnel stage
    """
    back = attempt(lambda: _reactivated(known))
    if not known.has("opportunities", "type", "closed_at"):
        return {"reactivated_share_of_lapsed": back}
    ours = is_one_of("type", ("winback", "win-back", "win back", "reactivation"))
    closed = known.deals("closed_at").where(ours & (nw.col("is_open") == 0))
    won = with_concessions(known).where(ours)
    return {
        "win_back_rate": Share(closed, "is_won", empty="no win-back opportunity closed in this period"),
        "created": attempt(lambda: Count(known.deals("created_at").where(ours))),
        "reactivated_share_of_lapsed": back,
        "won_back_revenue": Amount(won, "amount"),
        "won_back_cost": Ledger(won, "concession"),
    }


def _reactivated(known: Known) -> Quantity:
    return Share(CustomerStates(known).panel, "back", "lapsed", "no customer had lapsed before this period")
