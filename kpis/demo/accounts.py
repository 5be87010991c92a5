"""Which company each deal is with, and the life of those that became customers.

A new deal is with a company of its own, or tries again where an earlier one was lost. Renewals and
expansions are with customers, lost renewals end them, win-backs are with those that left. Where no
customer fits, one from before the records began is added, so that nothing contradicts itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kpis.demo.arrivals import AMOUNT_MEDIAN, AMOUNT_SD, SEGMENT_SHARE
from kpis.demo.calendar import NEVER
from kpis.demo.deals import Deals
from kpis.demo.owners import TEAM_REGION, TEAM_SHARE
from kpis.demo.truth import REGIONS, SEGMENTS, TYPES, Truth

LEGACY_SHARE = 0.08
"""Customers from before the start, as a share of all opportunities."""
SILENT_CHURN = 0.04
"""Share of customers a year that leave without a renewal being lost."""
RETRY_SHARE = 0.12
_TRIES = 12

Fits = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Whether deals, shape (n, 1), can be with customers, shape (n, tries)."""


@dataclass
class Accounts:
    """Companies as arrays; those without a first order are prospects.

    ``group`` is segment x 3 + region; ``arr`` is what the first contract is worth a year.
    """

    group: np.ndarray
    first_order: np.ndarray
    churned: np.ndarray
    reactivated: np.ndarray
    arr: np.ndarray
    of_deal: np.ndarray

    @property
    def segment(self) -> np.ndarray:
        """Code of each company's segment."""
        return self.group // len(REGIONS)

    @property
    def region(self) -> np.ndarray:
        """Code of each company's region."""
        return self.group % len(REGIONS)

    @property
    def customers(self) -> np.ndarray:
        """The companies that ever ordered."""
        return np.flatnonzero(self.first_order < NEVER)

    def __len__(self) -> int:
        return len(self.group)

    def add(self, group: np.ndarray) -> np.ndarray:
        """Append prospects and return their numbers."""
        new, blank = np.arange(len(self), len(self) + len(group)), np.full(len(group), NEVER)
        self.group = np.append(self.group, group)
        self.first_order, self.churned = np.append(self.first_order, blank), np.append(self.churned, blank)
        self.reactivated, self.arr = np.append(self.reactivated, blank), np.append(self.arr, np.zeros(len(group)))
        return new


