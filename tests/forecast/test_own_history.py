"""The company's own past, by hand."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from kpis.forecast.own_history import by_month, share_below
from kpis.periods import day_n


def test_months_by_hand():
    """As of 10 April: January to March are whole; December, in which the data begin, and April are not."""
    days = {
        date(2023, 12, 5): 99.0, date(2024, 1, 1): 1.0, date(2024, 1, 31): 2.0, date(2024, 3, 1): 4.0,
        date(2024, 3, 31): 8.0, date(2024, 4, 1): 16.0,
    }  # fmt: skip
    day = np.array([day_n(d) for d in days])
    found = by_month(day, np.array(list(days.values())), day_n(date(2024, 4, 10)))
    assert found.tolist() == [3.0, 0.0, 12.0]


def test_no_more_than_36_months_and_none_without_data():
    first, today = date(2015, 6, 1), day_n(date(2024, 4, 30))
    day = np.arange(day_n(first), today + 1)
    found = by_month(day, np.ones(len(day)), today)
    # April 2021 to March 2024: 1,096 days, the first with 30 and the last with 31.
    assert (len(found), found[0], found[-1], found.sum()) == (36, 30, 31, 1096)
    assert by_month(np.zeros(0), np.zeros(0), today).tolist() == []
    # Data that begin in this month, or in the one before, hold no whole month.
    for start in (date(2024, 4, 3), date(2024, 3, 3)):
        assert by_month(np.array([day_n(start)]), np.ones(1), today).tolist() == []


def test_share_below_by_hand():
    past = [10.0, 20.0, 20.0, 30.0, float("nan")]
    assert share_below(20.0, past) == 0.25
    assert share_below(20.1, past) == 0.75
    assert share_below(99.0, past) == 1.0
    assert share_below(1.0, past) == 0.0
    assert share_below(20.0, past[1:]) is None
    assert share_below(20.0, []) is None
    with pytest.raises(ValueError, match="could not convert"):
        share_below(1.0, ["a", "b", "c", "d"])
