"""One data set, every engine: the same counts, the same numbers, the same pipeline, the same forecast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kpis.answers.masking import masked
from kpis.answers.measures import tidy
from kpis.dataset import Dataset
from kpis.engine import NEVER
from kpis.forecast.model import fit
from kpis.forecast.projection import project
from kpis.measures.core.evaluate import evaluate
from kpis.periods import Calendar, day_n
from kpis.pipeline.closes import closes
from kpis.pipeline.pacing import build_up, yields
from kpis.pipeline.stints import Stints, stints
from kpis.pipeline.waterfall import moves, waterfall
from tests.engines import companies
from tests.engines.conftest import ENGINES, EVERYWHERE
from tests.engines.servers import in_words_of
from tests.oracle import waterfall as plain
from tests.oracle.visits import visits

COMPANIES = ("demo", "msft_regional_sales", "odd 1", "odd 2", "odd 3")
EXACT = {"rtol": 1e-12, "atol": 1e-6}
"""Numbers are added up in another order on each engine: the last digits of a sum may differ, which shows where large sums nearly cancel; a cent may not."""

LONG = {("demo", "spark"), ("odd 2", "spark"), ("odd 3", "spark")}
"""Spark plans some two thousand small queries for all measures: minutes. `make test-engines` asks them."""

PERIODS = 3

Company, On = Callable[[str], Dataset], Callable[[str, Dataset], Dataset]


def same(left: pd.DataFrame, right: pd.DataFrame, order: list[str]) -> None:
    """Equal tables, whichever order their rows come in."""
    left, right = (table.sort_values(order, ignore_index=True) for table in (left, right))
    pd.testing.assert_frame_equal(left, right, check_categorical=False, **EXACT)


def ask(dataset: Dataset, **more: Any) -> pd.DataFrame:
    """Every part of every measure."""
    return tidy(evaluate(dataset, periods=PERIODS, rng=np.random.default_rng(1), **more))


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        pytest.param(name, engine, marks=pytest.mark.thorough if (name, engine) in LONG else ())
        for name in COMPANIES
        for engine in ENGINES
    ],
)
def test_every_measure(name: str, engine: str, company: Company, on: On) -> None:
    here = ask(company(name))
    assert set(here["measure"]) > {"win_rate", "won_revenue"}
    pd.testing.assert_frame_equal(ask(on(engine, company(name))), here, **EXACT)


@pytest.mark.parametrize("engine", EVERYWHERE)
def test_measures_by_a_dimension_of_their_own_and_of_another_table(engine: str, company: Company, on: On) -> None:
    names = ["win_rate", "won_revenue", "lead_conversion_rate", "sales_cycle_length"]
    names = [name for name in names if name in _known()]
    for by in ("owner", "channel"):
        here = ask(company("demo"), names=names, by=by, parts=False)
        assert here["group"].nunique() > 2
        pd.testing.assert_frame_equal(ask(on(engine, company("demo")), names=names, by=by, parts=False), here, **EXACT)


def _known() -> set[str]:
    from kpis.measures.registry import measures

    return set(measures())


def _same_stints(found: Stints, expected: Stints) -> None:
    assert found.stages == expected.stages
    assert found.history_start == expected.history_start
    assert found.undated[0] == expected.undated[0]
    assert found.undated[1] == pytest.approx(expected.undated[1], rel=1e-12)
    for part in ("deals", "spells", "bookings"):
        left, right = (
            getattr(s, part).astype(dict.fromkeys(_categories(getattr(s, part)), "str")) for s in (found, expected)
        )
        if part == "bookings":
            left, right = (t.sort_values(["closed", "amount"], ignore_index=True) for t in (left, right))
        pd.testing.assert_frame_equal(left, right, check_dtype=False, **EXACT)


def _categories(table: pd.DataFrame) -> list[str]:
    return [c for c in table.columns if isinstance(table[c].dtype, pd.CategoricalDtype)]


@pytest.mark.parametrize("engine", EVERYWHERE)
@pytest.mark.parametrize("name", COMPANIES)
def test_stints_of_today_and_of_past_days(name: str, engine: str, company: Company, on: On) -> None:
    here = company(name)
    for back in (0, 1, 92):
        day = here.newest - timedelta(days=back)
        _same_stints(stints(on(engine, here).known_at(day)), stints(here.known_at(day)))


@pytest.mark.parametrize("engine", EVERYWHERE)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_stints_are_those_of_plain_loops(seed: int, engine: str, company: Company, on: On) -> None:
    rows = companies.tables(seed)
    for day in (date(2024, 2, 29), date(2024, 12, 31)):
        found = stints(on(engine, company(f"odd {seed}")).known_at(day))
        names = (*found.stages.names, "won", "lost")
        spells = {
            (
                found.deals["opportunity_id"][row.deal], found.stages.names[row.stage], row.entry,
                None if row.exit == NEVER else row.exit, None if row.cause == -1 else names[row.cause],
            )
            for row in found.spells.itertuples()
        }  # fmt: skip
        by_loops = visits(_whole(rows), _carried(rows), companies.CLOSING, "Anfrage", day_n(day))
        assert spells == {visit[:5] for visit in by_loops}


def _whole(rows: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return rows["opportunities"]


def _carried(rows: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """History as intake leaves it: what a change leaves out is as it was."""
    state: dict[str, dict[str, Any]] = {}
    carried = []
    for row in rows["opportunity_history"]:
        told = {k: v for k, v in row.items() if v is not None}
        state[row["opportunity_id"]] = {**dict.fromkeys(row), **state.get(row["opportunity_id"], {}), **told}
        carried.append(state[row["opportunity_id"]])
    return carried


@pytest.mark.parametrize("engine", EVERYWHERE)
@pytest.mark.parametrize("name", COMPANIES)
def test_the_waterfall_and_the_oracle(name: str, engine: str, company: Company, on: On) -> None:
    here = company(name)
    first, last = here.newest - timedelta(days=45), here.newest - timedelta(days=2)
    period = Calendar("quarter").at(last)
    rows = {where: moves(data, first, last) for where, data in (("here", here), ("there", on(engine, here)))}
    same(*(t.astype(dict.fromkeys(_categories(t), "str")) for t in rows.values()), order=["opportunity_id"])
    found = waterfall(rows["there"], period)
    assert found.totals == waterfall(rows["here"], period).totals
    assert found.residual == 0.0
    if name.startswith("odd"):
        tables = companies.tables(int(name.removeprefix("odd ")))
        days, window = (first, last, here.newest), (period.start, period.end)
        oracle = plain.waterfall(_whole(tables), _carried(tables), companies.CLOSING, days, window)
        assert {step: found.totals[step] for step in found.totals} == {step: oracle[step] for step in found.totals}


@pytest.mark.parametrize("engine", EVERYWHERE)
def test_pacing_and_closes(engine: str, company: Company, on: On) -> None:
    here, there = company("demo"), on(engine, company("demo"))
    calendar = Calendar("quarter")
    curves = build_up(here, calendar), build_up(there, calendar)
    for left, right in zip(*curves, strict=True):
        np.testing.assert_allclose(left.amount, right.amount, **EXACT)
    bookings = stints(here).bookings
    expected, found = yields(here, curves[0], bookings), yields(there, curves[1], bookings)
    assert {p: pytest.approx(v, rel=1e-12) for p, v in expected.items()} == found
    since = day_n(here.newest) - 200
    same(closes(there, since), closes(here, since), order=["created", "first", "last"])


@pytest.mark.parametrize("engine", EVERYWHERE)
@pytest.mark.parametrize("name", ["demo", "msft_regional_sales"])
def test_the_forecast(name: str, engine: str, company: Company, on: On) -> None:
    here, there = fit(company(name)), fit(on(engine, company(name)))
    assert (there.won, there.won_count) == pytest.approx((here.won, here.won_count), rel=1e-12)
    left, right = (np.array([window.expected for window in project(model).windows]) for model in (here, there))
    np.testing.assert_allclose(right, left, rtol=1e-12)


@pytest.mark.parametrize("engine", EVERYWHERE)
def test_names_are_masked_alike(engine: str, company: Company, on: On) -> None:
    here = replace(company("odd 1"), fingerprint="masked alike")
    there = replace(on(engine, company("odd 1")), fingerprint="masked alike")
    tables = [masked(d) for d in (here, there)]
    left, right = (stints(d).deals[["opportunity_id", "owner", "amount"]] for d in tables)
    assert left["owner"].astype("str").str.startswith("Owner").any()
    same(left.astype({"owner": "str"}), right.astype({"owner": "str"}), order=["opportunity_id"])


@pytest.mark.parametrize("dialect", ["snowflake", "bigquery"])
def test_queries_worded_for_a_warehouse_mean_the_same(dialect: str, company: Company) -> None:
    """Read back from the warehouse's dialect they give the same numbers, the rules of nulls included."""
    pytest.importorskip("sqlframe")
    here = company("odd 1")
    there = in_words_of(dialect, here)
    _same_stints(stints(there), stints(here))
    names = ["win_rate", "won_revenue", "lead_leakage", "pipeline_coverage", "average_deal_size", "sales_velocity"]
    names = [name for name in names if name in _known()]
    pd.testing.assert_frame_equal(ask(there, names=names), ask(here, names=names), **EXACT)
