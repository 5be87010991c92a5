"""Win rates, revenue, cycle and velocity on hand-worked deals."""

from __future__ import annotations

import pytest

from tests.measures.look import Look, data, day


def deal(number: int, created: str, closed: str | None = None, status: str = "open", amount: float = 100.0, **more):
    return {
        "opportunity_id": f"o{number}",
        "account_id": f"a{number}",
        "created_at": day(created),
        "closed_at": day(closed) if closed else None,
        "status": status,
        "amount": amount,
        **more,
    }


# 2026Q1 closes: o1 won 100, o2 won 300, o3 lost 200, o4 lost 400 with no decision; o5 open 500. 2025Q4: o0 won 250.
DEALS = [
    deal(0, "2025-10-01", "2025-12-31", "won", 250.0, segment="SMB"),
    deal(1, "2025-12-01", "01-10", "won", 100.0, segment="SMB"),
    deal(2, "01-01", "03-02", "won", 300.0, segment="Enterprise"),
    deal(3, "01-05", "02-04", "lost", 200.0, lost_reason="Price", segment="SMB"),
    deal(4, "01-05", "03-06", "lost", 400.0, lost_reason="No decision", segment="Enterprise"),
    deal(5, "02-01", amount=500.0, segment="SMB"),
]


def test_win_rate_in_its_four_conventions():
    look = Look({"opportunities": DEALS}, "win_rate")
    assert look("win_rate") == pytest.approx(2 / 3)  # o1, o2 of o1, o2, o3
    assert look("by_amount") == pytest.approx(400 / 600)  # 100 + 300 of 100 + 300 + 200
    assert look("broad") == pytest.approx(2 / 4)  # with o4
    # Created in Q1: o2 (won on day 60), o3 (lost on day 30), o4 (lost on day 60), o5 (open, seen for 58 days).
    # At risk: day 30: all four, one leaves, S = 3/4. On day 60 o2 and o4 are left: half of them arrive.
    # Of all cohorts together o0 (won on day 91) and o1 (won on day 40) are no help before day 60: F = 3/4 x 1/2.
    # After day 60 nobody of the cohort is left, so the rest of S stays 0.
    assert look("created_cohort") == pytest.approx(0.375)
    assert look("created_cohort", what="raw") == pytest.approx(1 / 4)
    assert look("created_cohort", what="matured") == pytest.approx(3 / 4)
    assert look("win_rate", what="n") == 3
    assert look.status == "low sample"


def test_win_rate_by_segment():
    look = Look({"opportunities": DEALS}, "win_rate", by="segment")
    assert look("win_rate", group="SMB") == pytest.approx(1 / 2)  # o1 of o1, o3
    assert look("win_rate", group="Enterprise") == pytest.approx(1.0)  # o2; o4 decided nothing
    assert look("win_rate", group="SMB", back=1) == pytest.approx(1.0)  # o0


def test_win_rate_counts_from_the_qualified_stage():
    stages = [{"stage": "New", "position": 1, "is_qualified": 0}, {"stage": "Demo", "position": 2, "is_qualified": 1}]
    history = [
        {"opportunity_id": "o2", "changed_at": day("01-01"), "stage": "New"},
        {"opportunity_id": "o2", "changed_at": day("01-20"), "stage": "Demo"},
        {"opportunity_id": "o3", "changed_at": day("01-05"), "stage": "New"},
        {"opportunity_id": "o1", "changed_at": day("2025-12-01"), "stage": "Demo"},
    ]
    look = Look({"opportunities": DEALS, "stages": stages, "opportunity_history": history}, "win_rate")
    # o3 was lost without ever being qualified; o4 has no history, so it counts: but it decided nothing.
    assert look("win_rate") == pytest.approx(2 / 2)
    assert look("broad") == pytest.approx(2 / 3)


def test_nothing_decided_is_not_zero():
    look = Look({"opportunities": [deal(1, "2025-10-01", "2025-11-01", "won")]}, "win_rate")
    assert look.missing("win_rate") == "nothing was won or lost in this period"


