"""How is this computed: each number's formula carries the values of its answer, and its rows exist."""

from __future__ import annotations

import pytest

from kpis.answers.coverage import next_periods
from kpis.answers.creation import new_opportunities
from kpis.answers.outlook import outlook
from kpis.answers.pipeline import pipeline_health
from kpis.answers.words import money
from kpis.assumptions import Assumptions
from kpis.forecast.model import fit
from kpis.intake import read


@pytest.fixture(scope="module")
def found(sample_data):
    data = read([sample_data]).dataset
    return outlook(data, fit(data), Assumptions(targets=(3e6, 2e6, 1e6)))


@pytest.mark.parametrize("question", [pipeline_health, next_periods, new_opportunities])
def test_rows_are_tables_of_the_answer_and_no_value_is_missing_from_a_formula(found, question):
    answer = question(found)
    assert any(number.working for number in answer.numbers.values())
    for number in answer.numbers.values():
        assert number.rows == "" or number.rows in answer.tables
        assert "{" not in number.working
        assert "n/a" not in number.working


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
