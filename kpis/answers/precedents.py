"""Has it been done before: what each period needs as a rate, beside the company's own past."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kpis.answers.outlook import Landing, Outlook
from kpis.answers.words import count, percent
from kpis.forecast.own_history import by_month, share_below
from kpis.periods import day_n

MONTH = 365.25 / 12
OPPORTUNITIES, SQLS, MQLS, SPEND = (
    "New opportunities a month", "SQLs a month", "MQLs a month", "Marketing spend a month",
)  # fmt: skip
WIN_RATE = "Share of the open amount won"
DAY_ONE = "Pipeline on the first day"


@dataclass(frozen=True)
class Precedent:
    """A rate that a period needs, and what it was in the past.

    Parameters
    ----------
    needed
        The rate, from tomorrow to the last useful day where it is one a month.
    past
        The same of past ``unit``s, oldest first.
    unit
        ``month`` or ``period``.
    kind
        ``count``, ``money`` or ``share``.
    """

    period: str
    rate: str
    needed: float
    past: np.ndarray
    unit: str
    kind: str = "count"

    @property
    def share_below(self) -> float | None:
        """Share of the past values that lie below what is needed; None with fewer than four."""
        return share_below(self.needed, self.past)

    def said(self) -> str:
        """``more than in 92 % of past months``; empty where there is too little past."""
        share, n = self.share_below, len(self.past)
        if share is None:
            return ""
        if share == 0:
            return f"as in every one of the past {n} {self.unit}s"
        if share == 1:
            return f"more than in any of the past {n} {self.unit}s"
        return f"more than in {percent(share)} of the past {n} {self.unit}s"


def precedents(found: Outlook) -> tuple[Precedent, ...]:
    """The rates that the periods with a target need, as far as they are known and have a past."""
    return tuple(x for w in range(len(found.landings)) for x in (*_a_month(found, w), *_of_pipeline(found, w)))


def creation_needed(found: Outlook, w: int) -> Precedent | None:
    """New opportunities a month that a period needs; None where no number of them is enough or known."""
    return next((x for x in _a_month(found, w) if x.rate == OPPORTUNITIES), None)


def table(found: Outlook, rates: Sequence[Precedent]) -> pd.DataFrame:
    """One row a period and rate: needed, the median and the highest of the past, the share of it below, and n.

    Columns that end in ``said`` are the same in words.
    """
    rows = []
    for x in rates:
        if x.share_below is None:
            continue
        say = {"money": found.say, "share": percent, "count": count}[x.kind]
        values = {"needed": x.needed, "usual": float(np.median(x.past)), "highest": float(x.past.max())}
        words = {f"{name}_said": say(value) for name, value in values.items()}
        words["below_said"] = f"{percent(x.share_below)} of {len(x.past)} {x.unit}s"
        past = {"share_below": x.share_below, "n": len(x.past), "past": f"{x.unit}s"}
        rows.append({"period": x.period, "rate": x.rate, **values, **words, **past})
    return pd.DataFrame(rows)


def _a_month(found: Outlook, w: int) -> Iterator[Precedent]:
    """Creation, and what it takes in leads and money, a month from tomorrow to the last useful day."""
    landing, model = found.landings[w], found.model
    need = landing.need
    if need is None or need.opportunities is None or need.last_useful is None:
        return
    days = need.last_useful - model.today
    months = days / MONTH
    created = model.stints.deals["created"].to_numpy()
    usual = float(found.projection.per_day[:days].sum()) / months
    past = by_month(created, np.ones(len(created)), model.today)
    yield Precedent(landing.label, OPPORTUNITIES, usual + need.opportunities / months, past, "month")
    for rate, key, extra in (
        (SQLS, "sqls", landing.sqls),
        (MQLS, "mqls", landing.mqls),
        (SPEND, "spend", landing.spend),
    ):
        held = found.funnel.monthly.get(key, np.zeros(0))
        if extra is not None and len(held):
            kind = "money" if rate == SPEND else "count"
            yield Precedent(landing.label, rate, float(held[-12:].mean()) + extra / months, held, "month", kind)


def _of_pipeline(found: Outlook, w: int) -> Iterator[Precedent]:
    """What share of the open amount has to be won in the period, and the pipeline it has to begin with."""
    landing = found.landings[w]
    held = _open_amount(found)
    if landing.need is not None and landing.need.from_open is not None and held > 0:
        needed = landing.need.from_open / held
        origins = found.record.origins if found.record else ()
        past = np.array([x.won_of_open[w] / x.open_amount for x in origins if x.open_amount > 0])
        yield Precedent(landing.label, WIN_RATE, needed, past[np.isfinite(past)], "period", "share")
    day_one, _ = pacing(found, landing)
    if day_one is not None:
        yield Precedent(landing.label, DAY_ONE, day_one, _first_days(found), "period", "money")


def _open_amount(found: Outlook) -> float:
    """Amount of all open deals, with the lever of deal size where it touches them."""
    assumed = found.projection.assumptions
    return float(found.model.open_deals.amount.sum()) * (assumed.deal_size if assumed.deal_size_open else 1.0)


def _first_days(found: Outlook) -> np.ndarray:
    """Open qualified pipeline on the first day of each past period that the history knows."""
    past = [c for c in found.model.build_up if day_n(c.period.end) <= found.model.today]
    amounts = np.array([curve.relative(0) for curve in past])
    return amounts[np.isfinite(amounts) & (amounts > 0)]


def pacing(found: Outlook, landing: Landing) -> tuple[float | None, float | None]:
    """Pipeline the period should begin with, and what that means for today, at the pace of past periods."""
    pace = found.model.paces[found.landings.index(landing)]
    if pace is None or landing.target is None:
        return None, None
    return pace.day_one(landing.target), pace.today(landing.target)
