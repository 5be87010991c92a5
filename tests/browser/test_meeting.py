"""The meeting in a browser: entered by one click, walked through by keyboard, left by Escape; and nobody is named."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import FIRST_RUN, addresses, drawn
from tests.browser.traffic import Traffic

RUN = 60_000
FORMS = (".html", ".pdf", ".json", ".xlsx", ".pptx", ".ipynb")
"""Forms of the pack in which a text can be searched: the first two as they are, the others once they are unzipped."""


def parameters(page):
    return {key: values[0] for key, values in parse_qs(urlsplit(page.url).query).items()}


def at(page, settle, path):
    """Wait until the page of this address is drawn."""
    page.wait_for_url(lambda url: urlsplit(url).path == path, timeout=RUN)
    settle(page)
    expect(page.locator(".st-key-agenda")).to_be_visible()


# The walk


@pytest.fixture
def in_meeting(page, settle):
    """The first page, turned into a meeting by one click, with a lever moved before."""
    page.goto("/?sales_cycle=150")
    expect(page.locator("h2").first).to_be_visible(timeout=FIRST_RUN)
    settle(page)
    sentence = page.locator("h2").first.inner_text()
    page.get_by_text("Meeting mode").click()
    at(page, settle, "/")
    expect(page.locator("h1").first).to_have_text(sentence)
    return page


def test_the_meeting_by_keyboard(in_meeting, settle):
    page = in_meeting
    assert parameters(page) == {"sales_cycle": "150", "meeting": "true"}
    expect(page.get_by_test_id("stSidebar")).to_have_attribute("data-collapsed", "true")
    expect(page.locator(".st-key-since_last")).to_contain_text("The pipeline of 2026Q3")
    agenda = page.locator(".st-key-agenda")
    expect(agenda).to_contain_text("1 of ")
    for path, number in (("/deals", 2), ("/coverage", 3)):
        page.keyboard.press("Alt+n")
        at(page, settle, path)
        expect(agenda).to_contain_text(f"{number} of ")
        expect(page.get_by_test_id("stSidebar")).to_have_attribute("data-collapsed", "true")
    page.keyboard.press("Alt+p")
    at(page, settle, "/deals")
    # The keys also work where the focus is in a table or in the text of a decision.
    page.locator(".st-key-assists_card [data-testid=stDataFrame]").click(position={"x": 40, "y": 52})
    page.keyboard.press("Alt+n")
    at(page, settle, "/coverage")
    page.get_by_label("Decision or note").focus()
    page.keyboard.press("Alt+p")
    at(page, settle, "/deals")
    assert parameters(page) == {"sales_cycle": "150", "meeting": "true"}
    page.keyboard.press("Escape")
    expect(agenda).to_have_count(0, timeout=RUN)
    settle(page)
    expect(page.get_by_test_id("stSidebar")).to_have_attribute("data-collapsed", "false")
    expect(page.locator(".st-key-sales_cycle").get_by_role("slider")).to_have_value("150")
    assert parameters(page) == {"sales_cycle": "150"}


def test_decisions_are_taken_beside_a_page_and_away_as_a_file(in_meeting, settle):
    page, panel = in_meeting, in_meeting.locator(".st-key-decisions_card")
    panel.get_by_label("Decision or note").fill("Call the three largest deals")
    panel.get_by_label("Who", exact=True).fill("Nora")
    panel.get_by_role("button", name="Add").click()
    expect(page.locator(".st-key-decision_0")).to_contain_text("Nora, Pipeline health", timeout=RUN)
    page.locator(".st-key-agenda").get_by_role("link", name="Take away").click()
    at(page, settle, "/report")
    with page.expect_download() as download:
        page.locator(".st-key-minutes_csv").get_by_role("button").click()
    taken = pd.read_csv(download.value.path(), dtype=str, keep_default_na=False)
    assert taken.to_dict("records") == [
        {"decision": "Call the three largest deals", "owner": "Nora", "due": "", "page": "Pipeline health"}
    ]
    with page.expect_download() as download:
        page.locator(".st-key-minutes_md").get_by_role("button").click()
    text = Path(download.value.path()).read_text("utf-8")
    assert "| Call the three largest deals | Nora |  | Pipeline health |" in text
    assert "Since the last meeting: The pipeline of 2026Q3" in text


# Masking


@pytest.fixture(scope="module")
def real_names(sample_data):
    """Names of people, accounts and deals of the demo company, as its files have them."""
    deals, accounts = (pd.read_csv(sample_data / f"{name}.csv", dtype=str) for name in ("opportunities", "accounts"))
    found = {name for column in (deals["name"], deals["owner"], accounts["name"]) for name in column.dropna()}
    assert len(found) > 3_000
    return sorted(found)


def walk(page, path, query=""):
    page.goto(f"{path}{query}")
    drawn(page)


def test_a_masked_name_is_nowhere_in_the_traffic(page, real_names):
    traffic = Traffic(page)
    for path in addresses():
        walk(page, path, "?mask=true")
        for button in page.locator("[class*='_csv'] button").filter(visible=True).all():
            traffic.download(button)
    walk(page, "/report", "?mask=true")
    for form in FORMS:
        traffic.download(page.locator(f".st-key-take_{form[1:]}").get_by_role("button"))
    assert len(traffic.received) > 100
    assert traffic.names(["Deal 1", "Owner 1", "Account 1"]) == ["Deal 1", "Owner 1", "Account 1"]
    assert traffic.names(real_names) == []


def test_the_search_finds_names_that_are_not_masked(page, real_names):
    traffic = Traffic(page)
    walk(page, "/")
    traffic.download(page.locator(".st-key-deals_csv").get_by_role("button", name="CSV"))
    assert len(traffic.names(real_names)) > 300  # the open deals, their accounts and owners


def test_a_click_masks_what_is_shown(page, settle):
    walk(page, "/deals")
    sentence = page.locator("h2").first.inner_text()
    page.get_by_text("Mask names").click()
    page.wait_for_url("**/deals?mask=true", timeout=RUN)
    expect(page.get_by_text("Masking names")).to_have_count(0, timeout=FIRST_RUN)
    settle(page)
    expect(page.locator("h2").first).to_have_text(sentence, timeout=FIRST_RUN)
