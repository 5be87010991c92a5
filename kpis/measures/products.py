"""What is sold: revenue by product margin and age, sizes of orders, and the share of the market."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np

from kpis.engine import collect
from kpis.measures.core import intervals
from kpis.measures.core.dimensions import group_by_dimension
from kpis.measures.core.grid import Grid
from kpis.measures.core.known import Known
from kpis.measures.core.quantity import Quantity
from kpis.measures.core.rows import Reducer, Rows, Scan
from kpis.measures.core.samples import Amount, Keyed, Mean, Median, Share, SumRatio
from kpis.measures.core.tables import shared
from kpis.measures.core.tally import sales
from kpis.measures.core.totals import Ledger
from kpis.measures.registry import measure
from kpis.measures.revenue import size_bands, won_amount
from kpis.periods import day_of


def own_revenue(known: Known) -> Quantity:
    """Recognised revenue where there is a finance table, else orders, else what was sold; ``note`` says which."""
    if known.has("finance", "period", "revenue"):
        return Ledger(known.rows("finance", "period"), "revenue", note="over recognised revenue")
    if known.has("orders", "ordered_at", "amount"):
        return Amount(known.rows("orders", "ordered_at"), "amount", note="over orders: no finance table")
    sold_by = sales(known)
    note = f"over sales {sold_by.note}" if sold_by.in_totals else "over bookings: no finance table"
    return Amount(sold_by.rows, sold_by.money, note=note)


def purchased(known: Known) -> Rows:
    """Orders on their day; won opportunities where there are no orders."""
    if known.has("orders", "ordered_at", "amount"):
        return known.rows("orders", "ordered_at")
    return won_amount(known).of


@shared
def gross_margin(known: Known) -> Quantity:
    """Σ revenue × margin ÷ Σ revenue, of what was sold with a known margin."""
    known.need("products", "margin_share")
    earned = sold(known).also(earned=nw.col("amount") * nw.col("margin_share"))
    return SumRatio(earned, "earned", "amount", empty="nothing with a known margin was sold in this period")


@shared
def sold(known: Known) -> Rows:
    """What was sold, by order or by won opportunity, with its product's ``margin_share`` and ``launched_n``.

    Raises
    ------
    NotEnoughData
        Where nothing sold names a known product.
    """
    products = known.frame("products")
    attributes = {"margin_share": nw.col("margin_share"), "launched_n": nw.col("launched_on_n")}
    by_id = products.select(line_product=nw.col("product_id"), **attributes)
    if known.has("orders", "product_id", "ordered_at", "amount"):
        rows = known.rows("orders", "ordered_at")
        frame = rows.frame.join(by_id, left_on="product_id", right_on="line_product", how="inner")
        return Rows(frame, rows.table, rows.day)
    known.need("opportunities", "product", "closed_at", "amount")
    rows = known.won
    keys = by_id
    if known.has("products", "name"):
        # A CRM names the product, an export may carry its id: either finds it, the id first.
        named = products.filter(~nw.col("name").is_null() & (nw.col("name") != nw.col("product_id")))
        keys = nw.concat([by_id, named.select(line_product=nw.col("name"), **attributes)]).unique(
            ["line_product"], keep="any"
        )
    frame = rows.frame.join(keys, left_on="product", right_on="line_product", how="inner")
    return Rows(frame, rows.table, rows.day)


@measure({"FUNNEL-3.1": "Sales from high-margin products"}, kind="ratio", basis="flow", better="higher")
def high_margin_sales_share(known: Known) -> dict[str, Quantity]:
    """Share of revenue from high-margin products.

    Definition: Revenue of the period from products whose gross margin share is at or above the agreed bound, over the
        revenue from products whose margin is known; orders, or won opportunities where there are none.
    Formula: Σ revenue[margin ≥ bound] ÷ Σ revenue
    Unit: share
    Needs: products.margin_share, orders.product_id, orders.amount, orders.ordered_at; or products.margin_share,
        opportunities.product, opportunities.closed_at, opportunities.amount
    Source: FUNNEL-3.1, MarketingProfs: 25 metrics by funnel stage
    """
    rows = sold(known).given("margin_share")
    high = nw.col("margin_share") >= known.definitions.high_margin_from
    return _part_of_revenue(rows, high, "high_margin")


@measure({"FUNNEL-3.2": "Sales from new products"}, kind="ratio", basis="flow", better="higher")
def new_product_sales_share(known: Known) -> dict[str, Quantity]:
    """Share of revenue from products launched recently (vitality index).

    Definition: Revenue of the period from products launched at most the agreed number of months (12) before the sale,
        over the revenue from products whose launch is known; orders, or won opportunities where there are none.
    Formula: Σ revenue[sale day − launch day ≤ N months] ÷ Σ revenue
    Unit: share
    Needs: products.launched_on, orders.product_id, orders.amount, orders.ordered_at; or products.launched_on,
        opportunities.product, opportunities.closed_at, opportunities.amount
    Source: FUNNEL-3.2, MarketingProfs: 25 metrics by funnel stage
    """
    rows = sold(known).given("launched_n")
    days = round(known.definitions.new_product_months * 365.25 / 12)
    return _part_of_revenue(rows, nw.col(rows.day) - nw.col("launched_n") <= days, "new_product")


def _part_of_revenue(rows: Rows, chosen: nw.Expr, name: str) -> dict[str, Quantity]:
    money = nw.col("amount").fill_null(0.0)
    rows = rows.also(part=nw.when(chosen).then(money).otherwise(nw.lit(0.0)))
    return {
        f"{name}_share": SumRatio(rows, "part", "amount", empty="nothing was sold in this period"),
        f"{name}_revenue": Amount(rows.where(chosen), "amount"),
    }


@measure({"FUNNEL-3.7": "Size of orders"}, kind="ratio", basis="flow", better="context")
def order_size_concentration(known: Known) -> dict[str, Quantity]:
    """How large orders are, and how much of the revenue hangs on few customers.

    Definition: The revenue share of the largest fifth of the customers of the period (80/20), the sum of squared
        revenue shares (HHI), the largest customer's share, which is the revenue at risk if it leaves; mean, median
        and bands of the order size. Orders, or won opportunities where there are none.
    Formula: share of the top 20 % of customers; HHI = Σ share²; top account = max share; mean and median order
    Unit: share
    Needs: orders.account_id, orders.amount, orders.ordered_at; or opportunities.account_id, opportunities.amount,
        opportunities.closed_at
    Source: FUNNEL-3.7, MarketingProfs: 25 metrics by funnel stage; interval of the top share: Beach and Davidson
        (1983)
    """
    rows = purchased(known).where(nw.col("amount") > 0)
    named = rows.given("account_id")
    nothing = "nothing was sold in this period"

    def by_customer(statistic, unit: str = "share") -> Keyed:  # noqa: ANN001 - a function of sums
        return Keyed(named, "account_id", "amount", statistic, unit, nothing)

    return {
        "top_fifth_share": by_customer(top_fifth),
        "HHI": by_customer(
            lambda money: (float(((money / money.sum()) ** 2).sum()), np.nan, np.nan, len(money)), "index"
        ),
        "top_account_share": by_customer(lambda money: (float(money.max() / money.sum()), np.nan, np.nan, len(money))),
        "top_account_revenue": by_customer(lambda money: (float(money.max()), np.nan, np.nan, len(money)), "money"),
        "mean_order": Mean(rows, "amount", empty=nothing),
        "median_order": Median(rows, "amount", empty=nothing),
        "orders_by_size": Share(size_bands(known, rows), "rows", of_all=True, empty=nothing),
    }


TOP = 0.2


def top_fifth(money: np.ndarray) -> tuple[float, float, float, float]:
    """Share of the total that the largest fifth holds, the marginal one in part; interval by its influence function.

    ψ = ((x − q)⁺ + 0.2 q − S x) ÷ mean, q the value that the top fifth starts from; S ± z sd(ψ)/√n.
    """
    n, total = len(money), float(money.sum())
    ordered = np.sort(money)[::-1]
    places = TOP * n
    whole = int(places + 1e-9)
    partly = (places - whole) * ordered[whole] if whole < n else 0.0
    share = (ordered[:whole].sum() + partly) / total
    if n < 5:
        return share, np.nan, np.nan, n
    q = ordered[min(whole, n - 1)]
    psi = (np.maximum(money - q, 0.0) + TOP * q - share * money) / (total / n)
    half = intervals.Z * psi.std() / np.sqrt(n)
    return share, max(0.0, share - half), min(1.0, share + half), n


@measure({"FUNNEL-3.9": "Market share"}, kind="ratio", basis="flow", better="higher")
def market_share(known: Known) -> dict[str, Quantity]:
    """Share of the revenue of a defined market.

    Definition: Own revenue (orders, or won opportunities where there are none) in the segments of the market table,
        over all vendors' revenue in them, for the span each of its rows covers, at the period in which that span
        ends; by segment; and how much faster than the market own revenue grew over the span before.
    Formula: own revenue(segment, P) ÷ market revenue(segment, P); relative growth = own growth − market growth
    Unit: share
    Needs: market.segment, market.period, market.market_revenue, orders.account_id, orders.amount, orders.ordered_at,
        customers.segment; or market.segment, market.period, market.market_revenue, opportunities.amount,
        opportunities.closed_at, opportunities.segment; or market.segment, market.period, market.market_revenue,
        orders.account_id, orders.amount, orders.ordered_at, accounts.industry
    Source: FUNNEL-3.9, MarketingProfs: 25 metrics by funnel stage
    """
    market_rows(known)
    return {
        "market_share": MarketShare(known, "total"),
        "by_segment": MarketShare(known, "segment"),
        "relative_growth": MarketShare(known, "growth"),
    }


def market_rows(known: Known) -> Rows:
    """What was sold, by market segment; NotEnoughData where sales have no segment."""

    def make() -> Rows:
        rows = purchased(known)
        frame = group_by_dimension(known.dataset, known.frame, rows.frame, rows.table, "segment")
        frame = frame.with_columns(market_segment=nw.col("group"), money=nw.col("amount").fill_null(0.0)).drop("group")
        return Rows(frame, rows.table, rows.day, over="market_segment")

    return known.once("revenue by market segment", make)


@dataclass(frozen=True, eq=False)
class MarketShare(Quantity):
    """Own over market revenue by the spans of the market table (quarters or years)."""

    known: Known
    show: str
    note: str = ""
    unit: str = "share"

    @property
    def over(self) -> str:
        """What the groups are."""
        return "segment"

    @property
    def sampled(self) -> bool:
        """Two accounts, not a sample."""
        return False

    def scans(self) -> Iterator[Scan]:
        """Own revenue by segment and day."""
        rows = market_rows(self.known)
        yield Scan(rows, ("money",), (rows.day,))

    def _market(self):  # noqa: ANN202 - a data frame
        frame = self.known.frame("market").filter(~nw.col("segment").is_null() & ~nw.col("period_n").is_null())
        table = frame.group_by("segment", "period_n").agg(nw.col("market_revenue").sum())
        found = collect(table, {"segment": "text", "period_n": "int", "market_revenue": "float"})
        return found.sort_values(["segment", "period_n"], ignore_index=True)

    def grid(self, reducer: Reducer) -> Grid:
        """The share in the periods in which a span of the market table ends."""
        reduced = reducer.run(next(self.scans()))
        market = self.known.once("market", self._market)
        starts = np.sort(market["period_n"].unique())
        ends = self._ends(starts)
        names = tuple(sorted(market["segment"].unique())) or ("",)
        own = self._own(reduced, names, starts, ends)
        whole = market.pivot_table(index="segment", columns="period_n", values="market_revenue", aggfunc="sum")
        theirs = (
            whole.reindex(index=list(names), columns=list(starts)).to_numpy(dtype=float)
            if len(market)
            else np.zeros((1, 0))
        )
        # A total is taken only where every segment is known, and own revenue began before the span.
        value = {"segment": own / theirs, "total": own.sum(axis=0, keepdims=True) / theirs.sum(axis=0, keepdims=True)}
        if self.show == "growth":
            totals = own.sum(axis=0, keepdims=True), theirs.sum(axis=0, keepdims=True)
            grown = [
                np.concatenate([[[np.nan]], t[:, 1:] / np.where(t[:, :-1] > 0, t[:, :-1], np.nan) - 1], axis=1)
                if t.shape[1]
                else t
                for t in totals
            ]
            shown = grown[0] - grown[1]
        else:
            shown = value[self.show]
        groups = names if self.show == "segment" else ("",)
        out = np.full((len(groups), reduced.periods), np.nan)
        for k, end in enumerate(ends):
            for p, span in enumerate(reducer.window.spans):
                if span.start <= end <= span.known:
                    out[:, p] = shown[:, k]
        n = np.isfinite(out).astype(float)
        return Grid.of(groups, out, n, why="no span of the market table ends in this period")

    @staticmethod
    def _ends(starts: np.ndarray) -> np.ndarray:
        """Last day of each span: before the next one, and the last as many months long as the one before."""
        if not len(starts):
            return starts
        months = np.array([day_of(day).year * 12 + day_of(day).month - 1 for day in starts])
        length = int(np.diff(months).min()) if len(months) > 1 else 3
        return ((months + length - 1970 * 12).astype("datetime64[M]").astype("datetime64[D]").astype(int)) - 1

    def _own(self, reduced, names: tuple[str, ...], starts: np.ndarray, ends: np.ndarray) -> np.ndarray:  # noqa: ANN001
        """Own revenue by segment and span; unknown in spans that begin before the first sale."""
        table = reduced.table
        day = table[market_rows(self.known).day].to_numpy()
        label = np.array(reduced.groups, dtype=object)[table["g"]]
        own = np.zeros((len(names), len(starts)))
        first = day.min() if len(day) else np.inf
        for k, (start, end) in enumerate(zip(starts, ends, strict=True)):
            inside = (day >= start) & (day <= end)
            for row, name in enumerate(names):
                own[row, k] = (
                    table["money"].to_numpy()[inside & (label == name)].sum() if start >= first - 31 else np.nan
                )
        return own
