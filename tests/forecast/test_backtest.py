"""Past forecasts as they would have been made: which days, what they knew, what came of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest

from kpis.forecast import backtest as module
from kpis.forecast.backtest import MIN_WINS, backtest, crm_probability, history_of_forecasts, matched_days, record
from kpis.forecast.calibration import Calibration, neutral
from kpis.forecast.contest import MODEL, NO_BETTER
from kpis.forecast.model import fit
from kpis.forecast.projection import project
from kpis.forecast.revenue import Distribution
from kpis.periods import Calendar, day_n, day_of
from kpis.settings import Settings
from tests.build import dataset
from tests.forecast.crm import START, crm, day, opp
from tests.forecast.test_contest import many

MONTHS = Settings(grain="month")
LENGTH = 460
FIRST = day_n(START)


def company() -> list[dict]:
    """A deal a day of 1,000 + its number, closed after 20 to 80 days, every third one won."""
    rng = np.random.default_rng(5)
    deals = []
    for k in range(LENGTH):
        end = k + int(rng.integers(20, 80))
        over = end <= LENGTH
        status = ("won" if k % 3 == 0 else "lost") if over else "open"
        deals.append(opp(k, k, end if over else None, status, amount=1000.0 + k))
    return deals


@pytest.fixture(scope="module")
def data():
    return crm(company(), today=LENGTH, settings=MONTHS)


@pytest.fixture(scope="module")
def run(data):
    """The backtest, and what it said on its way."""
    said: list[tuple[int, int]] = []
    return backtest(data, MONTHS.calendar, progress=lambda done, total: said.append((done, total))), said


@pytest.fixture(scope="module")
def origins(run):
    return run[0]


def test_three_days_of_every_past_period_with_enough_wins(origins):
    """The data run from 1 January 2023 to 5 April 2024: the months from February 2023 to March 2024 are over."""
    wins = sorted(day_n(row["closed_at"]) for row in company() if row["status"] == "won")
    assert day(LENGTH) == date(2024, 4, 5)
    months = [date(2023, m, 1) for m in range(2, 13)] + [date(2024, m, 1) for m in (1, 2, 3)]
    days = [day_n(m) + phase for phase in (0, 10, 20) for m in months]
    assert [x.day for x in origins] == [n for n in days if sum(w <= n for w in wins) >= MIN_WINS]
    assert {x.phase for x in origins} == {0, 10, 20}
    assert {x.label for x in origins} < {f"{m:%Y-%m}" for m in months}
    # The thirtieth win decides which are left out.
    assert wins[MIN_WINS - 1] <= min(x.day for x in origins) < wins[MIN_WINS - 1] + 11


def test_the_thirtieth_win_is_enough(data):
    final = module.stints(data)
    thirtieth = sorted(day_n(row["closed_at"]) for row in company() if row["status"] == "won")[MIN_WINS - 1]
    assert module._enough(final, thirtieth)
    assert not module._enough(final, thirtieth - 1)


def test_what_came_by_hand(origins):
    """Won money by window, from the rows; NaN where a window ends after the data do."""
    won = [
        (day_n(row["closed_at"]), row["amount"], day_n(row["created_at"]))
        for row in company()
        if row["status"] == "won"
    ]
    for x in origins:
        ends = [day_n(Calendar("month").at(day_of(x.day), w).end) for w in range(3)]
        for w, (after, until) in enumerate(zip((x.day, *ends), ends, strict=False)):
            total = sum(amount for closed, amount, _ in won if after < closed <= until)
            held = sum(amount for closed, amount, created in won if after < closed <= until and created <= x.day)
            if until > FIRST + LENGTH:
                assert np.isnan([x.actual[w], x.won_of_open[w], x.landmark.pit[w]]).all()
            else:
                assert x.actual[w] == pytest.approx(total)
                assert x.won_of_open[w] == pytest.approx(held)
    assert any(np.isnan(x.actual[2]) for x in origins)
    assert all(np.isfinite(x.actual[0]) for x in origins)


def test_what_was_open_by_hand(origins):
    for x in (origins[0], origins[-1]):
        is_open = [
            row for row in company()
            if day_n(row["created_at"]) <= x.day and (row["closed_at"] is None or day_n(row["closed_at"]) > x.day)
        ]  # fmt: skip
        assert x.open_amount == pytest.approx(sum(row["amount"] for row in is_open), rel=0.02)
        assert x.landmark.observed.sum(0)[0] == sum(
            row["status"] == "won" and day_n(row["closed_at"]) <= x.landmark.ends[0] for row in is_open
        )


def test_an_origin_is_the_forecast_of_its_day(data, origins):
    """Made from the data of that day alone, with what the earlier forecasts of the same day of the month had taught."""
    same = [x for x in origins if x.phase == 10]
    for x, calibrated in ((same[0], False), (same[-1], True)):
        projection = project(fit(data.known_at(day_of(x.day))))
        plain = np.array([w.from_open + w.from_new for w in projection.windows])
        assert (x.expected == pytest.approx(plain, rel=1e-12)) is not calibrated
        assert x.landmark.expected.sum(0) == pytest.approx(projection.deal_p_raw.sum(0))


def test_ranges_are_verified_from_the_fifth_ended_forecast_on(origins):
    """A window is verified where four earlier forecasts of the same day of the month had it end by then."""
    for phase in (0, 10, 20):
        same = [x for x in origins if x.phase == phase]
        for k, x in enumerate(same):
            ended = [sum(y.landmark.ends[w] <= x.day for y in same[:k]) for w in range(3)]
            assert x.verified.tolist() == [n >= 4 for n in ended]
        assert same[-1].verified.all()
        assert not same[0].verified.any()


def test_later_data_change_no_past_forecast(data, origins):
    shorter = data.known_at(day(380))
    for x, y in zip(origins, _by_day(backtest(shorter, MONTHS.calendar), origins), strict=True):
        if y is None:
            continue
        assert x.expected.tolist() == y.expected.tolist()
        assert x.p10.tolist() == y.p10.tolist()
        over = np.isfinite(y.actual)
        assert x.actual[over].tolist() == y.actual[over].tolist()


def _by_day(found, origins):
    held = {x.day: x for x in found}
    assert len(held) > 15
    return [held.get(x.day) for x in origins]


def test_progress_counts_to_the_end(run):
    """Fourteen months at three days; a day without enough wins is passed over."""
    origins, said = run
    done = [n for n, _ in said]
    assert len(said) == len(origins)
    assert done == sorted(set(done))
    assert {total for _, total in said} == {14 * 3}
    assert done[-1] == 2 * 14 + sum(x.phase == 20 for x in origins)


def test_nothing_to_go_by():
    assert backtest(crm([opp(1, 5)], today=2, newest=10, settings=MONTHS), MONTHS.calendar) == []
    young = crm(company()[:60], today=90, settings=MONTHS)
    assert backtest(young, MONTHS.calendar) == []
    found = record(young, fit(young))
    assert found.origins == ()
    assert found.methods == (MODEL,) * 3
    assert found.calibration.scale == (1.0, 1.0, 1.0)


def test_matched_days_are_the_same_day_of_ten_periods():
    model = SimpleNamespace(
        today=day_n(date(2024, 3, 31)),
        calendar=Calendar("month"),
        periods=Calendar("month").after(date(2024, 3, 31), 3),
    )
    # The last day of March is day 30 of its month; shorter months end before it.
    days = [day_of(n) for n in matched_days(model)]
    assert days == [
        date(2023, 5, 31), date(2023, 6, 30), date(2023, 7, 31), date(2023, 8, 31), date(2023, 9, 30), date(2023, 10, 31),
        date(2023, 11, 30), date(2023, 12, 31), date(2024, 1, 31), date(2024, 2, 29),
    ]  # fmt: skip


# --- the record and what follows from it ------------------------------------------------------------------------


def test_a_better_rule_gives_the_mean_and_the_distribution_keeps_its_shape(data, monkeypatch):
    model = fit(data)
    base = record(data, model)
    assert base.methods == (MODEL,) * 3
    monkeypatch.setattr(module, "choose", lambda _: ((MODEL, "last period", MODEL), (NO_BETTER, "why", NO_BETTER)))
    found = record(data, model)
    assert found.methods == (MODEL, "last period", MODEL)
    before, after = project(model, calibration=base.calibration), project(model, calibration=found.calibration)
    march = sum(
        row["amount"] for row in company()
        if row["status"] == "won" and date(2024, 3, 1) <= row["closed_at"] <= date(2024, 3, 31)
    )  # fmt: skip
    assert after.windows[1].from_open + after.windows[1].from_new == pytest.approx(march)
    assert after.windows[0].expected == pytest.approx(before.windows[0].expected)
    shape = [w.to_come.sd / w.to_come.mean for w in (before.windows[1], after.windows[1])]
    assert shape[0] == pytest.approx(shape[1])


def test_a_rule_that_leads_over_few_forecasts_is_judged_on_more_days(data, monkeypatch):
    """Six leading forecasts of six periods: the three days of the same periods are asked for, once."""
    few = many(6, 6, 100.0)
    asked = []

    def more(dataset, calendar, *, periods, final):
        asked.append(periods)
        return [replace(x, day=k + 1) for k, x in enumerate(many(18, 6, 100.0))]

    monkeypatch.setattr(module, "backtest", more)
    model = fit(data)
    table = module._judgement(data, model, few)
    assert len(asked) == 1
    assert table.loc[table["method"] == "rule", "n"].tolist() == [24, 24, 24]
    # Eight are enough by themselves, and where no rule leads nothing is asked.
    module._judgement(data, model, many(8, 8, 100.0))
    module._judgement(data, model, many(6, 6, 119.0))
    assert len(asked) == 1


# --- parts ------------------------------------------------------------------------------------------------------


def window(grid, cumulated, calibration: Calibration | None = None):
    held = Distribution(np.array(grid, dtype=float), np.array(cumulated, dtype=float), 0.0, 0.0)
    return SimpleNamespace(to_come=held, calibration=calibration or neutral(1), index=0)


def test_crps_by_hand():
    """Uniform on 0 to 1: below y = .5 the integral of x^2 is 1/24, above it that of (x - 1)^2 too: 1/12."""
    uniform = window([0, 1], [0, 1])
    assert module._crps(uniform, 0.5) == pytest.approx(1 / 12)
    # At y = 0: the integral of (1 - x)^2 = 1/3; at 2 another 1 for the way from 1 to 2.
    assert module._crps(uniform, 0.0) == pytest.approx(1 / 3)
    assert module._crps(uniform, 2.0) == pytest.approx(1 / 3 + 1)
    assert np.isnan(module._crps(uniform, float("nan")))
    # A sure 0.3 is off by its absolute error.
    assert module._crps(window([0, 0.3, 0.3 + 1e-9], [0, 0, 1]), 0.5) == pytest.approx(0.2)


def test_crps_is_that_of_the_calibrated_levels():
    """All probability moved to the upper half: levels up to .5 become 0, so F = max(0, 2x - 1)."""
    moved = replace(neutral(1), levels=(np.array([0, 0.5, 1.0]),) * 3, shares=(np.array([0, 0.0, 1.0]),) * 3)
    # At y = .75: (2x - 1)^2 from .5 to .75 is 1/48, (2x - 2)^2 from .75 to 1 is 1/48.
    assert module._crps(window([0, 0.5, 1], [0, 0.5, 1], moved), 0.75) == pytest.approx(1 / 24)


def test_crm_probability_of_the_deal_else_of_its_stage():
    opportunities = [
        {"opportunity_id": "1", "created_at": day(0), "stage": "A", "probability": 0.25, "amount": 10},
        {"opportunity_id": "2", "created_at": day(0), "stage": "B", "amount": 10},
        {"opportunity_id": "3", "created_at": day(0), "stage": "C", "amount": 10},
    ]
    stages = [{"stage": "A", "default_probability": 0.9}, {"stage": "B", "default_probability": 0.5}, {"stage": "C"}]
    known = dataset({"opportunities": opportunities, "stages": stages}, newest=day(5))
    found = crm_probability(known, fit(known))
    assert found[:2].tolist() == [0.25, 0.5]
    assert np.isnan(found[2])


def test_history_of_forecasts_in_order(data):
    days = [day_n(date(2023, m, 5)) for m in (9, 10)]
    assert [x.day for x in history_of_forecasts(data, MONTHS.calendar, days)] == days
