"""What is dated after T changes nothing that is said as of T: of any table, up to the whole document."""

from __future__ import annotations

import json
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpis.answers.coverage import next_periods
from kpis.answers.creation import new_opportunities
from kpis.answers.outlook import document, outlook
from kpis.assumptions import Assumptions
from kpis.dataset import Dataset
from kpis.forecast.backtest import record
from kpis.forecast.model import fit
from kpis.periods import Calendar, day_n, day_of
from kpis.schema import TABLES, Table
from tests.build import dataset
from tests.oracle import company

T = date(2023, 11, 16)
NEWEST = T + timedelta(days=300)
IDS = tuple(f"d{k:06d}" for k in range(6))
NOT_STATE = ("opportunity_id", "account_id", "created_at", "closed_at", "seq")
STATE = ("stage", "amount", "expected_close", "forecast_category", "probability", "owner")
"""What the history of an opportunity records."""


def rows(spec: Table, rng: np.random.Generator, n: int, first: date, days: int) -> pd.DataFrame:
    """Rows of any table, dated in the ``days`` days from ``first`` on, their events at most 40 days later."""
    start = rng.integers(0, days, n)
    known = np.sort(start) if spec.name == "opportunity_history" else start
    values = {}
    for column in spec.columns:
        if column.name == spec.dated_by:
            values[column.name] = [first + timedelta(days=int(d)) for d in known]
        elif column.kind in ("date", "plan_date"):
            moved = known + rng.integers(0, 40, n)
            values[column.name] = [first + timedelta(days=int(d)) if rng.random() < 0.7 else None for d in moved]
        elif column.kind == "id":
            values[column.name] = rng.choice(IDS, n)
        elif column.kind in ("text", "category"):
            values[column.name] = rng.choice(["a", "b", "marketing", "won"], n)
        elif column.kind in ("flag", "share"):
            values[column.name] = rng.integers(0, 2, n)
        else:
            values[column.name] = rng.integers(1, 500, n)
    return pd.DataFrame(values)


