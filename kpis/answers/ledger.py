"""What came of the forecasts that were saved: each against its own range, and how true the ranges have been."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.glossary import number
from kpis.answers.outlook import Outlook
from kpis.answers.words import percent, plural
from kpis.assumptions import Assumptions
from kpis.forecast.backtest import MODEL
from kpis.forecast.rules import bookings
from kpis.measures.core.intervals import wilson
from kpis.periods import day_n, day_of
from kpis.scenarios import pieces, write_scenario
from kpis.store.ledger import LEVELS
from kpis.store.models import Period, Prediction

TOO_EARLY, ON_TRACK, OFF, NOT_JUDGED = "too early", "on track", "off", "not judged"
OVER, RUNNING, AHEAD = "over", "running", "ahead"
ANALYSE = "Analyse"
STEPS = ("Simulate", "Predict", "Monitor", ANALYSE, "Report")
"""The loop: what is assumed is predicted, watched, explained when it is off, and taken into the next decision."""

STATES = (
    "A period that is over is on track when what came lies within the prediction's 80 % range; one that is running, "
    "when today's expectation, with no lever moved, does. Before it begins, or before there are later data, it is too "
    "early."
)
OWN = (
    "Predictions with moved levers are judged like all others, but left out of the calibration: they test what was "
    "assumed, not the method."
)
SHARED = "Predictions of one period share its luck, so several of them prove less than their number says."


@dataclass(frozen=True)
class Judgement:
    """What can be said of a predicted period today.

    Parameters
    ----------
    now
        What came, or what is expected today; None where neither is known.
    why
        The status in words.
    """

    phase: str
    status: str
    now: float | None
    why: str


def prediction(found: Outlook) -> Prediction:
    """The forecast as it is stored: assumptions, method, and each period's distribution at the levels of the ledger."""
    model, assumptions = found.model, found.projection.assumptions
    moved = len(pieces(assumptions))
    is_named = not moved or assumptions.name != Assumptions().name
    return Prediction(
        made_on=day_of(model.today),
        grain=model.calendar.grain,
        fiscal_start=model.calendar.fiscal_start,
        currency=found.currency,
        data=found.dataset.name,
        fingerprint=found.dataset.fingerprint,
        name=assumptions.name if is_named else f"{plural(moved, 'lever')} moved",
        assumptions=write_scenario(assumptions),
        levers=moved,
        method=found.method,
        periods=list(_periods(found)),
    )


def _periods(found: Outlook) -> Iterator[Period]:
    methods = found.record.methods if found.record else (MODEL,) * len(found.landings)
    parts = zip(found.landings, found.projection.windows, found.verified, methods, strict=True)
    for landing, window, verified, method in parts:
        yield Period(
            window=window.index,
            label=landing.label,
            starts=window.period.start,
            ends=window.period.end,
            target=landing.target,
            won=landing.won,
            expected=landing.expected,
            p10=landing.p10,
            p50=landing.p50,
            p90=landing.p90,
            p_hit=landing.p_hit,
            verified=verified,
            method=method,
            quantiles=[window.quantile(level) for level in LEVELS],
        )


def judge(made: Prediction, period: Period, now: Outlook) -> Judgement:
    """Hold a predicted period against what has come, or against what is expected today.

    Parameters
    ----------
    now
        The outlook of the data at hand with no lever moved.
    """
    today = day_of(now.model.today)
    phase = OVER if period.ends <= today else RUNNING if period.starts <= today else AHEAD
    expected = {x.label: x.expected for x in now.landings}.get(period.label)
    if made.currency != now.currency:
        why = f"made in {made.currency or 'no named currency'}, the data are in {now.currency or 'none'}"
        return Judgement(phase, NOT_JUDGED, None, why)
    if today <= made.made_on:
        return Judgement(phase, TOO_EARLY, None, "no later data yet")
    if phase == OVER:
        came = bookings(now.model).between(day_n(period.starts) - 1, day_n(period.ends))
        if not np.isfinite(came):
            return Judgement(phase, NOT_JUDGED, None, "the data do not cover the whole period")
        return _held(period, phase, came, "came")
    if phase == AHEAD:
        return Judgement(phase, TOO_EARLY, expected, f"begins on {period.starts:%d %b %Y}")
    if expected is None:
        return Judgement(phase, NOT_JUDGED, None, f"made in {made.grain}s; choose them in the sidebar")
    return _held(period, phase, expected, "expected now")


def _held(period: Period, phase: str, value: float, what: str) -> Judgement:
    """Whether an amount lies in the period's 80 % range."""
    if period.p10 <= value <= period.p90:
        return Judgement(phase, ON_TRACK, value, f"{what}, within the range")
    return Judgement(phase, OFF, value, f"{what}, {'above' if value > period.p90 else 'below'} the range")


def level_of(period: Period, amount: float) -> float:
    """Where an amount fell in the predicted distribution, 0 to 1 (PIT).

    Linear between the stored levels; an amount that holds a share of the probability of its own counts as its middle.
    """
    values, group = np.unique(np.asarray(period.quantiles, dtype=float), return_inverse=True)
    middle = np.bincount(group, LEVELS) / np.bincount(group)
    return float(np.interp(amount, values, middle, left=0.0, right=1.0))


