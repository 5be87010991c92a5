"""The demo company's tables: the same for the same seed, whole, consistent, and like a company's."""

from __future__ import annotations

import filecmp
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kpis.demo import END, Company, dictionary, generate, write
from kpis.errors import AssumptionError
from kpis.periods import Calendar
from kpis.schema import TABLES

SAMPLE_DATA = Path(__file__).parents[1] / "sample_data"
SET_AT_INTAKE = {("opportunities", "list_price"), ("opportunities", "amount_basis"), ("opportunity_history", "seq")}
IN_TOTALS = {("spend", name) for name in ("impressions", "clicks", "leads", "conversions", "conversion_value")}
"""What the exports of advertising platforms have in place of leads and sales one by one, which the demo company has."""

FOREIGN_KEYS = [
    ("opportunities", "account_id", "accounts"),
    ("opportunities", "lead_id", "leads"),
    ("opportunities", "campaign_id", "campaigns"),
    ("opportunity_history", "opportunity_id", "opportunities"),
    ("leads", "account_id", "accounts"),
    ("leads", "campaign_id", "campaigns"),
    ("leads", "opportunity_id", "opportunities"),
    ("leads", "asset_id", "content_assets"),
    ("contacts", "account_id", "accounts"),
    ("activities", "opportunity_id", "opportunities"),
    ("activities", "lead_id", "leads"),
    ("activities", "account_id", "accounts"),
    ("spend", "campaign_id", "campaigns"),
    ("emails", "campaign_id", "campaigns"),
    ("content_events", "asset_id", "content_assets"),
    ("content_events", "lead_id", "leads"),
    ("content_events", "account_id", "accounts"),
    ("content_events", "opportunity_id", "opportunities"),
    ("customers", "account_id", "accounts"),
    ("orders", "account_id", "customers"),
    ("orders", "product_id", "products"),
    ("subscriptions", "account_id", "customers"),
    ("nps", "account_id", "customers"),
    ("wallet", "account_id", "customers"),
]
PARENT_KEY = {
    "accounts": "account_id",
    "leads": "lead_id",
    "campaigns": "campaign_id",
    "opportunities": "opportunity_id",
    "content_assets": "asset_id",
    "customers": "account_id",
    "products": "product_id",
}


@pytest.fixture(scope="module")
def clean() -> Company:
    return generate(opportunities=6_000, seed=11, dirt=False)


@pytest.fixture(scope="module")
def dirty() -> Company:
    return generate(opportunities=6_000, seed=11)


def days(column: pd.Series) -> pd.Series:
    return pd.to_datetime(column)


def test_the_same_arguments_give_the_same_bytes(tmp_path):
    one = write(tmp_path / "one", opportunities=150, seed=3, years=1.5, truth=True)
    two = write(tmp_path / "two", opportunities=150, seed=3, years=1.5, truth=True)
    other = write(tmp_path / "other", opportunities=150, seed=4, years=1.5, truth=True)
    assert (
        [p.name for p in one] == [p.name for p in two] == [f"{t}.csv" for t in TABLES if t != "owners"] + ["truth.json"]
    )
    assert all(filecmp.cmp(a, b, shallow=False) for a, b in zip(one, two, strict=True))
    # Only catalogues do not depend on the seed; so small a company has the same few people.
    same = {a.stem for a, b in zip(one, other, strict=True) if filecmp.cmp(a, b, shallow=False)}
    assert same <= {"stages", "products", "pages", "content_assets", "headcount"}


def test_files_have_unix_lines_and_no_stray_text(tmp_path):
    for path in write(tmp_path, opportunities=60, years=1.0):
        text = path.read_bytes()
        assert b"\r" not in text
        fields = set(text.replace(b"\n", b",").split(b","))
        assert not fields & {b"nan", b"None", b"<NA>", b"NaT", b"inf"}


