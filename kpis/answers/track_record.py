"""How good has this forecast been: the backtest, beside the simple rules, as a person reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.words import percent, plural
from kpis.forecast.backtest import MIN_ORIGINS, MODEL, Origin, choose, scores
from kpis.periods import Calendar, day_of

WORDS = (
    "WAPE: sum of absolute errors over the sum of what came. Bias: sum of errors over the same. CRPS: the error of "
    "the whole distribution; for a point forecast it is its absolute error."
)
WINDOW_NAMES = ("current period", "next period", "next but one")


def track_record(origins: Sequence[Origin], calendar: Calendar, currency: str = "") -> Answer:
    """Every method's error on every past forecast, and which method has earned the mean.

    Tables: ``scores`` (method, window), ``origins`` (every forecast beside what happened), ``phases`` (error by
    day of the period), ``ranges`` (how often outcomes fell below each level of the forecast).
    """
    table = scores(origins)
    chosen, why = choose(table) if len(table) else ({}, "")
    rows = _rows(origins)
    return Answer(
        question="How good has this forecast been?",
        sentence=_sentence(table, calendar),
        tables={"scores": _named(table), "origins": rows, "phases": _phases(rows), "ranges": _ranges(origins)},
        notes=(
            "Each forecast was made with what was known on its day and what earlier forecasts had taught by then.",
            WORDS,
            f"Used for the mean: {_used(chosen)} ({why}).",
        ),
        document=_document(table, rows, chosen, why, currency),
    )


def of_window(answer: Answer, window: str) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The rows of one window: of the tables ``scores``, ``origins`` and ``ranges``."""
    scores, origins, ranges = (answer.tables[name] for name in ("scores", "origins", "ranges"))
    return tuple(table[table["window"] == window] for table in (scores, origins, ranges))


def _sentence(table: pd.DataFrame, calendar: Calendar) -> str:
    mine = table[(table["method"] == MODEL) & (table["window"] == 0)] if len(table) else table
    if mine.empty or not mine["n"].iloc[0]:
        return f"No {calendar.grain} has both enough history before it and an end: there is no record yet."
    row = mine.iloc[0]
    forecasts = f"{plural(row['n'], 'past forecast')} of a {calendar.grain}'s rest"
    said = f"Over {forecasts}, this model was off by {percent(row['wape'])}"
    others = table[(table["window"] == 0) & (table["method"] != MODEL) & (table["n"] >= MIN_ORIGINS)]
    held = f"its 80 % range held {percent(row['coverage80'])} of the outcomes"
    if others.empty:
        return f"{said} of the revenue; {held}."
    best = others.loc[others["wape"].astype(float).idxmin()]
    return (
        f"{said} of the revenue, the best simple rule ({best['method']}) by {percent(best['wape'])} "
        f"where this model had {percent(best['model_wape'])}; {held}."
    )


def _used(chosen: dict[int, str]) -> str:
    names = [f"{WINDOW_NAMES[w]}: {m}" for w, m in sorted(chosen.items())]
    return ", ".join(names) or MODEL


def _named(table: pd.DataFrame) -> pd.DataFrame:
    """Scores with the window in words; methods that have no forecast anywhere are left out."""
    if table.empty:
        return table
    shown = table[table["n"] > 0].copy()
    shown["window"] = [WINDOW_NAMES[w] for w in shown["window"]]
    return shown.reset_index(drop=True)


def _rows(origins: Sequence[Origin]) -> pd.DataFrame:
    """One row a past forecast and window."""
    rows = [
        {
            "made_on": day_of(x.day), "made_in": x.label, "day_of_period": x.phase, "window": WINDOW_NAMES[w],
            "expected": x.expected[w], "p10": x.p10[w], "p90": x.p90[w], "actual": x.actual[w],
            "inside": bool(x.p10[w] <= x.actual[w] <= x.p90[w]), "range_verified": bool(x.verified[w]),
            **{name: values[w] for name, values in x.rules.items()},
        }
        for x in sorted(origins, key=lambda x: x.day)
        for w in range(3)
        if np.isfinite(x.actual[w])
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _phases(rows: pd.DataFrame) -> pd.DataFrame:
    """The model's error by day of the period and window."""
    if rows.empty:
        return pd.DataFrame(columns=["day_of_period", "window", "wape", "bias", "n"])
    found = []
    for (phase, window), part in rows.groupby(["day_of_period", "window"], sort=False):
        total = part["actual"].sum()
        error = part["expected"] - part["actual"]
        known = total > 0
        found.append(
            {"day_of_period": phase, "window": window, "wape": error.abs().sum() / total if known else None,
             "bias": error.sum() / total if known else None, "n": len(part)}
        )  # fmt: skip
    return pd.DataFrame(found)


def _ranges(origins: Sequence[Origin]) -> pd.DataFrame:
    """Share of outcomes at or below each level of the model's distribution: on the diagonal when it is right."""
    levels = np.round(np.arange(0.1, 1.0, 0.1), 1)
    rows = []
    for w in range(3):
        pit = np.array([x.landmark.pit[w] for x in origins if np.isfinite(x.landmark.pit[w])])
        rows += [
            {"window": WINDOW_NAMES[w], "level": q, "share": float((pit <= q).mean()), "n": len(pit)}
            for q in levels
            if len(pit)
        ]
    return pd.DataFrame(rows, columns=["window", "level", "share", "n"])


def _document(
    table: pd.DataFrame, rows: pd.DataFrame, chosen: dict[int, str], why: str, currency: str
) -> dict[str, Any]:
    """The `backtest` document of the headless interface; windows are 0, 1, 2."""
    columns = ["method", "window", "wape", "bias", "crps", "coverage80", "n", "model_wape"]
    methods = [] if table.empty else _records(table[columns])
    return {
        "currency": currency,
        "methods": methods,
        "chosen": chosen.get(0, MODEL),
        "chosen_by_window": [chosen.get(w, MODEL) for w in range(3)],
        "why": why,
        "origins": _records(rows),
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain values; a missing number is None."""
    records = table.astype("object").to_dict("records")
    return [{k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in row.items()} for row in records]
