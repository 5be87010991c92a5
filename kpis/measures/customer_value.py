"""What a customer is worth, and how much of its spend comes to us."""

from __future__ import annotations

import narwhals.stable.v2 as nw
import numpy as np

from kpis.engine import collect
from kpis.measures.core.composed import Derived, Ratio
from kpis.measures.core.customer_states import CustomerStates, PanelRatio, running, squares
from kpis.measures.core.grid import Grid, first_reason
from kpis.measures.core.known import Known
from kpis.measures.core.quantity import Missing, Quantity, attempt, tried
from kpis.measures.core.rows import Panel, Rows, Window, yes
from kpis.measures.core.samples import Amount, Mean, Share
from kpis.measures.core.tables import EACH, is_one_of
from kpis.measures.core.totals import Ledger
from kpis.measures.customers import NO_CUSTOMERS
from kpis.measures.products import gross_margin, own_revenue
from kpis.measures.registry import measure

A_YEAR = 365.25


@measure({"FUNNEL-4.1": "Breadth and depth of customer relationships"}, kind="derived", basis="cohort", better="higher")
def customer_depth_and_lifetime_value(known: Known) -> dict[str, Quantity]:
    """What a customer is worth over its lifetime, and how broad the relationship is.

    Definition: Lifetime value: a customer's yearly revenue times the margin (revenue alone, labelled, where no margin
        is known), over the yearly churn and discount rates. Yearly figures are those of the period, brought to a
        year. Beside it what it is made of, products per customer, and contacts per customer.
    Formula: CLV = ARPA · gm ÷ (1 − r + d); ARPA = revenue ÷ customers a year, r = retention brought to a year, d =
        discount rate
    Unit: money
    Needs: orders.account_id, orders.ordered_at, orders.amount; or opportunities.account_id, opportunities.closed_at,
        opportunities.amount; or subscriptions.account_id, subscriptions.mrr, subscriptions.start
    Source: FUNNEL-4.1, MarketingProfs: 25 metrics by funnel stage
    """
    states = CustomerStates(known)
    kept = Share(states.panel, "kept", "at_start", NO_CUSTOMERS)
    margin = tried(lambda: gross_margin(known))
    money = (
        _recurring(known)
        if not known.has("orders", "amount") and known.has("subscriptions", "mrr")
        else own_revenue(known)
    )
    spent = Derived(_a_year_of, (money, states.count("at_end")), "money", money.note)
    stay = Derived(_kept_a_year, (kept,), "share", "retention of the period, brought to a year")
    discount = known.definitions.discount_rate

    def lifetime(spent: Grid, stay: Grid, *rest: Grid | Window) -> Grid:
        share = rest[0].value if len(rest) > 1 else 1.0
        value = spent.value * share / (1 - stay.value + discount)
        return Grid.of(stay.groups, value, stay.n, why=first_reason(spent, stay, *rest[:-1]))

    by_margin = () if isinstance(margin, Missing) else (margin,)
    note = "on gross margin" if by_margin else "on revenue: no margin is known"
    return {
        "lifetime_value": Derived(
            lifetime, (spent, stay, *by_margin), "money", f"{note}; discounted at {discount:.0%} a year"
        ),
        "lifetime_value_in_revenue": Derived(
            lifetime, (spent, stay), "money", f"on revenue; discounted at {discount:.0%} a year"
        ),
        "revenue_per_customer_and_year": spent,
        "retention_a_year": stay,
        "margin": margin,
        "retention": kept,
        "products_per_customer": attempt(lambda: _breadth(known)),
        "contacts_per_customer": attempt(lambda: _contacts(known)),
    }


def _years(window: Window) -> np.ndarray:
    """Length of each period so far, in years."""
    return (window.ends - window.starts + 1) / A_YEAR


def _a_year_of(money: Grid, there: Grid, window: Window) -> Grid:
    """Money per customer at the end, brought to a year."""
    each = np.divide(money.value, there.value, out=np.full(money.shape, np.nan), where=there.value > 0)
    reason = first_reason(money, there)
    return Grid.of(money.groups, each / _years(window), there.n, why=np.where(reason == "", "no customer", reason))


def _kept_a_year(kept: Grid, window: Window) -> Grid:
    """Retention to the power of periods in a year."""
    value = np.where(kept.value > 0, kept.value, np.nan) ** (1 / _years(window))
    return Grid.of(kept.groups, value, kept.n, why=np.where(kept.reason == "", "no customer stayed", kept.reason))


def _recurring(known: Known) -> Quantity:
    """Revenue of the subscriptions that ran at the end of each period, for the length of the period."""
    months = (EACH.known - EACH.start + 1) * nw.lit(12 / A_YEAR)
    rows = known.in_each_period(known.frame("subscriptions"))
    rows = rows.with_columns(money=yes(running(EACH.known)) * nw.col("mrr") * months)
    return Ledger(Panel(rows, "subscriptions"), "money")


