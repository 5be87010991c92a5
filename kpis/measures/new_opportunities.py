"""New qualified opportunities: how many, at what pace, and when they are meant to close."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np

from kpis.measures.core import intervals
from kpis.measures.core.formulas import Plan
from kpis.measures.core.grid import Grid
from kpis.measures.core.known import Known
from kpis.measures.core.pipeline import (
    PAST,
)
from kpis.measures.core.quantity import Quantity, attempt
from kpis.measures.core.rows import Reducer, Rows, Scan, Window
from kpis.measures.core.samples import Amount
from kpis.measures.core.totals import Count
from kpis.measures.registry import measure
from kpis.periods import day_of


@measure({"HEINZ-3": "New opportunities created"}, kind="simple", basis="flow", better="higher")
def new_qualified_opportunities(known: Known) -> dict[str, Quantity]:
    """Opportunities that first met the shared definition of qualified.

    Definition: How many opportunities qualified in the period, whatever their close date, and their amount; where the
        count should be by now (the target spread over working days as past periods were), and the pace index; how
        they spread over the months of their expected close, as first set and as set now.
    Formula: N(P) = # opportunities with qualified day ∈ P; expected by now = target · s(d), s(d) = past cumulative
        share by working day; pace index = N ÷ expected; spread = N by close-month offset 0, 1, 2, 3, 4+
    Unit: count
    Needs: opportunities.created_at; or opportunities.qualified_at
    Source: HEINZ-3, Heinz: three defining measures of sales and marketing success
    """
    rows = known.qualified_deals
    return {
        "opportunities": Count(rows),
        "amount": attempt(lambda: _qualified_amount(known)),
        "expected_by_now": Pace(known, rows, index=False),
        "pace_index": Pace(known, rows, index=True),
        "by_close_month_now": attempt(lambda: _spread(known)),
        "by_close_month_first_set": attempt(lambda: _first_spread(known)),
    }


def _qualified_amount(known: Known) -> Quantity:
    known.need("opportunities", "amount")
    return Amount(known.qualified_deals, "amount")


@dataclass(frozen=True, eq=False)
class Pace(Quantity):
    """How many should have qualified by now, or how many did for each that should (the pace index)."""

    known: Known
    of: Rows
    index: bool
    note: str = "target × the share that had qualified by this working day in past periods"

    @property
    def unit(self) -> str:
        """Index or count."""
        return "ratio" if self.index else "count"

    def scans(self) -> Iterator[Scan]:
        """Qualified opportunities by day."""
        yield Scan(self.of, ("rows",), (self.of.day,))

    def grid(self, reducer: Reducer) -> Grid:
        """The whole target in periods that are over; its share by working day in the one that is not."""
        reduced, window = reducer.run(next(self.scans())), reducer.window
        plan = reducer.grid(Plan(self.known, "new_opps", "count"))
        n = reduced.sum("rows")[:1]
        share = np.where(window.whole, 1.0, self._share(reduced.table, window))
        expected = plan.value * share
        if not self.index:
            return Grid.of(("",), expected, n, why=plan.reason)
        low, high = intervals.poisson(n)
        safe = np.where(expected > 0, expected, np.nan)
        return Grid.of(("",), n / safe, n, low=low / safe, high=high / safe, why=plan.reason)

    def _share(self, table, window: Window) -> float:  # noqa: ANN001 - a reduced table
        """Share of a past period's total that had come by the working day that the last period has reached."""
        reached = int(np.busday_count(day_of(window.starts[-1]), day_of(window.ends[-1] + 1)))
        shares = []
        for p in np.flatnonzero(window.whole)[-PAST:]:
            cell = table[table["p"] == p]
            total = cell["rows"].sum()
            if total > 0:
                start = np.datetime64(day_of(window.starts[p]))
                worked = np.busday_count(
                    start, cell[self.of.day].to_numpy().astype("int64").astype("datetime64[D]") + 1
                )
                shares.append(cell["rows"].to_numpy()[worked <= reached].sum() / total)
        return float(np.mean(shares)) if shares else np.nan


OFFSETS = ("same month", "1 month on", "2 months on", "3 months on", "4 and more")


@dataclass(frozen=True, eq=False)
class Spread(Quantity):
    """Count by how many months after qualifying the deal is expected to close."""

    of: Rows
    close: str
    unit: str = "count"
    over: str = "close month"
    note: str = ""

    def scans(self) -> Iterator[Scan]:
        """Opportunities by qualified day and expected close."""
        yield Scan(self.of, ("rows",), (self.of.day, self.close))

    def grid(self, reducer: Reducer) -> Grid:
        """One group an offset; what was expected earlier than it qualified counts as the same month."""
        table = reducer.run(next(self.scans())).table
        table = table[(table["p"] >= 0) & table[self.close].notna()]
        month = [
            table[name].to_numpy().astype("int64").astype("datetime64[D]").astype("datetime64[M]").astype(int)
            for name in (self.of.day, self.close)
        ]
        offset = np.clip(month[1] - month[0], 0, len(OFFSETS) - 1)
        value = np.zeros((len(OFFSETS), len(reducer.window.periods)))
        np.add.at(value, (offset, table["p"].to_numpy()), table["rows"].to_numpy())
        low, high = intervals.poisson(value)
        return Grid.of(OFFSETS, value, value, low=low, high=high)


def _spread(known: Known) -> Quantity:
    known.need("opportunities", "expected_close")
    return Spread(known.qualified_deals, "expected_close_n")


def _first_spread(known: Known) -> Quantity:
    known.need("opportunity_history", "expected_close")
    history = known.frame("opportunity_history").filter(~nw.col("expected_close_n").is_null())
    earliest = history.group_by("opportunity_id").agg(nw.col("seq").min())
    first = history.join(earliest, on=["opportunity_id", "seq"], how="inner")
    first = first.select("opportunity_id", first_close=nw.col("expected_close_n"))
    rows = known.qualified_deals
    return Spread(Rows(rows.frame.join(first, on="opportunity_id", how="left"), rows.table, rows.day), "first_close")