def ledger(predictions: Sequence[Prediction], now: Outlook, scenarios: int = 0, decisions: int = 0) -> Answer:
    """The stored predictions, judged by the data at hand, and their calibration.

    Tables: ``predictions`` (a row a predicted period), ``outcomes`` (those of the method's own that are over, with the
    level of the distribution at which what came fell), ``ranges`` (how often it fell below each level), ``loop`` (where
    the way from scenario to report stands).

    Parameters
    ----------
    now
        The outlook of the data at hand with no lever moved.
    scenarios, decisions
        How many are saved, for the loop.
    """
    judged = [(made, period, judge(made, period, now)) for made in predictions for period in made.periods]
    rows = pd.DataFrame([_row(*each) for each in judged], columns=_COLUMNS)
    own = [each for each in judged if each[2].phase == OVER and each[2].now is not None and not each[0].levers]
    outcomes = pd.DataFrame([_outcome(*each) for each in own], columns=_OUTCOMES)
    held = int(outcomes["inside"].sum())
    low, high = (float(x[0]) for x in wilson(np.array([held]), np.array([len(own)])))
    count = rows["status"].value_counts()
    words = {"held": str(held), "n": plural(len(own), "finished period"), "low": percent(low), "high": percent(high)}
    return Answer(
        question="What came of the forecasts we saved?",
        sentence=_sentence(predictions, count, held, len(own), now),
        numbers={
            "predictions": number("predictions", float(len(predictions))),
            "predictions_off": number("predictions_off", float(count.get(OFF, 0))),
            "range_held": number("range_held", held / len(own) if own else None, **words),
        },
        tables={
            "predictions": rows,
            "outcomes": outcomes,
            "ranges": _ranges(outcomes),
            "loop": _loop(predictions, rows, scenarios, decisions),
        },
        notes=(STATES, OWN, SHARED),
        document={
            "as_of": day_of(now.model.today).isoformat(),
            "currency": now.currency,
            "predictions": [_told(made, period, found) for made, period, found in judged],
            "range_held": {"held": held, "n": len(own), "low": _finite(low), "high": _finite(high)},
        },
    )


_COLUMNS = (
    "id", "made_on", "name", "period", "status", "why", "expected", "p10", "p90", "now", "difference", "target",
    "p_hit", "phase", "levers", "data", "saved_by",
)  # fmt: skip
_OUTCOMES = ("made_on", "period", "expected", "p10", "p90", "actual", "inside", "level")


def _row(made: Prediction, period: Period, found: Judgement) -> tuple[Any, ...]:
    difference = None if found.now is None else found.now - period.expected
    return (
        made.id, made.made_on, made.name, period.label, found.status, found.why, period.expected, period.p10,
        period.p90, found.now, difference, period.target, period.p_hit, found.phase, made.levers, made.data,
        made.saved_by,
    )  # fmt: skip


def _outcome(made: Prediction, period: Period, found: Judgement) -> tuple[Any, ...]:
    came = found.now or 0.0
    inside = found.status == ON_TRACK
    return made.made_on, period.label, period.expected, period.p10, period.p90, came, inside, level_of(period, came)


def _ranges(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Share of outcomes at or below each tenth of the predicted distribution."""
    fell, n = outcomes["level"].to_numpy(dtype=float), len(outcomes)
    levels = [q / 10 for q in range(1, 10)] if n else []
    return pd.DataFrame(
        [(q, float((fell <= q).mean()), n) for q in levels], columns=["level", "share", "n"]
    )  # fmt: skip


def _sentence(predictions: Sequence[Prediction], count: pd.Series, held: int, n: int, now: Outlook) -> str:
    if not predictions:
        return "No forecast is saved yet: save today's, and later data will tell what it was worth."
    states = ", ".join(
        f"{count[status]} {status}" for status in (ON_TRACK, OFF, TOO_EARLY, NOT_JUDGED) if status in count
    )
    said = f"{plural(len(predictions), 'forecast')} saved, by period: {states}."
    if not n:
        return f"{said} None of their {now.model.calendar.grain}s is over yet."
    return f"{said} The 80 % range held {held} of {n} that are over."


def _loop(predictions: Sequence[Prediction], rows: pd.DataFrame, scenarios: int, decisions: int) -> pd.DataFrame:
    """Each step with its state in words, and since when there is something to explain."""
    count, off = rows["status"].value_counts(), rows[rows["status"] == OFF]
    watched = int(count.get(ON_TRACK, 0)), int(count.get(OFF, 0))
    latest = f", the latest as of {max(x.made_on for x in predictions):%d %b %Y}" if predictions else ""
    since = min(off["made_on"]) if len(off) else None
    states = (
        (scenarios, f"{plural(scenarios, 'scenario')} saved" if scenarios else "no scenario saved"),
        (len(predictions), f"{plural(len(predictions), 'forecast')} saved{latest}" if predictions else "none saved"),
        (sum(watched), "{} on track, {} off".format(*watched) if sum(watched) else "nothing to judge yet"),
        (
            len(off),
            f"{plural(len(off), 'period')} off: what changed since {since:%d %b %Y}?" if len(off) else "none off",
        ),
        (decisions, f"{plural(decisions, 'decision')} noted" if decisions else "no decision noted"),
    )
    rows = [(step, bool(n), state) for step, (n, state) in zip(STEPS, states, strict=True)]
    return pd.DataFrame(rows, columns=["step", "done", "state"]).assign(
        since=[since if step == ANALYSE else None for step in STEPS]
    )


def _told(made: Prediction, period: Period, found: Judgement) -> dict[str, Any]:
    """A predicted period as the command tells it."""
    keys = ("label", "starts", "ends", "target", "won", "expected", "p10", "p50", "p90", "p_hit", "verified", "method")
    of = {key: getattr(made, key) for key in ("id", "made_on", "name", "levers", "data", "fingerprint", "saved_by")}
    came = found.now if found.phase == OVER else None
    level = None if came is None else level_of(period, came)
    return {
        **of,
        **{key: getattr(period, key) for key in keys},
        "phase": found.phase,
        "status": found.status,
        "now": found.now,
        "level": level,
        "why": found.why,
    }


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
