"""People and money: headcount by month and role, and what sales and marketing spent."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpis.demo.calendar import iso, month_starts, quarters
from kpis.demo.campaigns import CHANNELS, campaign_ids
from kpis.demo.owners import Owners
from kpis.demo.truth import Truth

# Role, department, number for each seller, cost a month, quota-bearing, field marketing, operations.
_ROLES = (
    ("Account executive", "sales", 1.0, 9_400, 1, 0, 0),
    ("Sales development", "sales", 0.36, 5_300, 0, 0, 0),
    ("Sales manager", "sales", 0.15, 13_200, 0, 0, 0),
    ("Solutions engineer", "sales", 0.24, 9_800, 0, 0, 0),
    ("Sales operations", "sales", 0.08, 7_700, 0, 0, 1),
    ("Demand generation", "marketing", 0.14, 7_400, 0, 0, 0),
    ("Content and product marketing", "marketing", 0.13, 7_600, 0, 0, 0),
    ("Field marketing", "marketing", 0.07, 7_200, 0, 1, 0),
    ("Marketing operations", "marketing", 0.05, 7_500, 0, 0, 1),
)
# Cost of a lead by channel, and who pays.
_CHANNEL_COST = {
    "Organic search": (40.0, "marketing"),
    "Paid search": (240.0, "marketing"),
    "Paid social": (170.0, "marketing"),
    "Webinar": (140.0, "marketing"),
    "Event": (520.0, "marketing"),
    "Email": (35.0, "marketing"),
    "Partner": (170.0, "marketing"),
    "Referral": (70.0, "marketing"),
    "Outbound": (130.0, "sales"),
}
_SHADOW_EVENTS = 0.22
"""What sales pays for events beside marketing, as a share of marketing's."""


def headcount(truth: Truth) -> pd.DataFrame:
    """Full-time equivalents at the end of each month (of the last: so far); sellers as they joined and left."""
    starts, sellers = _sellers(truth.owners, truth)
    rows = []
    for role, department, share, _, quota, field, operations in _ROLES:
        fte = sellers.astype(float) if share == 1 else np.maximum(np.round(sellers * share * 2) / 2, 0.5)
        rows.append(
            pd.DataFrame(
                {
                    "period": starts,
                    "department": department,
                    "role": role,
                    "is_quota_bearing": quota,
                    "is_field_marketing": field,
                    "is_operations": operations,
                    "fte": fte,
                }
            )
        )
    frame = pd.concat(rows).sort_values("period", kind="stable", ignore_index=True)
    frame["period"] = iso(frame["period"].to_numpy())
    return frame


def spend(truth: Truth, leads: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The spend table; the last month to date. ``leads`` has channel and created.

    Money for a channel follows its leads with noise: more money, more leads, at a cost per lead that drifts.
    """
    starts, sellers = _sellers(truth.owners, truth)
    to_date = np.minimum(np.append(starts[1:], truth.last + 1), truth.last + 1) - np.maximum(starts, truth.first)
    share = to_date / np.diff(month_starts(starts[0], truth.last + 31)[: len(starts) + 1])
    years = (starts - truth.first) / 365.25
    month = np.searchsorted(starts, leads["created"], side="right") - 1
    quarter = np.searchsorted([start for start, _ in quarters(truth.first, truth.last)], starts, side="right") - 1
    rows: list[pd.DataFrame] = []

    def add(
        department: str, category: str, purpose: str, amount: np.ndarray, channel: str | None = None, shadow: int = 0
    ) -> None:
        campaign = campaign_ids(quarter, np.full(len(starts), channel)) if channel in CHANNELS and not shadow else None
        rows.append(
            pd.DataFrame(
                {
                    "period": starts,
                    "department": department,
                    "category": category,
                    "purpose": purpose,
                    "channel": channel,
                    "campaign_id": campaign,
                    "is_shadow": shadow,
                    "amount": np.round(amount, 2),
                }
            )
        )

    def noise(sd: float) -> np.ndarray:
        return np.exp(rng.normal(0, sd, len(starts)))

    program = np.zeros(len(starts))
    for channel, (cost, payer) in _CHANNEL_COST.items():
        count = np.bincount(month[(leads["channel"] == channel).to_numpy()], minlength=len(starts))
        # A channel is paid for whether leads come or not: half by the month, half by the lead.
        amount = cost * np.exp(0.05 * years) * (0.5 * count.mean() * share + 0.5 * count) * noise(0.10)
        add(payer, "program", "acquire", amount, channel)
        program += amount
        if channel == "Event":
            add("sales", "program", "acquire", _SHADOW_EVENTS * amount * noise(0.2), channel, shadow=1)
    add("marketing", "program", "nurture", 0.10 * program * noise(0.12))
    add("marketing", "program", "retain", 0.07 * program * noise(0.15))
    for department, purposes in (
        ("sales", {"acquire": 0.78, "retain": 0.22}),
        ("marketing", {"acquire": 0.70, "nurture": 0.18, "retain": 0.12}),
    ):
        people = (
            sum(np.maximum(sellers * each, 0.5) * cost for _, of, each, cost, *_ in _ROLES if of == department)
            * np.exp(0.035 * years)
            * share
        )
        for purpose, part in purposes.items():
            add(department, "people", purpose, part * people)
        if department == "sales":
            add(department, "program", "acquire", 0.05 * people * noise(0.2))
        add(department, "tools", "acquire", (0.07 if department == "sales" else 0.11) * people * noise(0.04))
        add(department, "other", "acquire", 0.05 * people * noise(0.25))
    frame = pd.concat(rows).sort_values("period", kind="stable", ignore_index=True)
    frame["period"] = iso(frame["period"].to_numpy())
    return frame


def _sellers(owners: Owners, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
    """First days of the months, and sellers there at the end of each (of the last: at the end of the records)."""
    starts = month_starts(truth.first, truth.last)
    ends = np.minimum(np.append(starts[1:] - 1, truth.last), truth.last)
    there = (owners.joined <= ends[:, None]) & (ends[:, None] < owners.left)
    return starts, there.sum(axis=1)