def _breadth(known: Known) -> Quantity:
    """Products (categories where no product is named) a customer has bought up to the end of each period, mean."""
    column = "product_id" if known.has("orders", "product_id") else "category"
    known.need("orders", "account_id", column)
    bought = known.frame("orders").filter(~nw.col("account_id").is_null() & ~nw.col(column).is_null())
    pairs = bought.group_by("account_id", column).agg(first_pair=nw.col("ordered_at_n").min())
    first = pairs.group_by("account_id").agg(first_any=nw.col("first_pair").min())
    pairs = known.in_each_period(pairs).with_columns(bought=yes(nw.col("first_pair") <= EACH.known))
    people = known.in_each_period(first).with_columns(bought=yes(nw.col("first_any") <= EACH.known))
    return Ratio(
        Ledger(Panel(pairs, "customers"), "bought", "count"),
        Ledger(Panel(people, "customers"), "bought", "count"),
        "ratio",
    )


def _contacts(known: Known) -> Quantity:
    known.need("contacts", "account_id")
    people = known.frame("contacts").filter(~nw.col("account_id").is_null()).with_columns(one=nw.lit(1))
    people = people.group_by("account_id").agg(people=nw.col("one").sum())
    today = CustomerStates(known).today
    rows = Rows(today.frame.join(people, on="account_id", how="left"), today.table, today.day)
    rows = rows.also(people=nw.col("people").fill_null(0))
    return Mean(rows, "people", "count", "contacts have no dates: only today's are known")


@measure({"FUNNEL-4.3": "Share of wallet"}, kind="ratio", basis="flow", better="higher")
def share_of_wallet(known: Known) -> dict[str, Quantity]:
    """What customers spend with us of what they spend on such things.

    Definition: What the customers whose spend is estimated ordered in the year up to the end of the period, in the
        estimated categories, over the estimate of a year's spend with all vendors. Beside it the customers that buy
        from two or more categories, and the money won in expansion deals.
    Formula: Σ own revenue of a year ÷ Σ estimated category spend, same customers and categories; cross-sell =
        customers with ≥ 2 categories ÷ customers
    Unit: share
    Needs: wallet.account_id, wallet.category, wallet.estimated_total_spend, orders.account_id, orders.category,
        orders.amount
    Source: FUNNEL-4.3, MarketingProfs: 25 metrics by funnel stage
    """
    key = ["account_id", "category"]
    named = ~nw.col("account_id").is_null() & ~nw.col("category").is_null()
    estimates = known.frame("wallet").filter(named & ~nw.col("estimated_total_spend").is_null())
    estimates = estimates.group_by(*key).agg(estimate=nw.col("estimated_total_spend").sum())
    year = 365
    orders = known.in_each_period(known.frame("orders").filter(named))
    spent = orders.filter((nw.col("ordered_at_n") <= EACH.known) & (nw.col("ordered_at_n") > EACH.known - year))
    spent = spent.with_columns(money=nw.col("amount").fill_null(0.0)).group_by(*key, "p").agg(nw.col("money").sum())
    # A year's orders must be there before they can be set against a year's spend.
    full = EACH.known - year + 1 >= int(_first_order(known))
    both = known.in_each_period(estimates).filter(full).join(spent, on=[*key, "p"], how="left")
    own = squares("own", "estimate", nw.col("money").fill_null(0.0), nw.col("estimate"))
    return {
        "share_of_wallet": PanelRatio(
            Panel(both.with_columns(**own), "customers"), "own", "estimate", "needs a year of orders up to this period"
        ),
        "cross_sell_rate": Share(_categories(known), "several", "any_bought", "nobody had bought yet"),
        "expansion_revenue": attempt(lambda: _expansion(known)),
    }


def _first_order(known: Known) -> float:
    first = (
        known.frame("orders").select(one=nw.lit(1), day=nw.col("ordered_at_n")).group_by("one").agg(nw.col("day").min())
    )
    days = collect(first, {"day": "float"})["day"]
    return float(days.iloc[0]) if len(days) and np.isfinite(days.iloc[0]) else 10.0**6


def _categories(known: Known) -> Panel:
    """Customers with the days on which they had bought from one and from two categories."""
    bought = known.frame("orders").filter(~nw.col("account_id").is_null() & ~nw.col("category").is_null())
    pairs = bought.group_by("account_id", "category").agg(day=nw.col("ordered_at_n").min())
    first = pairs.group_by("account_id").agg(first_day=nw.col("day").min())
    # The second category: the earliest of the pairs other than the first one (ties broken by name).
    joined = pairs.join(first, on="account_id", how="inner")
    lead = (
        joined.filter(nw.col("day") == nw.col("first_day"))
        .group_by("account_id")
        .agg(first_category=nw.col("category").min())
    )
    rest = joined.join(lead, on="account_id", how="inner").filter(nw.col("category") != nw.col("first_category"))
    second = rest.group_by("account_id").agg(second_day=nw.col("day").min())
    customers = known.in_each_period(first.join(second, on="account_id", how="left"))
    bought, several = nw.col("first_day") <= EACH.known, nw.col("second_day") <= EACH.known
    return Panel(customers.with_columns(any_bought=yes(bought), several=yes(several)), "customers")


def _expansion(known: Known) -> Quantity:
    known.need("opportunities", "type", "amount")
    return Amount(
        known.won.where(is_one_of("type", ("expansion", "upsell", "upgrade", "cross-sell", "existing business"))),
        "amount",
    )
