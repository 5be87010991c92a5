"""The levers on rates: what they must reach, what they must leave alone, what they must refuse."""

from __future__ import annotations

import numpy as np
import pytest

from kpis.assumptions import Assumptions
from kpis.errors import AssumptionError
from kpis.forecast.hazards import Hazards
from kpis.forecast.levers import Mix, apply, overall_rate, stage_rates
from kpis.forecast.rates import Rates, occupancy, passage, rates, shift_odds
from kpis.forecast.spells import EDGES
from tests.forecast.chains import constant, ending, hazards, random_rates

STAGES = ("A", "B", "C")


def three_stages(*, back: float = 0.0) -> tuple[Hazards, Mix]:
    """A pipeline of three stages whose hazards rise and fall with age; ``back`` is the hazard of going back."""
    rise = np.interp(EDGES, [0, 15, 60, 200, 400], [0.3, 1.5, 1.0, 0.5, 0.5])
    fall = np.interp(EDGES, [0, 30, 120, 400], [1.2, 0.8, 1.0, 1.3])
    won = np.array([0.001, 0.003, 0.02])[:, None] * rise
    lost = np.array([0.02, 0.015, 0.01])[:, None] * fall
    move = np.zeros((3, 3, len(EDGES)))
    move[0, 1], move[1, 2], move[0, 2] = 0.03 * rise, 0.03 * rise, 0.002 * rise
    move[1, 0], move[2, 1] = back * fall, back * fall
    found = hazards(won, lost, move, forward=(0.6, 1.0, 1.5), losing=(1.2, 1.0, 0.8))
    entering = np.array([[30.0, 10.0, 4.0], [50.0, 20.0, 12.0], [20.0, 14.0, 11.0]])
    return found, Mix(entering, np.array([[30.0, 0, 0], [48.0, 2.0, 0], [20.0, 0, 0]]))


def same(a: Rates, b: Rates) -> bool:
    """Whether two sets of rates are equal bit for bit."""
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in vars(a))


def test_nothing_assumed_gives_the_base_exactly():
    found, mix = three_stages(back=0.004)
    base = rates(found)
    assert same(apply(found, mix, Assumptions(), STAGES), base)
    assert same(rates(found, cycle=1.0), base)
    shifted = shift_odds(base, 1, 0.0)
    for name in vars(base):
        assert getattr(shifted, name) == pytest.approx(getattr(base, name), rel=1e-14)


def test_rates_by_hand():
    """Class 0 has ratio 0.6 for forward and 1.2 for lost; the cycle twice as long halves the hazard at half the age."""
    found, _ = three_stages()
    base, slow = rates(found), rates(found, cycle=2.0)
    assert base.won.shape[:2] == (3, 3)
    # Age 15 is in the bin that begins on day 15; age 30, in a cycle twice as long, stands where age 15 stood.
    k = list(EDGES).index(15)
    assert base.won[0, 2, 15] == pytest.approx(found.won[2, k] * 0.6)
    assert base.lost[0, 1, 15] == pytest.approx(found.lost[1, k] * 1.2)
    assert slow.won[0, 2, 30] == pytest.approx(found.won[2, k] * 0.6 / 2)
    assert slow.move[0, 1, 30] == pytest.approx(found.move[0, 1, k] / 2)
    # The last age is that of the last bin, from day 400 on; in the slow cycle from day 800 on.
    for r, begins, c in ((base, 400, 1), (slow, 800, 2)):
        assert list(r.age(np.array([begins - 1, begins, 5 * begins]))) == [r.won.shape[2] - k for k in (2, 1, 1)]
        assert r.won[:, :, -1] == pytest.approx(found.forward[:, None] * found.won[:, -1] / c)
        assert r.lost[:, :, -1] == pytest.approx(found.losing[:, None] * found.lost[:, -1] / c)
        assert r.move[:, :, -1] == pytest.approx(found.move[:, :, -1] / c)


def test_eventual_rate_is_the_one_of_the_linear_system_over_all_ages():
    for seed in range(3):
        r = random_rates(seed, size=0.15)
        for c in range(2):
            chance, _ = ending(r, c)
            assert passage(r).eventual()[c] == pytest.approx(chance[:, 0])


def test_eventual_rate_of_one_stage_by_hand():
    """Won 0.01 and lost 0.03 a day for ever: a quarter is won, after 25 days on average."""
    r = constant([0.01], [0.03], [[0.0]], longest=9)
    assert passage(r).eventual() == pytest.approx(0.25)
    assert occupancy(r).sum() == pytest.approx(25)


def test_eventual_rate_where_deals_go_round_for_ever():
    """Nothing was ever closed from either stage: nobody is won, and that is no reason to fail."""
    r = constant([0.0, 0.0], [0.0, 0.0], [[0, 0.5], [0.5, 0]])
    assert passage(r).eventual() == pytest.approx(0)


def test_no_exit_at_all():
    assert passage(constant([0.0], [0.0], [[0.0]])).eventual() == pytest.approx(0)


@pytest.mark.parametrize("c", [0.5, 0.8, 1.3, 2.0])
def test_cycle_stretches_the_time_and_leaves_the_outcome(c: float):
    """Even where a late deal's chances differ from an early one's, also beyond the days that are told apart."""
    found, _ = three_stages(back=0.002)
    base, moved = rates(found), rates(found, cycle=c)
    for k in (0, 2):
        chance, days = ending(base, k)
        then, later = ending(moved, k)
        assert then[:, 0] == pytest.approx(chance[:, 0], rel=0.01)
        # A day's exit comes at its end, so a duration of d days lies half a day earlier on average.
        assert later[:, 0] - 0.5 == pytest.approx(c * (days[:, 0] - 0.5), rel=0.02)


