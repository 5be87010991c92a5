"""From opportunities back to leads and money."""

from __future__ import annotations

from datetime import date, timedelta

from kpis.answers.funnel import funnel
from tests.build import dataset

TODAY = date(2026, 6, 30)
DEAL = [{"opportunity_id": "1", "created_at": date(2025, 1, 5), "closed_at": TODAY, "status": "lost"}]


def leads(n, mql, sqls=0, opportunities=0):
    return [
        {
            "lead_id": f"{mql}-{k}", "created_at": mql, "mql_at": mql,
            "sql_at": mql + timedelta(days=5) if k < sqls else None,
            "opportunity_id": "1" if k < opportunities else None,
        }
        for k in range(n)
    ]  # fmt: skip


def test_rates_by_hand():
    # 40 matured MQLs, 20 SQLs, 8 opportunities: 40/8 = 5 MQLs and 20/8 = 2.5 SQLs for one opportunity.
    # The 10 young ones (30 days old) count in the cost only: 6,000 / (40 + 10) = 120 per MQL, 5 x 120 = 600.
    rows = leads(40, TODAY - timedelta(days=200), 20, 8) + leads(10, TODAY - timedelta(days=30))
    spend = [
        {"period": date(2026, 1, 1), "department": "marketing", "purpose": "acquire", "amount": 5000},
        {"period": date(2026, 2, 1), "department": "marketing", "amount": 1000},
        {"period": date(2026, 2, 1), "department": "marketing", "purpose": "nurture", "amount": 777},
        {"period": date(2026, 2, 1), "department": "sales", "purpose": "acquire", "amount": 777},
        {"period": date(2024, 2, 1), "department": "marketing", "purpose": "acquire", "amount": 777},
    ]
    found = funnel(dataset({"opportunities": DEAL, "leads": rows, "spend": spend}))
    assert found.mqls_per_opportunity == 5.0
    assert found.sqls_per_opportunity == 2.5
    assert found.spend_per_opportunity == 600.0
    assert found.missing == ()


def test_what_is_missing_is_named():
    assert "needs table leads" in funnel(dataset({"opportunities": DEAL})).missing[0]
    rows = leads(5, TODAY - timedelta(days=200), 2, 0)
    assert (
        "no matured MQL" in funnel(dataset({"opportunities": DEAL, "leads": rows + leads(1, TODAY, 1, 1)})).missing[0]
    )
    only = funnel(dataset({"opportunities": DEAL, "leads": leads(5, TODAY - timedelta(days=200), 2, 1)}))
    assert only.spend_per_opportunity is None
    assert "spend" in only.missing[-1]


def test_spend_of_other_years_is_no_spend_of_0():
    """Money spent only before, or only after the as-of day, says nothing about what an MQL costs."""
    rows = leads(40, TODAY - timedelta(days=200), 20, 8)
    for month in (date(2024, 2, 1), date(2026, 8, 1)):
        spend = [{"period": month, "department": "marketing", "amount": 777.0}]
        found = funnel(
            dataset({"opportunities": DEAL, "leads": rows, "spend": spend}, newest=date(2026, 9, 1)).known_at(TODAY)
        )
        assert found.spend_per_opportunity is None
        assert "spend" in found.missing[-1]
        assert found.mqls_per_opportunity == 5.0


def test_a_lead_becomes_an_opportunity_when_that_is_there():
    """As of June eight leads have become the first opportunity; the four of the second, created in July, have not."""
    later = {"opportunity_id": "2", "created_at": date(2026, 7, 5)}
    rows = leads(40, TODAY - timedelta(days=200), 20, 8)
    more = [
        row | {"lead_id": f"x{k}", "opportunity_id": "2"} for k, row in enumerate(leads(4, TODAY - timedelta(days=190)))
    ]
    data = dataset({"opportunities": [*DEAL, later], "leads": rows + more}, newest=date(2026, 9, 1))
    # 44 MQLs of 8 opportunities then, of 12 in September.
    assert funnel(data.known_at(TODAY)).mqls_per_opportunity == 44 / 8
    assert funnel(data).mqls_per_opportunity == 44 / 12


def test_monthly_history():
    """40 MQLs on 12 December, 10 on 31 May; 20 SQLs five days later: whole months from January to May."""
    rows = leads(40, TODAY - timedelta(days=200), 20, 8) + leads(10, TODAY - timedelta(days=30))
    spend = [{"period": date(2026, m, 1), "department": "marketing", "amount": 100.0 * m} for m in range(1, 7)]
    found = funnel(dataset({"opportunities": DEAL, "leads": rows, "spend": spend}, newest=TODAY)).monthly
    assert found["mqls"].tolist() == [0.0, 0.0, 0.0, 0.0, 10.0]
    assert found["sqls"].tolist() == [0.0] * 5
    # January is the first month of spend and left out, June is not over.
    assert found["spend"].tolist() == [200.0, 300.0, 400.0, 500.0]
