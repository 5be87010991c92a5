"""The site: visits that become leads, visits that bounce, pages read, and the way to conversion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np

from kpis.engine import collect
from kpis.measures.core import intervals
from kpis.measures.core.grid import Grid
from kpis.measures.core.known import Known
from kpis.measures.core.quantity import Quantity, attempt
from kpis.measures.core.rows import Reducer, Rows, Scan
from kpis.measures.core.samples import Mean, Share
from kpis.measures.core.tables import shared
from kpis.measures.core.tally import digital_leads_per_visit, reported
from kpis.measures.registry import measure

NO_VISITS = "nobody visited the site in this period"
ENGAGED_SECONDS = 10
RETURN_DAYS = 30


@measure({"MKTG-2": "Digital leads as % of total visits"}, kind="ratio", basis="flow", better="higher")
def visit_to_lead_rate(known: Known) -> dict[str, Quantity]:
    """Digital leads for each visit to the site.

    Definition: Leads of the period that came in by a digital channel (the settings list them) over the visits to the
        site in it. The two are counted separately, so the ratio is not a share of the same records. Where leads or
        visits are not recorded, leads that campaigns report over the clicks that they report; click-through, the
        clicks for each time an advertisement was shown, beside it.
    Formula: # leads[channel digital, created ∈ P] ÷ # sessions in P; click-through = # clicks ÷ # impressions
    Unit: share
    Needs: leads.created_at, leads.channel, web_sessions.started_at; or spend.leads, spend.channel, spend.clicks
    Source: MKTG-2, 30 KPIs for marketing managers; interval: exact, two Poisson counts
    """
    rate = digital_leads_per_visit(known)
    return {
        "leads_per_visit": rate,
        "digital_leads": rate.numerator,
        "visits": rate.denominator,
        "click_through": attempt(lambda: _click_through(known)),
    }


def _click_through(known: Known) -> Quantity:
    clicks = reported(known, "clicks", needs=("impressions",))
    rows = clicks.rows.given("impressions")
    return Share(rows, "clicks", "impressions", "nothing was shown in this period", note=clicks.note)


@measure({"MKTG-3": "Bounce rate"}, kind="ratio", basis="flow", better="lower")
def bounce_rate(known: Known) -> dict[str, Quantity]:
    """Share of visits that saw one page and left without converting.

    Definition: Classic: visits of a single page without a conversion. The engagement variant: visits that were not
        engaged (under 10 seconds, one page, no conversion). The strict one of the article adds that the visitor does
        not come back: no further visit within 30 days, of the visits that are at least 30 days old.
    Formula: single-page sessions without conversion ÷ sessions; 1 − engaged ÷ sessions; bounced ∧ no further session
        of the visitor in 30 days
    Unit: share
    Needs: web_sessions.started_at, web_sessions.pages_viewed
    Source: MKTG-3, 30 KPIs for marketing managers
    """
    rows = _sessions(known)
    return {
        "bounce_rate": Share(rows, "bounced", empty=NO_VISITS),
        "not_engaged": attempt(lambda: _not_engaged(known, rows)),
        "bounced_and_never_back": attempt(lambda: _never_back(known, rows)),
    }


@shared
def _sessions(known: Known) -> Rows:
    """Visits with 0/1 ``converted``, ``bounced`` and ``idle`` (bounced within seconds)."""
    converted = ~nw.col("converted_lead_id").is_null()
    bounced = (nw.col("pages_viewed") <= 1) & ~converted
    idle = bounced & (nw.col("engaged_seconds").fill_null(0.0) < ENGAGED_SECONDS)
    return known.rows("web_sessions", "started_at").flag(converted=converted, bounced=bounced, idle=idle)


def _not_engaged(known: Known, rows: Rows) -> Quantity:
    known.need("web_sessions", "engaged_seconds")
    return Share(rows, "idle", empty=NO_VISITS)


def _never_back(known: Known, rows: Rows) -> Quantity:
    """Bounced visits whose visitor has no later visit within 30 days; a second visit on the same day is a return."""
    known.need("web_sessions", "visitor_id", "session_id")
    named = rows.frame.filter(~nw.col("visitor_id").is_null())
    # The next visit of each visitor: days and number of visits of the day.
    daily = named.with_columns(one=nw.lit(1)).group_by("visitor_id", "started_at_n").agg(visits=nw.col("one").sum())
    daily = daily.with_columns(next_day=nw.col("started_at_n").shift(-1).over("visitor_id", order_by="started_at_n"))
    joined = named.join(daily, on=["visitor_id", "started_at_n"], how="inner")
    again = (nw.col("visits") > 1) | (nw.col("next_day") - nw.col("started_at_n") <= RETURN_DAYS).fill_null(False)
    old = Rows(joined, "web_sessions", "started_at_n").where(nw.col("started_at_n") <= known.today - RETURN_DAYS)
    return Share(
        old.flag(gone=(nw.col("bounced") == 1) & ~again), "gone", empty="no visit of this period is 30 days old"
    )


@measure({"MKTG-7": "Landing-page conversion"}, kind="ratio", basis="flow", better="higher")
def landing_page_conversion(known: Known) -> dict[str, Quantity]:
    """Share of visits that convert on the visit, over the pages they land on.

    Definition: Visits of the period that landed on a known page and made a lead on that visit, over all that landed
        on one; by landing page; and of the visitors that landed in the period, those who made a lead in it.
    Formula: # landing sessions with a conversion on that visit ÷ # sessions landing on the page; unique-visitor
        variant
    Unit: share
    Needs: web_sessions.started_at, web_sessions.landing_page, web_sessions.converted_lead_id
    Source: MKTG-7, 30 KPIs for marketing managers
    """
    rows = _sessions(known).given("landing_page")
    return {
        "conversion": Share(rows, "converted", empty=NO_VISITS),
        "by_landing_page": Share(rows.by("landing_page"), "converted", empty=NO_VISITS),
        "of_visitors": attempt(lambda: _of_visitors(known, rows)),
    }


def _of_visitors(known: Known, rows: Rows) -> Quantity:
    known.need("web_sessions", "visitor_id")
    return OncePer(rows.given("visitor_id"), "visitor_id", "converted")


@dataclass(frozen=True, eq=False)
class OncePer(Quantity):
    """Share of the keys seen in a period that have the flag at least once in it."""

    of: Rows
    key: str
    flag: str
    unit: str = "share"
    note: str = ""

    def scans(self) -> Iterator[Scan]:
        """The flag's sum by key."""
        yield Scan(self.of, (self.flag,), (self.key,))

    def grid(self, reducer: Reducer) -> Grid:
        """The share, with a Wilson interval."""
        reduced = reducer.run(next(self.scans()))
        shape = (len(reduced.groups), reduced.periods)
        part, whole = (
            np.bincount(reduced.inside["cell"], each, shape[0] * shape[1]).reshape(shape)
            for each in (reduced.inside[self.flag] > 0, None)
        )
        value = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
        low, high = intervals.wilson(part, whole)
        return Grid.of(reduced.groups, value, whole, low=low, high=high, why=NO_VISITS)


