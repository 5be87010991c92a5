"""New business: levels by hand, rates that are known, and what a stray date must not do."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from kpis.forecast.creation import forecast_creation
from kpis.periods import day_n, day_of
from tests.forecast.made import one_stage

TODAY = day_n(date(2024, 6, 30))


def forecast(created: np.ndarray, days: int = 90):
    """Forecast from creation days alone."""
    return forecast_creation(one_stage([(int(day), None, 0) for day in created], today=TODAY), days)


def weekly(counts: list[int]) -> np.ndarray:
    """Creation days with so many on the first day of the latest week, of the week before it, ..."""
    return np.concatenate([np.full(n, TODAY - 7 * week - 6) for week, n in enumerate(counts)])


def test_level_by_hand():
    """14 in each of the latest ten weeks, none in the nine before, 7 in the first; half-life ten weeks.

    Weights 0.5^(age / 10): of twenty weeks the latest ten weigh (1 - 0.5) / (1 - 0.25) = 2/3 of the whole.
    """
    found = forecast(weekly([14] * 10 + [0] * 9 + [7]))
    last = 0.5**1.9 / sum(0.5 ** (k / 10) for k in range(20))
    assert found.level == pytest.approx(14 * 2 / 3 + 7 * last)
    assert found.per_day == pytest.approx(np.full(90, found.level / 7))
    assert (found.growth, set(found.season)) == (0, {1.0})


def test_the_week_that_ends_today_is_the_latest():
    """Seven deals in the last seven days and none in the seven before: weights 1 and 0.5^0.1."""
    found = forecast(np.append(TODAY - np.arange(7), TODAY - 13))
    assert found.level == pytest.approx((7 + 0.5**0.1) / (1 + 0.5**0.1))


def test_a_steady_rate_is_kept():
    rng = np.random.default_rng(1)
    for weeks in (30, 80, 200):
        days = TODAY - np.arange(7 * weeks)
        found = forecast(np.repeat(days, rng.poisson(6, len(days))), 180)
        assert found.per_day.sum() == pytest.approx(6 * 180, rel=0.08)


def test_half_of_a_steady_growth_is_projected():
    """1 % a week for three years: half of it goes on, from the level of today."""
    ages = np.arange(3 * 364)
    rate = 20 * np.exp(-0.01 * ages / 7)
    found = forecast(np.repeat(TODAY - ages, np.random.default_rng(2).poisson(rate)), 91)
    assert found.growth == pytest.approx(0.005, abs=0.0006)
    ahead = np.arange(1, 92)
    assert found.per_day.sum() == pytest.approx((20 * np.exp(0.005 * ahead / 7)).sum(), rel=0.08)


def test_a_season_is_found_and_projected():
    """Double in the last quarter of every year, for four years."""
    days = np.arange(TODAY - 4 * 365, TODAY + 1)
    month = np.array([day_of(int(d)).month for d in days])
    rate = np.where(month >= 10, 16.0, 8.0)
    found = forecast(np.repeat(days, np.random.default_rng(3).poisson(rate)), 184)
    by_month = {m: found.season[m - 1] for m in range(1, 13)}
    assert np.mean([by_month[m] for m in (10, 11, 12)]) / np.mean([by_month[m] for m in range(1, 10)]) == pytest.approx(
        2, rel=0.12
    )
    ahead = [day_of(TODAY + d) for d in range(1, 185)]
    truth = sum(16.0 if d.month >= 10 else 8.0 for d in ahead)
    assert found.per_day.sum() == pytest.approx(truth, rel=0.08)
    july = np.array([d.month == 7 for d in ahead])
    december = np.array([d.month == 12 for d in ahead])
    assert found.per_day[december].mean() / found.per_day[july].mean() == pytest.approx(2, rel=0.2)


def test_a_burst_counts_three_times_the_usual_week():
    """500 imported on one day of a company with 10 a week: as if 30."""
    days = [10] * 60
    plain, burst = forecast(weekly(days)), forecast(weekly([10, 500, *days[2:]]))
    assert burst.level == pytest.approx(forecast(weekly([10, 30, *days[2:]])).level, rel=0.01)
    assert (plain.bursts, burst.bursts) == (0, 1)


def test_nothing_created_lately():
    assert forecast(TODAY - 500 - np.arange(300)).per_day.sum() < 0.5
    assert forecast(TODAY - 2000 - np.arange(300)).per_day.sum() == 0
    assert np.isfinite(forecast(np.array([TODAY])).per_day).all()
    assert forecast(np.zeros(0), 30).per_day.tolist() == [0.0] * 30


def test_one_stray_date_does_not_make_a_trend():
    """A deal dated years before the rest is a slip of the pen, not two years without business."""
    rng = np.random.default_rng(4)
    days = TODAY - np.arange(60 * 7)
    created = np.repeat(days, rng.poisson(1.5, len(days)))
    plain = forecast(created, 270).per_day.sum()
    for stray in (TODAY - 3 * 364, day_n(date(1970, 1, 1)), day_n(date.fromordinal(1) + timedelta(days=700_000))):
        assert forecast(np.append(created, stray), 270).per_day.sum() == pytest.approx(plain, rel=0.1)
