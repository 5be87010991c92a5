"""What will likely happen next, and what sales and marketing can do about it, each step with its worth in money."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.board import Lever, lever_board, set_to
from kpis.answers.dependence import deal_names, dependence
from kpis.answers.outlook import Landing, Outlook
from kpis.answers.pipeline import expected_now
from kpis.answers.precedents import MONTH
from kpis.answers.words import count, percent, plural
from kpis.engine import NEVER
from kpis.errors import AssumptionError
from kpis.forecast.model import Model
from kpis.forecast.own_history import MIN_PAST, by_month
from kpis.forecast.projection import project
from kpis.periods import day_n, day_of

SALES, MARKETING = "Sales", "Marketing"
TEAMS = {"new_opportunities": MARKETING, "new_opportunities_by_source": MARKETING}
"""Who moves a lever; all others are moved by sales."""

LESS_IS_BETTER = ("sales_cycle", "slippage")

MOST = 5
"""Steps of each team with a known worth: more is no plan for one meeting."""

NAMED = 3
"""Deals that one step names."""

WORTH = 0.005
"""Share of what a period is expected to bring that a step must be worth."""


@dataclass(frozen=True)
class Step:
    """Something a team can do.

    Parameters
    ----------
    effect
        What it adds to the expected landing of ``period``; None where the forecast cannot tell, with ``reason``.
    """

    team: str
    step: str
    why: str
    period: str
    effect: float | None
    reason: str = ""


def next_steps(found: Outlook) -> Answer:
    """Sentences made from the numbers: what is likely as things stand, and steps tied to the gaps.

    A step is worth what the forecast adds when it is done: a lever at the better end of the range it has had, the
    deals the outcome depends on won, those of the period after pulled in, a segment at the better end of its past
    months, the missing pipeline or opportunities there. Steps overlap, so their worths do not add up.

    Tables: ``likely`` (period, what), ``steps`` (team, step, why, period, effect, reason).
    """
    likely = [*_landings(found), *_open_deals(found), *_creation(found)]
    every = _steps(found)
    steps = [step for team in (SALES, MARKETING) for step in _best(every, team)]
    return Answer(
        question="What should we do next?",
        sentence=_sentence(found, steps),
        tables={
            "likely": pd.DataFrame(likely, columns=["period", "what"]),
            "steps": pd.DataFrame([asdict(x) for x in steps], columns=list(Step.__dataclass_fields__)),
        },
        notes=(
            "A step's worth is what it adds to the expected landing of its period, all else as it stands.",
            "Steps overlap: their worths do not add up.",
            "A lever is taken to the better of the 10 % and 90 % points of its own past periods.",
            "A segment's new opportunities are taken to the 90 % point of its own past months.",
        ),
        document={
            "currency": found.currency,
            "likely": [what for _, what in likely],
            **{team.lower(): [asdict(x) for x in steps if x.team == team] for team in (SALES, MARKETING)},
        },
    )


def _short(found: Outlook) -> list[int]:
    """The periods that are less likely to reach their target than wanted; those without a target where none has one."""
    confidence = found.dataset.settings.confidence
    judged = [w for w, x in enumerate(found.landings) if x.p_hit is not None]
    return [w for w in judged if (found.landings[w].p_hit or 0.0) < confidence] if judged else [0, 1, 2]


def _standing(found: Outlook, landing: Landing) -> str:
    """``2026Q4 is 22 % likely to reach its target: $243 k are missing``."""
    if landing.target is None:
        return f"{landing.label} is expected to bring {found.say(landing.expected)}; it has no target"
    missing = landing.target - landing.expected
    side = f"expected {found.say(abs(missing))} {'below' if missing > 0 else 'above'} it"
    return f"{landing.label} is {percent(landing.p_hit)} likely to reach its target, {side}"


def _landings(found: Outlook) -> Iterator[tuple[str, str]]:
    for x in found.landings:
        span = f"8 of 10 landings like it lie between {found.say(x.p10)} and {found.say(x.p90)}"
        yield x.label, f"{_standing(found, x)}; {span}."


def _open_deals(found: Outlook) -> Iterator[tuple[str, str]]:
    """What becomes of the open deals that are set to close in the current period."""
    model, period = found.model, found.model.periods[0]
    close = model.stints.deals["expected_close"].to_numpy()[model.open_deals.row]
    due = close <= day_n(period.end)
    if not due.any():
        return
    amount = model.open_amount[due].sum()
    won = float(expected_now(found)[due].sum())
    said = f"{plural(due.sum(), 'open deal')} worth {found.say(amount)} are set to close by the end of {period.label}"
    yield period.label, f"{said}; about {found.say(won)} of them will be won by then, the rest slips or is lost."


def _creation(found: Outlook) -> Iterator[tuple[str, str]]:
    """How many opportunities come by the end of the next period."""
    model, label = found.model, found.landings[1].label
    to_come = float(found.projection.per_day[: model.ends[1] - model.today].sum())
    brings = found.landings[1].from_new
    said = f"About {count(to_come)} opportunities more will be created by the end of {label}"
    yield label, f"{said} and bring {found.say(brings)} of its landing."


def _best(steps: list[Step], team: str) -> list[Step]:
    """The team's steps worth most, and those whose worth is not known."""
    own = [x for x in steps if x.team == team]
    worth = sorted((x for x in own if x.effect is not None), key=lambda x: -(x.effect or 0.0))
    return [*worth[:MOST], *(x for x in own if x.effect is None)]


