"""The honest contest: every past forecast as it would have been made, beside simple rules and what happened."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pandas as pd

from kpis.dataset import Dataset
from kpis.forecast.calibration import Calibration, Landmark, calibrate
from kpis.forecast.model import Model, fit
from kpis.forecast.projection import Projection, Window, project
from kpis.forecast.revenue import Distribution
from kpis.forecast.rules import Bookings, rules
from kpis.periods import Calendar, day_n, day_of
from kpis.pipeline.stints import WON, Stints, read_stages, stints

MODEL = "this model"
PHASES = {"quarter": (0, 30, 60), "month": (0, 10, 20)}
"""Days of the period on which a forecast is made."""

LANDMARKS = 10
"""How many past periods the current forecast learns from, at the same day of the period."""

MIN_WINS = 30
"""An origin with fewer known wins could not have been forecast by any method."""

WORKERS = 2
"""Fits made at the same time: each holds a copy of the deals, so their number bounds the memory."""

Progress = Callable[[int, int], None]


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
    to_come
        The model's distributions, before recalibration of their ranges.
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
    to_come: tuple[Distribution, ...]
    landmark: Landmark


def history_of_forecasts(
    dataset: Dataset,
    calendar: Calendar,
    days: Sequence[int],
    *,
    final: Stints | None = None,
    progress: Progress | None = None,
) -> Iterator[Origin]:
    """Forecast as of each of ``days`` (ascending, one day of the period), each with what the earlier ones taught.

    Only ``dataset.known_at(day)`` and forecasts whose windows were over by then are used. What came of a
    forecast is taken from ``final``, the stints of ``dataset`` as of its own day (made when not given); a window
    that ends later has no outcome.
    """
    final = final or stints(dataset)
    landmarks: list[Landmark] = []
    for done, (known, model) in enumerate(_fitted(dataset, calendar, days)):
        day = model.today
        calibration = calibrate(landmarks, day, len(model.stages))
        projection = project(model, calibration=calibration)
        origin = _origin(known, projection, calibration, final)
        landmarks.append(origin.landmark)
        if progress:
            progress(done + 1, len(days))
        yield origin


def _fitted(dataset: Dataset, calendar: Calendar, days: Sequence[int]) -> Iterator[tuple[Dataset, Model]]:
    """Models of the days in order. Fits do not depend on each other, so the next is made while one is used."""

    def one(day: int) -> tuple[Dataset, Model]:
        known = dataset.known_at(day_of(day))
        return known, fit(known, calendar)

    with ThreadPoolExecutor(WORKERS) as pool:
        ahead = deque(pool.submit(one, day) for day in days[:WORKERS])
        for day in (*days[WORKERS:], *[None] * len(ahead)):
            found = ahead.popleft().result()
            if day is not None:
                ahead.append(pool.submit(one, day))
            yield found


@dataclass(frozen=True)
class Record:
    """The forecast's own record at this day of the period, and what follows from it for today's.

    Parameters
    ----------
    origins
        The same day of up to ten past periods.
    table
        Scores of every method on them.
    methods, why
        Method behind the mean of each window, and the reason in words.
    calibration
        What today's projection takes from the record.
    """

    origins: tuple[Origin, ...]
    table: pd.DataFrame
    methods: tuple[str, ...]
    why: str
    calibration: Calibration


def record(dataset: Dataset, model: Model, *, progress: Progress | None = None) -> Record:
    """Make the forecast of the model's day as it would have been made in the last ten periods, and learn from it.

    Nothing after the model's day is used. Where a simple rule has earned the mean of a window, the
    distribution keeps its shape and is scaled to the rule's mean, and its range is judged with that scale.
    """
    past = dataset.known_at(day_of(model.today))
    usable = [day for day in matched_days(model) if _enough(model.stints, day)]
    origins = tuple(history_of_forecasts(past, model.calendar, usable, final=model.stints, progress=progress))
    table = scores(origins)
    chosen, why = choose(table)
    now = rules(model, crm_probability(past, model))
    methods = tuple(chosen[w] if chosen[w] == MODEL or now[chosen[w]][w] > 0 else MODEL for w in range(3))
    landmarks = [replace(x.landmark, pit=_judged(x, methods)) for x in origins]
    calibration = calibrate(landmarks, model.today, len(model.stages))
    base = project(model, calibration=calibration)
    means = [w.from_open + w.from_new for w in base.windows]
    scale = [
        1.0 if m == MODEL or mean <= 0 else now[m][w] / mean
        for w, (m, mean) in enumerate(zip(methods, means, strict=True))
    ]
    return Record(origins, table, methods, why, replace(calibration, scale=tuple(float(s) for s in scale)))


def _judged(origin: Origin, methods: tuple[str, ...]) -> np.ndarray:
    """Where the actual revenue fell in the distribution of the method that is used now."""
    pit = origin.landmark.pit.copy()
    for w, method in enumerate(methods):
        if method != MODEL and np.isfinite(origin.actual[w]):
            rule = origin.rules[method][w]
            scale = rule / origin.expected[w] if rule > 0 and origin.expected[w] > 0 else 1.0
            pit[w] = origin.to_come[w].cdf(origin.actual[w] / scale)
    return pit


def matched_days(model: Model) -> list[int]:
    """The same day of the last ten periods, oldest first."""
    start = model.periods[0].start
    phase = model.today - day_n(start)
    past = [model.calendar.at(start, -k) for k in range(LANDMARKS, 0, -1)]
    return [min(day_n(p.start) + phase, day_n(p.end)) for p in past]


def _enough(final: Stints, day: int) -> bool:
    deals = final.deals
    return int(((deals["outcome"] == WON) & (deals["closed"] <= day)).sum()) >= MIN_WINS


def backtest(dataset: Dataset, calendar: Calendar, *, progress: Progress | None = None) -> list[Origin]:
    """Every origin of every past period that the data cover up to the as-of day, at three days of the period."""
    final = stints(dataset)
    if not len(final.deals):
        return []
    newest = dataset.as_of
    first = day_of(int(final.deals["created"].min()))
    periods = []
    period = calendar.at(first, 1)
    while period.end < newest:
        periods.append(period)
        period = calendar.at(period.start, 1)
    phases = PHASES[calendar.grain]
    total = len(periods) * len(phases)
    found: list[Origin] = []
    for k, phase in enumerate(phases):
        days = [day_n(min(p.start + timedelta(days=phase), p.end)) for p in periods]
        usable = [day for day in days if _enough(final, day)]

        def step(done: int, _: int, before: int = k * len(periods)) -> None:
            if progress:
                progress(before + done, total)

        found += history_of_forecasts(dataset, calendar, usable, final=final, progress=step)
    return found


def _origin(known: Dataset, projection: Projection, calibration: Calibration, final: Stints) -> Origin:
    model = projection.model
    outcome = _happened(final)
    starts = (model.today, *model.ends[:-1])
    actual = np.array([outcome.between(a, b) for a, b in zip(starts, model.ends, strict=True)])
    windows = projection.windows
    pit = np.array([w.to_come.cdf(a) if np.isfinite(a) else np.nan for w, a in zip(windows, actual, strict=True)])
    return Origin(
        day=model.today,
        label=model.periods[0].label,
        phase=model.today - day_n(model.periods[0].start),
        expected=np.array([w.from_open + w.from_new for w in windows]),
        actual=actual,
        p10=np.array([w.quantile(0.1) - w.won for w in windows]),
        p90=np.array([w.quantile(0.9) - w.won for w in windows]),
        crps=np.array([_crps(w, a) for w, a in zip(windows, actual, strict=True)]),
        verified=np.array([calibration.verified(w) for w in range(len(windows))]),
        rules=rules(model, crm_probability(known, model)),
        to_come=tuple(w.to_come for w in windows),
        landmark=_landmark(projection, final, pit, starts),
    )


def _happened(final: Stints) -> Bookings:
    """Bookings of all data: what really happened."""
    won = final.bookings
    first = int(final.deals["created"].min())
    return Bookings(won["closed"].to_numpy(), won["amount"].to_numpy(), first, final.today)


def _landmark(projection: Projection, final: Stints, pit: np.ndarray, starts: tuple[int, ...]) -> Landmark:
    """Chances before recalibration beside wins, counted by stage and margin."""
    model = projection.model
    held = model.open_deals
    ids = model.stints.deals["opportunity_n"].to_numpy()[held.row]
    row = pd.Index(final.deals["opportunity_n"]).get_indexer(ids)
    closed = final.deals["closed"].to_numpy()[row]
    won = (final.deals["outcome"] == WON).to_numpy()[row] & (row >= 0)
    inside = [(won & (closed > a) & (closed <= b)) for a, b in zip(starts, model.ends, strict=True)]
    keys, cell = np.unique(np.stack([held.stage, held.margin]), axis=1, return_inverse=True)
    size = keys.shape[1]
    expected = np.stack([np.bincount(cell, projection.deal_p_raw[:, w], size) for w in range(3)], axis=1)
    observed = np.stack([np.bincount(cell, hit.astype(float), size) for hit in inside], axis=1)
    return Landmark(model.today, model.ends, keys[0], keys[1], expected, observed, pit)


def _crps(window: Window, actual: float) -> float:
    """Continuous ranked probability score of the calibrated distribution: integral of (F(x) - 1{x >= y})^2."""
    if not np.isfinite(actual):
        return float("nan")
    grid = np.unique(np.append(window.to_come.grid, actual))
    raw = np.interp(grid, window.to_come.grid, window.to_come.cumulated, right=1.0)
    cumulated = np.interp(raw, window.calibration.levels[window.index], window.calibration.shares[window.index])
    below = grid[:-1] < actual
    left, right = cumulated[:-1] - ~below, cumulated[1:] - ~below
    # F is linear between grid points, so its square integrates to (a^2 + ab + b^2) / 3.
    return float((np.diff(grid) * (left**2 + left * right + right**2) / 3).sum())


def crm_probability(known: Dataset, model: Model) -> np.ndarray:
    """The CRM's own probability of each open deal: on the deal, else the default of its stage; NaN where neither."""
    deals = model.stints.deals.iloc[model.open_deals.row]
    own = deals["probability"].to_numpy()
    if not known.has("stages", "default_probability"):
        return own
    table = read_stages(known).set_index("stage")["default_probability"]
    default = deals["stage"].astype("object").map(table).astype("float64").to_numpy()
    return np.where(np.isfinite(own), own, default)


