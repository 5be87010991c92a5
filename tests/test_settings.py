"""The settings file: what is written gives the same again, and an agreement holds for what was agreed."""

from __future__ import annotations

import doctest
from datetime import date

import pytest

import kpis.settings
from kpis.errors import AssumptionError
from kpis.settings import Settings

WHOLE = {
    "grain": "month",
    "fiscal_start": 4,
    "currency": "EUR",
    "stages": [{"stage": 'A "b" \\ ü', "position": 1, "default_probability": 0.2}, {"stage": "Won", "position": 2, "is_won": True}],
    "targets": {"2026Q1": 5.0},
    "confidence": 0.9,
    "definitions": {"sales": {"stages": ["A"], "lead": "sql_at", "score_from": 50}, "flat_band": 0.1},
    "dates": "day-first",
    "mapping": {"deals [1].csv": {"Wert, netto": "opportunities.amount", "x": ""}},
    "agreed": {"by": "Dana", "on": "2026-11-22"},
}  # fmt: skip


def test_examples_of_the_docstrings():
    assert doctest.testmod(kpis.settings).failed == 0


def test_what_is_written_gives_the_same_settings_again(tmp_path):
    settings = Settings.model_validate(WHOLE)
    file = tmp_path / "tandem.toml"
    file.write_text(settings.as_toml(), "utf-8")
    again = Settings.read(file)
    assert again == settings
    assert again.model_fields_set == settings.model_fields_set
    assert Settings.parse(b"\xef\xbb\xbf" + settings.as_toml().encode(), "with a BOM") == settings


def test_nothing_that_was_not_set_is_written():
    assert Settings().as_toml() == ""
    assert Settings(currency="EUR").revised(currency=None).as_toml() == ""


def test_an_agreement_ends_with_the_definitions_it_was_about():
    settings = Settings.model_validate(WHOLE)
    assert settings.agreed.on == date(2026, 11, 22)
    assert settings.revised(mapping={}, dates="month-first").agreed == settings.agreed
    assert settings.revised(confidence=0.8).agreed is None
    assert settings.revised(confidence=0.8, agreed={"by": "Kim", "on": date(2026, 12, 1)}).agreed.by == "Kim"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"= nonsense", "not TOML"),
        (b"\xff\xfe\x00", "not TOML"),
        (b"confidence = 2", "confidence"),
        (b"unknown = 1", "unknown"),
        (b"[definitions.sales]\nlead = 'birthday'", "definitions.sales.lead"),
    ],
)
def test_a_wrong_settings_file_is_refused_with_its_entry(text, said):
    with pytest.raises(AssumptionError, match=said) as error:
        Settings.parse(text, "mine.toml")
    assert error.value.place == "mine.toml"
