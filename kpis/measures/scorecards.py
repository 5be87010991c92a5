"""The company's own scorecards: sales enablement and lead management, with every item shown.

Two of the article's indexes are proprietary; these are disclosed ones of the company's own and say so.
"""

from __future__ import annotations

import narwhals.stable.v2 as nw
import numpy as np

from kpis.engine import NEVER
from kpis.errors import NotEnoughData
from kpis.measures.core.composed import Derived, Ratio, Stacked
from kpis.measures.core.grid import Grid
from kpis.measures.core.known import Known
from kpis.measures.core.quantity import Missing, Quantity, attempt, tried
from kpis.measures.core.rows import Panel, Rows, Window, yes
from kpis.measures.core.samples import Share
from kpis.measures.core.tables import EACH, earliest, is_one_of, shared
from kpis.measures.core.totals import Count, Ledger
from kpis.measures.leads import accepted_by_sales
from kpis.measures.registry import measure, part_of

OWN = "the company's own scorecard, not IDC's"


def _ratings(known: Known, *names: str) -> Panel:
    """Ratings in force at the end of each period: the latest assessment of each item."""
    known.need("scorecards", "scorecard", "item", "rating")
    rows = known.frame("scorecards").filter(is_one_of("scorecard", names) & ~nw.col("rating").is_null())
    rows = rows.with_columns(day=nw.col("assessed_on_n").fill_null(-NEVER))
    days = rows.select("item", "day").unique(["item", "day"])
    days = days.with_columns(next_day=nw.col("day").shift(-1).over("item", order_by="day"))
    rows = rows.join(days, on=["item", "day"], how="inner").with_columns(weighs=nw.col("weight").fill_null(1.0))

    lasts = nw.col("next_day").is_null() | (nw.col("next_day") > EACH.known)
    valid = (nw.col("day") <= EACH.known) & lasts
    points = nw.col("weighs") * (nw.col("rating") - 1) * nw.lit(0.25)
    rated = known.in_each_period(rows).with_columns(
        points=nw.when(valid).then(points).otherwise(nw.lit(0.0)),
        weights=nw.when(valid).then(nw.col("weighs")).otherwise(nw.lit(0.0)),
        ratings=yes(valid),
    )
    return Panel(rated, "scorecards")


def _questionnaire(known: Known, *names: str) -> dict[str, Quantity]:
    """Share of the points the questionnaire can give, in all and by item, and how many ratings it rests on."""
    panel = _ratings(known, *names)
    unrated = "nobody had rated it yet"

    def of(panel: Panel) -> Ratio:
        return Ratio(Ledger(panel, "points", "count"), Ledger(panel, "weights", "count"), "share", empty=unrated)

    return {"questionnaire": of(panel), "by_item": of(panel.by("item")), "ratings": Ledger(panel, "ratings", "count")}


def _index(weight: float, questionnaire: Quantity, computed: dict[str, Quantity]) -> Quantity:
    """100 × the questionnaire blended with the mean of the computed items that have a value."""

    def formula(*inputs: Grid | Window) -> Grid:
        asked, *items, _ = inputs
        stack = np.array([np.clip(item.value, 0.0, 1.0) for item in items]) if items else np.empty((0, *asked.shape))
        seen = np.isfinite(stack)
        count = seen.sum(axis=0)
        mean = np.divide(
            np.where(seen, stack, 0.0).sum(axis=0), count, out=np.full(asked.shape, np.nan), where=count > 0
        )
        blend = (1 - weight) * asked.value + weight * mean
        value = np.where(np.isfinite(mean), np.where(np.isfinite(asked.value), blend, mean), asked.value)
        return Grid.of(asked.groups, 100 * value, asked.n + count, why="needs ratings or computed items")

    return Derived(formula, (questionnaire, *computed.values()), "index", OWN)


def _usable(items: dict[str, Quantity]) -> dict[str, Quantity]:
    return {name: item for name, item in items.items() if not isinstance(item, Missing)}


@measure({"IDC-7": "Sales enablement score"}, kind="assessment", basis="assessment", better="higher")
def sales_enablement_score(known: Known) -> dict[str, Quantity]:
    """How well sellers are equipped, by the company's own scorecard.

    Definition: The ratings of the enablement questionnaire (1 to 5, the latest of each item, weighted), blended with
        computed items between 0 and 1: opportunities on which material was used (FUNNEL-2.5), selling time
        (FUNNEL-2.3), and sellers at or above quota where targets by seller are set. The company's own scorecard, not
        IDC's, whose formula is proprietary.
    Formula: 100 × [(1 − w_q) × Σ wᵢ (ratingᵢ − 1)/4 ÷ Σ wᵢ + w_q × mean of the computed items]
    Unit: index
    Needs: scorecards.scorecard, scorecards.item, scorecards.rating
    Source: IDC-7, IDC customer creation scorecard, benchmark 47 for IDC's own index
    """
    asked = _questionnaire(known, "sales_enablement", "sales enablement")
    computed = _usable(
        {
            "material used": tried(lambda: part_of(known, "sales_material_usage")),
            "selling time": tried(lambda: part_of(known, "selling_time")),
            "sellers at quota": tried(lambda: _at_quota(known)),
        }
    )
    weight = known.definitions.computed_share if computed else 0.0
    parts: dict[str, Quantity] = {"score": _index(weight, asked["questionnaire"], computed), **asked}
    if computed:
        parts["computed_items"] = Stacked(computed, "share", "item")
    return parts


