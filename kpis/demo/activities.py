"""Calls, meetings, demos and emails: on deals, with leads, with customers, and inside the company."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpis.demo.accounts import Accounts
from kpis.demo.calendar import NEVER, iso
from kpis.demo.companies import account_ids, ids
from kpis.demo.crm import opportunity_ids
from kpis.demo.deals import Deals
from kpis.demo.truth import Truth

TYPES = np.array(["meeting", "call", "email", "demo"])
_SHARE = np.array([0.30, 0.30, 0.28, 0.12])
_MINUTES = np.array([62.0, 19.0, 7.0, 75.0])
_IN_PERSON = np.array([0.6, 0.0, 0.0, 0.75])
_OUTCOMES = (
    ("next step agreed", "held", "held", "no show"),
    ("reached", "reached", "no answer", "voicemail"),
    ("replied", "sent", "sent", "sent"),
    ("next step agreed", "held", "held", "postponed"),
)
_VALUABLE = np.array([0.20, 0.42, 0.30])
"""Chance that an activity moved the deal on, for lost, won and open deals: it is told apart by what came of it."""


def on_deals(truth: Truth, deals: Deals, rng: np.random.Generator) -> pd.DataFrame:
    """Days of activities on deals; winners get more of them."""
    created, end = deals.features["created"], np.minimum(deals.closed, truth.last)
    days = np.minimum(end - created, 150)
    busy = np.where(deals.won, 1.55, np.where(deals.is_open, 1.4, 0.85))
    count = rng.poisson((0.7 + days / 31) * busy)
    deal = np.repeat(np.arange(len(created)), count)
    day = rng.integers(created[deal], end[deal] + 1)
    # A weekend's work is written down on the Friday before, if the deal existed then.
    weekend = np.maximum((day + 3) % 7 - 4, 0)
    return pd.DataFrame({"deal": deal, "day": np.maximum(day - weekend, created[deal])})


def table(
    truth: Truth,
    deals: Deals,
    accounts: Accounts,
    deal_days: pd.DataFrame,
    lead_days: pd.DataFrame,
    customer_days: tuple[np.ndarray, np.ndarray],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """The activities table.

    ``deal_days`` has deal and day, ``lead_days`` has lead_id, account_id and day of a first call,
    ``customer_days`` the account and day of talks with customers.
    """
    owners, deal = truth.owners, deal_days["deal"].to_numpy()
    account, talked = customer_days
    inside = truth.first + np.sort(rng.integers(0, truth.last - truth.first + 1, len(deal) // 25))
    sizes = [len(deal), len(lead_days), len(account), len(inside)]
    n, part = sum(sizes), np.repeat(np.arange(4), sizes)
    blank = [np.full(size, None, dtype=object) for size in sizes]
    kind = rng.choice(len(TYPES), n, p=_SHARE)
    kind = np.where(part == 1, 1, np.where(part == 3, 0, kind))
    state = np.concatenate([np.where(deals.won, 1, np.where(deals.is_open, 2, 0))[deal], np.full(n - len(deal), 2)])
    day = np.concatenate([deal_days["day"], lead_days["day"], talked, inside])
    anyone = owners.pick(rng.choice(np.unique(owners.team), n), np.clip(day, truth.first, truth.last), rng)
    first_owner = deals.features["owner"][deal]
    stays = deal_days["day"].to_numpy() < owners.left[first_owner]
    owner = np.append(np.where(stays, first_owner, deals.book.owner[deal]), anyone[len(deal) :])
    external = (part != 3).astype(np.int64)
    valuable = ((part == 0) & (rng.random(n) < _VALUABLE[state])).astype(float)
    valuable[(kind == 2) | (part != 0)] = np.nan
    frame = pd.DataFrame(
        {
            "type": TYPES[kind],
            "occurred_at": day,
            "owner": np.array(owners.names)[owner],
            "lead_id": np.concatenate([blank[0], lead_days["lead_id"], blank[2], blank[3]]),
            "opportunity_id": np.concatenate([opportunity_ids(deal), *blank[1:]]),
            "account_id": np.concatenate(
                [account_ids(accounts.of_deal[deal]), lead_days["account_id"], account_ids(account), blank[3]]
            ),
            "duration_minutes": np.maximum(np.round(rng.gamma(6, _MINUTES[kind] / 6)), 2).astype(np.int64),
            "is_face_to_face": ((rng.random(n) < _IN_PERSON[kind]) & (external == 1)).astype(np.int64),
            "is_external": external,
            "direction": np.where(
                kind == 2, rng.choice(np.array(["outbound", "inbound", "two-way"]), n, p=[0.5, 0.2, 0.3]), "two-way"
            ),
            "outcome": np.array(_OUTCOMES, dtype=object)[kind, rng.integers(0, 4, n)],
            "is_valuable": pd.array(valuable, dtype="Int64"),
        }
    )
    unanswered = frame["outcome"].isin(["no answer", "voicemail", "sent"]) & (frame["direction"] == "two-way")
    frame.loc[unanswered, "direction"] = "outbound"
    frame = frame.sort_values("occurred_at", kind="stable", ignore_index=True)
    frame["occurred_at"] = iso(frame["occurred_at"].to_numpy())
    frame.insert(0, "activity_id", ids("T", np.arange(n)))
    return frame


def last_day(deal_days: pd.DataFrame, deals: int) -> np.ndarray:
    """Last day with an activity on each deal; -NEVER where there is none."""
    last = np.full(deals, -NEVER)
    np.maximum.at(last, deal_days["deal"].to_numpy(), deal_days["day"].to_numpy())
    return last
