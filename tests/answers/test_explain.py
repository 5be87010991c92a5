"""What moves a deal's chance sums to the chance, and the bridge from the CRM's percentages sums to the forecast."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kpis.answers.explain import against_crm, crm_bridge, effects, explain_deal
from kpis.answers.outlook import outlook
from kpis.assumptions import Assumptions
from kpis.errors import AssumptionError
from kpis.forecast.backtest import crm_probability, record
from kpis.forecast.model import fit
from kpis.forecast.rates import rates
from kpis.forecast.rules import rules
from kpis.intake import read
from tests.forecast.crm import crm, opp
from tests.oracle.chance import fate

SCENARIOS = {
    "as estimated": Assumptions(),
    "slow and slipping": Assumptions(sales_cycle=1.4, slippage=0.3),
    "better": Assumptions(close_rate=1.3, close_rates={"Proposal": 0.75}, deal_size=1.2, deal_size_open=True),
}


@pytest.fixture(scope="module")
def base(sample_data):
    data = read(sorted(sample_data.glob("*.csv"))).dataset
    model = fit(data)
    return outlook(data, model, None, record(data, model))


@pytest.fixture(params=SCENARIOS, scope="module")
def found(base, request):
    return base.under(SCENARIOS[request.param])


def every(found):
    """What the chances of all open deals are made of."""
    return effects(found, np.arange(len(found.model.open_deals.row)))


def test_the_parts_of_every_chance_sum_to_it(found):
    parts = every(found)
    assert parts.points.sum(0) == pytest.approx(found.projection.deal_p, abs=1e-12)
    assert {"segment", "source", "owner", "amount"} <= set(parts.names)


def test_only_an_assumed_slippage_moves_a_chance_by_slippage(base):
    at = every(base).names.index("slippage")
    assert np.abs(every(base).points[at]).max() < 1e-12
    moved = every(base.under(SCENARIOS["slow and slipping"])).points[at]
    assert (moved[:, 0] < 0).all()
    assert moved[:, 0] == pytest.approx(-moved[:, 1])


def test_traits_pull_the_way_of_their_hazard_ratios(base):
    """Within a stage and age, the deals of the best source gain from it and those of the worst lose, on average."""
    parts, hazards = every(base), base.model.hazards
    at = [c.name for c in hazards.covariates].index("source")
    covariate, (forward, losing) = hazards.covariates[at], hazards.ratios[at]
    points = parts.points[parts.names.index("source"), :, 0]
    code = covariate.code[base.model.open_deals.row]
    mean = np.array([points[code == level].mean() if (code == level).any() else 0.0 for level in range(len(forward))])
    odds = forward / losing
    assert mean[odds.argmax()] > 0
    assert mean[odds.argmin()] < 0


def test_the_first_two_parts_are_those_of_an_average_deal():
    """One stage, 60 wins, so the amount is the only trait; a forward walk gives a deal with ratios of 1."""
    rng = np.random.default_rng(5)
    deals = []
    for k in range(300):
        created, length = 2 * k, int(rng.integers(5, 120))
        closed = created + length if created + length <= 600 else None
        status = ("won" if rng.random() < 0.25 else "lost") if closed else "open"
        deals.append(opp(k, created, closed, status, amount=float(rng.choice([100.0, 900.0, 5000.0]))))
    data = crm(deals, today=600)
    model = fit(data)
    found = outlook(data, model)
    parts, held = every(found), model.open_deals
    assert parts.names == ("stage", "days in stage", "amount", "expected close", "record", "slippage")
    average = rates(replace(model.hazards, forward=np.ones(1), losing=np.ones(1)))
    for k in (0, len(held.age) // 2, len(held.age) - 1):
        fresh, aged = (
            fate(average, 0, 0, int(average.age(np.array(u))), model.today, model.ends, model.calendar)[:3, 0]
            for u in (0, held.age[k])
        )
        assert parts.points[0, k] == pytest.approx(fresh)
        assert parts.points[1, k] == pytest.approx(aged - fresh)
        assert parts.points[2, k] == pytest.approx(found.projection.deal_p[k] - aged)


def test_one_deal_in_words(base):
    model = base.model
    k = int(np.argmax(base.projection.deal_p[:, 0]))
    deal = model.stints.deals["opportunity_id"].iloc[model.open_deals.row[k]]
    answer = explain_deal(base, deal)
    table = answer.tables["effects"]
    for w in range(3):
        assert table[f"p_{w}"].sum() == pytest.approx(base.projection.deal_p[k, w], abs=1e-9)
    stage = model.stages[model.open_deals.stage[k]]
    assert table["reason"].iloc[0] == f"Any deal on its first day in {stage}"
    assert answer.numbers["p_hit_won"].value >= base.landings[0].p_hit >= answer.numbers["p_hit_lost"].value
    assert answer.sentence.startswith("Likely to be won: ")
    with pytest.raises(AssumptionError, match="no open deal 'nobody'"):
        explain_deal(base, "nobody")


def test_the_bridge_from_the_crm_sums_exactly(found):
    table = crm_bridge(found).tables["bridge"]
    first, *steps, last = table["amount"]
    assert first + sum(steps) == pytest.approx(last, rel=1e-12)
    promised = rules(found.model, crm_probability(found.dataset, found.model))["CRM probability x CRM date"][0]
    assert first == pytest.approx(promised)
    assert last == pytest.approx(found.projection.windows[0].from_open)


def test_the_stages_beside_the_crm(base):
    table = against_crm(base)
    assert list(table["stage"]) == [name for name in base.model.process if name in set(table["stage"])]
    assert table["deals"].sum() == len(base.model.open_deals.row)
    assert table["crm"].to_numpy() == pytest.approx((table["crm_share"] * table["amount"]).to_numpy())
    assert table["model_share"].between(0, 1).all()


def test_without_percentages_there_is_nothing_to_compare_with():
    data = crm([opp(k, k, k + 30 if k % 2 else None) for k in range(60)], today=120)
    answer = crm_bridge(outlook(data, fit(data)))
    assert "nothing to compare" in answer.sentence
    assert "bridge" not in answer.tables
