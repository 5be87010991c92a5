"""Leads: how many qualify, how they move on, where they come from, how they fit, where they leak."""

from __future__ import annotations

from functools import reduce

import narwhals.stable.v2 as nw

from kpis.definitions import CustomerProfile
from kpis.errors import NotEnoughData
from kpis.measures.core.incidence import IN_THE_END, Incidence
from kpis.measures.core.known import Known, is_one_of
from kpis.measures.core.profile import ideal_profile
from kpis.measures.core.quantities import Amount, Count, Mean, Quantity, Ratio, Share, attempt, tried
from kpis.measures.core.rows import Panel, Rows, Span
from kpis.measures.core.scores import ScoreAuc, WinRateByDecile
from kpis.measures.registry import measure


@measure(
    {
        "SIX-3": "Marketing qualified leads (MQL)",
        "MKTG-11": "Marketing qualified leads (scored)",
        "FUNNEL-1.2": "Quantity of qualified leads",
    },
    kind="simple",
    basis="flow",
    better="higher",
)
def marketing_qualified_leads(known: Known) -> dict[str, Quantity]:
    """Leads that first became marketing qualified.

    Definition: Leads whose first qualification under the shared definition falls in the period; each lead counts
        once. Leads sent back to nurture are counted beside it, the MQL share of the leads created in the period,
        and how well the score ranks: the win rate by score decile and the chance that a lead that was won scores
        higher than one that was not.
    Formula: # leads with first MQL day ∈ P; MQL share = MQLs among the leads created in P ÷ leads created in P
    Unit: count
    Needs: leads.mql_at
    Source: SIX-3, six KPIs for sales and marketing alignment; MKTG-11, 30 KPIs; FUNNEL-1.2, MarketingProfs
    """
    created = known.leads("created_at").flag(is_mql=~nw.col("mql_at_n").is_null())
    return {
        "MQLs": Count(known.leads("mql_at")),
        "MQL_share_of_leads": Share(created, "is_mql", empty="no lead was created in this period"),
        "recycled": attempt(lambda: Count(known.leads("recycled_at"))),
        "win_rate_by_score_decile": attempt(lambda: WinRateByDecile(_scored(known))),
        "score_ranks_winners": attempt(lambda: ScoreAuc(_scored(known))),
    }


def _scored(known: Known) -> Rows:
    """Scored leads on their creation day, with 0/1 ``was_won``."""
    known.need("leads", "score")
    known.need_lead_links()
    rows = Rows(known.lead_outcomes, "leads", "created_at_n").where(~nw.col("score").is_null())
    return rows.flag(was_won=~nw.col("won_day").is_null())


@measure({"SIX-4": "MQL→SQL conversion rate"}, kind="cohort", basis="cohort", better="higher")
def mql_to_sql_rate(known: Known) -> dict[str, Quantity]:
    """Share of MQLs that sales accepts as qualified.

    Definition: Of the leads that became MQL in the period, the share that becomes SQL within the window (the lag by
        which 90 % of those who ever get there have). Cohorts that have not lived through the window are estimated
        by the incidence with censoring; the raw ratio and the share matured stand beside it. The activity variant
        divides the SQLs of the period by its MQLs, whichever leads they are.
    Formula: #(MQL day ∈ P ∧ SQL within the window) ÷ #(MQL day ∈ P), by the incidence; activity: # SQL in P ÷ # MQL in P
    Unit: share
    Needs: leads.mql_at, leads.sql_at
    Source: SIX-4, six KPIs for sales and marketing alignment
    """
    mqls = known.leads("mql_at").also(dropped_day=dropped_day())
    return {
        "MQL_to_SQL": Incidence(mqls, "sql_at_n", "dropped_day", today=known.today),
        "SQLs_per_MQL_in_period": Ratio(
            Count(known.leads("sql_at")), Count(known.leads("mql_at")), exact_counts=True,
            empty="no MQL in this period", note="activity of the period, not a cohort: can exceed 1",
        ),
        "accepted_by_sales": attempt(lambda: accepted_by_sales(known)),
    }  # fmt: skip


def accepted_by_sales(known: Known) -> Quantity:
    """Share of the MQLs of each period that sales accepts within the usual window."""
    known.need("leads", "mql_at", "accepted_at")
    mqls = known.leads("mql_at").also(dropped_day=dropped_day())
    return Incidence(mqls, "accepted_at_n", "dropped_day", today=known.today)


