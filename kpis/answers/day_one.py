"""How big the pipeline should be going into a period, by its own past and by rules of thumb, and is it on its way."""

from __future__ import annotations

import pandas as pd

from kpis.answers.answer import Answer, Number
from kpis.answers.glossary import number
from kpis.answers.outlook import Landing, Outlook
from kpis.answers.precedents import pacing
from kpis.answers.words import percent, plural
from kpis.forecast.rules import win_rate_by_amount
from kpis.periods import day_n
from kpis.pipeline.pacing import BEFORE
from kpis.pipeline.pacing import table as build_up_table

TIMES = 3.0
"""What the rule of thumb asks for: so many times the target."""

RULES = {"day_one": "Own past", "three_times": "3x rule", "inverse_win_rate": "Inverse win rate"}
"""The ways to size a pipeline: key of the number and name of the way; the first is the company's own."""

FORMULAS = {
    "day_one": "(target - won of other deals) / share won",
    "three_times": "3 x target",
    "inverse_win_rate": "target / win rate",
}


def day_one(found: Outlook) -> Answer:
    """The pipeline that each coming period should begin with, beside what two rules of thumb ask for.

    3x rule: 3 x target. Inverse win rate: target / share of the decided amount that was won. Neither counts what is
    created and won within the period, nor what is in the pipeline and slips out of it; the own past counts both.

    Tables: ``rules`` (a row a period and rule: asks_for, difference to the own past, formula), ``first_days`` (a row
    a past period: what it began with, and what it won of that and of other deals).
    """
    numbers = {
        f"{rule} {landing.label}": one for landing in found.landings[1:] for rule, one in _rules(found, landing).items()
    }
    return Answer(
        question="How big should the pipeline be going into the period?",
        sentence=_sentence(found, numbers),
        numbers=numbers,
        tables={"rules": _table(found, numbers), "first_days": _first_days(found)},
    )


def _rules(found: Outlook, landing: Landing) -> dict[str, Number]:
    """What each way asks for; the same target for all of them."""
    own, _ = pacing(found, landing)
    rate, target = found.model.once(win_rate_by_amount), landing.target
    by_rate = target / rate if target is not None and rate > 0 else None
    values = dict(zip(RULES, (own, None if target is None else TIMES * target, by_rate), strict=True))
    words = {"period": landing.label, "target": found.say(target), "win_rate": percent(rate), **past_yield(found)}
    return {rule: number(f"{rule}_period", value, **words) for rule, value in values.items()}


def past_yield(found: Outlook) -> dict[str, str]:
    """What past periods won of the pipeline they began with, and of other deals, in words; empty where not known."""
    pace = next((x for x in found.model.paces if x is not None), None)
    if pace is None:
        return {}
    return {"share": percent(pace.yield_share), "others": found.say(pace.created_and_won), "n": str(pace.periods)}


def _sentence(found: Outlook, numbers: dict[str, Number]) -> str:
    """What the next period should begin with, why, and what the rules ask for instead."""
    label = found.landings[1].label
    own = numbers[f"day_one {label}"]
    asked = [(name, numbers[f"{rule} {label}"].value) for rule, name in RULES.items() if rule != "day_one"]
    known = [
        f"{name.lower()} {found.say(x)}" + (f" ({_against(x, own.value)})" if own.value else "")
        for name, x in asked
        if x is not None
    ]
    others = f" By rule of thumb: {', '.join(known)}." if known else ""
    if own.value is None:
        return f"By its own past: n/a, {own.reason}.{others}"
    past = past_yield(found)
    won = f"{past['share']} of the first day's pipeline was won in the period, and {past['others']} of other deals"
    first = f"{label} should begin with {found.say(own.value)}: in {past['n']} past periods {won} (medians)."
    return first + others


def _against(value: float, own: float) -> str:
    """``8 % more``."""
    return f"{percent(abs(value / own - 1))} {'more' if value >= own else 'less'}"


def _table(found: Outlook, numbers: dict[str, Number]) -> pd.DataFrame:
    rows = []
    for landing in found.landings[1:]:
        own = numbers[f"day_one {landing.label}"].value
        for rule, name in RULES.items():
            one = numbers[f"{rule} {landing.label}"]
            compared = rule != "day_one" and one.value is not None and own
            rows.append(
                {
                    "period": landing.label,
                    "rule": name,
                    "asks_for": one.value,
                    "difference": one.value - own if compared else None,
                    "difference_said": _against(one.value, own) if compared else None,
                    "formula": FORMULAS[rule],
                    "with_values": one.working or f"n/a: {one.reason}",
                }
            )
    return pd.DataFrame(rows)


def _first_days(found: Outlook) -> pd.DataFrame:
    """What each past period began with and what it won of that and of other deals, oldest first."""
    won = found.model.yields
    rows = [
        (curve.period.label, curve.relative(0), *won[curve.period])
        for curve in found.model.build_up
        if curve.period in won and curve.relative(0) > 0
    ]
    return pd.DataFrame(rows, columns=["period", "first_day", "won_of_it", "won_of_others"])


def on_pace(found: Outlook) -> Answer:
    """Where the pipeline of each coming period stands today, and where past periods would have it.

    Table ``build_up``: the coming periods by day to their start, beside past ones; empty without a history.
    """
    model = found.model
    table = build_up_table(model.build_up, model.today)
    curves = {curve.period.label: curve for curve in model.build_up}
    said = []
    for landing, period in zip(found.landings[1:], model.periods[1:], strict=True):
        if table.empty or landing.label not in curves:
            continue
        ahead = day_n(period.start) - model.today
        _, usual = pacing(found, landing)
        holds = f"{landing.label} holds {found.say(curves[landing.label].at(model.today))} today"
        if ahead > BEFORE:
            holds += f"; the picture shows it from {BEFORE} days before"
        elif usual is not None:
            holds += f", and would hold {found.say(usual)} at the pace of past periods"
        said.append(f"{holds}; it begins in {plural(ahead, 'day')}.")
    return Answer(question="Are we on pace?", sentence=" ".join(said), tables={"build_up": table})
