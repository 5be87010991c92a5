"""Masking: nobody is named in any table, the same name goes by the same word, and no number changes."""

from __future__ import annotations

import pandas as pd
import pytest

from kpis.answers.masking import masked
from kpis.answers.outlook import outlook
from kpis.answers.pipeline import pipeline_health
from kpis.assumptions import Assumptions
from kpis.engine import collect
from kpis.forecast.model import fit
from kpis.intake import read
from kpis.schema import TABLES

NAMING = {"owner", "assessor", "team", "account_id", "next_step"}
"""Columns of the demo company's files that name somebody, besides the names of accounts and deals."""


@pytest.fixture(scope="module")
def named(sample_data):
    return read(sorted(sample_data.glob("*.csv"))).dataset


@pytest.fixture(scope="module")
def hidden(named):
    return masked(named)


@pytest.fixture(scope="module")
def real_names(sample_data):
    """Every name in the demo company's files, read without Tandem."""
    found = set()
    for file in sample_data.glob("*.csv"):
        table = pd.read_csv(file, dtype=str)
        columns = NAMING & set(table) | ({"name"} if file.stem in ("accounts", "opportunities") else set())
        found |= {value for column in columns for value in table[column].dropna()}
    return found - {"APAC", "EMEA", "VP Marketing", "VP Sales"}  # teams that are called like regions; job titles


def texts(dataset, table):
    """The columns of a table that hold texts, as stored."""
    columns = [column.name for column in TABLES[table].columns if column.kind in ("id", "text", "category")]
    return collect(dataset.engine.cursor().frame(table), dict.fromkeys(columns, "text")) if columns else pd.DataFrame()


def found_in(dataset, names):
    """Which of the names stand in which table."""
    stored = {table: set(texts(dataset, table).to_numpy().flat) & names for table in dataset.present}
    return {table: sorted(found)[:3] for table, found in stored.items() if found}


def pairs(named, hidden, table, column, key):
    """Each value of a column with what stands in for it."""
    both = [
        collect(dataset.engine.cursor().frame(table), {key: "text", column: "text"}).set_index(key)[column].dropna()
        for dataset in (named, hidden)
    ]
    matched = pd.concat(both, axis=1, keys=["name", "label"], join="inner")
    assert len(matched) == len(both[0]) == len(both[1]) > 0
    return set(matched.itertuples(index=False, name=None))


def test_no_name_is_left_in_any_table(named, hidden, real_names):
    assert len(real_names) > 4_000  # 1,357 accounts with an id and a name each, 2,000 deals, the people
    assert found_in(hidden, real_names) == {}
    naming = found_in(named, real_names).keys()
    assert {"accounts", "opportunities", "opportunity_history", "activities", "nps", "targets"} <= naming


def test_a_name_goes_by_one_word_in_every_table(named, hidden):
    owners = pairs(named, hidden, "opportunities", "owner", "opportunity_id")
    owners |= pairs(named, hidden, "activities", "owner", "activity_id")
    owners |= pairs(named, hidden, "opportunity_history", "owner", "seq")
    assert len({name for name, _ in owners}) == len({label for _, label in owners}) == len(owners) > 10
    accounts = texts(hidden, "accounts")
    assert list(accounts["account_id"]) == list(accounts["name"])
    assert set(texts(hidden, "customers")["account_id"]) <= set(accounts["account_id"])
    deals = texts(hidden, "opportunities")
    assert deals["name"].dropna().is_unique  # two deals of one name stay two
    assert set(deals["opportunity_id"]) == set(texts(named, "opportunities")["opportunity_id"])
    scopes = {scope for scope in texts(hidden, "targets")["scope"].dropna() if not scope.startswith("Team ")}
    assert scopes == {"company"}


def test_numbers_do_not_follow_the_alphabet(named, hidden):
    owners = sorted(pairs(named, hidden, "opportunities", "owner", "opportunity_id"))
    numbers = [int(label.removeprefix("Owner ")) for _, label in owners]
    assert sorted(numbers) != numbers


def test_masking_twice_is_masking_once(named, hidden):
    again = masked(named)
    assert again.fingerprint == hidden.fingerprint != named.fingerprint
    assert texts(again, "opportunities").equals(texts(hidden, "opportunities"))
    assert "Owner 1" not in set(texts(named, "opportunities")["owner"])  # the named tables stay as they are


def test_no_number_changes(named, hidden):
    day = named.newest
    answers = [pipeline_health(outlook(d, fit(d.known_at(day)), Assumptions())) for d in (named, hidden)]
    assert answers[0].sentence == answers[1].sentence
    for key, number in answers[0].numbers.items():
        assert answers[1].numbers[key].value == pytest.approx(number.value, rel=1e-12), key
