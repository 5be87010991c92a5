"""What sales uses of marketing's material, and how deals with it fare."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np

from kpis.measures.content import Distinct, active_assets, events, offered
from kpis.measures.core import intervals
from kpis.measures.core.composed import Ratio
from kpis.measures.core.grid import Grid
from kpis.measures.core.known import Known
from kpis.measures.core.quantity import Quantity, attempt
from kpis.measures.core.rows import Panel, Reducer, Rows, Scan, yes
from kpis.measures.core.samples import Share
from kpis.measures.core.tables import EACH
from kpis.measures.core.totals import Count, Ledger
from kpis.measures.registry import measure


@measure({"FUNNEL-2.5": "Usage of marketing materials and messages"}, kind="ratio", basis="flow", better="higher")
def sales_material_usage(known: Known) -> dict[str, Quantity]:
    """Share of opportunities on which sales used marketing's material.

    Definition: Of the opportunities open at some time in the period, those on which sales had used at least one asset
        by its end; uses for each asset on offer; the share of the assets on offer that was used; the win rate of the
        deals closed in the period with and without use, and the difference matched by segment (Mantel and Haenszel),
        which is not causal.
    Formula: opportunities with ≥ 1 use ÷ opportunities open in P; uses ÷ assets on offer; assets used ÷ assets on
        offer; win rate with − without
    Unit: share
    Needs: content_events.event, content_events.opportunity_id, content_events.occurred_at, opportunities.created_at
    Source: FUNNEL-2.5, MarketingProfs: 25 metrics by funnel stage
    """
    uses = events(known, "sales_use", "sales use", "used by sales")
    named = uses.frame.filter(~nw.col("opportunity_id").is_null())
    first = named.group_by("opportunity_id").agg(first_use=nw.col("occurred_at_n").min())
    deals = known.opportunities.join(first, on="opportunity_id", how="left")
    ended_before = (nw.col("closed_at_n") < EACH.start).fill_null(False)
    worked = (nw.col("created_at_n") <= EACH.known) & ~ended_before
    in_work = known.in_each_period(deals).with_columns(
        worked=yes(worked), used=yes(worked & (nw.col("first_use") <= EACH.known))
    )
    return {
        "opportunities_with_use": Share(
            Panel(in_work, "opportunities"), "used", "worked", "no opportunity was open in this period"
        ),
        "uses": Count(uses),
        "uses_per_asset": attempt(
            lambda: Ratio(
                Count(uses), Ledger(active_assets(known), "on_offer", "count"), "ratio", empty="no asset is on offer"
            )
        ),
        "assets_used_share": attempt(lambda: _used_share(known, uses)),
        "win_rate_with_use": attempt(lambda: _won_if(known, deals, "used")),
        "win_rate_without_use": attempt(lambda: _won_if(known, deals, "unused")),
        "win_rate_difference_matched": attempt(lambda: MatchedDifference(_closed(known, deals))),
    }


def _used_share(known: Known, uses: Rows) -> Quantity:
    return Ratio(
        Distinct(offered(known, uses), "asset_id"),
        Ledger(active_assets(known), "on_offer", "count"),
        "share",
        empty="no asset is on offer",
    )


def _closed(known: Known, deals: nw.LazyFrame) -> Rows:
    """Closed deals with 0/1 ``used``: a use on or before the close."""
    known.need("opportunities", "closed_at")

    def make() -> Rows:
        rows = Rows(deals, "opportunities", "closed_at_n").where(nw.col("is_open") == 0)
        stratum = nw.col("segment") if known.has("opportunities", "segment") else nw.lit("all")
        used, won = (nw.col("first_use") <= nw.col("closed_at_n")).fill_null(False), nw.col("is_won") == 1
        rows = rows.flag(used=used, used_won=used & won, unused=~used, unused_won=~used & won)
        return rows.also(stratum=stratum)

    return known.once("closed deals with use", make)


def _won_if(known: Known, deals: nw.LazyFrame, use: str) -> Quantity:
    return Share(_closed(known, deals), f"{use}_won", use, empty="no such deal closed in this period")


@dataclass(frozen=True, eq=False)
class MatchedDifference(Quantity):
    """Win rate with use less without, within segments and weighted as Mantel and Haenszel; Sato's variance.

    D = Σ (a n₀ − c n₁)/N ÷ Σ n₁ n₀/N over segments; a, c won and n₁, n₀ closed with and without use.
    """

    of: Rows
    unit: str = "share"
    note: str = "matched by segment; not causal: sales chooses where to use material"

    def scans(self) -> Iterator[Scan]:
        """Won and closed by segment and use."""
        yield Scan(self.of, ("is_won", "rows"), ("stratum", "used"))

    def grid(self, reducer: Reducer) -> Grid:
        """The difference."""
        reduced = reducer.run(next(self.scans()))
        shape = (len(reduced.groups), reduced.periods)
        value, low, high = (np.full(shape, np.nan) for _ in range(3))
        n = np.zeros(shape)
        for g, p, cell in reduced.cells():
            n[g, p] = cell["rows"].sum()
            stratum = np.unique(cell["stratum"].astype(str), return_inverse=True)[1]
            table = [
                np.bincount(stratum, np.where(cell["used"] == used, cell[name], 0.0))
                for used, name in ((1, "is_won"), (1, "rows"), (0, "is_won"), (0, "rows"))
            ]
            value[g, p], low[g, p], high[g, p] = matched_difference(*table)
        return Grid.of(
            reduced.groups, value, n, low=low, high=high, why="needs deals with and without use in one segment"
        )


def matched_difference(a: np.ndarray, n1: np.ndarray, c: np.ndarray, n0: np.ndarray) -> tuple[float, float, float]:
    """Mantel-Haenszel risk difference over strata and its interval (Sato 1989)."""
    both = (n1 > 0) & (n0 > 0)
    a, n1, c, n0 = a[both], n1[both], c[both], n0[both]
    total = n1 + n0
    weight = (n1 * n0 / total).sum() if len(total) else 0.0
    if weight <= 0:
        return np.nan, np.nan, np.nan
    d = float(((a * n0 - c * n1) / total).sum() / weight)
    p = (n1**2 * c - n0**2 * a + n1 * n0 * (n0 - n1) / 2) / total**2
    q = (a * (n0 - c) + c * (n1 - a)) / (2 * total)
    variance = (d * p.sum() + q.sum()) / weight**2
    half = intervals.Z * np.sqrt(max(variance, 0.0))
    return d, d - half, d + half