@measure({"MKTG-8": "Percent of total pages read"}, kind="mean", basis="flow", better="higher")
def pages_read_share(known: Known) -> dict[str, Quantity]:
    """Share of the site's tracked pages that a visitor reads.

    Definition: Of each visitor of a tracked page in the period, the different tracked pages seen in it, over all
        tracked pages; mean over the visitors.
    Formula: mean over visitors of (# distinct tracked pages viewed ÷ # tracked pages)
    Unit: share
    Needs: page_views.visitor_id, page_views.page, page_views.viewed_at, pages.is_tracked
    Source: MKTG-8, 30 KPIs for marketing managers
    """
    tracked = known.frame("pages").filter(nw.col("is_tracked") == 1).select("page")
    total = _rows_in(tracked)
    views = known.frame("page_views").filter(~nw.col("visitor_id").is_null()).join(tracked, on="page", how="inner")
    views = known.with_period(views.select("visitor_id", "page", "viewed_at_n"), "viewed_at_n")
    seen = views.group_by("p", "visitor_id", "page").agg(day=nw.col("viewed_at_n").min())
    seen = seen.with_columns(one=nw.lit(1)).group_by("p", "visitor_id")
    rows = Rows(seen.agg(pages=nw.col("one").sum(), day=nw.col("day").min()), "page_views", "day")
    nothing = "no tracked page was viewed in this period"
    return {
        "pages_read": Mean(rows, "pages", "share", nothing, scale=1 / max(total, 1)),
        "pages_per_visitor": Mean(rows, "pages", "count", nothing),
    }


def _rows_in(frame: nw.LazyFrame) -> int:
    counted = frame.with_columns(one=nw.lit(1)).select("one").group_by("one").agg(n=nw.len())
    found = collect(counted, {"n": "int"})["n"]
    return int(found.iloc[0]) if len(found) else 0


