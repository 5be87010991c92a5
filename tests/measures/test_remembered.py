"""What was counted is remembered with the dataset, and a moved forecast is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd

from kpis.engine import REMEMBERED, Embedded
from kpis.measures.core.evaluate import evaluate
from kpis.measures.core.forecast_view import ForecastView, PeriodView
from kpis.measures.core.runs import runs_of
from tests.measures.look import data
from tests.measures.test_sales import DEALS


def ask(known, **more):
    return evaluate(known, periods=2, rng=np.random.default_rng(1), **more)


def test_the_same_question_is_counted_once(monkeypatch):
    known = data({"opportunities": DEALS})
    first = ask(known, names=["win_rate", "won_revenue"])
    monkeypatch.setattr(
        "kpis.measures.core.rows.collect", lambda *_: (_ for _ in ()).throw(AssertionError("counted again"))
    )
    again = ask(known, names=["won_revenue"])
    pd.testing.assert_frame_equal(again[0].table(), first[1].table())


def test_another_day_or_other_settings_are_another_question():
    known = data({"opportunities": DEALS})

    def runs(of, seed: int = 1):
        return runs_of(of, 2, np.random.default_rng(seed))

    assert runs(known) is runs(known)
    assert runs(known) is not runs(replace(known, as_of=date(2026, 3, 1)))
    assert runs(known) is not runs(known, seed=2)
    monthly = replace(known, settings=known.settings.model_copy(update={"grain": "month"}))
    assert runs(known) is not runs(monthly)


def test_a_breakdown_starts_from_what_is_known_already():
    runs = runs_of(data({"opportunities": DEALS}), 2, np.random.default_rng(1))
    assert runs.by("segment") is runs.by("segment") is not runs.by()
    assert runs.by("segment").known is runs.by().known


def test_headlines_first_and_parts_later_give_the_same_as_parts_alone():
    one, other = data({"opportunities": DEALS}), data({"opportunities": DEALS})
    ask(one, parts=False)
    for here, there in zip(ask(one), ask(other), strict=True):
        pd.testing.assert_frame_equal(here.table(), there.table())


def test_a_forecast_that_moved_is_shown_and_not_the_remembered_one():
    known = data({"opportunities": DEALS})

    def landing(expected: float) -> float:
        view = ForecastView((PeriodView("2026Q1", expected=expected),), funnel_value=expected)
        part = ask(known, names=["funnel_value"], forecast=view)[0].parts["by_forecast"]
        return part.grid.value[0, -1]

    assert [landing(70.0), landing(90.0)] == [70.0, 90.0]


def test_the_oldest_is_forgotten():
    engine = Embedded()
    made = []

    def make(key: int) -> int:
        made.append(key)
        return key

    for key in range(REMEMBERED + 1):
        assert engine.remember(key, lambda key=key: make(key)) == key
    engine.remember(1, lambda: make(1))
    engine.remember(0, lambda: make(0))
    assert made == [*range(REMEMBERED + 1), 0]
