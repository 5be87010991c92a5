"""The pipeline of this period and the next two, on a history small enough to follow by hand."""

from __future__ import annotations

import pytest

from kpis.demo import END as DEMO_END
from kpis.demo import generate
from kpis.forecast.model import fit
from kpis.measures.core.behind import rows_behind
from kpis.measures.core.forecast_view import ForecastView, PeriodView
from tests.build import dataset
from tests.measures.look import Look, data, day
from tests.measures.test_sales import deal

TODAY = day("02-14")  # day 45 of 2026Q1; the same day of 2025Q4 is 14 November

STAGES = [
    {"stage": "New", "position": 1, "is_qualified": 0},
    {"stage": "Demo", "position": 2, "is_qualified": 1, "default_probability": 0.4},
]


def state(number: int, when: str, stage: str, amount: float, close: str):
    return {
        "opportunity_id": f"o{number}",
        "changed_at": day(when),
        "stage": stage,
        "amount": amount,
        "expected_close": day(close),
    }


# 2025Q4, as of 14 November: o1 100 and o2 300 expected in it (o1 is won, o2 is pushed and lost), o3 not qualified yet.
# On day one of it (1 October): o1 (100) expected in it, o4 200 expected in 2026Q1 but won in November: pulled in.
HISTORY = [
    state(1, "2025-09-15", "Demo", 100.0, "2025-12-15"),
    state(2, "2025-10-10", "Demo", 300.0, "2025-12-20"),
    state(2, "2025-12-19", "Demo", 300.0, "2026-01-20"),
    state(3, "2025-10-10", "New", 900.0, "2025-12-20"),
    state(3, "2026-01-10", "Demo", 900.0, "2026-03-20"),
    state(4, "2025-09-20", "Demo", 200.0, "2026-02-01"),
    state(5, "2026-01-05", "Demo", 400.0, "2026-02-01"),
    state(6, "2026-01-05", "Demo", 700.0, "2026-05-01"),
    state(7, "2026-01-05", "Demo", 50.0, "2026-08-01"),
]
DEALS = [
    deal(1, "2025-09-15", "2025-12-10", "won", 100.0, stage="Demo"),
    deal(2, "2025-10-10", "2026-01-15", "lost", 300.0, stage="Demo"),
    deal(
        3,
        "2025-10-10",
        amount=900.0,
        stage="Demo",
        expected_close=day("03-20"),
        push_count=2,
        last_activity_at=day("02-10"),
    ),
    deal(4, "2025-09-20", "2025-11-20", "won", 200.0, stage="Demo"),
    deal(
        5,
        "2026-01-05",
        amount=400.0,
        stage="Demo",
        expected_close=day("02-01"),
        push_count=0,
        last_activity_at=day("01-06"),
    ),
    deal(6, "2026-01-05", amount=700.0, stage="Demo", expected_close=day("05-01"), next_step="Call", push_count=0),
    deal(7, "2026-01-05", amount=50.0, stage="Demo", expected_close=day("08-01"), push_count=0),
]
TARGETS = [
    {"period": day(first), "scope": "company", "metric": "bookings", "value": value}
    for first, value in (("2025-10-01", 500.0), ("2026-01-01", 1000.0), ("2026-04-01", 800.0), ("2026-07-01", 600.0))
]
TABLES = {"opportunities": DEALS, "opportunity_history": HISTORY, "stages": STAGES, "targets": TARGETS}


def look(name: str, **more) -> Look:
    return Look(data(TABLES, newest=TODAY), name, **more)


def test_open_qualified_of_this_period_and_of_the_same_day_before():
    health = look("current_period_health")
    assert health("open_qualified") == 1300.0  # o3 900 and o5 400; o6, o7 later
    assert health("open_qualified", what="n") == 2
    # 14 November: o1 100, o2 300; o3 was not qualified, o4 (still open) was expected in February.
    assert health("open_qualified", back=1) == 400.0


def test_to_go_coverage():
    health = look("current_period_health")
    assert health("to_go_coverage") == pytest.approx(1300 / 1000)  # nothing won yet
    assert health("to_go_coverage", back=1) == pytest.approx(400 / 500)  # o4 was won on 20 November, after the 14th


