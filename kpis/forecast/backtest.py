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
from kpis.forecast.contest import MIN_ORIGINS, MODEL, Origin, choose, leading, scores
from kpis.forecast.model import Model, fit
from kpis.forecast.projection import Projection, Window, project
from kpis.forecast.rules import Bookings, rules
from kpis.periods import Calendar, Period, day_n, day_of
from kpis.pipeline.stints import WON, Stints, read_stages, stints

PHASES = {"quarter": (0, 30, 60), "month": (0, 10, 20)}
"""Days of the period on which a forecast is made."""

LANDMARKS = 10
"""How many past periods the current forecast learns from, at the same day of the period."""

MIN_WINS = 30
"""An origin with fewer known wins could not have been forecast by any method."""

WORKERS = 2
"""Fits made at the same time: each holds a copy of the deals, so their number bounds the memory."""

Progress = Callable[[int, int], None]


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
    methods, why
        Method behind the mean of each window, and the reason for each in words.
    calibration
        What today's projection takes from the record.
    """

    origins: tuple[Origin, ...]
    methods: tuple[str, ...]
    why: tuple[str, ...]
    calibration: Calibration


def record(dataset: Dataset, model: Model, *, progress: Progress | None = None) -> Record:
    """Make the forecast of the model's day as it would have been made in the last ten periods, and learn from it.

    Nothing after the model's day is used. Where a simple rule has earned the mean of a window, the
    distribution keeps its shape and is scaled to the rule's mean, and its range is judged with that scale.
    """
    past = dataset.known_at(day_of(model.today))
    usable = [day for day in matched_days(model) if _enough(model.stints, day)]
    origins = tuple(history_of_forecasts(past, model.calendar, usable, final=model.stints, progress=progress))
    chosen, why = choose(_judgement(past, model, origins))
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
    return Record(origins, methods, why, replace(calibration, scale=tuple(float(s) for s in scale)))


def _judgement(past: Dataset, model: Model, origins: Sequence[Origin]) -> pd.DataFrame:
    """Scores by which a method is chosen: at the same day of past periods.

    Where a rule leads over too few of them, its window is judged on three more days of the same periods.
    """
    same = scores(origins)
    lead = leading(same)
    short = lead.loc[lead["n"] < MIN_ORIGINS, "window"].unique()
    if not len(short):
        return same
    periods = [model.calendar.at(day_of(x.day)) for x in origins]
    others = backtest(past, model.calendar, periods=periods, final=model.stints)
    known = {x.day for x in origins}
    wide = scores([*origins, *(x for x in others if x.day not in known)])
    return pd.concat([same[~same["window"].isin(short)], wide[wide["window"].isin(short)]], ignore_index=True)


def _judged(origin: Origin, methods: tuple[str, ...]) -> np.ndarray:
    """Where the actual revenue fell in the distribution of the method that is used now."""
    pit = origin.landmark.pit.copy()
    for w, method in enumerate(methods):
        if method != MODEL and np.isfinite(origin.actual[w]):
            rule = origin.rules[method][w]
            scale = rule / origin.expected[w] if rule > 0 and origin.expected[w] > 0 else 1.0
            pit[w] = origin.windows[w].to_come.cdf(origin.actual[w] / scale)
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


def backtest(
    dataset: Dataset,
    calendar: Calendar,
    *,
    periods: Sequence[Period] | None = None,
    final: Stints | None = None,
    progress: Progress | None = None,
) -> list[Origin]:
    """Every origin of the given periods at three days of the period; of every past period the data cover, if None.

    Parameters
    ----------
    final
        The stints of ``dataset`` as of its own day; made when not given.
    """
    final = final or stints(dataset)
    if not len(final.deals):
        return []
    periods = _whole_periods(final, calendar) if periods is None else periods
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


def _whole_periods(final: Stints, calendar: Calendar) -> list[Period]:
    """The periods from the second one of the data to the last that has ended, oldest first."""
    periods = []
    period = calendar.at(day_of(int(final.deals["created"].min())), 1)
    while day_n(period.end) < final.today:
        periods.append(period)
        period = calendar.at(period.start, 1)
    return periods


def _origin(known: Dataset, projection: Projection, calibration: Calibration, final: Stints) -> Origin:
    model = projection.model
    outcome = _happened(final)
    starts = (model.today, *model.ends[:-1])
    actual = np.array([outcome.between(a, b) for a, b in zip(starts, model.ends, strict=True)])
    windows = projection.windows
    pit = np.array([w.to_come.cdf(a) if np.isfinite(a) else np.nan for w, a in zip(windows, actual, strict=True)])
    won, amount = _won_of_open(model, final, starts)
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
        windows=windows,
        open_amount=float(model.open_deals.amount.sum()),
        won_of_open=np.where(np.isfinite(actual), won @ amount, np.nan),
        landmark=_landmark(projection, won, pit),
    )


def _happened(final: Stints) -> Bookings:
    """Bookings of all data: what really happened."""
    won = final.bookings
    first = int(final.deals["created"].min())
    return Bookings(won["closed"].to_numpy(), won["amount"].to_numpy(), first, final.today)


def _won_of_open(model: Model, final: Stints, starts: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(3, open deals) whether each deal open at the model's day was won in each window, and its amount in the end."""
    ids = model.stints.deals["opportunity_n"].to_numpy()[model.open_deals.row]
    row = pd.Index(final.deals["opportunity_n"]).get_indexer(ids)
    deals = final.deals.iloc[row]
    closed, won = deals["closed"].to_numpy(), (deals["outcome"] == WON).to_numpy() & (row >= 0)
    inside = [won & (closed > a) & (closed <= b) for a, b in zip(starts, model.ends, strict=True)]
    return np.array(inside), np.nan_to_num(deals["amount"].to_numpy())


def _landmark(projection: Projection, won: np.ndarray, pit: np.ndarray) -> Landmark:
    """Chances before recalibration beside wins, counted by stage and margin."""
    model = projection.model
    held = model.open_deals
    keys, cell = np.unique(np.stack([held.stage, held.margin]), axis=1, return_inverse=True)
    size = keys.shape[1]
    expected = np.stack([np.bincount(cell, projection.deal_p_raw[:, w], size) for w in range(3)], axis=1)
    observed = np.stack([np.bincount(cell, hit.astype(float), size) for hit in won], axis=1)
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
