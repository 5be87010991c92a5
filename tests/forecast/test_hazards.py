"""Hazards: the smoothing by hand, Aalen-Johansen as a special case, and a company whose hazards are known."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.forecast.classes import amount_band, backfit, classify, covariates
from kpis.forecast.hazards import fit_hazards, smooth
from kpis.forecast.phases import PHASES, describe, phase_of
from kpis.forecast.rates import rates
from kpis.forecast.recursion import value
from kpis.forecast.spells import EDGES, expose
from kpis.periods import Calendar, day_n, day_of
from kpis.pipeline.stints import Stints, stints
from tests.build import dataset
from tests.forecast.made import made, one_stage
from tests.oracle import company
from tests.oracle.chance import phase
from tests.oracle.survival import aalen_johansen

QUARTERS = Calendar("quarter", 1)


def test_smoothing_by_hand():
    """Events 4, 1, 0 in 100, 100, 200 days: hbar = 5 / 400 = 1/80; m = 1; h = (d + 1) / (x + 1 / prior).

    forth: 5 / (100 + 80) = 1/36,    2 / (100 + 36) = 1/68,    1 / (200 + 68) = 1/268
    back, from 1/268: 1 / (200 + 268) = 1/468,   2 / (100 + 468) = 1/284
    priors: 1/284 (nothing before), sqrt(1/36 * 1/468), 1/68 (nothing after)
    """
    got = smooth(np.array([4.0, 1.0, 0.0]), np.array([100.0, 100.0, 200.0]), 1.0)
    assert got == pytest.approx([5 / (100 + 284), 2 / (100 + np.sqrt(36 * 468)), 1 / (200 + 68)])
    assert smooth(np.array([4.0]), np.array([100.0]), 1.0) == pytest.approx([5 / (100 + 25)])


def test_a_prior_never_falls_below_a_twentieth_of_the_mean():
    """hbar = 200 / 1e5 = 0.002. Forth: 1 / (9e4 + 500), about 1.1e-5, is below 0.05 hbar = 1e-4.

    So the prior of the second bin is 1e-4: (200 + 1) / (1e4 + 1e4) = 0.01005. Back, from there:
    201 / (1e4 + 1 / 0.01005), which is the prior of the first bin.
    """
    got = smooth(np.array([0.0, 200.0]), np.array([9e4, 1e4]), 1.0)
    assert got == pytest.approx([1 / (9e4 + (1e4 + 1 / 0.01005) / 201), 0.01005])


def test_a_falling_hazard_keeps_its_tail():
    """0.02 a day for 20 days, then 0.001: with few events neither side of the step may run far into the other."""
    exposure = np.full(len(EDGES), 2000.0)
    truth = np.where(EDGES < 20, 0.02, 0.001)
    got = smooth(truth * exposure, exposure)
    assert (got * exposure).sum() == pytest.approx((truth * exposure).sum(), rel=0.03)
    assert got[-8:] == pytest.approx(truth[-8:], rel=0.15)


def test_smoothing_of_nothing():
    assert smooth(np.zeros(3), np.zeros(3)) == pytest.approx(0)
    assert smooth(np.zeros(3), np.ones(3)) == pytest.approx(0)
    assert list(smooth(np.array([1.0, 2.0, 0.0]), np.array([4.0, 8.0, 0.0]), m=0)) == [0.25, 0.25, 0.0]
    # Empty tables of whole numbers come from counting nothing.
    assert smooth(np.zeros(3), np.zeros(3, dtype=np.int64)) == pytest.approx(0)


@given(st.lists(st.tuples(st.one_of(st.just(0.0), st.floats(0.01, 50)), st.floats(0.1, 5000)), min_size=1, max_size=8))
def test_smoothed_hazards_lie_within_reason(bins: list):
    events, exposure = np.array(bins).T
    events = np.minimum(events, exposure)
    got = smooth(events, exposure)
    raw = events / exposure
    assert ((got >= 0) & (got <= max(raw.max(), events.sum() / exposure.sum()) + 1e-12)).all()


def _incidence(stints, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """P(won) and P(lost) by the end of each day after creation, from the plain hazards and the recursion."""
    edges = np.arange(horizon + 2)
    hazards = fit_hazards(stints, expose(stints, edges), QUARTERS, half_life=np.inf, prior_events=0, plain=True)
    r = rates(hazards)
    ends = tuple(stints.today + d for d in range(1, horizon + 1))
    won = value(r, stints.today, ends, QUARTERS).now[:, 0, 0, 0].cumsum()
    lost = value(r, stints.today, ends, QUARTERS, outcome="lost").now[:, 0, 0, 0].cumsum()
    return np.append(0, won), np.append(0, lost)


def test_aalen_johansen_by_hand_with_ties_and_censoring():
    """Exit after 1 day dropped to the atom, so times are 2, 2, 2, 3, 4, 4 with one censored at 2 and one at 4.

    All deals start on day 10, after the first recorded close (day 10, a deal of day 0), so nothing is truncated.
    day 2: 7 at risk, 2 won, 1 lost -> won 2/7, lost 1/7, left 4/7; the censored one is at risk on its last day
    day 3: 3 at risk (7 - 3 - 1), 1 lost -> lost 1/7 + 4/7 * 1/3 = 1/3, left 4/7 * 2/3 = 8/21
    day 4: 2 at risk, 1 won, 1 censored -> won 2/7 + 8/21 * 1/2 = 10/21, left 4/21
    """
    # Day 14 is today: a deal censored after 2 days was created on day 12, one after 4 days on day 10.
    lives = [(0, 10, 2), (10, 12, 1), (10, 12, 1), (10, 12, 2), (12, None, 1), (10, 13, 2), (10, 14, 1), (10, None, 1)]
    won, lost = _incidence(one_stage(lives, today=14), 4)
    assert won == pytest.approx([0, 0, 2 / 7, 2 / 7, 10 / 21])
    assert lost == pytest.approx([0, 0, 1 / 7, 1 / 3, 1 / 3])


def test_aalen_johansen_of_a_random_table():
    rng = np.random.default_rng(5)
    today, n = 60, 120
    created = rng.integers(10, today, n)
    length, outcome = rng.integers(2, 40, n), rng.integers(1, 3, n)
    closed = created + length
    lives = [(int(c), int(e) if e <= today else None, int(o)) for c, e, o in zip(created, closed, outcome, strict=True)]
    # One that stays: with nobody left after a day the recursion's cap on exits would show.
    lives.append((10, None, 0))
    time = [(e if e is not None else today) - c for c, e, _ in lives]
    cause = [o - 1 if e is not None else -1 for _, e, o in lives]
    truth = aalen_johansen(time, cause, 2, 49)
    # One more deal puts the first recorded close before all of them.
    won, lost = _incidence(one_stage([(0, 10, 1), *lives], today=today), 49)
    assert won == pytest.approx([float(x) for x in truth[0]])
    assert lost == pytest.approx([float(x) for x in truth[1]])


def test_phases_agree_with_dates():
    days = np.arange(day_n(date(2023, 12, 25)), day_n(date(2025, 3, 10)))
    for start in (1, 2, 4, 10):
        calendar = Calendar("quarter", start)
        assert list(phase_of(days, calendar)) == [phase(int(d), calendar) for d in days]
    # 2024-02-29 is in the last days of the second month of a calendar quarter, of the first with a February start.
    leap = np.array([day_n(date(2024, 2, 29))])
    assert (phase_of(leap, Calendar("month", 1))[0], phase_of(leap, Calendar("month", 2))[0]) == (5, 2)
    assert describe(5) == "second month, last 7 days"


@pytest.fixture(scope="module")
def history():
    """Five years of the company with known hazards: truth, calendar, stints at the end."""
    truth = company.Truth(per_day=14.0)
    calendar = Calendar("quarter", 4)
    first, last = day_n(date(2019, 1, 1)), day_n(date(2023, 12, 31))
    pipeline = company.run(truth, company.Pipeline.empty(), first, last, calendar, np.random.default_rng(11))
    data = dataset(company.tables(pipeline), as_of=day_of(last))
    return truth, calendar, stints(data)


def test_hazards_of_a_known_company_are_recovered(history):
    """Hazard x class ratio x calendar against the truth, within four standard errors plus 5 % for the classes."""
    truth, calendar, found = history
    exposure = expose(found)
    hazards = fit_hazards(found, exposure, calendar, half_life=np.inf)
    segment = found.deals["segment"].map({"small": 0, "large": 1}).to_numpy().astype(int)
    won_level = _mean_rhythm(exposure, truth.won_rhythm, calendar)
    lost_level = _mean_rhythm(exposure, truth.lost_rhythm, calendar)
    band = np.searchsorted(company.EDGES, EDGES, side="right") - 1
    spell_segment = segment[exposure.deal]
    checked = 0
    for seg in (0, 1):
        of_class = np.bincount(hazards.deal_class[segment == seg], minlength=len(hazards.forward)).astype(float)
        forward = (of_class * hazards.forward).sum() / of_class.sum()
        losing = (of_class * hazards.losing).sum() / of_class.sum()
        for stage in (0, 1):
            for cause, true, est in (
                (2, truth.won[stage, band] * truth.forward[seg] * won_level, hazards.won[stage] * forward),
                (3, truth.lost[stage, band] * truth.losing[seg] * lost_level, hazards.lost[stage] * losing),
                (
                    1 - stage,
                    truth.move[stage, 1 - stage, band] * truth.forward[seg],
                    hazards.move[stage, 1 - stage] * forward,
                ),
            ):
                hit = (exposure.stage == stage) & (exposure.cause == cause) & (spell_segment == seg)
                events = np.bincount(exposure.exit_bin[hit], minlength=len(EDGES))
                # Deals closed on their first day are the atom: the first bin of stage 0 has half its exits only.
                for k in np.flatnonzero(events >= 40)[stage == 0 and cause > 1 :]:
                    tolerance = 4 / np.sqrt(events[k]) + 0.05
                    assert abs(np.log(est[k] / true[k])) < tolerance, (seg, stage, cause, EDGES[k], est[k], true[k])
                    checked += 1
    assert checked > 60
    assert hazards.move[0, 0].max() == 0


def _mean_rhythm(exposure, rhythm: np.ndarray, calendar: Calendar) -> float:
    """Level that the model's factors, which have mean 1 over the exposure, leave in the hazards."""
    at_risk = exposure.at_risk(np.ones(exposure.deals))[0].sum((0, 1))
    return float((at_risk * rhythm[phase_of(exposure.days, calendar)]).sum() / at_risk.sum())