def _at_quota(known: Known) -> Quantity:
    """Share of the sellers with a target of their own (scope: the seller) who won at least that in the period."""
    known.need("targets", "scope", "metric", "value", "period")
    known.need("opportunities", "owner", "closed_at", "amount")
    goals = known.frame("targets").filter(is_one_of("metric", ("bookings", "quota")) & ~nw.col("scope").is_null())
    sellers = known.frame("opportunities").filter(~nw.col("owner").is_null()).select("owner").unique(["owner"])
    goals = known.in_each_period(goals.join(sellers, left_on="scope", right_on="owner", how="inner"))
    goals = goals.filter((nw.col("period_n") >= EACH.start) & (nw.col("period_n") <= EACH.last))
    goals = goals.select("p", "value", owner=nw.col("scope")).group_by("owner", "p").agg(goal=nw.col("value").sum())
    won = known.with_period(known.won.frame.filter(~nw.col("owner").is_null()), "closed_at_n")
    won = won.select("owner", "p", money=nw.col("amount").fill_null(0.0))
    made = won.group_by("owner", "p").agg(made=nw.col("money").sum())
    both = goals.filter(nw.col("goal") > 0).join(made, on=["owner", "p"], how="left")
    both = both.with_columns(reached=yes(nw.col("made") >= nw.col("goal")))
    return Share(Panel(both, "opportunities"), "reached", empty="no seller has a target in this period")


@measure({"IDC-8": "Lead management score"}, kind="assessment", basis="assessment", better="higher")
def lead_management_score(known: Known) -> dict[str, Quantity]:
    """How well leads are managed, by the company's own scorecard.

    Definition: The ratings of the lead management questionnaire (where there is one) blended with computed items
        between 0 and 1: a shared MQL definition is agreed, MQLs acted on within the agreed days, MQLs accepted,
        completeness at hand-off (FUNNEL-1.5), a recycle process in use, disqualified leads with a reason, MQLs sales
        gave any answer on. The company's own scorecard, not IDC's, whose formula is proprietary.
    Formula: 100 × Σ wᵢ sᵢ ÷ Σ wᵢ: the questionnaire's (ratingᵢ − 1)/4 by weight, blended with the mean of the
        computed items
    Unit: index
    Needs: leads.mql_at; or scorecards.scorecard, scorecards.item, scorecards.rating
    Source: IDC-8, IDC customer creation scorecard, benchmark 52 for IDC's own index
    """
    rated = tried(lambda: _questionnaire(known, "lead_management", "lead management")["questionnaire"])
    computed = _usable({name: tried(lambda build=build: build(known)) for name, build in _LEAD_ITEMS.items()})
    if isinstance(rated, Missing) and not computed:
        raise NotEnoughData("needs table leads, column mql_at", way_out="Or rate the questionnaire")
    weight = known.definitions.computed_share if computed else 0.0
    asked = Ledger(_nobody(known), "points") if isinstance(rated, Missing) else rated
    parts: dict[str, Quantity] = {"score": _index(weight, asked, computed), "questionnaire": rated}
    parts["by_item"] = attempt(lambda: _questionnaire(known, "lead_management", "lead management")["by_item"])
    if computed:
        parts["computed_items"] = Stacked(computed, "share", "item")
    return parts


def _nobody(known: Known) -> Rows:
    """No rows: an unrated questionnaire."""
    return known.leads("mql_at").where(nw.col("mql_at_n").is_null()).also(points=nw.lit(0.0))


@shared
def _mqls(known: Known) -> Rows:
    """MQLs with 0/1 ``agreed`` (on what an MQL is) and ``answered`` by sales in any way."""
    answers = ("accepted_at_n", "sql_at_n", "disqualified_at_n", "recycled_at_n")
    answered = nw.any_horizontal(*[~nw.col(name).is_null() for name in answers], ignore_nulls=False)
    return known.leads("mql_at").flag(agreed=nw.lit(known.definitions.mql_definition_agreed), answered=answered)


def _agreed(known: Known) -> Quantity:
    return Share(_mqls(known), "agreed", empty="no MQL in this period")


def _in_time(known: Known) -> Quantity:
    if not known.has("leads", "accepted_at"):
        known.need("leads", "sql_at")
    acted = earliest("accepted_at_n", "sql_at_n", "disqualified_at_n")
    days = known.definitions.lead_sla_days
    # An MQL younger than the agreed days can still be acted on in time.
    old = _mqls(known).where(nw.col("mql_at_n") <= known.today - days)
    return Share(old.flag(in_time=acted - nw.col("mql_at_n") <= days), "in_time", empty="no MQL is old enough")


def _accepted(known: Known) -> Quantity:
    if known.has("leads", "accepted_at"):
        return accepted_by_sales(known)
    return part_of(known, "mql_to_sql_rate")


def _complete(known: Known) -> Quantity:
    return part_of(known, "lead_knowledge")


def _recycled(known: Known) -> Quantity:
    known.need("leads", "recycled_at")
    recycled = Count(known.leads("recycled_at"))

    def used(count: Grid, window: Window) -> Grid:  # noqa: ARG001
        return Grid.of(
            count.groups,
            np.where(np.isfinite(count.value), (count.value > 0).astype(float), np.nan),
            count.n,
            why=count.reason,
        )

    return Derived(used, (recycled,), "share")


def _with_reason(known: Known) -> Quantity:
    known.need("leads", "disqualified_at", "reason")
    rows = known.leads("disqualified_at").flag(reasoned=~nw.col("reason").is_null())
    return Share(rows, "reasoned", empty="no lead was disqualified in this period")


def _answered(known: Known) -> Quantity:
    return Share(_mqls(known), "answered", empty="no MQL in this period")


_LEAD_ITEMS = {
    "MQL definition agreed": _agreed,
    "acted on in time": _in_time,
    "MQLs accepted": _accepted,
    "complete at hand-off": _complete,
    "recycle process in use": _recycled,
    "disqualified with a reason": _with_reason,
    "answered by sales": _answered,
}
