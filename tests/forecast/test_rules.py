"""The simple rules by hand, on a company of a dozen wins."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest

from kpis.engine import NEVER
from kpis.forecast.rules import Bookings, rules, win_rate_by_amount
from kpis.periods import Calendar, day_n
from tests.forecast.made import made

TODAY = date(2024, 6, 10)
WINS = {
    date(2023, 6, 5): 11.0, date(2023, 6, 10): 1.0, date(2023, 6, 12): 900.0, date(2023, 8, 1): 40.0,
    date(2024, 2, 12): 30.0, date(2024, 3, 5): 7.0, date(2024, 3, 15): 70.0, date(2024, 4, 20): 50.0,
    date(2024, 5, 5): 100.0, date(2024, 5, 10): 10.0, date(2024, 5, 11): 200.0, date(2024, 6, 3): 5.0,
}  # fmt: skip
NONE = np.zeros(0)


def company(wins: dict[date, float], today: date = TODAY, grain: str = "month", open_deals=(), lost=()):
    """What the rules read of a model: open deals are (amount, expected close or None), lost ones (day, amount)."""
    deals = [{"created": day_n(day) - 20, "closed": day_n(day), "outcome": 1, "amount": a} for day, a in wins.items()]
    deals += [{"created": day_n(day) - 20, "closed": day_n(day), "outcome": 2, "amount": a} for day, a in lost]
    held = len(deals)
    deals += [
        {"created": day_n(today) - 5, "amount": a, "expected_close": NEVER if close is None else day_n(close)}
        for a, close in open_deals
    ]
    found = made(deals, [], today=day_n(today))
    calendar = Calendar(grain)
    periods = tuple(calendar.after(today, 3))
    amount = found.deals["amount"].to_numpy()
    return SimpleNamespace(
        stints=found, today=day_n(today), calendar=calendar, periods=periods, ends=tuple(day_n(p.end) for p in periods),
        open_deals=SimpleNamespace(row=np.arange(held, len(deals))), amounts=SimpleNamespace(known=amount, first=amount),
    )  # fmt: skip


def test_rules_of_past_periods_by_hand():
    """On 10 June, day 9 of the month: of a past month what came after its day 9 stands beside the rest of June."""
    found = rules(company(WINS), NONE)
    # After day 9: May 200, April 50, March 70, February 30; whole: May 310, April 50, March 77, February 30.
    assert found["mean of last 4 periods"] == pytest.approx([350 / 4, 467 / 4, 467 / 4])
    assert found["last period"].tolist() == [200.0, 310.0, 310.0]
    # June 2023 after its day 9: 900, without the 1 of the day itself; July nothing; August 40.
    assert found["same period last year"].tolist() == [900.0, 0.0, 40.0]
    # March after its day 9 for June, April for July, May for August.
    assert found["same month of the previous quarter"].tolist() == [70.0, 50.0, 310.0]


def test_a_rule_without_its_periods_says_nothing():
    """The data begin on 12 February: its first days, and all that was before, are not known to have been 0."""
    found = rules(company({day: amount for day, amount in WINS.items() if day >= date(2024, 2, 12)}), NONE)
    # After day 9 means from 11 February on, which the data do not cover; nor the whole month.
    assert np.isnan(found["mean of last 4 periods"]).all()
    assert np.isnan(found["same period last year"]).all()
    assert found["same month of the previous quarter"].tolist() == [70.0, 50.0, 310.0]
    assert np.isnan(rules(company({}), NONE)["last period"]).all()


def test_quarters_have_no_month_of_the_quarter():
    found = rules(company(WINS, grain="quarter"), NONE)
    assert np.isnan(found["same month of the previous quarter"]).all()
    # Day 70 of the quarter: the first quarter's days after 11 March: 70. Whole: 30 + 7 + 70 = 107.
    assert found["last period"].tolist() == [70.0, 107.0, 107.0]
    # Four quarters back is the year before: from 11 June 2023 on 900; then the whole third (40) and fourth quarter (0).
    assert found["same period last year"].tolist() == [900.0, 40.0, 0.0]


def test_smoothing_a_constant_week():
    """70 on every seventh day up to today: the level is 70 a week whatever the constant, so 10 a day."""
    days = [date(2024, 6, 10).fromordinal(TODAY.toordinal() - 7 * k) for k in range(20)]
    found = rules(company(dict.fromkeys(days, 70.0)), NONE)
    # Twenty days are left in June; July and August have 31 each.
    assert found["exponential smoothing"] == pytest.approx([200.0, 310.0, 310.0])


def test_smoothing_by_hand_chooses_the_constant_with_the_least_error():
    """Eight weeks of 0, then weeks of 100: every constant starts at 0 and the largest follows the step best."""
    step = [date.fromordinal(TODAY.toordinal() - 7 * k) for k in range(4)]
    start = {date.fromordinal(TODAY.toordinal() - 7 * 12 + 1): 1e-9}
    found = rules(company(start | dict.fromkeys(step, 100.0)), NONE)
    # Level after n weeks of 100 is 100 (1 - (1 - .6)^n); n = 4: 100 x (1 - .0256) = 97.44 a week.
    assert found["exponential smoothing"][0] == pytest.approx(97.44 * 20 / 7)
    assert np.isnan(rules(company(dict.fromkeys(step, 100.0)), NONE)["exponential smoothing"]).all()


def test_rules_of_open_deals_by_hand():
    deals = [
        (100.0, date(2024, 6, 1)),  # overdue: counted now
        (200.0, date(2024, 6, 30)), (400.0, date(2024, 7, 1)), (800.0, date(2024, 8, 31)), (1600.0, date(2024, 9, 1)),
        (3200.0, None),
    ]  # fmt: skip
    lost = [(date(2024, 5, 1), 467.0 + 5.0), (date(2023, 6, 10), 1e6)]
    model = company(WINS, open_deals=deals, lost=lost)
    found = rules(model, np.array([0.5, 0.1, np.nan, 0.25, 0.9, 0.9]))
    # 100 x .5 + 200 x .1; the probability of the 400 is unknown; 800 x .25; September lies beyond, and one has no date.
    assert found["CRM probability x CRM date"].tolist() == [70.0, 0.0, 200.0]
    # Won in the last 364 days, from 13 June 2023 on: 40 + 30 + 77 + 50 + 310 + 5 = 512 against 472 lost; the million
    # lost and the 900 won on 10 and 12 June 2023 lie before: 512 / 984.
    rate = 512 / 984
    assert found["historic win rate x pipeline"] == pytest.approx([300 * rate, 400 * rate, 800 * rate])
    assert np.isnan(rules(model, np.full(6, np.nan))["CRM probability x CRM date"]).all()


def test_bookings_between():
    past = Bookings(np.array([10, 20, 20, 30]), np.array([1.0, 2.0, 4.0, 8.0]), first=10, today=40)
    assert past.between(10, 20) == 6.0  # after day 10, up to day 20
    assert past.between(9, 40) == 15.0
    assert past.between(30, 29) == 0.0
    assert np.isnan(past.between(8, 40))
    assert np.isnan(past.between(20, 41))


def test_the_win_rate_is_of_the_amount_decided_within_a_year():
    """Won 30 and 70 within 364 days, lost 300; what was decided before, and what is open, does not count."""
    wins = {date(2023, 6, 12): 900.0, date(2023, 6, 13): 30.0, date(2024, 6, 3): 70.0}
    lost = [(date(2023, 6, 11), 5000.0), (date(2024, 1, 2), 300.0)]
    assert win_rate_by_amount(company(wins, open_deals=[(800.0, None)], lost=lost)) == pytest.approx(100 / 400)
    assert np.isnan(win_rate_by_amount(company({date(2020, 1, 1): 9.0})))
