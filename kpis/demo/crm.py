"""The CRM's tables: opportunities, their history, the stages."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpis.demo import products
from kpis.demo.accounts import Accounts
from kpis.demo.calendar import NEVER, iso
from kpis.demo.companies import account_ids, ids
from kpis.demo.deals import CATEGORIES, Deals, first_day_in
from kpis.demo.owners import TEAMS
from kpis.demo.truth import LOST, PROBABILITY, REGIONS, SEGMENTS, SOURCES, STAGES, STATES, TYPES, WON, Truth

COMPETITORS = np.array(["Northwind", "Quanta One", "Pipewell", "In-house"])
_LOST_REASONS = np.array(["No decision", "Price", "Competitor", "No budget", "Timing", "Missing feature"])
_LOST_SHARE = np.array([0.31, 0.20, 0.17, 0.13, 0.11, 0.08])
_NEXT_STEPS = (
    ("Find the budget holder", "First call", "Send introduction"),
    ("Discovery workshop", "Meet the technical team", "Collect requirements"),
    ("Demo with their data", "Security review", "Agree success criteria"),
    ("Walk through the proposal", "Reference call", "Meet the economic buyer"),
    ("Redlines with legal", "Procurement call", "Send the order form"),
)


def opportunity_ids(deals: np.ndarray) -> np.ndarray:
    """Ids of opportunities by number."""
    return ids("O", deals)


def stages() -> pd.DataFrame:
    """The stages of the one pipeline; the first counts as not qualified."""
    position = np.arange(1, len(STATES) + 1)
    return pd.DataFrame(
        {
            "pipeline": "Sales",
            "stage": STATES,
            "position": position,
            "is_qualified": ((position > 1) & (position != LOST + 1)).astype(np.int64),
            "is_won": (position == WON + 1).astype(np.int64),
            "is_lost": (position == LOST + 1).astype(np.int64),
            "default_probability": PROBABILITY,
        }
    )


def history(truth: Truth, deals: Deals) -> pd.DataFrame:
    """One row a change, by day; the first of each opportunity at its creation, the last at its close."""
    log = deals.log
    return pd.DataFrame(
        {
            "opportunity_id": opportunity_ids(log["deal"]),
            "changed_at": iso(log["day"]),
            "stage": np.array(STATES)[log["stage"]],
            "amount": log["amount"],
            "expected_close": iso(log["expected"]),
            "forecast_category": np.array(CATEGORIES)[log["category"]],
            "probability": np.array(PROBABILITY)[log["stage"]],
            "owner": np.array(truth.owners.names)[log["owner"]],
        }
    )


def opportunities(
    truth: Truth,
    deals: Deals,
    accounts: Accounts,
    product: np.ndarray,
    last_activity: np.ndarray,
    leads: pd.DataFrame,
    account_names: np.ndarray,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Every opportunity as it stands at the end; ``leads`` gives lead and campaign by ``deal``."""
    f, stage, amount = deals.features, deals.book.stage, deals.book.amount
    n, lost = len(stage), stage == LOST
    lead = leads.set_index("deal").reindex(np.arange(n))
    reason = np.where(lost, rng.choice(_LOST_REASONS, n, p=_LOST_SHARE), None)
    competitor = np.where((rng.random(n) < 0.38) | (reason == "Competitor"), rng.choice(COMPETITORS, n), None)
    step = np.array(_NEXT_STEPS, dtype=object)[np.minimum(stage, len(STAGES) - 1), rng.integers(0, 3, n)]
    return pd.DataFrame(
        {
            "opportunity_id": opportunity_ids(np.arange(n)),
            "account_id": account_ids(accounts.of_deal),
            "name": account_names[accounts.of_deal] + " – " + products.NAMES[product].astype(object),
            "owner": np.array(truth.owners.names)[deals.book.owner],
            "team": np.array(TEAMS)[f["team"]],
            "region": np.array(REGIONS)[f["region"]],
            "segment": np.array(SEGMENTS)[f["segment"]],
            "product": products.NAMES[product],
            "type": np.array(TYPES)[f["type"]],
            "stage": np.array(STATES)[stage],
            "status": np.where(deals.is_open, "open", np.where(lost, "lost", "won")),
            "forecast_category": np.array(CATEGORIES)[deals.category],
            "probability": np.array(PROBABILITY)[stage],
            "amount": amount,
            **_concessions(deals, rng),
            "currency": "USD",
            "created_at": iso(f["created"]),
            "qualified_at": iso(first_day_in(deals.log, n, 1)),
            "expected_close": iso(deals.expected),
            "closed_at": iso(deals.closed),
            "lost_reason": reason,
            "source": np.array(SOURCES)[f["source"]],
            "campaign_id": lead["campaign_id"].to_numpy(),
            "lead_id": lead["lead_id"].to_numpy(),
            "next_step": np.where(deals.is_open & (rng.random(n) < 0.78), step, None),
            "last_activity_at": iso(np.maximum(last_activity, f["created"])),
            "push_count": deals.pushes,
            "competitor": competitor,
        }
    )


def _concessions(deals: Deals, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """List amount, discount, incentives and other cost; discounts start with the proposal and grow with the deal."""
    n, amount = len(deals.closed), deals.book.amount
    offered = first_day_in(deals.log, n, STAGES.index("Proposal")) < NEVER
    size = np.log10(np.maximum(amount, 1_000) / 10_000)
    mean = np.clip(0.07 + 0.045 * size, 0.02, 0.25)
    share = np.where(offered & (rng.random(n) < 0.72), np.clip(rng.gamma(4, mean / 4), 0, 0.45), 0.0)
    discount = np.round(amount * share / (1 - share), 2)
    won = deals.won
    incentive = np.where(won & (rng.random(n) < 0.12), np.round(amount * rng.uniform(0.01, 0.05, n), 2), 0.0)
    other = np.where(
        won & (deals.closed > deals.features["created"]), np.round(rng.gamma(2, 0.004, n) * amount, 2), 0.0
    )
    return {
        "list_amount": amount + discount,
        "discount_amount": discount,
        "incentive_cost": incentive,
        "other_deal_cost": other,
    }