def test_target_met_is_never_a_ratio():
    tables = {**TABLES, "opportunities": [*DEALS, deal(9, "2026-01-01", "2026-01-02", "won", 1000.0)]}
    health = Look(data(tables, newest=TODAY), "current_period_health")
    assert health.missing("to_go_coverage") == "target met"


def test_required_coverage_is_what_became_of_such_pipeline():
    health = look("current_period_health")
    # Of the 400 open on 14 November, 100 was won by the end of 2025Q4; 2025Q3 had none on its day 45.
    assert health("required_coverage") == pytest.approx(400 / 100)


def test_health_parts_of_todays_deals():
    health = look("current_period_health")
    assert health("past_due") == pytest.approx(1 / 2)  # o5
    assert health("pushed_twice_or_more") == pytest.approx(1 / 2)  # o3
    assert health("with_next_step_or_activity") == pytest.approx(1 / 2)  # o3: 10 February is within 14 days
    assert health("top_three_share") == 1.0
    # Winners: o1 86 days in Demo, o4 61: 80 % of them took at most 86. Open: 35 and 40 days: none is older.
    assert health("older_in_stage_than_winners") == 0.0


def test_the_forecast_is_handed_in():
    forecast = ForecastView(
        periods=(PeriodView("2026Q1", expected=990.0, p_hit=0.4, from_open=800.0),), funnel_value=77.0
    )
    assert look("current_period_health", forecast=forecast)("expected_landing") == 990.0
    assert look("current_period_health", forecast=forecast)("p_hit") == 0.4
    assert look("funnel_value", forecast=forecast)("by_forecast") == 77.0
    assert look("current_period_health").missing("p_hit") == "needs the forecast"


def test_next_two_periods():
    ahead = look("next_two_periods_coverage")
    assert ahead("open_next_1") == 700.0
    assert ahead("open_next_2") == 50.0
    assert ahead("open_next_two") == 750.0
    assert ahead("coverage_next_1") == pytest.approx(700 / 800)
    assert ahead("coverage_next_2") == pytest.approx(50 / 600)
    assert ahead("open_next_1", back=1) == 200.0  # o4 on 14 November


def test_required_pipeline_from_own_history():
    ahead = look("next_two_periods_coverage")
    # 2025Q4 is the only whole period whose first day is known (2025Q3 began before the history):
    # on its day one 100 (o1) was expected in it and all of it was won: c = 1. Pulled in: o4, 200.
    # Won in 2025Q4: 300, so created and closed: 300 - 100 - 200 = 0. Next period: (800 - 0 - 200) / 1.
    assert ahead("required_on_day_one_next_1") == pytest.approx(600.0)
    # Pacing: on 14 November 200 stood for 2026Q1; on its first day o2 (300), and o4 was won: 200/300.
    assert ahead("pacing_target_next_1") == pytest.approx(600 * 200 / 300)
    assert ahead("gap_next_1") == 0.0
    # 60 days on: 15 April; 90 days on: 15 May.
    assert ahead("open_within_60_days") == 900.0
    assert ahead("open_within_90_days") == 1600.0


def test_a_gap_becomes_opportunities():
    short = {**TABLES, "opportunities": [row for row in DEALS if row["opportunity_id"] != "o6"]}
    ahead = Look(data(short, newest=TODAY), "next_two_periods_coverage")
    assert ahead("gap_next_1") == pytest.approx(400.0)
    # Qualified in 2026Q1: o3 900, o5 400, o7 50: 450 on average.
    assert ahead("opportunities_needed_next_1") == pytest.approx(400 / 450)
    assert ahead.missing("MQLs_needed_next_1") == "needs table leads"


def test_past_pipeline_without_history_is_unknown():
    health = Look(data({"opportunities": DEALS}, newest=TODAY), "current_period_health")
    assert health("open_qualified") == 1300.0
    assert health.missing("open_qualified", back=1) == "the state of a past day is unknown without a history"


def test_new_qualified_opportunities():
    fresh = look("new_qualified_opportunities")
    assert fresh("opportunities") == 4  # o3 on 10 January, o5, o6, o7 on 5 January
    assert fresh("amount") == 2050.0
    assert fresh("opportunities", back=1) == 1  # o2; o1 and o4 in 2025Q3
    assert fresh("by_close_month_now", group="2 months on") == 1  # o3: January to March
    assert fresh("by_close_month_now", group="4 and more") == 2  # o6, o7
    assert fresh("by_close_month_first_set", group="same month") == 1  # o3 was first set to December


