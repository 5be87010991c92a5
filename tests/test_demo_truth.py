"""What truth.json says is what the deals did: checked with a second implementation of its formula."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from kpis.demo import END, Company, generate
from kpis.demo.truth import draw_shock

STATES = ["Prospecting", "Discovery", "Evaluation", "Proposal", "Negotiation", "Closed Won", "Closed Lost"]
OPEN = STATES[:5]
WON, LOST = 5, 6


@pytest.fixture(scope="module")
def large() -> Company:
    return generate(opportunities=30_000, seed=5, dirt=False)


@pytest.fixture(scope="module")
def small() -> Company:
    return generate(opportunities=600, seed=2, years=1.5, dirt=False)


def hazard_table(truth: dict[str, Any]) -> np.ndarray:
    """h[stage, next state, bin]."""
    table = np.zeros((5, 7, len(truth["age_edges"])))
    for stage, exits in truth["hazards"].items():
        for state, rates in exits.items():
            table[STATES.index(stage), STATES.index(state)] = rates
    return table


def ratio(truth: dict[str, Any], deals: pd.DataFrame, which: str) -> np.ndarray:
    """HR of each deal without the owner's factor, from the columns of the exported tables."""
    table = truth["hazard_ratios"][which]
    result = np.ones(len(deals))
    for column in ("segment", "region", "type", "source"):
        result = result * deals[column].map(table[column]).to_numpy()
    low, high = table["amount"]["clip"]
    size = (deals["first_amount"] / table["amount"]["reference"]).clip(low, high)
    scored = np.exp(table["score"]["slope"] * (deals["score"] - table["score"]["centre"]))
    return result * size.to_numpy() ** table["amount"]["elasticity"] * scored.fillna(1.0).to_numpy()


def day_factors(truth: dict[str, Any], days: pd.DatetimeIndex, *, shock: bool = True) -> pd.DataFrame:
    """Weekday, won and lost factor of each day."""
    part = np.where(days.day <= 7, 0, np.where(days.days_in_month - days.day < 7, 2, 1))
    phase = (days.month - 1) % 3 * 3 + part
    quarter = [f"{y}Q{q}" for y, q in zip(days.year, days.quarter, strict=True)]
    shocks = [truth["shock"]["realised"][q] if shock else 1.0 for q in quarter]
    return pd.DataFrame(
        {
            "weekday": np.array(truth["weekday"])[days.day_of_week],
            "won": np.array(truth["calendar"]["won"])[phase] * shocks,
            "lost": np.array(truth["calendar"]["lost"])[phase],
        },
        index=days,
    )


def exit_probabilities(truth, stage, age, forward, lost, factors) -> np.ndarray:
    """P of each of the 7 next states, one row an open deal and day: the formula in kpis/demo/truth.py."""
    edges = np.array(truth["age_edges"])
    age_bin = np.searchsorted(edges, age, side="right") - 1
    p = hazard_table(truth)[stage, :, age_bin]
    state = np.arange(7)
    ahead = (state[None, :] > stage[:, None]) & (state[None, :] < LOST)
    p = np.where(ahead, p * forward[:, None], p)
    p[:, WON] *= factors["won"]
    p[:, LOST] *= lost * factors["lost"]
    p *= factors["weekday"][:, None]
    return p * np.minimum(1.0, truth["cap"] / np.maximum(p.sum(axis=1), 1e-300))[:, None]


def with_features(company: Company) -> pd.DataFrame:
    deals = company.tables["opportunities"].set_index("opportunity_id")
    first = (
        company.tables["opportunity_history"].drop_duplicates("opportunity_id").set_index("opportunity_id")["amount"]
    )
    score = company.tables["leads"].set_index("lead_id")["score"]
    return deals.assign(first_amount=first, score=deals["lead_id"].map(score))


@pytest.fixture(scope="module")
def at_risk(large) -> tuple[pd.DataFrame, np.ndarray]:
    """One row a deal and day on which it could move, and P of each of the 7 next states by the told truth."""
    truth, deals = large.truth, with_features(large)
    start, end = pd.Timestamp(large.truth["start"]), pd.Timestamp(END)
    log = large.tables["opportunity_history"].sort_values(["opportunity_id", "changed_at"], kind="stable")
    log = log.assign(
        deal=deals.index.get_indexer(log["opportunity_id"]),
        day=(pd.to_datetime(log["changed_at"]) - start).dt.days,
        stage=log["stage"].map({name: i for i, name in enumerate(STATES)}),
    ).reset_index(drop=True)
    by_deal = log.groupby("deal")
    until = by_deal["day"].shift(-1).fillna((end - start).days).astype(int)
    to = by_deal["stage"].shift(-1).fillna(log["stage"]).astype(int)
    entry = log["day"].where(log["stage"] != by_deal["stage"].shift()).ffill().astype(int)
    # The state after a row of the log lasts through the day of the next row.
    lasts = (until - log["day"]).where(log["stage"] < WON, 0)
    days = log.loc[log.index.repeat(lasts)]
    day = days["day"] + 1 + days.groupby(level=0).cumcount()
    rows = pd.DataFrame(
        {
            "deal": days["deal"],
            "stage": days["stage"],
            "day": day,
            "age": day - 1 - entry[days.index],
            "next": np.where((day == until[days.index]) & (to[days.index] != days["stage"]), to[days.index], -1),
            "owner": days["owner"],
        }
    ).reset_index(drop=True)
    assert (rows["next"] >= 0).sum() == (log["stage"] != by_deal["stage"].shift()).sum() - len(deals)
    hr = {
        which: ratio(truth, deals, which)[rows["deal"]]
        * rows["owner"].map(truth["hazard_ratios"][which]["owner"]).to_numpy()
        for which in ("forward", "lost")
    }
    factors = day_factors(truth, pd.date_range(start, end)).iloc[rows["day"]]
    p = exit_probabilities(
        truth, rows["stage"].to_numpy(), rows["age"].to_numpy(), hr["forward"], hr["lost"],
        {name: factors[name].to_numpy() for name in factors},
    )  # fmt: skip
    return rows, p