def dropped_day() -> nw.Expr:
    """The day a lead was disqualified or archived, whichever came first."""
    return nw.min_horizontal(nw.col("disqualified_at_n"), nw.col("archived_at_n"))


@measure({"FUNNEL-1.4": "Leads to appointments"}, kind="cohort", basis="cohort", better="higher")
def lead_to_appointment_rate(known: Known) -> dict[str, Quantity]:
    """Share of leads with which an appointment took place.

    Definition: Of the leads created in the period, the share that has a first appointment within the window (the lag by
        which 90 % of those who ever get there have); the first meeting logged on the lead where no appointment
        dates are recorded. Young cohorts by the incidence with censoring, raw ratio and share matured beside it.
    Formula: # leads created in P with an appointment within the window ÷ # leads created in P, by the incidence
    Unit: share
    Needs: leads.created_at, leads.appointment_at; or leads.created_at, activities.lead_id, activities.type
    Source: FUNNEL-1.4, MarketingProfs: 25 metrics by funnel stage
    """
    if known.has("leads", "appointment_at"):
        rows = known.leads("created_at").also(met_day=nw.col("appointment_at_n"))
    else:
        met = known.frame("activities").filter(is_meeting() & ~nw.col("lead_id").is_null())
        met = met.group_by("lead_id").agg(met_day=nw.col("occurred_at_n").min())
        rows = Rows(known.frame("leads").join(met, on="lead_id", how="left"), "leads", "created_at_n")
    rows = rows.also(dropped_day=dropped_day())
    return {"lead_to_appointment": Incidence(rows, "met_day", "dropped_day", today=known.today)}


def is_meeting() -> nw.Expr:
    """Whether an activity is a meeting: demos, appointments and visits are meetings too."""
    return is_one_of(
        "type", ("meeting", "demo", "appointment", "visit", "event meeting", "on-site meeting", "video meeting")
    )


@measure({"FUNNEL-2.1": "Number of requests for proposals"}, kind="simple", basis="flow", better="higher")
def requests_for_proposal(known: Known) -> dict[str, Quantity]:
    """Requests for proposals received.

    Definition: Leads from which a request for proposal came in during the period; and of the leads that became
        qualified in it, the share from which one comes (incidence with censoring).
    Formula: # leads with RFP day ∈ P; rate = incidence of an RFP among the MQLs of P
    Unit: count
    Needs: leads.rfp_at
    Source: FUNNEL-2.1, MarketingProfs: 25 metrics by funnel stage
    """
    return {"requests": Count(known.leads("rfp_at")), "share_of_qualified": attempt(lambda: _rfp_share(known))}


def _rfp_share(known: Known) -> Quantity:
    known.need("leads", "mql_at")
    rows = known.leads("mql_at").also(dropped_day=dropped_day())
    return Incidence(rows, "rfp_at_n", "dropped_day", IN_THE_END, today=known.today)


@measure({"FUNNEL-2.2": "Proposals leading to presentations"}, kind="cohort", basis="cohort", better="higher")
def proposal_to_presentation(known: Known) -> dict[str, Quantity]:
    """Share of proposals that lead to a presentation.

    Definition: Of the proposals sent in the period, the share presented on the same day or later; young cohorts by
        the incidence with censoring, with the raw ratio and the share matured beside it.
    Formula: # proposals of P with presentation day ≥ proposal day ÷ # proposals of P, by the incidence
    Unit: share
    Needs: leads.proposal_at, leads.presentation_at
    Source: FUNNEL-2.2, MarketingProfs: 25 metrics by funnel stage
    """
    rows = known.leads("proposal_at")
    after = nw.when(nw.col("presentation_at_n") >= nw.col("proposal_at_n")).then(nw.col("presentation_at_n"))
    rows = rows.also(presented_day=after, dropped_day=dropped_day())
    return {
        "proposal_to_presentation": Incidence(rows, "presented_day", "dropped_day", IN_THE_END, today=known.today),
        "proposals": Count(rows),
    }


@measure({"MKTG-4": "Lead share per channel"}, kind="ratio", basis="flow", better="context")
def lead_share_by_channel(known: Known) -> dict[str, Quantity]:
    """Each channel's share of the leads.

    Definition: The leads that came in by a channel as a share of all leads created in the period (the shares add up
        to 1); beside it the channel's share of the deals won from leads.
    Formula: # leads[channel = c] ÷ # leads; # won leads[channel = c] ÷ # won leads
    Unit: share
    Needs: leads.created_at, leads.channel
    Source: MKTG-4, 30 KPIs for marketing managers
    """
    leads = known.leads("created_at").by("channel")
    return {
        "share_of_leads": Share(leads, "rows", of_all=True, empty="no lead was created in this period"),
        "leads": Count(leads),
        "share_of_wins": attempt(lambda: _won_share(known)),
    }


