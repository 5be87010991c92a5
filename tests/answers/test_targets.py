"""Where a target comes from."""

from __future__ import annotations

from datetime import date

import pytest

from kpis.answers.targets import targets_for
from kpis.settings import Settings
from tests.build import dataset

DEAL = [{"opportunity_id": "1", "created_at": date(2026, 1, 5), "amount": 100}]


def made(rows=(), **settings):
    tables = {"opportunities": DEAL}
    if rows:
        tables["targets"] = [
            {"period": day, "scope": scope, "metric": metric, "value": value} for day, scope, metric, value in rows
        ]
    return dataset(tables, settings=Settings(**settings))


def periods(grain="quarter"):
    return tuple(Settings(grain=grain).calendar.after(date(2026, 2, 1), 3))


def test_one_given_target_holds_for_all_and_several_in_order():
    data = made()
    assert targets_for(data, periods(), (5.0,)) == (5.0, 5.0, 5.0)
    assert targets_for(data, periods(), (5.0, 6.0)) == (5.0, 6.0, None)
    assert targets_for(data, periods(), (5.0, None, 7.0)) == (5.0, None, 7.0)


def test_without_any_there_is_none():
    assert targets_for(made(), periods()) == (None, None, None)


def test_settings_beat_the_table():
    table = [(date(2026, 1, 1), "company", "bookings", 10.0)]
    data = made(table, targets={"2026Q1": 99.0})
    assert targets_for(data, periods())[0] == 99.0


def test_quarters_of_a_monthly_table_are_summed_and_a_missing_month_leaves_none():
    # 10 + 11 + 12 = 33 for the first quarter; of the second only April is there.
    table = [(date(2026, m, 1), "company", "bookings", 9.0 + m) for m in (1, 2, 3, 4)]
    assert targets_for(made(table), periods()) == (33.0, None, None)
    assert targets_for(made(table), periods("month")) == (11.0, 12.0, 13.0)


def test_a_quarterly_table_has_no_monthly_target():
    table = [(date(2026, m, 1), "company", "bookings", 30.0) for m in (1, 4, 7)]
    assert targets_for(made(table), periods()) == (30.0, 30.0, 30.0)
    assert targets_for(made(table), periods("month")) == (None, None, 30.0)


@pytest.mark.parametrize(("scope", "metric"), [("EMEA", "bookings"), ("company", "new_opps")])
def test_other_scopes_and_metrics_are_not_the_companys_bookings(scope, metric):
    assert targets_for(made([(date(2026, 1, 1), scope, metric, 10.0)]), periods()) == (None, None, None)
