"""Spend, people, products and customers on hand-worked rows."""

from __future__ import annotations

import numpy as np
import pytest

from kpis.measures.products import top_fifth
from tests.measures.look import Look, data, day
from tests.measures.test_leads import lead
from tests.measures.test_sales import deal

MONTHS = ("01-01", "02-01", "03-01")


def booked(amount: float, department: str = "marketing", month: str = "01-01", **more):
    return {"period": day(month), "department": department, "amount": amount, **more}


# Sales 700 (of which 100 is shadow marketing), marketing 300; other 50 counts nowhere. Revenue 10,000.
SPEND = [
    booked(600.0, "Sales", category="people"),
    booked(100.0, "sales", category="program", is_shadow=1),
    booked(200.0, "Marketing", category="program", purpose="acquire", channel="Email"),
    booked(60.0, category="people", purpose="nurture", month="02-01"),
    booked(40.0, category="tools", purpose="acquire", channel="Event", month="03-01"),
    booked(50.0, "finance", category="people"),
]
FINANCE = [{"period": day(m), "revenue": r} for m, r in zip(MONTHS, (3000.0, 3000.0, 4000.0), strict=True)]


def test_sales_and_marketing_over_revenue():
    look = Look({"spend": SPEND, "finance": FINANCE}, "sales_marketing_cost_ratio")
    assert look("share_of_revenue") == pytest.approx(1000 / 10_000)
    assert look.part("share_of_revenue").note == "over recognised revenue"
    assert look.missing("share_of_bookings") == "needs table opportunities"
    assert look.missing("share_of_revenue", back=1) == "nothing is booked in this period"
    assert look.status == "ok"  # accounts are no sample, however few their rows


def test_over_bookings_and_says_so_without_finance():
    deals = [deal(1, "01-01", "02-01", "won", 4000.0)]
    look = Look({"spend": SPEND, "opportunities": deals}, "sales_marketing_cost_ratio")
    assert look("share_of_revenue") == pytest.approx(1000 / 4000)
    assert look.part("share_of_revenue").note == "over bookings: no finance table"


def test_sales_to_marketing_moves_shadow_marketing():
    look = Look({"spend": SPEND}, "sales_to_marketing_ratio")
    assert look("sales_to_marketing") == pytest.approx(600 / 400)
    assert look("as_booked") == pytest.approx(700 / 300)
    kept = Look(data({"spend": SPEND}, definitions={"shadow_is_marketing": False}), "sales_to_marketing_ratio")
    assert kept("sales_to_marketing") == pytest.approx(700 / 300)


HEADCOUNT = [
    {"period": day(m), "department": "sales", "role": role, "fte": fte, "is_quota_bearing": quota, "is_operations": ops}
    for m, sellers in zip(MONTHS, (3.0, 4.0, 5.0), strict=True)
    for role, fte, quota, ops in (("seller", sellers, 1, 0), ("operations", 1.0, 0, 1))
] + [
    {
        "period": day(m),
        "department": "marketing",
        "role": "field",
        "fte": 0.5,
        "is_field_marketing": 1,
        "is_operations": 0,
    }
    for m in MONTHS
]


def test_marketing_for_each_in_sales():
    look = Look({"spend": SPEND, "headcount": HEADCOUNT}, "marketing_per_sales_fte")
    # 400 in three months is 1,600 a year; sales has 4, 5 and 6 people: 5 on average.
    assert look() == pytest.approx(1600 / 5)


def test_quota_to_field_marketing_at_the_end():
    look = Look({"headcount": HEADCOUNT}, "quota_to_field_marketing_ratio")
    assert look() == pytest.approx(5 / 0.5)
    assert look.missing(back=1) == "no record in this period"


def test_operations_share():
    look = Look({"headcount": HEADCOUNT}, "operations_staff_share")
    assert look() == pytest.approx(1 / (5 + 1 + 0.5))
    low, high = look.interval()
    assert low < 1 / 6.5 < high


