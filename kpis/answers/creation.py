"""Are we creating enough new opportunities: Heinz's third measure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.close_months import close_months
from kpis.answers.counts import counts
from kpis.answers.glossary import number
from kpis.answers.outlook import Outlook, document
from kpis.answers.precedents import creation_needed
from kpis.answers.words import count, percent
from kpis.forecast.model import Model
from kpis.periods import Calendar, Period, day_n, day_of

PAST_MONTHS = 24
PACE_PERIODS = 8


def new_opportunities(found: Outlook) -> Answer:
    """Creation so far against the pace of past periods and against what the next two periods need.

    Tables: ``months`` (created, expected and needed per month), ``pace`` (cumulative by working day of the period:
    this one, the band of past ones, and what is needed from today), ``sources``, and those of ``close_months``.
    """
    model = found.model
    period, pace = model.periods[0], model.once(_pace)
    so_far, usual = pace.so_far, pace.usual
    to_come = float(found.projection.per_day[: model.ends[0] - model.today].sum())
    following = found.landings[1].need
    need = following.opportunities if following else None
    required = None if need is None else so_far + to_come + need
    closing = close_months(found)
    values = {
        "created": float(so_far),
        "pace": so_far / usual if usual else None,
        "expected_created": so_far + to_come,
        "required_created": required,
        "per_working_day": (required - so_far) / pace.left if required is not None and pace.left else None,
    }
    words = {
        "period": period.label,
        "following": found.landings[1].label,
        "confidence": percent(found.dataset.settings.confidence),
        "so_far": count(so_far),
        "to_come": count(to_come),
        "usual": count(usual),
        "need": count(need),
        "required": count(required),
        "left": count(pace.left),
    }
    return Answer(
        question="Are we creating enough new opportunities?",
        sentence=_sentence(found, so_far, so_far + to_come, values["pace"], required),
        numbers={term: number(term, value, **words) for term, value in values.items()} | closing.numbers,
        tables={
            "months": _months(found),
            "pace": pace.table(required),
            **closing.tables,
            "sources": model.once(_sources),
        },
        notes=(*found.warnings, *closing.notes),
        counts={**counts(model.dataset), **closing.counts},
        document=document(found),
    )


def _sentence(found: Outlook, so_far: int, expected: float, pace: float | None, needed: float | None) -> str:
    period = found.model.periods[0]
    first = f"{count(so_far)} opportunities created in {period.label} so far"
    if pace is not None:
        first += f", {percent(pace)} of the usual pace"
    following = found.landings[1]
    if following.target is None:
        return f"{first}; {count(expected)} expected in the end. Set a target to see how many {following.label} needs."
    if needed is None:
        return (
            f"{first}; {count(expected)} expected in the end, and no realistic number alone secures {following.label}."
        )
    if needed <= expected * 1.005:
        return f"{first}; {count(expected)} expected in the end, enough for {following.label} as things stand."
    short = f"{count(needed - expected)} short of what {following.label} needs"
    rate = creation_needed(found, 1)
    if rate is not None and rate.said():
        until = f"{day_of(following.need.last_useful):%d %b %Y}"
        short += f", which is {count(rate.needed)} a month until {until}, {rate.said()}"
    return f"{first}; {count(expected)} expected in the end, {short}."


@dataclass(frozen=True)
class Pace:
    """Creations by working day (Monday to Friday) of the period; a weekend counts with the Friday before it.

    Parameters
    ----------
    this, past
        (working days + 1,) and (past periods, working days + 1) created by the end of each working day, with those
        of a weekend that the period begins with at 0.
    today
        Working day of the period that today is.
    """

    this: np.ndarray
    past: np.ndarray
    today: int

    @property
    def so_far(self) -> int:
        """Created in the period up to today."""
        return int(self.this[self.today])

    @property
    def usual(self) -> float | None:
        """What past periods had by this working day on average; None without a past period."""
        return float(self.past[:, self.today].mean()) if len(self.past) else None

    @property
    def left(self) -> int:
        """Working days left after today."""
        return len(self.this) - 1 - self.today

    def table(self, required: float | None) -> pd.DataFrame:
        """By working day: this period up to today, past ones, and an even way from today to what is needed."""
        day = np.arange(len(self.this))
        table = pd.DataFrame({"day": day, "this_period": np.where(day <= self.today, self.this, np.nan)})
        if len(self.past):
            table["past_low"], table["past_high"] = self.past.min(0), self.past.max(0)
            table["past_mean"] = self.past.mean(0)
        if required is not None and self.left:
            way = self.so_far + (required - self.so_far) * (day - self.today) / self.left
            table["needed"] = np.where(day >= self.today, way, np.nan)
        return table


def _pace(model: Model) -> Pace:
    """The current period's course, and that of past periods which the data cover in full."""
    created, period = model.stints.deals["created"].to_numpy(), model.periods[0]
    first = int(created.min()) if len(created) else model.today
    working = _working_day(period, np.array(day_n(period.end)))

    def course(p: Period) -> np.ndarray:
        inside = created[(created >= day_n(p.start)) & (created <= day_n(p.end))]
        on = np.bincount(_working_day(p, inside), minlength=working + 1)
        # A period of more working days than this one is drawn as far as this one goes.
        return np.cumsum(on)[: working + 1]

    past = [course(p) for p in model.calendar.before(period.start, PACE_PERIODS) if day_n(p.start) >= first]
    return Pace(course(period), np.array(past), int(_working_day(period, np.array(model.today))))