def test_pace_index():
    targets = [{"period": day("01-01"), "scope": "company", "metric": "new_opps", "value": 8.0}]
    past = [
        deal(k, created)
        for k, created in ((11, "2025-10-01"), (12, "2025-10-31"), (13, "2025-12-01"), (14, "2025-12-31"))
    ]
    now = [deal(21, "01-02"), deal(22, "02-02"), deal(23, "02-03")]
    fresh = Look(data({"opportunities": past + now, "targets": targets}, newest=TODAY), "new_qualified_opportunities")
    # 14 February is working day 32 of the quarter; two of the four of 2025Q4 had come by its day 32 (13 November).
    assert fresh("expected_by_now") == pytest.approx(8 * 2 / 4)
    assert fresh("pace_index") == pytest.approx(3 / 4)


def test_a_deal_in_a_stage_without_history_takes_the_ratio_of_all():
    stages = [*STAGES, {"stage": "Trial", "position": 3, "is_qualified": 1}]
    on_trial = deal(8, "2026-01-05", amount=150.0, expected_close=day("03-20"), stage="Trial")
    worth = Look(data({**TABLES, "stages": stages, "opportunities": [*DEALS, on_trial]}, newest=TODAY), "funnel_value")
    # As below, and o8 (150) at the ratio of all visits, which has the visit of o3 to New at risk as well (127 days,
    # open): on day 61 1/4, on day 86 3/4 x 1/3: 1/2.
    assert worth("by_own_close_ratios") == pytest.approx(2050 * 2 / 3 + 150 * 1 / 2)


def test_funnel_value_by_own_close_ratios():
    worth = look("funnel_value")
    # Entered Demo: o1, o4 won, o2 lost, o3, o5, o6, o7 open for 35 or 40 days. Won after 86 and 61 days, lost after 97.
    # At risk on day 61: o1, o2, o4: F = 1/3; on day 86: o1, o2: F = 1/3 + 2/3 x 1/2 = 2/3.
    assert worth("open_amount") == 2050.0
    assert worth("by_own_close_ratios") == pytest.approx(2050 * 2 / 3)
    assert worth("by_stage_probability") == pytest.approx(2050 * 0.4)
    assert worth.missing("by_forecast") == "needs the forecast"


@pytest.mark.parametrize("seed", [1, 2])
def test_open_qualified_deals_are_those_of_the_forecast(seed):
    """One definition: an open deal in a stage flagged qualified, with its last known amount and expected close."""
    known = dataset(generate(opportunities=300, years=3.0, seed=seed, dirt=False).tables, newest=DEMO_END)
    model = fit(known)
    health = Look(known, "current_period_health")
    ahead = Look(known, "next_two_periods_coverage")
    counted = [health(), ahead("open_next_1"), ahead("open_next_2")]
    assert counted == pytest.approx([due.amount for due in model.due])
    assert health(what="n") == len(model.due[0].deals)
    funnel = Look(known, "funnel_value")
    assert funnel("open_amount") == pytest.approx(model.open_amount[model.qualified].sum())
    rows = rows_behind(known, "funnel_value", "open_amount")
    ids = model.stints.deals["opportunity_id"].to_numpy()[model.open_deals.row[model.qualified]]
    assert set(rows["opportunity_id"]) == set(ids)


def test_a_deal_that_moved_back_before_qualified_stages_is_no_pipeline():
    stages = [
        {"stage": "Talk", "position": 1, "is_qualified": 0},
        {"stage": "Offer", "position": 2, "is_qualified": 1},
    ]
    deals = [deal(k, "01-01", stage=stage, expected_close=day("03-31")) for k, stage in ((1, "Offer"), (2, "Talk"))]
    moves = [("o1", "01-01", "Offer"), ("o2", "01-01", "Offer"), ("o2", "02-01", "Talk")]
    history = [
        {"opportunity_id": o, "changed_at": day(when), "stage": stage, "amount": 100.0, "expected_close": day("03-31")}
        for o, when, stage in moves
    ]
    known = data({"opportunities": deals, "opportunity_history": history, "stages": stages})
    assert Look(known, "current_period_health")() == 100.0
    # It qualified once all the same.
    assert Look(known, "new_qualified_opportunities")() == 2
