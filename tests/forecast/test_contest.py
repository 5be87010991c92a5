"""Who was nearer, and whose mean is used: scores by hand on made-up past forecasts."""

from __future__ import annotations

import numpy as np
import pytest

from kpis.forecast.calibration import Landmark
from kpis.forecast.contest import MODEL, NO_BETTER, Origin, choose, leading, scores

NAN = float("nan")


def origin(
    expected: float, actual: float, rule: float = NAN, *, label: str = "A", crps: float = 0.0, other: float = NAN
):
    """A past forecast with the same numbers in all windows and a range of 80 to 120."""
    three = np.ones(3)
    none = np.zeros((0, 3))
    return Origin(
        day=0, label=label, phase=0, expected=expected * three, actual=actual * three, p10=80 * three, p90=120 * three,
        crps=crps * three, verified=np.ones(3, dtype=bool), rules={"rule": rule * three, "other": other * three},
        windows=(), open_amount=0.0, won_of_open=NAN * three,
        landmark=Landmark(0, (1, 2, 3), np.zeros(0), np.zeros(0), none, none, NAN * three),
    )  # fmt: skip


def row(table, method, window=0):
    return table[(table["method"] == method) & (table["window"] == window)].iloc[0]


def test_scores_by_hand():
    """Forecasts 110, 90, 150 of 100, 100, 200, and one that is not over; the rule has 130 of 100 and 200 of 200."""
    past = [
        origin(110, 100, 130, label="A", crps=5), origin(90, 100, label="B", crps=7), origin(150, 200, 200, label="B", crps=8),
        origin(1e6, NAN, 1.0),
    ]  # fmt: skip
    table = scores(past)
    mine, rule = row(table, MODEL), row(table, "rule")
    # Errors 10, 10, 50 of 400; signed 10 - 10 - 50; CRPS 5 + 7 + 8 of 400; 100 and 100 are inside 80 to 120, 200 is not.
    assert (mine["wape"], mine["bias"], mine["crps"]) == pytest.approx((70 / 400, -50 / 400, 20 / 400))
    assert mine["coverage80"] == pytest.approx(2 / 3)
    assert (mine["n"], mine["periods"], mine["model_wape"]) == (3, 2, pytest.approx(70 / 400))
    # On the two it has: 30 + 0 of 300; this model was off by 10 + 50 there. A point's CRPS is its absolute error.
    assert (rule["wape"], rule["bias"], rule["crps"], rule["model_wape"]) == pytest.approx((0.1, 0.1, 0.1, 60 / 300))
    assert (rule["n"], rule["periods"]) == (2, 2)
    assert row(table, "other")["n"] == 0
    # One below the range of 80 to 120 is outside it too.
    assert row(scores([*past, origin(100, 60)]), MODEL)["coverage80"] == pytest.approx(2 / 4)
    assert np.isnan(row(table, "other")["wape"])


def test_nothing_came_is_no_scale():
    assert row(scores([origin(5, 0, 3)]), MODEL)["wape"] is None
    assert scores([])["n"].tolist() == [0, 0, 0]
    assert choose(scores([])) == ((MODEL,) * 3, (NO_BETTER,) * 3)


def many(n: int, periods: int, rule: float, other: float = NAN):
    """``n`` forecasts off by 20 of 100, beside rules, in so many periods."""
    return [origin(120, 100, rule, label=f"P{k % periods}", other=other) for k in range(n)]


@pytest.mark.parametrize(
    ("n", "periods", "rule", "used"),
    [
        (8, 6, 115.9, "rule"),  # off by 15.9 where the model was off by 20: 20.5 % better
        (8, 6, 116.1, MODEL),  # 19.5 % better
        (7, 7, 100.0, MODEL),  # too few forecasts
        (24, 5, 100.0, MODEL),  # too few periods
    ],
)
def test_a_rule_needs_a_fifth_over_eight_forecasts_of_six_periods(n, periods, rule, used):
    methods, why = choose(scores(many(n, periods, rule)))
    assert methods == (used,) * 3
    assert (why[0] == NO_BETTER) == (used == MODEL)


def test_the_best_of_several_rules_is_named_with_its_record():
    methods, why = choose(scores(many(12, 6, 110.0, other=95.0)))
    assert methods[0] == "other"
    assert why[0] == "'other' was off by 5% of revenue, this model by 20%, over 12 past forecasts of 6 periods"


def test_leading_counts_periods_and_not_yet_forecasts():
    """A rule that leads over six periods with too few forecasts is one to be judged on more days."""
    lead = leading(scores(many(6, 6, 100.0)))
    assert lead["n"].tolist() == [6, 6, 6]
    assert leading(scores(many(5, 5, 100.0))).empty
    assert leading(scores(many(6, 6, 119.0))).empty