def _won_share(known: Known) -> Quantity:
    known.need("leads", "channel")
    known.need_lead_links()
    rows = Rows(known.lead_outcomes, "leads", "won_day", over="channel")
    return Share(rows, "rows", of_all=True, empty="no lead was won in this period")


@measure({"MKTG-12": "Archived to active leads"}, kind="stock", basis="stock", better="band")
def archived_to_active_leads(known: Known) -> dict[str, Quantity]:
    """Archived leads for each active one.

    Definition: At the end of the period, the leads that were archived, for each lead that was active: not archived, not
        disqualified, not yet an opportunity. Today's suggestions to archive are the active leads without activity
        for the agreed time and with a low score.
    Formula: # leads[archived] ÷ # leads[active] at t; suggested = active ∧ no activity > X days ∧ score < y
    Unit: ratio
    Needs: leads.created_at, leads.archived_at
    Source: MKTG-12, 30 KPIs for marketing managers
    """
    panel = Panel(known.lead_outcomes, "leads", _lead_states)
    archived, active = Count(panel, "archived"), Count(panel, "active")
    return {
        "archived_to_active": Ratio(archived, active, exact_counts=True, empty="no lead was active"),
        "archived": archived,
        "active": active,
        "suggested_to_archive": attempt(lambda: _suggested(known)),
    }


def _lead_states(span: Span) -> dict[str, nw.Expr]:
    here = nw.col("created_at_n") <= span.known

    def not_by(column: str) -> nw.Expr:
        return nw.col(column).is_null() | (nw.col(column) > span.known)

    active = here & not_by("archived_at_n") & not_by("disqualified_at_n") & not_by("deal_day")
    return {
        "archived": nw.when(here & (nw.col("archived_at_n") <= span.known)).then(1).otherwise(0),
        "active": nw.when(active).then(1).otherwise(0),
    }


def _suggested(known: Known) -> Quantity:
    known.need("leads", "last_activity_at")
    rules = known.definitions
    active = nw.col("archived_at_n").is_null() & nw.col("disqualified_at_n").is_null() & nw.col("deal_day").is_null()
    last = nw.coalesce(nw.col("last_activity_at_n"), nw.col("created_at_n"))
    low = nw.col("score").is_null() | (nw.col("score") < rules.archive_below_score)
    quiet = known.lead_outcomes.filter(active & (last < known.today - rules.archive_after_days) & low)
    return Count(Rows(quiet, "leads", "today_n").also(today_n=nw.lit(known.today)))


@measure({"FUNNEL-1.5": "Knowledge about leads"}, kind="mean", basis="flow", better="higher")
def lead_knowledge(known: Known) -> dict[str, Quantity]:
    """How much sales is told about a lead when it is handed over.

    Definition: Depth: the weighted share of the agreed fields that are filled, averaged over the leads handed over in
        the period (accepted by sales; qualified by sales or by marketing where that is not recorded). Breadth: the
        people known at the account, for each member of a buying group.
    Formula: depth = mean over handed-over leads of Σ w·filled ÷ Σ w; breadth = mean contacts per account ÷ buying group size
    Unit: share
    Needs: leads.accepted_at; or leads.sql_at; or leads.mql_at
    Source: FUNNEL-1.5, MarketingProfs: 25 metrics by funnel stage
    """
    rows = _with_depth(known, _handed_over(known))
    return {
        "depth": Mean(rows, "depth", "share", "no lead was handed over in this period"),
        "breadth": attempt(lambda: _breadth(known, rows)),
        "contacts_per_account": attempt(lambda: Mean(_with_contacts(known, rows), "people", "count")),
    }


def _handed_over(known: Known) -> Rows:
    for day in ("accepted_at", "sql_at", "mql_at"):
        if known.has("leads", day):
            return known.leads(day)
    return known.leads("accepted_at")


def _with_depth(known: Known, rows: Rows) -> Rows:
    """Add ``depth``: weights over their total, so that a full record has 1."""
    weights = known.definitions.required_fields
    total = sum(weights.values())
    filled = [
        nw.when(~nw.col(name).is_null()).then(nw.lit(weight / total)).otherwise(nw.lit(0.0))
        for name, weight in weights.items()
    ]
    return rows.also(depth=reduce(lambda a, b: a + b, filled))