def test_program_share_and_what_tools_count_as():
    look = Look({"spend": SPEND}, "program_share")
    assert look() == pytest.approx(300 / 960)
    assert look.part().note == "tools and other are left out"
    moved = Look(data({"spend": SPEND}, definitions={"tools_and_other_as": "program"}), "program_share")
    assert moved() == pytest.approx(340 / 1000)


def test_cost_per_lead_and_by_channel():
    leads = [lead(k, "01-01", channel="Email") for k in range(3)] + [
        lead(9, "01-01", channel="Web"),
        lead(8, "01-01", channel="Event"),
    ]
    look = Look({"spend": SPEND, "leads": leads}, "cost_per_lead")
    # Marketing's spend to acquire: 200 + 40; the shadow marketing of sales has no purpose.
    assert look() == pytest.approx(240 / 5)
    by_channel = Look({"spend": SPEND, "leads": leads}, "cost_per_lead", by="channel")
    assert by_channel(group="Email") == pytest.approx(200 / 3)
    assert by_channel(group="Event") == pytest.approx(40 / 1)
    assert by_channel(group="Web") == 0.0


def test_cost_per_qualified_lead_and_its_exact_interval():
    leads = [lead(1, "01-01", mql_at="01-02"), lead(2, "01-01", mql_at="02-02"), lead(3, "01-01")]
    look = Look({"spend": SPEND, "leads": leads}, "cost_per_qualified_lead")
    assert look() == pytest.approx(400 / 2)
    # Two events: Garwood's interval of the count is 0.2422 to 7.2247; the money is known.
    assert look.interval() == pytest.approx((400 / 7.2247, 400 / 0.2422), rel=1e-3)


PRODUCTS = [
    {"product_id": "p1", "name": "Alpha", "category": "A", "margin_share": 0.8, "launched_on": day("2025-06-30")},
    {"product_id": "p2", "name": "Beta", "category": "B", "margin_share": 0.5, "launched_on": day("2020-01-01")},
]
ORDERS = [
    {
        "order_id": "1",
        "account_id": "a1",
        "product_id": "p1",
        "category": "A",
        "amount": 300.0,
        "ordered_at": day("01-10"),
    },
    {
        "order_id": "2",
        "account_id": "a1",
        "product_id": "p2",
        "category": "B",
        "amount": 100.0,
        "ordered_at": day("02-10"),
    },
    {
        "order_id": "3",
        "account_id": "a2",
        "product_id": "p2",
        "category": "B",
        "amount": 600.0,
        "ordered_at": day("03-10"),
    },
    {
        "order_id": "4",
        "account_id": "a3",
        "product_id": "p1",
        "category": "A",
        "amount": 200.0,
        "ordered_at": day("2024-01-10"),
    },
]


def test_sales_roi_on_margin_or_on_revenue():
    deals = [deal(1, "01-01", "02-01", "won", 2000.0)]
    on_revenue = Look({"spend": SPEND, "opportunities": deals}, "sales_roi")
    assert on_revenue("sales_ROI") == pytest.approx((2000 - 600) / 600)
    assert on_revenue.part("sales_ROI").note == "on revenue: no margin is known"
    assert on_revenue("cost_to_revenue") == pytest.approx(600 / 2000)
    on_margin = Look({"spend": SPEND, "opportunities": deals, "orders": ORDERS, "products": PRODUCTS}, "sales_roi")
    margin = (300 * 0.8 + 700 * 0.5) / 1000
    assert on_margin("sales_ROI") == pytest.approx((2000 * margin - 600) / 600)


CUSTOMERS = [
    {"account_id": "a1", "first_order_at": day("2025-01-01")},
    {"account_id": "a2", "first_order_at": day("2025-01-01"), "churned_at": day("02-01")},
    {
        "account_id": "a3",
        "first_order_at": day("2025-01-01"),
        "churned_at": day("2025-06-01"),
        "reactivated_at": day("03-01"),
    },
    {"account_id": "a4", "first_order_at": day("02-15")},
    {"account_id": "a5", "first_order_at": day("01-15"), "churned_at": day("03-15")},
    {"account_id": "a6", "first_order_at": day("2025-03-01")},
]


