"""Numbers as people say them."""

from __future__ import annotations

import doctest

import pytest

from kpis.answers import words


def test_examples_of_the_docstrings():
    assert doctest.testmod(words).failed == 0


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (999_499, "$999 k"),
        (999_600, "$1.00 M"),
        (0, "$0"),
        (12_345_678, "$12.3 M"),
        (None, "n/a"),
        (float("nan"), "n/a"),
    ],
)
def test_money(amount, said):
    assert words.money(amount, "USD") == said


@pytest.mark.parametrize(
    ("share", "said"), [(0.0, "0 %"), (1e-9, "under 1 %"), (1 - 1e-9, "over 99 %"), (0.995, "100 %")]
)
def test_a_chance_is_certain_only_where_it_is(share, said):
    # 0.995 is the edge: it rounds to 100 % and is neither certain nor beyond the edge.
    assert words.percent(share) == said


def test_unknown_currency_keeps_its_code():
    assert words.money(1500, "SEK") == "SEK 1.50 k"
