"""The ledger: what can be said of a stored prediction on a later day, by hand."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from kpis.answers.ledger import (
    AHEAD,
    NOT_JUDGED,
    OFF,
    ON_TRACK,
    OVER,
    RUNNING,
    TOO_EARLY,
    judge,
    ledger,
    level_of,
    prediction,
)
from kpis.answers.outlook import outlook
from kpis.assumptions import Assumptions
from kpis.charts.ledger import predicted
from kpis.forecast.backtest import record
from kpis.forecast.model import fit
from kpis.intake import read
from kpis.periods import Calendar, day_n
from kpis.store.ledger import LEVELS
from tests.store.made import prediction as made

# Predicted on 20 Jan 2026: 2026Q1 100 (90 to 110), 2026Q2 200 (180 to 220), 2026Q3 300 (270 to 330), each uniform
# between 80 % and 120 % of it.
Q = Calendar("quarter")


def today(day, won=(), currency="USD", expected=None, calendar=Q):
    """An outlook of that day, with deals won on days for amounts, and expected landings by label."""
    days = pd.DataFrame(won, columns=["closed", "amount"])
    days["closed"] = [day_n(x) for x in days["closed"]]
    # The first booking of the data lies before every prediction: what came before it is not covered.
    first = pd.DataFrame({"closed": [day_n(date(2025, 1, 1))], "amount": [1.0]})
    model = SimpleNamespace(
        today=day_n(day), calendar=calendar,
        stints=SimpleNamespace(bookings=pd.concat([first, days[days["closed"] <= day_n(day)]])),
    )  # fmt: skip
    landings = [SimpleNamespace(label=label, expected=value) for label, value in (expected or {}).items()]
    return SimpleNamespace(model=model, currency=currency, landings=landings)


WON = [(date(2026, 1, 10), 10.0), (date(2026, 3, 31), 85.0), (date(2026, 4, 1), 150.0)]


def verdicts(now):
    found = [judge(made(), period, now) for period in made().periods]
    return [(x.phase, x.status, x.now) for x in found]


def test_before_there_are_later_data_it_is_too_early():
    assert verdicts(today(date(2026, 1, 20), WON, expected={"2026Q1": 500.0})) == [
        (RUNNING, TOO_EARLY, None), (AHEAD, TOO_EARLY, None), (AHEAD, TOO_EARLY, None),
    ]  # fmt: skip


def test_a_running_period_is_held_against_today_s_expectation():
    now = today(date(2026, 2, 20), WON, expected={"2026Q1": 110.0, "2026Q2": 221.0, "2026Q3": 1.0})
    assert verdicts(now) == [(RUNNING, ON_TRACK, 110.0), (AHEAD, TOO_EARLY, 221.0), (AHEAD, TOO_EARLY, 1.0)]
    off = judge(made(), made().periods[0], today(date(2026, 2, 20), WON, expected={"2026Q1": 111.0}))
    assert (off.status, off.why) == (OFF, "expected now, above the range")


def test_a_period_that_is_over_is_held_against_what_came():
    # By 30 June 2026Q1 brought 10 + 85 = 95, within 90 to 110; 2026Q2 brought 150, below 180.
    now = today(date(2026, 6, 30), WON, expected={"2026Q2": 200.0, "2026Q3": 300.0})
    assert verdicts(now) == [(OVER, ON_TRACK, 95.0), (OVER, OFF, 150.0), (AHEAD, TOO_EARLY, 300.0)]
    assert judge(made(), made().periods[1], now).why == "came, below the range"
    # On the last day of a period it is over; on the day before it is not.
    assert verdicts(today(date(2026, 3, 31), WON))[0] == (OVER, ON_TRACK, 95.0)
    assert verdicts(today(date(2026, 3, 30), WON))[0] == (RUNNING, NOT_JUDGED, None)


def test_what_cannot_be_compared_is_not_judged():
    in_euro = judge(made(), made().periods[0], today(date(2026, 6, 30), WON, currency="EUR"))
    assert (in_euro.status, in_euro.why) == (NOT_JUDGED, "made in USD, the data are in EUR")
    in_months = judge(made(), made().periods[0], today(date(2026, 2, 20), WON, expected={"2026-02": 5.0}))
    assert (in_months.status, in_months.why) == (NOT_JUDGED, "made in quarters; choose them in the sidebar")
    short = today(date(2026, 6, 30))
    short.model.stints.bookings = pd.DataFrame({"closed": [day_n(date(2026, 2, 1))], "amount": [1.0]})
    assert judge(made(), made().periods[0], short).why == "the data do not cover the whole period"


def test_the_level_at_which_an_amount_fell():
    period = made().periods[0]  # uniform from 80 to 120
    assert [level_of(period, x) for x in (90, 100, 110)] == pytest.approx([0.25, 0.5, 0.75])
    assert (level_of(period, 79.0), level_of(period, 121.0)) == (0.0, 1.0)
    # Half of the probability lies on 80: an outcome of 80 counts as the middle of it.
    period.quantiles = [80.0 if level <= 0.5 else 80 + 80 * (level - 0.5) for level in LEVELS]
    assert level_of(period, 80.0) == pytest.approx(np.mean([x for x in LEVELS if x <= 0.5]))
    assert level_of(period, 100.0) == pytest.approx(0.75)


def test_the_record_of_what_was_stored():
    predictions = [made(), made(name="1 lever moved", levers=1)]
    for number, each in enumerate(predictions, 1):
        each.id, each.saved_by = number, "ana"
    now = today(date(2026, 7, 20), [*WON, (date(2026, 6, 1), 60.0)], expected={"2026Q3": 400.0})
    answer = ledger(predictions, now, scenarios=2)
    # 2026Q1 95 and 2026Q2 150 + 60 = 210 came in their ranges; 2026Q3 is expected at 400, above 330.
    assert list(answer.tables["predictions"]["status"]) == [ON_TRACK, ON_TRACK, OFF] * 2
    assert list(answer.tables["predictions"]["difference"]) == [-5.0, 10.0, 100.0] * 2
    assert (
        answer.sentence == "2 forecasts saved, by period: 4 on track, 2 off. The 80 % range held 2 of 2 that are over."
    )
    # Only those without a moved lever are the method's own record: 95 fell at (95 - 80) / 40, 210 at (210 - 160) / 80.
    outcomes = answer.tables["outcomes"]
    assert list(outcomes["level"]) == pytest.approx([0.375, 0.625])
    assert answer.numbers["range_held"].value == 1.0
    ranges = answer.tables["ranges"].set_index("level")["share"]
    assert [ranges[level] for level in (0.3, 0.4, 0.6, 0.7)] == [0.0, 0.5, 0.5, 1.0]
    loop = answer.tables["loop"].set_index("step")
    assert list(loop["done"]) == [True, True, True, True, False]
    assert loop.loc["Monitor", "state"] == "4 on track, 2 off"
    assert loop.loc["Analyse", "since"] == date(2026, 1, 20)
    held = answer.document["range_held"]
    assert (held["held"], held["n"]) == (2, 2)
    assert held["low"] == pytest.approx(2 / (2 + 1.959963984540054**2))  # Wilson, all of n: n / (n + z²)
    chart = predicted(answer.tables["predictions"], "$").to_dict()
    assert next(iter(chart["datasets"].values()))[3]["prediction"] == "2026Q1, as of 20 Jan 2026 1 lever moved"


def test_without_a_prediction_it_says_what_to_do():
    answer = ledger([], today(date(2026, 7, 20)))
    assert answer.sentence.startswith("No forecast is saved yet")
    assert answer.numbers["range_held"].value is None
    assert answer.numbers["range_held"].reason
    assert not answer.tables["loop"]["done"].any()
    assert answer.document["predictions"] == []


def test_a_stored_forecast_is_the_forecast(sample_data):
    data = read(sorted(sample_data.glob("*.csv"))).dataset
    model = fit(data)
    found = outlook(data, model, Assumptions(new_opportunities=1.5), record(data, model))
    stored = prediction(found)
    assert (stored.made_on, stored.levers, stored.name) == (data.newest, 1, "1 lever moved")
    assert stored.fingerprint == data.fingerprint
    for period, landing, window in zip(stored.periods, found.landings, found.projection.windows, strict=True):
        assert (period.label, period.expected, period.target) == (landing.label, landing.expected, landing.target)
        assert (period.starts, period.ends) == (window.period.start, window.period.end)
        assert period.quantiles == sorted(period.quantiles)
        assert [period.quantiles[LEVELS.index(q)] for q in (0.1, 0.5, 0.9)] == [landing.p10, landing.p50, landing.p90]
        # What is stored is enough to find an amount's probability again.
        for level in (0.05, 0.33, 0.5, 0.8):
            assert level_of(period, window.quantile(level)) == pytest.approx(level, abs=0.006)
    named = prediction(found.under(Assumptions(name="Hire", new_opportunities=1.5)))
    assert named.name == "Hire"
