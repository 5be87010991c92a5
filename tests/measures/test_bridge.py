"""Bridges: hand-worked effects, and effects that add up to the change whatever the rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kpis.answers.why import why
from kpis.errors import AssumptionError, NotEnoughData
from kpis.measures.core.bridge import Fraction, Won, bridge, revenue_bridge
from tests.measures.look import data, day
from tests.measures.test_sales import deal

GROUPS = ("a", "b", "c")
COUNTS = arrays.arrays(np.int64, (3, 2), elements=st.integers(0, 40))
MONEY = arrays.arrays(float, (3, 2), elements=st.floats(0, 1e6))


def effect(table, name, group=None):
    rows = table[table["effect"] == name]
    return rows["value"].sum() if group is None else rows.loc[rows["group"] == group, "value"].sum()


def test_a_total_changes_by_volume_mix_and_size():
    # Before: a 2 x 100, b 2 x 300, mean 200. After: a 4 of 120 each, b 1 of 300.
    found = bridge(
        Fraction(("a", "b"), np.array([[200.0, 480.0], [600.0, 300.0]]), np.array([[2.0, 4.0], [2.0, 1.0]])), 0, 1
    )
    assert effect(found, "volume") == pytest.approx(1 * 200)  # one deal more
    assert effect(found, "mix", "a") == pytest.approx(2 * (100 - 200))
    assert effect(found, "mix", "b") == pytest.approx(-1 * (300 - 200))
    assert effect(found, "size", "a") == pytest.approx(4 * 20)
    assert found["value"].sum() == pytest.approx(780 - 800)


def test_a_share_changes_by_mix_and_rate():
    # Before: a 10 of 20, b 30 of 40: 40/60. After: a 10 of 40, b 15 of 20: 25/60.
    found = bridge(
        Fraction(
            ("a", "b"), np.array([[10.0, 10.0], [30.0, 15.0]]), np.array([[20.0, 40.0], [40.0, 20.0]]), is_quotient=True
        ),
        0,
        1,
    )
    assert effect(found, "rate", "a") == pytest.approx(40 / 60 * (0.25 - 0.5))
    assert effect(found, "rate", "b") == pytest.approx(0)
    assert effect(found, "mix", "a") == pytest.approx((40 / 60 - 20 / 60) * (0.5 - 40 / 60))
    assert found["value"].sum() == pytest.approx(25 / 60 - 40 / 60)


@given(top=MONEY, bottom=COUNTS)
def test_effects_of_a_total_add_up(top, bottom):
    found = bridge(Fraction(GROUPS, top, bottom.astype(float)), 0, 1)
    assert found["value"].sum() == pytest.approx(top[:, 1].sum() - top[:, 0].sum(), rel=1e-9, abs=1e-6)


@given(top=COUNTS, bottom=COUNTS)
def test_effects_of_a_quotient_add_up(top, bottom):
    of = Fraction(GROUPS, top.astype(float), bottom.astype(float), is_quotient=True)
    if (bottom.sum(axis=0) > 0).all():
        assert bridge(of, 0, 1)["value"].sum() == pytest.approx(of.value[1] - of.value[0], rel=1e-9, abs=1e-9)


@given(lost=COUNTS, won=COUNTS, each=MONEY, moved=COUNTS)
def test_effects_of_revenue_add_up(lost, won, each, moved):
    moved = np.minimum(moved, won)
    stays = won - moved
    money, moved_money = won * each, moved * each
    deals = Won(
        GROUPS,
        (lost + won).astype(float),
        won.astype(float),
        np.where(stays > 0, money, moved_money),
        moved.astype(float),
        moved_money,
    )
    found = revenue_bridge(deals)
    change = deals.money[:, 1].sum() - deals.money[:, 0].sum()
    assert found["value"].sum() == pytest.approx(change, rel=1e-9, abs=1e-6)


def test_revenue_changes_by_volume_rate_size_and_timing():
    # One group. Before: 10 decided, 5 won, 500. After: 20 decided, 6 won for 900, of which 1 pulled in for 200.
    found = revenue_bridge(
        Won(("a",), *(np.array([pair], dtype=float) for pair in ((10, 20), (5, 6), (500, 900), (0, 1), (0, 200))))
    )
    assert effect(found, "timing") == 200
    assert effect(found, "volume") == pytest.approx((19 - 10) * 50)  # decided others, at 50 each
    assert effect(found, "rate") == pytest.approx(19 * (5 / 19 - 0.5) * 100)
    assert effect(found, "size") == pytest.approx(5 * (140 - 100))
    assert effect(found, "mix") == pytest.approx(0)
    assert found["value"].sum() == pytest.approx(400)


# 2025Q4: SMB 2 of 3 won at 100; Enterprise 1 of 1 at 500. 2026Q1: SMB 1 of 4 at 100; Enterprise 1 of 2 at 600.
def closed(number, when, status, segment, amount):
    return deal(number, "2025-09-01", when, status, amount, segment=segment)


COMPANY = [
    closed(1, "2025-11-01", "won", "SMB", 100.0), closed(2, "2025-11-02", "won", "SMB", 100.0),
    closed(3, "2025-11-03", "lost", "SMB", 100.0), closed(4, "2025-11-04", "won", "Enterprise", 500.0),
    closed(5, "02-01", "won", "SMB", 100.0), closed(6, "02-02", "lost", "SMB", 100.0),
    closed(7, "02-03", "lost", "SMB", 100.0), closed(8, "02-04", "lost", "SMB", 100.0),
    closed(9, "02-05", "won", "Enterprise", 600.0), closed(10, "02-06", "lost", "Enterprise", 600.0),
]  # fmt: skip


def test_why_the_win_rate_fell():
    answer = why(data({"opportunities": COMPANY}), "win_rate", by="segment")
    steps = answer.tables["steps"]
    assert list(steps["step"]) == ["2025Q4", "mix", "rate", "2026Q1"]
    assert steps["value"].iloc[0] == pytest.approx(3 / 4)
    assert steps["value"].iloc[-1] == pytest.approx(2 / 6)
    # SMB keeps 4/6 of the weight: 4/6 (1/4 - 2/3); Enterprise 2/6 (1/2 - 1).
    assert steps["value"].iloc[2] == pytest.approx(4 / 6 * (1 / 4 - 2 / 3) + 2 / 6 * (1 / 2 - 1))
    assert answer.document["change"] == pytest.approx(2 / 6 - 3 / 4)
    assert not answer.document["beyond_chance"]
    assert answer.sentence.endswith("cannot be told.")


def test_why_revenue_changed_without_a_history_has_no_timing():
    answer = why(data({"opportunities": COMPANY}), "won_revenue", by="segment")
    assert (answer.tables["steps"]["step"] != "timing").all()
    assert "Timing needs the history of expected close dates." in answer.notes
    assert answer.tables["groups"]["value"].sum() == pytest.approx(700 - 700)


def test_deals_pulled_in_are_timing():
    # o1 was to close in 2026Q2 on the first day of the quarter, and was won in 2026Q1; o0 was won in 2025Q4 as expected.
    deals = [
        deal(0, "2025-09-01", "2025-11-01", "won", 100.0, expected_close=day("2025-11-01")),
        deal(1, "2025-09-01", "02-01", "won", 300.0, expected_close=day("02-01")),
    ]
    history = [
        {
            "opportunity_id": "o0",
            "changed_at": day("2025-09-01"),
            "stage": "Open",
            "amount": 100.0,
            "expected_close": day("2025-11-01"),
        },
        {
            "opportunity_id": "o1",
            "changed_at": day("2025-09-01"),
            "stage": "Open",
            "amount": 250.0,
            "expected_close": day("05-01"),
        },
        {
            "opportunity_id": "o1",
            "changed_at": day("01-20"),
            "stage": "Open",
            "amount": 300.0,
            "expected_close": day("02-01"),
        },
    ]
    known = data({"opportunities": deals, "opportunity_history": history})
    steps = why(known, "won_revenue").tables["steps"].set_index("step")["value"]
    assert steps["timing"] == pytest.approx(300)  # what it was won for, not what it was worth then
    assert steps["volume"] == pytest.approx(-100)
    assert steps["2026Q1"] == pytest.approx(300)


def test_what_cannot_be_taken_apart_says_so():
    known = data({"opportunities": COMPANY})
    with pytest.raises(NotEnoughData, match="not made of totals"):
        why(known, "sales_cycle_days")
    with pytest.raises(AssumptionError, match="is not among the last"):
        why(known, "win_rate", before="1999Q1")
    with pytest.raises(NotEnoughData, match="has no value in 2025Q3"):
        why(known, "win_rate", before="2025Q3", after="2026Q1")
    running = data({"opportunities": COMPANY}, newest=day("02-20"))
    with pytest.raises(NotEnoughData, match="2026Q1 is not over"):
        why(running, "won_revenue", before="2025Q4", after="2026Q1")
    with pytest.raises(NotEnoughData, match="needs table leads"):
        why(known, "mql_to_sql_rate")
