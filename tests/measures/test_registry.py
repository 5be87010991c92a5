"""The catalogue, and what must hold for every measure alike."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from kpis.demo import generate
from kpis.measures import registry
from kpis.measures.core.behind import queries, rows_behind
from kpis.measures.core.dimensions import DIMENSIONS
from kpis.measures.core.evaluate import evaluate
from kpis.measures.core.known import Known
from kpis.measures.core.rows import Window
from kpis.measures.core.runs import window_of
from kpis.measures.registry import catalogue, find, measures, sections
from kpis.periods import Calendar
from kpis.schema import TABLES
from kpis.settings import Settings
from tests.build import dataset

END = date(2026, 8, 14)
NAMES = sorted(measures())
WAYS = [(name, k) for name in NAMES for k in range(len(measures()[name].needs))]


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    """The demo company, with totals as an advertising platform reports them beside its leads and sales."""
    made = generate(opportunities=200, years=3.0, end=END, dirt=False).tables
    paid = made["spend"]["channel"].notna()
    totals = {"impressions": 90_000, "clicks": 900, "leads": 30, "conversions": 3, "conversion_value": 4_000.0}
    made["spend"] = made["spend"].assign(**{name: paid.map({True: each}) for name, each in totals.items()})
    return made


@pytest.fixture(scope="module")
def company(tables):
    return dataset(tables, newest=END)


@pytest.fixture(scope="module")
def results(company):
    return {one.measure.name: one for one in evaluate(company, rng=np.random.default_rng(1))}


def test_72_ids_68_measures():
    entries = catalogue()
    assert len(entries) == 72
    assert len({entry["measure"] for entry in entries}) == 68
    assert len({entry["id"] for entry in entries}) == 72
    json.dumps(entries)


def test_ids_and_measures_are_those_of_the_articles(root):
    path = root.parent / "shared" / "spec" / "kpis.json"
    if not path.is_file():
        pytest.skip("no ../shared/spec beside this checkout")
    listed = {entry["id"]: entry["measure"] for entry in json.loads(path.read_text(encoding="utf-8"))}
    assert {entry["id"]: entry["measure"] for entry in catalogue()} == listed


@pytest.mark.parametrize("name", NAMES)
def test_docstring_has_every_section_and_needs_known_columns(name):
    one = measures()[name]
    assert set(sections(one.function)) == set(registry.SECTIONS)
    assert one.title
    for column in [column for way in one.needs for column in way]:
        table, field = column.split(".")
        TABLES[table].column(field)
    for identifier in one.ids:
        assert identifier in one.source


def test_a_docstring_that_lacks_a_section_is_refused():
    def half(known):
        """Half.

        Definition: Something.
        Formula: x
        """

    with pytest.raises(TypeError, match="lacks Unit, Needs, Source"):
        registry.measure({"SIX-9": "Half"}, kind="simple", basis="flow", better="higher")(half)


def test_a_measure_is_found_by_name_or_id_and_an_unknown_one_gets_a_hint():
    assert find("SALES-7").name == find("win_rate").name == find("sales-7").name == "win_rate"
    with pytest.raises(registry.UnknownMeasure, match="win_rate"):
        find("win_rates")


@pytest.mark.parametrize("name", NAMES)
def test_every_measure_has_a_value_on_the_demo_company(results, name):
    one = results[name]
    assert one.status in ("ok", "low sample")
    grid = one.headline.grid
    assert np.isfinite(grid.value).any()
    for part in one.parts.values():
        grid = part.grid
        there = np.isfinite(grid.value)
        assert (grid.reason[~there] != "").all(), part.name
        assert (grid.reason[there] == "").all(), part.name
        # An end that is not known (the upper one of a median that few have reached) bounds nothing.
        assert not (grid.low > grid.value + 1e-9).any(), part.name
        assert not (grid.high < grid.value - 1e-9).any(), part.name
        if part.unit == "share" and name not in MAY_EXCEED_ONE:
            assert (grid.value[there] <= 1 + 1e-9).all(), part.name


MAY_EXCEED_ONE = (
    "combined_growth",
    "growth_vs_plan",
    "high_margin_sales_share",
    "marketing_spend_to_sales",
    "market_share",
    "retention_rate",
    "sales_marketing_cost_ratio",
    "sales_roi",
    "sales_material_usage",
    "won_revenue_growth",
    "new_customer_rate",
    "visit_to_lead_rate",
    "concession_cost",
)


def reduced_to(tables: dict[str, pd.DataFrame], columns: tuple[str, ...]):
    """Only the named columns, and what intake always gives."""
    kept: dict[str, list[str]] = {}
    for column in columns:
        table, field = column.split(".")
        kept.setdefault(table, list(TABLES[table].key) or []).append(field)
    if "opportunities" in kept:
        kept["opportunities"] += ["created_at", "status", "closed_at"]
    if "opportunity_history" in kept:
        kept["opportunity_history"] += ["opportunity_id", "changed_at"]
    if "content_events" in kept:
        kept["content_events"] += ["asset_id", "event"]
    for name, fields in kept.items():
        if TABLES[name].dated_by:
            fields.append(TABLES[name].dated_by)
    return {
        name: tables[name][[c for c in dict.fromkeys(fields) if c in tables[name]]] for name, fields in kept.items()
    }


@pytest.mark.parametrize(("name", "way"), WAYS)
def test_what_it_needs_is_enough(tables, name, way):
    """With the needed columns alone it runs, whatever its other columns would add."""
    one = measures()[name]
    bare = dataset(reduced_to(tables, one.needs[way]), newest=END)
    got = evaluate(bare, [name], periods=2, parts=way == 0, rng=np.random.default_rng(1))[0]
    assert not got.status.startswith("needs table"), got.status


@pytest.mark.parametrize(("name", "way"), WAYS)
def test_without_a_needed_column_it_says_which(company, name, way):
    one = measures()[name]
    others = {column for k, columns in enumerate(one.needs) if k != way for column in columns}
    for column in one.needs[way]:
        table, field = column.split(".")
        gone = dict(company.present)
        gone[table] = gone[table] - {field}
        for other in others - set(one.needs[way]):
            other_table, other_field = other.split(".")
            gone[other_table] = gone[other_table] - {other_field}
        got = evaluate(replace(company, present=gone), [name], periods=2, rng=np.random.default_rng(1))[0]
        assert got.status.startswith("needs table "), column
        assert not got.parts


@pytest.fixture(scope="module")
def on_empty_tables():
    empty = {name: pd.DataFrame({column: [] for column in spec.names}) for name, spec in TABLES.items()}
    known = dataset(empty, newest=END)
    everything = {name: frozenset(spec.names) for name, spec in TABLES.items()}
    return {one.measure.name: one for one in evaluate(replace(known, present=everything), rng=np.random.default_rng(1))}


@pytest.mark.parametrize("name", NAMES)
def test_empty_tables_give_no_number_and_a_reason(on_empty_tables, name):
    one = on_empty_tables[name]
    assert one.status.startswith("needs ")
    for part in one.parts.values():
        value = part.grid.value
        assert not (np.isfinite(value) & (value != 0)).any(), part.name


@pytest.mark.parametrize("name", ["win_rate", "won_revenue", "cost_per_lead", "sales_cycle_days", "mql_to_sql_rate"])
def test_parts_of_a_breakdown_belong_to_the_whole(company, results, name):
    got = evaluate(company, [name], by="channel", rng=np.random.default_rng(1))[0]
    if got.status.startswith("needs"):
        pytest.skip(got.status)
    whole = results[name].headline.grid
    parts = got.headline.grid
    assert got.headline.over == "channel"
    if got.headline.unit == "money" and name == "won_revenue":
        assert np.nansum(parts.value, axis=0) == pytest.approx(np.nan_to_num(whole.value[0]))
    assert (np.nansum(parts.n, axis=0) <= whole.n[0] + 1e-9).all()


@pytest.mark.parametrize("by", DIMENSIONS)
def test_every_measure_can_be_asked_for_every_dimension(company, by):
    for one in evaluate(company, by=by, periods=2, parts=False, rng=np.random.default_rng(1)):
        assert one.parts or one.status, one.measure.name
        assert one.headline is None or one.headline.grid.groups, one.measure.name


def test_a_dimension_that_the_rows_do_not_have_is_named(company):
    got = evaluate(company, ["email_open_rate"], by="region", rng=np.random.default_rng(1))[0]
    assert got.status == "emails cannot be broken down by region"


@pytest.mark.parametrize("name", NAMES[::6])
def test_the_number_is_the_same_whatever_else_is_asked(company, results, name):
    # Under another name nothing is remembered.
    alone = evaluate(replace(company, name="asked anew"), [name], rng=np.random.default_rng(1))[0]
    assert alone.status == results[name].status
    pd.testing.assert_frame_equal(alone.table(), results[name].table())


def test_the_query_gives_the_number(company, results):
    (sql,) = queries(company, "marketing_qualified_leads")["MQLs"]
    found = company.engine.execute(sql).df().sort_values("p")
    last = len(window_of(company, 8).periods)
    shown = found.set_index("p")["rows"].reindex(range(last - 8, last), fill_value=0)
    assert shown.to_numpy() == pytest.approx(np.nan_to_num(results["marketing_qualified_leads"].headline.grid.value[0]))


def test_every_part_with_rows_has_a_query(company):
    for name in NAMES[::5]:
        for part, texts in queries(company, name).items():
            assert all("SELECT" in text.upper() for text in texts), (name, part)


def test_rows_behind_a_number_are_as_many_as_its_n(company, results):
    whole = results["won_revenue"].headline
    label = results["won_revenue"].periods[-2].label
    rows = rows_behind(company, "won_revenue", period=label)
    assert len(rows) == whole.grid.n[0, -2]
    assert rows["amount"].sum() == pytest.approx(whole.grid.value[0, -2])


def test_later_rows_change_nothing_in_the_past(tables):
    """What is told as of a day is told from what was known on it."""
    day = date(2025, 9, 30)
    cut = {}
    for name, frame in tables.items():
        column = TABLES[name].dated_by
        cut[name] = frame[pd.to_datetime(frame[column]).dt.date <= day] if column else frame
    there_by_then = [name for name, frame in cut.items() if len(frame)]
    whole = dataset({name: tables[name] for name in there_by_then}, newest=END)
    then = dataset({name: cut[name] for name in there_by_then}, newest=END)
    here = evaluate(replace(whole, as_of=day), periods=3, rng=np.random.default_rng(1))
    there = evaluate(replace(then, as_of=day), periods=3, rng=np.random.default_rng(1))
    for one, other in zip(here, there, strict=True):
        assert one.status == other.status, one.measure.name
        pd.testing.assert_frame_equal(one.table(), other.table())


def test_months_and_fiscal_years(tables):
    known = dataset(tables, newest=END, settings=Settings(grain="month", fiscal_start=4))
    got = evaluate(known, ["win_rate"], periods=3, rng=np.random.default_rng(1))[0]
    assert [period.label for period in got.periods] == ["FY2027M03", "FY2027M04", "FY2027M05"]


def test_the_as_of_day_is_the_only_clock(company):
    window = Window((Calendar("quarter").at(END),), 1, END)
    assert Known(company, window).today == (END - date(1970, 1, 1)).days


@pytest.mark.parametrize("grain", ["quarter", "month"])
def test_a_period_has_the_same_value_however_many_are_shown(tables, grain):
    known = dataset(tables, newest=END, settings=Settings(grain=grain))
    few, more = (evaluate(known, periods=n, rng=np.random.default_rng(1)) for n in (2, 5))
    for one, other in zip(few, more, strict=True):
        for name in one.parts.keys() - OF_THE_PERIODS_SHOWN:
            part, same = one.parts[name].grid, other.parts[name].grid
            assert part.groups == same.groups, (one.measure.name, name)
            np.testing.assert_allclose(
                part.value, same.value[:, -2:], rtol=1e-9, err_msg=f"{one.measure.name}, {name}", equal_nan=True
            )


OF_THE_PERIODS_SHOWN = {"centre", "lower_limit", "upper_limit", "out_of_control", "leakage_by_fit"}
"""Control limits are those of the periods on the chart; leads fit the profile of their period as far back as it goes."""
