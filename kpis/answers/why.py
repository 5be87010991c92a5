"""Why did a measure change: a bridge between two periods whose steps add up to the change."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpis.answers.answer import Answer, Number
from kpis.answers.measures import SEED, groups_of, signed, spoken
from kpis.answers.render import records
from kpis.answers.words import percent
from kpis.dataset import Dataset
from kpis.errors import AssumptionError, NotEnoughData
from kpis.measures.core.bridge import Won, bridge, revenue_bridge
from kpis.measures.core.change import made_of, won_deals
from kpis.measures.core.dimensions import DIMENSIONS, NOT_GIVEN
from kpis.measures.core.evaluate import Part, Result, evaluated
from kpis.measures.core.runs import Runs, runs_of

SAID = {
    "volume": "how many there were",
    "mix": "which ones they were",
    "rate": "how each group did",
    "size": "how large they were",
    "timing": "deals that closed in another period than expected",
    "estimate": "young cohorts, whose end is estimated otherwise group by group",
}
"""Each effect in words."""

REVENUE = "won_revenue"
"""The one measure that changes by all five effects."""

PERIODS = 24
"""How far back the compared periods may lie."""


def why(
    dataset: Dataset,
    name: str,
    *,
    by: str = "",
    before: str = "",
    after: str = "",
    rng: np.random.Generator | None = None,
) -> Answer:
    """The change of a measure's headline between two periods as volume, mix, rate, size and timing, by group.

    Parameters
    ----------
    by
        The dimension; the first that the data have when empty.
    before, after
        Labels of the periods; the last whole one and the one before it when empty.

    Raises
    ------
    NotEnoughData
        Where the measure is not made of totals, or has no value in one of the periods.
    AssumptionError
        For a period that is not among the last PERIODS.

    Notes
    -----
    Tables: ``steps`` (start, one row an effect, end), ``groups`` (effect, group, value, the largest first).
    """
    runs = runs_of(dataset, PERIODS, rng or np.random.default_rng(SEED))
    one = evaluated(runs, [name], parts=False)[0]
    if one.headline is None:
        raise NotEnoughData(f"{name} {one.status}")
    first, last = _pair(one, before, after)
    by, effects = _effects(runs, one, by, first, last)
    start, end = (float(one.headline.grid.value[0, k]) for k in (first, last))
    effects = _completed(effects, end - start)
    steps = _steps(one, effects, start, first, last)
    labels = one.periods[first].label, one.periods[last].label
    certain = beyond_chance(one.headline, first, last)
    chance = " Chance alone makes changes as large as this one, so whether anything changed cannot be told."
    note = "" if certain or end == start else chance
    numbers = {
        label: Number(f"{one.measure.title}, {label}", value, one.headline.unit, one.measure.formula)
        for label, value in zip(labels, (start, end), strict=True)
    }
    groups = effects[effects["value"] != 0].sort_values("value", key=np.abs, ascending=False, ignore_index=True)
    return Answer(
        question=f"Why did {one.measure.title.lower()} change?",
        sentence=_sentence(one, effects, (start, end), labels, by, dataset.currency) + note,
        numbers=numbers,
        tables={"steps": steps, "groups": groups},
        notes=_notes(one, effects),
        document={
            "measure": one.measure.name, "by": by, "unit": one.headline.unit, "before": labels[0], "after": labels[1],
            "start": start, "end": end, "change": end - start, "beyond_chance": certain,
            "steps": records(steps), "groups": records(groups),
        },
    )  # fmt: skip


def _pair(one: Result, before: str, after: str) -> tuple[int, int]:
    """Numbers of the two periods."""
    labels = [period.label for period in one.periods]
    for label in (before, after):
        if label and label not in labels:
            raise AssumptionError(
                f"{label} is not among the last {len(labels)} periods", way_out=f"Choose {labels[0]} or later"
            )
    fine = one.whole | ~np.array([one.headline.additive] * len(labels))
    last = labels.index(after) if after else int(np.flatnonzero(fine & one.whole)[-1])
    first = labels.index(before) if before else last - 1
    if first < 0 or first == last:
        raise AssumptionError("A change needs two periods", way_out="Choose another period to compare with")
    if one.headline.grid.groups != ("",):
        groups = groups_of(one.headline)
        raise NotEnoughData(f"{one.measure.title} is shown by {groups}: there is no one number that changed")
    for k in (first, last):
        if not np.isfinite(one.headline.grid.value[0, k]):
            raise NotEnoughData(f"{one.measure.name} has no value in {labels[k]}: {one.headline.grid.reason[0, k]}")
        if not fine[k]:
            raise NotEnoughData(
                f"{labels[k]} is not over: its total cannot be compared", way_out="Choose whole periods"
            )
    return first, last


def _effects(runs: Runs, one: Result, by: str, first: int, last: int) -> tuple[str, pd.DataFrame]:
    """The effects by the dimension; without one, by the first that this measure's rows have."""
    problem: NotEnoughData | None = None
    for dimension in (by,) if by else (*DIMENSIONS, ""):
        try:
            return dimension, _bridge(runs, one, dimension, first, last)
        except NotEnoughData as error:
            problem = problem or error
    raise problem


