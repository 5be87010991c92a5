"""What only a browser sees of the deals: a chosen row explains its deal, and the assist list keeps what is typed."""

from __future__ import annotations

import pandas as pd
import pytest
from playwright.sync_api import expect

from kpis.answers.explain import explain_deal
from kpis.answers.outlook import outlook
from kpis.answers.pipeline import pipeline_health
from kpis.forecast.backtest import record
from kpis.forecast.model import fit
from kpis.intake import read

FIRST_RUN = 120_000
ROW = 35
"""Height of a row of a table in pixels."""


@pytest.fixture(scope="module")
def found(sample_data):
    data = read(sorted(sample_data.glob("*.csv"))).dataset
    model = fit(data)
    return outlook(data, model, None, record(data, model))


@pytest.fixture
def open_page(page, settle):
    def go(address):
        page.set_viewport_size({"width": 1600, "height": 2600})
        page.goto(address)
        expect(page.locator("h2").first).to_be_visible(timeout=FIRST_RUN)
        settle(page)
        return page

    return go


def test_a_chosen_row_explains_its_deal(open_page, found):
    page = open_page("/")
    deals = pipeline_health(found).tables["deals"]
    box = page.locator(".st-key-deals canvas").first.bounding_box()
    page.mouse.click(box["x"] + 16, box["y"] + 3 * ROW + ROW / 2)  # below the header and two deals
    said = explain_deal(found, deals["opportunity_id"].iloc[2]).sentence
    expect(page.locator(".st-key-explained").get_by_text(said)).to_be_visible(timeout=30_000)


def test_the_assist_list_keeps_what_is_typed(open_page, settle, tmp_path):
    page = open_page("/deals")
    box = page.locator(".st-key-assists canvas").first.bounding_box()
    page.mouse.click(box["x"] + 60, box["y"] + 1.5 * ROW)
    # Deal, blocker, asset, owner: the third cell to the right.
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    cell = page.locator(".gdg-input")
    expect(cell).to_be_focused()
    # At the pace of a person: the grid takes up what is typed a moment later.
    page.keyboard.type("Somebody Else", delay=50)
    expect(cell).to_have_value("Somebody Else")
    page.wait_for_timeout(1_000)
    page.keyboard.press("Enter")
    # The grid sends an edit a moment after it is made.
    page.wait_for_timeout(2_000)
    settle(page)
    handle = page.locator(".st-key-sales_cycle").get_by_role("slider")
    handle.focus()
    handle.press("ArrowRight")
    expect(page.get_by_text("with sales cycle length").first).to_be_visible(timeout=30_000)
    settle(page)
    with page.expect_download() as download:
        page.locator(".st-key-assists_csv").get_by_role("button", name="CSV").click()
    file = tmp_path / "assists.csv"
    download.value.save_as(file)
    assert pd.read_csv(file)["owner"].iloc[0] == "Somebody Else"
