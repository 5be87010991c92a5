"""Shapley shares: by hand, by their axioms, and against the mean over all orders."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.forecast.shapley import shapley


def test_two_changes_that_multiply():
    # 100 deals at 10 each; 20 % more deals and 50 % larger ones: 1000, 1200, 1500, 1800.
    # Volume first adds 200, last adds 300: 250. Size first adds 500, last 600: 550. Together 800.
    worth = {frozenset(): 1000.0, frozenset({0}): 1200.0, frozenset({1}): 1500.0, frozenset({0, 1}): 1800.0}
    assert shapley(2, worth.__getitem__) == [250.0, 550.0]


def test_no_change_has_no_share():
    assert shapley(0, lambda _: 7.0) == []


@given(st.integers(1, 5), st.randoms(use_true_random=False))
def test_is_the_mean_over_all_orders(size, random):
    values: dict[frozenset[int], float] = {}

    def worth(made):
        return values.setdefault(made, random.uniform(-1e6, 1e6))

    found = shapley(size, worth)
    orders = list(permutations(range(size)))
    for i in range(size):
        adds = [worth(frozenset(o[: o.index(i) + 1])) - worth(frozenset(o[: o.index(i)])) for o in orders]
        assert found[i] == pytest.approx(sum(adds) / len(orders), abs=1e-6)
    assert sum(found) == pytest.approx(worth(frozenset(range(size))) - worth(frozenset()), abs=1e-6)


def test_each_set_is_worked_out_once():
    asked = []
    shapley(4, lambda made: float(asked.append(made) or len(made)))
    assert len(asked) == len(set(asked)) == 16
