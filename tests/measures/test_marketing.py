"""The site, email, social, content, activity, scorecards and combined growth on hand-worked rows."""

from __future__ import annotations

import numpy as np
import pytest

from kpis.measures.content_index import verdict
from kpis.measures.sales_material import matched_difference
from tests.measures.look import Look, data, day
from tests.measures.test_leads import lead
from tests.measures.test_money import HEADCOUNT
from tests.measures.test_sales import deal


def session(number: int, when: str, visitor: str = "", **more):
    return {
        "session_id": f"s{number}",
        "visitor_id": visitor or f"v{number}",
        "started_at": day(when),
        "pages_viewed": 1,
        **more,
    }


# Bounced: s1, s2 (back within 30 days), s4 (only 11 days old on 31 March). s3 saw two pages, s5 converted.
SESSIONS = [
    session(1, "01-05", landing_page="/a", engaged_seconds=30.0),
    session(2, "01-06", "x", landing_page="/a", engaged_seconds=2.0),
    session(3, "01-20", "x", landing_page="/b", pages_viewed=2, engaged_seconds=2.0),
    session(4, "03-20", landing_page="/b", engaged_seconds=2.0),
    session(5, "03-01", "x", landing_page="/b", converted_lead_id="l1", engaged_seconds=2.0),
]


def test_bounce_rates():
    look = Look({"web_sessions": SESSIONS}, "bounce_rate")
    assert look("bounce_rate") == pytest.approx(3 / 5)
    assert look("not_engaged") == pytest.approx(2 / 5)  # s2, s4: s1 stayed for 30 seconds
    assert look("bounced_and_never_back") == pytest.approx(1 / 4)  # s1, of the four that are 30 days old


def test_a_second_visit_on_the_same_day_is_a_return():
    look = Look({"web_sessions": [session(1, "01-05", "x"), session(2, "01-05", "x")]}, "bounce_rate")
    assert look("bounce_rate") == 1.0
    assert look("bounced_and_never_back") == 0.0


def test_landing_pages():
    look = Look({"web_sessions": SESSIONS}, "landing_page_conversion")
    assert look("conversion") == pytest.approx(1 / 5)
    assert look("by_landing_page", group="/b") == pytest.approx(1 / 3)
    assert look("of_visitors") == pytest.approx(1 / 3)  # x, of v1, x, v4


def test_digital_leads_for_each_visit():
    leads = [
        lead(1, "01-01", channel="Paid search"),
        lead(2, "01-01", channel="EMAIL"),
        lead(3, "01-01", channel="Event"),
        lead(4, "01-01"),
    ]
    look = Look({"web_sessions": SESSIONS, "leads": leads}, "visit_to_lead_rate")
    assert look("leads_per_visit") == pytest.approx(2 / 5)
    assert look("digital_leads") == 2


PAGES = [
    {"page": p, "is_tracked": t, "funnel_step": f}
    for p, t, f in (("/a", 1, 1), ("/b", 1, None), ("/c", 1, 2), ("/d", 0, None), ("/e", 1, 3))
]


def view(visitor: str, page: str, when: str):
    return {"visitor_id": visitor, "page": page, "viewed_at": day(when)}


VIEWS = [
    view("x", "/a", "01-05"),
    view("x", "/a", "01-06"),
    view("x", "/c", "01-06"),
    view("x", "/d", "01-06"),
    view("x", "/e", "02-20"),
    view("y", "/b", "01-05"),
    view("z", "/d", "01-05"),
    view("w", "/a", "2025-12-05"),
]


def test_pages_read():
    look = Look({"page_views": VIEWS, "pages": PAGES}, "pages_read_share")
    # Four tracked pages; x saw three of them in the quarter, y one, z none and does not count.
    assert look("pages_read") == pytest.approx((3 / 4 + 1 / 4) / 2)
    assert look("pages_read", back=1) == pytest.approx(1 / 4)
    assert look("pages_per_visitor") == 2.0


