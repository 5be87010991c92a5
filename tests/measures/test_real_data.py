"""Measures on real and realistic exports, against pandas by hand. Skipped where the data are not there."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kpis.intake import read
from kpis.measures.core.evaluate import evaluate
from kpis.measures.registry import measures
from kpis.settings import Settings
from tests.measures.look import Look


def company(folder: Path):
    return read([folder], settings=Settings()).dataset


@pytest.fixture(scope="module")
def shared(root) -> Path:
    folder = root.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data beside this checkout")
    return folder


@pytest.fixture(scope="module")
def root() -> Path:
    return Path(__file__).resolve().parents[2]


SUPPORTED = {
    "msft_regional_sales": (
        "avg_deal_size", "close_ratio_by_stage", "combined_growth", "current_period_health",
        "customer_depth_and_lifetime_value", "funnel_value", "ideal_customer_fit", "new_customer_rate",
        "new_qualified_opportunities", "next_two_periods_coverage", "order_size_concentration", "retention_rate",
        "sales_cycle_days", "sales_velocity", "win_back_rate", "win_rate", "won_revenue", "won_revenue_growth",
    ),
    "olist_funnel": (
        "asset_lead_value", "avg_deal_size", "combined_growth", "end_to_end_conversion", "lead_knowledge",
        "lead_management_score", "lead_share_by_channel", "lead_to_close_days", "marketing_qualified_leads", "win_rate",
        "won_revenue",
    ),
    "ravenstack_saas": (
        "customer_depth_and_lifetime_value", "new_customer_rate", "retention_rate", "win_back_rate",
    ),
    "marketing_campaigns_semicolon": (
        "avg_deal_size", "cost_per_lead", "end_to_end_conversion", "lead_share_by_channel", "marketing_spend_to_sales",
        "visit_to_lead_rate", "won_revenue",
    ),
    "cdnow": (
        "avg_deal_size", "combined_growth", "customer_depth_and_lifetime_value", "new_customer_rate",
        "order_size_concentration", "retention_rate", "win_back_rate", "won_revenue", "won_revenue_growth",
    ),
}  # fmt: skip


@pytest.mark.parametrize("folder", SUPPORTED)
def test_what_the_data_support_has_a_value_and_the_rest_says_what_it_needs(shared, folder):
    found = evaluate(company(shared / folder), parts=False, rng=np.random.default_rng(1))
    assert len(found) == len(measures())
    with_value = {one.measure.name for one in found if one.headline is not None and one.headline.has_value}
    assert with_value == set(SUPPORTED[folder])
    for one in found:
        assert one.status in ("ok", "low sample") if one.measure.name in with_value else one.status.startswith("needs ")


def test_win_rate_and_revenue_are_those_of_the_export(shared):
    table = pd.read_csv(shared / "msft_regional_sales" / "opportunities.csv")
    closed = table[table["Status"].isin(["Won", "Lost"])]
    known = company(shared / "msft_regional_sales")
    # The export has a close date in one column for all: a closed row's is the day it closed.
    looked = Look(known, "win_rate", periods=40)
    revenue = Look(known, "won_revenue", periods=40)
    counted = looked.part("win_rate").grid
    assert counted.n.sum() == len(closed)
    assert (counted.value[0] * counted.n[0])[counted.n[0] > 0].sum() == pytest.approx((closed["Status"] == "Won").sum())
    assert np.nansum(revenue.part().grid.value) == pytest.approx(closed.loc[closed["Status"] == "Won", "Value"].sum())


def test_retention_and_new_customers_on_cdnow(shared):
    rows = pd.read_fwf(
        shared / "cdnow" / "CDNOW_master.txt",
        header=None,
        skiprows=1,
        colspecs=[(0, 6), (6, 15), (15, 18), (18, 26)],
    )
    rows.columns = ["customer", "day", "cds", "money"]
    rows["day"] = pd.to_datetime(rows["day"].astype(int).astype(str))
    # 23,570 customers with 69,659 purchases: the published size of the full data set (Fader and Hardie).
    assert (rows["customer"].nunique(), len(rows)) == (23_570, 69_659)

    def there(day: str) -> set:
        end = pd.Timestamp(day)
        return set(rows.loc[(rows["day"] <= end) & (rows["day"] > end - pd.Timedelta(days=365)), "customer"])

    known = company(shared / "cdnow")
    look = Look(known, "retention_rate", periods=6)
    assert known.as_of == date(1998, 6, 30)
    for back, (start, end) in enumerate([("1998-03-31", "1998-06-30"), ("1997-12-31", "1998-03-31")]):
        kept = len(there(start) & there(end)) / len(there(start))
        assert look("retention", back=back) == pytest.approx(kept)
    fresh = Look(known, "new_customer_rate", periods=6).part("new_customers").grid
    first = rows.groupby("customer")["day"].min()
    assert fresh.value[0, 0] == (first <= "1997-03-31").sum()


def test_leads_to_won_on_olist(shared):
    leads = pd.read_csv(
        shared / "olist_funnel" / "orig_olist_marketing_qualified_leads_dataset.csv", parse_dates=["first_contact_date"]
    )
    won = pd.read_csv(shared / "olist_funnel" / "orig_olist_closed_deals_dataset.csv")
    known = company(shared / "olist_funnel")
    look = Look(known, "end_to_end_conversion", periods=6)
    quarter = leads[leads["first_contact_date"].between("2018-01-01", "2018-03-31")]
    assert look("lead_to_won", back=3, what="n") == len(quarter)
    # By the end of the data every one of them is more than half a year old; what older leads did later is added.
    raw = quarter["mql_id"].isin(won["mql_id"]).mean()
    assert look("lead_to_won", back=3, what="raw") == pytest.approx(raw)
    assert raw <= look("lead_to_won", back=3) <= raw + 0.02


def test_what_campaigns_report_is_added_up(shared):
    table = pd.read_csv(shared / "marketing_campaigns_semicolon" / "Marketing.csv", sep=";", decimal=",")
    known = company(shared / "marketing_campaigns_semicolon")
    assert Look(known, "cost_per_lead")() == pytest.approx(table["mark_spent"].sum() / table["leads"].sum())
    assert Look(known, "won_revenue")() == pytest.approx(table["revenue"].sum())
    share = Look(known, "lead_share_by_channel")
    by_channel = table.groupby("category")["leads"].sum() / table["leads"].sum()
    assert {name: share(group=name) for name in share.part().grid.groups} == pytest.approx(by_channel.to_dict())
