"""How leads fit the ideal customer, and which of them leak."""

from __future__ import annotations

from functools import reduce

import narwhals.stable.v2 as nw

from kpis.definitions import CustomerProfile
from kpis.errors import NotEnoughData
from kpis.measures.core.composed import Ratio
from kpis.measures.core.incidence import IN_THE_END, Incidence
from kpis.measures.core.known import Known
from kpis.measures.core.profile import with_fit
from kpis.measures.core.quantity import Quantity, attempt, first_of
from kpis.measures.core.rows import Panel, Rows, yes
from kpis.measures.core.samples import Share
from kpis.measures.core.tables import EACH, earliest, is_one_of
from kpis.measures.registry import measure


@measure({"FUNNEL-2.6": "Leakage"}, kind="cohort", basis="cohort", better="lower")
def lead_leakage(known: Known) -> dict[str, Quantity]:
    """Share of leads that leave the funnel.

    Definition: Of the leads created in the period, the share that leaves without a win: disqualified, archived, its
        last opportunity lost, or silent for longer than agreed; young cohorts by the incidence with censoring, raw
        ratio and share matured beside it. Leaks of leads that fit the ideal customer are bad leaks, of others good
        ones. By stage: where the leads that left had got to.
    Formula: #(leads of P disqualified ∨ archived ∨ lost ∨ silent > X days) ÷ # leads of P, by the incidence; wins
        compete
    Unit: share
    Needs: leads.created_at, leads.disqualified_at; or leads.created_at, leads.archived_at; or leads.created_at,
        leads.last_activity_at
    Source: FUNNEL-2.6, MarketingProfs: 25 metrics by funnel stage
    """
    rows = leaking(known)
    return {
        "leakage": Incidence(rows, "leak_day", "won_day", IN_THE_END, today=known.today),
        "leads_that_left_by_stage": Share(
            _by_stage_reached(rows), "rows", of_all=True, empty="no lead left in this period"
        ),
        "leakage_by_fit": attempt(lambda: _leakage_by_fit(known, rows)),
    }


def leaking(known: Known) -> Rows:
    """Leads on the day they were created, with ``leak_day``: when they left without a win, null while they have not."""
    rows = known.leads("created_at")
    ways = ["disqualified_at_n", "archived_at_n", "lost_day"]
    if known.has("leads", "last_activity_at"):
        # An open opportunity is not silence: its own pipeline watches it.
        last = nw.coalesce(nw.col("last_activity_at_n"), nw.col("created_at_n"))
        silent = last + known.definitions.silent_after_days
        quiet = nw.col("won_day").is_null() & nw.col("deal_day").is_null() & (silent <= known.today)
        rows = rows.also(silent_day=nw.when(quiet).then(silent))
        ways.append("silent_day")
    return rows.also(leak_day=earliest(*ways))


def _by_stage_reached(rows: Rows) -> Rows:
    """Leads on the day they left, by the furthest step they had reached."""
    reached = (
        nw.when(~nw.col("deal_day").is_null()).then(nw.lit("4: opportunity"))
        .otherwise(nw.when(~nw.col("sql_at_n").is_null()).then(nw.lit("3: SQL"))
        .otherwise(nw.when(~nw.col("mql_at_n").is_null()).then(nw.lit("2: MQL")).otherwise(nw.lit("1: lead"))))
    )  # fmt: skip
    return rows.where(nw.col("won_day").is_null()).on("leak_day").also(reached=reached).by("reached")


def _leakage_by_fit(known: Known, rows: Rows) -> Quantity:
    fitting = with_fit(known, rows, lambda profile: matches(known, profile))
    name = (
        nw.when(nw.col("fits") == 1)
        .then(nw.lit("bad leak: fits the ideal customer"))
        .otherwise(nw.lit("good leak: does not fit"))
    )
    return Incidence(fitting.also(leak=name).by("leak"), "leak_day", "won_day", IN_THE_END, today=known.today)


def matches(known: Known, profile: CustomerProfile) -> nw.Expr:
    """Whether a lead meets every rule of the profile that leads have a column for."""
    rules: list[nw.Expr] = []
    lists = {"industry": profile.industries, "country": profile.regions, "persona": profile.personas}
    for column, values in lists.items():
        if values and known.has("leads", column):
            rules.append(is_one_of(column, values).fill_null(False))
    if known.has("leads", "employees"):
        if profile.employees_from is not None:
            rules.append((nw.col("employees") >= profile.employees_from).fill_null(False))
        if profile.employees_to is not None:
            rules.append((nw.col("employees") <= profile.employees_to).fill_null(False))
    if not rules:
        raise NotEnoughData(
            "needs table leads, column industry", way_out="The profile has no rule for the other columns of leads"
        )
    return reduce(lambda a, b: a & b, rules)


