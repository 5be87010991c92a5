"""Control charts against hand-worked limits, statsmodels-free arithmetic and simulated processes in control."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from kpis.answers.monitor import monitor
from kpis.measures.core.control import FEWEST, chart, false_alarm, seasonal_factors
from kpis.measures.core.watch import ALARMS
from kpis.settings import Settings
from tests.build import dataset
from tests.measures.look import data, day
from tests.measures.test_sales import deal


def drawn(kind, value, size=None, *, a_year=1, usable=None):
    value = np.asarray(value, dtype=float)
    size = np.ones(len(value)) if size is None else np.asarray(size, dtype=float)
    usable = np.ones(len(value), bool) if usable is None else usable
    return chart(kind, value, size, usable, np.arange(len(value)) % a_year, a_year)


def test_xmr_limits_are_the_textbooks():
    # Eight periods 10, 12, ..., moving ranges 2, 2, ..., 2: limits 11 ± 3 x 2/1.128 = 11 ± 5.319 (2.66 x mean range).
    found = drawn("XmR", [10, 12, 10, 12, 10, 12, 10, 12, 17])
    assert found.centre == pytest.approx(np.full(9, 11.0))
    assert found.high[-1] == pytest.approx(11 + 2.6596 * 2, abs=1e-3)
    assert found.low[-1] == pytest.approx(11 - 2.6596 * 2, abs=1e-3)
    assert (found.verdict, found.judged) == ("spike", 8)
    assert drawn("XmR", [10, 12, 10, 12, 10, 12, 10, 12, 16]).verdict == "in control"
    assert drawn("XmR", [10, 12, 10, 12, 10, 12, 10, 12, 5]).verdict == "dip"


def test_p_limits_go_with_the_size_of_each_period():
    # p = 0.5 in eight periods of 100: 0.5 ± 3 sqrt(0.25/n), n = 25 in the judged one: 0.5 ± 0.3.
    share = [0.48, 0.52] * 4
    found = drawn("p", [*share, 0.85], [100] * 8 + [25])
    assert found.centre[-1] == pytest.approx(0.5)
    assert (found.low[-1], found.high[-1]) == (pytest.approx(0.2), pytest.approx(0.8))
    assert found.low[0] == pytest.approx(0.5 - 3 * np.sqrt(0.25 / 100))
    assert found.verdict == "spike"
    assert drawn("p", [*share, 0.75], [100] * 8 + [25]).verdict == "in control"


def test_p_limits_widen_where_periods_vary_more_than_chance():
    # 10,000 a period: chance alone makes 0.5 ± 0.015, but the periods go from 0.45 to 0.55 (Laney's p').
    found = drawn("p", [0.45, 0.55] * 4 + [0.57], [10_000] * 9)
    # Mean moving range in units of 0.005 is 20: sigma 20/1.128 x 0.005.
    assert found.high[-1] == pytest.approx(0.5 + 3 * 0.1 / 1.128)
    assert found.verdict == "in control"


def test_u_limits_are_per_unit_of_opportunity():
    # 4 and 6 a day in periods of 50 days: centre 5, limits for a period of 20 days 5 ± 3 sqrt(5/20) x spread.
    found = drawn("u", [4.9, 5.1] * 4 + [7.0], [50] * 8 + [20])
    assert found.centre[-1] == pytest.approx(5.0)
    assert found.high[-1] == pytest.approx(5 + 3 * np.sqrt(5 / 20))  # they vary less than chance: its limits hold
    assert found.verdict == "spike"


def test_eight_on_one_side_are_a_shift():
    before = [10, 12, 10, 12, 10, 12, 10, 12]
    assert drawn("XmR", [*before, *[11.9] * 8]).verdict == "shift"
    assert drawn("XmR", [*before, *[11.9] * 3]).verdict == "in control"


def test_too_few_periods_or_no_movement_cannot_be_told():
    short = drawn("XmR", range(FEWEST))
    assert short.verdict == "cannot tell"
    assert "needs 8 periods" in short.reason
    assert drawn("XmR", [5.0] * 12).reason == "it has not moved"


def test_a_season_that_repeats_is_no_alarm():
    rng = np.random.default_rng(3)
    year = np.array([60.0, 80.0, 100.0, 160.0])
    value = np.concatenate([year + rng.normal(0, 1, 4) for _ in range(3)])
    # The fourth quarter is high every year: without the season it is far out.
    found = drawn("XmR", value, a_year=4)
    assert found.seasonal
    assert found.verdict == "in control"
    assert found.high[-1] > value[-1] > found.high[-2]
    factors = seasonal_factors(value, np.arange(11), np.arange(12) % 4, 4)
    assert factors[:4] == pytest.approx(year / year.mean(), rel=0.05)
    # One year tells no season.
    assert (seasonal_factors(value, np.arange(4), np.arange(12) % 4, 4) == 1).all()


@pytest.mark.parametrize("periods", [8, 12, 24])
def test_the_stated_rate_of_false_alarms_is_what_a_process_in_control_gives(periods):
    rng = np.random.default_rng(5)
    runs = 1_500
    value = rng.normal(100, 10, (runs, periods + 1))
    # Without the season's test, whose own chance is part of the procedure and not of the limits.
    alarms = sum(drawn("XmR", row).verdict in ALARMS for row in value)
    low, high = stats.binom.interval(0.999, runs, false_alarm(periods))
    # The run rule's part is an upper bound: the centre follows a run.
    assert low - 2 * 0.5**8 * runs < alarms < high


def company(last: float):
    """Nine quarters: 30 deals close a quarter; the win rate is 0.5 by turns of segments, and ``last`` for SMB at the end."""
    deals = []
    for q in range(10):
        start = np.datetime64("2023-10") + np.timedelta64(3 * q, "M")
        for k in range(40):
            segment = "SMB" if k % 2 else "Enterprise"
            usual = (k // 2) % 2 == (q % 2 if k < 4 else 0)
            won = usual if q < 9 or segment == "Enterprise" else k // 2 < last * 20
            closed = str(start.astype("datetime64[D]") + 5)
            deals.append(
                deal(
                    100 * q + k,
                    str(start.astype("datetime64[D]")),
                    closed,
                    "won" if won else "lost",
                    100.0 + 5 * (q % 3),
                    segment=segment,
                )
            )
    return data({"opportunities": deals}, newest=day("2026-03-31"))


def test_monitor_names_the_alarm_and_the_group_behind_it():
    answer = monitor(company(0.0), ["win_rate"])
    row = answer.tables["verdicts"].iloc[0]
    assert row["verdict"] == "dip"
    assert (row["cause_by"], row["cause_group"]) == ("segment", "SMB")
    assert row["cause_share"] == pytest.approx(1.0, abs=0.2)
    assert "SMB" in answer.sentence
    assert "2026Q1" in answer.sentence
    assert answer.document["false_alarms_expected"] == pytest.approx(row["false_alarm"])
    quiet = monitor(company(0.5), ["win_rate"])
    assert quiet.tables["verdicts"]["verdict"].iloc[0] == "in control"
    assert quiet.sentence.startswith("None of 1 measure left")


def test_a_running_total_is_not_judged_and_a_young_company_cannot_tell():
    answer = monitor(company(0.5), ["won_revenue", "avg_deal_size"])
    verdicts = answer.tables["verdicts"].set_index("measure")
    assert verdicts.loc["won_revenue", "period"] == "2026Q1"  # the newest day is its last
    young = dataset({"opportunities": [deal(1, "01-01", "02-01", "won")]}, newest=day("03-31"), settings=Settings())
    assert monitor(young, ["won_revenue"]).sentence == "No measure has enough periods to be judged yet."