def _with_contacts(known: Known, rows: Rows) -> Rows:
    known.need("contacts", "account_id")
    known.need("leads", "account_id")
    people = known.frame("contacts").filter(~nw.col("account_id").is_null()).with_columns(one=nw.lit(1))
    people = people.group_by("account_id").agg(people=nw.col("one").sum())
    joined = rows.frame.filter(~nw.col("account_id").is_null()).join(people, on="account_id", how="left")
    return Rows(joined, rows.table, rows.day).also(people=nw.col("people").fill_null(0))


def _breadth(known: Known, rows: Rows) -> Quantity:
    group = known.definitions.buying_group
    scaled = _with_contacts(known, rows).also(breadth=nw.col("people") * nw.lit(1.0 / group))
    return Mean(scaled, "breadth", "ratio")


@measure({"FUNNEL-2.6": "Leakage"}, kind="cohort", basis="cohort", better="lower")
def lead_leakage(known: Known) -> dict[str, Quantity]:
    """Share of leads that leave the funnel.

    Definition: Of the leads created in the period, the share that leaves without a win: disqualified, archived, its
        last opportunity lost, or silent for longer than agreed; young cohorts by the incidence with censoring, raw
        ratio and share matured beside it. Leaks of leads that fit the ideal customer are bad leaks, of others good
        ones. By stage: where the leads that left had got to.
    Formula: #(leads of P disqualified ∨ archived ∨ lost ∨ silent > X days) ÷ # leads of P, by the incidence; wins compete
    Unit: share
    Needs: leads.created_at, leads.disqualified_at; or leads.created_at, leads.archived_at; or leads.created_at, leads.last_activity_at
    Source: FUNNEL-2.6, MarketingProfs: 25 metrics by funnel stage
    """
    rows = _leaking(known)
    return {
        "leakage": Incidence(rows, "leak_day", "won_day", IN_THE_END, today=known.today),
        "leads_that_left_by_stage": Share(
            _by_stage_reached(rows), "rows", of_all=True, empty="no lead left in this period"
        ),
        "leakage_by_fit": attempt(lambda: _leakage_by_fit(known, rows)),
    }


def _leaking(known: Known) -> Rows:
    rows = Rows(known.lead_outcomes, "leads", "created_at_n")
    ways = [nw.col("disqualified_at_n"), nw.col("archived_at_n"), nw.col("lost_day")]
    if known.has("leads", "last_activity_at"):
        # An open opportunity is not silence: its own pipeline watches it.
        last = nw.coalesce(nw.col("last_activity_at_n"), nw.col("created_at_n"))
        silent = last + known.definitions.silent_after_days
        quiet = nw.col("won_day").is_null() & nw.col("deal_day").is_null() & (silent <= known.today)
        rows = rows.also(silent_day=nw.when(quiet).then(silent))
        ways.append(nw.col("silent_day"))
    return rows.also(leak_day=nw.min_horizontal(*ways))


def _by_stage_reached(rows: Rows) -> Rows:
    """Leads on the day they left, by the furthest step they had reached."""
    reached = (
        nw.when(~nw.col("deal_day").is_null()).then(nw.lit("4: opportunity"))
        .otherwise(nw.when(~nw.col("sql_at_n").is_null()).then(nw.lit("3: SQL"))
        .otherwise(nw.when(~nw.col("mql_at_n").is_null()).then(nw.lit("2: MQL")).otherwise(nw.lit("1: lead"))))
    )  # fmt: skip
    return rows.where(nw.col("won_day").is_null()).on("leak_day").also(reached=reached).by("reached")


def _leakage_by_fit(known: Known, rows: Rows) -> Quantity:
    fitting = with_fit(known, rows)
    name = (
        nw.when(nw.col("fits") == 1)
        .then(nw.lit("bad leak: fits the ideal customer"))
        .otherwise(nw.lit("good leak: does not fit"))
    )
    return Incidence(fitting.also(leak=name).by("leak"), "leak_day", "won_day", IN_THE_END, today=known.today)


def with_fit(known: Known, rows: Rows) -> Rows:
    """Leads with the 0/1 column ``fits``: the ideal customer profile, as agreed or as learned."""
    return rows.flag(fits=matches(known, ideal_profile(known), "leads"))


