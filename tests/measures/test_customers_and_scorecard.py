"""Concentration, lifetime value and the scorecard: worked values, benchmarks replaced, questionnaires rated."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kpis.answers.customers import concentration, lifetime_value
from kpis.answers.scorecard import QUESTIONNAIRES, index, own_index, questionnaire, scorecard
from kpis.definitions import Benchmark, Definitions
from kpis.errors import AssumptionError, NotEnoughData
from kpis.measures.core.benchmarks import benchmarks, place, published
from kpis.measures.registry import measures
from tests.measures.look import data, day
from tests.measures.test_money import FINANCE, SPEND


def order(account, amount, when="02-01"):
    return {"order_id": f"{account}-{amount}-{when}", "account_id": account, "amount": amount, "ordered_at": day(when)}


# Five customers: 500, 200, 150, 100, 50, 1000 in all; the first in two orders. An older order counts nowhere.
ORDERS = [
    order("a", 300.0), order("a", 200.0, "03-01"), order("b", 200.0), order("c", 150.0), order("d", 100.0), order("e", 50.0),
    order("z", 9_999.0, "2024-01-01"),
]  # fmt: skip


def test_what_is_left_without_the_largest_customer():
    answer = concentration(data({"orders": ORDERS}), periods=1)
    assert answer.numbers["top_fifth"].value == pytest.approx(0.5)  # one of five customers
    assert answer.numbers["at_risk"].value == 500
    assert answer.numbers["HHI"].value == pytest.approx(0.25 + 0.04 + 0.0225 + 0.01 + 0.0025)
    what_if = answer.tables["what_if"].set_index("what")
    assert what_if.loc["revenue"].tolist() == [1000, 500, "1.00 k", "500"]
    assert what_if.loc["share of the largest", ["before_said", "after_said"]].tolist() == ["50.0 %", "40.0 %"]
    assert what_if.loc["share of the largest", "after"] == pytest.approx(0.4)
    assert answer.tables["customers"]["cumulative"].tolist() == pytest.approx([0.5, 0.7, 0.85, 0.95, 1.0])
    assert "Without a, 500 (50 %) would be gone: as much as 4 median customers bring." in answer.sentence  # median 125
    two = concentration(data({"orders": ORDERS}), periods=1, lost=2)
    assert two.numbers["at_risk"].value == 700
    with pytest.raises(NotEnoughData, match="nothing was sold to more customers"):
        concentration(data({"orders": ORDERS[:1]}), periods=1)


def test_a_lifetime_value_stands_on_its_assumptions():
    customers = [
        {"account_id": f"a{k}", "first_order_at": day("2025-01-01"), "churned_at": day("02-01") if k == 0 else None}
        for k in range(10)
    ]
    orders = [
        {"order_id": f"o{k}", "account_id": f"a{k}", "amount": 90.0, "ordered_at": day("02-15")} for k in range(10)
    ]
    settings = Definitions(discount_rate=0.2)
    answer = lifetime_value(data({"customers": customers, "orders": orders}, definitions=settings), periods=1)
    years = 90 / 365.25  # the first quarter
    spent, stay = 900 / 9 / years, 0.9 ** (1 / years)
    assert answer.numbers["revenue_per_customer_and_year"].value == pytest.approx(spent)
    assert answer.numbers["retention_a_year"].value == pytest.approx(stay)
    assert answer.numbers["margin"].value is None
    assert answer.numbers["lifetime_value"].value == pytest.approx(spent / (1 - stay + 0.2))
    assert answer.tables["assumptions"]["what"].tolist()[-1] == "Discount rate a year"


def test_every_benchmark_belongs_to_a_scorecard_measure_and_is_dated():
    eight = {name for name, one in measures().items() if any(i.startswith("IDC-") for i in one.ids)}
    assert set(published()) == eight
    assert all(one.dated and one.source for one in published().values())


def test_where_a_value_lies():
    figure = Benchmark(low=4.0, high=4.0, dated="2012-13", source="IDC")
    assert [place(v, figure) for v in (3.5, 3.6, 4.4, 4.5)] == ["below", "within", "within", "above"]
    band = Benchmark(low=40_000, high=70_000, dated="2012-13", source="IDC")
    assert [place(v, band) for v in (39_999, 40_000, 70_000, 70_001)] == ["below", "within", "within", "above"]


def test_scorecard_compares_what_compares():
    known = data({"spend": SPEND, "finance": FINANCE})
    table = scorecard(known, periods=2).tables["scorecard"].set_index("measure")
    assert len(table) == 8
    assert table.loc["sales_marketing_cost_ratio", "value"] == pytest.approx(0.1)
    assert table.loc["sales_marketing_cost_ratio", "place"] == "within"  # 10 % beside 10.6 %
    assert table.loc["marketing_per_sales_fte", "place"] == "no value"
    assert table.loc["marketing_per_sales_fte", "reason"] == "needs table headcount"
    assert table.loc["lead_management_score", "place"] == "no value"


def test_settings_replace_a_benchmark_one_by_one():
    own = Benchmark(low=0.2, high=0.3, dated="2026", source="our own plan")
    replaced = Definitions(benchmarks={"sales_marketing_cost_ratio": own})
    assert benchmarks(replaced)["sales_marketing_cost_ratio"] == own
    assert benchmarks(replaced)["program_share"] == published()["program_share"]
    known = data({"spend": SPEND, "finance": FINANCE}, definitions=replaced)
    row = scorecard(known, periods=2).tables["scorecard"].set_index("measure").loc["sales_marketing_cost_ratio"]
    assert (row["place"], row["source"]) == ("below", "our own plan")


def rated(item, rating, when="03-01", assessor="VP", weight=1.0, scorecard_name="sales_enablement"):
    return {
        "scorecard": scorecard_name, "item": item, "rating": rating, "weight": weight, "assessor": assessor,
        "assessed_on": day(when),
    }  # fmt: skip


@pytest.mark.parametrize("name", QUESTIONNAIRES)
def test_a_questionnaire_begins_with_items_to_rate(name):
    items = questionnaire(data({"spend": SPEND}), name)
    assert len(items) == 8
    assert items["rating"].isna().all()
    assert index(items) is None


def test_a_questionnaire_keeps_the_latest_ratings():
    rows = [
        rated("x", 1, "01-01"),
        rated("x", 5),
        rated("y", 3, weight=3.0),
        rated("z", 1, scorecard_name="lead_management"),
    ]
    found = questionnaire(data({"scorecards": rows}), "sales_enablement")
    assert sorted(zip(found["item"], found["rating"], strict=True)) == [("x", 5.0), ("y", 3.0)]
    assert index(found) == pytest.approx(100 * (1 * 1.0 + 3 * 0.5) / 4)
    with pytest.raises(AssumptionError, match="A rating is from 1 to 5"):
        index(pd.DataFrame({"rating": [6.0], "weight": [1.0]}))
    with pytest.raises(AssumptionError, match="There is no questionnaire"):
        questionnaire(data({"scorecards": rows}), "happiness")
    assert index(pd.DataFrame({"rating": [np.nan], "weight": [1.0]})) is None


def test_the_own_score_is_said_or_what_is_wrong():
    rated = pd.DataFrame({"item": ["a", "b", "c"], "weight": [3.0, 1.0, 1.0], "rating": [5.0, 1.0, np.nan]})
    # 100 (3 x 4/4 + 1 x 0) / 4 = 75; the unrated item counts nowhere.
    assert own_index(rated, "lead_management").sentence == "Lead management questionnaire: 75.0 of 100, from 2 ratings."
    assert "nothing is rated yet" in own_index(rated.tail(1), "lead_management").sentence
    assert own_index(rated.assign(rating=6.0), "lead_management").sentence.startswith("A rating is from 1 to 5")
