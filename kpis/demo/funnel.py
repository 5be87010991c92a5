"""The way of a lead through marketing and sales, as whole days: to an opportunity, or out of the funnel."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpis.demo.accounts import Accounts
from kpis.demo.arrivals import LEAD_SHARE, SCORE_MEAN, SCORE_SD, TYPE_SHARE
from kpis.demo.calendar import NEVER, Days
from kpis.demo.deals import Deals, first_day_in
from kpis.demo.truth import SOURCES, STAGES, Truth, arrival_shape

OTHERS = 4.1
"""Leads that never become an opportunity, for each one that does."""
_CHANNEL_OF_OTHERS = np.array([0.21, 0.19, 0.16, 0.12, 0.10, 0.10, 0.05, 0.06, 0.01, 0.0])
_REASONS = np.array(["No fit", "No budget", "Not the right contact", "Student or competitor", "Duplicate"])


def converted(truth: Truth, deals: Deals, accounts: Accounts, rng: np.random.Generator) -> pd.DataFrame:
    """Leads of deals, and of deals that will be created in the weeks after the end, told back from the deal."""
    f, n_all = deals.features, len(deals.closed)
    deal = np.flatnonzero(f["score"] >= 0)
    days = Days(truth.first, truth.last + 90)
    ahead = np.arange(truth.last + 1, truth.last + 91)
    rate = truth.level * arrival_shape(days, ahead, truth.first, truth.growth) * (TYPE_SHARE @ LEAD_SHARE)
    to_come = np.repeat(ahead, rng.poisson(rate))
    like = rng.choice(deal, len(to_come)) if len(deal) else np.zeros(0, dtype=np.int64)
    to_come = to_come[: len(like)]
    who, created = np.append(deal, like), np.append(f["created"][deal], to_come)
    real = np.arange(len(who)) < len(deal)
    n = len(who)

    def before(day: np.ndarray, lag: np.ndarray) -> np.ndarray:
        return np.maximum(day - lag.astype(np.int64), truth.first)

    sql = before(created, rng.exponential(4, n))
    accepted = before(sql, rng.gamma(1.6, 4.5, n))
    mql = before(accepted, rng.exponential(1.8, n))
    lead = before(mql, np.where(rng.random(n) < 0.35, 0, rng.exponential(16, n)))
    nurtured = (mql - lead >= 10) & (rng.random(n) < 0.5)
    offered = np.where(real, first_day_in(deals.log, n_all, STAGES.index("Proposal"))[who], NEVER)
    over = np.where(real, deals.closed[who], NEVER)
    rfp = np.maximum(offered - rng.integers(2, 12, n), created)
    shown = offered + rng.integers(1, 14, n)
    score = np.where(real, f["score"][who], np.clip(np.round(rng.normal(SCORE_MEAN, SCORE_SD, n)), 1, 100))
    return pd.DataFrame(
        {
            "deal": np.where(real, who, -1),
            "account": np.where(real, accounts.of_deal[who], -1),
            "segment": f["segment"][who],
            "region": f["region"][who],
            "source": f["source"][who],
            "score": score.astype(np.int64),
            "created": lead,
            "mql": mql,
            "accepted": accepted,
            "sql": sql,
            "appointment": np.where(rng.random(n) < 0.82, np.maximum(sql - rng.integers(0, 4, n), accepted), NEVER),
            "rfp": np.where((rng.random(n) < 0.38) & (offered < NEVER), rfp, NEVER),
            "proposal": offered,
            "presentation": np.where((rng.random(n) < 0.72) & (shown <= over) & (offered < NEVER), shown, NEVER),
            "disqualified": NEVER,
            "recycled": NEVER,
            "archived": NEVER,
            "nurture_start": np.where(nurtured, lead + 2, NEVER),
            "nurture_end": np.where(nurtured, mql, NEVER),
            "touched": sql,
            "reason": None,
        }
    )


def others(truth: Truth, deals: Deals, accounts: Accounts, rng: np.random.Generator) -> pd.DataFrame:
    """Leads that never become an opportunity: rejected, nurtured, archived, or still waiting."""
    n = round(OTHERS * np.count_nonzero(deals.features["score"] >= 0))
    day = np.arange(truth.first, truth.last + 1)
    days = Days(truth.first, truth.last)
    shape = np.sqrt(arrival_shape(days, day, truth.first, 2 * truth.growth)) * rng.gamma(30, 1 / 30, len(day))
    lead = np.repeat(day, rng.multinomial(n, shape / shape.sum()))
    score = np.clip(np.round(rng.normal(43, 16, n)), 1, 100)

    def later(day: np.ndarray, share: np.ndarray | float, lag: np.ndarray) -> np.ndarray:
        happens = (day < NEVER) & (rng.random(n) < share)
        return np.where(happens, day + lag.astype(np.int64), NEVER)

    mql = later(lead, 1 / (1 + np.exp(-(score - 54) / 7)), np.where(rng.random(n) < 0.35, 0, rng.exponential(14, n)))
    accepted = later(mql, 0.70, rng.exponential(2.2, n))
    sql = later(accepted, 0.46, rng.gamma(1.6, 5, n))
    refused = (mql < NEVER) & (accepted == NEVER)
    dropped = (accepted < NEVER) & (rng.random(n) < 0.55)
    unfit = (mql == NEVER) & (rng.random(n) < 0.24)
    latest = np.where(mql < NEVER, mql, lead)
    latest = np.where(accepted < NEVER, accepted, latest)
    latest = np.where(sql < NEVER, sql, latest)
    disqualified = np.where(
        refused & (rng.random(n) < 0.5) | dropped, latest + 2 + rng.exponential(14, n).astype(np.int64), NEVER
    )
    disqualified = np.where(unfit, lead + rng.integers(0, 25, n), disqualified)
    recycled = np.where(refused & (disqualified == NEVER), latest + rng.integers(1, 9, n), NEVER)
    nurture = np.where((mql == NEVER) & ~unfit & (rng.random(n) < 0.35), lead + rng.integers(2, 30, n), recycled)
    touched = np.where(nurture < NEVER, nurture + rng.integers(10, 90, n), latest + rng.integers(0, 30, n))
    touched = np.minimum(touched, disqualified)
    silent = (disqualified == NEVER) & (rng.random(n) < 0.85)
    archived = np.where(silent, touched + rng.integers(150, 260, n), NEVER)
    account = np.where(rng.random(n) < 0.3, rng.integers(0, len(accounts), n), -1)
    segment, region = rng.choice(3, n, p=[0.6, 0.28, 0.12]), rng.choice(3, n, p=[0.52, 0.31, 0.17])
    return pd.DataFrame(
        {
            "deal": -1,
            "account": account,
            "segment": np.where(account >= 0, accounts.segment[account], segment),
            "region": np.where(account >= 0, accounts.region[account], region),
            "source": rng.choice(len(SOURCES), n, p=_CHANNEL_OF_OTHERS),
            "score": score.astype(np.int64),
            "created": lead,
            "mql": mql,
            "accepted": accepted,
            "sql": sql,
            "appointment": later(sql, 0.6, rng.integers(0, 6, n)),
            "rfp": later(sql, 0.08, rng.integers(5, 40, n)),
            "proposal": NEVER,
            "presentation": NEVER,
            "disqualified": disqualified,
            "recycled": recycled,
            "archived": archived,
            "nurture_start": nurture,
            "nurture_end": np.where(nurture < NEVER, touched, NEVER),
            "touched": touched,
            "reason": rng.choice(_REASONS, n, p=[0.36, 0.2, 0.2, 0.15, 0.09]),
        }
    )