def z_scores(group: np.ndarray, happened: np.ndarray, p: np.ndarray) -> np.ndarray:
    """(observed - expected) / sd of the events of each group that is expected to have 10 or more."""
    group = pd.factorize(group)[0]
    expected, variance = np.bincount(group, p), np.bincount(group, p * (1 - p))
    return ((np.bincount(group, happened) - expected) / np.sqrt(np.maximum(variance, 1e-9)))[expected >= 10]


def assert_chance(z: np.ndarray, least: int) -> None:
    """Scores behave like independent standard normal ones: none is extreme, and their squares add up."""
    assert len(z) >= least
    assert np.abs(z).max() < 4.5
    assert 0.001 < stats.chi2(len(z)).cdf((z**2).sum()) < 0.999


def test_exits_happen_as_often_as_the_true_hazards_say(large, at_risk):
    rows, p = at_risk
    age_bin = np.searchsorted(large.truth["age_edges"], rows["age"], side="right") - 1
    scores = [
        z_scores(age_bin[inside], rows["next"][inside] == state, p[inside, state])
        for stage in range(5)
        for inside in [(rows["stage"] == stage).to_numpy()]
        for state in range(7)
    ]
    assert_chance(np.concatenate(scores), least=150)


@pytest.mark.parametrize(
    "dimension",
    ["segment", "region", "type", "source", "owner", "amount", "score", "month", "day of week", "phase", "quarter"],
)
def test_hazard_ratios_and_calendar_are_as_told(large, at_risk, dimension):
    """Within each level of each dimension, wins, losses and moves ahead happen as often as told."""
    rows, p = at_risk
    day = pd.DatetimeIndex(pd.date_range(large.truth["start"], END))
    part = np.where(day.day <= 7, 0, np.where(day.days_in_month - day.day < 7, 2, 1))
    of_day = {
        "month": day.month, "day of week": day.day_of_week, "phase": (day.month - 1) % 3 * 3 + part,
        "quarter": 4 * day.year + day.quarter,
    }  # fmt: skip
    deals = with_features(large)
    if dimension in of_day:
        group = np.asarray(of_day[dimension])[rows["day"]]
    elif dimension == "owner":
        group = rows["owner"].to_numpy()
    else:
        bands = {
            "amount": lambda: pd.qcut(deals["first_amount"].rank(method="first"), 6, labels=False),
            "score": lambda: pd.cut(deals["score"].fillna(-1), [-2, 0, 40, 50, 60, 70, 101], labels=False),
        }
        group = bands.get(dimension, lambda: deals[dimension])().to_numpy()[rows["deal"]]
    ahead = (np.arange(7) > rows["stage"].to_numpy()[:, None]) & (np.arange(7) < WON)
    scores = [
        z_scores(group, rows["next"] == WON, p[:, WON]),
        z_scores(group, rows["next"] == LOST, p[:, LOST]),
        z_scores(group, (rows["next"] > rows["stage"]) & (rows["next"] < WON), np.where(ahead, p, 0).sum(axis=1)),
    ]
    assert_chance(np.concatenate(scores), least=9)


