"""Money spent: against revenue, against people, for each lead and each customer, and on nurturing."""

from __future__ import annotations

import narwhals.stable.v2 as nw
import numpy as np

from kpis.measures.core.booked import booked
from kpis.measures.core.composed import Derived, Ratio, Sum
from kpis.measures.core.customer_states import CustomerStates
from kpis.measures.core.formulas import Plan, a_year, quotient
from kpis.measures.core.grid import Grid, first_reason
from kpis.measures.core.incidence import IN_THE_END, Incidence
from kpis.measures.core.known import Known
from kpis.measures.core.quantity import Missing, Quantity, attempt, tried
from kpis.measures.core.response import FEWEST, response
from kpis.measures.core.rows import LEAD_IN, Rows, Window
from kpis.measures.core.tables import is_one_of
from kpis.measures.core.tally import new_leads, reported
from kpis.measures.core.totals import Count, Ledger, Months
from kpis.measures.customers import new_customers
from kpis.measures.cycle import new_business
from kpis.measures.products import gross_margin, own_revenue
from kpis.measures.registry import measure, part_of
from kpis.measures.revenue import with_concessions, won_amount


def revenue(known: Known) -> Quantity:
    """Recognised revenue; NotEnoughData without a finance table."""
    known.need("finance", "period", "revenue")
    return Ledger(known.rows("finance", "period"), "revenue")


@measure({"IDC-1": "Sales + marketing budget ratio"}, kind="ratio", basis="flow", better="band")
def sales_marketing_cost_ratio(known: Known) -> dict[str, Quantity]:
    """Share of revenue spent on sales and marketing.

    Definition: Everything sales and marketing spent in the period, marketing paid from other budgets included, over
        the revenue recognised in it. Over bookings beside it, and alone (labelled) where there is no finance table.
    Formula: Σ spend[sales, marketing, shadow included] in P ÷ company revenue(P)
    Unit: share
    Needs: spend.amount, finance.revenue; or spend.amount, opportunities.closed_at, opportunities.amount
    Source: IDC-1, IDC customer creation scorecard, benchmark 10.6 % (2012-13, technology vendors)
    """
    spent = Ledger(booked(known), "both")
    base = tried(lambda: revenue(known))
    over = base if not isinstance(base, Missing) else won_amount(known)
    note = "over recognised revenue" if over is base else "over bookings: no finance table"
    return {
        "share_of_revenue": Ratio(spent, over, "share", note=note),
        "share_of_bookings": attempt(lambda: Ratio(spent, won_amount(known), "share")),
        "spend": spent,
    }


@measure({"IDC-2": "Sales-to-marketing investment ratio"}, kind="ratio", basis="flow", better="band")
def sales_to_marketing_ratio(known: Known) -> dict[str, Quantity]:
    """Spend on sales for each unit of money spent on marketing.

    Definition: What sales spent in the period over what marketing spent; marketing paid from other budgets counts as
        marketing unless the settings say otherwise. Beside it the ratio as booked.
    Formula: Σ spend[sales] ÷ Σ spend[marketing]; shadow marketing moved from sales to marketing
    Unit: ratio
    Needs: spend.amount, spend.department
    Source: IDC-2, IDC customer creation scorecard, benchmark 4:1
    """
    nothing = "marketing spent nothing in this period"
    rows = known.rows("spend", "period")

    def booked_by(department: str) -> Ledger:
        of_it = rows.where(is_one_of("department", (department,)))
        return Ledger(of_it, "amount", empty=f"no spend of {department} is booked in this period")

    return {
        "sales_to_marketing": Ratio(_spent_by(known, "sales"), _spent_by(known, "marketing"), empty=nothing),
        "as_booked": Ratio(booked_by("sales"), booked_by("marketing"), empty=nothing),
    }


def _spent_by(known: Known, department: str) -> Ledger:
    """Spend of a department; a period in which it booked nothing has no value, rather than 0."""
    of_it = booked(known).where(nw.col(f"by_{department}") == 1)
    return Ledger(of_it, "amount", empty=f"no spend of {department} is booked in this period")


