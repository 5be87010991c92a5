"""Each required rate beside the company's own past, by hand."""

from __future__ import annotations

from datetime import date, timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from kpis.answers.funnel import Funnel
from kpis.answers.precedents import (
    DAY_ONE,
    MQLS,
    OPPORTUNITIES,
    SPEND,
    SQLS,
    WIN_RATE,
    Precedent,
    creation_needed,
    precedents,
    table,
)
from kpis.assumptions import Assumptions
from kpis.forecast.required import Required
from kpis.periods import Calendar, day_n
from kpis.pipeline.pacing import BuildUp, Pace

TODAY = date(2024, 4, 30)
DAYS = 61
"""From 1 May to 30 June: two months of 30.4375 days, but for 0.2 %."""


def outlook(*, need: Required | None, target: float | None = 1000.0, assumed: Assumptions | None = None, pace=None):
    """An outlook of one coming period as far as precedents read it: a deal a day is expected, open deals hold 5,000."""
    # Created: 10 a month in 2023, 20 in January, 30 in February, 40 in March 2024.
    months = {date(2023, m, 3): 10 for m in range(1, 13)} | {date(2024, m, 3): 10 * (m + 1) for m in (1, 2, 3)}
    created = np.repeat([day_n(d) for d in months], list(months.values()))
    landing = SimpleNamespace(label="2024Q2", target=target, need=need, sqls=30.0, mqls=None, spend=6000.0)
    origins = [SimpleNamespace(won_of_open=np.array([w]), open_amount=a) for w, a in
               [(100.0, 1000.0), (200.0, 1000.0), (600.0, 2000.0), (800.0, 2000.0), (np.nan, 1000.0), (0.0, 0.0)]]  # fmt: skip
    q = Calendar("quarter")
    curves = [
        BuildUp(q.at(TODAY, -k), day_n(q.at(TODAY, -k).start), np.array([1000.0 * k])) for k in range(1, 5)
    ]  # fmt: skip
    curves.append(BuildUp(q.at(TODAY), day_n(q.at(TODAY).start), np.array([9e9])))
    model = SimpleNamespace(
        today=day_n(TODAY), stints=SimpleNamespace(deals=pd.DataFrame({"created": created})),
        open_deals=SimpleNamespace(amount=np.array([2000.0, 3000.0])), paces=[pace], build_up=curves,
    )  # fmt: skip
    return SimpleNamespace(
        landings=(landing,), model=model, record=SimpleNamespace(origins=origins),
        projection=SimpleNamespace(
            per_day=np.ones(180), assumptions=assumed or Assumptions()
        ),
        funnel=Funnel(1.0, 1.0, 1.0, (), {"sqls": np.arange(1.0, 15.0), "mqls": np.ones(14), "spend": np.full(14, 5000.0)}),
        say=lambda amount: f"${amount:.0f}",
    )  # fmt: skip


def by_rate(found) -> dict[str, Precedent]:
    return {x.rate: x for x in precedents(found)}


def test_rates_a_month_by_hand():
    """61 more opportunities within 61 days in which one a day is expected: 122 in 2.0041 months, 60.875 a month."""
    found = outlook(need=Required(2.0, 1000.0, 61.0, day_n(TODAY) + DAYS))
    rates = by_rate(found)
    creation = rates[OPPORTUNITIES]
    assert creation.needed == pytest.approx(2 * 30.4375)
    # January 2023 begins the data and is left out: 11 months of 10, then 20, 30, 40.
    assert creation.past.tolist() == [10.0] * 11 + [20.0, 30.0, 40.0]
    assert creation.share_below == 1.0
    assert creation.said() == "more than in any of the past 14 months"
    # SQLs: 3 to 14 on average in the last twelve months, 8.5, and 30 in 2.0041 months.
    assert rates[SQLS].needed == pytest.approx(8.5 + 30 / (61 / 30.4375))
    assert rates[SPEND].needed == pytest.approx(5000 + 6000 / (61 / 30.4375))
    # How many MQLs it takes is not known.
    assert MQLS not in rates
    assert creation_needed(found, 0).needed == creation.needed


def test_win_rate_by_hand():
    """Open deals must bring 1,000 of their 5,000: 20 %; it was 10, 20, 30 and 40 %."""
    rate = by_rate(outlook(need=Required(2.0, 1000.0, None, None, ("",))))
    assert set(rate) == {WIN_RATE}
    assert rate[WIN_RATE].needed == pytest.approx(0.2)
    assert rate[WIN_RATE].past == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert rate[WIN_RATE].share_below == 0.25
    assert rate[WIN_RATE].said() == "more than in 25 % of the past 4 periods"
    # Deals twice as large, open ones too: the 1,000 are then of 10,000.
    larger = outlook(need=Required(2.0, 1000.0, None, None), assumed=Assumptions(deal_size=2.0, deal_size_open=True))
    assert by_rate(larger)[WIN_RATE].needed == pytest.approx(0.1)


def test_first_day_by_hand():
    """(1,000 - 100) / .3 = 3,000 to begin with; the four past quarters began with 1,000 to 4,000, the current one is none."""
    pace = Pace(share=0.5, yield_share=0.3, created_and_won=100.0, periods=4)
    rate = by_rate(outlook(need=Required(None, None, None, None), pace=pace))
    assert set(rate) == {DAY_ONE}
    assert rate[DAY_ONE].needed == pytest.approx(3000)
    assert sorted(rate[DAY_ONE].past) == [1000, 2000, 3000, 4000]
    assert rate[DAY_ONE].share_below == 0.5


def test_without_a_target_nothing_is_needed():
    assert precedents(outlook(need=None, target=None)) == ()
    assert table(outlook(need=None), ()).empty


def test_words():
    def said(needed: float, past: list[float]) -> str:
        return Precedent("p", OPPORTUNITIES, needed, np.array(past), "month").said()

    assert said(5, [5, 6, 7, 8]) == "as in every one of the past 4 months"
    assert said(9, [5, 6, 7, 8]) == "more than in any of the past 4 months"
    assert said(7.5, [5, 6, 7, 8]) == "more than in 75 % of the past 4 months"
    assert said(7.5, [5, 6, 7]) == ""


def test_table_has_the_numbers_and_their_words():
    found = outlook(need=Required(2.0, 1000.0, 61.0, day_n(TODAY) + DAYS))
    rows = table(found, precedents(found)).set_index("rate")
    assert rows.loc[OPPORTUNITIES, ["usual", "highest", "n", "past"]].tolist() == [10.0, 40.0, 14, "months"]
    assert rows.loc[OPPORTUNITIES, "needed_said"] == "61"
    assert rows.loc[SPEND, "usual_said"] == "$5000"
    assert rows.loc[WIN_RATE, ["needed_said", "below_said"]].tolist() == ["20 %", "25 % of 4 periods"]
    assert TODAY + timedelta(days=DAYS) == date(2024, 6, 30)
