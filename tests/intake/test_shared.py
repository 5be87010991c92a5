"""The real exports beside the checkout; skipped where they are absent."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from kpis.intake import Intake, check, read
from tests.intake.files import rows


@pytest.fixture(scope="module")
def microsoft(shared_data: Path) -> Intake:
    return read([shared_data / "msft_regional_sales"])


@pytest.fixture(scope="module")
def maven(shared_data: Path) -> Intake:
    return read([shared_data / "maven_crm"])


def test_microsoft_joins_as_pandas_does(microsoft: Intake, shared_data: Path) -> None:
    folder = shared_data / "msft_regional_sales"
    raw = {p.stem: pd.read_csv(p) for p in folder.glob("*.csv")}
    deals = (
        raw["opportunities"]
        .merge(raw["owners"], on="SystemUserSeq", how="left")
        .merge(raw["products"], on="ProductSeq", how="left")
    )
    deals = deals.merge(raw["accounts"], on="AccountSeq", how="left").merge(
        raw["industries"], on="IndustrySeq", how="left"
    )
    deals = deals.merge(raw["territories"], on="TerritorySeq", how="left").merge(
        raw["campaigns"], on="CampaignSeq", how="left"
    )
    deals = deals.sort_values("OpportunitySeq").astype({"OpportunitySeq": str}).sort_values("OpportunitySeq")
    ours = pd.DataFrame(
        rows(
            microsoft,
            "SELECT opportunity_id, owner, team, product, segment, region, source, amount, status FROM opportunities ORDER BY 1",
        ),
        columns=["id", "owner", "team", "product", "segment", "region", "source", "amount", "status"],
    )
    for column, theirs in {
        "id": "OpportunitySeq",
        "owner": "Owner",
        "team": "Manager",
        "product": "Product",
        "segment": "Industry",
        "region": "Territory",
        "source": "Campaign Type",
        "amount": "Value",
    }.items():
        assert ours[column].fillna("").tolist() == deals[theirs].fillna("").tolist(), column
    assert ours["status"].tolist() == deals["Status"].str.lower().tolist()


def test_microsoft_dates_and_rows(microsoft: Intake) -> None:
    assert {f.file: (f.read, f.accepted, f.rejected, f.merged) for f in microsoft.files}["opportunities.csv"] == (
        20_000,
        20_000,
        0,
        0,
    )
    assert rows(
        microsoft,
        "SELECT count(*) FROM opportunities WHERE (status = 'open') <> (closed_at IS NULL) OR (status = 'open' AND expected_close IS NULL)",
    ) == [(0,)]
    assert str(microsoft.dataset.newest) == "2021-11-10"
    refused = [f for f in microsoft.files if f.table is None]
    assert [f.file for f in refused] == ["opportunity_forecast_adjustment.csv"]


def test_maven_has_list_prices_for_open_deals(maven: Intake) -> None:
    # 1,589 engaging and 500 prospecting deals have no value of their own
    assert rows(maven, "SELECT amount_basis, count(*) FROM opportunities GROUP BY 1 ORDER BY 1") == [
        ("given", 6711),
        ("list price", 2089),
    ]
    assert rows(maven, "SELECT count(*) FROM opportunities WHERE list_price IS NULL") == [(0,)]
    assert rows(maven, "SELECT count(*) FROM opportunities WHERE created_at IS NULL AND stage = 'Prospecting'") == [
        (500,)
    ]
    assert rows(maven, "SELECT count(*) FROM opportunities WHERE product = 'GTX Pro'") == [(1480,)]
    assert rows(maven, "SELECT count(*) FROM accounts WHERE industry = 'technolgy'") == [(12,)]
    assert maven.dataset.amount_known_at_close
    assert str(maven.dataset.newest) == "2017-12-31"


def test_two_companies_checked_at_once(shared_data: Path) -> None:
    reports, _ = check([shared_data / "msft_regional_sales", shared_data / "maven_crm"])
    found = {r.file: (r.table, r.accepted) for r in reports}
    assert found["msft_regional_sales/opportunities.csv"] == ("opportunities", 20_000)
    assert found["maven_crm/sales_pipeline.csv"] == ("opportunities", 8_800)


def test_every_file_is_recognised_or_refused_with_a_reason(shared_data: Path) -> None:
    reports, _ = check([shared_data])
    for r in reports:
        assert r.read == r.accepted + r.rejected + r.merged, r.file
        assert (r.table is None) == bool(r.reason), r.file