def test_calendar_factors_are_recovered_and_have_mean_one(history):
    truth, calendar, found = history
    exposure = expose(found)
    hazards = fit_hazards(found, exposure, calendar, half_life=np.inf)
    for true, est, cause in (
        (truth.won_rhythm, hazards.calendar_won, 2),
        (truth.lost_rhythm, hazards.calendar_lost, 3),
    ):
        at = phase_of(exposure.exit[exposure.cause == cause], calendar)
        events = np.bincount(at, minlength=PHASES)
        ratio = np.log(est / true)
        assert (np.abs(ratio - np.average(ratio, weights=events)) < 4 / np.sqrt(events) + 0.03).all()
    # Mean 1 over the expected exits: the calendar moves wins within the year and adds none.
    due = np.tensordot(hazards.won, exposure.at_risk(hazards.forward[hazards.deal_class])[0])
    share = np.bincount(phase_of(exposure.days, calendar), due, PHASES)
    assert (share * hazards.calendar_won).sum() / share.sum() == pytest.approx(1, abs=0.01)


def test_expected_exits_equal_those_observed(history):
    """Neither smoothing nor shrinkage may add or lose exits on the whole: within 2 % by stage and cause."""
    _, calendar, found = history
    exposure = expose(found)
    hazards = fit_hazards(found, exposure, calendar, half_life=np.inf)
    rhythm = phase_of(exposure.days, calendar)
    going, leaving = exposure.at_risk(*(ratio[hazards.deal_class] for ratio in (hazards.forward, hazards.losing)))
    for stage in (0, 1):
        for cause, due in (
            (2, hazards.won[stage] @ going[stage] @ hazards.calendar_won[rhythm]),
            (3, hazards.lost[stage] @ leaving[stage] @ hazards.calendar_lost[rhythm]),
            (1 - stage, (hazards.move[stage, 1 - stage] @ going[stage]).sum()),
        ):
            observed = ((exposure.stage == stage) & (exposure.cause == cause)).sum()
            assert due == pytest.approx(observed, rel=0.02)


