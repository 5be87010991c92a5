"""Credits by hand, to the cent, and the response to spend against scipy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kpis.answers.attribution import attribution, spend_response
from kpis.errors import NotEnoughData
from kpis.measures.core.attribution import RULES, UNTOUCHED, apportion, credits_by_touch, weights
from kpis.measures.core.response import response
from tests.measures.look import data, day
from tests.measures.test_leads import lead
from tests.measures.test_sales import deal


def by_rule(place, number, days=None):
    found = weights(np.array(place), np.array(number), np.zeros(len(place)) if days is None else np.array(days))
    return {name: list(weight) for name, weight in found.items()}


def test_rules_share_out_four_touches():
    # Four touches, 90, 60, 30 and 0 days before the latest.
    found = by_rule([0, 1, 2, 3], [4] * 4, [90, 60, 30, 0])
    assert found["first"] == [1, 0, 0, 0]
    assert found["last"] == [0, 0, 0, 1]
    assert found["linear"] == [1, 1, 1, 1]
    assert found["40/20/40"] == [0.4, 0.1, 0.1, 0.4]
    assert found["time decay"] == [0.125, 0.25, 0.5, 1]
    assert tuple(found) == RULES


def test_two_touches_get_half_each_and_one_gets_all():
    assert by_rule([0, 1], [2, 2])["40/20/40"] == [1, 1]
    assert by_rule([0], [1])["40/20/40"] == [1]


def test_cents_go_to_the_largest_remainders():
    # 100 cents in thirds: 33.33 each, the odd cent to the first; 10 in the ratio 1 : 2: 3.33 and 6.67.
    assert apportion(100, np.ones(3), np.zeros(3, int)).tolist() == [34, 33, 33]
    assert apportion(10, np.array([1.0, 2.0]), np.zeros(2, int)).tolist() == [3, 7]
    assert apportion(np.array([100, 10]), np.array([1.0, 1.0, 1.0, 2.0]), np.array([0, 0, 1, 1])).tolist() == [
        50,
        50,
        3,
        7,
    ]


@given(
    totals=st.lists(st.integers(-(10**9), 10**12), min_size=1, max_size=5),
    weight=st.lists(st.floats(0, 1e6), min_size=5, max_size=30),
)
def test_no_cent_is_lost_or_made(totals, weight):
    of = np.arange(len(weight)) % len(totals)
    shared = apportion(np.array(totals, dtype=float), np.array(weight), of)
    assert np.bincount(of, shared, len(totals)).tolist() == totals
    assert (shared == np.round(shared)).all()


@given(
    amounts=st.lists(st.floats(0.01, 1e7), min_size=1, max_size=20),
    counts=st.lists(st.integers(0, 6), min_size=20, max_size=20),
)
def test_every_column_adds_up_to_the_revenue_to_the_cent(amounts, counts):
    deals = pd.DataFrame({"opportunity_id": [f"o{k}" for k in range(len(amounts))], "amount": amounts})
    rows = [
        {"opportunity_id": f"o{k}", "touch_day": 10 * t, "close_day": 100, "channel": f"c{t % 3}", "campaign": "x"}
        for k in range(len(amounts))
        for t in range(counts[k])
    ]
    touched = pd.DataFrame(rows, columns=["opportunity_id", "touch_day", "close_day", "channel", "campaign"])
    touched = touched.astype({"touch_day": int, "close_day": int})
    credited = credits_by_touch(deals, touched)
    for rule in RULES:
        assert credited[rule].sum() == round(100 * sum(amounts))
    # A deal keeps its own amount, give or take the cent that sharing out the total moves.
    each = credited.groupby("opportunity_id")["linear"].sum()
    assert each.to_numpy() == pytest.approx(
        100 * deals.set_index("opportunity_id")["amount"].loc[each.index].to_numpy(), abs=1
    )


# o1 is won for 100.01 on 20 March. Its lead came by Email on 1 February (campaign k1), its visitor came again by Search on
# 1 March, and content was taken on 10 March; a visit after the close counts nowhere. o2, won for 50, has no touch.
TABLES = {
    "opportunities": [
        deal(1, "02-10", "03-20", "won", 100.01, lead_id="l1"),
        deal(2, "02-10", "03-21", "won", 50.0),
        deal(3, "02-10", "03-21", "lost", 70.0),
    ],
    "leads": [lead(1, "02-01", channel="Email", campaign_id="k1", visitor_id="v1", source_group="marketing")],
    "web_sessions": [
        {"session_id": "s1", "visitor_id": "v1", "started_at": day("03-01"), "channel": "Search"},
        {"session_id": "s2", "visitor_id": "v1", "started_at": day("03-25"), "channel": "Direct"},
    ],
    "content_events": [{"asset_id": "c", "lead_id": "l1", "event": "download", "occurred_at": day("03-10")}],
}


def test_touches_of_leads_visits_and_content_are_credited():
    answer = attribution(data(TABLES), periods=1)
    channels = answer.tables["channels"].set_index("name")
    assert channels["first"].to_dict() == {"Email": 100.01, "Search": 0.0, "Content": 0.0, UNTOUCHED: 50.0}
    assert channels["last"].to_dict() == {"Email": 0.0, "Search": 0.0, "Content": 100.01, UNTOUCHED: 50.0}
    assert channels["linear"].drop(UNTOUCHED).tolist() == pytest.approx([33.34, 33.34, 33.33], abs=0.011)
    assert channels.loc["Search", "40/20/40"] == pytest.approx(20.00)
    # 28 and 37 days... the touches lie 37, 9 and 0 days before the latest one.
    decay = 0.5 ** (np.array([37, 9, 0]) / 30)
    assert channels.loc["Content", "time decay"] == pytest.approx(100.01 / decay.sum(), abs=0.01)
    assert answer.numbers["revenue"].value == 150.01
    for rule in RULES:
        assert round(channels[rule].sum(), 2) == 150.01
        assert round(answer.tables["campaigns"][rule].sum(), 2) == 150.01
    assert answer.numbers["marketing_sourced"].value == pytest.approx(100.01)
    assert answer.numbers["marketing_influenced"].value == pytest.approx(100.01)
    assert "33 % was won without a recorded touch" in answer.sentence


def test_without_touches_or_wins_it_says_what_it_needs():
    with pytest.raises(NotEnoughData, match="needs touches of deals"):
        attribution(data({"opportunities": TABLES["opportunities"]}), periods=1)
    with pytest.raises(NotEnoughData, match="nothing was won"):
        attribution(data({"opportunities": [deal(3, "02-10", "03-21", "lost")]}), periods=1)


def test_response_is_the_regression_and_ends_with_what_was_tried():
    spend = np.array([100.0, 110, 120, 130, 140, 150, 160, 170, np.nan])
    outcome = 5 * spend**0.7 * np.exp(np.array([0.01, -0.02, 0.02, -0.01, 0.0, 0.01, -0.02, 0.01, 0.0]))
    fit = response(spend, outcome)
    again = stats.linregress(np.log(spend[:8]), np.log(outcome[:8]))
    assert fit.slope == pytest.approx(again.slope)
    assert fit.high - fit.slope == pytest.approx(stats.t.ppf(0.975, 6) * again.stderr)
    assert (fit.least, fit.most) == (100, 170)
    usual, low, high = fit.at(120)
    assert low < usual < high
    assert usual == pytest.approx(np.exp(again.intercept + again.slope * np.log(120)))
    assert fit.at(99.9) is None
    assert fit.at(170.1) is None
    assert response(spend[:7], outcome[:7]) is None
    assert response(np.full(9, 5.0), np.arange(1.0, 10)) is None


def monthly(leads_per_month):
    spend = [{"period": day(f"2025-{m:02d}-01"), "department": "marketing", "amount": 100.0 * m} for m in range(1, 13)]
    leads = [lead(100 * m + k, f"2025-{m:02d}-10") for m in range(1, 13) for k in range(leads_per_month(m))]
    return data({"spend": spend, "leads": leads}, newest=day("2025-12-31"))


def test_spend_response_says_no_evidence_outside():
    known = monthly(lambda month: 2 * month)
    answer = spend_response(known)
    outcome = answer.tables["outcomes"].set_index("outcome").loc["leads"]
    assert outcome["elasticity"] == pytest.approx(1.0)
    assert (outcome["least"], outcome["most"], outcome["months"]) == (100, 1200, 12)
    curve = answer.tables["curve"]
    assert (curve["spend"].min(), curve["spend"].max()) == (100, 1200)
    assert spend_response(known, spend=5_000).sentence.startswith(
        "No evidence at $5.00 k" if known.currency else "No evidence at 5.00 k"
    )
    assert "usually brought 12 leads" in spend_response(known, spend=600).sentence
    with pytest.raises(NotEnoughData, match="needs table spend"):
        spend_response(data({"leads": [lead(1, "01-01")]}))