def test_won_revenue_and_its_sources():
    leads = [
        {"lead_id": "l1", "created_at": day("2025-11-01"), "source_group": "marketing", "channel": "Email"},
        {"lead_id": "l2", "created_at": day("2025-11-01"), "source_group": "sales", "channel": "Outbound"},
    ]
    events = [{"asset_id": "c", "opportunity_id": "o2", "event": "view", "occurred_at": day("03-02")}]
    deals = [{**row, "lead_id": {"o1": "l1", "o2": "l2"}.get(row["opportunity_id"])} for row in DEALS]
    look = Look({"opportunities": deals, "leads": leads, "content_events": events}, "won_revenue")
    assert look("won_revenue") == 400.0
    assert look("won_revenue", back=1) == 250.0
    assert look("deals_won") == 2
    assert look("marketing_sourced") == 100.0
    assert look("marketing_sourced_share") == pytest.approx(100 / 400)
    assert look("marketing_influenced") == 300.0  # o2 was touched on the day it closed
    assert look("revenue_by_channel", group="Outbound") == 300.0
    assert look("customers_by_channel", group="Email") == 1


def test_one_origin_a_deal_even_if_two_leads_name_it():
    leads = [
        {"lead_id": name, "created_at": day("2025-11-01"), "source_group": "marketing", "opportunity_id": "o2"}
        for name in ("l1", "l2")
    ]
    look = Look({"opportunities": DEALS, "leads": leads}, "won_revenue")
    assert look("marketing_sourced") == 300.0
    assert look("won_revenue") == 400.0


def test_growth_is_against_the_period_before_and_per_working_day():
    look = Look({"opportunities": DEALS}, "won_revenue_growth")
    assert look("growth") == pytest.approx(400 / 250 - 1)
    # Working days: 66 in 2025Q4, 64 in 2026Q1.
    assert look("growth_per_working_day") == pytest.approx((400 / 64) / (250 / 66) - 1)
    assert look.missing("growth_on_a_year_ago")


def test_growth_of_an_unfinished_period_is_not_told():
    look = Look(data({"opportunities": DEALS[:2]}, newest=day("02-14")), "won_revenue_growth")
    assert look.missing("growth") == "the period is not over"
    # 32 working days from 1 January to 14 February.
    assert look("growth_per_working_day") == pytest.approx((100 / 32) / (250 / 66) - 1)


def test_average_deal_size():
    look = Look({"opportunities": [*DEALS, deal(6, "01-01", "03-03", "won", 800.0)]}, "avg_deal_size")
    assert look("mean") == pytest.approx(400.0)  # (100 + 300 + 800) / 3
    assert look("median") == 300.0


def test_concessions():
    deals = [
        deal(1, "01-01", "02-01", "won", 900.0, list_amount=1000.0, discount_amount=100.0, incentive_cost=20.0),
        deal(2, "01-01", "02-01", "won", 20_000.0, list_amount=20_000.0, other_deal_cost=480.0),
        deal(3, "01-01", "02-01", "lost", 900.0, list_amount=1000.0, discount_amount=500.0),
    ]
    targets = [{"period": day("01-01"), "scope": "company", "metric": "concession_rate", "value": 0.02}]
    look = Look({"opportunities": deals, "targets": targets}, "concession_cost")
    assert look("cost_per_win") == pytest.approx((120 + 480) / 2)
    assert look("concession_rate") == pytest.approx(600 / 21_000)
    assert look("rate_less_target") == pytest.approx(600 / 21_000 - 0.02)
    assert look("cost_per_win_by_size", group="1: below 1,000") == 120.0
    assert look("cost_per_win_by_size", group="3: 10,000 and more") == 480.0


def test_growth_against_plan():
    deals = [deal(1, "2024-12-01", "2025-02-01", "won", 200.0), deal(2, "01-01", "02-01", "won", 300.0)]
    months = [{"period": day(f"0{m}-01"), "scope": "company", "metric": "bookings", "value": 80.0} for m in (1, 2, 3)]
    other = [{"period": day("01-01"), "scope": "EMEA", "metric": "bookings", "value": 999.0}]
    look = Look({"opportunities": deals, "targets": months + other}, "growth_vs_plan")
    assert look("actual_growth") == pytest.approx(300 / 200 - 1)
    assert look("planned_growth") == pytest.approx(240 / 200 - 1)
    assert look("variance") == pytest.approx(0.5 - 0.2)
    assert look("attainment") == pytest.approx(300 / 240)
    assert look("alarm") == 0


def test_alarm_when_attainment_lags_behind_the_days_gone():
    months = [{"period": day(f"0{m}-01"), "scope": "company", "metric": "bookings", "value": 100.0} for m in (1, 2, 3)]
    deals = [deal(1, "2024-12-01", "2025-02-01", "won", 200.0), deal(2, "01-01", "02-01", "won", 150.0)]
    # 150 of 300 on 16 March, when 53 of 64 working days are gone.
    look = Look(data({"opportunities": deals, "targets": months}, newest=day("03-16")), "growth_vs_plan")
    assert look("attainment") == pytest.approx(0.5)
    assert look("alarm") == 1