def test_sample_data_is_what_the_command_makes(tmp_path):
    made = {path.name: path for path in write(tmp_path, opportunities=2_000, seed=7, years=3.0)}
    kept = {path.name for path in SAMPLE_DATA.iterdir()}
    assert kept == {*made, "README.md"}
    stale = [name for name, path in made.items() if not filecmp.cmp(path, SAMPLE_DATA / name, shallow=False)]
    assert not stale, "regenerate with: python -m kpis sample sample_data --opportunities 2000 --seed 7 --years 3"
    assert sum(path.stat().st_size for path in made.values()) < 4.5e6


def test_the_dictionary_beside_the_sample_is_fresh():
    assert (SAMPLE_DATA / "README.md").read_text(encoding="utf-8") == dictionary()


def test_the_dictionary_names_every_column():
    text = dictionary()
    for name, table in TABLES.items():
        if name == "owners":
            continue
        section = text.split(f"\n## {name}\n")[1].split("\n## ")[0]
        listed = {line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| ")} - {"column"}
        assert listed == {c for c in table.names if (name, c) not in SET_AT_INTAKE}


def test_every_table_and_column_has_a_value(clean):
    assert list(clean.tables) == [name for name in TABLES if name != "owners"]
    for name, frame in clean.tables.items():
        assert list(frame) == [c for c in TABLES[name].names if (name, c) not in SET_AT_INTAKE | IN_TOTALS]
        assert [c for c in frame if frame[c].isna().all()] == []


def test_values_are_of_their_kind(clean):
    for name, frame in clean.tables.items():
        for column in TABLES[name].columns:
            if column.name not in frame:
                continue
            values = frame[column.name].dropna()
            if column.kind in ("date", "plan_date"):
                read = pd.to_datetime(values, format="%Y-%m-%d")
                assert column.kind == "plan_date" or read.max() <= pd.Timestamp(END), (name, column.name)
            elif column.kind == "flag":
                assert set(values) <= {0, 1}
            elif column.kind == "share":
                assert values.between(0, 1).all()
            elif column.kind == "count":
                assert (values >= 0).all()
                assert (values % 1 == 0).all()
            elif column.kind == "money":
                assert (values >= 0).all()
    for name, frame in clean.tables.items():
        key = list(TABLES[name].key)
        assert not key or not frame.duplicated(key).any(), name


@pytest.mark.parametrize(("table", "column", "parent"), FOREIGN_KEYS, ids=str)
def test_references_hold(clean, table, column, parent):
    used = set(clean.tables[table][column].dropna())
    assert used
    assert used <= set(clean.tables[parent][PARENT_KEY[parent]])


def test_owners_products_and_categories_agree(clean):
    tables = clean.tables
    sellers = {owner["name"] for owner in clean.truth["owners"]}
    for name in ("opportunities", "opportunity_history", "activities", "content_events"):
        assert set(tables[name]["owner"].dropna()) <= sellers
    assert set(tables["opportunities"]["product"]) <= set(tables["products"]["name"])
    assert set(tables["opportunities"]["stage"]) == set(tables["stages"]["stage"])
    assert set(tables["page_views"]["page"]) <= set(tables["pages"]["page"])
    converted = tables["web_sessions"]["converted_lead_id"].dropna()
    assert converted.is_unique
    assert set(converted) <= set(tables["leads"]["lead_id"])
    launched = tables["products"].set_index("name")["launched_on"]
    sold = tables["opportunities"]
    assert (sold["product"].map(launched) <= sold["created_at"]).all()


def test_history_leads_to_the_final_state(clean):
    deals = clean.tables["opportunities"].set_index("opportunity_id")
    history = clean.tables["opportunity_history"]
    by_deal = history.groupby("opportunity_id")
    assert not history.duplicated(["opportunity_id", "changed_at"]).any()
    assert history["changed_at"].is_monotonic_increasing
    last = by_deal.last().loc[deals.index]
    for column in ("stage", "amount", "expected_close", "forecast_category", "probability", "owner"):
        assert (last[column] == deals[column]).all(), column
    assert (by_deal["changed_at"].first().loc[deals.index] == deals["created_at"]).all()
    closed = deals["closed_at"].notna()
    assert (last["changed_at"][closed] == deals["closed_at"][closed]).all()
    assert (deals["status"] == np.where(~closed, "open", np.where(deals["stage"] == "Closed Won", "won", "lost"))).all()
    # Every row changes something, nothing happens after the close, and pushes are moves to a later month.
    state = ["stage", "amount", "expected_close", "forecast_category", "owner"]
    ordered = history.sort_values(["opportunity_id", "changed_at"], kind="stable")
    before = ordered.groupby("opportunity_id")[state].shift()
    follows = ordered.duplicated("opportunity_id")
    assert (ordered.loc[follows, state] != before[follows]).any(axis=1).all()
    assert not before["stage"].isin(["Closed Won", "Closed Lost"]).any()
    still_open = ~ordered["stage"].isin(["Closed Won", "Closed Lost"])
    later = ordered["expected_close"].str[:7] > before["expected_close"].str[:7]
    pushes = (follows & still_open & later).groupby(ordered["opportunity_id"]).sum()
    assert (pushes.loc[deals.index] == deals["push_count"]).all()
    qualified = (
        history[~history["stage"].isin(["Prospecting", "Closed Lost"])].groupby("opportunity_id")["changed_at"].min()
    )
    expected = qualified.reindex(deals.index)
    assert (deals["qualified_at"].fillna("") == expected.fillna("")).all()


def test_dates_come_in_order(clean):
    leads, customers = clean.tables["leads"], clean.tables["customers"]
    for earlier, later in (
        ("created_at", "mql_at"), ("mql_at", "accepted_at"), ("accepted_at", "sql_at"),
        ("created_at", "disqualified_at"),
        ("created_at", "archived_at"), ("nurture_start", "nurture_end"), ("proposal_at", "presentation_at"),
    ):  # fmt: skip
        both = leads[[earlier, later]].dropna()
        assert len(both) > 10
        assert (both[earlier] <= both[later]).all(), (earlier, later)
    deals = clean.tables["opportunities"].set_index("opportunity_id")
    grown = leads.dropna(subset="opportunity_id")
    assert (grown["created_at"].to_numpy() <= deals.loc[grown["opportunity_id"], "created_at"].to_numpy()).all()
    assert (grown["status"] == "converted").all()
    gone, back = customers.dropna(subset="churned_at"), customers.dropna(subset="reactivated_at")
    assert (gone["first_order_at"] < gone["churned_at"]).all()
    assert (back["churned_at"] < back["reactivated_at"]).all()
    subscriptions = clean.tables["subscriptions"].dropna()
    assert (subscriptions["start"] <= subscriptions["end"]).all()


def test_business_with_customers_is_with_customers(clean):
    deals = clean.tables["opportunities"].merge(clean.tables["customers"], on="account_id", suffixes=("", "_customer"))
    kept = deals[deals["type"].isin(["renewal", "expansion"])]
    assert (kept["first_order_at"] < kept["created_at"]).all()
    assert (kept["churned_at"].isna() | (kept["churned_at"] >= kept["closed_at"].fillna(END.isoformat()))).all()
    lost = kept[(kept["type"] == "renewal") & (kept["status"] == "lost")]
    assert (lost["churned_at"] == lost["closed_at"]).all()
    back = deals[deals["type"] == "winback"]
    assert len(back) == (clean.tables["opportunities"]["type"] == "winback").sum()
    assert (back["churned_at"] < back["created_at"]).all()
    won = back[back["status"] == "won"]
    assert (won["reactivated_at"] == won["closed_at"]).all()
    assert deals["segment"].equals(deals["segment_customer"])


def test_money_adds_up(clean):
    deals = clean.tables["opportunities"]
    assert np.allclose(deals["list_amount"] - deals["discount_amount"], deals["amount"])
    won = deals[deals["status"] == "won"]
    orders = clean.tables["orders"]
    sold = orders.merge(won[["account_id", "closed_at"]].drop_duplicates(), left_on=["account_id", "ordered_at"],
                        right_on=["account_id", "closed_at"])  # fmt: skip
    assert sold["amount"].sum() >= won["amount"].sum()
    # A whole month's recognised revenue is at least what every subscription that ran all of it brings.
    running = clean.tables["subscriptions"]
    running = running[(running["start"] <= "2026-07-01") & ~(running["end"] < "2026-07-31")]
    revenue = clean.tables["finance"].set_index("period").loc["2026-07-01", "revenue"]
    assert running["mrr"].sum() <= revenue <= 1.25 * running["mrr"].sum()


def test_it_behaves_like_a_company(clean):
    deals = clean.tables["opportunities"]
    closed = deals[deals["status"] != "open"]
    won = closed[closed["status"] == "won"]
    cycle = (days(won["closed_at"]) - days(won["created_at"])).dt.days
    assert 60 <= cycle.median() <= 110
    assert 0.2 < (closed["status"] == "won").mean() < 0.4
    # Heavy tail: the top tenth of deals holds well over a third of the value.
    assert deals["amount"].nlargest(len(deals) // 10).sum() > 0.35 * deals["amount"].sum()
    # Big deals win less often and take longer.
    fifth = pd.qcut(closed["amount"].rank(method="first"), 5, labels=False)
    rate = (closed["status"] == "won").groupby(fifth).mean()
    assert rate[4] < 0.75 * rate[0]
    duration = cycle.groupby(fifth[won.index]).median()
    assert duration[4] > 1.1 * duration[0]
    # Wins a day: the last seven days of a quarter against the middle weeks of its months.
    day = days(won["closed_at"])
    to_end = (day.dt.to_period("Q").dt.end_time.dt.normalize() - day).dt.days
    middle = day.dt.day.between(8, day.dt.days_in_month - 7)
    quarters = 12
    assert (to_end < 7).sum() / (7 * quarters) > 1.8 * middle.sum() / (16.4 * 3 * quarters)
    # Few arrivals in August and December, few at weekends.
    created = days(deals["created_at"])
    by_month = created[(created >= "2023-09-01") & (created < "2026-08-01")].dt.month.value_counts()
    assert max(by_month[8] / 2, by_month[12] / 3) < 0.85 * by_month[3] / 3
    assert (created.dt.day_of_week > 4).mean() < 0.1
    # Expected closes are set too soon.
    history = clean.tables["opportunity_history"].drop_duplicates("opportunity_id").set_index("opportunity_id")
    worked = won[won["closed_at"] > won["created_at"]]
    first = history["expected_close"].loc[worked["opportunity_id"]].to_numpy()
    assert (first < worked["closed_at"].to_numpy()).mean() > 0.6


def test_scores_tell_winners(clean):
    deals = clean.tables["opportunities"].dropna(subset="lead_id").query("status != 'open'")
    score = clean.tables["leads"].set_index("lead_id")["score"]
    rank = deals["lead_id"].map(score).rank()
    won = deals["status"] == "won"
    # Area under the curve, as the Mann-Whitney statistic.
    area = (rank[won].sum() - won.sum() * (won.sum() + 1) / 2) / (won.sum() * (~won).sum())
    assert area > 0.55


def test_targets_are_ambitious_but_plausible(clean):
    targets, won = clean.tables["targets"], clean.tables["opportunities"].query("status == 'won'")
    bookings = targets.query("metric == 'bookings' and scope == 'company'")
    plan = bookings.groupby(days(bookings["period"]).dt.to_period("Q"))["value"].sum()
    actual = won.groupby(days(won["closed_at"]).dt.to_period("Q"))["amount"].sum()
    whole = [quarter for quarter in actual.index if quarter.end_time.date() <= END]
    ratio = plan[whole[1:]] / actual[whole[1:]]
    assert ratio.between(0.92, 1.11).all()
    ahead = [pd.Period(Calendar("quarter").at(END, k).start, "Q") for k in range(3)]
    assert (plan[ahead] > 0.5 * actual[whole].tail(4).mean()).all()
    teams = targets.query("metric == 'bookings' and scope != 'company'")["value"].sum()
    assert teams == pytest.approx(bookings["value"].sum(), rel=0.02)
    assert set(targets["metric"]) == {"bookings", "new_opps", "concession_rate"}
    assert set(targets.groupby("metric")["period"].nunique()) == {15 * 3}  # 13 quarters of records, and two


def test_dirt_is_as_told(clean, dirty):
    told = {sort: entry["rows"] for sort, entry in dirty.truth["dirt"]["opportunities"].items()}
    ids = {sort: set(entry["ids"]) for sort, entry in dirty.truth["dirt"]["opportunities"].items()}
    assert all(len(ids[sort]) == rows > 0 for sort, rows in told.items())
    assert len(set.union(*ids.values())) == sum(told.values())
    soiled, pure = dirty.tables["opportunities"], clean.tables["opportunities"].set_index("opportunity_id")
    copies = ("exact duplicate", "duplicate id, other content", "blank id")
    assert len(soiled) == len(pure) + sum(told[sort] for sort in copies)
    assert soiled["opportunity_id"].isna().sum() == told["blank id"]
    assert soiled[soiled["opportunity_id"].notna()].duplicated().sum() == told["exact duplicate"]
    named = soiled.dropna(subset="opportunity_id").drop_duplicates()
    assert named["opportunity_id"].duplicated().sum() == told["duplicate id, other content"]
    rows = named.drop_duplicates("opportunity_id").set_index("opportunity_id")
    is_open = rows["status"] == "open"
    assert (rows["amount"] < 0).sum() == told["negative amount"]
    assert (is_open & rows["amount"].isna()).sum() == rows["amount"].isna().sum() == told["open without amount"]
    assert (~is_open & rows["closed_at"].isna()).sum() == told["closed without a date"]
    bad_date = pd.to_datetime(rows["created_at"], errors="coerce").isna()
    assert bad_date.sum() == told["date that does not exist"]
    assert (~bad_date & (rows["closed_at"] < rows["created_at"])).sum() == told["closed before created"]
    known = set(clean.tables["stages"]["stage"])
    assert (~rows["stage"].isin(known)).sum() == told["unknown stage"]
    assert (~is_open & ~rows["stage"].isin(["Closed Won", "Closed Lost"])).sum() == told["closed in an open stage"]
    spelt = sum((rows[c] != pure[c]).sum() for c in ("segment", "region", "source"))
    assert spelt == told["category in other spelling"]
    assert (rows["product"] != pure["product"]).sum() == told["product in other spelling"]
    leads, of_leads = dirty.tables["leads"], dirty.truth["dirt"]["leads"]
    assert leads.duplicated().sum() == of_leads["exact duplicate"]["rows"]
    channels = set(clean.tables["leads"]["channel"])
    assert (~leads.drop_duplicates()["channel"].isin(channels)).sum() == of_leads["category in other spelling"]["rows"]
    # Everything else is as it was.
    for name, frame in clean.tables.items():
        if name not in ("opportunities", "leads", "opportunity_history"):
            pd.testing.assert_frame_equal(frame, dirty.tables[name])


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [({"opportunities": 49}, "49 opportunities"), ({"years": 0.1}, "0.1 years"), ({"years": 21.0}, "21.0 years"),
     ({"seed": -1}, "Seed -1")],
)  # fmt: skip
def test_impossible_arguments_are_refused(arguments, problem):
    with pytest.raises(AssumptionError, match=problem):
        generate(**arguments)


@pytest.mark.parametrize("arguments", [{"years": 0.5}, {"years": 20.0}, {"seed": 0, "end": date(2024, 2, 29)}])
def test_small_and_odd_companies_work(arguments):
    company = generate(opportunities=50, **arguments)
    assert company.truth["dirt"]["opportunities"]["blank id"]["rows"] == 2
    assert all(len(frame) for frame in company.tables.values())
    assert company.tables["opportunity_history"]["changed_at"].max() <= company.truth["end"]
