"""The website: its pages, visits and page views of the last months that its analytics keep."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpis.demo.calendar import iso
from kpis.demo.companies import ids
from kpis.demo.leads import DIGITAL
from kpis.demo.truth import Truth

KEPT_DAYS = 225
"""How far back visits are kept."""
VISITORS_PER_LEAD = 3.0
"""Visitors who leave no name, for each lead of a digital channel."""
MOST_VISITORS = 100_000

# Page, counted as content to be read, step of the funnel, popularity as a landing page and after it.
_PAGES = (
    ("/", 1, 1, 3.0, 1.0),
    ("/product", 1, 2, 1.2, 2.2),
    ("/pricing", 1, 3, 0.7, 1.6),
    ("/demo", 1, 4, 0.8, 0.7),
    ("/thank-you", 0, 5, 0.0, 0.0),
    ("/product/insight", 1, 0, 0.4, 0.9),
    ("/product/connect", 1, 0, 0.2, 0.5),
    ("/customers", 1, 0, 0.3, 0.9),
    ("/customers/freight", 1, 0, 0.2, 0.4),
    ("/guides/forecasting", 1, 0, 1.4, 0.6),
    ("/guides/lead-scoring", 1, 0, 1.0, 0.5),
    ("/guides/pipeline-review", 1, 0, 0.9, 0.5),
    ("/webinars", 1, 0, 0.7, 0.4),
    ("/security", 1, 0, 0.1, 0.4),
    ("/integrations", 1, 0, 0.2, 0.5),
    ("/about", 1, 0, 0.2, 0.4),
    ("/careers", 0, 0, 0.3, 0.2),
    ("/login", 0, 0, 0.2, 0.1),
)
_NAMES = np.array([page for page, *_ in _PAGES], dtype=object)
_LANDING = np.array([page[3] for page in _PAGES])
_NEXT = np.array([page[4] for page in _PAGES])
_DEMO, _THANKS = 3, 4
_CHANNEL_SHARE = np.array([0.46, 0.22, 0.17, 0.04, 0.11])


def pages() -> pd.DataFrame:
    """The pages table."""
    step = pd.array([page[2] or None for page in _PAGES], dtype="Int64")
    return pd.DataFrame({"page": _NAMES, "is_tracked": [page[1] for page in _PAGES], "funnel_step": step})


def visits(truth: Truth, leads: pd.DataFrame, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The web_sessions and page_views tables; ``leads`` has lead_id, visitor_id, channel and created.

    The visit on which a lead is made ends on the page of thanks; most visitors read one page and go.
    """
    first = max(truth.last - KEPT_DAYS, truth.first)
    known = leads[leads["visitor_id"].notna() & (leads["created"] >= first)]
    strangers = min(round(VISITORS_PER_LEAD * len(known)), MOST_VISITORS)
    earlier = np.repeat(np.arange(len(known)), rng.poisson(0.8, len(known)))
    again = np.repeat(np.arange(strangers), 1 + rng.poisson(0.28, strangers))
    came = rng.integers(first, truth.last + 1, strangers)
    created = known["created"].to_numpy()
    day = np.concatenate(
        [
            created,
            np.maximum(created[earlier] - rng.integers(1, 25, len(earlier)), first),
            np.minimum(came[again] + rng.integers(0, 40, len(again)) * (rng.random(len(again)) < 0.3), truth.last),
        ]
    )
    channels = np.array(DIGITAL, dtype=object)
    of_known, of_stranger = (
        known["channel"].to_numpy(dtype=object),
        channels[rng.choice(5, strangers, p=_CHANNEL_SHARE)],
    )
    names = known["visitor_id"].to_numpy(dtype=object)
    # Strangers are numbered after the visitors who became leads.
    nobody = ids("V", len(leads) + np.arange(strangers))
    n, converts = len(day), np.arange(len(day)) < len(known)
    viewed = np.where(
        rng.random(n) < np.where(np.arange(n) < len(known) + len(earlier), 0.30, 0.56), 1, 2 + rng.poisson(1.3, n)
    )
    viewed = np.where(converts, 3 + rng.poisson(1.2, n), viewed)
    sessions = pd.DataFrame(
        {
            "visitor_id": np.concatenate([names, names[earlier], nobody[again]]),
            "started_at": day,
            "channel": np.concatenate([of_known, of_known[earlier], of_stranger[again]]),
            "landing": rng.choice(len(_PAGES), n, p=_LANDING / _LANDING.sum()),
            "pages_viewed": viewed,
            "engaged_seconds": np.round(rng.gamma(1.6, 7 + 22 * (viewed - 1) + 4)).astype(np.int64),
            "converted_lead_id": np.concatenate(
                [known["lead_id"].to_numpy(dtype=object), np.full(n - len(known), None)]
            ),
        }
    )
    order = np.lexsort((converts, day))
    sessions = sessions.iloc[order].reset_index(drop=True)
    views = _views(sessions, converts[order], rng)
    sessions.insert(0, "session_id", ids("W", np.arange(n)))
    sessions["started_at"] = iso(sessions["started_at"].to_numpy())
    sessions.insert(4, "landing_page", _NAMES[sessions.pop("landing")])
    return sessions, views


def _views(sessions: pd.DataFrame, converts: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """A row a page seen, numbered within the visitor."""
    count = sessions["pages_viewed"].to_numpy()
    session = np.repeat(np.arange(len(sessions)), count)
    place = np.arange(len(session)) - np.repeat(np.cumsum(count) - count, count)
    page = rng.choice(len(_PAGES), len(session), p=_NEXT / _NEXT.sum())
    page = np.where(place == 0, sessions["landing"].to_numpy()[session], page)
    to_go = count[session] - 1 - place
    page = np.where(converts[session] & (to_go == 0), _THANKS, page)
    page = np.where(converts[session] & (to_go == 1) & (place > 0) & (rng.random(len(session)) < 0.7), _DEMO, page)
    views = pd.DataFrame(
        {
            "visitor_id": sessions["visitor_id"].to_numpy()[session],
            "page": _NAMES[page],
            "viewed_at": iso(sessions["started_at"].to_numpy()[session]),
        }
    )
    return views.assign(sequence=views.groupby("visitor_id").cumcount() + 1)