def test_targets_by_quarter_are_no_targets_by_month():
    targets = [{"period": day(d), "metric": "bookings", "value": 300.0} for d in ("2025-10-01", "01-01")]
    look = Look(data({"opportunities": DEALS, "targets": targets}, grain="month"), "growth_vs_plan")
    assert look.missing("attainment") == "needs a target for bookings in this period"


def test_settings_give_targets_by_label():
    look = Look(
        data(
            {"opportunities": DEALS, "targets": [{"period": day("01-01"), "metric": "x", "value": 1}]},
            targets={"2026Q1": 500.0},
        ),
        "growth_vs_plan",
    )
    assert look("attainment") == pytest.approx(400 / 500)


def test_sales_cycle():
    deals = [*DEALS, deal(6, "01-01", "01-11", "won")]
    look = Look({"opportunities": deals}, "sales_cycle_days")
    # Won in Q1: o1 40 days, o2 60 days, o6 10 days. Lost: o3 30, o4 60.
    assert look("median") == 40
    assert look("mean") == pytest.approx(110 / 3)
    assert look("median_of_lost") == 45
    assert look.missing("median_by_stage") == "needs table opportunity_history"


def test_days_in_stage_count_open_visits_as_censored():
    history = [{"opportunity_id": f"o{k}", "changed_at": day("01-01"), "stage": "Demo"} for k in range(1, 5)] + [
        {"opportunity_id": "o1", "changed_at": day("01-11"), "stage": "Offer"}
    ]
    deals = [
        deal(1, "01-01", "01-31", "won"),
        deal(2, "01-01", "01-21", "lost"),
        deal(3, "01-01", "03-02", "lost"),
        deal(4, "01-01"),
    ]
    look = Look({"opportunities": deals, "opportunity_history": history}, "sales_cycle_days")
    # Demo: left after 10, 20, 60 days, one still there after 89: a quarter, then half has left by day 20.
    assert look("median_by_stage", group="Demo") == 20
    assert look("median_by_stage", group="Offer", back=0) == 20


def test_lead_to_close():
    leads = [{"lead_id": f"l{k}", "created_at": day("2025-11-01")} for k in (1, 2)]
    deals = [
        deal(1, "2025-12-01", "01-10", "won", lead_id="l1", type="new"),
        deal(2, "2025-12-01", "02-09", "won", lead_id="l2", type="new"),
        deal(3, "2025-12-01", "03-09", "won", lead_id="l2", type="renewal"),
    ]
    look = Look({"opportunities": deals, "leads": leads}, "lead_to_close_days")
    # 1 November to 10 January is 70 days, to 9 February 100 days; the renewal is no new business.
    assert look("mean") == 85
    assert look("median") == 85


def test_sales_velocity_is_its_four_factors():
    look = Look({"opportunities": DEALS}, "sales_velocity")
    # Open at the end of March: o5. Mean won 200, win rate 2/3, median cycle of 40 and 60 days: 50.
    assert look("open_qualified") == 1
    assert look("velocity") == pytest.approx(1 * 200 * (2 / 3) / 50)


def test_close_ratio_by_stage():
    history = [
        {"opportunity_id": "o1", "changed_at": day("01-01"), "stage": "Demo"},
        {"opportunity_id": "o1", "changed_at": day("01-11"), "stage": "Offer"},
        {"opportunity_id": "o1", "changed_at": day("01-31"), "stage": "Won"},
        {"opportunity_id": "o2", "changed_at": day("01-01"), "stage": "Demo"},
        {"opportunity_id": "o3", "changed_at": day("01-01"), "stage": "Demo"},
        {"opportunity_id": "o3", "changed_at": day("01-21"), "stage": "Offer"},
    ]
    deals = [deal(1, "01-01", "01-31", "won"), deal(2, "01-01", "01-11", "lost"), deal(3, "01-01", "02-10", "lost")]
    stages = [
        {"stage": "Demo", "position": 1},
        {"stage": "Offer", "position": 2},
        {"stage": "Won", "position": 3, "is_won": 1},
    ]
    look = Look({"opportunities": deals, "opportunity_history": history, "stages": stages}, "close_ratio_by_stage")
    assert look("close_ratio", group="Demo") == pytest.approx(1 / 3)  # all three are closed: the raw share
    assert look("close_ratio", group="Offer") == pytest.approx(1 / 2)
    assert look.part("close_ratio").grid.groups == ("Demo", "Offer")
    assert look.missing("lead_to_won") == "needs table leads"


