"""Leads: how many qualify, how they move on, where they come from, what sales is told about them."""

from __future__ import annotations

from functools import reduce

import narwhals.stable.v2 as nw

from kpis.measures.core.composed import Ratio
from kpis.measures.core.incidence import IN_THE_END, Incidence
from kpis.measures.core.known import Known
from kpis.measures.core.quantity import Quantity, attempt
from kpis.measures.core.rows import Panel, Rows, yes
from kpis.measures.core.samples import Mean, Share
from kpis.measures.core.scores import ScoreAuc, WinRateByDecile
from kpis.measures.core.tables import EACH, is_one_of, shared
from kpis.measures.core.tally import Tally, new_leads, reported
from kpis.measures.core.totals import Count
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
        once. Leads sent back to nurture are counted beside it, the MQL share of the leads created in the period, and
        how well the score ranks: the win rate by score decile and the chance that a lead that was won scores higher
        than one that was not.
    Formula: # leads with first MQL day ∈ P; MQL share = MQLs among the leads created in P ÷ leads created in P
    Unit: count
    Needs: leads.mql_at
    Source: SIX-3, six KPIs for sales and marketing alignment; MKTG-11, 30 KPIs; FUNNEL-1.2, MarketingProfs
    """
    return {
        "MQLs": Count(known.leads("mql_at")),
        "MQL_share_of_leads": Share(known.leads("created_at"), "is_mql", empty="no lead was created in this period"),
        "recycled": attempt(lambda: Count(known.leads("recycled_at"))),
        "win_rate_by_score_decile": attempt(lambda: WinRateByDecile(scored(known))),
        "score_ranks_winners": attempt(lambda: ScoreAuc(scored(known))),
    }


@shared
def scored(known: Known) -> Rows:
    """Scored leads on their creation day, with 0/1 ``was_won``."""
    known.need("leads", "score")
    known.need_lead_links()
    return known.leads("created_at").given("score").flag(was_won=~nw.col("won_day").is_null())


@measure({"SIX-4": "MQL→SQL conversion rate"}, kind="cohort", basis="cohort", better="higher")
def mql_to_sql_rate(known: Known) -> dict[str, Quantity]:
    """Share of MQLs that sales accepts as qualified.

    Definition: Of the leads that became MQL in the period, the share that becomes SQL within the window (the lag by
        which 90 % of those who ever get there have). Cohorts that have not lived through the window are estimated by
        the incidence with censoring; the raw ratio and the share matured stand beside it. The activity variant
        divides the SQLs of the period by its MQLs, whichever leads they are.
    Formula: #(MQL day ∈ P ∧ SQL within the window) ÷ #(MQL day ∈ P), by the incidence; activity: # SQL in P ÷ # MQL
        in P
    Unit: share
    Needs: leads.mql_at, leads.sql_at
    Source: SIX-4, six KPIs for sales and marketing alignment
    """
    mqls = known.leads("mql_at")
    return {
        "MQL_to_SQL": Incidence(mqls, "sql_at_n", "dropped_day", today=known.today),
        "SQLs_per_MQL_in_period": Ratio(
            Count(known.leads("sql_at")), Count(mqls), exact_counts=True,
            empty="no MQL in this period", note="activity of the period, not a cohort: can exceed 1",
        ),
        "accepted_by_sales": attempt(lambda: accepted_by_sales(known)),
    }  # fmt: skip


def accepted_by_sales(known: Known) -> Quantity:
    """Share of the MQLs of each period that sales accepts within the usual window."""
    known.need("leads", "mql_at", "accepted_at")
    return Incidence(known.leads("mql_at"), "accepted_at_n", "dropped_day", today=known.today)


@measure({"FUNNEL-1.4": "Leads to appointments"}, kind="cohort", basis="cohort", better="higher")
def lead_to_appointment_rate(known: Known) -> dict[str, Quantity]:
    """Share of leads with which an appointment took place.

    Definition: Of the leads created in the period, the share that has a first appointment within the window (the lag
        by which 90 % of those who ever get there have); the first meeting logged on the lead where no appointment
        dates are recorded. Young cohorts by the incidence with censoring, raw ratio and share matured beside it.
    Formula: # leads created in P with an appointment within the window ÷ # leads created in P, by the incidence
    Unit: share
    Needs: leads.created_at, leads.appointment_at; or leads.created_at, activities.lead_id, activities.type
    Source: FUNNEL-1.4, MarketingProfs: 25 metrics by funnel stage
    """
    rows, met_day = known.leads("created_at"), "appointment_at_n"
    if not known.has("leads", "appointment_at"):
        met = known.frame("activities").filter(is_meeting() & ~nw.col("lead_id").is_null())
        met = met.group_by("lead_id").agg(met_day=nw.col("occurred_at_n").min())
        rows, met_day = Rows(rows.frame.join(met, on="lead_id", how="left"), rows.table, rows.day), "met_day"
    return {"lead_to_appointment": Incidence(rows, met_day, "dropped_day", today=known.today)}


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
    return Incidence(known.leads("mql_at"), "rfp_at_n", "dropped_day", IN_THE_END, today=known.today)


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
    rows = rows.also(presented_day=after)
    return {
        "proposal_to_presentation": Incidence(rows, "presented_day", "dropped_day", IN_THE_END, today=known.today),
        "proposals": Count(rows),
    }


@measure({"MKTG-4": "Lead share per channel"}, kind="ratio", basis="flow", better="context")
def lead_share_by_channel(known: Known) -> dict[str, Quantity]:
    """Each channel's share of the leads.

    Definition: The leads that came in by a channel as a share of all leads created in the period (the shares add up
        to 1); beside it the channel's share of the deals won from leads. Leads and sales that campaigns report, where
        there is no table of leads.
    Formula: # leads[channel = c] ÷ # leads; # won leads[channel = c] ÷ # won leads
    Unit: share
    Needs: leads.created_at, leads.channel; or spend.leads, spend.channel
    Source: MKTG-4, 30 KPIs for marketing managers
    """
    leads = new_leads(known, "channel").by("channel")
    return {
        "share_of_leads": _of_all(leads, "no lead was created in this period"),
        "leads": leads.number,
        "share_of_wins": attempt(lambda: _of_all(_won(known, leads).by("channel"), "no lead was won in this period")),
    }


def _of_all(events: Tally, empty: str) -> Quantity:
    return Share(events.rows, events.count, events.count, empty, of_all=True, note=events.note)


def _won(known: Known, leads: Tally) -> Tally:
    if leads.in_totals:
        return reported(known, "conversions", needs=("channel",))
    known.need_lead_links()
    return Tally(known.leads("created_at").on("won_day"))


@measure({"MKTG-12": "Archived to active leads"}, kind="stock", basis="stock", better="band")
def archived_to_active_leads(known: Known) -> dict[str, Quantity]:
    """Archived leads for each active one.

    Definition: At the end of the period, the leads that were archived, for each lead that was active: not archived,
        not disqualified, not yet an opportunity. Today's suggestions to archive are the active leads without activity
        for the agreed time and with a low score.
    Formula: # leads[archived] ÷ # leads[active] at t; suggested = active ∧ no activity > X days ∧ score < y
    Unit: ratio
    Needs: leads.created_at, leads.archived_at
    Source: MKTG-12, 30 KPIs for marketing managers
    """
    panel = _lead_states(known)
    archived, active = Count(panel, "archived"), Count(panel, "active")
    return {
        "archived_to_active": Ratio(archived, active, exact_counts=True, empty="no lead was active"),
        "archived": archived,
        "active": active,
        "suggested_to_archive": attempt(lambda: _suggested(known)),
    }


def _lead_states(known: Known) -> Panel:
    """Leads with 0/1 ``archived`` and ``active`` at the end of each period."""
    here = nw.col("created_at_n") <= EACH.known

    def not_by(column: str) -> nw.Expr:
        return nw.col(column).is_null() | (nw.col(column) > EACH.known)

    leads = known.in_each_period(known.lead_outcomes).with_columns(
        archived=yes(here & (nw.col("archived_at_n") <= EACH.known)),
        active=yes(here & not_by("archived_at_n") & not_by("disqualified_at_n") & not_by("deal_day")),
    )
    return Panel(leads, "leads")


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
    Formula: depth = mean over handed-over leads of Σ w·filled ÷ Σ w; breadth = mean contacts per account ÷ buying
        group size
    Unit: share
    Needs: leads.accepted_at; or leads.sql_at; or leads.mql_at
    Source: FUNNEL-1.5, MarketingProfs: 25 metrics by funnel stage
    """
    rows = _with_depth(known, _handed_over(known))
    return {
        "depth": Mean(rows, "depth", "share", "no lead was handed over in this period"),
        "breadth": attempt(
            lambda: Mean(_with_contacts(known), "people", "ratio", scale=1 / known.definitions.buying_group)
        ),
        "contacts_per_account": attempt(lambda: Mean(_with_contacts(known), "people", "count")),
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


@shared
def _with_contacts(known: Known) -> Rows:
    """Handed-over leads of known accounts, with the ``people`` known there."""
    known.need("contacts", "account_id")
    known.need("leads", "account_id")
    rows = _handed_over(known)
    people = known.frame("contacts").filter(~nw.col("account_id").is_null()).with_columns(one=nw.lit(1))
    people = people.group_by("account_id").agg(people=nw.col("one").sum())
    joined = rows.frame.filter(~nw.col("account_id").is_null()).join(people, on="account_id", how="left")
    return Rows(joined, rows.table, rows.day).also(people=nw.col("people").fill_null(0))
