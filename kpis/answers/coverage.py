"""Is there enough qualified pipeline for the next two periods: Heinz's second measure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.counts import counts
from kpis.answers.day_one import day_one, on_pace
from kpis.answers.glossary import number
from kpis.answers.outlook import Landing, Outlook, document, in_words, parts_table
from kpis.answers.precedents import MONTH, OPPORTUNITIES, Precedent, pacing, precedents
from kpis.answers.precedents import table as precedent_table
from kpis.answers.words import count, percent
from kpis.engine import NEVER
from kpis.forecast.required import ALL
from kpis.periods import day_of

STRIPS = (30, 60, 90)


def next_periods(found: Outlook) -> Answer:
    """Open qualified pipeline of each period beside what it takes, and what that means in opportunities and leads.

    Tables: ``periods`` (one row a period, every number), ``parts`` (period, part, amount), ``strips``
    (open qualified amount expected to close within 30, 60 and 90 days), ``build_up`` (the pipeline of the
    coming periods by day to their start, beside past ones), ``rules`` and ``first_days`` (see ``day_one``),
    ``precedents`` (each required rate beside the past), ``segments`` (last useful creation date by segment and
    period).
    """
    following = found.landings[1:]
    rates = precedents(found)
    creation = {x.period: x for x in rates if x.rate == OPPORTUNITIES}
    sizes = day_one(found)
    numbers = {}
    for landing in following:
        rate = creation.get(landing.label)
        values = {
            "p_hit": landing.p_hit,
            "gap": landing.gap,
            "pacing": pacing(found, landing)[1],
            "a_month": rate.needed if rate else None,
            "precedent": rate.share_below if rate else None,
        }
        words = in_words(found, landing) | _needs_in_words(found, landing, rate)
        numbers |= {f"{key} {landing.label}": number(f"{key}_period", x, **words) for key, x in values.items()}
    return Answer(
        question="Is there enough qualified pipeline for the next two periods?",
        sentence=" ".join(_sentence(found, landing, creation.get(landing.label)) for landing in following),
        numbers=numbers | sizes.numbers,
        tables={
            "periods": _periods(found, creation),
            "parts": parts_table(found),
            "strips": _strips(found),
            **on_pace(found).tables,
            **sizes.tables,
            "precedents": precedent_table(found, rates),
            "segments": _segments(found),
        },
        notes=found.warnings,
        counts=counts(found.model.dataset),
        document=document(found),
    )


def _needs_in_words(found: Outlook, landing: Landing, rate: Precedent | None) -> dict[str, str]:
    """What stands behind the pacing target and the opportunities a month."""
    first, _ = pacing(found, landing)
    pace = found.model.paces[found.landings.index(landing)]
    words = {"day_one": found.say(first), "share_by_now": percent(pace.share) if pace else ""}
    need = landing.need
    if rate is None or need is None or need.last_useful is None or need.opportunities is None:
        return words
    months = (need.last_useful - found.model.today) / MONTH
    return words | {
        "extra": count(need.opportunities),
        "usual": count(rate.needed * months - need.opportunities),
        "months": count(months, 2),
        "until": f"{day_of(need.last_useful):%d %b %Y}",
        "a_month": count(rate.needed),
        "below": count(int((rate.past < rate.needed).sum())),
        "n": count(len(rate.past)),
    }


def _sentence(found: Outlook, landing: Landing, rate: Precedent | None) -> str:
    if landing.target is None:
        return (
            f"{landing.label} is expected to land at {found.say(landing.expected)}; set a target to see what it takes."
        )
    chance = f"{landing.label}: {percent(landing.p_hit)} likely to reach {found.say(landing.target)}"
    need = landing.need
    confidence = percent(found.dataset.settings.confidence)
    if landing.p_hit is not None and landing.p_hit >= found.dataset.settings.confidence:
        return f"{chance}, enough as things stand."
    if need is None or need.opportunities is None:
        return f"{chance}, and no realistic number of new opportunities alone makes it {confidence}."
    by = f" by {day_of(need.last_useful):%d %b %Y}" if need.last_useful is not None else ""
    more = f"{count(need.opportunities)} more opportunities than expected, created{by}, would make it {confidence}"
    return f"{chance}; {more}{_a_month(rate)}."


def _a_month(rate: Precedent | None) -> str:
    """``: 41 a month in all, more than in 92 % of the past 36 months``; empty where it is not known."""
    if rate is None or not rate.said():
        return ""
    return f": {count(rate.needed)} a month in all, {rate.said()}"


def _periods(found: Outlook, creation: Mapping[str, Precedent]) -> pd.DataFrame:
    rows = []
    for landing in found.landings:
        need = landing.need
        day_one, now = pacing(found, landing)
        rate = creation.get(landing.label)
        rows.append(
            {
                "period": landing.label,
                "target": landing.target,
                "expected": landing.expected,
                "p10": landing.p10,
                "p90": landing.p90,
                "p_hit": landing.p_hit,
                "open_qualified": landing.open_qualified,
                "required_pipeline": landing.required_pipeline,
                "gap": landing.gap,
                "day_one": day_one,
                "pacing_today": now,
                "coverage": landing.coverage,
                "required_coverage": landing.required_coverage,
                "opportunities": need.opportunities if need else None,
                "a_month": rate.needed if rate else None,
                "precedent": rate.said() if rate else None,
                "sqls": landing.sqls,
                "mqls": landing.mqls,
                "spend": landing.spend,
                "last_useful_creation_date": _date(need.last_useful if need else None),
            }
        )
    return pd.DataFrame(rows)


def _segments(found: Outlook) -> pd.DataFrame:
    """Last creation day with half of a new opportunity's worth in time: a row a segment, a column a period."""
    made = {ALL: int(found.model.marks.n.sum()), **{name: n for name, (n, _) in found.model.segments.items()}}
    labels = [landing.label for landing in found.landings]
    rows = [
        {"segment": name, "created": made[name], **dict(zip(labels, map(_date, days), strict=True))}
        for name, days in found.last_useful_days.items()
    ]
    return pd.DataFrame(rows, columns=["segment", "created", *labels])


def _date(day: int | None) -> date | None:
    return None if day is None else day_of(day)


def _strips(found: Outlook) -> pd.DataFrame:
    """Open qualified amount by expected close within 30, 60 and 90 days; empty where none is known."""
    model = found.model
    close = model.stints.deals["expected_close"].to_numpy()[model.open_deals.row]
    amount = np.where(model.qualified, model.open_amount, 0.0)
    if not (close < NEVER).any():
        return pd.DataFrame(columns=["days", "deals", "amount"])
    rows = []
    for days in STRIPS:
        inside = (close > model.today) & (close <= model.today + days) & (amount > 0)
        rows.append({"days": days, "deals": int(inside.sum()), "amount": float(amount[inside].sum())})
    return pd.DataFrame(rows)
