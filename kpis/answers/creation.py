"""Are we creating enough new opportunities: Heinz's third measure."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.glossary import number
from kpis.answers.outlook import Outlook, document
from kpis.answers.precedents import creation_needed
from kpis.answers.words import count, percent
from kpis.engine import NEVER
from kpis.periods import Calendar, Period, day_n, day_of

PAST_MONTHS = 24
PACE_PERIODS = 8
OFFSETS = 5
"""Months from creation to expected close that are told apart; the last takes all later ones."""


def new_opportunities(found: Outlook) -> Answer:
    """Creation so far against the pace of past periods and against what the next two periods need.

    Tables: ``months`` (created and expected per month), ``pace`` (cumulative by day of the period: this one,
    and the band of past ones), ``spread`` (created month x months to expected close), ``sources``.
    """
    model = found.model
    period = model.periods[0]
    created = model.stints.deals["created"].to_numpy()
    so_far = int((created >= day_n(period.start)).sum())
    to_come = float(found.projection.per_day[: model.ends[0] - model.today].sum())
    share, past = _share_by_now(model.calendar, period, created, model.today)
    usual = float(np.mean([total for total, _ in past])) if past else None
    expected_by_now = usual * share if usual is not None and share is not None else None
    pace = so_far / expected_by_now if expected_by_now else None
    following = found.landings[1].need
    need = following.opportunities if following else None
    left = _working_days(day_of(model.today) + timedelta(days=1), period.end)
    required_total = None if need is None else so_far + to_come + need
    per_day = (required_total - so_far) / left if required_total is not None and left else None
    values = {
        "created": float(so_far),
        "pace": pace,
        "expected_created": so_far + to_come,
        "required_created": required_total,
        "per_working_day": per_day,
    }
    words = {
        "period": period.label,
        "following": found.landings[1].label,
        "confidence": percent(found.dataset.settings.confidence),
        "so_far": count(so_far),
        "to_come": count(to_come),
        "usual": count(expected_by_now),
    }
    numbers = {term: number(term, value, **words) for term, value in values.items()}
    return Answer(
        question="Are we creating enough new opportunities?",
        sentence=_sentence(found, so_far, so_far + to_come, pace, required_total),
        numbers=numbers,
        tables={
            "months": _months(found),
            "pace": _pace(model.calendar, period, created, model.today),
            "spread": _spread(found),
            "sources": _sources(found),
        },
        notes=found.warnings,
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


def _working_days(first: date, last: date) -> int:
    return int(np.busday_count(first, last + timedelta(days=1))) if last >= first else 0


def _share_by_now(
    calendar: Calendar, period: Period, created: np.ndarray, today: int
) -> tuple[float | None, list[tuple[int, float]]]:
    """Mean share of a past period's creations that were there by the same share of its working days."""
    elapsed = _working_days(period.start, day_of(today)) / max(_working_days(period.start, period.end), 1)
    past = []
    first = int(created.min()) if len(created) else today
    for p in calendar.before(period.start, PACE_PERIODS):
        inside = created[(created >= day_n(p.start)) & (created <= day_n(p.end))]
        if day_n(p.start) < first or not len(inside):
            continue
        cut = _day_after(p, elapsed)
        past.append((len(inside), float((inside <= cut).mean())))
    if not past:
        return None, []
    return float(np.mean([share for _, share in past])), past


def _day_after(period: Period, elapsed: float) -> int:
    """The day of ``period`` by which this share of its working days has passed."""
    days = np.arange(day_n(period.start), day_n(period.end) + 1)
    stamps = days.astype("datetime64[D]")
    done = np.cumsum(np.is_busday(stamps)) / max(np.is_busday(stamps).sum(), 1)
    passed = days[done <= elapsed + 1e-9]
    return int(passed[-1]) if len(passed) else int(days[0]) - 1


def _months(found: Outlook) -> pd.DataFrame:
    """Created per calendar month, and what is expected for the months of the horizon."""
    model = found.model
    created = model.stints.deals["created"].to_numpy()
    today = day_of(model.today)
    start = Calendar("month").at(today, -PAST_MONTHS).start
    past = created[created >= day_n(start)].astype("datetime64[D]").astype("datetime64[M]")
    ahead = (model.today + 1 + np.arange(len(found.projection.per_day))).astype("datetime64[D]").astype("datetime64[M]")
    actual = pd.Series(1.0, index=past).groupby(level=0).sum()
    expected = pd.Series(found.projection.per_day, index=ahead).groupby(level=0).sum()
    rows = [
        *({"month": m, "part": "created", "opportunities": n} for m, n in actual.items()),
        *({"month": m, "part": "not yet created", "opportunities": n} for m, n in expected.items()),
    ]
    return pd.DataFrame(rows, columns=["month", "part", "opportunities"]).sort_values(
        ["month", "part"], ignore_index=True
    )


def _pace(calendar: Calendar, period: Period, created: np.ndarray, today: int) -> pd.DataFrame:
    """Cumulative creations by day of the period: this one up to today, and the range of past ones."""
    first = int(created.min()) if len(created) else today
    curves = []
    for p in calendar.before(period.start, PACE_PERIODS):
        if day_n(p.start) < first:
            continue
        day = created[(created >= day_n(p.start)) & (created <= day_n(p.end))] - day_n(p.start)
        curves.append(np.cumsum(np.bincount(day, minlength=period.days))[: period.days])
    now = created[created >= day_n(period.start)] - day_n(period.start)
    this = np.cumsum(np.bincount(now, minlength=period.days))[: period.days].astype(float)
    this[today - day_n(period.start) + 1 :] = np.nan
    table = pd.DataFrame({"day": np.arange(1, period.days + 1), "this_period": this})
    if curves:
        stacked = np.array(curves)
        table["past_low"], table["past_mean"], table["past_high"] = stacked.min(0), stacked.mean(0), stacked.max(0)
    return table


def _spread(found: Outlook) -> pd.DataFrame:
    """Open deals created per month by months to their expected close, as set now."""
    deals = found.model.stints.deals
    set_ = deals[(deals["expected_close"] < NEVER) & (deals["created"] > found.model.today - 364)]
    if set_.empty:
        return pd.DataFrame(columns=["month", "months_to_close", "opportunities", "amount"])
    month = set_["created"].to_numpy().astype("datetime64[D]").astype("datetime64[M]")
    close = set_["expected_close"].to_numpy().astype("datetime64[D]").astype("datetime64[M]")
    offset = np.clip((close - month).astype(int), 0, OFFSETS - 1)
    frame = pd.DataFrame({"month": month, "offset": offset, "amount": set_["amount"].to_numpy()})
    table = (
        frame.groupby(["month", "offset"]).agg(opportunities=("amount", "size"), amount=("amount", "sum")).reset_index()
    )
    label = [f"{k}" if k < OFFSETS - 1 else f"{k} or more" for k in range(OFFSETS)]
    table["months_to_close"] = [label[k] for k in table.pop("offset")]
    return table[["month", "months_to_close", "opportunities", "amount"]]


def _sources(found: Outlook) -> pd.DataFrame:
    """Created this period and in the period before, by source."""
    model = found.model
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
