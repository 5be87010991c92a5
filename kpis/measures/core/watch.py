"""Every measure against its own control chart: what is out of control, and where that comes from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from kpis.dataset import Dataset
from kpis.measures.core.change import Alarm, Cause, likeliest
from kpis.measures.core.control import VERDICTS, Chart, chart
from kpis.measures.core.evaluate import Part, Result, evaluated
from kpis.measures.core.formulas import working_days
from kpis.measures.core.rows import Window
from kpis.measures.core.runs import runs_of
from kpis.periods import MONTHS

ALARMS = VERDICTS[1:4]
PERIODS = {"quarter": 13, "month": 37}
"""Periods that charts are drawn over: three years and the current one."""


@dataclass(frozen=True)
class Watched:
    """A measure's headline on its control chart; ``cause`` only where there is an alarm that a group explains."""

    result: Result
    chart: Chart
    cause: Cause | None = None


def watch(dataset: Dataset, names: Iterable[str] | None = None, *, rng: np.random.Generator) -> list[Watched]:
    """The named measures (all when None), each with its chart and, where it gives an alarm, its likeliest cause."""
    periods = PERIODS[dataset.settings.grain]
    runs = runs_of(dataset, periods, rng)
    found = evaluated(runs, names, parts=False)
    window = runs.window.last(periods)
    days = working_days(window)
    drawn = [
        Watched(one, charted(one.headline, window, days))
        for one in found
        if one.headline is not None and one.headline.has_value
    ]
    alarms = [one for one in drawn if one.chart.verdict in ALARMS]
    causes = likeliest(runs, [_alarm(one, window, days) for one in alarms])
    explained = {one.result.measure.name: cause for one, cause in zip(alarms, causes, strict=True)}
    return [replace(one, cause=explained.get(one.result.measure.name)) for one in drawn]


def _alarm(one: Watched, window: Window, days: np.ndarray) -> Alarm:
    part, judged = one.result.headline, one.chart.judged
    before = np.flatnonzero(comparable(part, window, days))
    # What adds up is compared for the same number of working days, everything else period by period.
    length = days if part.additive else np.ones(len(days))
    return Alarm(one.result.measure.name, part.name, tuple(before[before < judged]), judged, length)


def charted(part: Part, window: Window, days: np.ndarray) -> Chart:
    """The control chart of a part without a breakdown."""
    if part.grid.groups != ("",):
        nothing = np.full(len(days), np.nan)
        reason = f"shown by {part.over}: there is no one number to judge"
        return Chart(part.chart, nothing, nothing, nothing, nothing, None, "cannot tell", np.nan, False, reason)
    value, n = part.grid.value[0], part.grid.n[0]
    if part.chart == "u":
        value, n = np.divide(value, days, out=np.full(len(days), np.nan), where=days > 0), days
    if part.chart == "p" and "matured" in part.grid.extra:
        # A young cohort tells as much as the part of it that has matured.
        n = n * np.nan_to_num(part.grid.extra["matured"][0])
    a_year = 12 // MONTHS[_grain(window)]
    season = np.array([period.start.month for period in window.periods]) * a_year // 12 % a_year
    return chart(part.chart, value, n, comparable(part, window, days), season, a_year)


def comparable(part: Part, window: Window, days: np.ndarray) -> np.ndarray:
    """Which periods can be set beside each other.

    Shares of events and counts per working day can be told while a period is running, everything else needs a
    whole one. The first period with records may be cut off, so its total is none.
    """
    there = np.isfinite(part.grid.value[0])
    fine = there & (days > 0) & (window.whole | (part.chart != "XmR"))
    if part.additive:
        fine[np.argmax(there)] = False
    return fine


def _grain(window: Window) -> str:
    return "quarter" if window.periods[0].days > 31 else "month"
