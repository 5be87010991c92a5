"""Past forecasts beside what happened and what simple rules would have said: who was nearer, and whose mean is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kpis.forecast.calibration import Landmark
from kpis.forecast.projection import Window

MODEL = "this model"
BETTER_BY = 0.20
MIN_ORIGINS = 8
MIN_PERIODS = 6
"""Forecasts made on several days of one period share its luck, so a rule must be better over this many periods."""


NO_BETTER = "no simple rule was more than 20 % better"


@dataclass(frozen=True)
class Origin:
    """One past forecast.

    Parameters
    ----------
    day, label, phase
        As-of day, the period it was made in, and the day of that period.
    expected, actual
        (3,) revenue still to come by window; ``actual`` is NaN where the window is not over.
    p10, p90, crps
        (3,) of the calibrated distribution of the same.
    verified
        (3,) whether the range rested on at least four matured past forecasts.
    rules
        Rule -> (3,) its forecast.
    windows
        The forecast itself.
    open_amount, won_of_open
        Amount of the deals open on its day, and (3,) what was won of them in each window; NaN where it is not over.
    """

    day: int
    label: str
    phase: int
    expected: np.ndarray
    actual: np.ndarray
    p10: np.ndarray
    p90: np.ndarray
    crps: np.ndarray
    verified: np.ndarray
    rules: dict[str, np.ndarray]
    windows: tuple[Window, ...]
    open_amount: float
    won_of_open: np.ndarray
    landmark: Landmark


def scores(origins: Sequence[Origin]) -> pd.DataFrame:
    """One row a method and window: WAPE, bias, CRPS (both over the actual revenue), coverage of the 80 % range, n.

    A method is scored on the origins it has a forecast for; ``model_wape`` is the model's on the same ones, so
    that the two can be compared. A point forecast's CRPS is its absolute error. ``periods`` is in how many periods
    they were made.
    """
    rows = []
    for w in range(3):
        over = [x for x in origins if np.isfinite(x.actual[w])]
        for method in (MODEL, *(over[0].rules if over else ())):
            forecast = np.array([x.expected[w] if method == MODEL else x.rules[method][w] for x in over])
            rows.append({"method": method, "window": w, **_score(over, forecast, w, is_model=method == MODEL)})
    return pd.DataFrame(rows)


def _score(over: list[Origin], forecast: np.ndarray, w: int, *, is_model: bool) -> dict[str, float | int | None]:
    actual = np.array([x.actual[w] for x in over])
    use = np.isfinite(forecast)
    total = np.abs(actual[use]).sum()
    if not use.any() or total == 0:
        return {"wape": None, "bias": None, "crps": None, "coverage80": None, "n": 0, "periods": 0, "model_wape": None}
    error = forecast[use] - actual[use]
    model = np.array([x.expected[w] for x in over])[use]
    crps = np.array([x.crps[w] for x in over])[use] if is_model else np.abs(error)
    held = np.array([x.p10[w] <= x.actual[w] <= x.p90[w] for x in over])[use]
    return {
        "wape": float(np.abs(error).sum() / total),
        "bias": float(error.sum() / total),
        "crps": float(crps.sum() / total),
        "coverage80": float(held.mean()) if is_model else None,
        "n": int(use.sum()),
        "periods": len({x.label for x, used in zip(over, use, strict=True) if used}),
        "model_wape": float(np.abs(model - actual[use]).sum() / total),
    }


def leading(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the simple rules that were more than 20 % better than the model over at least six periods."""
    rules = table[(table["method"] != MODEL) & (table["periods"] >= MIN_PERIODS)] if len(table) else table
    if rules.empty:
        return pd.DataFrame(columns=["window", "n"])
    return rules[rules["wape"].astype(float) < (1 - BETTER_BY) * rules["model_wape"].astype(float)]


def choose(table: pd.DataFrame) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Method used for the mean of each window, and why.

    The model, unless a simple rule's WAPE is more than 20 % below it over at least eight common origins of at
    least six periods; of several the best.
    """
    lead = leading(table)
    chosen, why = [], []
    for w in range(3):
        rows = lead[(lead["window"] == w) & (lead["n"] >= MIN_ORIGINS)]
        if rows.empty:
            chosen.append(MODEL)
            why.append(NO_BETTER)
            continue
        best = rows.loc[rows["wape"].astype(float).idxmin()]
        chosen.append(str(best["method"]))
        why.append(
            f"'{best['method']}' was off by {best['wape']:.0%} of revenue, this model by {best['model_wape']:.0%}, "
            f"over {int(best['n'])} past forecasts of {int(best['periods'])} periods"
        )
    return tuple(chosen), tuple(why)
