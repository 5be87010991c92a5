"""The plan and the self-assessments: targets by month, and the two scorecards by quarter."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpis.demo import futures
from kpis.demo.calendar import NEVER, Days, iso, month_starts, quarters
from kpis.demo.deals import Deals, first_day_in
from kpis.demo.owners import TEAMS
from kpis.demo.truth import Truth, arrival_shape
from kpis.periods import day_of

AHEAD = 2
"""Quarters after the running one that have targets."""
_MONTH_SHARE = np.array([0.26, 0.29, 0.45])
_DRAWN_DEALS = 40_000
"""Deals lived on with to see what to plan for: many futures of a small company, few of a large one."""

_ITEMS = {
    "sales_enablement": (
        ("Sellers know when to use which material", 3), ("New sellers ramp up by a written plan", 3),
        ("Coaching is scheduled and takes place", 3), ("Stage exits are defined and kept", 2),
        ("Tools are used as intended", 2), ("Competitor knowledge is current", 1),
        ("Materials are easy to find", 2), ("Wins and losses are reviewed", 2),
    ),
    "lead_management": (
        ("Sales and marketing share one definition of MQL", 3), ("Leads are called within the agreed time", 3),
        ("Scoring is checked against outcomes", 2), ("Rejected leads get a reason", 2),
        ("Recycling to nurture works", 2), ("Hand-off records are complete", 2),
        ("Marketing hears what became of its leads", 3), ("Lead sources are tagged", 1),
    ),
}  # fmt: skip


def targets(truth: Truth, deals: Deals, rng: np.random.Generator) -> pd.DataFrame:
    """Monthly targets that add up to the quarter's, to the second quarter after the running one.

    Bookings: 0.93 to 1.10 times what came true, for the quarters to come what the true process leads one
    to expect; ``new_opps`` counts opportunities that become qualified; ``concession_rate`` is a share.
    """
    spans = _spans(truth)
    attained = rng.uniform(0.93, 1.10, len(spans))
    bookings = _bookings(truth, deals, spans, rng) * np.where(
        np.arange(len(spans)) < len(spans) - AHEAD - 1, attained, 1.04
    )
    months = month_starts(spans[0][0], spans[-1][1])
    rows = [(months, "company", "bookings", _by_month(bookings))]
    won = deals.won
    share = np.bincount(deals.features["team"][won], deals.book.amount[won], len(TEAMS))
    share = share / share.sum() * rng.uniform(0.94, 1.06, len(TEAMS))
    rows += [
        (months, team, "bookings", _by_month(bookings * part))
        for team, part in zip(TEAMS, share / share.sum(), strict=True)
    ]
    rows.append((months, "company", "new_opps", _new_opportunities(truth, deals, months, spans[-1][1], rng)))
    quarter = np.arange(len(months)) // 3
    rows.append((months, "company", "concession_rate", np.round(0.085 - 0.0008 * quarter, 4)))
    frame = pd.concat(
        pd.DataFrame({"period": period, "scope": scope, "metric": metric, "value": value})
        for period, scope, metric, value in rows
    ).sort_values("period", kind="stable", ignore_index=True)
    frame["period"] = iso(frame["period"].to_numpy())
    return frame


def scorecards(truth: Truth, rng: np.random.Generator) -> pd.DataFrame:
    """Both scorecards, rated by both sides at the end of every quarter; ratings rise slowly."""
    rows = []
    ends = [end for _, end in quarters(truth.first, truth.last) if end <= truth.last]
    for k, end in enumerate(ends or [truth.last]):
        for scorecard, items in _ITEMS.items():
            for assessor, view in (("VP Sales", 0.15), ("VP Marketing", -0.05)):
                own = view if scorecard == "sales_enablement" else -view
                level = 2.5 + own + 0.07 * k + rng.normal(0, 0.6, len(items))
                ratings = np.clip(np.round(level), 1, 5).astype(int).tolist()
                rows += [
                    (scorecard, item, weight, r, assessor, end)
                    for (item, weight), r in zip(items, ratings, strict=True)
                ]
    frame = pd.DataFrame(rows, columns=["scorecard", "item", "weight", "rating", "assessor", "assessed_on"])
    frame["assessed_on"] = iso(frame["assessed_on"].to_numpy())
    return frame


def _spans(truth: Truth) -> list[tuple[int, int]]:
    """First and last day of every quarter that has targets."""
    count = len(quarters(truth.first, truth.last)) + AHEAD
    return quarters(truth.first, truth.last + 93 * AHEAD)[:count]


def _bookings(truth: Truth, deals: Deals, spans: list[tuple[int, int]], rng: np.random.Generator) -> np.ndarray:
    """Won amount of each quarter: what came true, for the running one and later ones what is to be expected."""
    starts = np.array([start for start, _ in spans])
    won = deals.won
    actual = np.bincount(
        np.searchsorted(starts, deals.closed[won], side="right") - 1, deals.book.amount[won], len(spans)
    )
    ends = [day_of(end) for _, end in spans[-AHEAD - 1 :]]
    draws = int(np.clip(_DRAWN_DEALS // max(deals.is_open.sum(), 1), 2, 100))
    ahead = futures.simulate(truth, deals, day_of(truth.last), ends, draws=draws, rng=rng, shocks=False)
    actual[-AHEAD - 1 :] += ahead.total.mean(axis=0)
    return actual


def _by_month(quarterly: np.ndarray) -> np.ndarray:
    """Each quarter's value spread over its months, in whole thousands."""
    return np.round(np.outer(quarterly, _MONTH_SHARE).ravel(), -3)


def _new_opportunities(
    truth: Truth, deals: Deals, months: np.ndarray, last: int, rng: np.random.Generator
) -> np.ndarray:
    """Opportunities to become qualified each month: what came true, later what as many arrivals would give."""
    day = np.arange(truth.first, last + 1)
    rate = arrival_shape(Days(truth.first, last), day, truth.first, truth.growth)
    qualified = first_day_in(deals.log, len(deals.closed), 1)
    qualified = qualified[qualified < NEVER]
    past = day <= truth.last
    per_arrival = len(qualified) / rate[past].sum()
    expected = np.bincount(np.searchsorted(months, day, side="right") - 1, rate, len(months)) * per_arrival
    actual = np.bincount(np.searchsorted(months, qualified, side="right") - 1, minlength=len(months))
    whole = np.append(months[1:], last + 1) <= truth.last + 1
    planned = np.where(whole, 0.5 * actual + 0.5 * expected, expected) * rng.uniform(0.97, 1.10, len(months))
    return np.maximum(np.round(planned), 1.0)