@measure({"IDC-3": "Marketing investment per total sales headcount"}, kind="ratio", basis="flow", better="band")
def marketing_per_sales_fte(known: Known) -> dict[str, Quantity]:
    """Marketing spend a year for each person in sales.

    Definition: Marketing spend of the period, brought to a year by the months it covers, over the average number of
        full-time equivalents in sales at the months' ends.
    Formula: Σ spend[marketing] × 12 ÷ months ÷ mean of the month-end sales FTE in P
    Unit: money per FTE-year
    Needs: spend.amount, headcount.fte, headcount.department
    Source: IDC-3, IDC customer creation scorecard, benchmark 40,000 to 70,000 US dollars a year
    """
    spent = Ledger(booked(known), "marketing")
    people = known.rows("headcount", "period").where(is_one_of("department", ("sales",)))
    inputs = (spent, Months(booked(known)), Ledger(people, "fte", "count"), Months(people))

    def formula(spent: Grid, months: Grid, fte: Grid, ends: Grid, window: Window) -> Grid:  # noqa: ARG001
        yearly = np.divide(spent.value * 12, months.value, out=np.full(spent.shape, np.nan), where=months.value > 0)
        average = np.divide(fte.value, ends.value, out=np.full(spent.shape, np.nan), where=ends.value > 0)
        value = np.divide(yearly, average, out=np.full(spent.shape, np.nan), where=average > 0)
        reason = first_reason(spent, fte)
        return Grid.of(spent.groups, value, fte.n, why=np.where(reason == "", "nobody worked in sales", reason))

    return {"marketing_per_sales_FTE": Derived(formula, inputs, "money per FTE-year"), "marketing_spend": spent}


@measure({"IDC-5": "Program-to-people"}, kind="ratio", basis="flow", better="band")
def program_share(known: Known) -> dict[str, Quantity]:
    """Share of sales and marketing spend that goes into programs rather than people.

    Definition: Program spend over program and people spend, sales and marketing together. Tools and other spend are
        left out unless the settings count them as one of the two.
    Formula: Σ spend[program] ÷ Σ spend[program, people]
    Unit: share
    Needs: spend.amount, spend.category
    Source: IDC-5, IDC customer creation scorecard, benchmark 27 %
    """
    as_program, as_people = ["program", "programs"], ["people", "headcount", "staff"]
    moved = known.definitions.tools_and_other_as
    if moved is not None:
        (as_program if moved == "program" else as_people).extend(["tools", "tool", "other"])
    rows = booked(known).where((nw.col("by_sales") == 1) | (nw.col("by_marketing") == 1))
    program = Ledger(rows.where(is_one_of("category", tuple(as_program))), "amount", empty="no program spend is booked")
    people = Ledger(rows.where(is_one_of("category", tuple(as_people))), "amount", empty="no spend on people is booked")
    note = "tools and other are left out" if moved is None else f"tools and other count as {moved}"
    return {
        "program_share": Ratio(program, Sum((program, people)), "share", note=note),
        "program_spend": program,
        "people_spend": people,
    }


def acquiring(known: Known, rows: Rows, column: str) -> Ledger:
    """Spend meant to win new business: purpose acquire; all of it where no purpose is recorded."""
    if not known.has("spend", "purpose"):
        return Ledger(rows, column, note="no purpose is recorded: all spend counts")
    return Ledger(rows.where(is_one_of("purpose", ("acquire", "acquisition"))), column)


@measure({"MKTG-1": "Marketing cost per lead"}, kind="ratio", basis="flow", better="lower")
def cost_per_lead(known: Known) -> dict[str, Quantity]:
    """Marketing money spent for each lead.

    Definition: What marketing spent in the period to win new business, over the leads created in it (those the
        campaigns report, where there is no table of leads); by channel and campaign the same on both sides. Beside it,
        where campaigns report them, the cost of a click, of a thousand impressions and of a sale.
    Formula: Σ spend[marketing, purpose acquire] ÷ # leads created in P
    Unit: money
    Needs: spend.amount, leads.created_at; or spend.amount, spend.leads
    Source: MKTG-1, 30 KPIs for marketing managers; interval: exact Poisson on the leads
    """
    spent = acquiring(known, booked(known), "marketing")
    leads = new_leads(known)
    return {
        "cost_per_lead": Ratio(spent, leads.number, "money", empty="no lead was created", note=leads.note),
        "spend": spent,
        "cost_per_click": attempt(lambda: _cost_of(known, "clicks")),
        "cost_per_thousand_impressions": attempt(lambda: _cost_of(known, "impressions", 1000.0)),
        "cost_per_sale": attempt(lambda: _cost_of(known, "conversions")),
    }