def scores(origins: Sequence[Origin]) -> pd.DataFrame:
    """One row a method and window: WAPE, bias, CRPS (both over the actual revenue), coverage of the 80 % range, n.

    A method is scored on the origins it has a forecast for; ``model_wape`` is the model's on the same ones, so
    that the two can be compared. A point forecast's CRPS is its absolute error.
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
        return {"wape": None, "bias": None, "crps": None, "coverage80": None, "n": 0, "model_wape": None}
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
        "model_wape": float(np.abs(model - actual[use]).sum() / total),
    }


BETTER_BY = 0.20
MIN_ORIGINS = 8


def choose(table: pd.DataFrame) -> tuple[dict[int, str], str]:
    """Method used for the mean of each window, and why.

    The model, unless a simple rule's WAPE is more than 20 % below it over at least eight common origins.
    """
    chosen, why = {}, []
    for w in range(3):
        rows = table[(table["window"] == w) & (table["n"] >= MIN_ORIGINS) & (table["method"] != MODEL)]
        better = rows[rows["wape"].astype(float) < (1 - BETTER_BY) * rows["model_wape"].astype(float)]
        if better.empty:
            chosen[w] = MODEL
            continue
        best = better.loc[better["wape"].astype(float).idxmin()]
        chosen[w] = str(best["method"])
        why.append(
            f"window {w}: '{best['method']}' was off by {best['wape']:.0%} of revenue, this model by "
            f"{best['model_wape']:.0%}, over {int(best['n'])} past forecasts"
        )
    if not why:
        return chosen, "no simple rule was more than 20 % better over eight or more past forecasts"
    return chosen, "; ".join(why)