@measure({"FUNNEL-1.1": "Profile of best prospects & decision makers"}, kind="ratio", basis="stock", better="higher")
def ideal_customer_fit(known: Known) -> dict[str, Quantity]:
    """Share of new leads (or opportunities) that fit the ideal customer profile.

    Definition: The profile is the agreed one (settings); until one is agreed, each period's is learned: the industries
        or segments that won more often than the rest in the deals closed before it, so that it is not tried on what it
        was learned from; periods before which too few deals had closed have none. The share of leads created in the
        period that fit (of opportunities where leads carry none of its columns); the lift in win rate of the
        opportunities that fit; and the share of open opportunities whose account has a known decision maker.
    Formula: ICP share = matching ÷ total; lift = win rate(ICP) ÷ win rate(others); coverage = open with ≥ 1 decision
        maker ÷ open
    Unit: share
    Needs: leads.created_at, leads.industry; or opportunities.created_at, opportunities.segment; or
        opportunities.created_at, opportunities.account_id, accounts.industry
    Source: FUNNEL-1.1, MarketingProfs: 25 metrics by funnel stage
    """
    return {
        "fitting_share": first_of(lambda: _lead_fit(known), lambda: _deal_fit(known)),
        "fitting_share_of_opportunities": attempt(lambda: _deal_fit(known)),
        "win_rate_lift": attempt(lambda: _lift(known)),
        "decision_maker_known": attempt(lambda: _decision_makers(known)),
    }


NO_PROFILE = "too few deals had closed before it to learn a profile"


def _lead_fit(known: Known) -> Quantity:
    rows = with_fit(known, known.leads("created_at"), lambda profile: matches(known, profile))
    return Share(rows, "fits", empty=f"no lead was created in this period, or {NO_PROFILE}")


def _with_segment(known: Known) -> Rows:
    """Opportunities with the column ``segment``: their own, or their account's industry."""
    rows = known.deals("created_at")
    if known.has("opportunities", "segment"):
        return rows
    known.need("opportunities", "account_id")
    known.need("accounts", "industry")
    accounts = known.frame("accounts").select("account_id", of_account=nw.col("industry"))
    joined = rows.frame.join(accounts, on="account_id", how="left").with_columns(segment=nw.col("of_account"))
    return Rows(joined, rows.table, rows.day)


def _deal_matches(profile: CustomerProfile) -> nw.Expr:
    if not profile.industries:
        raise NotEnoughData("needs industries or segments in the ideal customer profile")
    return is_one_of("segment", profile.industries).fill_null(False)


def _deal_fit(known: Known) -> Quantity:
    rows = with_fit(known, _with_segment(known), _deal_matches)
    return Share(rows, "fits", empty=f"no opportunity was created in this period, or {NO_PROFILE}")


def _lift(known: Known) -> Quantity:
    known.need("opportunities", "closed_at")
    closed = _with_segment(known).on("closed_at_n").where(nw.col("is_open") == 0)
    closed = with_fit(known, closed, _deal_matches)
    fits, won = nw.col("fits") == 1, nw.col("is_won") == 1
    closed = closed.flag(fits_won=fits & won, others=~fits, others_won=~fits & won)
    inside = Share(closed, "fits_won", "fits", empty="no deal that fits closed in this period")
    outside = Share(closed, "others_won", "others", empty="no other deal closed in this period")
    return Ratio(inside, outside, "ratio", empty="no other deal was won in this period")


def _decision_makers(known: Known) -> Quantity:
    known.need("contacts", "account_id", "is_decision_maker")
    known.need("opportunities", "account_id")
    deciders = known.frame("contacts").filter((nw.col("is_decision_maker") == 1) & ~nw.col("account_id").is_null())
    deciders = deciders.select("account_id", decides=nw.lit(1)).unique(["account_id"])
    deals = known.opportunities.join(deciders, on="account_id", how="left")

    still = nw.col("closed_at_n").is_null() | (nw.col("closed_at_n") > EACH.known)
    opened = (nw.col("created_at_n") <= EACH.known) & still
    deals = known.in_each_period(deals).with_columns(
        open_deals=yes(opened), decided_by=yes(opened & (nw.col("decides") == 1))
    )
    return Share(Panel(deals, "opportunities"), "decided_by", "open_deals", "no opportunity was open")
