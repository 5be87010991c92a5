"""What customers pay: orders, subscriptions, recognised revenue, and what they and the market think and spend."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpis.demo import products
from kpis.demo.accounts import Accounts
from kpis.demo.calendar import NEVER, iso, month_starts, quarters
from kpis.demo.companies import account_ids, ids
from kpis.demo.deals import Deals
from kpis.demo.truth import SEGMENTS, TYPES, Truth

_ADD_ONS_A_YEAR = 0.5
_ANSWERS_A_YEAR = 0.45
_MARKET_SHARE = np.array([0.031, 0.022, 0.012])
_MARKET_GROWTH = 0.08


class Revenue:
    """The revenue side of a company; every method gives one table."""

    def __init__(
        self, truth: Truth, deals: Deals, accounts: Accounts, product: np.ndarray, rng: np.random.Generator
    ) -> None:
        self.truth, self.deals, self.accounts, self.product, self.rng = truth, deals, accounts, product, rng
        self._orders = self._order_lines()
        self._subscriptions = self._prices()

    def customers(self) -> pd.DataFrame:
        """Companies that ever ordered."""
        a, end = self.accounts, self.truth.last
        who = a.customers
        return pd.DataFrame(
            {
                "account_id": account_ids(who),
                "first_order_at": iso(a.first_order[who]),
                "churned_at": iso(a.churned[who], end),
                "reactivated_at": iso(a.reactivated[who], end),
                "segment": np.array(SEGMENTS)[a.segment[who]],
            }
        )

    def orders(self) -> pd.DataFrame:
        """What won deals, first orders from before the start, yearly invoices and add-ons come to, by product."""
        lines = self._orders
        return pd.DataFrame(
            {
                "order_id": ids("R", np.arange(len(lines))),
                "account_id": account_ids(lines["account"].to_numpy()),
                "product_id": products.IDS[lines["product"]],
                "category": products.CATEGORY[lines["product"]],
                "amount": lines["amount"],
                "ordered_at": iso(lines["day"].to_numpy()),
            }
        )

    def subscriptions(self) -> pd.DataFrame:
        """Every contract at each of its prices."""
        rows = self._subscriptions
        return pd.DataFrame(
            {
                "account_id": account_ids(rows["account"].to_numpy()),
                "mrr": rows["mrr"],
                "start": iso(rows["start"].to_numpy()),
                "end": iso(rows["end"].to_numpy(), self.truth.last),
            }
        )

    def finance(self) -> pd.DataFrame:
        """Recognised revenue: subscriptions by the day, services when ordered; the last month to date."""
        first, last = self.truth.first, self.truth.last
        starts = month_starts(first, last)
        ends = np.minimum(np.append(starts[1:], NEVER) - 1, last)
        length = np.diff(month_starts(first, last + 31)[: len(starts) + 1])
        rows = self._subscriptions
        daily = np.zeros(last - first + 2)
        held = rows[(rows["end"] >= first) & (rows["start"] <= last)]
        np.add.at(daily, np.maximum(held["start"] - first, 0), held["mrr"])
        np.add.at(daily, np.minimum(held["end"] + 1, last + 1) - first, -held["mrr"])
        running = np.append(0.0, np.cumsum(np.cumsum(daily[:-1])))
        recurring = (running[ends - first + 1] - running[np.maximum(starts - first, 0)]) / length
        lines = self._orders
        services = lines[np.isin(lines["product"], products.SERVICES)]
        services = services[services["day"] >= first]
        month = np.searchsorted(starts, services["day"], side="right") - 1
        earned = np.bincount(month, services["amount"], len(starts))
        return pd.DataFrame({"period": iso(starts), "revenue": (recurring + earned).round(2)})

    def nps(self) -> pd.DataFrame:
        """Survey answers of active customers; those about to leave score low."""
        a, rng, truth = self.accounts, self.rng, self.truth
        who, day = self.events(_ANSWERS_A_YEAR)
        leaving = (a.churned[who] - day >= 0) & (a.churned[who] - day < 240)
        mood = np.where(leaving, 5.2, 8.3) + 0.2 * (day - truth.first) / 365.25 + rng.normal(0, 1.7, len(who))
        return pd.DataFrame(
            {
                "responded_at": iso(day),
                "account_id": account_ids(who),
                "score": np.clip(np.round(mood), 0, 10).astype(np.int64),
            }
        )

    def wallet(self) -> pd.DataFrame:
        """What customers spend a year with all vendors, for the categories that account managers asked about."""
        a, rng = self.accounts, self.rng
        known = a.customers[rng.random(len(a.customers)) < 0.6]
        rows = []
        for category, factor in (("Platform", 2.6), ("Analytics", 1.4), ("Integration", 0.7)):
            spend = a.arr[known] * factor * np.exp(rng.normal(0, 0.45, len(known)))
            source = np.where(rng.random(len(known)) < 0.7, "account plan", "analyst estimate")
            rows.append(
                pd.DataFrame(
                    {
                        "account_id": account_ids(known),
                        "category": category,
                        "estimated_total_spend": spend.round(-2),
                        "source": source,
                    }
                )
            )
        return pd.concat(rows, ignore_index=True).sort_values(["account_id", "category"], kind="stable")

    def market(self) -> pd.DataFrame:
        """All vendors' revenue by segment and quarter; the last quarter to date."""
        truth, lines = self.truth, self._orders
        inside = lines[(lines["day"] >= truth.first) & (lines["day"] <= truth.last)]
        own = np.bincount(self.accounts.segment[inside["account"]], inside["amount"], len(SEGMENTS))
        a_day = own / (truth.last - truth.first + 1) / _MARKET_SHARE
        rows = []
        for start, end in quarters(truth.first, truth.last):
            days = min(end, truth.last) - start + 1
            years = (start - truth.first) / 365.25 - (truth.last - truth.first) / 365.25 / 2
            size = a_day * days * np.exp(_MARKET_GROWTH * years + self.rng.normal(0, 0.02, len(SEGMENTS)))
            source = "Analyst survey" if end <= truth.last else "Analyst survey, quarter to date"
            rows += [(segment, start, value, source) for segment, value in zip(SEGMENTS, size, strict=True)]
        segment, start, value, source = zip(*rows, strict=True)
        return pd.DataFrame(
            {
                "segment": segment,
                "period": iso(np.array(start)),
                "market_revenue": np.round(value, -3),
                "source": source,
            }
        )

    def active_days(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Customers, and the first and last day inside the records of their last time as one."""
        a, truth = self.accounts, self.truth
        who = a.customers
        back = a.reactivated[who] <= truth.last
        start = np.maximum(np.where(back, a.reactivated[who], a.first_order[who]), truth.first)
        end = np.minimum(np.where(back, NEVER, a.churned[who] - 1), truth.last)
        held = start <= end
        return who[held], start[held], end[held]

    def events(self, a_year: float) -> tuple[np.ndarray, np.ndarray]:
        """Random days of active customers at a yearly rate, by day."""
        who, start, end = self.active_days()
        count = self.rng.poisson(a_year * (end - start + 1) / 365.25)
        row = np.repeat(np.arange(len(who)), count)
        day = self.rng.integers(start[row], end[row] + 1)
        order = np.argsort(day, kind="stable")
        return who[row][order], day[order]

    def _order_lines(self) -> pd.DataFrame:
        """Account, product, amount and day of every order line, by day."""
        deals, a, rng = self.deals, self.accounts, self.rng
        won = np.flatnonzero(deals.won)
        services = np.where(rng.random(len(won)) < 0.32, rng.uniform(0.06, 0.22, len(won)), 0.0)
        extra = np.round(deals.book.amount[won] * services, 2)
        sold = extra > 0
        first_product = a.segment.copy()  # what legacy customers have: one of the three platforms, by segment
        new = won[deals.features["type"][won] == TYPES.index("new")]
        first_product[a.of_deal[new]] = self.product[new]
        legacy = a.customers[a.first_order[a.customers] < self.truth.first]
        billed, anniversary = self._anniversaries()
        who, day = self.events(_ADD_ONS_A_YEAR)
        insight = int(np.flatnonzero(products.NAMES == "Insight Pro")[0])
        add_on = np.where(rng.random(len(who)) < 0.7, rng.choice(products.SERVICES, len(who)), insight)
        parts = [
            (a.of_deal[won], self.product[won], deals.book.amount[won] - extra, deals.closed[won]),
            (a.of_deal[won][sold], rng.choice(products.SERVICES, sold.sum()), extra[sold], deals.closed[won][sold]),
            (legacy, first_product[legacy], a.arr[legacy], a.first_order[legacy]),
            (billed, first_product[billed], a.arr[billed], anniversary),
            (who, add_on, np.round(a.arr[who] * rng.uniform(0.03, 0.15, len(who)), 2), day),
        ]
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        lines = pd.DataFrame(dict(zip(("account", "product", "amount", "day"), columns, strict=True)))
        return lines.sort_values(["day", "account"], kind="stable", ignore_index=True)

    def _anniversaries(self) -> tuple[np.ndarray, np.ndarray]:
        """Customers and days on which a contract runs on for a year without a renewal deal within half a year."""
        deals, a = self.deals, self.accounts
        who = a.customers
        end = np.minimum(a.churned[who] - 1, self.truth.last)
        years = (end - a.first_order[who]) // 365
        customer = np.repeat(who, years)
        day = a.first_order[customer] + 365 * (pd.Series(customer).groupby(customer).cumcount().to_numpy() + 1)
        renewed = np.flatnonzero(deals.won & (deals.features["type"] == TYPES.index("renewal")))
        # One number a customer and day, far apart between customers, so that the nearest renewal is a neighbour.
        key = np.sort(a.of_deal[renewed] * NEVER + deals.closed[renewed])
        key = np.concatenate([[-NEVER], key, [len(a) * NEVER * 2]])
        mine = customer * NEVER + day
        place = np.searchsorted(key, mine)
        apart = np.minimum(key[place] - mine, mine - key[place - 1]) > 182
        return customer[apart], day[apart]

    def _prices(self) -> pd.DataFrame:
        """Contracts cut where a renewal changes the price; ``end`` is the day before the customer left."""
        deals, a, rng = self.deals, self.accounts, self.rng
        kind, won, closed = deals.features["type"], deals.won, deals.closed
        customers = a.customers
        base = pd.DataFrame(
            {"account": customers, "start": a.first_order[customers], "log": np.log(a.arr[customers] / 12)}
        )
        renewed = np.flatnonzero(won & (kind == TYPES.index("renewal")))
        cut = rng.random(len(renewed)) < 0.13
        change = np.where(cut, rng.uniform(0.6, 0.95, len(renewed)), rng.uniform(1.0, 1.09, len(renewed)))
        renewals = pd.DataFrame({"account": a.of_deal[renewed], "start": closed[renewed], "log": np.log(change)})
        chain = pd.concat([base, renewals]).sort_values(["account", "start"], kind="stable", ignore_index=True)
        chain = chain.assign(mrr=np.exp(chain.groupby("account")["log"].cumsum()))
        after = chain.groupby("account")["start"].shift(-1)
        until = np.minimum(a.churned[chain["account"]], after.fillna(NEVER)) - 1
        chain = chain.assign(end=until.astype(np.int64))
        more = np.flatnonzero(won & np.isin(kind, [TYPES.index("expansion"), TYPES.index("winback")]))
        back = kind[more] == TYPES.index("winback")
        added = pd.DataFrame(
            {
                "account": a.of_deal[more],
                "start": closed[more],
                "mrr": deals.book.amount[more] / 12,
                "end": np.where(back, NEVER, a.churned[a.of_deal[more]] - 1),
            }
        )
        rows = pd.concat([chain[["account", "start", "mrr", "end"]], added])
        rows = rows[rows["end"] >= rows["start"]].assign(mrr=lambda r: r["mrr"].round(2))
        return rows.sort_values(["start", "account"], kind="stable", ignore_index=True)
