"""Counts are asked once a model: no lever asks the engine anything again, whichever it is."""

from __future__ import annotations

import pytest

from kpis.answers.close_months import close_months
from kpis.answers.coverage import next_periods
from kpis.answers.creation import new_opportunities
from kpis.answers.day_one import day_one, on_pace
from kpis.answers.health import deal_health
from kpis.answers.next_steps import next_steps
from kpis.answers.outlook import outlook
from kpis.answers.pipeline import pipeline_health
from kpis.assumptions import Assumptions
from kpis.engine import Embedded
from kpis.forecast.model import fit
from kpis.intake import read

QUESTIONS = (
    pipeline_health, deal_health, next_periods, day_one, on_pace, new_opportunities, close_months, next_steps,
)  # fmt: skip
MOVED = Assumptions(sales_cycle=1.2, new_opportunities=1.3, deal_size=0.9, slippage=0.4)


def test_a_moved_lever_asks_the_engine_nothing(sample_data, monkeypatch):
    dataset = read(sorted(sample_data.glob("*.csv"))).dataset
    usual = outlook(dataset, fit(dataset))
    before = [question(usual) for question in QUESTIONS]
    monkeypatch.setattr(Embedded, "source", lambda _: pytest.fail("a lever asked the engine"))
    after = [question(usual.under(MOVED)) for question in QUESTIONS]
    assert before[0].sentence != after[0].sentence
