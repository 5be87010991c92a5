"""The lever board: bounds that nothing refuses, estimates that change nothing, ranges of the company's own past."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kpis.answers.board import lever_board, set_to, to_assumptions
from kpis.assumptions import Assumptions
from kpis.forecast.levers import OutOfReach, apply, stage_rates, within_reach
from kpis.forecast.model import fit
from kpis.forecast.own_history import bookings, estimates
from kpis.intake import read
from kpis.periods import day_n
from tests.build import dataset
from tests.forecast.crm import STAGES, crm, day, opp


@pytest.fixture(scope="module")
def model(sample_data):
    return fit(read(sorted(sample_data.glob("*.csv"))).dataset)


@pytest.fixture(scope="module")
def board(model):
    return lever_board(model)


def test_every_lever_has_its_place_estimate_range_and_count(board):
    fields = [lever.field for lever in board]
    assert [f for k, f in enumerate(fields) if not k or fields[k - 1] != f] == [
        "sales_cycle", "close_rate", "close_rates", "new_opportunities", "new_opportunities_by_source", "deal_size",
        "slippage",
    ]  # fmt: skip
    for lever in board:
        assert lever.minimum <= lever.estimate <= lever.maximum
        assert lever.own.n > 0
        assert lever.own.low < lever.own.high
        assert f"n {lever.own.n:,}" in lever.history("USD")
        assert lever.estimate == pytest.approx(lever.own.value * lever.scale, abs=0.51 * lever.step)


@pytest.mark.parametrize(("share", "ends"), [(0.98, [(98, 99)]), (0.99, []), (1.0, [])])
def test_a_lever_that_cannot_be_moved_is_none(model, monkeypatch, share, ends):
    # nine tenths of what is not pushed on anyway, in whole percents: 98 + 1.8, 99 + 0.9 and 100 + 0 are 99, 99 and 100
    found = estimates(model)
    found["slippage"] = replace(found["slippage"], value=share)
    monkeypatch.setattr("kpis.answers.board.estimates", lambda _: found)
    assert [(x.minimum, x.maximum) for x in lever_board(model) if x.field == "slippage"] == ends


def test_estimates_change_nothing(board):
    assert to_assumptions(board, {lever.key: lever.estimate for lever in board}) == Assumptions()


def test_no_end_of_a_slider_is_refused_and_each_reads_back(model, board):
    for lever in board:
        for value in (lever.minimum, lever.maximum):
            assumptions = to_assumptions(board, {lever.key: value})
            apply(model.hazards, model.mix, assumptions, model.stages)
            assert lever.value_in(assumptions) == pytest.approx(value)


def test_sliders_that_ask_for_too_much_together_are_brought_within_reach(model, board):
    """Any positions at once: the nearest rates that go together, and only those are changed."""
    rng = np.random.default_rng(8)
    refused = 0
    for _ in range(25):
        values = {lever.key: float(rng.choice([lever.minimum, lever.estimate, lever.maximum])) for lever in board}
        asked = to_assumptions(board, values)
        try:
            apply(model.hazards, model.mix, asked, model.stages)
        except OutOfReach:
            refused += 1
        held = within_reach(model.hazards, model.mix, asked, model.stages)
        r = apply(model.hazards, model.mix, held, model.stages)
        now = dict(zip(model.stages, stage_rates(r, model.mix), strict=True))
        assert {name: now[name] for name in held.close_rates} == pytest.approx(held.close_rates, abs=1e-4)
        different = {k for k in asked.changed() if asked.changed()[k] != held.changed().get(k)}
        assert different <= {"close_rate", "close_rates"}
    assert refused > 5


def test_rates_that_move_each_other_s_limits_more_than_once_are_brought_within_reach(model):
    # Deals go back, so a rate brought nearer lowers the limit of one that was brought nearer before it.
    wanted = (0.38, 0.49, 0.51, 0.62, 0.24)
    names = ("Prospecting", "Discovery", "Evaluation", "Proposal", "Negotiation")
    asked = Assumptions(close_rates=dict(zip(names, wanted, strict=True)))
    held = within_reach(model.hazards, model.mix, asked, model.stages)
    apply(model.hazards, model.mix, held, model.stages)
    assert held.close_rates["Negotiation"] == 0.24


def test_what_is_within_reach_is_left_alone(model, board):
    asked = to_assumptions(board, {"close_rate": 35.0, "sales_cycle": 120.0})
    assert within_reach(model.hazards, model.mix, asked, model.stages) is asked


def test_a_lever_moves_alone(board):
    levers = {lever.key: lever for lever in board}
    start = to_assumptions(board, {"close_rate_2": 40.0, "close_rate_3": 50.0, "slippage": 80.0})
    moved = set_to(start, levers["close_rate_2"], 45.0)
    assert moved.close_rates == {**start.close_rates, levers["close_rate_2"].part: 0.45}
    back = set_to(moved, levers["close_rate_2"], levers["close_rate_2"].estimate)
    assert list(back.close_rates) == [levers["close_rate_3"].part]
    assert moved.slippage == start.slippage


def test_slippage_is_said_as_the_share_that_is_pushed_on(board):
    """At 55 % as usual, 80 % leaves 20 of 45 who were to close: 25/45 of this period's wins move on."""
    lever = board[-1]
    assert lever.estimate == 55
    assert to_assumptions(board, {"slippage": 80.0}).slippage == pytest.approx(25 / 45)