@measure({"MKTG-9": "Page flow before conversion"}, kind="mean", basis="flow", better="context")
def pre_conversion_page_flow(known: Known) -> dict[str, Quantity]:
    """Share of the funnel's pages that visitors see before they convert.

    Definition: Of each visitor that became a lead in the period, the different funnel pages viewed up to the day of
        the first conversion, over all funnel pages; mean over the converting visitors, and how they spread. Lift of a
        page: how much more often visitors who saw it convert than visitors at large.
    Formula: # distinct funnel pages viewed before the first conversion ÷ # funnel pages, mean; lift = P(conversion |
        page) ÷ P(conversion)
    Unit: share
    Needs: page_views.visitor_id, page_views.page, page_views.viewed_at, pages.funnel_step, leads.visitor_id,
        leads.created_at
    Source: MKTG-9, 30 KPIs for marketing managers
    """
    funnel = known.frame("pages").filter(~nw.col("funnel_step").is_null()).select("page", "funnel_step")
    total = _rows_in(funnel.select("page"))
    leads = known.frame("leads").filter(~nw.col("visitor_id").is_null())
    converted = leads.group_by("visitor_id").agg(converted_n=nw.col("created_at_n").min())
    views = known.frame("page_views").join(funnel, on="page", how="inner")
    before = views.join(converted, on="visitor_id", how="inner").filter(nw.col("viewed_at_n") <= nw.col("converted_n"))
    pairs = before.select("visitor_id", "page").unique(["visitor_id", "page"]).with_columns(one=nw.lit(1))
    counted = pairs.group_by("visitor_id").agg(pages=nw.col("one").sum())
    rows = Rows(converted.join(counted, on="visitor_id", how="left"), "page_views", "converted_n")
    rows = rows.also(pages=nw.col("pages").fill_null(0))
    nobody = "no visitor converted in this period"
    by_count = rows.also(pages_seen=nw.col("pages").cast(nw.String)).by("pages_seen")
    return {
        "flow_covered": Mean(rows, "pages", "share", nobody, scale=1 / max(total, 1)),
        "pages_before_conversion": Mean(rows, "pages", "count", nobody),
        "spread": Share(by_count, "rows", of_all=True, empty=nobody),
        "lift_by_page": PageLift(_viewers(known, funnel, converted), _everybody(known, converted)),
    }


def _everybody(known: Known, converted: nw.LazyFrame) -> Rows:
    """Every visitor on the first day they viewed a page, with 0/1 ``converts``."""
    seen = known.frame("page_views").filter(~nw.col("visitor_id").is_null())
    first = seen.group_by("visitor_id").agg(first_view=nw.col("viewed_at_n").min())
    rows = Rows(first.join(converted, on="visitor_id", how="left"), "page_views", "first_view")
    return rows.flag(converts=~nw.col("converted_n").is_null())


def _viewers(known: Known, funnel: nw.LazyFrame, converted: nw.LazyFrame) -> Rows:
    """Visitor and funnel page, on the day of the first view of it, with 0/1 ``converts`` (on that day or later)."""
    seen = known.frame("page_views").filter(~nw.col("visitor_id").is_null()).join(funnel, on="page", how="inner")
    first = seen.group_by("visitor_id", "page").agg(first_view=nw.col("viewed_at_n").min())
    rows = Rows(first.join(converted, on="visitor_id", how="left"), "page_views", "first_view", over="page")
    return rows.flag(converts=nw.col("converted_n") >= nw.col("first_view"))


@dataclass(frozen=True, eq=False)
class PageLift(Quantity):
    """P(conversion | saw the page) ÷ P(conversion), by page."""

    of: Rows
    everybody: Rows
    unit: str = "ratio"
    over: str = "page"
    note: str = "who sees a page may differ in other ways: not causal"

    def scans(self) -> Iterator[Scan]:
        """Viewers and converters, by page and in all."""
        yield Scan(self.of, ("converts", "rows"))
        yield Scan(self.everybody, ("converts", "rows"))

    def grid(self, reducer: Reducer) -> Grid:
        """The lift; its interval is that of the page's share."""
        pages, everybody = (reducer.run(scan) for scan in self.scans())
        part, whole = pages.sum("converts"), pages.sum("rows")
        base_part = everybody.sum("converts").sum(axis=0, keepdims=True)
        base_whole = everybody.sum("rows").sum(axis=0, keepdims=True)
        base = np.divide(base_part, base_whole, out=np.full(base_part.shape, np.nan), where=base_part > 0)
        share = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
        low, high = intervals.wilson(part, whole)
        return Grid.of(
            pages.groups, share / base, whole, low=low / base, high=high / base, why="nobody converted in this period"
        )
