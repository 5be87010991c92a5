from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.intake.numbers import currency_in, decide, mark_shown, parse_number, parse_share

CENTS = st.integers(-(10**12), 10**12)
LOCALES = {  # thousands mark, decimal mark
    "en": (",", "."),
    "de": (".", ","),
    "fr": ("\u202f", ","),
    "fr-old": ("\u00a0", ","),
    "ch": ("’", "."),
    "plain": ("", "."),
    "plain-comma": ("", ","),
}


def written(cents: int, locale: str) -> str:
    thousands, mark = LOCALES[locale]
    whole = f"{abs(cents) // 100:,}".replace(",", thousands)
    return f"{'-' if cents < 0 else ''}{whole}{mark}{abs(cents) % 100:02}"


@given(
    CENTS,
    st.sampled_from(sorted(LOCALES)),
    st.sampled_from(["{}", "€ {}", "{} €", "USD {}", "{} EUR", "${}", "£{}", "R$ {}", "CHF {}", "{} kr"]),
)
def test_money_is_read_as_written(cents: int, locale: str, form: str) -> None:
    assert parse_number(form.format(written(cents, locale)), LOCALES[locale][1]) == cents / 100


@given(st.lists(CENTS, min_size=1, max_size=20), st.sampled_from(sorted(LOCALES)))
def test_the_mark_of_a_column_is_found(column: list[int], locale: str) -> None:
    texts = [written(c, locale) for c in column]
    style = decide(texts)
    assert style.mark == LOCALES[locale][1]
    assert [parse_number(t, style.mark) for t in texts] == [c / 100 for c in column]


@given(st.integers(0, 10**9), st.sampled_from([",", "."]))
def test_counts_with_thousands(count: int, thousands: str) -> None:
    text = f"{count:,}".replace(",", thousands)
    assert parse_number(text, decide([text], whole=True).mark) == count


@given(st.integers(0, 10_000), st.sampled_from([".", ","]))
def test_percent(basis_points: int, mark: str) -> None:
    text = f"{basis_points / 100:.2f}%".replace(".", mark)
    assert parse_share(text, mark) == pytest.approx(basis_points / 10_000, abs=1e-12)


@given(st.text(max_size=30), st.sampled_from([".", ","]))
def test_any_text_is_a_number_or_none(text: str, mark: str) -> None:
    assert parse_number(text, mark) is None or isinstance(parse_number(text, mark), float)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("(12,400.00)", -12400.0),
        ("5-", -5.0),
        ("-$5.00", -5.0),
        ("$-5", -5.0),
        ("12,34,567.5", 1234567.5),  # Indian grouping
        ("USD 9k", 9000.0),
        ("1.2M", 1_200_000.0),
        ("350 (35.18%)", 350.0),
        ("16120999.999999998", 16120999.999999998),
        ("1e5", 100_000.0),
        (".5", 0.5),
        ("CHF 1’234.–", 1234.0),
        ("1.234,50", 1234.5),  # both marks: the last one is the decimal
    ],
)
def test_forms(text: str, value: float) -> None:
    assert parse_number(text) == value


@pytest.mark.parametrize(
    "text", ["", "--", "n/a", "abc", "12-34", "2024-01-01", "1,234,56", "AN-100001", "1.5.2", "12 apples", "5 of 10"]
)
def test_no_number(text: str) -> None:
    assert parse_number(text) is None


def test_marks_that_are_shown() -> None:
    assert (
        mark_shown("1.234,5"),
        mark_shown("1,234.5"),
        mark_shown("0.134"),
        mark_shown("1.234"),
        mark_shown("12"),
    ) == (",", ".", ".", "either", None)


def test_an_unproven_mark_is_said() -> None:
    assert not decide(["1.234", "2.500"]).proven
    assert decide(["1.234", "2.500"], usual=",").mark == ","
    assert decide(["1.234", "7.5"]).proven


def test_currency() -> None:
    assert currency_in("Amount spent (USD)") == "USD"
    assert currency_in("€ 5") == "EUR"
    assert currency_in("$5") is None  # many dollars
    assert currency_in("CA$5") == "CAD"
