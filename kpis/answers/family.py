"""A family of measures at a glance: a card for each, and what the whole family says in a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.measures import SEED, groups_of, latest, signed, spoken
from kpis.answers.monitor import monitor
from kpis.answers.render import records
from kpis.answers.why import beyond_chance
from kpis.answers.words import count, percent, plural
from kpis.dataset import Dataset
from kpis.measures.core.control import VERDICTS
from kpis.measures.core.evaluate import LOW_SAMPLE, Result, evaluate
from kpis.measures.registry import catalogue, find

CARD: dict[str, Any] = {
    # which measure
    "id": "", "measure": "", "label": "", "title": "", "basis": "", "needs": "",
    # its value in the latest whole period, unrounded and in words; of a measure shown by groups that of the highest
    "unit": "", "period": "", "value": None, "low": None, "high": None, "n": None, "low_sample": False,
    "said": "", "interval": "", "so_far": "", "history": (), "over": "", "groups": 0, "group": "",
    # its change against the period before, and whether that is beyond chance and welcome
    "change": None, "change_said": "", "certain": False, "change_mood": "none",
    # whether it left its usual range, and whether that is welcome
    "verdict": "", "verdict_said": "", "verdict_value": "", "verdict_help": "", "verdict_mood": "none",
}  # fmt: skip
"""What a card holds, and what stands where the data cannot say it."""

MOST_SAID = 3
WENT = {"spike": "rose to", "dip": "fell to"}
COURSE = ("measure", "period", "start", "plain", "value", "least", "most", "centre", "low", "high", "judged", "verdict")
TODAY = ("stock", "forecast")
"""Bases whose value in a running period is that of today; of others it is what came so far."""


def ids_of(family: str) -> tuple[str, ...]:
    """The ids that begin with ``family`` (``SALES-``, ``FUNNEL-1.``), in their order."""
    return tuple(entry["id"] for entry in catalogue() if entry["id"].startswith(family))


def family(dataset: Dataset, question: str, ids: Iterable[str], *, periods: int = 8) -> Answer:
    """The measures under these ids: the latest whole period of each, its course, and whether it left its usual range.

    Notes
    -----
    Tables: ``cards`` (one row an id: what it is called, its value, interval, n, change and verdict, unrounded and in
    words, or what it ``needs``) and ``course`` (one row a measure and period: value, interval ``least`` to ``most``,
    control limits ``low`` to ``high``; counts whose limits are per working day stand per working day).
    """
    named = {find(identifier).name: identifier for identifier in ids}
    results = evaluate(dataset, named, periods=periods, rng=np.random.default_rng(SEED), parts=False)
    watched = monitor(dataset, named)
    verdicts = {row["measure"]: row for row in watched.tables["verdicts"].to_dict("records")}
    rows = [
        _card(named[one.measure.name], one, verdicts.get(one.measure.name, {}), dataset.currency) for one in results
    ]
    cards = pd.DataFrame(rows)
    return Answer(
        question=question,
        sentence=_sentence(rows),
        tables={"cards": cards, "course": _course(results, watched.tables["points"])},
        notes=(
            "Each card shows the latest whole period; a running one has not all of its revenue and spend yet.",
            "A change is marked only where it is larger than the two 95 % intervals together allow.",
            f"A value from fewer than {LOW_SAMPLE} records is marked as a low sample.",
            *watched.notes,
        ),
        document={"measures": records(cards)},
    )


def _card(identifier: str, one: Result, verdict: Mapping[str, Any], currency: str) -> dict[str, Any]:
    measure, k = one.measure, latest(one)
    card = CARD | {
        "id": identifier,
        "measure": measure.name,
        "label": measure.ids[identifier],
        "title": measure.title,
        "basis": measure.basis,
    }
    if k is None:
        return card | {"needs": one.status}
    part, grid = one.headline, one.headline.grid
    # Shown by its own groups, there is no one number: the card names the highest.
    g = int(np.nanargmax(grid.value[:, k]))
    value, low, high, n = (float(array[g, k]) for array in (grid.value, grid.low, grid.high, grid.n))
    card |= {
        "unit": part.unit, "period": one.periods[k].label, "value": value, "low": low, "high": high, "n": n,
        "said": spoken(value, part.unit, currency), "low_sample": part.sampled and n < LOW_SAMPLE,
        "interval": _interval(low, high, part.unit, currency), "group": grid.groups[g], "over": groups_of(part),
    }  # fmt: skip
    if part.over:
        highest = np.sort(grid.value[:, k])[::-1]
        return card | {"history": highest[np.isfinite(highest)].tolist(), "groups": len(grid.groups)}
    return card | _moved(one, k, currency) | _judged(one, verdict, currency)


def _interval(low: float, high: float, unit: str, currency: str) -> str:
    return f"{spoken(low, unit, currency)} to {spoken(high, unit, currency)}" if np.isfinite([low, high]).all() else ""


def _moved(one: Result, k: int, currency: str) -> dict[str, Any]:
    """The course, the change against the period before, and what the running period has so far."""
    part, values = one.headline, one.headline.grid.value[0]
    change = float(part.change[0, k])
    shown: dict[str, Any] = {"history": [value for value in values[: k + 1].tolist() if np.isfinite(value)]}
    if np.isfinite(change):
        certain = k > 0 and beyond_chance(part, k - 1, k)
        shown |= {
            "change": change,
            "change_said": signed(change, part.unit, currency) if change else "no change",
            "certain": certain,
            "change_mood": _mood(change, one.measure.better) if certain else "none",
        }
    if k < len(values) - 1 and np.isfinite(values[-1]):
        when = "today" if one.measure.basis in TODAY else "since then"
        shown["so_far"] = f"{when}: {spoken(values[-1], part.unit, currency)}"
    return shown


def _judged(one: Result, verdict: Mapping[str, Any], currency: str) -> dict[str, Any]:
    """What the control chart says, in words."""
    name = verdict.get("verdict", VERDICTS[-1])
    if name == "cannot tell":
        return {"verdict": name, "verdict_said": "cannot tell", "verdict_help": verdict.get("reason", "")}
    alarm = name != "in control"
    usual = _interval(verdict["low"], verdict["high"], verdict["unit"], currency)
    why = f"{verdict['period']}: usually {usual}{_a_day(verdict)}."
    if name == "shift":
        why = f"Eight periods in a row on one side of {spoken(verdict['centre'], verdict['unit'], currency)}."
    if verdict["cause_by"]:
        share = verdict["cause_share"]
        much = "All of it and more" if share > 1 else f"{percent(share)} of it"
        why += f" {much} comes from {verdict['cause_by']} {verdict['cause_group']}."
    return {
        "verdict": name,
        "verdict_said": name,
        "verdict_help": why,
        "verdict_mood": _mood(verdict["value"] - verdict["centre"], one.measure.better) if alarm else "none",
        "verdict_value": f"{spoken(verdict['value'], verdict['unit'], currency)}{_a_day(verdict)}",
    }


def _a_day(verdict: Mapping[str, Any]) -> str:
    return " a working day" if verdict["chart"] == "u" else ""


def _mood(change: float, better: str) -> str:
    """Whether a rise or a fall is welcome: ``good``, ``bad``, or ``open`` where it depends."""
    if better not in ("higher", "lower"):
        return "open"
    return "good" if (change > 0) == (better == "higher") else "bad"


def _sentence(cards: Sequence[Mapping[str, Any]]) -> str:
    """What left its usual range, else what changed beyond chance; and what is missing."""
    judged = [card for card in cards if card["verdict"] not in ("", VERDICTS[-1])]
    alarms = [card for card in judged if card["verdict"] != "in control"]
    moved = [card for card in cards if card["certain"] and card["interval"] and card not in alarms]
    missing = [card for card in cards if card["needs"]]
    told = []
    if not judged:
        told.append("No measure has enough periods to be judged yet.")
    elif not alarms:
        told.append(f"None of {plural(len(judged), 'judged measure')} left its usual range.")
    else:
        said = _listed([_alarm(card) for card in alarms])
        told.append(f"{len(alarms)} of {plural(len(judged), 'judged measure')} left the usual range: {said}.")
    if moved and not alarms:
        told.append(f"Beyond chance changed {_listed([_change(card) for card in moved])}.")
    if missing:
        told.append(f"{count(len(missing))} of {len(cards)} need data that is not there.")
    return " ".join(told)


def _alarm(card: Mapping[str, Any]) -> str:
    if card["verdict"] == "shift":
        return f"{card['label']} shifted"
    return f"{card['label']} {WENT[card['verdict']]} {card['verdict_value']}"


def _change(card: Mapping[str, Any]) -> str:
    return f"{card['label']} ({card['change_said']})"


def _listed(said: Sequence[str]) -> str:
    more = [f"and {len(said) - MOST_SAID} more"] if len(said) > MOST_SAID else []
    return ", ".join([*said[:MOST_SAID], *more])


def _course(results: Iterable[Result], points: pd.DataFrame) -> pd.DataFrame:
    """Every ungrouped headline by period with its interval, and the control limits where there are any."""
    shown = [_values(one) for one in results if one.headline is not None and not one.headline.over]
    if not shown:
        return pd.DataFrame(columns=COURSE)
    values = pd.concat(shown, ignore_index=True)
    if points.empty:
        return values
    both = points.merge(values[["measure", "period", "plain", "least", "most"]], on=["measure", "period"], how="left")
    # Counts are charted per working day, so their intervals are too.
    scale = np.divide(both["value"], both["plain"], out=np.ones(len(both)), where=(both["plain"] != 0).to_numpy())
    both = both.assign(least=both["least"] * scale, most=both["most"] * scale)
    return pd.concat([both, values[~values["measure"].isin(points["measure"])]], ignore_index=True)


def _values(one: Result) -> pd.DataFrame:
    grid = one.headline.grid
    return pd.DataFrame(
        {
            "measure": one.measure.name,
            "period": [period.label for period in one.periods],
            "start": [period.start for period in one.periods],
            "plain": grid.value[0],
            "value": grid.value[0],
            "least": grid.low[0],
            "most": grid.high[0],
            "centre": np.nan,
            "low": np.nan,
            "high": np.nan,
            "judged": False,
            "verdict": VERDICTS[-1],
            "unit": one.headline.unit,
        }
    )