def test_close_ratio_without_history_has_one_stage():
    look = Look({"opportunities": DEALS}, "close_ratio_by_stage")
    assert look("close_ratio", group="All opportunities") == pytest.approx(0.375)  # as the created cohort above


LEADS = [
    {"lead_id": "l1", "created_at": day("01-01"), "mql_at": day("01-05"), "sql_at": day("01-10"), "visitor_id": "v1"},
    {"lead_id": "l2", "created_at": day("01-01"), "mql_at": day("01-06"), "sql_at": day("01-16"), "visitor_id": "v2"},
    {"lead_id": "l3", "created_at": day("01-01"), "mql_at": day("01-07"), "disqualified_at": day("01-09")},
    {"lead_id": "l4", "created_at": day("01-01"), "disqualified_at": day("01-09")},
]
FROM_LEADS = [
    deal(1, "01-12", "02-01", "won", lead_id="l1"),
    deal(2, "01-18", "02-10", "lost", lead_id="l2"),
]


def test_funnel_ratios():
    look = Look({"opportunities": FROM_LEADS, "leads": LEADS}, "funnel_ratios")
    assert look("step_rates", group="MQL to SQL") == pytest.approx(2 / 3)  # l1, l2 of l1, l2, l3
    assert look("step_rates", group="SQL to opportunity") == pytest.approx(2 / 2)
    assert look("step_rates", group="opportunity to won") == pytest.approx(1 / 2)
    assert look("MQL_to_won") == pytest.approx(1 / 3)
    assert look("step_rates_in_period", group="SQL to opportunity") == pytest.approx(2 / 2)


def test_win_rate_is_compared_with_the_four_periods_before():
    past = ["2025-02-01", "2025-05-01", "2025-08-01", "2025-11-01"]
    deals = [deal(k, "2025-01-01", closed, "won") for k, closed in enumerate(past)]
    deals += [deal(10 + k, "2025-01-01", closed, "lost") for k, closed in enumerate(past[:2])]
    deals += [deal(20, "01-01", "02-01", "lost")]
    look = Look({"opportunities": deals}, "win_rate")
    assert look("win_rate") == 0.0
    assert look("mean_of_four_before") == pytest.approx((1 / 2 + 1 / 2 + 1 + 1) / 4)


def test_control_limits_of_end_to_end_conversion():
    starts = ["2025-01-01", "2025-04-01", "2025-07-01", "2025-10-01", "2026-01-01"]
    leads, deals = [], []
    for q, start in enumerate(starts):
        for k in range(40):
            won = k < (4 if q < 4 else 24)
            leads.append({"lead_id": f"{q}-{k}", "created_at": day(start)})
            deals.append(deal(100 * q + k, start, start, "won" if won else "lost", lead_id=f"{q}-{k}"))
    look = Look({"leads": leads, "opportunities": deals}, "end_to_end_conversion")
    # 4 of 40 in four quarters, 24 of 40 in the last: 40 of 200 in all; limits 0.2 -+ 3 x root(0.2 x 0.8 / 40).
    half = 3 * (0.2 * 0.8 / 40) ** 0.5
    assert look("centre") == pytest.approx(0.2)
    assert (look("lower_limit"), look("upper_limit")) == pytest.approx((0.2 - half, 0.2 + half))
    assert look("out_of_control") == 1
    assert look("out_of_control", back=1) == 0


def test_end_to_end_conversion():
    sessions = [{"session_id": f"s{k}", "visitor_id": f"v{k}", "started_at": day("01-01")} for k in (1, 2, 3, 4, 5)]
    look = Look({"opportunities": FROM_LEADS, "leads": LEADS, "web_sessions": sessions}, "end_to_end_conversion")
    assert look("lead_to_won") == pytest.approx(1 / 4)  # three of four have left: all is known
    assert look("lead_to_won", what="matured") == 1.0
    # Visitors: v1 became l1, won on day 31; the others are still followed at day 89.
    assert look("visitor_to_won") == pytest.approx(1 / 5)
    assert look("visitor_to_lead") == pytest.approx(2 / 5)