def _cost_of(known: Known, what: str, each: float = 1.0) -> Quantity:
    """What the campaigns that report such a count cost, for each of them."""
    events = reported(known, what)
    spent = Ledger(events.rows, "amount")
    return Ratio(spent, events.number, "money", each, empty=f"no {what} in this period", note=events.note)


@measure({"FUNNEL-1.3": "Cost per qualified lead"}, kind="ratio", basis="flow", better="lower")
def cost_per_qualified_lead(known: Known) -> dict[str, Quantity]:
    """Marketing money spent for each qualified lead.

    Definition: What marketing spent in the period over the leads that first qualified in it; by channel and campaign
        the same on both sides.
    Formula: Σ spend[marketing] ÷ # qualified leads
    Unit: money
    Needs: spend.amount, leads.mql_at
    Source: FUNNEL-1.3, MarketingProfs: 25 metrics by funnel stage; interval: exact Poisson on the leads
    """
    spent = Ledger(booked(known), "marketing")
    return {
        "cost_per_MQL": Ratio(spent, Count(known.leads("mql_at")), "money", empty="no lead qualified"),
        "spend": spent,
    }


@measure({"SALES-6": "Cost of sales and sales ROI"}, kind="derived", basis="flow", better="higher")
def sales_roi(known: Known) -> dict[str, Quantity]:
    """What selling costs, and what it returns.

    Definition: Sales spend of the period; as a share of the money won in it; and the return: the margin on what was
        won less the cost of sales, over the cost of sales. The margin is that of the products sold in the orders of
        the period, else of the deals' products; where no margin is known the return is taken on revenue, and says so.
    Formula: cost of sales = Σ spend[sales]; ratio = cost ÷ won revenue; ROI = (Σ won · margin − cost) ÷ cost
    Unit: share
    Needs: spend.amount, spend.department, opportunities.closed_at, opportunities.amount
    Source: SALES-6, 30 KPIs for sales managers
    """
    cost, won = Ledger(booked(known), "sales"), won_amount(known)
    margin = tried(lambda: gross_margin(known))
    known_margin = not isinstance(margin, Missing)
    inputs = (won, cost, margin) if known_margin else (won, cost)

    def roi(won: Grid, cost: Grid, *rest: Grid | Window) -> Grid:
        share = rest[0].value if known_margin else 1.0
        ratio = quotient(won, cost, "sales spent nothing in this period")
        reason = np.where(ratio.reason == "", rest[0].reason, ratio.reason) if known_margin else ratio.reason
        value = ratio.value * share - 1
        return Grid.of(won.groups, value, won.n, low=ratio.low * share - 1, high=ratio.high * share - 1, why=reason)

    note = "on gross margin" if known_margin else "on revenue: no margin is known"
    return {
        "sales_ROI": Derived(roi, inputs, "share", note),
        "cost_of_sales": cost,
        "cost_to_revenue": Ratio(cost, won, "share", empty="nothing was won in this period"),
    }


