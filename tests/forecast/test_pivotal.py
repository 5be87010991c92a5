"""The deals that the outcome depends on, against seeded draws of every deal."""

from __future__ import annotations

import numpy as np
import pytest

from kpis.forecast.model import fit
from kpis.forecast.pivotal import PLAUSIBLE, p_hit_if, pivotal
from kpis.forecast.projection import Projection, project
from kpis.forecast.revenue import SHOCK
from tests.forecast.crm import crm, opp
from tests.oracle.sums import drawn

DRAWS = 200_000
TODAY = 940
"""The 29th of July: two thirds of the quarter are still to come."""


def small(amounts: dict[int, float]) -> Projection:
    """A company with some 25 open deals of 1,000, a few of them larger."""
    rng = np.random.default_rng(1)
    deals = []
    for k in range(470):
        created, length = 2 * k, int(rng.integers(20, 80))
        closed = created + length if created + length <= TODAY else None
        status = ("won" if rng.random() < 0.45 else "lost") if closed else "open"
        deals.append(opp(k, created, closed, status))
    ids = [row["opportunity_id"] for row in deals if row["status"] == "open"]
    for position, amount in amounts.items():
        next(row for row in deals if row["opportunity_id"] == ids[position])["amount"] = amount
    return project(fit(crm(deals, today=TODAY)))


@pytest.fixture(scope="module")
def projection() -> Projection:
    return small({2: 30_000.0, 5: 20_000.0, 9: 12_000.0})


def simulated(projection: Projection, out: list[int], won: float, target: float) -> float:
    """P(won + M (all others) >= target) by draws."""
    window, rng = projection.windows[0], np.random.default_rng(4)
    rest = np.setdiff1d(np.arange(len(projection.deal_p)), out)
    new = [(n, a) for n, a in zip(window.new.count, window.new.mean, strict=True) if n > 0]
    p, amount = projection.deal_p[rest, 0], projection.deal_amount[rest]
    cv = projection.model.amounts.cv
    total = drawn(p, amount, cv, DRAWS, rng, arrivals=tuple(new), shock=SHOCK[0])
    return float((window.won + won + total >= target).mean())


@pytest.mark.parametrize("above", [5_000.0, 25_000.0, 45_000.0])
def test_the_chance_if_a_deal_is_won_or_lost_is_that_of_draws(projection: Projection, above: float):
    target = projection.windows[0].won + above
    for k in np.argsort(-projection.deal_amount)[:2]:
        if_won, if_lost = p_hit_if(projection, target, int(k))
        amount = float(projection.deal_amount[k])
        assert if_won == pytest.approx(simulated(projection, [k], amount, target), abs=0.015)
        assert if_lost == pytest.approx(simulated(projection, [k], 0.0, target), abs=0.015)


def test_the_large_deals_decide_and_counts_are_those_of_draws(projection: Projection):
    target = projection.windows[0].won + 40_000.0
    found = pivotal(projection, target)
    top = sorted(np.argsort(-projection.deal_amount)[:3])
    assert sorted(found.deals) == top
    assert (found.p_won > found.p_lost).all()
    assert (np.diff(found.p_hit_by_count) > 0).all()
    everything = float(projection.deal_amount[top].sum())
    assert found.p_hit_by_count[0] == pytest.approx(simulated(projection, top, 0.0, target), abs=0.015)
    assert found.p_hit_by_count[3] == pytest.approx(simulated(projection, top, everything, target), abs=0.015)
    # One of them is won: which one is as likely as its odds.
    p, a = projection.deal_p[top, 0], projection.deal_amount[top]
    weight = p / (1 - p)
    one = [simulated(projection, top, float(x), target) for x in a]
    assert found.p_hit_by_count[1] == pytest.approx((weight @ one) / weight.sum(), abs=0.015)


def test_what_is_needed_is_the_first_count_that_is_enough(projection: Projection):
    won = projection.windows[0].won
    for above in (1_000.0, 30_000.0, 50_000.0, 500_000.0):
        found = pivotal(projection, won + above)
        enough = [n for n, p in enumerate(found.p_hit_by_count) if p >= 0.5]
        assert found.needed(0.5) == (enough[0] if enough else None)
    assert found.needed(0.5) is None


def test_long_shots_are_nobodys_plan():
    projection = small({2: 30_000.0})
    unlikely = projection.deal_p[:, 0] < PLAUSIBLE
    found = pivotal(projection, projection.windows[0].won + 20_000.0)
    assert not unlikely[found.deals].any()


def test_nothing_to_decide(projection: Projection):
    assert pivotal(projection, projection.windows[0].won) is None
    empty = project(fit(crm([opp(k, k, k + 30) for k in range(60)], today=200)))
    assert pivotal(empty, 1e6) is None