def test_customer_acquisition_cost():
    deals = [
        deal(1, "01-01", "02-01", "won", 900.0, type="new", discount_amount=30.0),
        deal(2, "01-01", "02-01", "won", 900.0, type="renewal", discount_amount=500.0),
    ]
    look = Look({"spend": SPEND, "customers": CUSTOMERS, "opportunities": deals}, "customer_acquisition_cost")
    # To acquire: 200 + 40; conceded on new business: 30; new customers: a4, a5.
    assert look("new_customers") == 2
    assert look("cost") == pytest.approx(270.0)
    assert look("CAC") == pytest.approx(135.0)


def test_selling_time_is_added_where_an_hour_has_a_cost():
    hours = [{"activity_id": "1", "occurred_at": day("01-05"), "duration_minutes": 90.0}]
    known = data(
        {"spend": SPEND, "customers": CUSTOMERS, "activities": hours}, definitions={"loaded_hourly_cost": 40.0}
    )
    assert Look(known, "customer_acquisition_cost")("cost") == pytest.approx(240 + 1.5 * 40)


def test_nurture_spend():
    leads = [
        lead(1, "01-01", nurture_start="01-10"),
        lead(2, "01-01", nurture_start="01-10", disqualified_at="02-01"),
        lead(3, "01-01", disqualified_at="02-01"),
        lead(4, "01-01", disqualified_at="02-01"),
    ]
    deals = [deal(1, "01-05", "02-01", "won", lead_id="l1")]
    look = Look({"spend": SPEND, "leads": leads, "opportunities": deals}, "nurture_spend")
    assert look("nurture_spend") == 60.0
    assert look("per_nurtured_lead") == 30.0
    assert look("effective_share") == pytest.approx(1 / 2)
    assert look("won_share_if_nurtured") == pytest.approx(1 / 2)
    assert look("won_share_if_not") == 0.0


def test_marketing_spend_to_sales():
    look = Look({"spend": SPEND, "finance": FINANCE}, "marketing_spend_to_sales")
    assert look("share_of_revenue") == pytest.approx(400 / 10_000)
    over_orders = Look({"spend": SPEND, "orders": ORDERS}, "marketing_spend_to_sales")
    assert over_orders("share_of_revenue") == pytest.approx(400 / 1000)


def test_required_spend_closes_the_gap_at_the_period_s_own_rates():
    leads = [lead(1, "01-01", mql_at="01-02"), lead(2, "01-01", mql_at="01-02")]
    targets = [{"period": day("01-01"), "metric": "bookings", "value": 3000.0}]
    deals = [deal(1, "01-01", "02-01", "won", 1000.0)]
    look = Look(
        {"spend": SPEND, "finance": FINANCE, "leads": leads, "targets": targets, "opportunities": deals},
        "marketing_spend_to_sales",
    )
    # 2,000 short; two MQLs brought 1,000, so four more are needed, at 200 each.
    assert look("required_spend") == pytest.approx(4 * 200)


def test_elasticity_is_the_slope_of_logs():
    quarters = [f"{year}-{month:02d}-01" for year in (2024, 2025) for month in (1, 4, 7, 10)]
    spent = [booked(100.0 * 2 ** (k % 3), month=q) for k, q in enumerate(quarters)]
    revenue = [{"period": day(q), "revenue": 1000.0 * np.sqrt(2 ** (k % 3))} for k, q in enumerate(quarters)]
    look = Look(
        data({"spend": spent, "finance": revenue}, newest=day("2025-12-31")), "marketing_spend_to_sales", periods=8
    )
    assert look("elasticity") == pytest.approx(0.5)  # revenue goes with the root of spend
    assert look.missing("elasticity", back=1).startswith("needs 8 whole periods")


