"""The look back in a browser: from page to page, another interval by a click, the address, the chart, the download."""

from __future__ import annotations

from datetime import date, timedelta
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
from playwright.sync_api import expect

from kpis.answers.changes import what_changed
from kpis.answers.words import money
from kpis.intake import read
from kpis.periods import Calendar

FIRST_RUN = 120_000
"""Milliseconds: a fresh server reads the demo company and learns from it."""


@pytest.fixture(scope="module")
def look_back(sample_data):
    """``look_back(first)``: what the page must say of the current quarter since the end of that day."""
    data = read(sorted(sample_data.glob("*.csv"))).dataset
    calendar = Calendar("quarter")

    def answer(first: date | None = None):
        return what_changed(
            data, calendar, calendar.at(data.newest), first or data.newest - timedelta(days=30), data.newest
        )

    return answer


def test_a_walk_through_what_changed(page, settle, look_back, tmp_path):
    def says(answer):
        expect(page.locator("h2").first).to_have_text(answer.sentence, timeout=FIRST_RUN)
        settle(page)

    page.goto("/creation")
    page.get_by_role("link", name="Next: what changed?").click(timeout=FIRST_RUN)
    month, week = look_back(), look_back(date(2026, 8, 7))
    says(month)
    for answer in (month, week):
        drawn = page.locator(".st-key-waterfall_card svg.marks text").all_text_contents()
        steps = answer.tables["steps"]
        assert {f"{x.step} ({x.deals:,})" for x in steps.itertuples()} <= set(drawn)
        assert money(answer.document["end"], "USD") in drawn
        assert not any("undefined" in text or "NaN" in text for text in drawn)
        if answer is month:
            page.get_by_role("button", name="Last week").click()
            says(week)
    address = {key: values[0] for key, values in parse_qs(urlsplit(page.url).query).items()}
    assert address == {"since": "2026-08-07"}

    with page.expect_download() as download:
        page.locator(".st-key-changes_csv").get_by_role("button", name="CSV").click()
    download.value.save_as(tmp_path / "changes.csv")
    rows = pd.read_csv(tmp_path / "changes.csv")
    assert list(rows["amount"]) == list(week.tables["changes"]["amount"])

    page.goto(f"{page.url}&until=2026-08-10")
    expect(page.locator(".st-key-until input, .st-key-until [role=spinbutton]").first).to_be_visible(timeout=FIRST_RUN)
    settle(page)
    expect(page.get_by_text("to the end of 10 Aug 2026")).to_be_visible()
    page.get_by_role("link", name="Next: what if?").click()
    expect(page.locator("h1").first).to_have_text("What if?", timeout=FIRST_RUN)
