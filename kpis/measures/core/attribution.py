"""Credit of won revenue to the touches before it, to the cent, by several rules.

A touch is a day on which a channel or campaign reached a deal: its lead came in, its visitor came to the site,
its people saw or took content, its own campaign. Touches after the close count nowhere.
"""

from __future__ import annotations

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from kpis.engine import collect
from kpis.errors import NotEnoughData
from kpis.measures.core.dimensions import NOT_GIVEN
from kpis.measures.core.known import Known

UNTOUCHED = "(no touch recorded)"
CONTENT = "Content"
HALF_LIFE = 30.0
"""Days in which a touch loses half of its weight under time decay: a month, since sales take months."""

RULES = ("first", "last", "linear", "40/20/40", "time decay")

_TOUCH = ("opportunity_id", "touch_day", "channel", "campaign")


def touches(known: Known) -> pd.DataFrame:
    """Touches of the won deals up to their close, in order: deal, touch_day, close_day, channel, campaign.

    One touch a day, channel and campaign; several leads of a deal count together. ``deal`` is the row of
    ``won_deals``.

    Raises
    ------
    NotEnoughData
        Where nothing that touches a deal is recorded.
    """
    found = [part for part in (_leads(known), _visits(known), _content(known), _campaigns(known)) if part is not None]
    if not found:
        raise NotEnoughData(
            "needs touches of deals: leads with a channel or campaign that are linked to opportunities",
            way_out="Upload leads, web sessions, content events or campaigns as well",
        )
    close = known.won.frame.select("opportunity_id", close_day=nw.col("closed_at_n"))
    every = nw.concat(found).filter(~nw.col("touch_day").is_null()).unique(list(_TOUCH))
    before = every.join(close, on="opportunity_id", how="inner").filter(nw.col("touch_day") <= nw.col("close_day"))
    table = collect(
        before,
        {"opportunity_id": "text", "touch_day": "int", "close_day": "int", "channel": "text", "campaign": "text"},
    )
    return table.sort_values(["opportunity_id", "touch_day", "channel", "campaign"], ignore_index=True)


def won(known: Known, first: int, last: int) -> pd.DataFrame:
    """Deals won from day ``first`` to ``last`` with an amount: opportunity_id, amount."""
    known.need("opportunities", "closed_at", "amount")
    day = nw.col("closed_at_n")
    rows = known.won.frame.filter((day >= first) & (day <= last) & ~nw.col("amount").is_null())
    return collect(rows, {"opportunity_id": "text", "amount": "float"}).sort_values("opportunity_id", ignore_index=True)


def _touch(frame: nw.LazyFrame, deal: str, day: str, channel: nw.Expr, campaign: nw.Expr) -> nw.LazyFrame:
    return frame.select(
        opportunity_id=nw.col(deal),
        touch_day=nw.col(day),
        channel=channel.fill_null(NOT_GIVEN),
        campaign=campaign.fill_null(NOT_GIVEN),
    )


def _linked(known: Known, frame: nw.LazyFrame) -> nw.LazyFrame | None:
    """Rows that name a lead, with the deal it became."""
    links = known.lead_links()
    return (
        None
        if links is None
        else frame.join(links, left_on="lead_id", right_on="linked_lead", how="inner", suffix="_of_lead")
    )


def _leads(known: Known) -> nw.LazyFrame | None:
    """The day a lead came in."""
    if not known.has("leads", "created_at") or not (known.has("leads", "channel") or known.has("leads", "campaign_id")):
        return None
    leads = known.frame("leads").select("lead_id", "created_at_n", "channel", "campaign_id")
    linked = _linked(known, leads)
    if linked is None:
        return None
    return _touch(linked, "opportunity_id", "created_at_n", nw.col("channel"), nw.col("campaign_id"))


def _visits(known: Known) -> nw.LazyFrame | None:
    """The days a lead's visitor came to the site."""
    if not known.has("web_sessions", "visitor_id", "started_at", "channel") or not known.has("leads", "visitor_id"):
        return None
    visitors = known.frame("leads").filter(~nw.col("visitor_id").is_null()).select("lead_id", "visitor_id")
    linked = _linked(known, visitors)
    if linked is None:
        return None
    sessions = known.frame("web_sessions").filter(~nw.col("visitor_id").is_null())
    sessions = sessions.select("visitor_id", "started_at_n", "channel")
    joined = sessions.join(linked.select("visitor_id", "opportunity_id"), on="visitor_id", how="inner")
    return _touch(joined, "opportunity_id", "started_at_n", nw.col("channel"), nw.lit(None, dtype=nw.String))


def _content(known: Known) -> nw.LazyFrame | None:
    """The days on which a lead, or people of the deal, viewed or took content."""
    if not known.has("content_events", "occurred_at"):
        return None
    events = known.frame("content_events")
    if known.has("content_events", "event"):
        events = events.filter(nw.col("event").str.to_lowercase() != "sales_use")
    campaign, channel = nw.lit(None, dtype=nw.String), nw.lit(CONTENT)
    parts = []
    if known.has("content_events", "opportunity_id"):
        named = events.filter(~nw.col("opportunity_id").is_null())
        parts.append(_touch(named, "opportunity_id", "occurred_at_n", channel, campaign))
    if known.has("content_events", "lead_id"):
        by_lead = events.filter(~nw.col("lead_id").is_null()).select("lead_id", "occurred_at_n")
        linked = _linked(known, by_lead)
        if linked is not None:
            parts.append(_touch(linked, "opportunity_id", "occurred_at_n", channel, campaign))
    return nw.concat(parts) if parts else None