def moved_on(spec: Table, before: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Rows known at T, with every event after T on another day after T."""
    after = before.copy()
    for column in spec.columns:
        if column.kind == "date" and column.name != spec.dated_by:
            late = [value is not None and value > T for value in after[column.name]]
            after[column.name] = [
                T + timedelta(days=int(rng.integers(1, 250))) if is_late else value
                for value, is_late in zip(after[column.name], late, strict=True)
            ]
    return after


def known(spec: Table, frame: pd.DataFrame, others: dict | None = None) -> list[str]:
    """What is known of the table at T, as sorted texts."""
    found = dataset({**(others or {}), spec.name: frame}, newest=NEWEST).known_at(T)
    table = found.frame(spec.name, found.engine.cursor()).collect("pyarrow").to_native().to_pylist()
    return sorted(json.dumps(row, default=str) for row in table)


def tables_but(*names: str) -> list[str]:
    return [name for name in TABLES if name not in names]


def test_a_table_that_requires_a_date_is_dated_by_one():
    for name, spec in TABLES.items():
        required = [c.name for c in spec.columns if c.kind == "date" and c.required]
        assert not required or spec.dated_by in required, name


@pytest.mark.parametrize("name", tables_but("opportunities", "opportunity_history"))
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_rows_and_events_after_the_day_are_not_known(name: str, seed: int):
    """A table with a date of its own loses what is dated later; one without it loses later events."""
    spec, rng = TABLES[name], np.random.default_rng(seed)
    before = rows(spec, rng, 12, T - timedelta(days=60), 60)
    deals = {"opportunities": [{"opportunity_id": IDS[k], "created_at": T + timedelta(days=k - 3)} for k in range(6)]}
    as_it_was = known(spec, before, deals)
    changed = moved_on(spec, before, rng)
    if spec.dated_by:
        changed = pd.concat([changed, rows(spec, rng, 12, T + timedelta(days=1), 200)], ignore_index=True)
        assert len(as_it_was) == len(before)
    assert known(spec, changed, deals) == as_it_was
    if not spec.dated_by and not spec.dates:
        assert len(as_it_was) == len(before)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_state_of_an_opportunity_is_that_of_its_history(seed: int):
    """Later changes, closes and creations, and whatever the opportunity says now, leave its state at T alone."""
    rng = np.random.default_rng(seed)
    deals, history = TABLES["opportunities"], TABLES["opportunity_history"]
    before = rows(deals, rng, 6, T - timedelta(days=60), 60).assign(opportunity_id=IDS, amount_basis="given")
    before["closed_at"] = [None, T - timedelta(days=1), T, T + timedelta(days=1), T + timedelta(days=90), None]
    before["status"] = ["open", "won", "lost", "won", "lost", "open"]
    changes = rows(history, rng, 20, T - timedelta(days=60), 60).assign(seq=range(1, 21))
    changes["opportunity_id"] = [*IDS, *rng.choice(IDS, 14)]
    changes[list(STATE)] = changes.groupby("opportunity_id")[list(STATE)].ffill()
    as_it_was = known(deals, before, {"opportunity_history": changes})
    after = moved_on(deals, before, rng)
    still_open = after["closed_at"].isna() | (after["closed_at"] > T)
    now = rows(deals, rng, 6, T, 40)
    for column in (*STATE[:-1], "owner", "lost_reason", "push_count", "next_step", "status"):
        after.loc[still_open, column] = now.loc[still_open, column]
    after = pd.concat([after, rows(deals, rng, 5, T + timedelta(days=1), 100).assign(opportunity_id=list("vwxyz"))])
    later = rows(history, rng, 20, T + timedelta(days=1), 200).assign(seq=range(21, 41))
    grown = pd.concat([changes, later])
    assert known(deals, after, {"opportunity_history": grown}) == as_it_was
    assert known(history, grown, {"opportunities": after}) == known(history, changes, {"opportunities": before})
    assert len(as_it_was) == 6


# --- the whole way ----------------------------------------------------------------------------------------------


def story() -> dict[str, pd.DataFrame]:
    """A company with known truth that lives on after T, with leads, spend and targets."""
    first, last = day_n(T) - 1000, day_n(NEWEST)
    rng = np.random.default_rng(4)
    lived = company.run(company.plain(per_day=1.2), company.Pipeline.empty(), first, last, Calendar(), rng)
    tables = company.tables(lived)
    deals = tables["opportunities"]
    close = pd.to_datetime(deals["created_at"]) + pd.to_timedelta(rng.integers(20, 200, len(deals)), unit="D")
    tables["opportunity_history"] = tables["opportunity_history"].merge(
        pd.DataFrame({"opportunity_id": deals["opportunity_id"], "expected_close": close}), on="opportunity_id"
    )
    created = pd.to_datetime(deals["created_at"]).dt.date
    tables["leads"] = pd.DataFrame(
        {
            "lead_id": [f"l{k}" for k in range(2 * len(deals))],
            "created_at": [day - timedelta(days=30) for day in created] * 2,
            "mql_at": [day - timedelta(days=20) for day in created] * 2,
            "sql_at": [*(day - timedelta(days=5) for day in created), *[None] * len(deals)],
            "opportunity_id": [*deals["opportunity_id"], *[None] * len(deals)],
        }
    )
    months = pd.date_range(day_of(first).replace(day=1), NEWEST, freq="MS")
    tables["spend"] = pd.DataFrame(
        {"period": months, "department": "marketing", "amount": rng.integers(900, 1100, len(months))}
    )
    quarters = pd.date_range("2021-01-01", "2025-01-01", freq="QS")
    tables["targets"] = pd.DataFrame({"period": quarters, "metric": "bookings", "value": 5e4})
    return tables


def lived_otherwise(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The same up to T; afterwards nothing happens any more but a burst of deals, leads, spend and changes."""
    stamp = pd.Timestamp(T)
    deals = tables["opportunities"].copy()
    deals = deals[pd.to_datetime(deals["created_at"]) <= stamp]
    late = pd.to_datetime(deals["closed_at"]) > stamp
    still = late | deals["closed_at"].isna()
    deals.loc[late, "closed_at"] = None
    deals.loc[still, "status"] = "open"
    deals.loc[still, "stage"] = "Nowhere"
    deals.loc[still, "amount"] = 123456.0
    burst = [stamp + pd.Timedelta(days=k) for k in range(1, 120)]
    new = pd.DataFrame(
        {
            "opportunity_id": [f"n{k}" for k in range(119)],
            "created_at": burst,
            "closed_at": burst,
            "status": "won",
            "amount": 1e7,
        }
    )
    changes = tables["opportunity_history"]
    changes = changes[pd.to_datetime(changes["changed_at"]) <= stamp]
    more = deals.loc[still, ["opportunity_id"]].assign(
        changed_at=stamp + pd.Timedelta(days=9), stage="Won", amount=7.0, expected_close=stamp + pd.Timedelta(days=10)
    )
    leads = tables["leads"]
    leads = leads[pd.to_datetime(leads["created_at"]) <= stamp].copy()
    for column in ("mql_at", "sql_at"):
        leads.loc[pd.to_datetime(leads[column]) > stamp, column] = None
    leads.loc[~leads["opportunity_id"].isin(deals["opportunity_id"]), "opportunity_id"] = "n5"
    spend = tables["spend"]
    later = spend["period"] > stamp
    return tables | {
        "opportunities": pd.concat([deals, new]),
        "opportunity_history": pd.concat([changes, more]),
        "leads": pd.concat(
            [leads, pd.DataFrame({"lead_id": ["x"] * 50, "created_at": burst[:50], "mql_at": burst[:50]})]
        ),
        "spend": spend.assign(amount=spend["amount"].where(~later, 1e9)),
    }


def said(data: Dataset) -> dict[str, object]:
    """All that is said about the coming periods as of T."""
    past = data.known_at(T)
    model = fit(past)
    found = outlook(past, model, Assumptions(), record(past, model))
    told: dict[str, object] = {"document": document(found), "needs": [vars(x.need) for x in found.landings]}
    told["funnel"] = {**vars(found.funnel), "monthly": {k: v.tolist() for k, v in found.funnel.monthly.items()}}
    for answer in (next_periods(found), new_opportunities(found)):
        told[answer.question] = {
            "sentence": answer.sentence,
            "numbers": {key: n.value for key, n in answer.numbers.items()},
            "tables": {key: table.astype("object").to_dict("list") for key, table in answer.tables.items()},
        }
    return told


def alike(one: object, other: object, where: str = "") -> None:
    """Equal, numbers up to the order in which an engine adds them up."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            alike(one[key], other[key], f"{where} / {key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for k, (a, b) in enumerate(zip(one, other, strict=True)):
            alike(a, b, f"{where} / {k}")
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=1e-12, nan_ok=True), where
    else:
        assert one == other or (pd.isna(one) and pd.isna(other)), where


def test_the_whole_document_knows_nothing_of_later_rows():
    tables = story()
    one, other = (dataset(t, newest=NEWEST) for t in (tables, lived_otherwise(tables)))
    told = said(one)
    alike(told, said(other))
    # It says something: every period has its need in opportunities, leads and money, and a verified range.
    periods = told["document"]["periods"]
    assert all(p["target"] == 5e4 and p["verified"] for p in periods)
    assert all(p["needed"][key] is not None for p in periods[1:] for key in ("opportunities", "sqls", "mqls", "spend"))
    assert len(told["funnel"]["monthly"]["mqls"]) > 20
    # And the later rows would have been seen, had they been known.
    assert document_of_today(one) != document_of_today(other)


def document_of_today(data: Dataset) -> dict:
    return document(outlook(data, fit(data)))