def test_high_margin_and_new_products():
    high = Look({"orders": ORDERS, "products": PRODUCTS}, "high_margin_sales_share")
    assert high("high_margin_share") == pytest.approx(300 / 1000)
    assert high("high_margin_revenue") == 300.0
    fresh = Look({"orders": ORDERS, "products": PRODUCTS}, "new_product_sales_share")
    assert fresh("new_product_share") == pytest.approx(300 / 1000)  # p1 was launched 194 days before the order


def test_products_of_won_deals_by_name_or_id():
    deals = [
        deal(1, "01-01", "02-01", "won", 300.0, product="Alpha"),
        deal(2, "01-01", "02-01", "won", 100.0, product="p2"),
    ]
    look = Look({"opportunities": deals, "products": PRODUCTS}, "high_margin_sales_share")
    assert look("high_margin_share") == pytest.approx(300 / 400)


def test_order_size_and_concentration():
    orders = [
        {"order_id": str(k), "account_id": f"a{k}", "amount": m, "ordered_at": day("01-10")}
        for k, m in enumerate((10, 20, 30, 40, 900))
    ]
    look = Look({"orders": orders}, "order_size_concentration")
    assert look("top_fifth_share") == pytest.approx(900 / 1000)
    assert look("HHI") == pytest.approx(0.01**2 + 0.02**2 + 0.03**2 + 0.04**2 + 0.9**2)
    assert look("top_account_share") == pytest.approx(0.9)
    assert look("top_account_revenue") == 900.0
    assert look("mean_order") == 200.0
    assert look("median_order") == 30.0
    assert look("orders_by_size", group="1: below 1,000") == 1.0


def test_top_fifth_takes_the_marginal_customer_in_part_and_its_interval_agrees_with_a_bootstrap():
    # A fifth of 4 customers is 0.8 of one: 0.8 x 40 of 100.
    assert top_fifth(np.array([10.0, 20.0, 30.0, 40.0]))[0] == pytest.approx(0.32)
    rng = np.random.default_rng(1)
    money = rng.lognormal(8, 1, 400)
    share, low, high, n = top_fifth(money)
    drawn = [top_fifth(rng.choice(money, 400))[0] for _ in range(800)]
    assert n == 400
    assert (high - low) / 2 == pytest.approx(1.96 * np.std(drawn), rel=0.12)
    assert low < share < high


def test_market_share():
    customers = [
        {"account_id": "a1", "first_order_at": day("2024-01-01"), "segment": "SMB"},
        {"account_id": "a2", "first_order_at": day("2024-01-01"), "segment": "Enterprise"},
    ]
    orders = [*ORDERS[:3], {"order_id": "0", "account_id": "a1", "amount": 500.0, "ordered_at": day("2025-10-05")}]
    market = [
        {"segment": s, "period": day(p), "market_revenue": m}
        for s, p, m in (
            ("SMB", "2025-10-01", 2000.0),
            ("SMB", "01-01", 4000.0),
            ("Enterprise", "2025-10-01", 3000.0),
            ("Enterprise", "01-01", 6000.0),
        )
    ]
    look = Look({"orders": orders, "customers": customers, "market": market}, "market_share")
    assert look("market_share") == pytest.approx(1000 / 10_000)
    assert look("by_segment", group="SMB") == pytest.approx(400 / 4000)
    assert look("by_segment", group="Enterprise") == pytest.approx(600 / 6000)
    # Own 500 to 1,000, market 5,000 to 10,000: both doubled.
    assert look("relative_growth") == pytest.approx(0.0)


def test_new_customer_rate():
    look = Look({"customers": CUSTOMERS}, "new_customer_rate")
    # At the start of 2026: a1, a2, a6 (a3 had churned). New: a4, a5. Lost of those: a2.
    assert look("customers_at_start") == 3
    assert look("new_customer_rate") == pytest.approx(2 / 3)
    assert look("replacement_ratio") == pytest.approx(2 / 1)