def matches(known: Known, profile: CustomerProfile, table: str) -> nw.Expr:
    """Whether a row of leads (opportunities with their account) meets every rule of the profile it has a column for."""
    rules: list[nw.Expr] = []
    columns = {"leads": ("industry", "country", "persona"), "opportunities": ("segment", "region", "")}[table]
    for values, column in zip((profile.industries, profile.regions, profile.personas), columns, strict=True):
        if values and column and known.has(table, column):
            rules.append(is_one_of(column, values).fill_null(False))
    if table == "leads" and known.has("leads", "employees"):
        if profile.employees_from is not None:
            rules.append((nw.col("employees") >= profile.employees_from).fill_null(False))
        if profile.employees_to is not None:
            rules.append((nw.col("employees") <= profile.employees_to).fill_null(False))
    if not rules:
        raise NotEnoughData(
            f"needs table {table}, column {columns[0]}", way_out="The profile has no rule for its other columns"
        )
    return reduce(lambda a, b: a & b, rules)


@measure({"FUNNEL-1.1": "Profile of best prospects & decision makers"}, kind="ratio", basis="stock", better="higher")
def ideal_customer_fit(known: Known) -> dict[str, Quantity]:
    """Share of new leads (or opportunities) that fit the ideal customer profile.

    Definition: The profile is the agreed one (settings); until one is agreed, it is learned: the industries or segments
        that won more often than the rest in the deals closed before the periods shown, so that it is not tried on what
        it was learned from (before the current period, where too few had closed by then). The share of leads created in the period that fit (of opportunities where leads carry
        none of its columns); the lift in win rate of the opportunities that fit; and the share of open opportunities
        whose account has a known decision maker.
    Formula: ICP share = matching ÷ total; lift = win rate(ICP) ÷ win rate(others); coverage = open with ≥ 1 decision maker ÷ open
    Unit: share
    Needs: leads.created_at, leads.industry; or opportunities.created_at, opportunities.segment;
        or opportunities.created_at, opportunities.account_id, accounts.industry
    Source: FUNNEL-1.1, MarketingProfs: 25 metrics by funnel stage
    """
    profile = ideal_profile(known)
    fit = tried(lambda: _lead_fit(known, profile))
    deals = attempt(lambda: _deal_fit(known, profile))
    headline = fit if isinstance(fit, Share) else _deal_fit(known, profile)
    return {
        "fitting_share": headline,
        "fitting_share_of_opportunities": deals,
        "win_rate_lift": attempt(lambda: _lift(known, profile)),
        "decision_maker_known": attempt(lambda: _decision_makers(known)),
    }


def _lead_fit(known: Known, profile: CustomerProfile) -> Quantity:
    rows = known.leads("created_at").flag(fits=matches(known, profile, "leads"))
    return Share(rows, "fits", empty="no lead was created in this period")


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


def _deal_fit(known: Known, profile: CustomerProfile) -> Quantity:
    rows = _with_segment(known).flag(fits=_deal_matches(profile))
    return Share(rows, "fits", empty="no opportunity was created in this period")


def _lift(known: Known, profile: CustomerProfile) -> Quantity:
    known.need("opportunities", "closed_at")
    closed = _with_segment(known).on("closed_at_n").where(nw.col("is_open") == 0)
    closed = closed.flag(fits=_deal_matches(profile))
    inside = Share(closed.where(nw.col("fits") == 1), "is_won", empty="no deal that fits closed in this period")
    outside = Share(closed.where(nw.col("fits") == 0), "is_won", empty="no other deal closed in this period")
    return Ratio(inside, outside, "ratio", empty="no other deal was won in this period")


def _decision_makers(known: Known) -> Quantity:
    known.need("contacts", "account_id", "is_decision_maker")
    known.need("opportunities", "account_id")
    deciders = known.frame("contacts").filter((nw.col("is_decision_maker") == 1) & ~nw.col("account_id").is_null())
    deciders = deciders.select("account_id", decides=nw.lit(1)).unique(["account_id"])
    deals = known.opportunities.join(deciders, on="account_id", how="left")

    def flags(span: Span) -> dict[str, nw.Expr]:
        still = nw.col("closed_at_n").is_null() | (nw.col("closed_at_n") > span.known)
        opened = (nw.col("created_at_n") <= span.known) & still
        return {
            "open_deals": nw.when(opened).then(1).otherwise(0),
            "decided_by": nw.when(opened & (nw.col("decides") == 1)).then(1).otherwise(0),
        }

    return Share(Panel(deals, "opportunities", flags), "decided_by", "open_deals", "no opportunity was open")


def lead_value(known: Known) -> Amount:
    """Σ won amount of leads, on the day of the win."""
    return Amount(Rows(known.lead_outcomes, "leads", "won_day"), "won_amount")
