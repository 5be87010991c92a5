"""Leads on hand-worked rows."""

from __future__ import annotations

import pytest

from tests.measures.look import Look, data, day
from tests.measures.test_sales import deal


def lead(number: int, created: str, **more):
    dated = {
        name: day(value) if name.endswith("_at") or name.startswith("nurture") else value
        for name, value in more.items()
    }
    return {"lead_id": f"l{number}", "created_at": day(created), **dated}


def test_marketing_qualified_leads():
    leads = [
        lead(1, "01-01", mql_at="01-05", recycled_at="02-01", score=80),
        lead(2, "01-01", mql_at="03-31", score=60),
        lead(3, "01-01", score=70),
        lead(4, "2025-12-01", mql_at="2025-12-31", score=10),
    ]
    deals = [deal(1, "02-01", "02-15", "won", lead_id="l1")]
    look = Look({"leads": leads, "opportunities": deals}, "marketing_qualified_leads")
    assert look("MQLs") == 2
    assert look("MQLs", back=1) == 1
    assert look("MQL_share_of_leads") == pytest.approx(2 / 3)
    assert look("recycled") == 1
    # The winner (80) beats both others (60, 70): all pairs in order.
    assert look("score_ranks_winners") == 1.0
    # Three leads: middles of their ranks are 1/6, 3/6, 5/6: deciles 2, 6 and 9.
    assert look("win_rate_by_score_decile", group="decile 09") == 1.0
    assert look("win_rate_by_score_decile", group="decile 02") == 0.0


def test_score_area_with_ties_is_scipys_u():
    from scipy import stats

    scores = [(5, 1), (5, 0), (3, 0), (8, 1), (2, 1), (2, 0), (8, 0)]
    leads = [lead(k, "01-01", mql_at="01-01", score=score) for k, (score, _) in enumerate(scores)]
    deals = [deal(k, "01-02", "02-01", "won", lead_id=f"l{k}") for k, (_, won) in enumerate(scores) if won]
    look = Look({"leads": leads, "opportunities": deals}, "marketing_qualified_leads")
    winners, others = [s for s, w in scores if w], [s for s, w in scores if not w]
    u = stats.mannwhitneyu(winners, others).statistic
    assert look("score_ranks_winners") == pytest.approx(u / (len(winners) * len(others)))


def test_mql_to_sql_within_the_usual_window():
    leads = [lead(k, "01-01", mql_at="01-02", sql_at=f"01-{2 + k:02d}") for k in range(1, 10)]
    leads += [
        lead(10, "01-01", mql_at="01-02", sql_at="03-03"),
        lead(11, "01-01", mql_at="01-02", disqualified_at="01-03"),
    ]
    leads += [lead(12, "01-01", mql_at="01-02")]
    look = Look({"leads": leads}, "mql_to_sql_rate")
    # Ten of twelve get there, on days 1 to 9 and on day 60. Nine of ten by day 9: the window. So 9 of 12.
    assert look("MQL_to_SQL") == pytest.approx(9 / 12)
    assert look("MQL_to_SQL", what="raw") == pytest.approx(9 / 12)
    assert look("MQL_to_SQL", what="matured") == 1.0
    assert look("SQLs_per_MQL_in_period") == pytest.approx(10 / 12)
    assert look.missing("accepted_by_sales") == "needs table leads, column accepted_at"


def test_a_young_cohort_is_not_read_as_a_drop():
    old = [lead(k, "2025-10-01", mql_at="2025-10-01", sql_at="2025-10-11") for k in range(5)]
    old += [lead(10 + k, "2025-10-01", mql_at="2025-10-01") for k in range(5)]
    young = [lead(20 + k, "03-26", mql_at="03-26") for k in range(10)]
    look = Look({"leads": old + young}, "mql_to_sql_rate")
    # Half of the old cohort got there on day 10; the young one is 5 days old and nobody has, as nobody had then.
    assert look("MQL_to_SQL", what="raw") == 0.0
    assert look("MQL_to_SQL", what="matured") == 0.0
    assert look("MQL_to_SQL") == pytest.approx(0.5)


def test_leads_to_appointments_from_dates_or_from_meetings():
    leads = [lead(1, "01-01", appointment_at="01-11"), lead(2, "01-01"), lead(3, "01-01", disqualified_at="01-05")]
    assert Look({"leads": leads}, "lead_to_appointment_rate")() == pytest.approx(1 / 3)
    plain = [lead(k, "01-01") for k in (1, 2, 3)]
    met = [
        {"activity_id": "m", "type": "Meeting", "occurred_at": day("01-11"), "lead_id": "l1"},
        {"activity_id": "c", "type": "Call", "occurred_at": day("01-11"), "lead_id": "l2"},
    ]
    assert Look({"leads": plain, "activities": met}, "lead_to_appointment_rate")() == pytest.approx(1 / 3)


