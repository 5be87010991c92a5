from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.intake.dates import decide, order_that_fits, parse_day, time_of
from kpis.intake.words import MONTHS

DAYS = st.dates(date(1990, 1, 1), date(2079, 12, 31))


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2018-08-22 00:00:00", date(2018, 8, 22)),
        ("2021-05-01T23:30:00-08:00", date(2021, 5, 1)),  # the day as written, whatever the zone
        ("2023-02-07T20:47:49.000Z", date(2023, 2, 7)),
        ("20260826", date(2026, 8, 26)),
        ("Jun 09, 2018 09:30 pm", date(2018, 6, 9)),
        ("Mon, Apr 26, 2021 12:25", date(2021, 4, 26)),
        ("Sep 12, 2026", date(2026, 9, 12)),
        ("1. September 2026", date(2026, 9, 1)),
        ("3. März 2024", date(2024, 3, 3)),
        ("12 févr. 2026", date(2026, 2, 12)),
        ("09-Jun-18", date(2018, 6, 9)),
        ("Sept'15", date(2015, 9, 1)),
        ("2024-07", date(2024, 7, 1)),
        ("Q1-2024", date(2024, 1, 1)),
        ("2021Q3", date(2021, 7, 1)),
        ("41679", date(2014, 2, 9)),  # Excel: 41640 is 2014-01-01, and 39 days on is 9 February
        ("1672531200000", date(2023, 1, 1)),
        ("13.02.24", date(2024, 2, 13)),
    ],
)
def test_one_reading(text: str, day: date) -> None:
    assert parse_day(text) == day or parse_day(text, "day-first") == day


@pytest.mark.parametrize(
    "text", ["", "--", "31/31/2020", "2024-02-30", "soon", "12", "0", "99999999", "1/2", "Foo 5, 2020", "2024-13-01"]
)
def test_no_date(text: str) -> None:
    assert parse_day(text, "day-first") is None


def test_a_fiscal_quarter_counts_from_the_fiscal_start() -> None:
    # FY26 ends in January 2026's year when it starts in February: Q3 = August to October 2025
    assert parse_day("FY26-Q3", fiscal_start=2) == date(2025, 8, 1)
    assert parse_day("Q3 FY26") == date(2026, 7, 1)


WRITTEN = {
    "%Y-%m-%d": None,
    "%Y/%m/%d": None,
    "%Y%m%d": None,
    "%Y-%m-%dT%H:%M:%SZ": None,
    "%d/%m/%Y": "day-first",
    "%d.%m.%Y": "day-first",
    "%d-%m-%Y %H:%M": "day-first",
    "%m/%d/%Y": "month-first",
    "%m/%d/%y": "month-first",
    "%m/%d/%Y %I:%M %p": "month-first",
    "%d %b %Y": None,
    "%b %d, %Y": None,
    "%d-%b-%y": None,
    "%B %d, %Y %I:%M %p": None,
}


@given(DAYS, st.sampled_from(sorted(WRITTEN)))
def test_what_is_written_is_read(day: date, pattern: str) -> None:
    assert parse_day(day.strftime(pattern), WRITTEN[pattern]) == day


@given(DAYS, st.sampled_from(sorted(MONTHS)), st.booleans())
def test_month_names_of_every_language(day: date, name: str, day_first: bool) -> None:
    day = day.replace(month=MONTHS[name], day=min(day.day, 28))
    assert parse_day(f"{day.day}. {name} {day.year}" if day_first else f"{name.title()} {day.day}, {day.year}") == day


@given(DAYS)
def test_excel_serials(day: date) -> None:
    assert parse_day(str((day - date(1899, 12, 30)).days)) == day


@given(st.text(max_size=40))
def test_any_text_is_a_day_or_none(text: str) -> None:
    assert parse_day(text, "month-first") is None or date(1900, 1, 1) <= parse_day(text, "month-first") <= date(
        2999, 12, 31
    )


@given(st.lists(DAYS, min_size=1, max_size=30), st.sampled_from(["day-first", "month-first"]))
def test_a_column_that_proves_its_order_is_read_in_it(days: list[date], order: str) -> None:
    pattern = "%d/%m/%Y" if order == "day-first" else "%m/%d/%Y"
    days = [*days, date(2024, 5, 17)]  # 17 can only be a day
    texts = [d.strftime(pattern) for d in days]
    style = decide(texts)
    assert style.order == order
    assert [parse_day(t, style.order) for t in texts] == days


def test_an_ambiguous_column_is_not_guessed() -> None:
    style = decide(["3/4/2024", "5/6/2024"])
    assert style.order is None
    assert style.undecided
    assert parse_day("3/4/2024", style.order) is None
    assert decide(["3/4/2024", "5/6/2024"], agreed="day-first").order == "day-first"
    assert decide(["3/4/2024"], usual="month-first", usual_why="the product").order == "month-first"


def test_proof_beats_the_settings() -> None:
    assert decide(["13/4/2024", "3/4/2024"], agreed="month-first").order == "day-first"


def test_months_written_by_their_first_day() -> None:
    assert decide([f"01/{m:02}/2024" for m in range(1, 8)]).order == "day-first"
    assert decide([f"{m}/1/2024" for m in range(1, 8)]).order == "month-first"


def test_points_are_day_first() -> None:
    assert decide(["03.04.2024"]).order == "day-first"


def test_an_order_that_would_close_before_creation_is_ruled_out() -> None:
    # 10/01/2026 closed a deal created on 1 August 2026: 10 January would be before it, 1 October is not
    assert order_that_fits(["10/01/2026"], [date(2026, 8, 1)], after=True) == "month-first"
    assert order_that_fits(["02/03/2026"], [date(2026, 1, 1)], after=True) is None


def test_times() -> None:
    assert time_of("3/1/2024 10:23 PM") == 22 * 3600 + 23 * 60
    assert time_of("2024-03-01T00:00:07Z") == 7
    assert time_of("2024-03-01") is None


@given(DAYS, st.integers(1, 400))
def test_days_stay_in_order(day: date, later: int) -> None:
    second = day + timedelta(days=later)
    assert parse_day(day.isoformat()) < parse_day(second.isoformat())
