"""Is there enough qualified pipeline for the next two periods: Heinz's second measure."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.glossary import number
from kpis.answers.outlook import Landing, Outlook, document, open_amounts, parts_table, qualified
from kpis.answers.words import count, percent
from kpis.engine import NEVER
from kpis.periods import day_of
from kpis.pipeline.pacing import table as build_up_table

STRIPS = (30, 60, 90)


def next_periods(found: Outlook) -> Answer:
    """Open qualified pipeline of each period beside what it takes, and what that means in opportunities and leads.

    Tables: ``periods`` (one row a period, every number), ``parts`` (period, part, amount), ``strips``
    (open qualified amount expected to close within 30, 60 and 90 days), ``build_up`` (the pipeline of the
    coming periods by day to their start, beside past ones).
    """
    following = found.landings[1:]
    numbers = {}
    for landing in following:
        numbers[f"p_hit {landing.label}"] = number("p_hit_period", landing.p_hit, period=landing.label)
        numbers[f"gap {landing.label}"] = number("gap_period", landing.gap, period=landing.label)
        day_one, pacing = _pacing(found, landing)
        numbers[f"day_one {landing.label}"] = number("day_one_period", day_one, period=landing.label)
        numbers[f"pacing {landing.label}"] = number("pacing_period", pacing, period=landing.label)
    return Answer(
        question="Is there enough qualified pipeline for the next two periods?",
        sentence=" ".join(_sentence(found, landing) for landing in following),
        numbers=numbers,
        tables={
            "periods": _periods(found),
            "parts": parts_table(found),
            "strips": _strips(found),
            "build_up": build_up_table(found.model.build_up, found.model.today),
        },
        notes=found.warnings,
        document=document(found),
    )


def _pacing(found: Outlook, landing: Landing) -> tuple[float | None, float | None]:
    """Pipeline the period should begin with, and what that means for today, at the pace of past periods."""
    pace = found.model.paces[found.landings.index(landing)]
    if pace is None or landing.target is None:
        return None, None
    return pace.day_one(landing.target), pace.today(landing.target)


def _sentence(found: Outlook, landing: Landing) -> str:
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
    return f"{chance}; {more}."


def _periods(found: Outlook) -> pd.DataFrame:
    rows = []
    for landing in found.landings:
        need = landing.need
        last = need.last_useful if need else None
        day_one, pacing = _pacing(found, landing)
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
                "pacing_today": pacing,
                "coverage": landing.coverage,
                "required_coverage": landing.required_coverage,
                "opportunities": need.opportunities if need else None,
                "sqls": landing.sqls,
                "mqls": landing.mqls,
                "spend": landing.spend,
                "last_useful_creation_date": None if last is None else day_of(last),
            }
        )
    return pd.DataFrame(rows)


def _strips(found: Outlook) -> pd.DataFrame:
    """Open qualified amount by expected close within 30, 60 and 90 days; empty where none is known."""
    model = found.model
    close = model.stints.deals["expected_close"].to_numpy()[model.open_deals.row]
    amount = np.where(qualified(model), open_amounts(model), 0.0)
    if not (close < NEVER).any():
        return pd.DataFrame(columns=["days", "deals", "amount"])
    rows = []
    for days in STRIPS:
        inside = (close > model.today) & (close <= model.today + days) & (amount > 0)
        rows.append({"days": days, "deals": int(inside.sum()), "amount": float(amount[inside].sum())})
    return pd.DataFrame(rows)