def _working_day(period: Period, day: np.ndarray) -> np.ndarray:
    """Working days (Monday to Friday) from the first day of the period to whole-number days, both included."""
    return np.busday_count(np.datetime64(period.start), day.astype("datetime64[D]") + 1)


def _months(found: Outlook) -> pd.DataFrame:
    """Created per calendar month, what is expected for the months of the horizon, and what each period needs a month.

    Rows with the part ``needed`` name the ``period`` that needs so many a month, until its last useful day.
    """
    model = found.model
    ahead = (model.today + 1 + np.arange(len(found.projection.per_day))).astype("datetime64[D]").astype("datetime64[M]")
    expected = pd.Series(found.projection.per_day, index=ahead).groupby(level=0).sum()
    rows = [
        *({"month": m, "part": "created", "opportunities": n} for m, n in model.once(_created_by_month).items()),
        *({"month": m, "part": "not yet created", "opportunities": n} for m, n in expected.items()),
    ]
    for w, landing in enumerate(found.landings[1:], 1):
        rate = creation_needed(found, w)
        if rate is None or landing.need is None or landing.need.last_useful is None:
            continue
        until = np.datetime64(landing.need.last_useful, "D").astype("datetime64[M]")
        rows += [
            {"month": m, "part": "needed", "opportunities": rate.needed, "period": landing.label}
            for m in expected.index[expected.index <= until]
        ]
    table = pd.DataFrame(rows, columns=["month", "part", "opportunities", "period"])
    return table.sort_values(["month", "part", "period"], ignore_index=True)


def _created_by_month(model: Model) -> pd.Series:
    """Deals created in each of the last calendar months."""
    created = model.stints.deals["created"].to_numpy()
    start = Calendar("month").at(day_of(model.today), -PAST_MONTHS).start
    months, n = np.unique(
        created[created >= day_n(start)].astype("datetime64[D]").astype("datetime64[M]"), return_counts=True
    )
    return pd.Series(n.astype(float), index=months)


def _sources(model: Model) -> pd.DataFrame:
    """Created this period and in the period before, by source."""
    deals = model.stints.deals
    before = model.calendar.at(model.periods[0].start, -1)
    source = deals["source"].astype("str").where(deals["source"].notna(), "(none)")
    created = deals["created"]
    this = source[created >= day_n(model.periods[0].start)].value_counts()
    last = source[(created >= day_n(before.start)) & (created <= day_n(before.end))].value_counts()
    table = pd.DataFrame({"this_period": this, "period_before": last}).fillna(0).astype(int)
    return (
        table.rename_axis("source")
        .reset_index()
        .sort_values(["this_period", "source"], ascending=[False, True], ignore_index=True)
    )
