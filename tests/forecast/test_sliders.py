"""Every slider, a little and a lot, against a forward daily walk that shares no code with the forecast."""

from __future__ import annotations

import numpy as np
import pytest

from kpis.assumptions import Assumptions
from kpis.errors import AssumptionError
from kpis.forecast.levers import stage_rates
from kpis.forecast.model import Model, fit
from kpis.forecast.projection import Projection, project
from kpis.forecast.rates import rates
from kpis.periods import Calendar, day_of
from tests.build import dataset
from tests.oracle import company, sliders

TODAY = 19_500
AGREES = 0.015
SOURCES = ("web", "partner")


@pytest.fixture(scope="module")
def model() -> Model:
    """Two and a half years of a company with a rhythm, two segments, a way back, and sources of unlike deals."""
    rng = np.random.default_rng(3)
    past = company.run(company.Truth(per_day=5.0), company.Pipeline.empty(), TODAY - 900, TODAY, Calendar(), rng)
    tables = company.tables(past)
    large = tables["opportunities"]["segment"] == "large"
    web = rng.random(len(large)) < np.where(large, 0.2, 0.8)
    tables["opportunities"]["source"] = np.where(web, *SOURCES)
    return fit(dataset(tables, as_of=day_of(TODAY)))


@pytest.fixture(scope="module")
def base(model: Model) -> Projection:
    return project(model)


def expected(projection: Projection) -> np.ndarray:
    return np.array([[w.from_open, w.from_new] for w in projection.windows])


def agrees(model: Model, assumptions: Assumptions, **oracle) -> None:
    """Open and new business of every window, within 1.5 % of the whole window or of themselves."""
    got, walked = expected(project(model, assumptions)), sliders.forecast(model, **oracle)
    assert got.sum(1) == pytest.approx(walked.sum(1), rel=AGREES)
    assert got == pytest.approx(walked, rel=AGREES, abs=0.002 * walked.sum(1).max())


def test_nothing_moved(model: Model):
    agrees(model, Assumptions())


@pytest.mark.parametrize("c", [0.5, 0.95, 1.1, 2.0])
def test_sales_cycle(model: Model, c: float):
    agrees(model, Assumptions(sales_cycle=c), cycle=c)


@pytest.mark.parametrize("times", [0.5, 1.05, 1.6])
def test_close_rate_overall(model: Model, times: float):
    agrees(model, Assumptions(close_rate=times), close_rate=times)


@pytest.mark.parametrize("times", [0.4, 0.95, 1.3])
@pytest.mark.parametrize("stage", company.STAGES)
def test_close_rate_of_a_stage(model: Model, stage: str, times: float):
    own = dict(zip(model.stages, stage_rates(rates(model.hazards), model.mix), strict=True))
    goal = {stage: float(own[stage] * times)}
    agrees(model, Assumptions(close_rates=goal), close_rates=goal)


@pytest.mark.parametrize("times", [1.05, 3.0])
def test_new_opportunities(model: Model, times: float):
    agrees(model, Assumptions(new_opportunities=times), volume=times)


@pytest.mark.parametrize(("source", "times"), [("web", 1.05), ("web", 3.0), ("partner", 0.5)])
def test_new_opportunities_of_a_source(model: Model, source: str, times: float):
    agrees(model, Assumptions(new_opportunities_by_source={source: times}), sources={source: times})


def test_levers_together(model: Model):
    agrees(
        model,
        Assumptions(sales_cycle=0.7, close_rate=1.2, new_opportunities=1.4, new_opportunities_by_source={"web": 0.5}),
        cycle=0.7, close_rate=1.2, volume=1.4, sources={"web": 0.5},
    )  # fmt: skip


def test_sources_are_linear_and_add_up(model: Model, base: Projection):
    def from_new(**times: float) -> np.ndarray:
        return expected(project(model, Assumptions(new_opportunities_by_source=times)))[:, 1]

    before = expected(base)[:, 1]
    # Every deal of this company has one of the two sources: both twice is everything twice.
    assert from_new(web=2.0, partner=2.0) == pytest.approx(2 * before, rel=1e-12)
    one, other = from_new(web=3.0) - before, from_new(partner=3.0) - before
    assert one + other == pytest.approx(2 * before, rel=1e-12)
    assert from_new(web=2.0) - before == pytest.approx(one / 2, rel=1e-12)
    assert (
        expected(project(model, Assumptions(new_opportunities_by_source={"web": 2.0})))[:, 0] == expected(base)[:, 0]
    ).all()


def test_sources_bring_what_their_deals_are_like(model: Model, base: Projection):
    """Deals of partners are four times as large, and they win less and slower."""
    web, partner = (
        project(model, Assumptions(new_opportunities_by_source={name: 2.0})) for name in SOURCES
    )  # fmt: skip
    more = [p.per_day.sum() - base.per_day.sum() for p in (web, partner)]
    money = [expected(p)[:, 1].sum() - expected(base)[:, 1].sum() for p in (web, partner)]
    assert money[1] / more[1] > 1.2 * money[0] / more[0]


@pytest.mark.parametrize(
    "neutral",
    [
        {"sales_cycle": 1.0}, {"close_rate": 1.0}, {"new_opportunities": 1.0}, {"deal_size": 1.0}, {"slippage": 0.0},
        {"new_opportunities_by_source": dict.fromkeys(SOURCES, 1.0)}, {"deal_size": 1.0, "deal_size_open": True},
    ],
)  # fmt: skip
def test_a_neutral_value_gives_exactly_the_base(model: Model, base: Projection, neutral: dict):
    found = project(model, Assumptions(**neutral))
    assert (expected(found) == expected(base)).all()
    assert (found.deal_p == base.deal_p).all()
    for a, b in zip(found.windows, base.windows, strict=True):
        assert [a.quantile(q) for q in (0.1, 0.5, 0.9)] == [b.quantile(q) for q in (0.1, 0.5, 0.9)]


def test_an_unknown_source_is_refused_with_the_known_ones(model: Model):
    with pytest.raises(AssumptionError, match=r"source 'events'.*web"):
        project(model, Assumptions(new_opportunities_by_source={"events": 2.0}))


def test_without_a_deal_the_window_is_that_of_the_other_deals(model: Model, base: Projection):
    """Taking deals out one by one or together leaves the mean without their share, and no trace of the last."""
    deals = np.argsort(-base.deal_amount)[:5]
    for w in range(3):
        left = base.without(w, deals)
        gone = (base.deal_p[deals, w] * base.deal_amount[deals]).sum()
        assert left.from_open == pytest.approx(base.windows[w].from_open - gone, rel=1e-9)
        assert left.from_new == base.windows[w].from_new
        none = base.without(w, np.arange(len(base.deal_amount)))
        assert none.from_open == pytest.approx(0, abs=1e-6)
    same = base.without(0, np.zeros(0, dtype=np.int64))
    assert same.quantile(0.5) == base.windows[0].quantile(0.5)
