"""The true parameters of a simulated company, and how a company is drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from kpis.periods import day_n

AGES = 600
"""Days in stage that the hazards tell apart; the last one goes on."""

AHEAD = 300
"""Days after the records' end over which the truth is laid out, for futures."""

SEGMENTS = ("Small", "Medium", "Large")
SOURCES = ("Web", "Event", "Partner", "Outbound", "Referral", "Advert")
STAGE_NAMES = ("Contact", "Need", "Solution", "Offer", "Contract")


@dataclass(frozen=True)
class Truth:
    """All parameters of one company; arrays "by day" begin on ``first``.

    Parameters
    ----------
    first, start, last
        Day of the first creation, first day that is in the records (deals that ended earlier are not), last day.
    base_won, base_lost, base_move
        (S, AGES) daily hazards.
    to
        (S, S) chance of each next stage, given a move.
    calendar_won, calendar_lost, calendar_move
        By day: factors.
    segment, source, owner
        Won (and move) and lost ratio of each level, shape (2, levels).
    elasticity
        Of the ratios in amount / typical amount: won (and move), lost.
    typical, spread
        Median amount of each segment, and standard deviation of its log.
    segment_share, source_share
        By source: chance of each segment. By day: chance of each source, shape (days, sources).
    hired, gone
        First and last day on which each owner gets new deals.
    price
        By day: level of amounts.
    rate
        By day: expected creations before the month's noise.
    month_cv, shock_cv
        Coefficients of variation of a month's creations (gamma) and of a quarter's win hazards (lognormal).
    instant
        Chance that a new deal is won on the day it is created.
    quarter, month
        By day: number of its quarter and month.
    """

    first: int
    start: int
    last: int
    base_won: np.ndarray
    base_lost: np.ndarray
    base_move: np.ndarray
    to: np.ndarray
    calendar_won: np.ndarray
    calendar_lost: np.ndarray
    calendar_move: np.ndarray
    segment: np.ndarray
    source: np.ndarray
    owner: np.ndarray
    elasticity: tuple[float, float]
    typical: np.ndarray
    spread: float
    segment_share: np.ndarray
    source_share: np.ndarray
    hired: np.ndarray
    gone: np.ndarray
    price: np.ndarray
    rate: np.ndarray
    month_cv: float
    shock_cv: float
    instant: float
    sleep: float
    push: float
    revision: tuple[float, float, float]
    optimism: float
    quarter: np.ndarray
    month: np.ndarray

    @property
    def stages(self) -> int:
        """Number of open stages; won is this number, lost one more."""
        return len(self.to)


def draw_truth(rng: np.random.Generator, *, last: date, years: float, opportunities: int) -> Truth:
    """Draw the parameters of a company that records about ``opportunities`` deals in the ``years`` up to ``last``."""
    end, stages = day_n(last), int(rng.integers(3, 6))
    start = end - round(years * 365.25) + 1
    # Half of the companies moved an older pipeline into a new CRM: what had ended by then was left behind.
    first = start - 500 * int(rng.random() < 0.5)
    days = np.arange(first, end + AHEAD + 1)
    won, lost, move, to = _hazards(rng, stages)
    owners = int(np.clip(opportunities / years / 80, 5, 30))
    effects = {"segment": (3, 0.10, 0.08), "source": (len(SOURCES), 0.25, 0.15), "owner": (owners, 0.25, 0.15)}
    ratio = {k: np.exp(rng.normal(0, np.array([[a], [b]]), (2, n))) for k, (n, a, b) in effects.items()}
    ratio["segment"] *= np.array([[1.15, 1.0, 0.8], [1.1, 1.0, 0.9]])
    rate = _rate(rng, days)
    hired, gone = np.full(owners, first), np.full(owners, days[-1])
    newer, older = np.arange(owners) % 4 == 1, np.arange(owners) % 4 == 3
    hired[newer] = rng.integers(first, end, newer.sum())
    gone[older] = rng.integers(first + 200, end, older.sum())
    mix = rng.dirichlet(np.full(len(SOURCES), 6.0)) * np.exp(
        np.outer((days - first) / 365.25, rng.normal(0, 0.12, len(SOURCES)))
    )
    return Truth(
        first=first, start=start, last=end, base_won=won, base_lost=lost, base_move=move, to=to,
        **_calendars(rng, days),
        **ratio,
        elasticity=(-rng.uniform(0.04, 0.12), rng.uniform(0.0, 0.06)),
        typical=np.array([8_000.0, 25_000.0, 90_000.0]) * np.exp(rng.normal(0, 0.2, 3)),
        spread=rng.uniform(0.6, 0.95),
        segment_share=rng.dirichlet([11, 6.5, 2.5], len(SOURCES)),
        source_share=mix / mix.sum(1, keepdims=True),
        hired=hired, gone=gone,
        price=np.exp(rng.uniform(0, 0.05) * (days - end) / 365.25),
        rate=rate * opportunities / rate[start - first : end - first + 1].sum(),
        month_cv=rng.uniform(0.08, 0.20), shock_cv=rng.uniform(0.08, 0.25),
        instant=rng.uniform(0, 0.05), sleep=rng.uniform(0.0001, 0.0006), push=rng.uniform(0.08, 0.25),
        revision=(0.3, rng.uniform(-0.08, 0.04), 0.2), optimism=rng.uniform(0.5, 0.9),
        quarter=months_of(days) // 3, month=months_of(days),
    )  # fmt: skip


