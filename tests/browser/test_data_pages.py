"""An odd export in a browser: correct a column in the table, see the number change, keep the settings, load them again."""

from __future__ import annotations

import re
import tomllib

import pandas as pd
import pytest
from playwright.sync_api import expect

FIRST_RUN = 120_000
"""Milliseconds: a fresh server reads the demo company and learns from it."""


@pytest.fixture
def odd(sample_data, tmp_path):
    """An export whose amounts stand under a header that nobody knows."""
    rows = pd.read_csv(sample_data / "opportunities.csv").dropna(subset="opportunity_id")
    rows = rows.drop_duplicates("opportunity_id").tail(700)
    columns = ["opportunity_id", "name", "stage", "status", "created_at", "expected_close", "closed_at", "amount"]
    file = tmp_path / "odd.csv"
    rows[columns].rename(columns={"amount": "Zotz"}).to_csv(file, index=False)
    return file


def go(page, name):
    page.locator(".st-key-navigation").get_by_role("link", name=name).click()


def defects_of(page):
    """The defects that the page of data shows, from the download of their table."""
    with page.expect_download() as download:
        page.locator(".st-key-defects_csv").get_by_role("button", name="CSV").click()
    table = pd.read_csv(download.value.path()).set_index("defect")
    return table["rows"].to_dict(), table["amount"].to_dict()


def test_a_correction_changes_the_numbers_and_applies_by_itself_next_time(browser, base_url, settle, odd, tmp_path):
    context = browser.new_context(base_url=base_url)
    page = context.new_page()
    heading = page.locator("h2").first
    page.goto("/load")
    expect(heading).to_contain_text("Demo company", timeout=FIRST_RUN)
    page.locator("input[type=file]").set_input_files(odd)
    expect(heading).to_contain_text("odd: 1 file read", timeout=60_000)
    settle(page)
    rows, money = defects_of(page)
    past = "open deal past its expected close date"
    assert rows["won deal without an amount"] > 20
    assert money[past] == 0

    # The amounts stand under a header that nobody knows: say what they are.
    go(page, "Columns")
    expect(heading).to_have_text("7 of 8 columns are used, and all of them are sure.", timeout=60_000)
    settle(page)
    apply = page.locator(".st-key-apply").get_by_role("button")
    expect(apply).to_be_disabled()
    # A table is drawn on a canvas: its first cell below the header is clicked, from there the keyboard moves.
    grid = page.locator(".st-key-mapping_card [data-testid=stDataFrame]")
    grid.click(position={"x": 40, "y": 52})
    expect(grid.get_by_test_id("data-grid-canvas")).to_be_focused()
    for key in [*["ArrowDown"] * 7, *["ArrowRight"] * 2, "Enter"]:
        page.keyboard.press(key)
    page.get_by_role("option", name="amount", exact=True).click()
    expect(apply).to_be_enabled(timeout=30_000)
    apply.click()
    expect(heading).to_have_text("8 of 8 columns are used, and all of them are sure.", timeout=60_000)
    settle(page)
    expect(page.locator(".st-key-changes_card")).to_contain_text("1 column is read differently")
    with page.expect_download() as download:
        page.locator(".st-key-settings").get_by_role("button").click()
    settings = tmp_path / "tandem.toml"
    download.value.save_as(settings)
    assert tomllib.loads(settings.read_text("utf-8"))["mapping"]["odd.csv"]["Zotz"] == "opportunities.amount"

    go(page, "Load data")
    expect(heading).to_contain_text("odd: 1 file read", timeout=60_000)
    settle(page)
    corrected = defects_of(page)
    assert "won deal without an amount" not in corrected[0]
    assert corrected[1][past] > 0
    context.close()

    # Somebody else, next month: the same export under another name, and the settings file beside it.
    next_month = tmp_path / "odd-next-month.csv"
    next_month.write_bytes(odd.read_bytes())
    context = browser.new_context(base_url=base_url)
    page = context.new_page()
    page.goto("/load")
    expect(page.locator("h2").first).to_contain_text("Demo company", timeout=FIRST_RUN)
    page.locator("input[type=file]").set_input_files([next_month, settings])
    expect(page.locator("h2").first).to_contain_text("odd-next-month: 1 file read", timeout=60_000)
    settle(page)
    assert defects_of(page) == corrected
    context.close()


def test_a_long_reading_is_followed_and_stopped(browser, base_url, settle, tmp_path):
    file = tmp_path / "long.csv"
    rows = "".join(f"A{n},Proposal,open,5,2024-01-05\n" for n in range(3_000_000))
    file.write_text(f"opportunity_id,stage,status,amount,created_at\n{rows}", "utf-8")
    context = browser.new_context(base_url=base_url)
    page = context.new_page()
    page.goto("/load?sales_cycle=150")
    heading = page.locator("h2").first
    expect(heading).to_contain_text("Demo company", timeout=FIRST_RUN)
    page.locator("input[type=file]").set_input_files(file)
    reading = page.locator(".st-key-reading_now")
    # it goes on by itself: the rows are told once the file is looked through, until whatever part it is at
    expect(reading).to_contain_text(re.compile(r"[\d,]+ of \d,\d{3},\d{3} rows"), timeout=60_000)
    expect(heading).to_contain_text("Demo company")
    page.locator(".st-key-stop_reading").get_by_role("button").click()
    expect(page.get_by_test_id("stToast")).to_contain_text("Reading was stopped", timeout=30_000)
    expect(reading).to_have_count(0)
    settle(page)
    expect(heading).to_contain_text("Demo company")
    assert "sales_cycle=150" in page.url
    context.close()
