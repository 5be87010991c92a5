"""The documents of ``measure`` and ``catalogue``, the queries, and the printed catalogue."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kpis.answers import measures as answers
from kpis.errors import AssumptionError
from kpis.measures.registry import UnknownMeasure
from tests.measures.look import data, day
from tests.measures.test_sales import DEALS


def test_document_has_the_keys_of_the_interface():
    found = answers.measure(
        data({"opportunities": DEALS}), ["win_rate", "SALES-8", "cost_per_lead"], periods=2
    ).document
    assert (found["as_of"], found["grain"]) == ("2026-03-31", "quarter")
    rate, fresh, cost = found["measures"]
    assert rate["measure"] == "win_rate"
    assert rate["ids"] == ["SALES-7"]
    assert rate["status"] == "low sample"
    assert (rate["unit"], rate["basis"]) == ("share", "flow")
    last = rate["values"][-1]
    assert last["period"] == "2026Q1"
    assert last["value"] == pytest.approx(2 / 3)
    assert last["n"] == 3
    assert last["by"] == {}
    assert last["low"] < last["value"] < last["high"]
    assert fresh["measure"] == "new_customer_rate"
    assert cost["status"] == "needs table spend"
    assert cost["values"] == []
    # Every number is a number or null: JSON knows no NaN.
    json.dumps(found, allow_nan=False)


def test_breakdown_names_the_dimension():
    found = answers.measure(data({"opportunities": DEALS}), ["win_rate"], by="segment", periods=1).document
    assert [value["by"] for value in found["measures"][0]["values"]] == [{"segment": "Enterprise"}, {"segment": "SMB"}]


def test_what_is_missing_is_null_with_its_reason():
    found = answers.measure(data({"opportunities": DEALS[:1]}), ["win_rate"], periods=2).document
    assert found["measures"][0]["values"][-1]["value"] is None
    assert found["measures"][0]["values"][-1]["reason"] == "nothing was won or lost in this period"


def test_the_answer_shows_number_table_and_what_is_lacking():
    answer = answers.measure(data({"opportunities": DEALS}), ["won_revenue", "bounce_rate"], periods=2)
    assert answer.numbers["won_revenue"].value == 400.0
    assert answer.numbers["bounce_rate"].reason == "needs table web_sessions"
    assert answer.notes == ("bounce_rate: needs table web_sessions",)
    assert answer.sentence == "1 of 2 measures have a value on this data."
    table = answer.tables["won_revenue"]
    assert table.loc[table["part"] == "won_revenue", "value"].tolist() == [250.0, 400.0]


def test_the_same_generator_gives_the_same_interval():
    known = data({"opportunities": DEALS})
    first = answers.measure(known, ["won_revenue"], rng=np.random.default_rng(3)).document
    again = answers.measure(known, ["won_revenue"], rng=np.random.default_rng(3)).document
    other = answers.measure(known, ["won_revenue"], rng=np.random.default_rng(4)).document
    assert first == again
    assert first != other


def test_unknown_measures_and_dialects_are_named():
    known = data({"opportunities": DEALS})
    with pytest.raises(UnknownMeasure, match="Did you mean win_rate"):
        answers.measure(known, ["winrate"])
    with pytest.raises(AssumptionError, match="Known: duckdb"):
        answers.sql(known, "win_rate", "oracle")


def test_the_printed_query_runs_and_gives_the_counts():
    known = data({"opportunities": DEALS})
    text = answers.sql(known, "win_rate", periods=2)
    assert text.startswith("-- win_rate (SALES-7): W ÷ (W + L)")
    statements = [one.split("\n", 1)[1] for one in text.split("\n\n-- ")[1:] if "\n" in one]
    found = known.engine.execute(statements[0].rstrip(";")).df()
    last = found.loc[found["p"].idxmax()]
    assert (last["is_won"], last["decided"], last["rows"]) == (2, 3, 4)


def test_docs_are_fresh(root):
    assert (root / "docs" / "kpis.md").read_text(encoding="utf-8") == answers.markdown(), (
        "docs/kpis.md is stale: python -m kpis.answers.measures"
    )


def test_only_past_values_depend_on_history():
    known = data({"opportunities": DEALS}, newest=day("02-14"))
    found = answers.measure(known, ["current_period_health"], periods=2).document["measures"][0]
    assert found["status"].startswith("needs table opportunities, column expected_close")
