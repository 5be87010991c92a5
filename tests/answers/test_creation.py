"""Pace on working days, the way to what is needed, and the need by month, by hand."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from kpis.answers.creation import Pace, _months, _pace
from kpis.forecast.required import Required
from kpis.periods import Calendar, day_n

MAY = date(2024, 5, 15)
"""A Wednesday; May 2024 begins on a Wednesday, so this is its eleventh working day of 23."""


def model(created: dict[date, int], today: date = MAY):
    days = np.repeat([day_n(day) for day in created], list(created.values()))
    calendar = Calendar("month")
    found = SimpleNamespace(
        today=day_n(today), calendar=calendar, periods=tuple(calendar.after(today, 3)),
        stints=SimpleNamespace(deals=pd.DataFrame({"created": days})), once=lambda find: find(found),
    )  # fmt: skip
    return found


def test_pace_by_working_day():
    """April had 4 by its eleventh working day (15 April), March 2 by its own (15 March): 3 on average, against 6."""
    created = {
        date(2024, 2, 28): 1,  # the data begin within February, which is no whole period
        date(2024, 3, 1): 1, date(2024, 3, 15): 1, date(2024, 3, 18): 5,
        date(2024, 4, 1): 3, date(2024, 4, 15): 1, date(2024, 4, 30): 2,
        date(2024, 5, 2): 2, date(2024, 5, 4): 1, date(2024, 5, 15): 3,
    }  # fmt: skip
    pace = _pace(model(created))
    assert (pace.so_far, pace.usual, pace.today, pace.left) == (6, 3.0, 11, 12)
    # Saturday 4 May counts with Friday the 3rd, the third working day.
    assert pace.this[:12].tolist() == [0, 0, 2, 3, 3, 3, 3, 3, 3, 3, 3, 6]
    # April has 22 working days; on the 23rd of May's curve it stays at its total.
    assert pace.past[1][[11, 22, 23]].tolist() == [4, 6, 6]
    assert pace.past[0][[1, 11, 12, 23]].tolist() == [1, 2, 7, 7]


def test_a_period_that_begins_on_a_weekend():
    """June 2024 begins on a Saturday: what is created then stands before the first working day."""
    pace = _pace(model({date(2024, 4, 1): 1, date(2024, 6, 1): 2, date(2024, 6, 3): 1}, date(2024, 6, 3)))
    assert pace.this[:2].tolist() == [2, 3]
    assert pace.today == 1


def test_the_way_to_what_is_needed_is_even():
    """6 now, 30 needed, 12 working days left: 2 a day."""
    pace = Pace(np.full(24, 6), np.zeros((0, 24)), 11)
    table = pace.table(30.0)
    assert table["needed"].isna().tolist() == [True] * 11 + [False] * 13
    assert table["needed"].iloc[[11, 12, 23]].tolist() == [6.0, 8.0, 30.0]
    assert table["this_period"].isna().tolist() == [False] * 12 + [True] * 12
    assert "past_low" not in table
    assert "needed" not in pace.table(None)
    assert "needed" not in Pace(np.full(24, 6), np.zeros((0, 24)), 23).table(30.0)


def test_the_band_is_that_of_past_periods():
    table = Pace(np.zeros(2), np.array([[1, 4], [3, 4], [2, 7]]), 1).table(None)
    assert table[["past_low", "past_mean", "past_high"]].to_numpy().tolist() == [[1, 2, 3], [4, 5, 7]]


def test_each_period_needs_so_many_a_month_until_its_last_useful_day():
    """One a day is expected; 31 more until 15 June, 31 days on: 2 x 30.4375 a month, in May and June."""
    found = model({date(2024, 3, 3): 10, date(2024, 4, 3): 10})
    need = Required(2.0, 1.0, 31.0, day_n(date(2024, 6, 15)))
    nothing = SimpleNamespace(label="2024M07", target=None, need=None, sqls=None, mqls=None, spend=None)
    landing = SimpleNamespace(label="2024M06", target=1.0, need=need, sqls=None, mqls=None, spend=None)
    table = _months(
        SimpleNamespace(
            model=found, landings=(nothing, landing, nothing), funnel=SimpleNamespace(monthly={}),
            projection=SimpleNamespace(per_day=np.ones(77)),
        )
    )  # fmt: skip
    needed = table[table["part"] == "needed"]
    assert needed["month"].dt.month.tolist() == [5, 6]
    assert needed["opportunities"].tolist() == pytest.approx([2 * 30.4375] * 2)
    assert set(needed["period"]) == {"2024M06"}
    expected = table[table["part"] == "not yet created"].set_index("month")["opportunities"]
    assert expected.tolist() == [16, 30, 31]
    assert table.loc[table["part"] == "created", "opportunities"].tolist() == [10.0, 10.0]