def _steps(found: Outlook) -> list[Step]:
    short = _short(found)
    return [
        *(step for w in short for step in _of_gap(found, w)),
        *_of_deals(found, short),
        *(step for w in short for step in _of_next_period(found, w)),
        *_of_segments(found, short),
        *_of_levers(found, short),
        *_of_overdue(found),
    ]


def _of_gap(found: Outlook, w: int) -> Iterator[Step]:
    """The pipeline and the opportunities that a period lacks, at what the forecast says they bring in it."""
    landing, window, need = found.landings[w], found.projection.windows[w], found.landings[w].need
    why = _standing(found, landing)
    if landing.gap:
        step = f"Qualify {found.say(landing.gap)} more pipeline that closes in {landing.label}"
        needs = f"{why}; it needs {found.say(landing.required_pipeline)} in all"
        yield Step(SALES, step, needs, landing.label, landing.gap * _share_won(found, w))
    if need is not None and need.opportunities and need.last_useful is not None:
        days = need.last_useful - found.model.today
        brings = need.opportunities * float(found.projection.value_created[:days, w].mean()) * window.scale
        by = f"{day_of(need.last_useful):%d %b %Y}"
        step = f"Create {count(need.opportunities)} opportunities beyond the expected ones by {by}"
        yield Step(MARKETING, step, f"{why}{_leads(found, landing)}", landing.label, brings)


def _share_won(found: Outlook, w: int) -> float:
    """Share of the open qualified amount due in a period that is expected to be won in it."""
    counted, projection = found.model.due[w].deals, found.projection
    won = float(projection.deal_amount[counted] @ projection.deal_p[counted, w])
    return projection.windows[w].scale * won / found.landings[w].open_qualified


def _leads(found: Outlook, landing: Landing) -> str:
    """``; it takes 900 MQLs and $240 k of spend``; empty where leads and spend are not known."""
    parts = [f"{count(landing.mqls)} MQLs"] if landing.mqls is not None else []
    parts += [f"{found.say(landing.spend)} of spend"] if landing.spend is not None else []
    return f"; it takes {' and '.join(parts)}" if parts else ""


def _of_deals(found: Outlook, short: list[int]) -> Iterator[Step]:
    """Win the deals that the current period hangs on."""
    current, window = found.landings[0], found.projection.windows[0]
    answer = dependence(found)
    deals = answer.tables["depends_on"]
    if 0 not in short or deals.empty:
        return
    gain = deals["amount"] * (1 - window.scale * deals["p_0"])
    chance = percent(answer.document["p_hit_by_count"][-1])
    step = f"Win {', '.join(deals['name'])}: {chance} likely to reach {current.label} with all of them"
    yield Step(SALES, step, _standing(found, current), current.label, float(gain.sum()))


def _of_next_period(found: Outlook, w: int) -> Iterator[Step]:
    """Pull in the deals of the period after that are expected to bring most then: they bring it in this one."""
    if w + 1 == len(found.landings):
        return
    landing, later, projection = found.landings[w], found.landings[w + 1], found.projection
    due = found.model.due[w + 1].deals
    due = due[found.model.expected_close[due] < NEVER]
    brings = (projection.deal_amount * projection.deal_p[:, w + 1])[due] * projection.windows[w + 1].scale
    largest = np.argsort(-brings, kind="stable")[:NAMED]
    worth = float(brings[largest].sum())
    if worth > WORTH * landing.expected:
        step = f"Pull {', '.join(deal_names(found, due[largest]))} in from {later.label}"
        why = f"{_standing(found, landing)}; what they are expected to bring in {later.label} is then missing there"
        yield Step(SALES, step, why, landing.label, worth)