def test_retention_is_end_less_gained_over_start():
    look = Look({"customers": CUSTOMERS}, "retention_rate")
    # S = a1, a2, a6; at the end a1, a3 (back), a4, a6; gained a3, a4; (4 - 2) / 3.
    assert look("customers_at_end") == 4
    assert look("gained") == 2
    assert look("retention") == pytest.approx((4 - 2) / 3)


SUBSCRIPTIONS = [
    {"account_id": "a1", "mrr": 100.0, "start": day("2025-01-01"), "end": day("01-31")},
    {"account_id": "a1", "mrr": 150.0, "start": day("02-01")},
    {"account_id": "a2", "mrr": 200.0, "start": day("2025-01-01"), "end": day("02-28")},
    {"account_id": "a2", "mrr": 120.0, "start": day("03-01")},
    {"account_id": "a3", "mrr": 100.0, "start": day("2025-01-01"), "end": day("01-15")},
    {"account_id": "a4", "mrr": 500.0, "start": day("02-01")},
    {"account_id": "a5", "mrr": 0.0, "start": day("2025-01-01")},
]


def test_revenue_retention_from_subscriptions():
    look = Look({"subscriptions": SUBSCRIPTIONS}, "retention_rate")
    # Before: 100, 200, 100. After: a1 150, a2 120, a3 gone; a4 is new; a5 pays nothing and is no customer.
    assert look("gross_revenue_retention") == pytest.approx((100 + 120 + 0) / 400)
    assert look("net_revenue_retention") == pytest.approx((150 + 120) / 400)
    assert look("retention") == pytest.approx(2 / 3)
    # Linearised: R = 0.55, residuals 100 - 55, 120 - 110, 0 - 55; half-width 1.96 x root of their squares / 400.
    low, high = look.interval("gross_revenue_retention")
    assert (high - low) / 2 == pytest.approx(1.96 * np.sqrt(45**2 + 10**2 + 55**2) / 400, rel=1e-3)


def test_without_churn_dates_a_customer_lapses_a_year_after_its_last_order():
    orders = [
        {"account_id": "a1", "amount": 1.0, "ordered_at": day("2025-02-01")},  # lapses on 1 February 2026
        {"account_id": "a2", "amount": 1.0, "ordered_at": day("2025-06-01")},
        {"account_id": "a3", "amount": 1.0, "ordered_at": day("2024-06-01")},  # lapsed, and back
        {"account_id": "a3", "amount": 1.0, "ordered_at": day("03-01")},
    ]
    look = Look({"orders": orders}, "retention_rate")
    assert look("retention") == pytest.approx(1 / 2)
    assert look("gained") == 1


def test_client_engagement():
    touched = [
        {"activity_id": "1", "type": "Meeting", "occurred_at": day("03-01"), "account_id": "a1"},
        {"activity_id": "2", "type": "Call", "direction": "inbound", "occurred_at": day("02-01"), "account_id": "a1"},
        {"activity_id": "3", "type": "Email", "direction": "outbound", "occurred_at": day("03-01"), "account_id": "a4"},
        {"activity_id": "4", "type": "Demo", "occurred_at": day("2025-12-01"), "account_id": "a6"},
    ]
    look = Look({"customers": CUSTOMERS, "activities": touched}, "client_engagement")
    # Customers on 31 March: a1, a3, a4, a6. Two-way within 90 days: a1 alone (a4 was written to, a6 is too long ago).
    assert look("engaged_share") == pytest.approx(1 / 4)
    assert look("engaged_share", back=1) == pytest.approx(1 / 3)  # a6 of a1, a2, a6 on 31 December
    assert look("median_touches") == 0.0