@measure({"SALES-9": "Client acquisition cost"}, kind="ratio", basis="flow", better="lower")
def customer_acquisition_cost(known: Known) -> dict[str, Quantity]:
    """What it costs to win a new customer.

    Definition: Sales and marketing spend of the period on new business (purpose acquire; all where none is recorded),
        selling time at the agreed hourly cost (0 where people are in the spend table) and concessions on new
        business, over the customers that were new in it. The lagged variant sets the spend against the customers won
        a median lead-to-close later. Payback is the months of margin that it takes. The article calls it a rate and
        defines a cost: it is a cost.
    Formula: CAC = (Σ spend[acquire] + hours × loaded cost + concessions) ÷ new customers in P; payback = CAC ÷
        (monthly revenue per customer × margin)
    Unit: money
    Needs: spend.amount, customers.first_order_at; or spend.amount, orders.account_id, orders.ordered_at; or
        spend.amount, opportunities.account_id, opportunities.closed_at
    Source: SALES-9, 30 KPIs for sales managers
    """
    spent = acquiring(known, booked(known), "both")
    terms: list[Quantity] = [spent]
    if known.has("opportunities", "closed_at") and known.has("opportunities", "discount_amount"):
        given = with_concessions(known)
        terms.append(Ledger(new_business(known, given), "concession"))
    hourly = known.definitions.loaded_hourly_cost
    if hourly and known.has("activities", "duration_minutes"):
        time = known.rows("activities", "occurred_at").also(cost=nw.col("duration_minutes") * nw.lit(hourly / 60))
        terms.append(Ledger(time, "cost"))
    cost, fresh = Sum(tuple(terms)), new_customers(known)
    cac = Ratio(cost, fresh, "money", empty="no customer was new in this period")
    return {
        "CAC": cac,
        "CAC_lagged": attempt(lambda: _lagged(known, cost, fresh)),
        "cost": cost,
        "new_customers": fresh,
        "payback_months": attempt(lambda: _payback(known, cac)),
    }


def _lagged(known: Known, cost: Quantity, fresh: Quantity) -> Quantity:
    wait = part_of(known, "lead_to_close_days", "median")

    def formula(cost: Grid, fresh: Grid, wait: Grid, window: Window) -> Grid:
        length = 365.25 / a_year(window)
        back = np.arange(cost.shape[1]) - np.round(wait.value / length)
        seen = np.isfinite(back) & (back >= 0)
        spent = np.take_along_axis(cost.value, np.where(seen, back, 0).astype(int), axis=1)
        why = np.where(
            np.isfinite(wait.value), "the spend of so long ago is not in sight", "needs deals won from leads"
        )
        earlier = Grid.of(cost.groups, np.where(seen, spent, np.nan), fresh.n, why=why)
        return quotient(earlier, fresh, "no customer was new in this period")

    return Derived(formula, (cost, fresh, wait), "money", "spend of the period a median lead-to-close earlier")


def _payback(known: Known, cac: Quantity) -> Quantity:
    active = CustomerStates(known).count("at_end")
    months = {"month": 1, "quarter": 3}[known.dataset.settings.grain]

    def formula(cac: Grid, money: Grid, active: Grid, margin: Grid, window: Window) -> Grid:
        share_of_period = np.array(
            [(end - start + 1) for start, end in zip(window.starts, window.ends, strict=True)]
        ) / [p.days for p in window.periods]
        monthly = money.value / np.where(active.value > 0, active.value, np.nan) / (months * share_of_period)
        earned = monthly * margin.value
        value = np.divide(cac.value, earned, out=np.full(cac.shape, np.nan), where=earned > 0)
        reason = first_reason(cac, money, margin)
        return Grid.of(cac.groups, value, cac.n, why=np.where(reason == "", "no margin earned in this period", reason))

    return Derived(formula, (cac, own_revenue(known), active, gross_margin(known)), "months")


@measure({"FUNNEL-2.7": "Dollars invested to nurture leads"}, kind="simple", basis="flow", better="context")
def nurture_spend(known: Known) -> dict[str, Quantity]:
    """Money spent on nurturing leads, and whether it helped.

    Definition: Spend whose purpose is to nurture; for each lead whose nurturing began in the period; the share of
        nurtured leads (and so of the money, spread evenly over them) that was won later; and how much more often
        nurtured leads are won than others created in the same period (not causal).
    Formula: Σ spend[purpose nurture]; ÷ nurtured leads; effective share = nurtured leads that won ÷ nurtured leads
    Unit: money
    Needs: spend.amount, spend.purpose
    Source: FUNNEL-2.7, MarketingProfs: 25 metrics by funnel stage
    """
    rows = known.rows("spend", "period").where(is_one_of("purpose", ("nurture", "nurturing")))
    spent = Ledger(rows, "amount")
    return {
        "nurture_spend": spent,
        "per_nurtured_lead": attempt(
            lambda: Ratio(spent, Count(known.leads("nurture_start")), "money", empty="no lead was nurtured")
        ),
        "effective_share": attempt(
            lambda: _won_share_of(known, "nurture_start_n", ~nw.col("nurture_start_n").is_null())
        ),
        "won_share_if_nurtured": attempt(
            lambda: _won_share_of(known, "created_at_n", ~nw.col("nurture_start_n").is_null())
        ),
        "won_share_if_not": attempt(lambda: _won_share_of(known, "created_at_n", nw.col("nurture_start_n").is_null())),
    }