def _campaigns(known: Known) -> nw.LazyFrame | None:
    """The campaign of the deal itself, on the day it was created."""
    if not known.has("opportunities", "campaign_id", "created_at"):
        return None
    deals = known.frame("opportunities").filter(~nw.col("campaign_id").is_null())
    deals = deals.select("opportunity_id", "created_at_n", "campaign_id")
    if not known.has("campaigns", "campaign_id", "channel"):
        nothing = nw.lit(None, dtype=nw.String)
        return _touch(deals, "opportunity_id", "created_at_n", nothing, nw.col("campaign_id"))
    channels = known.frame("campaigns").select("campaign_id", "channel")
    deals = deals.join(channels, on="campaign_id", how="left")
    return _touch(deals, "opportunity_id", "created_at_n", nw.col("channel"), nw.col("campaign_id"))


def weights(place: np.ndarray, number: np.ndarray, days: np.ndarray) -> dict[str, np.ndarray]:
    """Weight of each touch under every rule; those of a deal share its amount in this proportion.

    40/20/40: 40 % to the first, 40 % to the last, 20 % to those between, half each where there are two.
    Time decay: halved for every HALF_LIFE days before the deal's latest touch.

    Parameters
    ----------
    place, number
        Place among the deal's touches from 0, and how many it has.
    days
        Days before the deal's latest touch.
    """
    first, last = place == 0, place == number - 1
    between = 0.2 / np.maximum(number - 2, 1)
    return {
        "first": first.astype(float),
        "last": last.astype(float),
        "linear": np.ones(len(place)),
        "40/20/40": np.where(number <= 2, 1.0, np.where(first | last, 0.4, between)),
        "time decay": 0.5 ** (days / HALF_LIFE),
    }


def credits_by_touch(deals: pd.DataFrame, touched: pd.DataFrame) -> pd.DataFrame:
    """Each touch's credit in whole cents under every rule; a deal without a touch keeps its own as UNTOUCHED.

    The cents of a column add up to the revenue of ``deals`` to the cent, and those of a deal to its amount.

    Parameters
    ----------
    deals
        opportunity_id, amount.
    touched
        As of ``touches``: in order within a deal.
    """
    number = {name: k for k, name in enumerate(deals["opportunity_id"])}
    rows = touched[touched["opportunity_id"].isin(number)]
    deal = rows["opportunity_id"].map(number).to_numpy(dtype=int)
    alone = np.setdiff1d(np.arange(len(deals)), deal)
    counts = np.bincount(deal, minlength=len(deals))
    place = np.arange(len(deal)) - np.repeat(np.cumsum(counts) - counts, counts)
    close = rows["close_day"].to_numpy() - rows["touch_day"].to_numpy()
    latest = np.full(len(deals), np.iinfo(np.int64).max)
    np.minimum.at(latest, deal, close)
    cents = apportion(
        float(np.round(100 * deals["amount"].sum())), deals["amount"].to_numpy(), np.zeros(len(deals), int)
    )
    table = pd.concat(
        [
            rows[["opportunity_id", "channel", "campaign"]],
            pd.DataFrame(
                {
                    "opportunity_id": deals["opportunity_id"].to_numpy()[alone],
                    "channel": UNTOUCHED,
                    "campaign": UNTOUCHED,
                }
            ),
        ],
        ignore_index=True,
    )
    owner = np.concatenate([deal, alone])
    for name, weight in weights(place, counts[deal], close - latest[deal]).items():
        shared = apportion(cents, np.concatenate([weight, np.ones(len(alone))]), owner)
        table[name] = shared.astype(np.int64)
    return table


def apportion(cents: float | np.ndarray, weight: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Whole cents in proportion to ``weight``; the cents of each total go out in full (largest remainder).

    Parameters
    ----------
    cents
        Whole totals, one each; negative ones (a correction) are shared out alike.
    of
        Which total each weight belongs to, from 0.
    """
    totals = np.atleast_1d(np.asarray(cents, dtype=float))
    whole = np.bincount(of, weight, len(totals))
    exact = totals[of] * np.divide(weight, whole[of], out=np.zeros(len(weight)), where=whole[of] != 0)
    low = np.floor(exact)
    left = np.round(totals - np.bincount(of, low, len(totals))).astype(int)
    order = np.lexsort((np.arange(len(of)), -(exact - low), of))
    counts = np.bincount(of, minlength=len(totals))
    rank = np.empty(len(of), dtype=int)
    rank[order] = np.arange(len(of)) - np.repeat(np.cumsum(counts) - counts, counts)
    # More cents than weights are left only where the weights add up to nothing: they go round.
    return low + left[of] // np.maximum(counts[of], 1) + (rank < left[of] % np.maximum(counts[of], 1))
