"""Campaigns, the mailings among them with their A/B tests, and posts on social networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from kpis.demo.calendar import iso, quarters
from kpis.demo.companies import ids
from kpis.demo.truth import Truth
from kpis.periods import Calendar, day_of

CHANNELS = {
    "Paid search": ("search", ("Category terms", "Competitor terms", "Pricing terms")),
    "Paid social": ("social ads", ("Persona ads", "Retargeting", "Video ads")),
    "Webinar": ("webinar", ("Forecasting clinic", "Pipeline review live", "Customer panel")),
    "Event": ("event", ("Trade fair", "Executive dinner", "Regional roadshow")),
    "Email": ("newsletter", ("Monthly digest", "Product news", "Re-engagement")),
}
"""Channels with campaigns: the kind of campaign, and what one may be called."""

OPEN_RATE, CLICK_TO_OPEN = 0.31, 0.115
VARIANT_LIFT = {"open": 1.07, "click": 1.12}
"""True effect of variant B on the open rate and on clicks per open."""
_MACHINE_OPENS = 0.22

_NETWORKS = {"LinkedIn": (2_600, 0.020, 4_200), "YouTube": (1_500, 0.014, 900), "X": (1_100, 0.008, 1_700)}
"""Impressions of a post, clicks an impression, followers at the start."""


def campaign_ids(quarter: np.ndarray, channel: np.ndarray) -> np.ndarray:
    """Id of the campaign that a channel runs in a quarter (counted from the start); None without campaigns."""
    names = list(CHANNELS)
    number = np.array([names.index(c) if c in names else -1 for c in channel.tolist()], dtype=np.int64)
    return np.where(number >= 0, ids("K", quarter * len(names) + number), None)


def table(truth: Truth, spend: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """One campaign a channel and quarter; its budget is near what ``spend`` has for it."""
    calendar, rows = Calendar("quarter"), []
    for start, end in quarters(truth.first, truth.last):
        label = calendar.at(day_of(start)).label
        for channel, (kind, titles) in CHANNELS.items():
            rows.append((f"{titles[rng.integers(len(titles))]} {label}", channel, kind, start, end))
    name, channel, kind, start, end = zip(*rows, strict=True)
    campaign = ids("K", np.arange(len(rows)))
    spent = spend.groupby("campaign_id")["amount"].sum().reindex(campaign).fillna(0.0).to_numpy()
    budget = np.maximum(np.round(spent * rng.uniform(0.92, 1.15, len(rows)), -2), 500.0)
    return pd.DataFrame(
        {
            "campaign_id": campaign,
            "name": name,
            "channel": channel,
            "type": kind,
            "start": iso(np.array(start)),
            "end": iso(np.array(end)),
            "budget": budget,
        }
    )


def emails(truth: Truth, leads: int, rng: np.random.Generator) -> pd.DataFrame:
    """Two mailings a month to a growing list, each with variants A and B sent to half of it."""
    days = np.arange(truth.first + 10, truth.last - 3, 15)
    days = days + (8 - (days + 3) % 7) % 7  # a Tuesday
    days = days[days <= truth.last]
    day = np.repeat(days, 2)
    b = np.tile([0, 1], len(days))
    years = (day - truth.first) / 365.25
    sent = np.maximum(rng.normal(500 + leads * (0.3 + 0.15 * years), 20 + leads / 100), 100).astype(np.int64) // 2
    delivered = rng.binomial(sent, 0.972)
    opened = rng.binomial(
        delivered, np.clip(rng.normal(OPEN_RATE, 0.025, len(day)) * VARIANT_LIFT["open"] ** b, 0.05, 0.9)
    )
    clicked = rng.binomial(
        opened, np.clip(rng.normal(CLICK_TO_OPEN, 0.012, len(day)) * VARIANT_LIFT["click"] ** b, 0.01, 0.9)
    )
    quarter = np.searchsorted([start for start, _ in quarters(truth.first, truth.last)], day, side="right") - 1
    return pd.DataFrame(
        {
            "campaign_id": campaign_ids(quarter, np.full(len(day), "Email")),
            "variant": np.array(["A", "B"])[b],
            "sent_at": iso(day),
            "sent": sent,
            "delivered": delivered,
            "bounced": sent - delivered,
            "unique_opens": opened,
            "machine_opens": rng.binomial(opened, _MACHINE_OPENS),
            "unique_clicks": clicked,
            "unsubscribes": rng.binomial(delivered, 0.0022),
        }
    )


def social(truth: Truth, rng: np.random.Generator) -> pd.DataFrame:
    """A post or two a week on each network; reach grows with the followers."""
    parts = []
    for network, (shown, click, followers) in _NETWORKS.items():
        day = np.arange(truth.first, truth.last + 1)
        day = day[((day + 3) % 7 < 5) & (rng.random(len(day)) < 0.24)]
        grown = np.exp(0.28 * (day - truth.first) / 365.25)
        impressions = (shown * grown * np.exp(rng.normal(0, 0.6, len(day)))).astype(np.int64) + 20
        parts.append(
            pd.DataFrame(
                {
                    "date": day,
                    "network": network,
                    "impressions": impressions,
                    "reach": (impressions * rng.uniform(0.62, 0.86, len(day))).astype(np.int64),
                    "reactions": rng.binomial(impressions, 0.016),
                    "comments": rng.binomial(impressions, 0.0022),
                    "shares": rng.binomial(impressions, 0.0016),
                    "clicks": rng.binomial(impressions, click),
                    "followers": (followers * grown).astype(np.int64),
                }
            )
        )
    frame = pd.concat(parts).sort_values(["date", "network"], kind="stable", ignore_index=True)
    frame["date"] = iso(frame["date"].to_numpy())
    frame.insert(2, "post_id", ids("S", np.arange(len(frame))))
    return frame


def as_json() -> dict[str, Any]:
    """True rates of the mailings, for ``truth.json``."""
    return {"open_rate": OPEN_RATE, "click_to_open": CLICK_TO_OPEN, "variant_b": VARIANT_LIFT}
