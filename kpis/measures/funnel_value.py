"""What the open funnel is worth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np

from kpis.measures.core.grid import Grid
from kpis.measures.core.incidence import pooled
from kpis.measures.core.known import Known
from kpis.measures.core.pipeline import FromForecast, from_forecast, open_today
from kpis.measures.core.quantity import Quantity, attempt
from kpis.measures.core.rows import Reducer, Rows, Scan
from kpis.measures.core.totals import Ledger
from kpis.measures.registry import measure, part_of


@measure({"FUNNEL-3.6": "Value of sales funnel"}, kind="stock", basis="forecast", better="higher")
def funnel_value(known: Known) -> dict[str, Quantity]:
    """What the open funnel is worth by the company's own close ratios.

    Definition: The amount of every open, qualified opportunity times the share of deals that are won after entering
        its stage, by own history (the close ratios); where the forecast is at hand, its value, which also knows each
        deal's age and segment, with its 80 % range, and by period; for comparison the sum weighted with the CRM's
        stage probabilities.
    Formula: Σ aᵢ · P(win | stageᵢ); the forecast's Σ aᵢ · P(win | stageᵢ, age in stage, segment) beside it
    Unit: money
    Needs: opportunities.amount, opportunities.created_at, opportunities.closed_at
    Source: FUNNEL-3.6, MarketingProfs: 25 metrics by funnel stage
    """
    return {
        "by_own_close_ratios": FunnelValue(known),
        "by_forecast": FromForecast(lambda one: (one.funnel_value, one.funnel_low, one.funnel_high)),
        "by_forecast_this_period": from_forecast(lambda one: one.from_open, "money", 0),
        "by_forecast_next_period": from_forecast(lambda one: one.from_open, "money", 1),
        "by_forecast_next_but_one": from_forecast(lambda one: one.from_open, "money", 2),
        "by_stage_probability": attempt(lambda: _stage_weighted(known)),
        "open_amount": Ledger(open_today(known), "money"),
    }


def _stage_weighted(known: Known) -> Quantity:
    if known.has("opportunities", "probability"):
        return Ledger(open_today(known).also(weighted=nw.col("amount") * nw.col("probability")), "weighted")
    known.need("stages", "default_probability")
    stages = known.frame("stages").select("stage", chance=nw.col("default_probability")).unique(["stage"], keep="any")
    rows = open_today(known)
    joined = rows.frame.join(stages, on="stage", how="left")
    return Ledger(Rows(joined, rows.table, rows.day).also(weighted=nw.col("amount") * nw.col("chance")), "weighted")


@dataclass(frozen=True, eq=False)
class FunnelValue(Quantity):
    """Σ open amount by stage × the stage's close ratio (incidence over every deal that entered it)."""

    known: Known
    unit: str = "money"
    note: str = "today; past days are in the pipeline measures"

    def _open(self) -> Rows:
        def make() -> Rows:
            rows = open_today(self.known)
            if self.known.dataset.has_history:
                return rows.also(stage_now=nw.col("stage"))
            return rows.also(stage_now=nw.lit("All opportunities"))

        return self.known.once("open by stage", make)

    def scans(self) -> Iterator[Scan]:
        """Open money by stage, and the close ratios' scans."""
        yield Scan(self._open(), ("money", "rows"), ("stage_now",))
        yield from part_of(self.known, "close_ratio_by_stage").scans()

    def grid(self, reducer: Reducer) -> Grid:
        """The value today, with the interval of the close ratios."""
        opened = reducer.run(next(self.scans()))
        ratios = pooled(part_of(self.known, "close_ratio_by_stage"), reducer)
        # A deal in a stage that no history tells of takes the ratio of all visits.
        everywhere = ratios.get(None, (np.nan, np.nan, np.nan))
        value, n = (np.zeros((len(opened.groups), opened.periods)) for _ in range(2))
        low, high = value.copy(), value.copy()
        for g, p, cell in opened.cells():
            for stage, money, rows in zip(cell["stage_now"], cell["money"], cell["rows"], strict=True):
                share = ratios.get(str(stage), everywhere)
                value[g, p] += money * share[0]
                low[g, p] += money * share[1]
                high[g, p] += money * share[2]
                n[g, p] += rows
        value = np.where(n > 0, value, np.nan)
        return Grid.of(opened.groups, value, n, low=low, high=high, why="only today's funnel is valued")