@pytest.mark.parametrize("c", [0.5, 2.0])
def test_cycle_leaves_the_outcome_of_deals_whose_chances_turn_late(c: float):
    """Hardly any loss before day 135, many after it."""
    early, late = (EDGES < 135).astype(float), (EDGES >= 135).astype(float)
    found = hazards(0.004 * early[None] + 0.001, 0.02 * late[None], np.zeros((1, 1, len(EDGES))))
    two = hazards(np.vstack([found.won, found.won]), np.vstack([found.lost, found.lost]), np.zeros((2, 2, len(EDGES))))
    for h in (found, two):
        base, moved = (passage(rates(h, cycle=x)).eventual()[0, 0] for x in (1.0, c))
        assert moved == pytest.approx(base, rel=0.02)


@pytest.mark.parametrize("times", [0.5, 1.25, 2.0])
def test_overall_close_rate_hits_its_goal(times: float):
    found, mix = three_stages(back=0.003)
    before = overall_rate(rates(found), mix)
    r = apply(found, mix, Assumptions(close_rate=times), STAGES)
    assert overall_rate(r, mix) == pytest.approx(times * before, rel=1e-5)
    # By hand: the average over the deals created of the chance to win in the end.
    chance = np.array([ending(r, c)[0][:, 0] for c in range(3)])
    by_hand = (mix.created * chance).sum() / mix.created.sum()
    assert overall_rate(r, mix) == pytest.approx(by_hand)


def test_a_shift_keeps_the_total_intensity():
    base = rates(three_stages(back=0.003)[0])
    for delta in (-2.0, 0.7):
        r = shift_odds(base, 1, delta)
        assert r.won + r.lost + r.moving == pytest.approx(base.won + base.lost + base.moving)
        odds = (r.won + r.moving)[:, 1] / r.lost[:, 1]
        assert odds == pytest.approx((base.won + base.moving)[:, 1] / base.lost[:, 1] * np.exp(delta))
        assert r.won[:, [0, 2]] == pytest.approx(base.won[:, [0, 2]])


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("back", [0.0, 0.004])
def test_one_stage_hits_its_goal(stage: str, back: float):
    found, mix = three_stages(back=back)
    k = STAGES.index(stage)
    before = stage_rates(rates(found), mix)
    for goal in (0.8 * before[k], 1.15 * before[k]):
        r = apply(found, mix, Assumptions(close_rates={stage: goal}), STAGES)
        assert stage_rates(r, mix)[k] == pytest.approx(goal, abs=1e-5)


@pytest.mark.parametrize("back", [0.0, 0.004])
def test_several_stages_hit_their_goals_at_once(back: float):
    found, mix = three_stages(back=back)
    before = stage_rates(rates(found), mix)
    goals = {"A": 1.2 * before[0], "B": 1.1 * before[1], "C": 0.9 * before[2]}
    r = apply(found, mix, Assumptions(close_rates=goals), STAGES)
    assert stage_rates(r, mix) == pytest.approx(list(goals.values()), abs=1e-4)
    both = apply(found, mix, Assumptions(close_rates=goals, close_rate=1.2, sales_cycle=1.3), STAGES)
    assert stage_rates(both, mix) == pytest.approx(list(goals.values()), abs=1e-4)


def test_a_stage_at_its_own_rate_is_left_alone():
    found, mix = three_stages(back=0.004)
    base = rates(found)
    own = dict(zip(STAGES, stage_rates(base, mix), strict=True))
    assert same(apply(found, mix, Assumptions(close_rates=own), STAGES), base)


def test_impossible_goals_are_refused():
    found, mix = three_stages()
    with pytest.raises(AssumptionError, match="There is no stage called 'Nowhere'"):
        apply(found, mix, Assumptions(close_rates={"Nowhere": 0.5}), STAGES)
    with pytest.raises(AssumptionError, match=r"cannot be reached.*A.*is possible"):
        apply(found, mix, Assumptions(close_rates={"A": 0.99}), STAGES)
    best = overall_rate(rates(found), mix)
    assert best > 0.25
    with pytest.raises(AssumptionError, match="close_rate"):
        apply(found, mix, Assumptions(close_rate=4.0), STAGES)


def test_a_rate_of_nobody_is_refused():
    """No deal entered the stage: there is no rate to move, and a lever that does nothing must say so."""
    found, mix = three_stages()
    empty = Mix(mix.entering * np.array([1, 1, 0]), mix.created)
    with pytest.raises(AssumptionError, match="C"):
        apply(found, empty, Assumptions(close_rates={"C": 0.5}), STAGES)
    with pytest.raises(AssumptionError, match="close_rate"):
        apply(found, Mix(mix.entering, 0 * mix.created), Assumptions(close_rate=1.2), STAGES)


def test_a_company_that_never_won_has_no_close_rate_to_move():
    found, mix = three_stages()
    none = hazards(0 * found.won, found.lost, found.move)
    with pytest.raises(AssumptionError):
        apply(none, Mix(mix.entering[:1], mix.created[:1]), Assumptions(close_rate=1.2), STAGES)
