"""How each asset did against the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np
from scipy import stats

from kpis.measures.content import events
from kpis.measures.core.grid import Grid
from kpis.measures.core.known import Known
from kpis.measures.core.quantity import Quantity, tried
from kpis.measures.core.rows import Reducer, Rows, Scan
from kpis.measures.core.samples import Amount
from kpis.measures.registry import measure


@measure({"MKTG-15": "Content performance"}, kind="derived", basis="flow", better="higher")
def content_index(known: Known) -> dict[str, Quantity]:
    """How each asset did against the others.

    Definition: The mean percentile rank, among the assets of the period, of an asset's views, downloads, MQLs, the
        amount of the opportunities it touched, and uses by sales, each weighing the same (those that are recorded).
        Reach is the mean rank of views, downloads and uses, conversion that of MQLs and touched pipeline: keep where
        both are above the middle, refresh where one is, retire where neither is.
    Formula: index = 100 × mean percentile rank of {views, downloads, MQLs, influenced pipeline, sales uses} in P
    Unit: index
    Needs: content_events.asset_id, content_events.event, content_events.occurred_at
    Source: MKTG-15, 30 KPIs for marketing managers
    """
    reach = {kind: Scan(events(known, kind).by("asset_id")) for kind in ("view", "download", "sales_use")}
    conversion: dict[str, Scan] = {}
    if known.has("leads", "mql_at", "asset_id"):
        conversion["MQLs"] = Scan(known.leads("mql_at").given("asset_id").by("asset_id"))
    touched = tried(lambda: Amount(_touched(known), "amount"))
    if isinstance(touched, Amount):
        conversion["pipeline"] = Scan(touched.of, ("amount",))
    return {
        "index": ContentIndex({**reach, **conversion}),
        "reach": ContentIndex(reach),
        "conversion": ContentIndex(
            conversion or reach, note="" if conversion else "no conversion is recorded: as reach"
        ),
    }


def _touched(known: Known) -> Rows:
    """Opportunities an asset touched in a period, each once a day and asset, with their amount."""
    known.need("content_events", "opportunity_id")
    known.need("opportunities", "amount")
    rows = known.rows("content_events", "occurred_at")
    named = rows.frame.filter(~nw.col("opportunity_id").is_null()).select("asset_id", "opportunity_id", "occurred_at_n")
    # An opportunity counts in the period of its first touch by the asset.
    first = named.group_by("asset_id", "opportunity_id").agg(occurred_at_n=nw.col("occurred_at_n").min())
    deals = known.frame("opportunities").select("opportunity_id", amount=nw.col("amount").fill_null(0.0))
    return Rows(first.join(deals, on="opportunity_id", how="inner"), "content_events", "occurred_at_n", over="asset_id")


@dataclass(frozen=True, eq=False)
class ContentIndex(Quantity):
    """100 × mean percentile rank of several totals among the assets that have any of them in the period."""

    parts: dict[str, Scan]
    unit: str = "index"
    over: str = "asset_id"
    note: str = ""

    def scans(self) -> Iterator[Scan]:
        """The totals, by asset."""
        yield from self.parts.values()

    def grid(self, reducer: Reducer) -> Grid:
        """The index."""
        names, totals = self._totals(reducer)
        if not names:
            shape = (1, len(reducer.window.periods))
            return Grid.of(("",), np.full(shape, np.nan), np.zeros(shape), why="no content event in this period")
        there = np.sum([table > 0 for table in totals], axis=0) > 0
        value = np.stack([_ranked([table[:, p] for table in totals]) for p in range(there.shape[1])], axis=1)
        return Grid.of(
            names,
            value,
            np.sum(totals, axis=0) if len(totals) == 1 else there.sum(axis=0) * there,
            why="no event of the asset in this period",
        )

    def together(self, reducer: Reducer, periods: int) -> dict[str, float]:
        """The index of each asset over the last ``periods`` periods together."""
        names, totals = self._totals(reducer)
        if not names:
            return {}
        index = _ranked([table[:, -periods:].sum(axis=1) for table in totals])
        return {name: float(value) for name, value in zip(names, index, strict=True) if np.isfinite(value)}

    def _totals(self, reducer: Reducer) -> tuple[tuple[str, ...], list[np.ndarray]]:
        """The assets, and of each part the totals by asset and period."""
        reduced = [reducer.run(scan) for scan in self.parts.values()]
        sums = [scan.sums[0] if scan.sums else "rows" for scan in self.parts.values()]
        names = tuple(sorted({name for one in reduced for name in one.groups if name}))
        totals = []
        for one, column in zip(reduced, sums, strict=True):
            table = np.zeros((len(names), one.periods))
            for g, name in enumerate(one.groups):
                if name:
                    table[names.index(name)] = one.sum(column)[g]
            totals.append(table)
        return names, totals


def _ranked(totals: list[np.ndarray]) -> np.ndarray:
    """100 × mean percentile rank among the assets that have any of the totals; NaN for the others."""
    rows = np.sum([total > 0 for total in totals], axis=0) > 0
    value = np.full(len(rows), np.nan)
    used = [total[rows] for total in totals if total[rows].any()]
    if used:
        value[rows] = 100 * np.mean([(stats.rankdata(one) - 0.5) / len(one) for one in used], axis=0)
    return value


def verdict(reach: float, conversion: float) -> str:
    """Keep, refresh or retire: by which of the two indexes is above the middle."""
    above = (reach > 50) + (conversion > 50)
    return ("retire", "refresh", "keep")[above]