def test_page_flow_before_conversion():
    leads = [lead(1, "02-01", visitor_id="x"), lead(2, "03-01", visitor_id="x"), lead(3, "03-01", visitor_id="y")]
    look = Look({"page_views": VIEWS, "pages": PAGES, "leads": leads}, "pre_conversion_page_flow")
    # Three funnel pages; x saw /a and /c before 1 February (/e came later), y none.
    assert look("flow_covered") == pytest.approx((2 / 3 + 0) / 2)
    assert look("pages_before_conversion") == 1.0
    assert look("spread", group="2") == pytest.approx(1 / 2)
    # First seen in the quarter: x, y, z, of whom x and y convert; /c was seen by x alone.
    assert look("lift_by_page", group="/c") == pytest.approx(1 / (2 / 3))


EMAILS = [
    {
        "sent_at": day("01-10"),
        "sent": 100,
        "delivered": 90,
        "bounced": 10,
        "unique_opens": 30,
        "machine_opens": 10,
        "unique_clicks": 6,
        "variant": "A",
    },
    {
        "sent_at": day("02-10"),
        "sent": 100,
        "bounced": 20,
        "unique_opens": 20,
        "machine_opens": 0,
        "unique_clicks": 6,
        "variant": "B",
    },
]


def test_email_opens():
    look = Look({"emails": EMAILS}, "email_open_rate")
    assert look("opened_of_sent") == pytest.approx(50 / 200)
    assert look("opened_of_delivered") == pytest.approx(50 / 170)  # 90 and 100 - 20
    assert look("opened_by_people_of_delivered") == pytest.approx(40 / 170)
    assert look("by_variant", group="A") == pytest.approx(30 / 100)


def test_email_clicks():
    look = Look({"emails": EMAILS}, "email_click_to_open_rate")
    assert look("clicked_of_opened") == pytest.approx(12 / 50)
    assert look("clicked_of_delivered") == pytest.approx(12 / 170)
    assert look("by_variant", group="B") == pytest.approx(6 / 20)


def test_social_engagement():
    posts = [
        {
            "date": day("01-10"),
            "network": "LinkedIn",
            "impressions": 1000,
            "reach": 500,
            "reactions": 10,
            "comments": 5,
            "shares": 3,
            "clicks": 2,
        },
        {"date": day("01-11"), "network": "X", "impressions": 200, "reach": 100, "reactions": 4},
    ]
    look = Look({"social": posts}, "social_engagement")
    assert look("engagement_rate") == pytest.approx(24 / 1200)
    assert look("by_network", group="X") == pytest.approx(4 / 200)
    assert look("engagement_by_reach") == pytest.approx(24 / 600)
    reach_only = [{k: v for k, v in post.items() if k != "impressions"} for post in posts]
    assert Look({"social": reach_only}, "social_engagement")("engagement_rate") == pytest.approx(24 / 600)


ASSETS = [
    {"asset_id": "c1", "target_persona": "CFO", "published_on": day("2025-01-01"), "cost": 50.0},
    {"asset_id": "c2", "target_persona": "CTO", "published_on": day("2025-01-01"), "cost": 100.0},
    {"asset_id": "c3", "target_persona": "CFO", "published_on": day("2025-01-01")},
    {"asset_id": "c4", "target_persona": "CFO", "published_on": day("2025-01-01"), "retired": 1},
]


def event(asset: str, kind: str, when: str, **more):
    return {"asset_id": asset, "event": kind, "occurred_at": day(when), **more}


EVENTS = [
    event("c1", "download", "01-05", lead_id="l1", account_id="a1"),
    event("c1", "download", "01-06", lead_id="l2"),
    event("c2", "download", "01-07", lead_id="l1"),
    event("c1", "view", "01-07"),
    event("c2", "sales_use", "01-08", opportunity_id="o1"),
    event("c2", "sales_use", "01-09", opportunity_id="o1"),
    event("c1", "view", "01-20", opportunity_id="o2"),
]


def test_content_audit():
    leads = [lead(1, "01-01", persona="cfo"), lead(2, "01-01", persona="CTO")]
    customers = [
        {"account_id": "a1", "first_order_at": day("02-01"), "churned_at": day("03-01")},
        {"account_id": "a2", "first_order_at": day("02-01")},
    ]
    look = Look(
        {"content_assets": ASSETS, "content_events": EVENTS, "leads": leads, "customers": customers}, "content_usage"
    )
    assert look("downloads") == 3
    assert look("downloads_by_asset", group="c1") == 2
    assert look("assets_never_downloaded") == 1  # c3; c4 is retired
    assert look("target_persona_share") == pytest.approx(1 / 3)  # l1 (CFO) on c1; l2 on c1 and l1 on c2 are not meant
    assert look("customers_reached") == pytest.approx(1 / 2)


