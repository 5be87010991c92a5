"""The measures in a browser: a link opens one, its groups and rows follow, the file holds what the table shows."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
from playwright.sync_api import expect

from kpis.answers.family import family, ids_of
from kpis.answers.measures import spoken
from kpis.answers.one_measure import by_group, rows_of
from kpis.intake import read

FIRST_RUN = 120_000
"""Milliseconds: a fresh server reads the demo company, learns from it and computes its measures."""


@pytest.fixture(scope="module")
def data(sample_data):
    return read(sorted(sample_data.glob("*.csv"))).dataset


def address(page):
    return {key: values[0] for key, values in parse_qs(urlsplit(page.url).query).items()}


def test_a_walk_through_one_measure(page, settle, data, tmp_path):
    answer = family(data, "?", ids_of("MKTG-"))
    page.goto("/marketing")
    expect(page.locator("h2").first).to_have_text(answer.sentence, timeout=FIRST_RUN)
    settle(page)
    assert page.locator("[data-testid=stMetricValue]").count() == 15

    page.get_by_role("button", name="MKTG-1", exact=True).click()
    expect(page.get_by_role("heading", name="Marketing money spent for each lead")).to_be_visible()
    settle(page)
    assert address(page) == {"measure": "cost_per_lead"}
    page.locator(".st-key-by_cost_per_lead").get_by_role("radio", name="Campaign").click()
    groups = by_group(data, "cost_per_lead", "campaign")
    expect(page.get_by_text(groups.sentence)).to_be_visible()
    settle(page)
    drawn = page.locator(".st-key-groups_card svg.marks text").all_text_contents()
    table = groups.tables["groups"].nlargest(12, "n")
    assert {f"{x.said}, n {x.n:,.0f}" for x in table.itertuples()} <= set(drawn)
    course = page.locator(".st-key-course_card svg.marks text").all_text_contents()
    shown = [text for text in course if text.startswith(("shift", "spike", "dip"))]
    assert not any("undefined" in text or "NaN" in text for text in drawn + course)
    verdict = next(card for card in answer.document["measures"] if card["measure"] == "cost_per_lead")
    assert shown == [f"{verdict['verdict_said']} {spoken(verdict['value'], 'money', 'USD')}"]

    page.locator(".st-key-closer").get_by_role("radio", name="Rows").click()
    expect(page.locator(".st-key-rows_card")).to_be_visible()
    settle(page)
    with page.expect_download() as download:
        page.locator(".st-key-rows_csv").get_by_role("button", name="CSV").click()
    download.value.save_as(tmp_path / "rows.csv")
    rows = rows_of(data, "cost_per_lead", "2026Q2", by="campaign")
    assert list(pd.read_csv(tmp_path / "rows.csv")["amount"]) == list(rows["amount"])
    assert address(page) == {"measure": "cost_per_lead", "by_cost_per_lead": "Campaign", "closer": "Rows"}

    page.goto(page.url)
    expect(page.locator(".st-key-rows_card")).to_be_visible(timeout=FIRST_RUN)
    settle(page)
    page.get_by_role("button", name="Close", exact=True).click()
    expect(page.locator(".st-key-opened")).to_have_count(0)
    assert "measure" not in address(page)


def test_the_catalogue_leads_to_the_measure(page, settle):
    page.goto("/catalogue?search=bounce")
    expect(page.locator("h2").first).to_contain_text("72 KPIs of 6 lists, 68 measures", timeout=FIRST_RUN)
    settle(page)
    table = page.locator(".st-key-catalogue_MKTG [data-testid=stDataFrame]")
    box = table.bounding_box()
    page.mouse.click(box["x"] + 15, box["y"] + 52)
    page.get_by_role("link", name="Open Bounce rate").click()
    expect(page.locator(".st-key-opened")).to_be_visible(timeout=FIRST_RUN)
    settle(page)
    assert address(page) == {"measure": "bounce_rate"}
