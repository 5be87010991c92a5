"""The build-up of the pipeline, by hand."""

from __future__ import annotations

from datetime import date

import pytest

from kpis.errors import NotEnoughData
from kpis.periods import Calendar, day_n
from kpis.pipeline.pacing import BuildUp, build_up, pace, yields
from kpis.pipeline.stints import stints
from tests.build import dataset

STAGES = [
    {"stage": "New", "position": 1, "is_qualified": 0},
    {"stage": "Proposal", "position": 2, "is_qualified": 1},
]
Q = Calendar("quarter")


def test_amount_enters_moves_and_leaves():
    # a: 100 from 1 Feb in Proposal for Q2; moved to Q3 on 10 May. b: 50 qualified on 5 Apr, won on 20 May.
    opportunities = [
        {"opportunity_id": "a", "created_at": date(2026, 2, 1), "amount": 100},
        {
            "opportunity_id": "b",
            "created_at": date(2026, 3, 1),
            "amount": 60,
            "closed_at": date(2026, 5, 20),
            "status": "won",
        },
    ]
    history = [
        ("a", date(2026, 2, 1), "Proposal", 100, date(2026, 5, 15)),
        ("b", date(2026, 3, 1), "New", 50, date(2026, 6, 15)),
        ("b", date(2026, 4, 5), "Proposal", 50, date(2026, 6, 15)),
        ("a", date(2026, 5, 10), "Proposal", 100, date(2026, 8, 15)),
    ]
    names = ("opportunity_id", "changed_at", "stage", "amount", "expected_close")
    data = dataset(
        {
            "opportunities": opportunities,
            "opportunity_history": [dict(zip(names, row, strict=True)) for row in history],
            "stages": STAGES,
        }
    )
    curves = {c.period.label: c for c in build_up(data, Q, past=1)}
    second, third = curves["2026Q2"], curves["2026Q3"]
    at = {
        day: second.at(day_n(day))
        for day in (date(2026, 3, 31), date(2026, 4, 5), date(2026, 5, 10), date(2026, 5, 20))
    }
    # 100; 100 + 50; 150 - 100 moved to Q3; b won, so nothing is open.
    assert list(at.values()) == [100.0, 150.0, 50.0, 0.0]
    assert third.at(day_n(date(2026, 5, 20))) == 100.0
    # As of the end of April a still belongs to the second quarter.
    earlier = {c.period.label: c for c in build_up(data.known_at(date(2026, 4, 30)), Q, past=1)}
    assert earlier["2026Q2"].at(day_n(date(2026, 4, 30))) == 150.0
    assert earlier["2026Q3"].at(day_n(date(2026, 4, 30))) == 0.0
    # On the first day of the quarter only a was qualified, and b was won for 60: 0 of the pipeline, 60 of others.
    past = dataset_after(data)
    assert past[Q.at(date(2026, 4, 1))] == (0.0, 60.0)


def dataset_after(data):
    later = data.known_at(data.newest)
    curves = [c for c in build_up(later, Q, past=1) if c.period.label == "2026Q2"]
    bookings = stints(later).bookings
    # The quarter is not over in the data, so it is judged by a calendar day after its end.
    from dataclasses import replace

    ended = replace(later, newest=date(2026, 7, 1), as_of=date(2026, 7, 1))
    return yields(ended, curves, bookings)


def curve(start, values):
    """A curve that has ``values`` at offsets -1, 0 from the first day of the quarter of ``start``."""
    period = Q.at(start)
    return BuildUp(period, day_n(period.start) - 1, __import__("numpy").array(values, dtype=float))


def test_pace_is_the_median_of_past_periods():
    starts = [date(2025, m, 1) for m in (1, 4, 7, 10)]
    curves = [curve(s, v) for s, v in zip(starts, [(50, 100), (60, 100), (80, 100), (40, 100)], strict=True)]
    won = {c.period: (w, 10.0) for c, w in zip(curves, (20.0, 30.0, 40.0, 50.0), strict=True)}
    coming = Q.at(date(2026, 1, 1))
    found = pace(curves, coming, day_n(coming.start) - 1, won)
    # Shares .5 .6 .8 .4 -> .55; yields .2 .3 .4 .5 -> .35; others 10.
    assert (found.share, found.yield_share, found.created_and_won) == pytest.approx((0.55, 0.35, 10.0))
    # (80 - 10) / .35 = 200 on the first day, 200 x .55 = 110 today.
    assert found.day_one(80.0) == pytest.approx(200.0)
    assert found.today(80.0) == pytest.approx(110.0)
    assert pace(curves[:3], coming, day_n(coming.start) - 1, won) is None


def test_without_history_it_says_what_it_needs():
    data = dataset({"opportunities": [{"opportunity_id": "1", "created_at": date(2026, 1, 5)}], "stages": STAGES})
    with pytest.raises(NotEnoughData, match="opportunity_history"):
        build_up(data, Q)