def test_requests_for_proposal():
    leads = [lead(1, "01-01", mql_at="01-02", rfp_at="02-01"), lead(2, "01-01", mql_at="01-02", archived_at="01-09")]
    look = Look({"leads": leads}, "requests_for_proposal")
    assert look("requests") == 1
    assert look("share_of_qualified") == pytest.approx(1 / 2)


def test_proposals_to_presentations():
    leads = [
        lead(1, "01-01", proposal_at="02-01", presentation_at="02-01"),
        lead(2, "01-01", proposal_at="02-01", presentation_at="01-15"),  # presented before the proposal: no
        lead(3, "01-01", proposal_at="02-01", archived_at="02-15"),
    ]
    look = Look({"leads": leads}, "proposal_to_presentation")
    assert look() == pytest.approx(1 / 3)
    assert look("proposals") == 3


def test_lead_share_by_channel_adds_up():
    leads = [
        lead(1, "01-01", channel="Email"),
        lead(2, "01-01", channel="Email"),
        lead(3, "01-01", channel="Event"),
        lead(4, "01-01"),
    ]
    deals = [deal(1, "01-02", "02-01", "won", lead_id="l3")]
    look = Look({"leads": leads, "opportunities": deals}, "lead_share_by_channel")
    assert look(group="Email") == pytest.approx(2 / 4)
    assert look(group="(not given)") == pytest.approx(1 / 4)
    assert look.part().grid.value[:, -1].sum() == pytest.approx(1.0)
    assert look("share_of_wins", group="Event") == 1.0


def test_archived_to_active():
    leads = [
        lead(1, "2025-10-01", archived_at="2025-12-01"),
        lead(2, "2025-10-01", archived_at="02-01"),
        lead(3, "2025-10-01", last_activity_at="2025-11-01", score=5),
        lead(4, "2025-10-01", last_activity_at="03-30", score=5),
        lead(5, "2025-10-01", disqualified_at="2025-11-01"),
        lead(6, "03-01"),
    ]
    look = Look({"leads": leads}, "archived_to_active_leads")
    # End of 2025: archived l1; active l2, l3, l4. End of March: archived l1, l2; active l3, l4, l6.
    assert look(back=1) == pytest.approx(1 / 3)
    assert look() == pytest.approx(2 / 3)
    assert look("suggested_to_archive") == 1  # l3: quiet for 150 days; l6 is 30 days old


def test_knowledge_about_leads():
    leads = [
        lead(1, "01-01", accepted_at="01-05", title="CFO", account_id="a1"),
        lead(2, "01-01", accepted_at="01-05"),
    ]
    contacts = [{"contact_id": str(k), "account_id": "a1"} for k in range(3)]
    known = data(
        {"leads": leads, "contacts": contacts},
        definitions={"required_fields": {"title": 3, "account_id": 1, "score": 4}},
    )
    look = Look(known, "lead_knowledge")
    assert look("depth") == pytest.approx((4 / 8 + 0) / 2)
    assert look("contacts_per_account") == 3.0  # of the lead with an account
    assert look("breadth") == pytest.approx(3 / 4)


def test_leakage():
    leads = [
        lead(1, "2025-10-01", disqualified_at="2025-10-11", mql_at="2025-10-05"),
        lead(2, "2025-10-01", last_activity_at="2025-10-02"),  # silent since: 180 days are over on 31 March
        lead(3, "2025-10-01"),
        lead(4, "2025-10-01", last_activity_at="03-01"),
        lead(5, "2025-10-01"),
    ]
    deals = [
        deal(3, "2025-10-10", "2025-12-01", "won", lead_id="l3"),
        deal(5, "2025-10-10", "2025-12-01", "lost", lead_id="l5"),
    ]
    look = Look({"leads": leads, "opportunities": deals}, "lead_leakage")
    assert look("leakage", back=1, what="raw") == pytest.approx(3 / 5)  # l1, l2, l5; l3 was won, l4 still goes
    # Day 10: 1/5. Day 61: l3 is won and l5 lost, of four at risk: + 4/5 x 1/4. Day 181: l2, of two: + 2/5 x 1/2.
    assert look("leakage", back=1) == pytest.approx(1 / 5 + 1 / 5 + 1 / 5)
    assert look("leads_that_left_by_stage", group="2: MQL", back=1) == pytest.approx(1 / 2)  # l1 of l1, l5 in 2025Q4
    assert look("leads_that_left_by_stage", group="1: lead") == 1.0  # l2 fell silent in 2026Q1