def _of_segments(found: Outlook, short: list[int]) -> Iterator[Step]:
    """The segment that adds most to a short period when it is created at the better end of its own past months."""
    every = [_of_segment(found, name, w) for name in found.model.once(_months_of_segments) for w in short]
    yield from sorted(filter(None, every), key=lambda x: x.effect or 0.0)[-1:]


def _of_segment(found: Outlook, name: str, w: int) -> Step | None:
    """One segment's new opportunities at the better end of its past months, until the last useful day of a period."""
    model, projection, landing = found.model, found.projection, found.landings[w]
    past, last = model.once(_months_of_segments)[name], found.last_useful_days[name][w]
    if last is None:
        return None
    usual, better = float(past[-12:].mean()), float(np.quantile(past, 0.9))
    days = last - model.today
    one = float(projection.worth_created(model.segments[name][1])[:days, w].mean()) * projection.windows[w].scale
    worth = (better - usual) * days / MONTH * one
    if worth <= WORTH * landing.expected:
        return None
    rates = f"from {count(usual, 1)} to {count(better, 1)} a month until {day_of(last):%d %b %Y}"
    step = f"New opportunities in {name}: {rates}, the better end of {len(past)} past months"
    return Step(MARKETING, step, _standing(found, landing), landing.label, worth)


def _months_of_segments(model: Model) -> dict[str, np.ndarray]:
    """Deals created in each of the last months, by segment with enough of them."""
    deals = model.stints.deals
    created, named = deals["created"].to_numpy(), deals["segment"].astype("object").to_numpy()
    owned = {name: created[named == name] for name in model.segments}
    months = {name: by_month(own, np.ones(len(own)), model.today) for name, own in owned.items()}
    return {name: past for name, past in months.items() if len(past) >= MIN_PAST}


def _of_levers(found: Outlook, short: list[int]) -> Iterator[Step]:
    """Levers at the better end of their own past: of those with one unit, the one that does most for a short period."""
    base = found.projection.assumptions
    now = np.array([window.expected for window in found.projection.windows])
    best: dict[str, tuple[float, int, Lever, float]] = {}
    for lever in found.model.once(lever_board) if short else ():
        better = lever.own.low if lever.field in LESS_IS_BETTER else lever.own.high
        if better is None:
            continue
        value = float(np.clip(better * lever.scale, lever.minimum, lever.maximum))
        try:
            windows = project(found.model, set_to(base, lever, value), found.projection.calibration).windows
        except AssumptionError:
            # The other levers, as they stand, leave this value out of reach.
            continue
        added = np.array([window.expected for window in windows]) - now
        w = max(short, key=lambda k, added=added: added[k])
        if added[w] > max(WORTH * now[w], best[lever.unit][0] if lever.unit in best else 0.0):
            best[lever.unit] = (float(added[w]), w, lever, value)
    for worth, w, lever, value in best.values():
        stands, then = (lever.words(v, found.currency) for v in (lever.value_in(base), value))
        step = f"{lever.label}: from {stands} to {then}, the better end of {lever.own.periods} past periods"
        landing = found.landings[w]
        yield Step(TEAMS.get(lever.field, SALES), step, _standing(found, landing), landing.label, worth)


def _of_overdue(found: Outlook) -> Iterator[Step]:
    """Open deals past their expected close, which cover no period until somebody dates them."""
    model = found.model
    close = model.stints.deals["expected_close"].to_numpy()[model.open_deals.row]
    overdue = (close < NEVER) & (close <= model.today)
    if overdue.any():
        amount = found.say(float(model.open_amount[overdue].sum()))
        step = f"Set a new close date for {plural(overdue.sum(), 'open deal')} past theirs ({amount}), or close them"
        reason = "dates alone win nothing: the forecast counts on deals, not on their dates"
        yield Step(SALES, step, "They cannot close when they are set to", found.landings[0].label, None, reason)


def _sentence(found: Outlook, steps: list[Step]) -> str:
    short = [found.landings[w] for w in _short(found)]
    if all(x.target is None for x in found.landings):
        first = "Set targets to see what is missing"
    elif not short:
        first = "Every period with a target is likely enough to reach it"
    else:
        first = _standing(found, short[0])
    said = []
    for team in (SALES, MARKETING):
        worth = next((x for x in steps if x.team == team and x.effect is not None), None)
        if worth:
            said.append(f"{team} first: {worth.step} (+{found.say(worth.effect)} in {worth.period}).")
    return " ".join([f"{first}.", *said])
