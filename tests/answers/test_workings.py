"""How is this computed: each number's formula carries the values of its answer, and its rows exist."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from kpis.answers.changes import DAYS, WhatChanged
from kpis.answers.compare import compare
from kpis.answers.counts import counts
from kpis.answers.coverage import next_periods
from kpis.answers.creation import new_opportunities
from kpis.answers.health import deal_health
from kpis.answers.outlook import outlook
from kpis.answers.pipeline import pipeline_health
from kpis.answers.words import money
from kpis.assumptions import Assumptions
from kpis.forecast.model import fit
from kpis.intake import read
from tests.build import dataset


@pytest.fixture(scope="module")
def found(sample_data):
    data = read([sample_data]).dataset
    return outlook(data, fit(data), Assumptions(targets=(3e6, 2e6, 1e6)))


def last_month(found):
    """What changed in the current period's pipeline within the last days."""
    as_of = found.dataset.as_of
    return WhatChanged(found.model.periods[0], as_of - timedelta(days=DAYS), as_of)(found)


def against_itself(found):
    """Two scenarios side by side."""
    return compare([found, found], ["one", "other"])


QUESTIONS = (pipeline_health, deal_health, next_periods, new_opportunities, last_month, against_itself)
STEPS_OF_A_WATERFALL = "pipeline_"
"""Numbers that are bars of a chart with its own formula in the notes; no card opens them."""


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_number_has_its_formula_with_values_its_rows_and_its_counts(found, question):
    answer = question(found)
    for key, number in answer.numbers.items():
        assert number.rows == "" or number.rows in answer.tables
        assert set(number.counts) <= set(answer.counts)
        assert "{" not in number.working
        assert "n/a" not in number.working
        if number.value is not None and not key.startswith(STEPS_OF_A_WATERFALL):
            assert number.working, key
        # What rests on targets alone is counted from nothing.
        assert number.counts or key.startswith("three_times"), key


def test_the_queries_behind_a_forecast_return_the_rows_it_is_fitted_to(found):
    run, read = found.dataset.engine.execute, counts(found.dataset)
    deals = run(read["deals"].query()).fetchall()
    assert len(deals) == len(found.model.stints.deals) + found.model.stints.undated[0]
    *made, visits = statements(read["visits"].query())
    # The derived tables are stored already: their queries come first, each with what it is.
    assert [text.splitlines()[0].split(",")[0] for text in made] == ["-- derived_keys", "-- derived_visits"]
    stored = run("SELECT count(*) FROM derived_visits").fetchone()[0]
    assert len(run(made[1]).fetchall()) == stored
    assert len(run(visits).fetchall()) == stored  # on the newest day, every visit
    *_, states = statements(read["states"].query())
    assert 0 < len(run(states).fetchall()) < run("SELECT count(*) FROM derived_states").fetchone()[0]


def statements(text):
    """The statements of a query, each with the comment before it."""
    return [part.strip() for part in text.split(";\n\n")]


def test_without_a_history_the_query_says_what_is_missing():
    rows = [{"opportunity_id": "a", "created_at": date(2026, 1, 5), "amount": 1.0}]
    bare = counts(dataset({"opportunities": rows}))
    assert bare["visits"].query() == "-- Not with this data: needs table opportunity_history"
    assert bare["deals"].query().endswith(";")


def test_the_expected_landing_is_shown_as_its_sum(found):
    x = found.landings[0]
    parts = [money(amount, "USD") for amount in (x.won, x.from_open, x.from_new, x.expected)]
    assert pipeline_health(found).numbers["expected"].working == (
        "{} won + {} from open deals + {} not yet created = {}".format(*parts)
    )


def test_coverage_is_the_quotient_that_is_shown(found):
    number, x = pipeline_health(found).numbers["coverage"], found.landings[0]
    assert number.value == x.open_qualified / (3e6 - x.won)
    said = [money(amount, "USD") for amount in (x.open_qualified, 3e6, x.won)]
    assert number.working == "{} open and qualified / ({} target - {} won)".format(*said)


def test_without_a_value_there_is_no_formula_but_a_reason(found):
    none = found.under(Assumptions(targets=(None, None, None)))
    number = pipeline_health(none).numbers["coverage"]
    assert (number.value, number.working) == (None, "")
    assert number.reason


def test_what_no_lever_changes_is_found_once_a_model(found):
    asked = []

    def find(model):
        asked.append(model)
        return len(asked)

    assert [found.model.once(find), found.under(Assumptions(sales_cycle=1.2)).model.once(find)] == [1, 1]
    assert asked == [found.model]
