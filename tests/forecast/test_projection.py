"""From opportunities to the projection: odd companies, leakage, the levers, and a company that follows the model."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpis.assumptions import Assumptions
from kpis.engine import NEVER
from kpis.errors import AssumptionError, NotEnoughData
from kpis.forecast.levers import overall_rate
from kpis.forecast.model import Model, fit
from kpis.forecast.projection import Projection, project
from kpis.periods import Calendar, day_n, day_of
from kpis.settings import Settings
from tests.build import dataset
from tests.forecast.crm import crm, day, healthy, opp, projected
from tests.oracle import company


def regular(n: int = 200, **more) -> list[dict]:
    """A deal every other day, closed after 20 to 80 days, a third of them won; open where that lies ahead."""
    rng = np.random.default_rng(n)
    deals = []
    for k in range(n):
        created, length, won = 2 * k, int(rng.integers(20, 80)), rng.random() < 0.35
        over = created + length <= 2 * n
        deals.append(
            opp(k, created, created + length if over else None, ("won" if won else "lost") if over else "open", **more)
        )
    return deals


ODD: dict[str, tuple[list[dict], int]] = {
    "one open deal": ([opp(1, 0)], 10),
    "one deal created today": ([opp(1, 10)], 10),
    "one won deal": ([opp(1, 0, 5)], 20),
    "one lost deal": ([opp(1, 0, 5, "lost")], 20),
    "no open deal": ([row for row in regular() if row["closed_at"]], 400),
    "no win": ([row | {"status": "lost"} if row["closed_at"] else row for row in regular()], 400),
    "wins only": ([row | {"status": "won"} if row["closed_at"] else row for row in regular()], 400),
    "all amounts 0": (regular(amount=0.0), 400),
    "no amount": (regular(amount=None), 400),
    "negative amounts": (regular(amount=-10.0), 400),
    "half the amounts negative": ([row | {"amount": -50.0 if k % 2 else 80.0} for k, row in enumerate(regular())], 400),
    "tiny amounts": (regular(amount=1e-6), 400),
    "huge amounts": (regular(amount=1e15), 400),
    "closed before created": ([opp(k, k + 30, k + 20 if k % 2 else None) for k in range(100)], 140),
    "T before the first close": ([opp(k, k, k + 60) for k in range(50)], 40),
    "everything closed at once": ([opp(k, k, k + k % 2, "won" if k % 3 else "lost") for k in range(200)], 220),
    "everything closed at once with negative amounts": ([opp(k, k, k + 1, amount=-5.0) for k in range(200)], 220),
    "everything created and closed on one day": ([opp(k, 0, 30, "won" if k % 3 else "lost") for k in range(200)], 60),
    "one owner, one segment": (regular(400, owner="Ann", segment="all", source="web"), 800),
    "nothing created for two years": (regular(), 1200),
    "one whale": ([*regular(), opp(999, 390, None, amount=1e6)], 400),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_companies(name: str):
    deals, today = ODD[name]
    projection = projected(crm(deals, today=today, newest=today + 100))
    healthy(projection)
    assert len(projection.deal_p) == sum(
        row["created_at"] <= day(today) and (row["closed_at"] is None or row["closed_at"] > day(today)) for row in deals
    )


def test_numbers_of_odd_companies():
    """What is plain about some of them."""
    never_won = projected(crm(*ODD["no win"][:1], today=400))
    assert [w.expected for w in never_won.windows] == [0, 0, 0]
    at_once = projected(crm(ODD["everything closed at once"][0], today=200))
    # One deal a day, two thirds won on the spot, 1,000 each, from day 201 to the end of the first window.
    first = at_once.windows[0]
    days = at_once.model.ends[0] - at_once.model.today
    assert first.from_open == 0
    assert first.from_new == pytest.approx(days * 1000 * 2 / 3, rel=0.15)
    stale = projected(crm(ODD["nothing created for two years"][0], today=1200))
    assert stale.windows[2].from_new < 100
    whale = projected(crm(ODD["one whale"][0], today=400))
    assert whale.windows[0].from_open > 0.5 * whale.deal_p[:, 0].max() * 1e6


def test_deals_lost_at_once_bring_nothing_and_take_nothing():
    """As many deals again, each lost on its first day: twice the creations, half of them worth what one was worth."""
    deals = regular(400)
    spam = [opp(5000 + k, 2 * k, 2 * k + k % 2, "lost") for k in range(400)]
    alone, both = projected(crm(deals, today=799)), projected(crm(deals + spam, today=799))
    assert both.per_day.sum() == pytest.approx(2 * alone.per_day.sum(), rel=0.01)
    for a, b in zip(alone.windows, both.windows, strict=True):
        assert b.from_open == pytest.approx(a.from_open, rel=1e-6)
        assert b.from_new == pytest.approx(a.from_new, rel=0.02)


def test_no_opportunity_yet():
    with pytest.raises(NotEnoughData, match="No opportunity was created"):
        fit(crm([opp(1, 5)], today=2, newest=10))
    with pytest.raises(NotEnoughData, match="created_at"):
        fit(crm([opp(1, None, 5)], today=9))


def _some_day(limit: int):
    return st.one_of(st.none(), *[st.integers(0, limit)] * 3)


DEALS = st.lists(
    st.tuples(
        st.integers(0, 300),
        _some_day(200),
        st.sampled_from(["won", "won", "lost"]),
        st.one_of(st.none(), st.sampled_from([0.0, -100.0, 1.0, 1000.0, 1e9]), st.floats(1, 1e5)),
        st.sampled_from([None, "a", "b"]),
        st.lists(st.tuples(st.integers(-5, 200), st.sampled_from(["A", "B", "Won", "Lost", "C"])), max_size=4),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=15)
@given(DEALS, st.booleans(), st.integers(0, 520), st.sampled_from([("month", 1), ("quarter", 1), ("quarter", 4)]))
def test_any_small_company(drawn: list, with_history: bool, today: int, calendar: tuple):
    deals, history = [], []
    for k, (created, length, status, amount, segment, moves) in enumerate(drawn):
        closed = None if length is None else created + length - 10
        deals.append(opp(k, created, closed, "open" if closed is None else status, amount=amount, segment=segment))
        history += [
            {"opportunity_id": f"o{k:05d}", "changed_at": day(created + when), "stage": stage, "amount": amount}
            for when, stage in sorted(moves, key=lambda move: move[0])
        ]
    if not history:
        with_history = False
    data = crm(
        deals, history if with_history else None, today=today, newest=520,
        settings=Settings(grain=calendar[0], fiscal_start=calendar[1]),
    )  # fmt: skip
    if all(row["created_at"] > day(today) for row in deals):
        with pytest.raises(NotEnoughData):
            fit(data)
        return
    model = fit(data)
    projection = project(model)
    healthy(projection)
    is_open = [
        r["created_at"] <= day(today) and (r["closed_at"] is None or max(r["closed_at"], r["created_at"]) > day(today))
        for r in deals
    ]
    assert len(model.open_deals.row) == sum(is_open)
    if len(projection.deal_p):
        moved = {"new_opportunities": 2.0, "deal_size": 0.5, "deal_size_open": True, "slippage": 0.3}
        healthy(project(model, Assumptions(sales_cycle=1.7 if today % 2 else 0.4, **moved)))


# --- a company that follows the model -------------------------------------------------------------------------


TODAY = day_n(date(2024, 2, 9))


def simulated(
    seed: int, *, truth: company.Truth | None = None, years: float = 3.5, today: int = TODAY
) -> company.Pipeline:
    """The company with known truth at the end of ``today``."""
    first = today - int(365 * years)
    return company.run(
        truth or company.Truth(), company.Pipeline.empty(), first, today, Calendar(), np.random.default_rng(seed)
    )


@pytest.fixture(scope="module")
def pipeline() -> company.Pipeline:
    return simulated(1)


@pytest.fixture(scope="module")
def tables(pipeline) -> dict[str, pd.DataFrame]:
    return company.tables(pipeline)


@pytest.fixture(scope="module")
def model(tables) -> Model:
    return fit(dataset(tables, as_of=day_of(TODAY)))


@pytest.fixture(scope="module")
def base(model) -> Projection:
    return project(model)


def expected(projection: Projection) -> np.ndarray:
    """(3, 2) from open and from new deals."""
    return np.array([[w.from_open, w.from_new] for w in projection.windows])


def test_counts_of_the_model_are_those_of_the_company(model: Model, pipeline, base: Projection):
    healthy(base)
    quarter = day_n(date(2024, 1, 1))
    won = (pipeline.outcome == 1) & (pipeline.closed >= quarter)
    assert model.won_count == won.sum()
    assert model.won == pytest.approx(pipeline.amount[won].sum())
    assert base.windows[0].expected == pytest.approx(model.won + expected(base)[0].sum())
    assert base.windows[1].won == 0
    live = np.flatnonzero(pipeline.outcome == 0)
    assert len(model.open_deals.row) == len(live)
    names = model.stints.deals["opportunity_id"].to_numpy()[model.open_deals.row]
    at = {f"d{k:06d}": k for k in live}
    order = [at[name] for name in names]
    assert (model.open_deals.stage == pipeline.stage[order]).all()
    # Days in stage are told apart up to 219.
    assert (np.minimum(model.open_deals.age, 219) == np.minimum(TODAY - pipeline.entry[order], 219)).all()
    assert model.open_deals.amount == pytest.approx(pipeline.amount[order], rel=1e-6)
    assert model.groups.n.sum() == len(live)
    assert model.groups.total.sum() == pytest.approx(model.open_deals.amount.sum())
    lately = (pipeline.created > TODAY - 364) & ~((pipeline.outcome > 0) & (pipeline.closed - pipeline.created <= 1))
    assert model.marks.n.sum() == lately.sum()


def test_a_company_that_follows_the_model_is_forecast_without_bias():
    """Mean of simulated futures, from the true state with the true hazards, against the projection.

    Four companies, 60 futures each. The calendar factors are drawn towards 1, which costs window 0 some 3 %.
    """
    ratios = []
    for seed in range(4):
        today = TODAY + 40 * seed
        past = simulated(seed, years=4, today=today)
        model = fit(dataset(company.tables(past), as_of=day_of(today)))
        got = expected(project(model)).sum(1)
        futures, known = 60, past.copies(60)
        after = company.run(
            company.Truth(),
            known,
            today + 1,
            model.ends[-1],
            Calendar(),
            np.random.default_rng(seed + 100),
            arrivals=futures,
        )
        won = after.outcome == 1
        window = np.searchsorted(model.ends, after.closed[won])
        ratios.append(got / (np.bincount(window, after.amount[won], 3) / futures))
    assert np.mean(ratios, axis=0) == pytest.approx(1, abs=0.07)


def test_chances_of_open_deals_are_calibrated_by_stage_and_segment():
    """Without a calendar rhythm: expected against simulated wins of open deals, in groups, 60 futures."""
    truth = replace(company.Truth(), won_rhythm=np.ones(9), lost_rhythm=np.ones(9))
    past = simulated(5, truth=truth, years=5)
    model = fit(dataset(company.tables(past), as_of=day_of(TODAY)))
    p = project(model).deal_p.sum(1)
    futures = 60
    known = past.copies(futures)
    n = len(known.created) // futures
    after = company.run(truth, known, TODAY + 1, model.ends[-1], Calendar(), np.random.default_rng(7), arrivals=0.0)
    wins = (after.outcome[: n * futures] == 1).reshape(futures, n).mean(0)
    live = np.flatnonzero(past.outcome == 0)
    name = pd.Index([f"d{k:06d}" for k in live])
    p = p[pd.Index(model.stints.deals["opportunity_id"].to_numpy()[model.open_deals.row]).get_indexer(name)]
    assert p.sum() == pytest.approx(wins.sum(), rel=0.05)
    for stage in (0, 1):
        for segment in (0, 1):
            here = (past.stage[live] == stage) & (past.segment[live] == segment)
            assert p[here].sum() == pytest.approx(wins[here].sum(), rel=0.12)


def test_forgotten_deals_are_not_forecast():
    """One deal in eight never closes, and nobody can tell which: most open deals are old, and few of them will be won.

    Expected against simulated wins of three companies; as if they were young they would add a tenth to the revenue.
    """
    truth = company.plain(per_day=4.0, forward=np.array([1.2, 0.0]), losing=np.array([1.0, 0.0]), segment_share=0.12)
    got, seen = np.zeros(3), np.zeros(3)
    for seed in range(3):
        past = simulated(seed, truth=truth, years=4)
        rows = company.tables(past)
        found = fit(
            dataset(rows | {"opportunities": rows["opportunities"].drop(columns="segment")}, as_of=day_of(TODAY))
        )
        got += [w.from_open for w in project(found).windows]
        futures = 25
        after = company.run(
            truth, past.copies(futures), TODAY + 1, found.ends[-1], Calendar(), np.random.default_rng(seed), arrivals=0
        )
        won = after.outcome == 1
        seen += np.bincount(np.searchsorted(found.ends, after.closed[won]), after.amount[won], 3) / futures
    assert got[:2] == pytest.approx(seen[:2], rel=0.3)
    # What is won two periods on is next to nothing; its error is measured against all that is won.
    assert abs(got[2] - seen[2]) < 0.05 * seen.sum()


def test_a_history_that_begins_late_does_not_make_exits_look_rare(tables, base: Projection):
    """Stage changes recorded for the last seven months only; deals alive then enter with a row for that day."""
    start = np.datetime64(date(2023, 7, 10))
    history, deals = tables["opportunity_history"], tables["opportunities"].set_index("opportunity_id")
    before = history[history["changed_at"] < start].drop_duplicates("opportunity_id", keep="last")
    alive = ~(deals["closed_at"].reindex(before["opportunity_id"]).to_numpy() < start)
    snapshot = before[alive].assign(changed_at=start)
    late = tables | {"opportunity_history": pd.concat([snapshot, history[history["changed_at"] >= start]])}
    got = expected(projected(dataset(late, as_of=day_of(TODAY)))).sum(1)
    assert got == pytest.approx(expected(base).sum(1), rel=0.12)


def test_without_history_the_forecast_is_about_the_same(tables, base: Projection):
    got = expected(projected(dataset({"opportunities": tables["opportunities"]}, as_of=day_of(TODAY))))
    assert got.sum(1) == pytest.approx(expected(base).sum(1), rel=0.08)


# --- leakage --------------------------------------------------------------------------------------------------


def same(a: Projection, b: Projection) -> None:
    """Equal bit for bit in what is shown."""
    assert np.array_equal(a.deal_p, b.deal_p)
    assert np.array_equal(a.value_created, b.value_created)
    for x, y in zip(a.windows, b.windows, strict=True):
        assert (x.won, x.from_open, x.from_new, x.to_come.sd) == (y.won, y.from_open, y.from_new, y.to_come.sd)
        assert [x.quantile(q) for q in (0.1, 0.5, 0.9)] == [y.quantile(q) for q in (0.1, 0.5, 0.9)]


def test_what_comes_after_the_day_changes_nothing(pipeline, tables, base: Projection):
    """Live on for 200 days: new deals, moves, closes, other amounts and stages; then look back."""
    later = company.Pipeline(**{
        name: [*column] if isinstance(column, list) else column.copy() for name, column in vars(pipeline).items()
    })  # fmt: skip
    company.run(company.Truth(), later, TODAY + 1, TODAY + 200, Calendar(), np.random.default_rng(9))
    grown = company.tables(later)
    # Amounts change as well: recorded after the day, and in the opportunities as they are now.
    renamed = grown["opportunities"]["opportunity_id"].isin(tables["opportunities"]["opportunity_id"])
    still_open = renamed & (
        grown["opportunities"]["closed_at"].isna()
        | (grown["opportunities"]["closed_at"] > np.datetime64(day_of(TODAY)))
    )
    grown["opportunities"].loc[still_open, "amount"] *= 3
    extra = (
        grown["opportunities"]
        .loc[still_open, ["opportunity_id", "stage", "amount"]]
        .assign(changed_at=np.datetime64(day_of(TODAY + 199)))
    )
    grown["opportunity_history"] = pd.concat([grown["opportunity_history"], extra])
    past = dataset(grown, newest=day_of(TODAY + 200)).known_at(day_of(TODAY))
    same(projected(past), base)


def test_what_comes_after_the_day_changes_nothing_without_history(pipeline, tables):
    """Without history amounts are as now, so only what is dated may grow: creations and closes."""
    later = company.Pipeline(**{
        name: [*column] if isinstance(column, list) else column.copy() for name, column in vars(pipeline).items()
    })  # fmt: skip
    company.run(company.Truth(), later, TODAY + 1, TODAY + 200, Calendar(), np.random.default_rng(9))
    grown = {"opportunities": company.tables(later)["opportunities"]}
    past = dataset(grown, newest=day_of(TODAY + 200)).known_at(day_of(TODAY))
    same(projected(past), projected(dataset({"opportunities": tables["opportunities"]}, as_of=day_of(TODAY))))


def test_order_of_rows_does_not_matter(tables, base: Projection):
    mixed = {name: frame.sample(frac=1, random_state=3) for name, frame in tables.items()}
    history = mixed["opportunity_history"].sort_values("changed_at", kind="stable")
    got = projected(dataset(mixed | {"opportunity_history": history}, as_of=day_of(TODAY)))
    assert expected(got) == pytest.approx(expected(base), rel=1e-12)


# --- periods --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grain", "start", "labels", "ends"),
    [
        ("quarter", 1, ["2024Q1", "2024Q2", "2024Q3"], [date(2024, 3, 31), date(2024, 6, 30), date(2024, 9, 30)]),
        ("month", 1, ["2024-02", "2024-03", "2024-04"], [date(2024, 2, 29), date(2024, 3, 31), date(2024, 4, 30)]),
        (
            "quarter",
            2,
            ["FY2025Q1", "FY2025Q2", "FY2025Q3"],
            [date(2024, 4, 30), date(2024, 7, 31), date(2024, 10, 31)],
        ),
    ],
)
def test_windows_are_fiscal_periods(tables, grain: str, start: int, labels: list, ends: list):
    found = fit(dataset(tables, as_of=day_of(TODAY), settings=Settings(grain=grain, fiscal_start=start)))
    assert [p.label for p in found.periods] == labels
    assert list(found.ends) == [day_n(e) for e in ends]
    healthy(project(found))


def test_on_the_last_day_of_a_period_nothing_is_to_come(tables):
    found = projected(dataset(tables, as_of=date(2023, 12, 31), newest=day_of(TODAY)))
    first = found.windows[0]
    assert (first.from_open, first.from_new, first.quantile(0.1), first.quantile(0.9)) == (0, 0, first.won, first.won)
    assert first.won > 0
    assert found.windows[1].expected > 0
    assert (found.deal_p[:, 0] == 0).all()


def test_windows_share_out_the_same_wins(tables):
    """January and February of the first quarter hold no more wins than the quarter, and most of them."""
    data = dataset(tables, as_of=date(2023, 12, 31), newest=day_of(TODAY))
    quarter, month = projected(data), project(fit(data, Calendar("month")))
    # On the last day of December the first window of both is empty; March is in the quarter only.
    assert (month.deal_p[:, 0] == 0).all()
    assert (month.deal_p.sum(1) <= quarter.deal_p[:, 1] + 1e-12).all()
    assert month.deal_p.sum() > 0.6 * quarter.deal_p[:, 1].sum()


# --- levers ---------------------------------------------------------------------------------------------------


def test_nothing_assumed_is_the_base(model: Model, base: Projection):
    same(project(model, Assumptions()), base)


def test_volume_is_linear_in_new_business_only(model: Model, base: Projection):
    got = expected(project(model, Assumptions(new_opportunities=1.7)))
    assert got[:, 0] == pytest.approx(expected(base)[:, 0], rel=1e-12)
    assert got[:, 1] == pytest.approx(1.7 * expected(base)[:, 1], rel=1e-12)


def test_deal_size_is_linear(model: Model, base: Projection):
    new = project(model, Assumptions(deal_size=1.5))
    both = project(model, Assumptions(deal_size=1.5, deal_size_open=True))
    assert expected(new) == pytest.approx(expected(base) * [1, 1.5], rel=1e-12)
    assert expected(both) == pytest.approx(expected(base) * 1.5, rel=1e-12)
    for w in range(3):
        assert both.windows[w].won == base.windows[w].won
        assert both.windows[w].to_come.sd == pytest.approx(1.5 * base.windows[w].to_come.sd, rel=0.02)


def test_slippage_moves_and_loses_nothing(model: Model, base: Projection):
    got, before = expected(project(model, Assumptions(slippage=0.4))), expected(base)
    assert got.sum(0) == pytest.approx(before.sum(0))
    assert got[0] == pytest.approx(0.6 * before[0])
    assert got[2] == pytest.approx(before[2])


def test_slippage_takes_its_share_of_wins_at_once_too():
    """Its words: share of this period's expected wins pushed into the next period."""
    found = fit(crm(ODD["everything closed at once"][0], today=220))
    before, got = project(found), project(found, Assumptions(slippage=0.5))
    assert got.windows[0].from_new == pytest.approx(0.5 * before.windows[0].from_new)
    assert sum(w.from_new for w in got.windows) == pytest.approx(sum(w.from_new for w in before.windows))


