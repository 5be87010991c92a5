"""The record as a person reads it: chances against what came, days of the period, the method that is used."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest

from kpis.answers.track_record import STAND_IN, WINDOW_NAMES, of_window, track_record
from kpis.forecast.contest import MODEL, NO_BETTER
from kpis.forecast.rules import MEAN_OF_FOUR
from kpis.periods import Calendar, day_n
from kpis.settings import Settings
from tests.build import dataset
from tests.forecast.test_contest import origin

NAN = float("nan")
OWN = "the targets of the periods"


def past(made_on: date, chance: float, actual: float, *, won: float = 0.0, phase: int = 0, mean: float = 80.0):
    """A forecast of three months that gave the same chance to every target."""
    window = SimpleNamespace(won=won, p_hit=lambda _: chance)
    found = origin(100, actual, label=f"{made_on:%Y-%m}")
    return replace(
        found, day=day_n(made_on), phase=phase, windows=(window,) * 3, rules={MEAN_OF_FOUR: np.array([5.0, mean, mean])}
    )  # fmt: skip


def outlook(targets: dict[str, float] | None = None, methods=(MODEL,) * 3, why=(NO_BETTER,) * 3):
    """What the record reads of an outlook."""
    data = dataset(
        {"opportunities": [{"opportunity_id": "1", "created_at": date(2023, 1, 1)}]},
        settings=Settings(grain="month", targets=targets or {}),
    )
    return SimpleNamespace(
        dataset=data, currency="USD", model=SimpleNamespace(calendar=Calendar("month")),
        record=SimpleNamespace(methods=methods, why=why), landings=[SimpleNamespace(label=f"2024-0{k}") for k in (1, 2, 3)],
    )  # fmt: skip


def chances(origins, found, window=WINDOW_NAMES[0]):
    return of_window(track_record(origins, found), window)[3].set_index("said").sort_index()


def test_chances_against_what_came_by_hand():
    """Target 100 of every month. Said 90, 90, 90, 85, 10 % and came 100, 120, 99, 150, 30.

    Four in the highest fifth, mean 88.75 %, three reached (99 is not): 75 %, Wilson 30.06 to 95.44 %.
    """
    months = [date(2023, m, 1) for m in range(1, 6)]
    origins = [
        past(m, p, a) for m, p, a in zip(months, (0.9, 0.9, 0.9, 0.85, 0.1), (100, 120, 99, 150, 30), strict=True)
    ]
    found = chances(origins, outlook({f"2023-0{m}": 100.0 for m in range(1, 6)}))
    assert found.index.tolist() == pytest.approx([0.1, 0.8875])
    assert found["n"].tolist() == [1, 4]
    assert found["hits"].tolist() == [0, 3]
    assert found["reached"].tolist() == [0.0, 0.75]
    assert found[["low", "high"]].iloc[1].tolist() == pytest.approx([0.3006, 0.9544], abs=1e-4)
    assert set(found["against"]) == {OWN}


def test_a_window_is_judged_against_the_target_of_its_own_period():
    """Made in January: 100 came in each of three months, whose targets are 90, 110 and none."""
    origins = [past(date(2023, 1, 1), 0.5, 100.0)]
    found = outlook({"2023-01": 90.0, "2023-02": 110.0})
    assert [chances(origins, found, name)["hits"].tolist() for name in WINDOW_NAMES] == [[1], [0], []]


def test_what_is_won_already_counts_and_a_met_target_is_no_question():
    january = date(2023, 1, 21)
    # 60 won and 50 to come reach 100; with 100 won there is nothing left to forecast; what is not over has no outcome.
    origins = [past(january, 0.5, 50.0, won=60.0), past(january, 1.0, 0.0, won=100.0), past(january, 0.5, NAN)]
    found = chances(origins, outlook({"2023-01": 100.0}))
    assert found[["n", "hits"]].values.tolist() == [[1, 1]]


def test_without_targets_the_mean_of_four_periods_stands_in_and_it_says_so():
    """The mean of four whole periods (80), also for the current one, whose rule is about its rest (5)."""
    answer = track_record([past(date(2023, 5, 1), 0.4, 79.0), past(date(2023, 6, 1), 0.4, 80.0)], outlook())
    rows = of_window(answer, WINDOW_NAMES[0])[3]
    assert rows[["n", "hits", "against"]].values.tolist() == [[2, 1, STAND_IN]]
    assert any(STAND_IN in note for note in answer.notes)
    # A period without four before it has no stand-in either.
    assert track_record([past(date(2023, 5, 1), 0.4, 79.0, mean=NAN)], outlook()).tables["chances"].empty


def test_the_edges_of_the_fifths():
    """0, .2, .4, .6, .8 each begin a fifth, and 1 belongs to the last."""
    said = (0.0, 0.19, 0.2, 0.4, 0.6, 0.8, 1.0)
    origins = [past(date(2023, 1, 1), p, 100.0) for p in said]
    found = chances(origins, outlook({"2023-01": 100.0}))
    assert found["n"].tolist() == [2, 1, 1, 1, 2]


def test_by_day_of_the_period():
    """Forecasts of 100: on day 0 of 50 and 150, on day 10 of 100. Errors 50 + 50 of 200, signed 0; and none."""
    origins = [
        past(date(2023, 5, 1), 0.5, 50.0),
        past(date(2023, 6, 1), 0.5, 150.0),
        past(date(2023, 5, 11), 0.5, 100.0, phase=10),
    ]
    rows = track_record(origins, outlook()).tables["phases"]
    mine = rows[rows["window"] == WINDOW_NAMES[0]]
    assert mine[["day_of_period", "wape", "bias", "n"]].values.tolist() == [[0, 0.5, 0.0, 2], [10, 0.0, 0.0, 1]]
    assert rows["window"].drop_duplicates().tolist() == list(WINDOW_NAMES)


def test_the_method_of_todays_forecast_is_named_with_its_reason():
    methods, why = (MODEL, "last period", MODEL), (NO_BETTER, "'last period' was off by 9%", NO_BETTER)
    answer = track_record([past(date(2023, 5, 1), 0.5, 50.0)], outlook(methods=methods, why=why))
    assert answer.tables["methods"]["used"].tolist() == list(methods)
    assert answer.tables["methods"]["why"].tolist() == list(why)
    assert answer.tables["methods"]["by_whole_record"].tolist() == [MODEL] * 3
    assert any("next period: last period" in note for note in answer.notes)
    document = answer.document
    assert (document["chosen"], document["chosen_by_window"]) == (MODEL, list(methods))
    assert "next period: 'last period' was off by 9%" in document["why"]


def test_no_record_yet():
    answer = track_record([], outlook())
    assert "no record yet" in answer.sentence
    assert all(answer.tables[name].empty for name in ("origins", "phases", "ranges", "chances"))
    assert answer.document["origins"] == []