class Assignment:
    """Gives every deal a company; see the module."""

    def __init__(self, truth: Truth, deals: Deals, rng: np.random.Generator) -> None:
        self.truth, self.deals, self.rng = truth, deals, rng
        features = deals.features
        self.group = features["segment"] * len(REGIONS) + features["region"]
        nobody = np.zeros(0, dtype=np.int64)
        self.accounts = Accounts(nobody, nobody, nobody, nobody, np.zeros(0), np.full(len(self.group), -1))

    def run(self) -> Accounts:
        """Assign new deals, then lost renewals, other business with customers, and win-backs."""
        deals, accounts, end = self.deals, self.accounts, self.truth.last
        kind, created = deals.features["type"], deals.features["created"]
        new, expansion, renewal, winback = (kind == code for code in range(len(TYPES)))
        lost = ~deals.is_open & ~deals.won
        self._new(np.flatnonzero(new))
        self._found_customers(np.flatnonzero(new & deals.won))

        over = np.minimum(deals.closed, end + 1)
        a = accounts
        ends = np.flatnonzero(renewal & lost)
        chosen = self._choose(
            ends, lambda d, c: (a.first_order[c] + 90 < created[d]) & (a.churned[c] > over[d]), once=True
        )
        a.churned[chosen] = deals.closed[ends]

        stays = np.flatnonzero((renewal & ~lost) | expansion)
        self._choose(stays, lambda d, c: (a.first_order[c] + 60 < created[d]) & (a.churned[c] > over[d]))

        back = np.flatnonzero(winback & deals.won)
        chosen = self._choose(back, lambda d, c: a.churned[c] < created[d], once=True, lapsed=True)
        a.reactivated[chosen] = deals.closed[back]
        others = np.flatnonzero(winback & ~deals.won)
        self._choose(others, lambda d, c: (a.churned[c] < created[d]) & (a.reactivated[c] > over[d]), lapsed=True)
        return a

    def _new(self, deals: np.ndarray) -> None:
        """A company for each new deal; some try again where an earlier one was lost, each company once."""
        book, created = self.deals, self.deals.features["created"]
        again = self.rng.random(len(deals)) < RETRY_SHARE
        first = deals[~again]
        self.accounts.of_deal[first] = self.accounts.add(self.group[first])
        for group in np.unique(self.group[deals[again]]):
            tries = deals[again][self.group[deals[again]] == group]
            failed = first[(self.group[first] == group) & ~book.won[first] & ~book.is_open[first]]
            failed = failed[np.argsort(book.closed[failed], kind="stable")][: len(tries)]
            fits = book.closed[failed] < created[tries[: len(failed)]]
            matched, alone = tries[: len(failed)][fits], np.append(tries[: len(failed)][~fits], tries[len(failed) :])
            self.accounts.of_deal[matched] = self.accounts.of_deal[failed[fits]]
            self.accounts.of_deal[alone] = self.accounts.add(self.group[alone])

    def _found_customers(self, won: np.ndarray) -> None:
        """Winners become customers; others were customers before the start; some will leave unasked."""
        a, rng = self.accounts, self.rng
        a.first_order[a.of_deal[won]] = self.deals.closed[won]
        a.arr[a.of_deal[won]] = self.deals.book.amount[won]
        share = np.outer(SEGMENT_SHARE, np.bincount(TEAM_REGION, TEAM_SHARE)).ravel()
        count = round(LEGACY_SHARE * len(self.group))
        legacy = np.append(np.repeat(np.arange(len(share)), 2), rng.choice(len(share), count, p=share))
        self._add_legacy(legacy)
        customers = a.customers
        leaves = np.maximum(a.first_order[customers] + 180, self.truth.first) + rng.exponential(
            365.25 / SILENT_CHURN, len(customers)
        ).astype(np.int64)
        gone = rng.random(len(customers)) < np.where(a.first_order[customers] < self.truth.first, 0.12, 0.0)
        before = self.truth.first - rng.integers(1, 360, len(customers))
        gone &= a.first_order[customers] + 180 < before
        a.churned[customers] = np.where(gone, before, np.where(leaves <= self.truth.last, leaves, NEVER))

    def _add_legacy(self, group: np.ndarray, *, lapsed: bool = False) -> np.ndarray:
        """Customers from before the start, on request already gone by then."""
        a, rng, start = self.accounts, self.rng, self.truth.first
        new, segment = a.add(group), group // len(REGIONS)
        a.first_order[new] = start - rng.integers(400, 1_600, len(new))
        a.arr[new] = np.round(AMOUNT_MEDIAN[segment] * np.exp(rng.normal(0, AMOUNT_SD[segment])), -2)
        if lapsed:
            a.churned[new] = start - rng.integers(1, 200, len(new))
        return new

    def _choose(self, deals: np.ndarray, fits: Fits, *, once: bool = False, lapsed: bool = False) -> np.ndarray:
        """A customer of each deal's group that fits and whose contract is nearest to the deal's amount.

        Of twelve drawn at random; with ``once`` no customer is chosen twice.
        """
        a, rng = self.accounts, self.rng
        amount = self.deals.features["amount"]
        used = np.zeros(len(a), dtype=bool)
        customers = a.customers
        by_group = [customers[a.group[customers] == g] for g in range(len(SEGMENTS) * len(REGIONS))]
        for _ in range(4 if once else 1):
            for group, candidates in enumerate(by_group):
                open_deals = deals[(self.group[deals] == group) & (a.of_deal[deals] < 0)]
                drawn = candidates[rng.integers(0, len(candidates), (len(open_deals), _TRIES))]
                distance = np.abs(np.log(a.arr[drawn] / amount[open_deals, None]))
                distance[~fits(open_deals[:, None], drawn) | used[drawn]] = np.inf
                best = np.argmin(distance, axis=1)[:, None]
                chosen = np.take_along_axis(drawn, best, axis=1)[:, 0]
                found = np.isfinite(np.take_along_axis(distance, best, axis=1)[:, 0])
                if once:
                    first_use = np.zeros(len(chosen), dtype=bool)
                    first_use[np.unique(np.where(found, chosen, -1), return_index=True)[1]] = True
                    found &= first_use
                    used[chosen[found]] = True
                a.of_deal[open_deals[found]] = chosen[found]
        left = deals[a.of_deal[deals] < 0]
        a.of_deal[left] = self._add_legacy(self.group[left], lapsed=lapsed)
        return a.of_deal[deals]
