"""Content: the assets, and who viewed, downloaded or used them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpis.demo.accounts import Accounts
from kpis.demo.calendar import NEVER, iso
from kpis.demo.companies import account_ids
from kpis.demo.crm import opportunity_ids
from kpis.demo.deals import Deals, first_day_in
from kpis.demo.truth import Truth

# Title, type, persona, funnel stage, published (share of the time since the start; before it, if negative),
# retired at (share; None while offered), cost, popularity.
_ASSETS = (
    ("What a forecast is worth", "white paper", "Economic buyer", "awareness", -0.30, None, 9_500, 1.6),
    ("Pipeline review checklist", "checklist", "User", "awareness", -0.25, None, 1_800, 2.2),
    ("State of B2B sales", "report", "Economic buyer", "awareness", -0.10, 0.55, 21_000, 2.0),
    ("State of B2B sales, second edition", "report", "Economic buyer", "awareness", 0.50, None, 24_000, 2.4),
    ("Lead scoring in a week", "guide", "User", "consideration", -0.20, None, 4_200, 1.3),
    ("Data security overview", "white paper", "Technical buyer", "consideration", -0.15, None, 5_600, 0.6),
    ("Integration cookbook", "guide", "Technical buyer", "consideration", 0.10, None, 6_900, 0.7),
    ("Return on investment calculator", "tool", "Economic buyer", "decision", -0.05, None, 13_500, 1.1),
    ("Forecasting clinic, recorded", "webinar", "User", "awareness", 0.15, None, 7_200, 1.5),
    ("Customer panel, recorded", "webinar", "Economic buyer", "consideration", 0.30, None, 8_400, 1.2),
    ("Case study: a freight company", "case study", "Economic buyer", "decision", -0.10, None, 3_900, 0.8),
    ("Case study: a software company", "case study", "User", "decision", 0.20, None, 3_700, 0.9),
    ("Case study: a bank", "case study", "Technical buyer", "decision", 0.45, None, 4_600, 0.6),
    ("Buyer's guide", "guide", "Economic buyer", "consideration", 0.05, None, 8_800, 1.4),
    ("Old product tour", "video", "User", "consideration", -0.60, 0.35, 5_000, 0.9),
    ("Product tour", "video", "User", "consideration", 0.35, None, 9_800, 1.9),
    ("Analytics primer", "e-book", "Technical buyer", "awareness", 0.25, None, 6_100, 0.8),
    ("Migration plan template", "template", "Technical buyer", "decision", 0.40, None, 2_600, 0.5),
    ("Board slides template", "template", "Economic buyer", "decision", 0.60, None, 2_900, 1.0),
    ("Win-loss interview guide", "guide", "User", "awareness", 0.65, None, 3_300, 0.7),
    ("Comparison sheet", "sheet", "Economic buyer", "decision", 0.55, None, 1_500, 0.9),
    ("Podcast: the first ten sellers", "podcast", "Influencer", "awareness", 0.30, 0.80, 11_000, 0.3),
    ("Compliance handbook", "e-book", "Technical buyer", "consideration", 0.70, None, 7_700, 0.08),
    ("Insight Live launch kit", "sheet", "User", "decision", 0.45, None, 5_200, 0.6),
)
IDS = np.array([f"CA-{n:02d}" for n in range(1, len(_ASSETS) + 1)], dtype=object)


def offered(truth: Truth) -> pd.DataFrame:
    """Day of publication, day from which an asset is no longer offered, popularity; a row an asset."""
    span = truth.last - truth.first
    published = [truth.first + round(span * asset[4]) for asset in _ASSETS]
    until = [NEVER if asset[5] is None else truth.first + round(span * asset[5]) for asset in _ASSETS]
    return pd.DataFrame({"published": published, "until": until, "weight": [asset[7] for asset in _ASSETS]})


def assets(truth: Truth) -> pd.DataFrame:
    """The content_assets table."""
    title, kind, persona, stage, _, _, cost, _ = zip(*_ASSETS, strict=True)
    when = offered(truth)
    return pd.DataFrame(
        {
            "asset_id": IDS,
            "title": title,
            "type": kind,
            "target_persona": persona,
            "funnel_stage": stage,
            "published_on": iso(when["published"].to_numpy()),
            "retired": (when["until"] <= truth.last).astype(np.int64),
            "cost": np.array(cost, dtype=float),
        }
    )


def events(
    truth: Truth, deals: Deals, accounts: Accounts, leads: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """The content_events table: downloads and views of leads, use by sellers on deals.

    ``leads`` has lead_id, account_id, created and asset (-1 for none) of every lead.
    """
    when = offered(truth)
    came = np.flatnonzero(leads["asset"] >= 0)
    more = np.repeat(np.arange(len(leads)), rng.poisson(0.3, len(leads)))
    deal = np.flatnonzero(first_day_in(deals.log, len(deals.closed), 1) < NEVER)
    deal = np.repeat(deal, rng.poisson(np.where(deals.won, 0.85, 0.40)[deal]))
    start, end = deals.features["created"][deal], np.minimum(deals.closed[deal], truth.last)
    created = leads["created"].to_numpy()
    day = np.concatenate(
        [
            created[came],
            created[more] + rng.integers(0, 45, len(more)),
            start + np.floor(rng.beta(2, 1.4, len(deal)) * (end - start + 1)).astype(np.int64),
        ]
    )
    weight = when["weight"].to_numpy()
    late = weight * np.isin([asset[3] for asset in _ASSETS], ["consideration", "decision"])
    sales = np.arange(len(day)) >= len(came) + len(more)
    asset = _pick(np.where(sales[:, None], late, weight), when, day, rng)
    asset[: len(came)] = leads["asset"].to_numpy()[came]
    lead = np.concatenate([came, more])
    none = np.full(len(deal), None, dtype=object)
    blank = np.full(len(lead), None, dtype=object)
    event = np.where(sales, "sales_use", np.where(rng.random(len(day)) < 0.6, "view", "download"))
    event[: len(came)] = "download"
    frame = pd.DataFrame(
        {
            "asset_id": IDS[asset],
            "lead_id": np.concatenate([leads["lead_id"].to_numpy(dtype=object)[lead], none]),
            "account_id": np.concatenate(
                [leads["account_id"].to_numpy(dtype=object)[lead], account_ids(accounts.of_deal[deal])]
            ),
            "opportunity_id": np.concatenate([blank, opportunity_ids(deal)]),
            "owner": np.concatenate([blank, np.array(truth.owners.names, dtype=object)[deals.book.owner[deal]]]),
            "event": event,
            "occurred_at": day,
        }
    )
    frame = frame[frame["occurred_at"] <= truth.last].sort_values("occurred_at", kind="stable", ignore_index=True)
    frame["occurred_at"] = iso(frame["occurred_at"].to_numpy())
    return frame


def _pick(weight: np.ndarray, when: pd.DataFrame, day: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An asset that is offered on each day."""
    there = (when["published"].to_numpy() <= day[:, None]) & (day[:, None] < when["until"].to_numpy())
    reached = np.cumsum(weight * there, axis=1)
    return (rng.random((len(day), 1)) * reached[:, -1:] >= reached).sum(axis=1)
