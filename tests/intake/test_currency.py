from __future__ import annotations

import pytest

from kpis.errors import InputError
from kpis.settings import Settings
from tests.intake.files import load, rows

DEALS = """opportunity_id,status,amount,currency,created_at,closed_at
A,won,100,USD,2024-01-01,2024-02-15
B,won,100,PEN,2024-01-01,2024-02-15
C,open,100,PEN,2024-01-01,
D,open,100,EUR,2024-01-01,
"""
RATES = """date,currency,rate
2024-01-01,PEN,0.25
2024-03-01,PEN,0.20
2024-01-01,EUR,1.10
"""


def test_one_currency_is_named() -> None:
    intake = load(deals="opportunity_id,status,amount,currency,created_at\nA,open,1,eur,2024-01-01\n")
    assert intake.dataset.currency == "EUR"


def test_the_currency_of_a_header() -> None:
    assert (
        load(
            spend='Reporting starts,Reporting ends,Campaign name,Day,Amount spent (USD),Impressions\n2024-01-01,2024-01-31,x,2024-01-02,"1,033.33",5\n'
        ).dataset.currency
        == "USD"
    )


def test_several_currencies_are_never_added() -> None:
    with pytest.raises(InputError, match=r"EUR, PEN, USD.*without a rate.*table of rates"):
        load(deals=DEALS)
    with pytest.raises(InputError, match="currency to report in is not named"):
        load(deals=DEALS, rates=RATES)


def test_dated_rates_convert_and_a_missing_one_sets_the_row_aside() -> None:
    intake = load(Settings(currency="USD"), deals=DEALS + "E,won,100,EUR,2023-01-01,2023-12-31\n", rates=RATES)
    assert rows(intake, "SELECT opportunity_id, amount, currency FROM opportunities ORDER BY 1") == [
        ("A", 100.0, "USD"),
        ("B", 25.0, "USD"),  # closed on 15 February: 0.25
        ("C", 20.0, "USD"),  # open: the newest rate, 0.20
        ("D", pytest.approx(110.0), "USD"),
    ]
    assert intake.files[0].rejects[0].reason == "no rate for EUR on or before 2023-12-31"
    assert intake.dataset.currency == "USD"


def test_history_and_spend_follow() -> None:
    intake = load(
        Settings(currency="USD"),
        deals=DEALS,
        rates=RATES,
        opportunity_history="opportunity_id,changed_at,stage,amount\nB,2024-01-01,Proposal,80\nA,2024-01-01,Proposal,80\n",
        spend="period,department,amount,currency\n2024-01-31,marketing,8,PEN\n2024-03-31,marketing,10,PEN\n",
    )
    assert rows(intake, "SELECT opportunity_id, amount FROM opportunity_history ORDER BY 1") == [
        ("A", 80.0),
        ("B", 20.0),
    ]
    assert rows(intake, "SELECT amount FROM spend ORDER BY period") == [(2.0,), (2.0,)]


def test_salesforce_rates_are_units_for_one_of_ours() -> None:
    rates = "IsoCode,StartDate,ConversionRate\nPEN,2024-01-01,4\nEUR,2024-01-01,0.5\n"
    intake = load(Settings(currency="USD"), deals=DEALS, rates=rates)
    assert rows(
        intake, "SELECT amount FROM opportunities WHERE opportunity_id IN ('C', 'D') ORDER BY opportunity_id"
    ) == [(25.0,), (200.0,)]
