"""Amounts: what stands in for a missing one, and how amounts ended up in the past."""

from __future__ import annotations

import numpy as np
import pytest

from kpis.forecast.amounts import CV_LIMITS, DEFAULT_CV, fit_amounts
from tests.forecast.made import made


def test_what_stands_in_for_a_missing_amount():
    """List price, else mean won amount of the product ((100 + 300) / 2), else of all ((100 + 300 + 50) / 3)."""
    deals = [
        {"created": 0, "closed": 9, "outcome": 1, "amount": 100.0, "product": "x"},
        {"created": 0, "closed": 9, "outcome": 1, "amount": 300.0, "product": "x"},
        {"created": 0, "closed": 9, "outcome": 1, "amount": 50.0, "product": "y"},
        {"created": 0, "closed": 9, "outcome": 2, "amount": 999.0, "product": "x"},
        {"created": 0, "amount": 0.0, "product": "x"},
        {"created": 0, "amount": -3.0},
        {"created": 0, "product": "x", "list_price": 70.0},
        {"created": 0, "amount": 20.0, "product": "x", "list_price": 70.0},
        {"created": 0, "product": "z"},
    ]
    found = fit_amounts(made(deals, [], today=50))
    assert found.known[4:] == pytest.approx([200, 150, 70, 20, 150])
    assert list(found.stood_in) == [False] * 4 + [True, True, True, False, True]
    assert found.cv == DEFAULT_CV


def test_old_wins_are_forgotten():
    deals = [{"created": 0, "closed": 9, "outcome": 1, "amount": 100.0}, {"created": 0}]
    assert fit_amounts(made(deals, [], today=9 + 727)).known[1] == 100
    assert fit_amounts(made(deals, [], today=9 + 728)).known[1] == 0


def test_ratio_of_final_to_entry_amount_by_stage():
    """A: (90 + 210) / (100 + 200); B: 90 / 80. The lost deal and the amount of 0 say nothing; (. + 1) / (. + 1)."""
    deals = [
        {"created": 0, "closed": 9, "outcome": 1, "amount": 90.0},
        {"created": 0, "closed": 9, "outcome": 1, "amount": 210.0},
        {"created": 0, "closed": 9, "outcome": 2, "amount": 1.0},
        {"created": 0, "amount": 500.0},
    ]
    table = made(
        deals,
        [
            (0, "A", 0, 4, "B"),
            (0, "B", 4, 9, "won"),
            (1, "A", 0, 9, "won"),
            (2, "A", 0, 9, "lost"),
            (3, "A", 0, None, None),
        ],
        today=20,
        stages=("A", "B", "C"),
    )
    table.spells["amount"] = [100.0, 80.0, 200.0, 700.0, 500.0]
    found = fit_amounts(table)
    assert found.ratio == pytest.approx([301 / 301, 91 / 81, 1.0])
    assert found.cv == DEFAULT_CV


def test_noise_is_estimated_from_won_deals():
    """Amounts of 40 won deals went up by a fifth or down by a sixth: log changes +-0.1823."""
    n = 40
    deals = [{"created": 0, "closed": 9, "outcome": 1, "amount": 120.0 if k % 2 else 100 / 1.2} for k in range(n)]
    table = made(deals, [(k, "A", 0, 9, "won") for k in range(n)], today=20, stages=("A", "B"))
    table.spells["amount"] = 100.0
    assert fit_amounts(table).cv == pytest.approx(np.log(1.2))
    table.spells["amount"] = table.deals["amount"].to_numpy()
    assert fit_amounts(table).cv == CV_LIMITS[0]
    table.spells["amount"] = np.nan
    assert fit_amounts(table).cv == DEFAULT_CV


@pytest.mark.parametrize("amount", [None, 0.0, -10.0])
def test_no_amount_anywhere(amount: float | None):
    deals = [{"created": 0, "closed": 9, "outcome": 1, "amount": amount}, {"created": 0, "amount": amount}]
    found = fit_amounts(made(deals, [(0, "Open", 0, 9, "won"), (1, "Open", 0, None, None)], today=20))
    assert (found.known == 0).all()
    assert found.ratio == pytest.approx(1)