def test_outside_its_own_range(board):
    for lever in board:
        low, high = lever.own.low * lever.scale, lever.own.high * lever.scale
        assert lever.outside(high + lever.step)
        assert lever.outside(low - lever.step)
        assert not lever.outside(lever.estimate)


def test_slippage_and_bookings_of_past_months_by_hand():
    """Every month ten deals are due; some close by its end, the others are still open after it."""
    deals, history, pushed = [], [], (2, 3, 4, 5, 6, 7)
    for m, n_pushed in enumerate(pushed):
        first = day_n(day(0)) + [0, 31, 59, 90, 120, 151][m]  # 2023: January has 31 days, February 28, ...
        start = first - day_n(day(0))
        for k in range(10):
            key = 100 * m + k
            closed = start + 40 if k < n_pushed else start + 20
            deals.append(opp(key, start - 1 if start else 0, closed, amount=100.0))
            due = {"opportunity_id": f"o{key:05d}", "stage": "A", "expected_close": day(start + 25)}
            history.append({**due, "changed_at": day(start - 1 if start else 0)})
    # As of the 11th of July (day 191): months are compared on their own 11th.
    data = crm(deals, history, today=191)
    found = fit(data, data.settings.model_copy(update={"grain": "month"}).calendar)
    own = estimates(found)["slippage"]
    # 27 of 60 were still open at the end of the month they were due in.
    assert (own.n, own.periods) == (60, 6)
    assert own.value == pytest.approx(27 / 60)
    assert (own.low, own.high) == pytest.approx(np.quantile([0.2, 0.3, 0.4, 0.5, 0.6, 0.7], [0.1, 0.9]))
    past = bookings(found)
    # Won in a month: those due and closed in it, and those pushed out of the month before (day 40 of that month).
    months = [8, 2 + 7, 3 + 6, 4 + 5, 5 + 4, 6 + 3]
    assert past.value == pytest.approx(100 * np.median(months))
    assert past.n == sum(months)


def test_without_a_history_of_expected_closes_slippage_has_no_past():
    data = dataset({"opportunities": [opp(k, k, k + 30) for k in range(60)], "stages": STAGES}, as_of=day(200))
    lever = lever_board(fit(data))[-1]
    assert (lever.field, lever.estimate, lever.minimum, lever.maximum) == ("slippage", 0, 0, 90)
    assert lever.history("USD") == "no past of it is known"


def test_one_stage_has_one_close_rate():
    rows = [opp(k, 2 * k, 2 * k + 20, "won" if k % 3 == 0 else "lost") for k in range(120)]
    keys = [lever.key for lever in lever_board(fit(crm(rows, today=300)))]
    assert [key for key in keys if key.startswith("close_rate")] == ["close_rate"]
