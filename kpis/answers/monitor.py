"""Did the situation improve or not: every measure against its own control limits."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.measures import SEED, spoken
from kpis.answers.render import records
from kpis.answers.words import percent, plural
from kpis.dataset import Dataset
from kpis.measures.core.watch import ALARMS, Watched, watch

MOST_SAID = 3


def monitor(dataset: Dataset, names: Iterable[str] | None = None, *, rng: np.random.Generator | None = None) -> Answer:
    """Which measures left their control limits, and which group explains most of it.

    Tables: ``verdicts`` (one row a measure: verdict, value, limits, false alarm, cause) and ``points`` (one row a
    measure and period, as charted). Limits, rules and rates of false alarms: ``kpis.measures.core.control``.
    """
    found = watch(dataset, names, rng=rng or np.random.default_rng(SEED))
    verdicts = pd.DataFrame([_verdict(one) for one in found])
    judged = [one for one in found if one.chart.judged is not None]
    alarms = [one for one in judged if one.chart.verdict in ALARMS]
    expected = float(sum(one.chart.false_alarm for one in judged))
    return Answer(
        question="Which measures left their usual range?",
        sentence=_sentence(alarms, len(judged), expected, dataset.currency),
        tables={"verdicts": verdicts, "points": _points(found)},
        notes=_notes(found, judged),
        document={
            "as_of": dataset.as_of.isoformat(),
            "judged": len(judged),
            "false_alarms_expected": expected,
            "measures": records(verdicts),
        },
    )


def _sentence(alarms: list[Watched], judged: int, expected: float, currency: str) -> str:
    if not judged:
        return "No measure has enough periods to be judged yet."
    usual = f"chance alone would give about {expected:.1f} false alarms"
    if not alarms:
        return f"None of {plural(judged, 'measure')} left its usual range; {usual}."
    said = "; ".join(_said(one, currency) for one in alarms[:MOST_SAID])
    more = f"; and {len(alarms) - MOST_SAID} more" if len(alarms) > MOST_SAID else ""
    return f"{len(alarms)} of {plural(judged, 'measure')} left the usual range: {said}{more}. Of so many, {usual}."


def _said(one: Watched, currency: str) -> str:
    chart, part = one.chart, one.result.headline
    k, title = chart.judged, one.result.measure.title.lower()
    period = one.result.periods[k].label
    if chart.verdict == "shift":
        found = f"{title} has been on one side of its centre for eight periods"
    else:
        unit = f"{part.unit}{_a_day(one)}"
        value, low, high = (spoken(end, unit, currency) for end in (chart.value[k], chart.low[k], chart.high[k]))
        found = f"{title} in {period}: a {chart.verdict} to {value}{_a_day(one)}, usually {low} to {high}"
    if one.cause is not None:
        found += f", {percent(one.cause.share)} of it from {one.cause.by} {one.cause.group}"
    return found


def _a_day(one: Watched) -> str:
    return " a working day" if one.chart.kind == "u" else ""


def _verdict(one: Watched) -> dict[str, object]:
    chart, part, cause = one.chart, one.result.headline, one.cause
    k = chart.judged

    def at(array: np.ndarray) -> float:
        return float(array[k]) if k is not None else np.nan

    return {
        "measure": one.result.measure.name,
        "title": one.result.measure.title,
        "verdict": chart.verdict,
        "period": one.result.periods[k].label if k is not None else "",
        "value": at(chart.value),
        "unit": f"{part.unit}{_a_day(one)}",
        "centre": at(chart.centre),
        "low": at(chart.low),
        "high": at(chart.high),
        "better": one.result.measure.better,
        "chart": chart.kind,
        "seasonal": chart.seasonal,
        "false_alarm": chart.false_alarm,
        "cause_by": cause.by if cause else "",
        "cause_group": cause.group if cause else "",
        "cause_share": cause.share if cause else np.nan,
        "reason": chart.reason,
    }


def _points(found: list[Watched]) -> pd.DataFrame:
    """Every chart by period up to the judged one; what could not be charted has no rows."""
    frames = [
        pd.DataFrame(
            {
                "measure": one.result.measure.name,
                "period": [period.label for period in one.result.periods],
                "start": [period.start for period in one.result.periods],
                "value": one.chart.value,
                "centre": one.chart.centre,
                "low": one.chart.low,
                "high": one.chart.high,
                "judged": [k == one.chart.judged for k in range(len(one.chart.value))],
                "verdict": one.chart.verdict,
                "unit": f"{one.result.headline.unit}{_a_day(one)}",
            }
        ).head(one.chart.judged + 1)
        for one in found
        if one.chart.judged is not None
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _notes(found: list[Watched], judged: list[Watched]) -> tuple[str, ...]:
    notes = [
        "Limits are three standard deviations around the mean of the periods before the judged one.",
        "Shares have p-charts, counts u-charts per working day, everything else XmR charts.",
        "Alarms: a period outside of the limits, or eight in a row on one side of the centre.",
    ]
    if judged:
        rates = [one.chart.false_alarm for one in judged]
        notes.append(
            f"A measure that nothing happened to gives an alarm with a chance of {percent(min(rates), 1)} to "
            f"{percent(max(rates), 1)}, the more the fewer periods its limits come from."
        )
    if any(one.chart.seasonal for one in judged):
        notes.append("Where two years are known and the seasons differ, the limits go with the season.")
    silent = len(found) - len(judged)
    if silent:
        notes.append(f"{plural(silent, 'measure')} cannot be judged; the table says why.")
    return tuple(notes)