def test_old_exits_fade_with_the_half_life():
    """Ten deals of a year ago and ten of now, each at risk 10 days: 8 won then, 2 won now.

    With half-life 100 d the mean weight of day t is 0.5^((T-t)/100): the old ones count 2^-3.65.
    """
    old = [(1, 11, 1)] * 8 + [(1, 11, 2)] * 2
    new = [(366, 376, 1)] * 2 + [(366, 376, 2)] * 8
    table = one_stage([(0, 1, 1), (0, 1, 2), (-5, 0, 2), *old, *new], today=376)
    hazards = fit_hazards(table, expose(table), QUARTERS, half_life=100.0, prior_events=0, plain=True)
    k = int(np.searchsorted(EDGES, 9, side="right") - 1)
    fade = 0.5**3.65
    # All exits are on the tenth day, age 9, in the bin [7, 11): 3 of the 10 days at risk.
    days = sum(0.5 ** (d / 100) for d in range(3)) * 10 * (1 + fade)
    assert hazards.won[0, k] == pytest.approx((8 * fade + 2) / days)
    assert hazards.lost[0, k] == pytest.approx((2 * fade + 8) / days)


@pytest.mark.parametrize("times", [0.5, 2.0])
def test_a_change_over_time_is_no_hazard_ratio(times: float):
    """Deals move forward half (or twice) as fast since 300 days: that is no trait of any amount or segment."""
    before = company.plain(per_day=6.0)
    after = replace(before, won=times * before.won, move=times * before.move)
    rng, today = np.random.default_rng(2), day_n(date(2024, 2, 9))
    past = company.run(before, company.Pipeline.empty(), today - 1200, today - 300, QUARTERS, rng)
    found = stints(
        dataset(company.tables(company.run(after, past, today - 299, today, QUARTERS, rng)), as_of=day_of(today))
    )
    hazards = fit_hazards(found, expose(found), QUARTERS)
    for covariate, (forward, losing) in zip(hazards.covariates, hazards.ratios, strict=True):
        levels = np.unique(covariate.code)
        assert forward[levels] == pytest.approx(1, abs=0.2), covariate.name
        assert losing[levels] == pytest.approx(1, abs=0.2), covariate.name