def _won_share_of(known: Known, day: str, chosen: nw.Expr) -> Quantity:
    known.need("leads", "nurture_start")
    known.need_lead_links()
    rows = Rows(known.lead_outcomes, "leads", day).where(chosen)
    return Incidence(rows, "won_day", "gone_day", IN_THE_END, today=known.today)


@measure({"FUNNEL-3.8": "Marketing spend / sales"}, kind="ratio", basis="flow", better="band")
def marketing_spend_to_sales(known: Known) -> dict[str, Quantity]:
    """Marketing spend as a share of revenue.

    Definition: What marketing spent in the period over the revenue of the period (recognised; else orders; else
        bookings; else the sales that campaigns report, labelled). Required spend is what the shortfall to the bookings
        target would cost at the period's own rates: qualified leads for the money won, times the cost of one. Response
        is how revenue moved with spend over the periods: the slope of log revenue on log spend (not causal).
    Formula: Σ spend[marketing] ÷ revenue; required = max(0, target − won) × MQLs ÷ won × cost per MQL; elasticity = d
        log revenue ÷ d log spend
    Unit: share
    Needs: spend.amount, finance.revenue; or spend.amount, orders.ordered_at, orders.amount; or spend.amount,
        opportunities.closed_at, opportunities.amount; or spend.amount, spend.conversions, spend.conversion_value
    Source: FUNNEL-3.8, MarketingProfs: 25 metrics by funnel stage
    """
    spent, base = Ledger(booked(known), "marketing"), own_revenue(known)
    return {
        "share_of_revenue": Ratio(spent, base, "share", empty="no revenue in this period", note=base.note),
        "marketing_spend": spent,
        "required_spend": attempt(lambda: _required(known)),
        "elasticity": Derived(
            _elasticity, (spent, base), "ratio", f"the {LEAD_IN} periods up to each one, {FEWEST} at least"
        ),
    }


def _required(known: Known) -> Quantity:
    known.need("targets", "metric", "value")
    won, mqls = won_amount(known), part_of(known, "marketing_qualified_leads")
    each = part_of(known, "cost_per_qualified_lead")

    def formula(plan: Grid, won: Grid, mqls: Grid, each: Grid, window: Window) -> Grid:  # noqa: ARG001
        short = np.maximum(0.0, plan.value - won.value)
        leads = np.divide(short * mqls.value, won.value, out=np.full(won.shape, np.nan), where=won.value > 0)
        reason = first_reason(plan, won, mqls, each)
        return Grid.of(won.groups, leads * each.value, won.n, why=np.where(reason == "", "nothing was won", reason))

    return Derived(formula, (Plan(known, "bookings"), won, mqls, each), "money")


def _elasticity(spent: Grid, base: Grid, window: Window) -> Grid:
    """Slope of log revenue on log spend with its interval, at each period from the whole ones lately."""
    value, low, high, n = (np.full(base.shape, np.nan) for _ in range(4))
    for g in range(base.shape[0]):
        for p in range(base.shape[1]):
            lately = slice(max(0, p - LEAD_IN), p + 1)
            whole = np.where(window.whole[lately], base.value[g, lately], np.nan)
            n[g, p] = (np.isfinite(whole) & np.isfinite(spent.value[g, lately])).sum()
            fit = response(spent.value[g, lately], whole)
            if fit is not None:
                n[g, p], value[g, p], low[g, p], high[g, p] = fit.n, fit.slope, fit.low, fit.high
    why = f"needs {FEWEST} whole periods with spend that differs"
    return Grid.of(base.groups, value, n, low=low, high=high, why=why)