def test_value_of_assets():
    leads = [
        lead(1, "01-01", asset_id="c1", channel="Email"),
        lead(2, "01-01", asset_id="c1", channel="Email"),
        lead(3, "01-01", asset_id="c2", channel="Web"),
        lead(4, "01-01", channel="Web"),
    ]
    deals = [
        deal(1, "01-05", "02-01", "won", 400.0, lead_id="l1"),
        deal(2, "01-05", "02-01", "won", 100.0, lead_id="l4"),
    ]
    look = Look({"content_assets": ASSETS, "leads": leads, "opportunities": deals}, "asset_lead_value")
    assert look("realised_value", group="c1") == 400.0
    assert look("value_per_cost", group="c1") == pytest.approx(400 / 50)
    # A lead by email was worth 400 / 2, by the web 100 / 2.
    assert look("expected_value", group="c1") == pytest.approx(2 * 200)
    assert look("expected_value", group="c2") == pytest.approx(1 * 50)


def test_content_index_is_the_mean_percentile_rank():
    leads = [lead(1, "01-01", mql_at="01-05", asset_id="c2")]
    deals = [deal(1, "01-05", amount=300.0), deal(2, "01-05", amount=900.0)]
    look = Look({"content_events": EVENTS, "leads": leads, "opportunities": deals}, "content_index")
    # Two assets: the higher ranks at 75 %, the lower at 25 %. Views c1 > c2, downloads c1 > c2, uses c2 > c1,
    # MQLs c2 > c1, touched pipeline c1 (o2, 900) > c2 (o1, 300).
    assert look("index", group="c1") == pytest.approx((75 + 75 + 25 + 25 + 75) / 5)
    assert look("reach", group="c2") == pytest.approx((25 + 25 + 75) / 3)
    assert look("conversion", group="c2") == pytest.approx((75 + 25) / 2)


def test_verdicts():
    assert [verdict(60, 60), verdict(60, 40), verdict(40, 40)] == ["keep", "refresh", "retire"]


def test_material_used_by_sales():
    deals = [
        deal(1, "01-05", "02-01", "won", segment="SMB"),
        deal(2, "01-05", "02-01", "lost", segment="SMB"),
        deal(3, "01-05", segment="SMB"),
        deal(4, "2025-01-05", "2025-12-01", "lost", segment="SMB"),
    ]
    look = Look({"content_assets": ASSETS, "content_events": EVENTS, "opportunities": deals}, "sales_material_usage")
    assert look("opportunities_with_use") == pytest.approx(1 / 3)  # o4 had closed before the quarter
    assert look("uses") == 2
    assert look("uses_per_asset") == pytest.approx(2 / 3)
    assert look("assets_used_share") == pytest.approx(1 / 3)
    assert look("win_rate_with_use") == 1.0
    assert look("win_rate_without_use") == 0.0
    assert look("win_rate_difference_matched") == 1.0


def test_matched_difference_is_statsmodels():
    contingency = pytest.importorskip("statsmodels.stats.contingency_tables")
    tables = [
        np.array([[10.0, 5.0], [6.0, 12.0]]),
        np.array([[3.0, 9.0], [2.0, 20.0]]),
    ]  # rows with, without; won, lost
    theirs = contingency.StratifiedTable(tables)
    a, n1 = np.array([t[0, 0] for t in tables]), np.array([t[0].sum() for t in tables])
    c, n0 = np.array([t[1, 0] for t in tables]), np.array([t[1].sum() for t in tables])
    d, low, high = matched_difference(a, n1, c, n0)
    weights = n1 * n0 / (n1 + n0)
    assert d == pytest.approx(np.average(a / n1 - c / n0, weights=weights))
    assert (low > 0) == (theirs.test_null_odds().pvalue < 0.05)
    assert low < d < high