def test_amount_bands_are_quintiles_of_the_amounts_that_are_there():
    amounts = np.array([np.nan, 0.0, -5.0, *range(1, 101)])
    band = amount_band(amounts)
    assert list(np.bincount(band.code)) == [3, 20, 20, 20, 20, 20]
    assert band.labels[0] == "no amount"
    assert len(band.labels) == 6
    same = amount_band(np.full(9, 50.0))
    assert len(same.labels) == max(same.code) + 2
    assert set(amount_band(np.full(4, np.nan)).code) == {0}


def test_one_backfitting_pass_by_hand():
    """Level 1 saw 36 exits where 24 were due: (36 + 12) / (24 + 12) = 4/3; level 0 saw 12 of 24: 24 / 36 = 2/3."""
    band = amount_band(np.array([np.nan, 10.0]))
    ratio = np.ones(len(band.labels))
    backfit([band], np.array([12.0, 36.0]), np.array([24.0, 24.0]), [ratio])
    assert ratio[band.code] == pytest.approx([2 / 3, 4 / 3])


def test_covariates_need_wins_and_events():
    deals = [
        {"created": 0, "closed": 9, "outcome": 1 + k % 2, "segment": "ab"[k % 2], "owner": "x", "source": None}
        for k in range(202)
    ]
    table = made(deals, [(0, "Open", 0, 9, "won")], today=20).deals
    assert [c.name for c in covariates(table, np.ones(202), 20)] == ["amount", "segment"]
    assert [c.name for c in covariates(table, np.zeros(202), 20)] == ["amount"]
    assert [c.name for c in covariates(table.iloc[:190], np.ones(190), 20)] == ["amount"]