def _bridge(runs: Runs, one: Result, by: str, first: int, last: int) -> pd.DataFrame:
    with runs.busy:
        run = runs.by(by)
        if one.measure.name != REVENUE:
            return bridge(made_of(run, one.measure.name, one.headline.name).last(PERIODS), first, last)
        deals, followed = won_deals(run)
    back = deals.decided.shape[1] - PERIODS
    pair = [back + first, back + last]
    two = Won(
        deals.groups, *(getattr(deals, name)[:, pair] for name in ("decided", "won", "money", "moved", "moved_money"))
    )
    found = revenue_bridge(two)
    return found if followed else found[found["effect"] != "timing"]


def _completed(effects: pd.DataFrame, change: float) -> pd.DataFrame:
    """The effects with what the groups' own estimates leave of the change, where they are estimates."""
    left = change - effects["value"].sum()
    if abs(left) <= 1e-9 * max(effects["value"].abs().sum(), abs(change)):
        return effects
    return pd.concat(
        [effects, pd.DataFrame({"effect": ["estimate"], "group": [""], "value": [left]})], ignore_index=True
    )


def _steps(one: Result, effects: pd.DataFrame, start: float, first: int, last: int) -> pd.DataFrame:
    """Start, effects and end, each with where its bar begins and ends."""
    added = effects.groupby("effect", sort=False)["value"].sum()
    added = added.reindex([name for name in SAID if name in added.index])
    edges = start + np.concatenate([[0.0], added.cumsum().to_numpy()])
    rows = [{"step": one.periods[first].label, "kind": "level", "begins": 0.0, "ends": start, "value": start}]
    rows += [
        {"step": name, "kind": "up" if value >= 0 else "down", "begins": edges[k], "ends": edges[k + 1], "value": value}
        for k, (name, value) in enumerate(added.items())
    ]
    rows.append(
        {"step": one.periods[last].label, "kind": "level", "begins": 0.0, "ends": edges[-1], "value": edges[-1]}
    )
    return pd.DataFrame(rows)


def beyond_chance(part: Part, first: int, last: int) -> bool:
    """Whether the change is larger than the two intervals together allow; accounts have none and are certain."""
    value, low, high = (array[0, [first, last]] for array in (part.grid.value, part.grid.low, part.grid.high))
    if not np.isfinite([*low, *high]).all():
        return True
    rises = value[1] >= value[0]
    towards = (high[0] - value[0], value[1] - low[1]) if rises else (value[0] - low[0], high[1] - value[1])
    return bool(abs(value[1] - value[0]) > np.hypot(*towards))


def _sentence(
    one: Result, effects: pd.DataFrame, ends: tuple[float, float], labels: tuple[str, str], by: str, currency: str
) -> str:
    unit, change = one.headline.unit, ends[1] - ends[0]
    if change == 0:
        return f"{one.measure.title} did not change between {labels[0]} and {labels[1]}."
    went = "rose" if change > 0 else "fell"
    before, after = (spoken(end, unit, currency) for end in ends)
    added = effects.groupby("effect")["value"].sum()
    largest = added.abs().idxmax()
    text = (
        f"{one.measure.title} {went} from {before} ({labels[0]}) to {after} ({labels[1]}), mostly by {largest}: "
        f"{SAID[largest]} ({signed(added[largest], unit, currency)})."
    )
    groups = effects.groupby("group")["value"].sum()
    named = groups.drop(NOT_GIVEN, errors="ignore")
    if by and len(named) > 1:
        top = (named * np.sign(change)).idxmax()
        moved = f"{signed(groups[top], unit, currency)}, {percent(groups[top] / change)} of the change"
        text += f" Of all {by}s, {top} moved it furthest ({moved})."
    return text


def _notes(one: Result, effects: pd.DataFrame) -> tuple[str, ...]:
    notes = [
        "The steps add up to the change. A group that was not there before starts from the mean of all.",
    ]
    if one.measure.name == REVENUE:
        notes.append("Volume and rate are over all deals that closed, those without a decision included.")
        if "timing" not in set(effects["effect"]):
            notes.append("Timing needs the history of expected close dates.")
    return tuple(notes)
