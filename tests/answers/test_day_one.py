"""How big the pipeline should be going into a period: own past and rules of thumb, by hand."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest

from kpis.answers.day_one import day_one, on_pace
from kpis.periods import Calendar, day_n
from kpis.pipeline.pacing import BuildUp, Pace

TODAY = date(2024, 5, 31)
Q = Calendar("quarter")
USUAL = Pace(share=0.5, yield_share=0.2, created_and_won=100.0, periods=5)


def outlook(targets=(None, 900.0, 600.0), rate=0.25, pace=USUAL, past=5):
    """Three quarters from 2024Q2; each past one began with 1,000 and won 200 of it and 100 of other deals."""
    periods = tuple(Q.after(TODAY, 3))
    curves = [
        BuildUp(p, day_n(TODAY) - 800, np.full(801, amount))
        for k in range(-past, 3)
        for p, amount in [(Q.at(TODAY, k), 1000.0 if k < 0 else 250.0)]
    ]
    model = SimpleNamespace(
        today=day_n(TODAY), periods=periods, build_up=curves, paces=(None, pace, pace),
        yields={c.period: (200.0, 100.0) for c in curves[:past]}, once=lambda _: rate,
    )  # fmt: skip
    landings = tuple(SimpleNamespace(label=p.label, target=t) for p, t in zip(periods, targets, strict=True))
    return SimpleNamespace(model=model, landings=landings, say=lambda x: "n/a" if x is None else f"${x:.0f}")


def test_the_three_ways_by_hand():
    """2024Q3: (900 - 100) / .2 = 4,000; 3 x 900 = 2,700, a third less; 900 / .25 = 3,600, a tenth less."""
    answer = day_one(outlook())
    rules = answer.tables["rules"]
    assert rules["asks_for"].tolist() == pytest.approx([4000.0, 2700.0, 3600.0, 2500.0, 1800.0, 2400.0])
    assert rules["difference"].tolist()[1:3] == pytest.approx([-1300.0, -400.0])
    assert rules["difference_said"].tolist()[1:3] == ["32 % less", "10 % less"]
    assert rules["difference"].isna().tolist() == [True, False, False] * 2
    assert rules["with_values"].tolist()[:3] == [
        "($900 target - $100 won of other deals) / 20 % of the first day's pipeline won; medians of 5 past periods",
        "3 x $900 target",
        "$900 target / 25 % won of the amount closed in the last 364 days",
    ]
    assert answer.numbers["three_times 2024Q3"].value == 2700.0
    assert answer.sentence == (
        "2024Q3 should begin with $4000: in 5 past periods 20 % of the first day's pipeline was won in the period, and "
        "$100 of other deals (medians). By rule of thumb: 3x rule $2700 (32 % less), inverse win rate $3600 (10 % less)."
    )


def test_the_rows_behind_the_own_past():
    days = day_one(outlook()).tables["first_days"]
    assert days["period"].tolist() == ["2023Q1", "2023Q2", "2023Q3", "2023Q4", "2024Q1"]
    assert days[["first_day", "won_of_it", "won_of_others"]].drop_duplicates().to_numpy().tolist() == [[1000, 200, 100]]


def test_without_a_history_the_rules_stand_alone():
    answer = day_one(outlook(pace=None, past=0))
    assert answer.tables["rules"]["asks_for"].isna().tolist() == [True, False, False] * 2
    assert answer.tables["rules"]["difference_said"].isna().all()
    assert answer.tables["first_days"].empty
    assert answer.sentence == (
        "By its own past: n/a, no target is set, or fewer than four past periods have a first day in the history. "
        "By rule of thumb: 3x rule $2700, inverse win rate $3600."
    )


@pytest.mark.parametrize("rate", [float("nan"), 0.0])
def test_without_a_win_there_is_no_inverse(rate):
    number = day_one(outlook(rate=rate)).numbers["inverse_win_rate 2024Q3"]
    assert number.value is None
    assert "no deal with an amount has closed" in number.reason


def test_without_targets_nothing_is_asked_for():
    answer = day_one(outlook(targets=(None, None, None)))
    assert answer.tables["rules"]["asks_for"].isna().all()
    assert "By rule of thumb" not in answer.sentence


def test_where_the_pipeline_stands_on_its_way():
    """4,000 to begin with, half of it usual by now; the last quarter begins in 123 days and is not drawn yet."""
    answer = on_pace(outlook())
    assert answer.sentence == (
        "2024Q3 holds $250 today, and would hold $2000 at the pace of past periods; it begins in 31 days. "
        "2024Q4 holds $250 today; the picture shows it from 90 days before; it begins in 123 days."
    )
    assert set(answer.tables["build_up"]["period"]) == {"2024Q3", "2024Q4"}
    assert on_pace(outlook(past=0)).sentence == ""