def _coin_tossers() -> Stints:
    """Two deals a day for 700 days, in one stage for 60 days on average, of which 40 % are won."""
    rng = np.random.default_rng(3)
    lives = []
    for created in range(700):
        for length, outcome in zip(rng.geometric(1 / 60, 2) + 1, 1 + (rng.random(2) < 0.6), strict=True):
            closed = created + int(length)
            lives.append((created, closed if closed <= 700 else None, int(outcome)))
    return one_stage(lives, today=700)


def _expected_wins(table: Stints) -> float:
    """Wins of the open deals within 60 days."""
    hazards = fit_hazards(table, expose(table), QUARTERS)
    now = value(rates(hazards), 700, (760,), QUARTERS).now
    is_open = (table.deals["outcome"] == 0).to_numpy()
    return now[0, hazards.deal_class[is_open], 0, np.minimum(700 - table.deals["created"][is_open], 399)].sum()


@pytest.mark.parametrize("agreement", [0.5, 0.7, 1.0])
def test_a_field_filled_in_at_the_close_is_no_covariate(agreement: float):
    """The segment is written down when a deal closes: that an open deal lacks it says nothing about the deal."""
    table = _coin_tossers()
    before = _expected_wins(table)
    outcome = table.deals["outcome"].to_numpy()
    agrees = np.random.default_rng(4).random(len(outcome)) < agreement
    label = np.where(agrees == (outcome == 1), "a", "b").astype(object)
    label[outcome == 0] = None
    table.deals["segment"] = pd.Categorical(label)
    assert _expected_wins(table) == pytest.approx(before, rel=0.25)


@pytest.mark.parametrize("share", [0.4, 1.0])
@pytest.mark.parametrize("emptied", [[2], [0], [0, 2]])
def test_an_amount_that_comes_or_goes_with_the_close_is_no_covariate(emptied: list, share: float):
    """Lost deals set to 0, open deals without amount, or both, some or all of them: it says nothing about the deal."""
    table = _coin_tossers()
    before = _expected_wins(table)
    outcome = table.deals["outcome"].to_numpy()
    rng = np.random.default_rng(5)
    amount = rng.lognormal(9, 1, len(outcome))
    table.deals["first_amount"] = np.where(np.isin(outcome, emptied) & (rng.random(len(outcome)) < share), 0.0, amount)
    assert _expected_wins(table) == pytest.approx(before, rel=0.15)


@given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)), max_size=60))
def test_at_most_24_classes_numbered_from_0(ratios: list):
    forward, losing = np.array(ratios).reshape(-1, 2).T
    code = classify(forward, losing)
    assert len(code) == len(ratios)
    assert sorted(set(code)) == list(range(len(set(code))))
    assert len(set(code)) <= 24
    for a in range(len(code)):
        for b in range(a):
            if forward[a] == forward[b] and losing[a] == losing[b]:
                assert code[a] == code[b]
