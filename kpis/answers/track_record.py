"""How good has this forecast been: the backtest, beside the simple rules, as a person reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.outlook import Outlook
from kpis.answers.render import records
from kpis.answers.targets import targets_for
from kpis.answers.words import percent, plural
from kpis.forecast.backtest import LANDMARKS
from kpis.forecast.contest import MIN_ORIGINS, MIN_PERIODS, MODEL, Origin, choose, scores
from kpis.forecast.rules import MEAN_OF_FOUR
from kpis.measures.core.intervals import wilson
from kpis.periods import Calendar, day_of

WORDS = (
    "WAPE: sum of absolute errors over the sum of what came. Bias: sum of errors over the same. CRPS: the error of "
    "the whole distribution; for a point forecast it is its absolute error."
)
JUDGED = (
    f"A simple rule is used where it was more than 20 % better over {MIN_ORIGINS} or more past forecasts of "
    f"{MIN_PERIODS} or more periods: at the same day of the last {LANDMARKS}, and on three more days of them where "
    "a rule leads over too few."
)
SHARED = "Forecasts made on several days of one period share its luck, so intervals of them say less than they seem to."
STAND_IN = "the mean of the four periods before, in place of a target, since no past period has one"
BINS = 5
WINDOW_NAMES = ("current period", "next period", "next but one")


def track_record(origins: Sequence[Origin], found: Outlook) -> Answer:
    """Every method's error on every past forecast, and which method gives the mean of today's.

    Tables: ``scores`` (method, window), ``origins`` (every forecast beside what happened), ``phases`` (error by
    day of the period), ``ranges`` (how often outcomes fell below each level of the forecast), ``chances`` (how often
    a target was reached that had such a chance), ``methods`` (what today's forecast uses, and why).
    """
    table = scores(origins)
    rows = _rows(origins)
    targets, against = _targets(origins, found)
    methods = _methods(table, found)
    used = ", ".join(f"{window}: {method}" for window, method in zip(methods["window"], methods["used"], strict=True))
    return Answer(
        question="How good has this forecast been?",
        sentence=_sentence(table, found.model.calendar),
        tables={
            "scores": _named(table),
            "origins": rows,
            "phases": _phases(rows),
            "ranges": _ranges(origins),
            "chances": _chances(origins, targets, against),
            "methods": methods,
        },
        notes=(
            "Each forecast was made with what was known on its day and what earlier forecasts had taught by then.",
            WORDS,
            f"Used for the mean of today's forecast: {used}. {JUDGED}",
            f"The chance to reach a target is judged against {against}, where it was not reached on the day already.",
            SHARED,
        ),
        document=_document(table, rows, methods, found.currency),
    )


def of_window(answer: Answer, window: str) -> tuple[pd.DataFrame, ...]:
    """The rows of one window: of the tables ``scores``, ``origins``, ``ranges`` and ``chances``."""
    tables = (answer.tables[name] for name in ("scores", "origins", "ranges", "chances"))
    return tuple(table[table["window"] == window] for table in tables)


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


def _methods(table: pd.DataFrame, found: Outlook) -> pd.DataFrame:
    """The method behind the mean of each window of today's forecast and why, and the one of the whole record."""
    whole = choose(table)[0]
    used, why = (found.record.methods, found.record.why) if found.record else choose(table)
    periods = [landing.label for landing in found.landings]
    return pd.DataFrame({"window": WINDOW_NAMES, "period": periods, "used": used, "by_whole_record": whole, "why": why})


def _targets(origins: Sequence[Origin], found: Outlook) -> tuple[dict[tuple[int, int], float], str]:
    """(day, window) -> target that the forecast's chance is judged against, and what these targets are.

    The periods' own targets; where no past period has one, the mean of the last four periods.
    """
    calendar = found.model.calendar
    periods = {(x.day, w): calendar.at(day_of(x.day), w) for x in origins for w in range(3)}
    own = dict(zip(periods, targets_for(found.dataset, tuple(periods.values())), strict=True))
    given = {key: target for key, target in own.items() if target is not None}
    if given:
        return given, "the targets of the periods"
    # From the next period on the rule's part is a whole period, so its mean is that of four whole ones.
    means = {(x.day, w): float(x.rules[MEAN_OF_FOUR][1]) for x in origins for w in range(3)}
    return {key: mean for key, mean in means.items() if np.isfinite(mean)}, STAND_IN


def _chances(origins: Sequence[Origin], targets: dict[tuple[int, int], float], against: str) -> pd.DataFrame:
    """Forecast chance to reach the target in fifths: its mean, and the share that did, with its Wilson interval."""
    columns = ["window", "said", "reached", "low", "high", "hits", "n", "against"]
    judged = [_judged(x, w, targets) for x in origins for w in range(3)]
    known = pd.DataFrame([row for row in judged if row], columns=["window", "chance", "hit"])
    known["window"] = _ordered(known["window"])
    known["bin"] = np.minimum(np.floor(known["chance"].astype(float) * BINS), BINS - 1)
    rows = known.groupby(["window", "bin"], observed=True).agg(
        said=("chance", "mean"), reached=("hit", "mean"), hits=("hit", "sum"), n=("hit", "size")
    )
    rows["low"], rows["high"] = wilson(rows["hits"].to_numpy(), rows["n"].to_numpy())
    return rows.reset_index().assign(against=against)[columns].astype({"window": "str"})


def _ordered(window: pd.Series) -> pd.Categorical:
    """Names of windows as categories, so that groups come in their order."""
    return pd.Categorical(window, WINDOW_NAMES)


def _judged(x: Origin, w: int, targets: dict[tuple[int, int], float]) -> tuple[str, float, bool] | None:
    """Window, forecast chance, and whether the target was reached; None where it is not known or was no question."""
    target, window = targets.get((x.day, w)), x.windows[w]
    if target is None or not np.isfinite(x.actual[w]) or target <= window.won:
        return None
    return WINDOW_NAMES[w], window.p_hit(target), bool(window.won + x.actual[w] >= target)


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
    groups = rows.assign(window=_ordered(rows["window"])).groupby(["window", "day_of_period"], observed=True)
    for (window, phase), part in groups:
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


def _document(table: pd.DataFrame, rows: pd.DataFrame, methods: pd.DataFrame, currency: str) -> dict[str, Any]:
    """The `backtest` document of the headless interface; windows are 0, 1, 2."""
    columns = ["method", "window", "wape", "bias", "crps", "coverage80", "n", "periods", "model_wape"]
    used = list(methods["used"])
    return {
        "currency": currency,
        "methods": [] if table.empty else records(table[columns]),
        "chosen": used[0],
        "chosen_by_window": used,
        "why": "; ".join(f"{row.window}: {row.why}" for row in methods.itertuples()),
        "by_whole_record": list(methods["by_whole_record"]),
        "origins": records(rows),
    }