def test_futures_agree_with_the_exact_recursion(small):
    """Expected won amount of the open deals, exactly from truth.json, against many futures without shocks."""
    truth, horizon = small.truth, 45
    deals = with_features(small).query("status == 'open'")
    log = small.tables["opportunity_history"]
    log = log[log["opportunity_id"].isin(deals.index)].sort_values(["opportunity_id", "changed_at"], kind="stable")
    entered = (
        log[log["stage"] != log.groupby("opportunity_id")["stage"].shift()]
        .groupby("opportunity_id")["changed_at"]
        .last()
    )
    age = (pd.Timestamp(END) - pd.to_datetime(entered.loc[deals.index])).dt.days.to_numpy()
    stage = deals["stage"].map({name: i for i, name in enumerate(STATES)}).to_numpy()
    forward = ratio(truth, deals, "forward") * deals["owner"].map(truth["hazard_ratios"]["forward"]["owner"]).to_numpy()
    lost = ratio(truth, deals, "lost") * deals["owner"].map(truth["hazard_ratios"]["lost"]["owner"]).to_numpy()
    revision = truth["revision"]
    # Mean factor on the amount at a forward move: most leave it, some multiply it by a lognormal.
    grows = 1 - revision["share"] + revision["share"] * np.exp(revision["mean_log"] + revision["sd_log"] ** 2 / 2)

    # value[deal, stage, age] = E[amount x probability] of being there; ages beyond the last edge are alike.
    oldest = truth["age_edges"][-1] + horizon
    n = len(deals)
    value = np.zeros((n, 5, oldest + 1))
    value[np.arange(n), stage, np.minimum(age, oldest - horizon)] = deals["amount"]
    stages, ages = np.indices((5, oldest + 1)).reshape(2, -1)
    stamps = pd.date_range(END + timedelta(days=1), periods=horizon)
    factors = day_factors(truth, stamps, shock=False)
    won = np.zeros(n)
    for day in stamps:
        today = {name: np.full(len(stages), factors.loc[day, name]) for name in factors}
        after = np.zeros_like(value)
        for i in range(n):
            p = exit_probabilities(
                truth, stages, ages, np.full(len(stages), forward[i]), np.full(len(stages), lost[i]), today
            )
            flow = value[i].ravel()[:, None] * p
            moved = np.array(
                [[flow[stages == s, c].sum() * (grows if s < c < LOST else 1) for c in range(7)] for s in range(5)]
            )
            won[i] += moved[:, WON].sum()
            after[i, :, 1:] = (value[i].ravel() - flow.sum(axis=1)).reshape(5, -1)[:, :-1]
            after[i, :, 0] = moved[:, :5].sum(axis=0)
        value = after

    end = stamps[-1].date()
    futures = small.continue_from(END, [end], draws=3_000, rng=np.random.default_rng(1), shocks=False)
    drawn = futures.from_open[:, 0]
    error = drawn.std() / np.sqrt(len(drawn))
    assert error < 0.03 * drawn.mean()
    assert abs(drawn.mean() - won.sum()) < 4 * error + 0.003 * won.sum()  # amounts are rounded to tidy numbers


def test_futures_start_from_the_state_of_the_day(large):
    """What came true lies among the futures that are drawn from a past day with what was known then."""
    as_of, ends = date(2026, 3, 31), [date(2026, 6, 30), date(2026, 8, 14)]
    futures = large.continue_from(as_of, ends, draws=5, rng=np.random.default_rng(3))
    won = large.tables["opportunities"].query("status == 'won'")
    for w, (start, end) in enumerate([(as_of, ends[0]), (ends[0], ends[1])]):
        inside = won[(won["closed_at"] > start.isoformat()) & (won["closed_at"] <= end.isoformat())]
        old = inside["created_at"] <= as_of.isoformat()
        assert inside.loc[old, "amount"].sum() == pytest.approx(futures.from_open[:, w].mean(), rel=0.4)
        assert inside.loc[~old, "amount"].sum() == pytest.approx(futures.from_new[:, w].mean(), rel=0.5)
    assert futures.total.shape == (5, 2)


def test_arrivals_follow_growth_and_season(large):
    truth = large.truth["arrivals"]
    created = pd.to_datetime(large.tables["opportunities"]["created_at"])
    days = pd.date_range(large.truth["start"], large.truth["end"])
    years = ((days - days[0]).days / 365.25).to_numpy()
    expected = truth["level"] * np.exp(truth["growth"] * years)
    expected = expected * np.array(truth["season"])[days.month - 1] * np.array(truth["weekday"])[days.day_of_week]
    assert expected.sum() == pytest.approx(30_000)
    count = created.value_counts().reindex(days, fill_value=0)
    for key in (days.month, days.day_of_week, days.year):
        seen, told = count.groupby(key).sum(), pd.Series(expected, index=days).groupby(key).sum()
        weeks = pd.Series(1, index=days).groupby(key).sum() / 7
        # Poisson, and each week's own factor.
        sd = np.sqrt(told + (truth["week_cv"] * told) ** 2 / weeks)
        assert (np.abs(seen - told) < 4 * sd).all()


def test_variant_b_of_the_mailings_is_better(large):
    emails = large.tables["emails"].groupby("variant")[["delivered", "unique_opens", "unique_clicks"]].sum()
    told = large.truth["emails"]
    opens = emails["unique_opens"] / emails["delivered"]
    assert opens["B"] / opens["A"] == pytest.approx(told["variant_b"]["open"], abs=0.04)
    clicks = emails["unique_clicks"] / emails["unique_opens"]
    assert clicks["B"] / clicks["A"] == pytest.approx(told["variant_b"]["click"], abs=0.08)


def test_the_shock_has_the_variation_it_is_told_to_have(large):
    values = draw_shock(np.random.default_rng(0), 20_000)
    assert values.mean() == pytest.approx(1.0, abs=0.005)
    assert values.std() == pytest.approx(large.truth["shock"]["cv"], abs=0.005)
    assert len(large.truth["shock"]["realised"]) == 13  # 2023Q3 to 2026Q3
