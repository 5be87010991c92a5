"""A/B tests against scipy, statsmodels and worked values; what leaking leads share; the audits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep

from kpis.answers.content_audit import content_audit
from kpis.answers.experiments import analyse, experiments, landed_on, landing_pages, plan
from kpis.answers.leads import lead_quality, leak_drivers
from kpis.errors import AssumptionError, NotEnoughData
from kpis.measures.core.experiment import (
    compare,
    days_needed,
    holm,
    lift_of,
    probability_better,
    sample_size,
    smallest_lift,
)
from tests.measures.look import data, day
from tests.measures.test_leads import lead
from tests.measures.test_sales import deal


def test_a_comparison_is_fishers_newcombes_and_betas():
    found = compare(20, 200, 35, 210)
    assert found.p_value == pytest.approx(stats.fisher_exact([[20, 180], [35, 175]]).pvalue)
    low, high = confint_proportions_2indep(35, 210, 20, 200, method="newcomb", compare="diff")
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))
    rng = np.random.default_rng(1)
    drawn = (rng.beta(36, 176, 400_000) > rng.beta(21, 181, 400_000)).mean()
    assert found.better == pytest.approx(drawn, abs=0.003)
    assert found.difference == pytest.approx(35 / 210 - 0.1)


def test_the_chance_to_be_better_of_the_same_is_one_half():
    assert probability_better(10, 100, 10, 100) == pytest.approx(0.5, abs=1e-4)
    # 0 of 1 against 1 of 1: Beta(1, 2) and Beta(2, 1): P(B > A) = 5/6.
    assert probability_better(0, 1, 1, 1) == pytest.approx(5 / 6, abs=1e-4)


def test_an_impossible_sample_is_refused():
    with pytest.raises(AssumptionError, match="B: 5 of 4 is no sample"):
        compare(1, 2, 5, 4)


def test_sample_sizes_are_the_tables():
    assert sample_size(0.10, 0.20) == 3841  # Fleiss without continuity correction: 10 % to 12 %, power 80 %
    assert sample_size(0.50, 0.20) == 388  # 50 % to 60 %
    lift = smallest_lift(0.10, 3841)
    assert lift == pytest.approx(0.20, abs=1e-3)
    assert smallest_lift(0.5, 2) is None
    assert days_needed(3841, 300) == pytest.approx(25.6, abs=0.01)
    with pytest.raises(AssumptionError, match="cannot be planned"):
        sample_size(0.6, 0.8)
    with pytest.raises(AssumptionError, match="no test can be run"):
        days_needed(10, 0)


def test_holm_is_statsmodels():
    p = np.array([0.01, 0.04, 0.03, 0.005, 0.9])
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    assert holm(np.array([0.02])) == pytest.approx([0.02])


def test_lift_and_its_interval():
    # 30 of 100 against 20 of 100: 1.5, se log = sqrt(1/30 - 1/100 + 1/20 - 1/100).
    lift, low, high = (float(x[0]) for x in lift_of(*(np.array([x]) for x in (30.0, 100.0, 20.0, 100.0))))
    se = np.sqrt(1 / 30 - 1 / 100 + 1 / 20 - 1 / 100)
    assert lift == pytest.approx(1.5)
    assert (low, high) == (pytest.approx(1.5 * np.exp(-1.959964 * se)), pytest.approx(1.5 * np.exp(1.959964 * se)))
    assert np.isfinite(lift_of(*(np.array([x]) for x in (0.0, 50.0, 10.0, 50.0)))).all()


def test_plan_and_analysis_are_answers():
    answer = plan(0.10, 0.20, 300)
    assert answer.numbers["members"].value == 3841
    assert "26 days" in answer.sentence
    assert (answer.tables["lifts"]["members"].diff().dropna() < 0).all()
    assert "cannot tell" in analyse(20, 200, 35, 210).sentence
    assert "more than chance alone makes" in analyse(20, 200, 60, 210).sentence


def mailing(campaign, variant, sent, opens, clicks, when="02-01"):
    return {
        "campaign_id": campaign, "variant": variant, "sent_at": day(when), "sent": sent,
        "unique_opens": opens, "unique_clicks": clicks,
    }  # fmt: skip


def test_experiments_compare_variants_of_a_campaign():
    emails = [
        mailing("k1", "A", 600, 60, 6), mailing("k1", "A", 400, 40, 4, "03-01"), mailing("k1", "B", 1000, 200, 20),
        mailing("k2", "A", 100, 10, 1), mailing("k2", "B", 100, 12, 1),
        mailing("k3", "A", 100, 10, 1), mailing("k1", "C", 9_999, 9_999, 1, "2025-01-01"),
    ]  # fmt: skip
    tests = experiments(data({"emails": emails}), periods=1).tables["tests"]
    opened = tests[(tests["campaign"] == "k1") & (tests["outcome"] == "opened")].iloc[0]
    assert (opened["n_a"], opened["rate_a"], opened["rate_b"]) == (1000, 0.1, 0.2)
    assert opened["verdict"] == "B is better"
    assert opened["corrected"] == pytest.approx(4 * opened["p_value"])  # four comparisons, this the smallest
    assert set(tests["campaign"]) == {"k1", "k2"}
    assert (tests.loc[tests["campaign"] == "k2", "verdict"] == "cannot tell").all()
    with pytest.raises(NotEnoughData, match="no mailing"):
        experiments(data({"emails": [mailing("k3", "A", 100, 10, 1)]}), periods=1)


def test_landing_pages_are_compared_by_visits():
    visits = [
        {"session_id": f"s{k}", "started_at": day("02-01"), "landing_page": "/a" if k < 40 else "/b",
         "converted_lead_id": f"l{k}" if k % 40 < (4 if k < 40 else 20) else None}
        for k in range(80)
    ]  # fmt: skip
    answer = landing_pages(data({"web_sessions": visits}), "/a", "/b")
    assert (answer.numbers["rate_a"].value, answer.numbers["rate_b"].value) == (0.1, 0.5)
    assert answer.numbers["p_value"].value == pytest.approx(stats.fisher_exact([[4, 36], [20, 20]]).pvalue)
    assert landed_on(data({"web_sessions": visits[30:]})) == ("/b", "/a")  # 40 visits, 10 visits
    with pytest.raises(NotEnoughData, match="nobody landed on /c"):
        landing_pages(data({"web_sessions": visits}), "/a", "/c")


def leaky(number, gone, **more):
    return lead(number, "2025-06-01", **({"disqualified_at": "2025-07-01"} if gone else {}), **more)


def test_what_leakers_share_is_corrected_for_looks():
    # By channel: 60 Event leads of which 50 left, 60 Email of which 20 left; industry tells nothing. Young leads count nowhere.
    leads = [leaky(k, k < 50, channel="Event", industry="A" if k % 2 else "B") for k in range(60)]
    leads += [leaky(100 + k, k < 20, channel="Email", industry="A" if k % 2 else "B") for k in range(60)]
    leads += [lead(300 + k, "03-01", channel="Event", disqualified_at="03-02") for k in range(50)]
    table = leak_drivers(data({"leads": leads}, newest=day("2026-03-31"))).tables["drivers"]
    event = table[(table["attribute"] == "channel") & (table["value"] == "Event")].iloc[0]
    assert (event["leads"], event["left"]) == (60, 50)
    assert event["share_of_others"] == pytest.approx(20 / 60)
    assert event["lift"] == pytest.approx(2.5)
    p = stats.fisher_exact([[50, 10], [20, 40]]).pvalue
    assert event["p_value"] == pytest.approx(p)
    assert event["corrected"] == pytest.approx(4 * p)  # two channels and two industries
    assert event["tells"]
    assert not table.loc[table["attribute"] == "industry", "tells"].any()


def test_lead_quality_by_decile():
    leads = [lead(k, "01-01", score=k) for k in range(100)]
    deals = [deal(k, "01-10", "02-01", "won", lead_id=f"l{k}") for k in range(80, 100)]
    answer = lead_quality(data({"leads": leads, "opportunities": deals}), periods=1)
    deciles = answer.tables["deciles"]
    assert deciles["leads"].tolist() == [10] * 10
    assert deciles["share"].tolist() == [0.0] * 8 + [1.0] * 2
    assert answer.numbers["ranks"].value == 1.0
    assert "the score ranks leads" in answer.sentence
    with pytest.raises(NotEnoughData, match="needs table leads, column score"):
        lead_quality(data({"leads": [lead(1, "01-01")], "opportunities": deals}))


def test_content_audit_keeps_refreshes_and_retires():
    assets = [{"asset_id": name, "title": name.upper(), "published_on": day("2025-01-01")} for name in "abcd"]
    assets.append({"asset_id": "old", "title": "Old", "published_on": day("2025-01-01"), "retired": 1})
    events = [
        {"asset_id": name, "event": kind, "occurred_at": day("02-01")}
        for name, kind, times in (
            ("a", "download", 5),
            ("a", "view", 9),
            ("b", "view", 1),
            ("c", "download", 2),
            ("old", "view", 3),
        )
        for _ in range(times)
    ]
    leads = [lead(k, "01-05", asset_id="a" if k < 3 else "b", mql_at="01-20") for k in range(4)]
    answer = content_audit(data({"content_assets": assets, "content_events": events, "leads": leads}), periods=1)
    table = answer.tables["assets"].set_index("asset_id")
    assert sorted(table.index) == ["a", "b", "c", "d"]  # what is retired is no longer on offer
    assert table.loc["a", "verdict"] == "keep"
    assert table.loc["d", "verdict"] == "retire"  # nobody saw it
    assert table.loc["a", ["views", "downloads"]].tolist() == [9, 5]
    assert table["never_downloaded"].to_dict() == {"a": False, "b": True, "c": False, "d": True}
    assert sum(answer.document["verdicts"].values()) == 4