def test_lifetime_value():
    known = data({"customers": CUSTOMERS, "orders": ORDERS, "products": PRODUCTS}, definitions={"discount_rate": 0.2})
    look = Look(known, "customer_depth_and_lifetime_value")
    years = 90 / 365.25
    spent = 1000 / 4 / years  # four customers at the end
    stay = (2 / 3) ** (1 / years)
    assert look("lifetime_value_in_revenue") == pytest.approx(spent / (1 - stay + 0.2))
    assert look("lifetime_value") == pytest.approx(spent * 0.59 / (1 - stay + 0.2))
    assert look("products_per_customer") == pytest.approx(4 / 3)  # a1 two, a2 one, a3 one


def test_net_promoter_score():
    answers = [
        ("a1", "01-10", 3),
        ("a1", "02-10", 9),
        ("a2", "01-10", 10),
        ("a3", "01-10", 7),
        ("a4", "01-10", 0),
        (None, "01-10", 9),
    ]
    rows = [{"account_id": a, "responded_at": day(d), "score": s} for a, d, s in answers]
    look = Look({"nps": rows}, "net_promoter_score")
    # Latest of each: 9, 10, 7, 0 and 9: three promoters, one detractor of five.
    assert look() == pytest.approx(100 * (3 - 1) / 5)
    half = 100 * 1.96 * np.sqrt((0.6 + 0.2 - 0.4**2) / 5)
    assert look.interval() == pytest.approx((40 - half, 40 + half), rel=1e-3)
    assert look.missing(back=1) == "nobody answered in this period"


def test_share_of_wallet():
    wallet = [
        {"account_id": "a1", "category": "A", "estimated_total_spend": 1000.0},
        {"account_id": "a2", "category": "B", "estimated_total_spend": 2000.0},
        {"account_id": "a2", "category": "A", "estimated_total_spend": 500.0},
    ]
    deals = [
        deal(1, "01-01", "02-01", "won", 70.0, type="expansion"),
        deal(2, "01-01", "02-01", "won", 90.0, type="new"),
    ]
    look = Look({"wallet": wallet, "orders": ORDERS, "opportunities": deals}, "share_of_wallet")
    # In the year to 31 March: a1 A 300, a2 B 600, a2 A nothing; a1's B is not estimated.
    assert look("share_of_wallet") == pytest.approx(900 / 3500)
    assert look("cross_sell_rate") == pytest.approx(1 / 3)  # a1 of a1, a2, a3
    assert look("expansion_revenue") == 70.0


def test_a_year_of_orders_is_needed_against_a_year_of_spend():
    wallet = [{"account_id": "a1", "category": "A", "estimated_total_spend": 1000.0}]
    look = Look({"wallet": wallet, "orders": ORDERS[:1]}, "share_of_wallet")
    assert look.missing("share_of_wallet") == "needs a year of orders up to this period"


def test_win_back():
    deals = [
        deal(1, "01-01", "02-01", "won", 70.0, type="winback", discount_amount=5.0),
        deal(2, "01-01", "02-01", "lost", 90.0, type="Winback"),
        deal(3, "02-01", amount=1.0, type="winback"),
        deal(4, "01-01", "02-01", "won", 10.0, type="new"),
    ]
    look = Look({"opportunities": deals, "customers": CUSTOMERS}, "win_back_rate")
    assert look("win_back_rate") == pytest.approx(1 / 2)
    assert look("created") == 3
    assert look("won_back_revenue") == 70.0
    assert look("won_back_cost") == 5.0
    assert look("reactivated_share_of_lapsed") == 1.0  # a3
    alone = Look({"customers": CUSTOMERS}, "win_back_rate")
    assert alone() == 1.0


ADS = [
    # Two days of two campaigns: 100 + 60 spent on search, 40 on social.
    {"period": day("01-05"), "amount": 100.0, "channel": "Search", "campaign_id": "c1", "department": "marketing",
     "impressions": 4000, "clicks": 80, "leads": 8, "conversions": 2, "conversion_value": 500.0},
    {"period": day("02-06"), "amount": 60.0, "channel": "Search", "campaign_id": "c1", "department": "marketing",
     "impressions": 2000, "clicks": 40, "leads": 2, "conversions": 1, "conversion_value": 100.0},
    {"period": day("02-06"), "amount": 40.0, "channel": "Cinema", "campaign_id": "c2", "department": "marketing",
     "impressions": 4000, "clicks": 80, "leads": 10, "conversions": 2, "conversion_value": 200.0},
]  # fmt: skip


