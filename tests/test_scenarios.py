"""Scenario files: what is written is read again, and what is impossible is refused by name."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.assumptions import Assumptions
from kpis.errors import AssumptionError
from kpis.scenarios import Clash, assembled, merge, pieces, read_scenario, write_scenario

MULTIPLIER = st.floats(0.25, 4.0)
SCENARIOS = st.builds(
    Assumptions,
    name=st.text(max_size=20),
    sales_cycle=MULTIPLIER,
    close_rate=MULTIPLIER,
    close_rates=st.dictionaries(st.sampled_from(["A", "Verhandlung", "提案"]), st.floats(0.01, 0.99)),
    new_opportunities=MULTIPLIER,
    deal_size=MULTIPLIER,
    deal_size_open=st.booleans(),
    slippage=st.floats(0, 0.9),
    targets=st.lists(st.none() | st.floats(0, 1e9), max_size=3).map(tuple),
)


@given(SCENARIOS)
def test_what_is_written_is_read_again(scenario):
    assert read_scenario(write_scenario(scenario)) == scenario


@given(SCENARIOS)
def test_pieces_make_the_scenario_again(scenario):
    assert assembled(pieces(scenario), name=scenario.name, targets=scenario.targets) == scenario


def test_a_file_holds_what_was_moved_and_nothing_else():
    scenario = Assumptions(name="Hire", new_opportunities=1.2, close_rates={"Proposal": 0.4})
    assert json.loads(write_scenario(scenario)) == {
        "name": "Hire",
        "new_opportunities": 1.2,
        "close_rates": {"Proposal": 0.4},
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("[1]", "one object"),
        ('{"sales_cycel": 1}', "sales_cycel"),
        ('{"sales_cycle": 99}', "sales_cycle"),
        ('{"sales_cycle": NaN}', "sales_cycle"),
        ('{"slippage": "much"}', "slippage"),
        ('{"close_rates": {"Proposal": 1.5}}', "Proposal"),
        (b"\xff\xfe\x00", "not JSON"),
    ],
)
def test_what_is_impossible_is_refused_by_name(text, said):
    with pytest.raises(AssumptionError, match=said):
        read_scenario(text, "mine.json")


# Two edits of one scenario


BASE = Assumptions(name="Plan", sales_cycle=1.2, close_rates={"Proposal": 0.4, "Demo": 0.3}, targets=(1.0, 2.0, 3.0))


def edited(**changes):
    return BASE.model_copy(update=changes)


def test_levers_that_one_side_changed_are_joined():
    mine = edited(sales_cycle=1.0, close_rates={"Proposal": 0.5, "Demo": 0.3})
    theirs = edited(deal_size=1.1, close_rates={"Proposal": 0.4, "Demo": 0.35}, targets=(1.0, 2.0, 4.0))
    both, clashes = merge(BASE, mine, theirs)
    assert clashes == ()
    assert both == Assumptions(
        name="Plan", deal_size=1.1, close_rates={"Proposal": 0.5, "Demo": 0.35}, targets=(1.0, 2.0, 4.0)
    )


def test_levers_that_both_changed_are_listed_and_one_side_is_taken():
    mine, theirs = edited(sales_cycle=1.3, slippage=0.1), edited(sales_cycle=1.0, close_rates={}, slippage=0.1)
    # They put the cycle back on the estimate, which is no value; the same change on both sides is no clash.
    clash = Clash("sales_cycle", "", 1.3, None)
    assert merge(BASE, mine, theirs) == (edited(sales_cycle=1.3, close_rates={}, slippage=0.1), (clash,))
    assert merge(BASE, mine, theirs, prefer_mine=False) == (
        edited(sales_cycle=1.0, close_rates={}, slippage=0.1),
        (clash,),
    )


@given(SCENARIOS, SCENARIOS, SCENARIOS)
def test_merging(base, mine, theirs):
    def without_name(scenario):
        return scenario.model_copy(update={"name": ""})

    assert without_name(merge(base, mine, base)[0]) == without_name(mine)
    assert without_name(merge(base, base, theirs)[0]) == without_name(theirs)
    assert merge(base, mine, mine) == (mine, ())
    both, clashes = merge(base, mine, theirs)
    other, same = merge(base, theirs, mine, prefer_mine=False)
    assert without_name(both) == without_name(other)
    assert {(x.field, x.part) for x in clashes} == {(x.field, x.part) for x in same}