def _hazards(rng: np.random.Generator, stages: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Hazards that rise to a hump and fall to a tail, so that what has waited long is likelier lost than won."""
    ahead = np.clip(rng.uniform(0.10, 0.25) ** (1 / stages) + rng.normal(0, 0.04, stages), 0.4, 0.85)
    stay = rng.uniform(90, 220) / stages * np.exp(rng.normal(0, 0.25, stages))
    u = np.arange(AGES) + 0.5

    def hump(scale: np.ndarray, tail: float, height: float) -> np.ndarray:
        x = u / scale[:, None]
        return (tail + height * x * np.exp(1 - x)) / stay[:, None]

    forward = ahead[:, None] * hump(0.6 * stay, 0.35, rng.uniform(1.0, 1.6))
    lost = (1 - ahead[:, None]) * hump(1.2 * stay, 0.5, rng.uniform(0.6, 1.0))
    at_once = np.zeros(stages)
    at_once[-2:] = rng.uniform(0.03, 0.10), 1.0
    to = np.zeros((stages, stages))
    for s in range(stages):
        if s + 1 < stages:
            to[s, s + 1] = 1.0
        if s + 2 < stages:
            to[s, s + 2] = rng.uniform(0.02, 0.10)
        if s > 0:
            to[s, s - 1] = rng.uniform(0.03, 0.10)
    back = np.where(np.arange(stages) == stages - 1, to.sum(1), 0.0)[:, None] / stay[:, None]
    move = forward * (1 - at_once)[:, None] + back
    return forward * at_once[:, None], lost, move, to / to.sum(1, keepdims=True)


def _calendars(rng: np.random.Generator, days: np.ndarray) -> dict[str, np.ndarray]:
    weekday = np.array([1.0, 1.1, 1.1, 1.1, 0.9, 0.06, 0.04])
    everyday = (7 * weekday / weekday.sum())[(days + 3) % 7]  # day 0 was a Thursday
    month, quarter = months_of(days), months_of(days) // 3 * 3
    to_month_end, to_quarter_end = first_day_of(month + 1) - days - 1, first_day_of(quarter + 3) - days - 1
    since_start = days - first_day_of(quarter)
    won = 0.6 + rng.uniform(0.8, 2.5) * np.exp(-to_quarter_end / rng.uniform(6, 14)) + 0.5 * np.exp(-to_month_end / 4)
    lost = 0.8 + rng.uniform(0.3, 1.5) * np.exp(-since_start / 10)
    won *= 1 + 0.1 * np.cos(2 * np.pi * (days / 365.25 - rng.random()))
    drift = rng.uniform(0.05, 0.20) * np.sin(2 * np.pi * (days / 365.25 / rng.uniform(3, 7) + rng.random()))
    return {
        "calendar_won": everyday * won / won.mean() * np.exp(drift),
        "calendar_lost": everyday * lost / lost.mean(),
        "calendar_move": everyday,
    }


def _rate(rng: np.random.Generator, days: np.ndarray) -> np.ndarray:
    weekday = np.array([1.2, 1.2, 1.2, 1.2, 1.1, 0.15, 0.1])[(days + 3) % 7]
    season = np.exp(rng.normal(0, 0.12, 12))[months_of(days) % 12]
    year = (days - days[0]) / 365.25
    wave = rng.uniform(0, 0.15) * np.sin(2 * np.pi * (year / rng.uniform(2, 5) + rng.random()))
    return weekday * season * np.exp(rng.uniform(0, 0.3) * year + wave)


def months_of(days: np.ndarray) -> np.ndarray:
    """Number of the month of each day."""
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(int)


def first_day_of(months: np.ndarray) -> np.ndarray:
    """First day of each month."""
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(int)


def without_differences(truth: Truth) -> Truth:
    """The same company with all deals alike, no shocks, no drift of creation: for checks by hand."""
    ones = {name: np.ones_like(getattr(truth, name)) for name in ("segment", "source", "owner")}
    return replace(truth, **ones, elasticity=(0.0, 0.0), shock_cv=1e-6, month_cv=1e-3)
