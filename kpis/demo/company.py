"""The whole company: its truth, its past, and every table of the dictionary."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from kpis.demo import activities, arrivals, campaigns, companies, content, crm, leads, plan, products, spend, web
from kpis.demo.accounts import Accounts, Assignment
from kpis.demo.deals import Deals, Simulation
from kpis.demo.dirt import soil
from kpis.demo.futures import Futures, simulate
from kpis.demo.revenue import Revenue
from kpis.demo.truth import Truth
from kpis.errors import AssumptionError
from kpis.periods import day_n
from kpis.schema import TABLES

END = date(2026, 8, 14)
"""The last day of the records, unless another is asked for: the middle of a quarter."""

_MOST_YEARS = 20.0
_CUSTOMER_TALKS_A_YEAR = 1.3


@dataclass(frozen=True)
class Company:
    """A demo company.

    Parameters
    ----------
    tables
        Canonical table name -> rows, with the columns and the order of the dictionary. Dates are ISO text, as
        in the files; an empty field is missing. ``owners`` is not among them (its content is in
        ``opportunities``), nor are the three columns that intake sets.
    truth
        The true parameters, ready for JSON: see ``kpis.demo.truth`` for what they mean.
    """

    tables: dict[str, pd.DataFrame] = field(repr=False)
    truth: dict[str, Any] = field(repr=False)
    _model: Truth = field(repr=False)
    _deals: Deals = field(repr=False)

    def continue_from(
        self, as_of: date, ends: list[date], *, draws: int, rng: np.random.Generator, shocks: bool = True
    ) -> Futures:
        """Won amounts in the windows (as_of, ends[0]], (ends[0], ends[1]], ... of ``draws`` true futures.

        See ``kpis.demo.futures.simulate``.
        """
        return simulate(self._model, self._deals, as_of, ends, draws=draws, rng=rng, shocks=shocks)


def generate(
    *, opportunities: int = 2_000, seed: int = 7, years: float = 3.0, end: date = END, dirt: bool = True
) -> Company:
    """Make a company; the same arguments give the same company.

    Parameters
    ----------
    opportunities
        How many are created in all (at least 50); other tables grow with it.
    seed
        Which company: its parameters vary with it as well as its luck.
    years
        Length of the records, 0.5 to 20.
    end
        Their last day.
    dirt
        Whether to add the dirty rows of a real export; ``truth["dirt"]`` counts them.

    Raises
    ------
    AssumptionError
        When a number is outside its limits.
    """
    if opportunities < 50:
        raise AssumptionError(f"{opportunities} opportunities", place="sample", way_out="Ask for 50 or more")
    if not 0.5 <= years <= _MOST_YEARS:
        raise AssumptionError(f"{years} years", place="sample", way_out=f"Ask for 0.5 to {_MOST_YEARS:g}")
    if seed < 0:
        raise AssumptionError(f"Seed {seed}", place="sample", way_out="Use a whole number from 0")
    last = day_n(end)
    first = last - round(years * 365.25) + 1
    chance = _Chance(seed)
    truth = Truth.drawn(opportunities=opportunities, seed=seed, first=first, last=last, rng=chance("truth"))
    deals = Simulation(truth, opportunities, chance("deals")).run()
    accounts = Assignment(truth, deals, chance("accounts")).run()
    tables = _in_order(_tables(truth, deals, accounts, chance))
    told = {
        **truth.as_json(),
        "new_deals": arrivals.as_json(),
        "emails": campaigns.as_json(),
        "asked": {"opportunities": opportunities, "seed": seed, "years": years, "end": end.isoformat()},
        "dirt": soil(tables, chance("dirt")) if dirt else {},
    }
    return Company(tables, told, truth, deals)


class _Chance:
    """A generator for each part, so that a change in one part leaves the others as they were."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __call__(self, part: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, zlib.crc32(part.encode())])


def _tables(truth: Truth, deals: Deals, accounts: Accounts, chance: _Chance) -> dict[str, pd.DataFrame]:
    f = deals.features
    product = products.pick(f["segment"], f["created"], truth.first, truth.last, chance("products"))
    company_table = companies.table(accounts, chance("companies"))
    led = leads.build(truth, deals, accounts, company_table, content.offered(truth), chance("leads"))
    revenue = Revenue(truth, deals, accounts, product, chance("revenue"))
    on_deals = activities.on_deals(truth, deals, chance("deal activities"))
    spent = spend.spend(truth, led.rows, chance("spend"))
    sessions, views = web.visits(truth, led.rows, chance("web"))
    return {
        "opportunities": crm.opportunities(
            truth,
            deals,
            accounts,
            product,
            last_activity=activities.last_day(on_deals, len(product)),
            leads=led.on_deals(),
            account_names=company_table["name"].to_numpy(dtype=object),
            rng=chance("opportunities"),
        ),
        "opportunity_history": crm.history(truth, deals),
        "stages": crm.stages(),
        "leads": leads.table(truth, led, content.IDS),
        "accounts": company_table,
        "contacts": companies.contacts(accounts, chance("contacts")),
        "activities": activities.table(
            truth,
            deals,
            accounts,
            on_deals,
            led.first_calls(truth.last),
            revenue.events(_CUSTOMER_TALKS_A_YEAR),
            chance("activities"),
        ),
        "spend": spent,
        "campaigns": campaigns.table(truth, spent, chance("campaigns")),
        "emails": campaigns.emails(truth, len(led.rows), chance("emails")),
        "web_sessions": sessions,
        "page_views": views,
        "pages": web.pages(),
        "social": campaigns.social(truth, chance("social")),
        "content_assets": content.assets(truth),
        "content_events": content.events(truth, deals, accounts, led.rows, chance("content")),
        "customers": revenue.customers(),
        "orders": revenue.orders(),
        "subscriptions": revenue.subscriptions(),
        "products": products.table(truth.first, truth.last),
        "nps": revenue.nps(),
        "headcount": spend.headcount(truth),
        "finance": revenue.finance(),
        "targets": plan.targets(truth, deals, chance("targets")),
        "market": revenue.market(),
        "wallet": revenue.wallet(),
        "scorecards": plan.scorecards(truth, chance("scorecards")),
    }


def _in_order(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Columns in the order of the dictionary, rows numbered from 0."""
    return {
        name: frame[[column for column in TABLES[name].names if column in frame]].reset_index(drop=True)
        for name, frame in tables.items()
    }