ACTIVITIES = [
    {
        "activity_id": "1",
        "type": "Meeting",
        "occurred_at": day("01-05"),
        "owner": "Ana",
        "opportunity_id": "o1",
        "duration_minutes": 60.0,
        "is_external": 1,
        "is_face_to_face": 1,
        "is_valuable": 0,
    },
    {
        "activity_id": "2",
        "type": "Call",
        "occurred_at": day("01-20"),
        "owner": "Ana",
        "opportunity_id": "o1",
        "duration_minutes": 30.0,
        "is_external": 1,
        "is_face_to_face": 0,
        "is_valuable": 1,
    },
    {
        "activity_id": "3",
        "type": "Meeting",
        "occurred_at": day("03-05"),
        "owner": "Ben",
        "opportunity_id": "o1",
        "duration_minutes": 30.0,
        "is_external": 0,
        "is_face_to_face": 1,
        "is_valuable": 0,
    },
    {"activity_id": "4", "type": "Email", "occurred_at": day("01-20"), "owner": "Ana", "opportunity_id": "o2"},
]


def test_activities_for_each_win():
    deals = [
        deal(1, "01-01", "02-01", "won", owner="Ana"),
        deal(2, "01-01", "02-01", "won", owner="Ana"),
        deal(3, "01-01", "02-01", "lost", owner="Ben"),
    ]
    look = Look({"activities": ACTIVITIES, "opportunities": deals}, "activity_per_win")
    assert look("activities_per_win") == pytest.approx(4 / 2)
    assert look("by_seller", group="Ana") == pytest.approx(3 / 2)
    assert look.missing("by_seller", group="Ben") != ""
    assert look.missing("rank_correlation") == "needs four sellers who differ"


def test_rank_correlation_is_scipys():
    from scipy import stats

    done, won = (5, 3, 8, 1, 4), (2, 1, 2, 0, 3)
    rows = [
        {"activity_id": f"{k}-{j}", "occurred_at": day("01-05"), "owner": f"r{k}"}
        for k, n in enumerate(done)
        for j in range(n)
    ]
    deals = [deal(10 * k + j, "01-01", "02-01", "won", owner=f"r{k}") for k, n in enumerate(won) for j in range(n)]
    look = Look({"activities": rows, "opportunities": deals}, "activity_per_win")
    assert look("rank_correlation") == pytest.approx(stats.spearmanr(done, won).statistic)


def test_selling_time():
    look = Look({"activities": ACTIVITIES, "headcount": HEADCOUNT}, "selling_time")
    # 1.5 hours with customers; 3, 4, 5 quota carriers: 4 on average; 64 working days of 8 hours.
    assert look("selling_time") == pytest.approx(1.5 / (4 * 64 * 8))
    assert look("face_to_face") == pytest.approx(1.0 / (4 * 64 * 8))
    assert look("hours_per_seller_and_week") == pytest.approx(1.5 / 4 / (64 / 5))


def test_valuable_meetings():
    stages = [{"stage": "Demo", "position": 1}, {"stage": "Offer", "position": 2}]
    history = [
        {"opportunity_id": "o1", "changed_at": day("01-01"), "stage": "Demo"},
        {"opportunity_id": "o1", "changed_at": day("01-15"), "stage": "Offer"},
    ]
    tables = {
        "activities": ACTIVITIES,
        "opportunities": [deal(1, "01-01"), deal(2, "01-01")],
        "opportunity_history": history,
        "stages": stages,
    }
    look = Look(tables, "valuable_meeting_share")
    # Meetings and calls: 1 (the stage advanced ten days later), 2 (flagged), 3 (neither).
    assert look("valuable_share") == pytest.approx(2 / 3)
    assert look("followed_by_an_advance") == pytest.approx(1 / 3)
    flagged = Look({"activities": ACTIVITIES}, "valuable_meeting_share")
    assert flagged("valuable_share") == pytest.approx(1 / 3)


def test_meetings_to_close():
    deals = [deal(1, "01-01", "02-01", "won"), deal(2, "01-01", "02-01", "won"), deal(3, "01-01", "02-01", "lost")]
    look = Look({"activities": ACTIVITIES, "opportunities": deals}, "meetings_to_close")
    # o1 had one meeting before it closed (the second came later), o2 an email only.
    assert look("mean") == pytest.approx(1 / 2)
    assert look("median") == pytest.approx(0.5)
    assert look("mean_of_lost") == 0.0


def rated(card: str, item: str, rating: int, weight: float, when: str, assessor: str = "VP"):
    return {
        "scorecard": card,
        "item": item,
        "rating": rating,
        "weight": weight,
        "assessor": assessor,
        "assessed_on": day(when),
    }


