"""Content: what is downloaded and by whom, and what its leads are worth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np

from kpis.measures.core.composed import Ratio
from kpis.measures.core.customer_states import CustomerStates
from kpis.measures.core.dimensions import NOT_GIVEN
from kpis.measures.core.grid import Grid
from kpis.measures.core.known import Known
from kpis.measures.core.quantity import Quantity, attempt
from kpis.measures.core.rows import Panel, Reducer, Rows, Scan, yes
from kpis.measures.core.samples import Amount, Share
from kpis.measures.core.tables import EACH, is_one_of, shared
from kpis.measures.core.totals import Count, Ledger
from kpis.measures.registry import measure


def events(known: Known, *kinds: str) -> Rows:
    """Content events of the kinds, on their day."""
    known.need("content_events", "event", "asset_id")
    return known.once(
        f"content {kinds}", lambda: known.rows("content_events", "occurred_at").where(is_one_of("event", kinds))
    )


def on_offer(known: Known) -> nw.LazyFrame:
    """Assets that were published by the as-of day, where that is known, and are not retired."""
    known.need("content_assets", "asset_id")
    assets = known.frame("content_assets").filter(nw.col("retired").fill_null(0) == 0)
    # An asset published after the as-of day has no known date yet: only the ones known by then are offered.
    if known.has("content_assets", "published_on"):
        assets = assets.filter(~nw.col("published_on_n").is_null())
    return assets


@shared
def active_assets(known: Known) -> Panel:
    """Assets with 0/1 ``on_offer`` at the end of each period."""
    published = nw.col("published_on_n").is_null() | (nw.col("published_on_n") <= EACH.known)
    return Panel(known.in_each_period(on_offer(known)).with_columns(on_offer=yes(published)), "content_assets")


@dataclass(frozen=True, eq=False)
class Distinct(Quantity):
    """How many different values of ``key`` occur in a period."""

    of: Rows
    key: str
    unit: str = "count"
    note: str = ""

    def scans(self) -> Iterator[Scan]:
        """Rows by key."""
        yield Scan(self.of, ("rows",), (self.key,))

    def grid(self, reducer: Reducer) -> Grid:
        """The number of keys; 0 in a period without rows after the first record."""
        reduced = reducer.run(next(self.scans()))
        inside = reduced.table[(reduced.table["p"] >= 0) & reduced.table[self.key].notna()]
        value = np.zeros((len(reduced.groups), reduced.periods))
        np.add.at(value, (inside["g"].to_numpy(), inside["p"].to_numpy()), 1)
        return Grid.of(reduced.groups, np.where(reduced.begun, value, np.nan), value, why="before the first record")


@measure({"SIX-5": "Content audit & usage"}, kind="simple", basis="flow", better="higher")
def content_usage(known: Known) -> dict[str, Quantity]:
    """Downloads, who downloads, and how many customers did before they bought.

    Definition: Downloads of the period, in all and by asset; assets on offer that nobody downloaded in it; of the
        downloads whose persona and whose asset's target are known, the share by the target persona; of the customers
        new in the period, the share that had downloaded something before the first order.
    Formula: # downloads; # assets on offer with 0 downloads; target ÷ downloads with known persona; new customers
        with ≥ 1 earlier download ÷ new customers
    Unit: count
    Needs: content_events.asset_id, content_events.event, content_events.occurred_at
    Source: SIX-5, six KPIs for sales and marketing alignment
    """
    downloads = events(known, "download")
    return {
        "downloads": Count(downloads),
        "downloads_by_asset": Count(downloads.by("asset_id")),
        "assets_never_downloaded": attempt(lambda: _unused(known, downloads)),
        "target_persona_share": attempt(lambda: _target_share(known, downloads)),
        "customers_reached": attempt(lambda: _reached(known, downloads)),
    }


def _unused(known: Known, downloads: Rows) -> Quantity:
    return Unused(active_assets(known), offered(known, downloads))


def offered(known: Known, rows: Rows) -> Rows:
    """Only events of assets that are on offer."""
    assets = on_offer(known).select("asset_id")
    return Rows(rows.frame.join(assets, on="asset_id", how="inner"), rows.table, rows.day)


@dataclass(frozen=True, eq=False)
class Unused(Quantity):
    """Assets on offer that no event of the period names."""

    offered: Panel
    used: Rows
    unit: str = "count"
    note: str = ""

    @property
    def sampled(self) -> bool:
        """A state, not a sample."""
        return False

    def rows(self) -> Panel:
        """The assets on offer."""
        return self.offered

    def scans(self) -> Iterator[Scan]:
        """Assets on offer, and those used."""
        yield Scan(self.offered, ("on_offer",))
        yield Scan(self.used, ("rows",), ("asset_id",))

    def grid(self, reducer: Reducer) -> Grid:
        """Offered less used, in all."""
        scans = list(self.scans())
        offered = reducer.run(scans[0]).sum("on_offer").sum(axis=0, keepdims=True)
        used = reducer.run(scans[1])
        inside = used.table[used.table["p"] >= 0].groupby("p")["asset_id"].nunique()
        seen = np.zeros(offered.shape)
        seen[0, inside.index.to_numpy(dtype=int)] = inside.to_numpy()
        return Grid.of(("",), np.maximum(offered - seen, 0), offered)


def _target_share(known: Known, downloads: Rows) -> Quantity:
    known.need("content_assets", "target_persona")
    known.need("content_events", "lead_id")
    known.need("leads", "persona")
    assets = known.frame("content_assets").select("asset_id", "target_persona")
    people = known.frame("leads").select("lead_id", reader=nw.col("persona"))
    joined = downloads.frame.join(assets, on="asset_id", how="inner").join(people, on="lead_id", how="inner")
    known_both = ~nw.col("target_persona").is_null() & ~nw.col("reader").is_null()
    rows = Rows(joined.filter(known_both), downloads.table, downloads.day)
    same = nw.col("target_persona").str.to_lowercase() == nw.col("reader").str.to_lowercase()
    return Share(rows.flag(on_target=same), "on_target", empty="no download by a known persona in this period")


def _reached(known: Known, downloads: Rows) -> Quantity:
    named = []
    if known.has("content_events", "account_id"):
        named.append(downloads.frame.select("account_id", seen_n=nw.col("occurred_at_n")))
    if known.has("content_events", "lead_id") and known.has("leads", "account_id"):
        leads = known.frame("leads").select("lead_id", lead_account=nw.col("account_id"))
        joined = downloads.frame.join(leads, on="lead_id", how="inner")
        named.append(joined.select(account_id=nw.col("lead_account"), seen_n=nw.col("occurred_at_n")))
    if not named:
        known.need("content_events", "account_id")
    first = (
        nw.concat(named)
        .filter(~nw.col("account_id").is_null())
        .group_by("account_id")
        .agg(first_seen=nw.col("seen_n").min())
    )
    customers = CustomerStates(known).first_orders.join(first, on="account_id", how="left")
    rows = Rows(customers, "customers", "first_n").flag(reached=nw.col("first_seen") <= nw.col("first_n"))
    return Share(rows, "reached", empty="no customer was new in this period")


@measure({"MKTG-5": "Leads per asset in dollar value"}, kind="simple", basis="flow", better="higher")
def asset_lead_value(known: Known) -> dict[str, Quantity]:
    """Money won from the leads of each asset.

    Definition: The amount won in the period from opportunities whose lead came from the asset (realised); what the
        leads the asset brought in the period are worth at the money won per lead of their channel so far (expected);
        and the realised value for each unit of money that the asset cost.
    Formula: Σ won amount over leads with asset a; expected = Σ over channels # leads(a, c) × won per lead(c); ROI =
        value ÷ asset cost
    Unit: money
    Needs: leads.asset_id, opportunities.closed_at, opportunities.amount, opportunities.lead_id; or leads.asset_id,
        opportunities.closed_at, opportunities.amount, leads.opportunity_id
    Source: MKTG-5, 30 KPIs for marketing managers
    """
    won = known.won_with_lead.where(~nw.col("lead_asset").is_null()).by("lead_asset")
    value = Amount(won, "amount")
    return {
        "realised_value": value,
        "expected_value": ExpectedValue(_asset_leads(known), known.leads("created_at").by("channel")),
        "leads": Count(_asset_leads(known)),
        "value_per_cost": attempt(lambda: Ratio(value, _costs(known), "ratio", empty="the asset has no cost")),
    }


def _asset_leads(known: Known) -> Rows:
    return known.leads("created_at").given("asset_id").by("asset_id")


def _costs(known: Known) -> Quantity:
    known.need("content_assets", "cost")

    # An asset costs once, whichever period its leads are won in.
    assets = known.in_each_period(known.frame("content_assets")).with_columns(nw.col("cost").fill_null(0.0))
    return Ledger(Panel(assets, "content_assets", over="asset_id"), "cost")


@dataclass(frozen=True, eq=False)
class ExpectedValue(Quantity):
    """Leads of each asset × money won per lead of their channel, over all leads up to the end of each period."""

    of: Rows
    by_channel: Rows
    unit: str = "money"
    note: str = "channels without a win so far are worth 0"

    def scans(self) -> Iterator[Scan]:
        """Leads by asset and channel; leads and money won by channel."""
        yield Scan(self.of, ("rows",), ("channel",))
        yield Scan(self.by_channel, ("won_amount", "rows"))

    def grid(self, reducer: Reducer) -> Grid:
        """The expected value."""
        leads, channels = (reducer.run(scan) for scan in self.scans())
        table = channels.table.sort_values("p")
        worth: dict[tuple[str, int], float] = {}
        for g, cell in table.groupby("g"):
            for p in range(channels.periods):
                so_far = cell[cell["p"] <= p]
                rows = so_far["rows"].sum()
                worth[channels.groups[g], p] = so_far["won_amount"].sum() / rows if rows else 0.0
        value, n = (np.zeros((len(leads.groups), leads.periods)) for _ in range(2))
        for g, p, cell in leads.cells():
            names = [NOT_GIVEN if name is None or name != name else str(name) for name in cell["channel"]]  # noqa: PLR0124 - NaN
            value[g, p] = sum(rows * worth.get((name, p), 0.0) for name, rows in zip(names, cell["rows"], strict=True))
            n[g, p] = cell["rows"].sum()
        return Grid.of(leads.groups, np.where(leads.begun, value, np.nan), n, why="before the first record")
