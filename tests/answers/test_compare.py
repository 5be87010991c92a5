"""Scenarios side by side: the bridge adds up, and each lever alone has the whole difference."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpis.answers.board import lever_board, set_to
from kpis.answers.compare import MOST_CHANGES, compare
from kpis.answers.outlook import outlook
from kpis.answers.what_if import Variation, goal_seek, tornado, two_levers
from kpis.assumptions import Assumptions
from kpis.errors import AssumptionError, NotEnoughData
from kpis.forecast.backtest import record
from kpis.forecast.levers import OutOfReach
from kpis.forecast.model import fit
from kpis.forecast.projection import course, project
from kpis.intake import read


@pytest.fixture(scope="module")
def found(sample_data):
    data = read([sample_data]).dataset
    model = fit(data)
    return outlook(data, model, Assumptions(), record(data, model))


@pytest.fixture(scope="module")
def stage(found):
    return [x for x in lever_board(found.model) if x.field == "close_rates"][-1].part


def some(found):
    """A lever of each kind: every one costs forecasts of its own."""
    return tuple({lever.field: lever for lever in lever_board(found.model)}.values())


def total(found):
    return math.fsum(x.expected for x in found.landings)


LEVERS = {
    "sales_cycle": st.floats(0.7, 1.4),
    "close_rate": st.floats(0.8, 1.2),
    "new_opportunities": st.floats(0.5, 2.0),
    "deal_size": st.floats(0.5, 2.0),
    "slippage": st.floats(0.05, 0.5),
}


@settings(max_examples=4)
@given(st.fixed_dictionaries({}, optional=LEVERS), st.fixed_dictionaries({}, optional=LEVERS))
def test_shares_add_up_to_the_difference(found, one, other):
    first, second = found.under(Assumptions(**one)), found.under(Assumptions(**other))
    bridge = compare([first, second]).document["bridge"]
    assert bridge["difference"] == pytest.approx(total(second) - total(first), abs=1e-6)
    assert math.fsum(s["share"] for s in bridge["shares"]) == pytest.approx(bridge["difference"], abs=1e-6)


def test_one_changed_lever_has_the_whole_difference(found):
    answer = compare([found, found.under(Assumptions(new_opportunities=1.5))])
    [share] = answer.document["bridge"]["shares"]
    assert share["assumption"] == "New opportunities"
    assert share["share"] == answer.document["bridge"]["difference"] > 0


def test_volume_and_size_of_new_business_share_equally_what_they_make_together(found):
    # New business N scales with volume v and size z: N v z. With v = z = 1.2 both get (1.2 - 1 + 1.44 - 1.2) / 2 = 0.22 N.
    new = sum(x.from_new for x in found.landings)
    bridge = compare([found, found.under(Assumptions(new_opportunities=1.2, deal_size=1.2))]).document["bridge"]
    assert [s["share"] for s in bridge["shares"]] == pytest.approx([0.22 * new, 0.22 * new])


def test_a_rate_that_only_one_scenario_sets_is_put_back(found, stage):
    with_rate = found.under(Assumptions(close_rates={stage: 0.5}))
    forth = compare([found, with_rate]).document["bridge"]
    back = compare([with_rate, found]).document["bridge"]
    assert forth["shares"][0]["assumption"] == f"Close rate per stage, {stage}"
    assert back["difference"] == pytest.approx(-forth["difference"])
    assert back["shares"][0]["share"] == pytest.approx(-forth["shares"][0]["share"])


def test_rates_that_do_not_go_together_still_have_a_bridge(found):
    rates = [x for x in lever_board(found.model) if x.field == "close_rates"]
    early, late = rates[0], rates[-1]
    high, low = early.own.value * 1.1, early.own.value * 0.3
    one, other = {early.part: high}, {early.part: low, late.part: late.own.value * 0.35}
    with pytest.raises(OutOfReach):
        found.under(Assumptions(close_rates={**one, late.part: other[late.part]}))
    bridge = compare([found.under(Assumptions(close_rates=r)) for r in (one, other)]).document["bridge"]
    assert math.fsum(s["share"] for s in bridge["shares"]) == pytest.approx(bridge["difference"], abs=1e-6)


def test_the_same_assumptions_have_no_bridge(found):
    answer = compare([found, found])
    assert answer.document["bridge"] == {"measure": "expected, three periods", "difference": 0.0, "shares": []}
    assert [s["name"] for s in answer.document["scenarios"]] == ["as estimated", "as estimated (2)"]


def test_many_changes_share_by_field(found):
    rates = {x.part: x.own.value * 0.95 for x in lever_board(found.model) if x.field == "close_rates"}
    many = Assumptions(sales_cycle=1.1, new_opportunities=1.1, deal_size=1.1, slippage=0.1, close_rates=rates)
    assert 4 + len(rates) > MOST_CHANGES
    shares = compare([found, found.under(many)]).document["bridge"]["shares"]
    assert {s["assumption"] for s in shares} == {
        "Sales cycle length", "New opportunities", "Deal size", "Slippage", "Close rate per stage",
    }  # fmt: skip


@pytest.mark.parametrize("number", [1, 5])
def test_two_to_four_are_compared(found, number):
    with pytest.raises(AssumptionError, match=f"{number} scenarios"):
        compare([found] * number)


def test_scenarios_that_differ_in_volume_size_or_slippage_share_a_course(found, stage):
    paced = Assumptions(sales_cycle=1.2, close_rates={stage: 0.6})
    others = paced.model_copy(update={"new_opportunities": 2.0, "deal_size": 1.5, "slippage": 0.2})
    assert course(found.model, paced) is course(found.model, others)
    assert course(found.model, paced) is not course(found.model, Assumptions(sales_cycle=1.2))
    anew = fit(found.dataset)
    for scenario in (paced, others, Assumptions(sales_cycle=1.2), Assumptions()):
        shared, fresh = (project(model, scenario, found.projection.calibration) for model in (found.model, anew))
        assert [w.expected for w in shared.windows] == [w.expected for w in fresh.windows]


def test_the_goal_is_reached_at_the_value_that_is_said(found):
    board = some(found)
    reachable = found.under(Assumptions(targets=(found.landings[0].expected * 1.02, found.landings[1].expected * 1.02)))
    variation = Variation(reachable, board, 1)
    goals = goal_seek(variation, 0.5).tables["goals"].set_index("lever")
    hit = goals[goals["value"].notna()]
    assert len(hit) >= 2
    for lever in board:
        if lever.label in hit.index:
            scenario = set_to(reachable.projection.assumptions, lever, hit.loc[lever.label, "value"])
            assert variation.p_hit(scenario) == pytest.approx(0.5, abs=0.02)
        else:
            assert goals.loc[lever.label, "verdict"].startswith(("at most", "still", "it cannot"))


def test_the_widest_lever_comes_first(found):
    swings = tornado(Variation(found, some(found), 1)).tables["swings"]
    widths = swings.groupby("lever", sort=False)["change"].agg(lambda x: x.max() - x.min())
    assert list(widths) == sorted(widths, reverse=True)
    for lever in some(found):
        rows = swings[swings["lever"] == lever.label]
        assert set(rows["end"]) == ({"low", "high"} if lever.own.low is not None else set())


def test_the_map_holds_the_chance_as_it_stands(found):
    board = lever_board(found.model)
    size, volume = (next(x for x in board if x.field == f) for f in ("deal_size", "new_opportunities"))
    with_target = found.under(Assumptions(targets=(found.landings[0].expected,)))
    table = two_levers(Variation(with_target, (size, volume), 2), size, volume).tables["map"]
    ordered = table.sort_values(["y", "x"])["p_hit"].to_numpy().reshape(table["y"].nunique(), -1)
    assert (ordered[:, 1:] >= ordered[:, :-1]).all()
    assert (ordered[1:] >= ordered[:-1]).all()


def test_without_a_target_it_says_so(found):
    none = found.under(Assumptions(targets=(None, None, None)))
    with pytest.raises(NotEnoughData, match="no target"):
        goal_seek(Variation(none, lever_board(found.model), 0), 0.8)