def test_totals_that_campaigns_report_stand_in_for_leads_and_sales():
    look = Look({"spend": ADS}, "cost_per_lead")
    assert look() == pytest.approx(200 / 20)
    assert look.part().note == "as the campaigns report it"
    assert look("cost_per_click") == pytest.approx(200 / 200)
    assert look("cost_per_thousand_impressions") == pytest.approx(200 / 10)
    assert look("cost_per_sale") == pytest.approx(200 / 5)
    by_channel = Look({"spend": ADS}, "cost_per_lead", by="channel")
    assert by_channel(group="Search") == pytest.approx(160 / 10)
    assert by_channel(group="Cinema") == pytest.approx(40 / 10)
    shares = Look({"spend": ADS}, "lead_share_by_channel")
    assert shares(group="Search") == pytest.approx(10 / 20)
    assert shares("leads", group="Cinema") == 10
    assert shares("share_of_wins", group="Search") == pytest.approx(3 / 5)
    visits = Look({"spend": ADS}, "visit_to_lead_rate")
    assert visits() == pytest.approx(10 / 200)  # Cinema is no digital channel
    assert visits("click_through") == pytest.approx(200 / 10_000)
    won = Look({"spend": ADS}, "won_revenue")
    assert won() == 800.0
    assert won("deals_won") == 5
    assert won("revenue_by_channel", group="Search") == 600.0
    size = Look({"spend": ADS}, "avg_deal_size")
    assert size("mean") == pytest.approx(800 / 5)
    assert size.missing("median").startswith("needs sales one by one")
    assert Look({"spend": ADS}, "marketing_spend_to_sales")() == pytest.approx(200 / 800)
    through = Look({"spend": ADS}, "end_to_end_conversion")
    assert through("sales_per_lead_in_period") == pytest.approx(5 / 20)
    assert through("sales_per_click_in_period") == pytest.approx(5 / 200)


def test_leads_and_deals_one_by_one_come_before_totals():
    leads = [lead(1, "01-05", channel="Event")]
    tables = {"spend": ADS, "leads": leads, "opportunities": [deal(1, "01-01", "02-01", "won")]}
    assert Look(tables, "cost_per_lead")() == pytest.approx(200 / 1)
    assert Look(tables, "won_revenue")() == pytest.approx(100.0)
    assert Look(tables, "lead_share_by_channel")(group="Event") == 1.0


def test_orders_stand_in_for_deals_where_there_are_none():
    orders = [
        {"order_id": "o1", "account_id": "a", "ordered_at": day("2025-12-30"), "amount": 100.0},
        {"order_id": "o2", "account_id": "a", "ordered_at": day("01-30"), "amount": 30.0},
        {"order_id": "o3", "account_id": "b", "ordered_at": day("03-30"), "amount": 120.0},
    ]
    won = Look({"orders": orders}, "won_revenue")
    assert (won(), won("deals_won")) == (150.0, 2)
    assert won.part().note == "orders: there are no opportunities"
    assert Look({"orders": orders}, "won_revenue_growth")() == pytest.approx(150 / 100 - 1)
    assert Look({"orders": orders}, "avg_deal_size")("median") == 75.0


def test_a_year_of_spend_counts_months_not_days():
    # Ads by day: 300 in January and February are 1,800 a year, for one seller.
    spend = [{"period": day(when), "amount": 100.0, "department": "marketing"} for when in ("01-05", "01-06", "02-07")]
    people = [{"period": day(when), "department": "sales", "role": "AE", "fte": 1.0} for when in ("01-01", "02-01")]
    look = Look({"spend": spend, "headcount": people}, "marketing_per_sales_fte")
    assert look() == pytest.approx(300 * 12 / 2)