def test_sales_enablement_score():
    ratings = [
        rated("sales_enablement", "coaching", 2, 1.0, "2025-12-31"),
        rated("sales_enablement", "coaching", 5, 1.0, "03-31"),
        rated("sales_enablement", "ramp", 3, 3.0, "2025-12-31"),
        rated("lead_management", "scoring", 1, 1.0, "03-31"),
    ]
    look = Look({"scorecards": ratings}, "sales_enablement_score")
    assert look("score", back=1) == pytest.approx(100 * (1 * 0.25 + 3 * 0.5) / 4)
    assert look("score") == pytest.approx(100 * (1 * 1.0 + 3 * 0.5) / 4)
    assert look("by_item", group="ramp") == pytest.approx(0.5)
    assert "not IDC's" in look.part("score").note
    with_use = Look(
        {"scorecards": ratings, "content_events": EVENTS, "opportunities": [deal(1, "01-05"), deal(2, "01-05")]},
        "sales_enablement_score",
    )
    # Half questionnaire (0.625), half computed: material used on one of two opportunities.
    assert with_use("score") == pytest.approx(100 * (0.5 * 0.625 + 0.5 * 0.5))
    assert with_use("computed_items", group="material used") == pytest.approx(0.5)


def test_sellers_at_quota():
    ratings = [rated("sales_enablement", "ramp", 1, 1.0, "01-01")]
    targets = [
        {"period": day("01-01"), "scope": name, "metric": "bookings", "value": 100.0}
        for name in ("Ana", "Ben", "company")
    ]
    deals = [deal(1, "01-01", "02-01", "won", 120.0, owner="Ana"), deal(2, "01-01", "02-01", "won", 80.0, owner="Ben")]
    look = Look({"scorecards": ratings, "targets": targets, "opportunities": deals}, "sales_enablement_score")
    assert look("computed_items", group="sellers at quota") == pytest.approx(1 / 2)
    assert look("score") == pytest.approx(100 * (0.5 * 0 + 0.5 * 0.5))


def test_lead_management_score():
    leads = [
        lead(1, "01-01", mql_at="01-05", accepted_at="01-06", account_id="a1"),
        lead(2, "01-01", mql_at="01-05", accepted_at="01-25"),
        lead(3, "01-01", mql_at="01-05", disqualified_at="01-06", reason="No budget"),
        lead(4, "01-01", mql_at="01-05", disqualified_at="02-06"),
        lead(5, "01-01", mql_at="01-05", recycled_at="02-01"),
    ]
    known = data({"leads": leads}, definitions={"required_fields": {"account_id": 1}})
    look = Look(known, "lead_management_score")
    items = {
        "MQL definition agreed": 0.0,
        "acted on in time": 2 / 5,  # l1, l3 within two days
        "MQLs accepted": 2 / 5,  # l1 and l2, all of whom are resolved but l5, who is old
        "complete at hand-off": 1 / 2,  # l1 of the accepted l1, l2
        "recycle process in use": 1.0,
        "disqualified with a reason": 1 / 2,
        "answered by sales": 5 / 5,
    }
    for name, share in items.items():
        assert look("computed_items", group=name) == pytest.approx(share), name
    assert look("score") == pytest.approx(100 * np.mean(list(items.values())))


def test_combined_growth():
    leads = [lead(k, "2025-11-01", mql_at="2025-11-02") for k in range(4)] + [
        lead(10 + k, "01-01", mql_at="01-02") for k in range(5)
    ]
    deals = [deal(1, "2025-10-01", "2025-11-01", "won", 100.0), deal(2, "2025-10-01", "02-01", "won", 900.0)]
    spend = [{"period": day("2025-10-01"), "amount": 400.0}, {"period": day("01-01"), "amount": 600.0}]
    weights = {"won_revenue": 1, "marketing_qualified_leads": 2, "cost_per_lead": 1, "bounce_rate": 5}
    known = data({"leads": leads, "opportunities": deals, "spend": spend}, definitions={"growth_weights": weights})
    look = Look(known, "combined_growth")
    # Revenue + 800 %, held at + 100 %; MQLs 4 to 5: + 25 %; cost per lead 100 to 120: - 20 %; no web data.
    assert look() == pytest.approx((1 * 1.0 + 2 * 0.25 + 1 * -0.2) / 4)
    assert look("contributions", group="cost per lead") == pytest.approx(-0.2)
