"""Leads: who they are and where they came from, beside their way through the funnel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kpis.demo import funnel
from kpis.demo.accounts import Accounts
from kpis.demo.calendar import iso, quarters
from kpis.demo.campaigns import campaign_ids
from kpis.demo.companies import INDUSTRIES, INDUSTRY_SHARE, account_ids, ids
from kpis.demo.crm import opportunity_ids
from kpis.demo.deals import Deals
from kpis.demo.truth import SOURCES, Truth

DIGITAL = ("Organic search", "Paid search", "Paid social", "Webinar", "Email")
_GROUP = {"Partner": "partner", "Outbound": "sales", "Referral": "other", "Account management": "sales"}

PERSONAS = np.array(["Economic buyer", "Technical buyer", "User", "Influencer"])
_TITLES = (
    ("VP Sales", "Chief Revenue Officer", "VP Marketing", "CFO"),
    ("Head of RevOps", "CRM Administrator", "IT Manager", "Data Lead"),
    ("Account Executive", "Sales Manager", "Marketing Manager", "Analyst"),
    ("Consultant", "Project Manager", "Assistant", "Student"),
)
_COUNTRIES = np.array(
    [
        ["United States", "United States", "Canada", "Brazil"],
        ["United Kingdom", "Germany", "France", "Netherlands"],
        ["Australia", "Japan", "Singapore", "India"],
    ]
)
_EMPLOYEES = np.array([45.0, 420.0, 3_400.0])


@dataclass(frozen=True)
class Leads:
    """The leads as whole days and codes, by day; ``deal`` is -1 without an opportunity."""

    rows: pd.DataFrame

    def on_deals(self) -> pd.DataFrame:
        """Deal, lead_id, campaign_id of the leads that became an opportunity."""
        rows = self.rows[self.rows["deal"] >= 0]
        return rows[["deal", "lead_id", "campaign_id"]]

    def first_calls(self, last: int) -> pd.DataFrame:
        """Lead_id, account_id and day of the call that follows acceptance."""
        rows = self.rows[self.rows["accepted"] <= last]
        return pd.DataFrame({"lead_id": rows["lead_id"], "account_id": rows["account_id"], "day": rows["accepted"]})


def build(
    truth: Truth,
    deals: Deals,
    accounts: Accounts,
    companies: pd.DataFrame,
    assets: pd.DataFrame,
    rng: np.random.Generator,
) -> Leads:
    """Draw every lead; ``companies`` is the accounts table, ``assets`` has number, day of publication and weight."""
    rows = pd.concat([funnel.converted(truth, deals, accounts, rng), funnel.others(truth, deals, accounts, rng)])
    rows = rows[rows["created"] <= truth.last].sort_values(["created", "score"], kind="stable", ignore_index=True)
    n = len(rows)
    channel = np.array(SOURCES)[rows["source"]]
    starts = np.array([start for start, _ in quarters(truth.first, truth.last)])
    quarter = np.searchsorted(starts, rows["created"], side="right") - 1
    campaign = np.where(rng.random(n) < 0.9, campaign_ids(quarter, channel), None)
    digital = np.isin(channel, DIGITAL)
    known = rows["account"].to_numpy() >= 0
    industry = np.where(
        known,
        companies["industry"].to_numpy()[rows["account"]],
        INDUSTRIES[rng.choice(len(INDUSTRIES), n, p=INDUSTRY_SHARE)],
    )
    guess = np.maximum(_EMPLOYEES[rows["segment"]] * np.exp(rng.normal(0, 0.6, n)), 3).astype(np.int64)
    employees = np.where(known, companies["employees"].to_numpy()[rows["account"]], guess)
    persona = np.where(
        rng.random(n) < np.clip(rows["score"] / 90, 0.1, 0.9), rng.integers(0, 3, n), rng.integers(1, 4, n)
    )
    rows = rows.assign(
        lead_id=ids("L", np.arange(n)),
        account_id=np.where(known, account_ids(rows["account"].to_numpy()), None),
        channel=channel,
        campaign_id=campaign,
        asset=_assets(rows["created"].to_numpy(), digital & (rng.random(n) < 0.6), assets, rng),
        visitor_id=np.where(digital, ids("V", np.arange(n)), None),
        industry=_forget(industry, 0.06, rng),
        employees=pd.array(np.where(rng.random(n) < 0.12, np.nan, employees), dtype="Int64"),
        persona=_forget(PERSONAS[persona], 0.08, rng),
        title=_forget(np.array(_TITLES, dtype=object)[persona, rng.integers(0, 4, n)], 0.05, rng),
        country=_forget(_COUNTRIES[rows["region"], rng.integers(0, 4, n)], 0.04, rng),
    )
    return Leads(rows)


def table(truth: Truth, leads: Leads, asset_ids: np.ndarray) -> pd.DataFrame:
    """The leads table."""
    rows, last = leads.rows, truth.last
    deal = rows["deal"].to_numpy()
    left = {name: rows[name].to_numpy() <= last for name in ("disqualified", "archived", "recycled")}
    status = np.select(
        [deal >= 0, left["disqualified"], left["archived"]], ["converted", "disqualified", "archived"], "active"
    )
    events = rows[
        ["created", "mql", "accepted", "sql", "appointment", "proposal", "presentation", "recycled", "touched"]
    ]
    happened = events.where(events <= last, 0).max(axis=1)
    dates = {
        f"{name}_at": iso(rows[name].to_numpy(), last)
        for name in (
            "created", "mql", "accepted", "sql", "appointment", "rfp", "proposal", "presentation", "disqualified",
            "recycled", "archived",
        )
    }  # fmt: skip
    return pd.DataFrame(
        {
            "lead_id": rows["lead_id"],
            "account_id": rows["account_id"],
            "created_at": dates["created_at"],
            "channel": rows["channel"],
            "source_group": rows["channel"].map(_GROUP).fillna("marketing"),
            "campaign_id": rows["campaign_id"],
            "asset_id": np.where(rows["asset"] >= 0, asset_ids[rows["asset"]], None),
            "visitor_id": rows["visitor_id"],
            **{name: rows[name] for name in ("title", "persona", "industry", "employees", "country", "score")},
            "status": status,
            **{name: values for name, values in dates.items() if name != "created_at"},
            "reason": np.where(left["disqualified"] | left["recycled"], rows["reason"], None),
            "nurture_start": iso(rows["nurture_start"].to_numpy(), last),
            "nurture_end": iso(rows["nurture_end"].to_numpy(), last),
            "last_activity_at": iso(happened.to_numpy()),
            "opportunity_id": np.where(deal >= 0, opportunity_ids(np.maximum(deal, 0)), None),
        }
    )


def _assets(created: np.ndarray, has: np.ndarray, assets: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Number of the asset each lead came from, among those published and not retired; -1 for none."""
    published, until, weight = (assets[name].to_numpy() for name in ("published", "until", "weight"))
    chance = weight * ((published <= created[:, None]) & (created[:, None] < until))
    reached = np.cumsum(chance, axis=1)
    asset = (rng.random((len(created), 1)) * reached[:, -1:] >= reached).sum(axis=1)
    return np.where(has & (reached[:, -1] > 0), asset, -1)


def _forget(values: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Leave a share of the fields empty, as people do."""
    return np.where(rng.random(len(values)) < share, None, values)
