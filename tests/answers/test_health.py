"""Deals at risk: money by flag, the assist list and its edits, what the outcome depends on, and the command."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date

import numpy as np
import pandas as pd
import pytest

from kpis.answers.assists import TYPES, agreed, assists, titles
from kpis.answers.dependence import dependence
from kpis.answers.health import deal_health, document
from kpis.answers.outlook import outlook
from kpis.answers.pipeline import COMPOSITIONS, deal_table, pipeline_health
from kpis.answers.render import as_json, records
from kpis.answers.words import percent
from kpis.assumptions import Assumptions
from kpis.forecast.backtest import record
from kpis.forecast.model import fit
from kpis.forecast.risks import BLOCKERS
from kpis.intake import read


@pytest.fixture(scope="module")
def found(sample_data):
    data = read(sorted(sample_data.glob("*.csv"))).dataset
    model = fit(data)
    return outlook(data, model, None, record(data, model))


def test_deals_add_up_to_the_forecast_under_every_lever(found):
    for assumptions in (Assumptions(), Assumptions(deal_size=1.5, deal_size_open=True, slippage=0.2)):
        under = found.under(assumptions)
        deals = deal_table(under)
        assert deals["expected"].sum() == pytest.approx(under.landings[0].from_open)
        tables = pipeline_health(under).tables
        for name in COMPOSITIONS:
            assert tables[name]["deals"].sum() == len(deals)
            assert tables[name]["expected"].sum() == pytest.approx(under.landings[0].from_open)
            assert tables[name]["amount"].sum() == pytest.approx(deals["amount"].sum())


def test_compositions_stand_in_their_own_order(found):
    tables = pipeline_health(found).tables
    order = {name: k for k, name in enumerate(found.model.process)}
    assert list(tables["stage"]["stage"]) == sorted(tables["stage"]["stage"], key=order.get)
    assert list(tables["pushes"]["pushed"]) == ["never pushed", "pushed once", "pushed twice or more"]
    assert list(tables["age"]["age_band"])[:2] == ["0 to 30 days", "31 to 60 days"]
    assert tables["segment"]["amount"].is_monotonic_decreasing


def test_money_at_risk_by_flag(found):
    answer, flags = deal_health(found), found.model.flags
    worth = found.projection.deal_amount * found.projection.deal_p[:, 0]
    any_flag = flags.raised.any(0)
    assert answer.numbers["at_risk"].value == pytest.approx(worth[any_flag].sum())
    assert answer.numbers["at_risk_share"].value == pytest.approx(worth[any_flag].sum() / worth.sum())
    assert answer.numbers["flagged"].value == any_flag.sum()
    table = answer.tables["risks"].set_index("flag")
    assert table["at_risk"].is_monotonic_decreasing
    for risk, on in zip(flags.known, flags.raised, strict=True):
        assert table.loc[risk.flag, "deals"] == on.sum()
        assert table.loc[risk.flag, "amount"] == pytest.approx(found.model.open_amount[on].sum())
        assert table.loc[risk.flag, "at_risk"] == pytest.approx(worth[on].sum())
    first = answer.tables["risks"].iloc[0]
    assert f"{first['flag']} ({first['deals']} deals" in answer.sentence


def test_the_assist_list_gives_each_deal_what_its_blocker_calls_for(found):
    answer = assists(found)
    table = answer.tables["assists"]
    deals = deal_table(found).set_index("opportunity_id")
    assert list(table["opportunity_id"]) == [key for key in deals.index if deals.loc[key, "flags"]]
    assert set(table["blocker"]) <= set(BLOCKERS)
    offered = titles(found.dataset)
    assert set(table["asset"]) - {""} <= set(offered)
    cursor = found.dataset.engine.cursor()
    assets = cursor.frame("content_assets").to_native().df().set_index("title")
    for row in table.itertuples():
        if row.asset:
            assert assets.loc[row.asset, "type"].lower() in TYPES[row.blocker]
    used = cursor.frame("content_events").to_native().df()
    had = set(zip(used["opportunity_id"], used["asset_id"], strict=True))
    assert not any((r.opportunity_id, assets.loc[r.asset, "asset_id"]) in had for r in table.itertuples() if r.asset)
    assert (table["due"] <= date(2026, 8, 21)).all()
    assert (table["due"] > date(2026, 8, 14)).all()


def test_without_an_open_deal_nobody_needs_help():
    deal = b"opportunity_id,stage,status,amount,created_at,closed_at\nA,Won,won,5,2026-02-15,2026-05-21\n"
    data = read([("deals.csv", deal)]).dataset
    model = fit(data)
    answer = assists(outlook(data, model, None, record(data, model)))
    assert answer.sentence == "No open deal carries a risk flag, so none needs help."
    assert len(answer.tables["assists"]) == 0


def test_deals_without_names_are_told_without_names():
    open_deal = b"opportunity_id,stage,status,amount,created_at\nA,Demo,open,0,2026-02-15\n"
    data = read([("deals.csv", open_deal)]).dataset
    model = fit(data)
    told = json.loads(as_json(document(outlook(data, model, None, record(data, model)))))
    assert [(deal["opportunity_id"], deal["name"], deal["flags"]) for deal in told["deals"]] == [
        ("A", None, ["no amount"])
    ]
    assert [(deal["opportunity_id"], deal["name"], deal["owner"]) for deal in told["assists"]] == [("A", None, None)]


def test_a_record_has_null_for_what_is_no_number():
    table = pd.DataFrame(
        {"name": pd.Series(["A", None], dtype="str"), "n": [1, 2], "share": [0.5, np.nan], "most": [np.inf, 2.0]}
    )
    assert records(table) == [
        {"name": "A", "n": 1, "share": 0.5, "most": None}, {"name": None, "n": 2, "share": None, "most": 2.0},
    ]  # fmt: skip


def test_edits_hold_by_deal_and_a_new_blocker_brings_its_asset(found):
    proposed = assists(found)
    table = proposed.tables["assists"]
    deal = table[table["blocker"] == "urgency"]["opportunity_id"].iloc[0]
    other = table["opportunity_id"].iloc[-1]
    edits = {deal: {"blocker": "assurance"}, other: {"owner": "Ann", "asset": "A call"}, "gone": {"owner": "X"}}
    after = agreed(proposed, edits).set_index("opportunity_id")
    choices = proposed.tables["choices"].set_index(["opportunity_id", "blocker"])["asset"]
    assert after.loc[deal, "blocker"] == "assurance"
    assert after.loc[deal, "asset"] == choices[deal, "assurance"]
    assert (after.loc[other, "owner"], after.loc[other, "asset"]) == ("Ann", "A call")
    both = agreed(proposed, {deal: {"blocker": "context", "asset": "A call"}}).set_index("opportunity_id")
    assert both.loc[deal, "asset"] == "A call"
    untouched = agreed(proposed, {})
    assert untouched[list(table)].equals(table)
    assert list(after.columns) == list(table.columns)[1:]


def test_what_the_outcome_depends_on(found):
    answer = dependence(found)
    table, told = answer.tables["depends_on"], answer.document
    assert 1 <= len(table) <= 3
    assert (table["p_hit_won"] > found.landings[0].p_hit).all()
    assert (table["p_hit_lost"] < found.landings[0].p_hit).all()
    biggest = told["without_biggest"]
    amounts = found.model.open_amount
    assert biggest["amount"] == amounts.max()
    assert biggest["p_hit"] <= biggest["instead_of"] == found.landings[0].p_hit
    assert f"{percent(biggest['p_hit'])} instead of {percent(biggest['instead_of'])}" in answer.sentence
    assert np.all(np.diff(told["p_hit_by_count"]) >= 0)


def test_without_a_target_or_with_one_that_is_met_no_deal_decides(found):
    met = found.under(Assumptions(targets=(1.0,)))
    assert "the target is met" in dependence(met).sentence
    none = outlook(found.dataset, found.model, Assumptions(), found.record)
    assert len(dependence(none).tables["depends_on"]) > 0
    far = dependence(found.under(Assumptions(targets=(1e9,))))
    assert "No single deal decides" in far.sentence


def test_the_command_says_what_the_page_says(found, root, sample_data):
    command = [sys.executable, "-m", "kpis", "health", str(sample_data), "--json"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=180)
    told = json.loads(done.stdout)
    assert set(told) >= {"deals", "coverage", "depends_on"}
    here = json.loads(json.dumps(document(found), default=str))
    assert told == here
    deals = deal_health(found).tables["deals"]
    assert [d["opportunity_id"] for d in told["deals"]] == list(deals["opportunity_id"])
    assert [d["p"] for d in told["deals"]] == deals[["p_0", "p_1", "p_2"]].to_numpy().tolist()
    assert [", ".join(d["flags"]) for d in told["deals"]] == list(deals["flags"])
    assert [d["blocker"] or "" for d in told["deals"]] == list(deals["blocker"])
    for deal in told["deals"]:
        assert [sum(row[f"p_{w}"] for row in deal["why"]) for w in range(3)] == pytest.approx(deal["p"], abs=1e-9)
    assert told["coverage"]["p_hit"] == found.landings[0].p_hit
    assert [d["p_hit_won"] for d in told["depends_on"]] == list(dependence(found).tables["depends_on"]["p_hit_won"])