def test_good_and_bad_leaks():
    leads = [
        lead(1, "01-01", industry="Banking", disqualified_at="01-05"),
        lead(2, "01-01", industry="banking"),
        lead(3, "01-01", industry="Farming", archived_at="01-05"),
    ]
    known = data({"leads": leads}, definitions={"ideal_customer": {"industries": ["Banking"]}})
    look = Look(known, "lead_leakage")
    assert look("leakage_by_fit", group="bad leak: fits the ideal customer") == pytest.approx(1 / 2)
    assert look("leakage_by_fit", group="good leak: does not fit") == 1.0


def test_ideal_customer_as_agreed():
    leads = [
        lead(1, "01-01", industry="Banking", employees=200),
        lead(2, "01-01", industry="Banking", employees=5),
        lead(3, "01-01", industry="Farming", employees=200),
        lead(4, "01-01"),
    ]
    deals = [
        deal(1, "2025-12-01", "02-01", "won", segment="Banking"),
        deal(2, "2025-12-01", "02-01", "lost", segment="Banking"),
        deal(3, "2025-12-01", "02-01", "won", segment="Farming"),
        deal(4, "2025-12-01", "02-01", "lost", segment="Farming"),
        deal(5, "2025-12-01", "02-01", "lost", segment="Farming"),
        deal(6, "2025-12-01", "02-01", "lost", segment="Farming"),
        deal(7, "02-01", segment="Banking"),
        deal(8, "02-01"),
    ]
    contacts = [{"contact_id": "c", "account_id": "a7", "is_decision_maker": 1}]
    known = data(
        {"leads": leads, "opportunities": deals, "contacts": contacts},
        definitions={"ideal_customer": {"industries": ["banking"], "employees_from": 100}},
    )
    look = Look(known, "ideal_customer_fit")
    assert look("fitting_share") == pytest.approx(1 / 4)
    assert look("fitting_share_of_opportunities") == pytest.approx(1 / 2)
    assert look("win_rate_lift") == pytest.approx((1 / 2) / (1 / 4))
    assert look("decision_maker_known") == pytest.approx(1 / 2)


def test_ideal_customer_is_learned_from_before_each_period():
    past = [deal(k, "2025-01-01", "2025-03-01", "won" if k < 15 else "lost", segment="Banking") for k in range(20)]
    past += [
        deal(100 + k, "2025-01-01", "2025-03-01", "won" if k < 5 else "lost", segment="Farming") for k in range(20)
    ]
    # In the period shown it is the other way round: that must not be learned.
    now = [deal(200 + k, "01-01", "02-01", "won", segment="Farming") for k in range(30)] + [
        deal(300, "01-01", segment="Banking")
    ]
    look = Look({"opportunities": past + now}, "ideal_customer_fit")
    assert look("fitting_share") == pytest.approx(1 / 31)


def test_the_ideal_customer_of_a_period_is_the_same_however_many_periods_are_shown():
    # Learned by 2025Q4: Banking won 15 of 20. Before 2026Q1 Farming won 30 of 30 as well, and Banking is below the mean.
    first = [deal(k, "2025-01-01", "2025-03-01", "won" if k < 15 else "lost", segment="Banking") for k in range(20)]
    first += [deal(50 + k, "2025-01-01", "2025-03-01", "lost", segment="Farming") for k in range(10)]
    second = [deal(100 + k, "2025-11-01", "2025-12-01", "won", segment="Farming") for k in range(30)]
    now = [deal(200, "01-01", segment="Banking"), deal(201, "01-01", segment="Farming")]
    known = {"opportunities": [*first, *second, *now]}
    for periods in (2, 3, 6):
        look = Look(known, "ideal_customer_fit", periods=periods)
        # Before 2026Q1: 45 of 60 won in all; Banking 15 of 20 is no more than that, Farming 30 of 40 neither.
        assert look.missing(back=0)
        # 2025Q4: only Banking had won more than the 15 of 30 by then, and all 30 deals are Farming's.
        assert look(back=1) == 0.0
    assert "too few deals" in Look(known, "ideal_customer_fit", periods=6).missing(back=4)
