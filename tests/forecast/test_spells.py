"""Exposure: every day at risk is counted once, in its age bin, and nothing that could not have been seen."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.forecast import spells
from kpis.forecast.spells import EDGES, Exposure, atom_shares, atoms, bin_of, expose, first_seen
from kpis.pipeline.stints import LOST, WON, Stints
from tests.forecast.made import made, one_stage


def by_day(stints: Stints) -> Counter:
    """(visit, day at risk, age bin), day by day, by the words of the docstrings."""
    found: Counter = Counter()
    quick = [
        o != 0 and e - c <= 1 for c, e, o in stints.deals[["created", "closed", "outcome"]].itertuples(index=False)
    ]
    closes = [
        e for e, o, q in zip(stints.deals["closed"], stints.deals["outcome"], quick, strict=True) if o != 0 and not q
    ]
    t0 = min(closes, default=stints.today)
    for visit in stints.spells.itertuples():
        if quick[visit.deal]:
            continue
        for day in range(max(visit.entry, t0) + 1, min(visit.exit, stints.today) + 1):
            age = day - 1 - visit.entry
            found[visit.Index, day, max(k for k, edge in enumerate(EDGES) if edge <= age)] += 1
    return found


def counted(exposure: Exposure, deal: int) -> Counter:
    """(day at risk, age bin) of one deal, from the table of those at risk."""
    table = exposure.at_risk((np.arange(exposure.deals) == deal).astype(float))[0].sum(axis=0)
    return Counter({(int(exposure.days[d]), int(k)): int(table[k, d]) for k, d in np.argwhere(table)})


LIVES = st.lists(
    st.tuples(st.integers(0, 60), st.one_of(st.none(), st.integers(0, 500)), st.sampled_from([1, 2])),
    min_size=1,
    max_size=12,
)


@given(LIVES, st.integers(0, 600))
def test_exposure_is_that_of_a_loop_over_days(lives: list, today: int):
    seen = [(c, None if e is None or c + e > today else c + e, o) for c, e, o in lives if c <= today]
    stints = one_stage(seen or [(0, None, 1)], today=today)
    truth, exposure = by_day(stints), expose(stints)
    assert list(exposure.deal) == sorted({deal for deal, _, _ in truth})
    for deal in range(exposure.deals):
        assert counted(exposure, deal) == Counter({(d, k): n for (one, d, k), n in truth.items() if one == deal})

    rng = np.random.default_rng(0)
    ratio, hazard, other = rng.random(exposure.deals), rng.random((1, len(EDGES))), rng.random((1, len(EDGES)))
    of_day, of_other = rng.random((2, len(exposure.days)))
    at_risk, due = np.zeros((1, len(EDGES), len(exposure.days))), np.zeros(exposure.deals)
    for deal, day, k in truth:
        d = day - exposure.first_day - 1
        at_risk[0, k, d] += ratio[deal]
        due[deal] += hazard[0, k] * of_day[d] + other[0, k] * of_other[d]
    assert exposure.at_risk(ratio)[0] == pytest.approx(at_risk, abs=1e-9)
    assert exposure.due((hazard, of_day), (other, of_other)) == pytest.approx(due, abs=1e-9)


def test_counting_in_parts_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    """Five spells of three deals in two stages, two at a time."""
    deals = [{"created": 0, "closed": 9, "outcome": 1}, {"created": 2, "closed": 30, "outcome": 2}, {"created": 20}]
    visits = [
        (0, "A", 0, 9, "won"), (1, "A", 2, 12, "B"), (1, "B", 12, 15, "A"), (1, "A", 15, 30, "lost"),
        (2, "B", 20, None, None),
    ]  # fmt: skip
    exposure = expose(made(deals, visits, today=40, stages=("A", "B"), history_start=0))
    ratio, hazard, weight = np.array([1.0, 2.0, 4.0]), np.ones((2, len(EDGES))), np.ones(len(exposure.days))
    at_risk, due = exposure.at_risk(ratio, ratio[::-1]), exposure.due((hazard, weight))
    # at risk from the day after the first recorded close, day 9: deal 1 to its end, deal 2 from day 21 on
    assert list(due) == [0, 21, 20]
    monkeypatch.setattr(spells, "PART", 2)
    assert np.array(exposure.at_risk(ratio, ratio[::-1])) == pytest.approx(np.array(at_risk))
    assert exposure.due((hazard, weight)) == pytest.approx(due)


def test_exits_lie_in_the_bin_of_their_last_day_at_risk():
    """Entered day 0, won day 7: on that day it had been 6 days in stage, bin [4, 7)."""
    exposure = expose(one_stage([(0, 2, 2), (0, 7, 1), (0, 8, 2), (3, None, 1)], today=20))
    # t0 = 2: the first deal's own exit is dropped; the others count from day 3 on.
    assert list(exposure.deal) == [1, 2, 3]
    assert list(exposure.cause) == [1, 2, -1]
    assert list(EDGES[exposure.exit_bin]) == [4, 7, 15]
    days = Counter(
        (deal, int(EDGES[k])) for deal in range(exposure.deals) for _, k in counted(exposure, deal).elements()
    )
    # Deal 1: days 3-4 at ages 2-3, days 5-7 at ages 4-6. Deal 3 (entry 3): days 4 ... 20 at ages 0 ... 16.
    assert days == {
        (1, 2): 2, (1, 4): 3, (2, 2): 2, (2, 4): 3, (2, 7): 1,
        (3, 0): 2, (3, 2): 2, (3, 4): 3, (3, 7): 4, (3, 11): 4, (3, 15): 2,
    }  # fmt: skip


def test_left_truncation_drops_exits_up_to_the_first_seen():
    stints = made(
        [{"created": 0, "closed": 30, "outcome": 1}, {"created": 0, "closed": 40, "outcome": 2}],
        [(0, "A", 0, 10, "B"), (0, "B", 10, 30, "won"), (1, "A", 0, 30, "B"), (1, "B", 30, 40, "lost")],
        today=60,
        stages=("A", "B"),
    )
    exposure = expose(stints)
    assert first_seen(stints) == 30
    # Only deal 1's stay in B lies after day 30.
    assert list(exposure.deal) == [1]
    assert counted(exposure, 1).total() == 10
    assert list(exposure.cause) == [3]


def test_nothing_is_seen_before_the_history_begins():
    """Deal 0 closed on day 20 already, but changes are recorded from day 50 on: deal 1 counts from day 51."""
    deals = [{"created": 0, "closed": 20, "outcome": 2}, {"created": 0, "closed": 60, "outcome": 1}]
    visits = [(0, "A", 0, 20, "lost"), (1, "A", 0, 60, "won")]
    exposure = expose(made(deals, visits, today=80, stages=("A", "B"), history_start=50))
    assert list(exposure.deal) == [1]
    assert counted(exposure, 1).total() == 10
    assert exposure.first_day == 50


def test_one_stray_close_does_not_switch_truncation_off():
    """600 deals of day 0 closed from day 300 on, and one typed in with a close of day 2."""
    lives = [(0, 300 + k // 4, 2) for k in range(600)]
    assert first_seen(one_stage(lives, today=500)) == 300
    assert first_seen(one_stage([*lives, (0, 2, 2)], today=500)) >= 300


def test_deals_closed_at_once_leave_the_exposure_and_become_shares():
    lives = [(10, 10, 1), (10, 11, 1), (10, 11, 2), (10, 12, 1), (10, None, 1), (300, 301, 1), (400, 400, 1)]
    stints = one_stage(lives, today=400)
    amount = np.array([100.0, 300.0, 7.0, 9.0, 9.0, 500.0, 9.0])
    assert list(atoms(stints)) == [True, True, True, False, False, True, True]
    assert first_seen(stints) == 12
    # Created after day 0 and at most on day 399 (a deal of day 400 has not had its day): 6 deals, 3 won at once.
    shares = atom_shares(stints, amount, 0)
    assert shares[WON] == (pytest.approx(3 / 6), pytest.approx(300.0))
    assert shares[LOST] == (pytest.approx(1 / 6), pytest.approx(7.0))
    # Created after day 36: one deal, won at once.
    assert atom_shares(stints, amount, 36)[WON] == (1.0, 500.0)


@pytest.mark.parametrize("lives", [[(0, None, 1)], [(5, 5, 1)], [(0, 1, 2), (3, None, 1)]])
def test_no_exposure_without_a_close(lives: list):
    exposure = expose(one_stage(lives, today=20))
    assert len(exposure.deal) == 0
    assert exposure.at_risk(np.ones(exposure.deals))[0].sum() == 0


def test_bins_hold_their_first_day_and_not_the_next_bins():
    assert list(bin_of(np.array([0, 1, 2, 6, 7, 219, 220, 399, 400, 9999]))) == [0, 0, 1, 2, 3, 15, 16, 17, 18, 18]