def test_close_rates_and_cycle_pull_the_right_way(model: Model, base: Projection):
    before = expected(base).sum(1)
    assert (expected(project(model, Assumptions(close_rate=1.2))).sum(1) > before).all()
    assert (expected(project(model, Assumptions(close_rate=0.8))).sum(1) < before).all()
    slow = expected(project(model, Assumptions(sales_cycle=1.5))).sum(1)
    assert slow[0] < before[0]
    more = project(model, Assumptions(close_rate=1.2))
    assert overall_rate(more.rates, model.mix) == pytest.approx(1.2 * overall_rate(base.rates, model.mix), rel=1e-5)


def test_unknown_stage_is_refused(model: Model):
    with pytest.raises(AssumptionError, match="Discovery, Proposal"):
        project(model, Assumptions(close_rates={"Closing": 0.5}))


def test_wins_of_the_period_count_with_and_without_a_creation_date():
    """Won in the period: 1,000 dated, 700 undated, 50 closed in the period before its creation in it."""
    deals = [
        opp(1, 380, 395),
        opp(2, None, 396, amount=700.0),
        opp(3, 370, 360, amount=50.0),
        opp(4, 300),
        opp(5, 200, 300, amount=9.0),
    ]
    found = fit(crm(deals, today=400))
    # Day 360 is 2023-12-27, day 365 the first of January 2024: the third was won in the period before.
    assert found.won == pytest.approx(1700.0)
    assert found.won_count == 2
    assert day(365) == date(2024, 1, 1)
    assert NEVER not in found.ends
