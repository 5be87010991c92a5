"""Scenarios in a browser: from a link to a name, to a comparison with its bridge, to a file that reproduces it."""

from __future__ import annotations

import json
import subprocess
import sys
from math import fsum
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import expect

from kpis.answers.words import money
from tests.browser.conftest import FIRST_RUN

LINK = "sales_cycle=120&new_opportunities=100&slippage=70"


@pytest.fixture
def open_link(browser, base_url, settle):
    """``open_link()`` opens the link in a browser of its own, as a colleague does."""

    def go():
        page = browser.new_context(base_url=base_url).new_page()
        page.goto(f"/what_if?{LINK}")
        expect(page.locator("h2").first).to_be_visible(timeout=FIRST_RUN)
        settle(page)
        return page

    return go


def save(page, settle, name):
    page.get_by_label("Save the levers as").fill(name)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".st-key-scenario_0")).to_contain_text(name)
    settle(page)


def choose(page, settle, *names):
    """Compare these scenarios and no other."""
    pills = page.locator(".st-key-compared").get_by_role("button")
    for pill in pills.all():
        wanted, chosen = pill.inner_text() in names, pill.get_attribute("aria-pressed") == "true"
        if wanted != chosen:
            pill.click()
            settle(page)


def downloaded(page, button):
    with page.expect_download() as download:
        button.click()
    return Path(download.value.path())


def command(root, sample_data, *scenarios):
    """What ``python -m kpis compare`` says of the demo company under these scenario files."""
    words = [sys.executable, "-m", "kpis", "compare", *map(str, sorted(sample_data.glob("*.csv"))), "--json"]
    for file in scenarios:
        words += ["--scenario", str(file)]
    return json.loads(subprocess.run(words, cwd=root, capture_output=True, check=True, text=True).stdout)


def test_a_scenario_from_link_to_name_to_bridge_to_file(open_link, settle, root, sample_data, tmp_path):
    page = open_link()
    save(page, settle, "Slow year")
    choose(page, settle, "As estimated", "Slow year")

    # The bridge: its shares add up to the difference of the two landings, to the cent, and are the command's.
    steps = pd.read_csv(downloaded(page, page.locator(".st-key-bridge_1_csv").get_by_role("button")))
    file = tmp_path / "slow.json"
    file.write_bytes(downloaded(page, page.locator(".st-key-scenario_get_0").get_by_role("button")).read_bytes())
    plain = tmp_path / "plain.json"
    plain.write_text(json.dumps({"name": "As estimated"}), encoding="utf-8")
    told = command(root, sample_data, plain, file)
    assert set(steps["assumption"]) == {"Sales cycle length", "New opportunities", "Slippage"}
    first, second = (fsum(period["expected"] for period in found["periods"]) for found in told["scenarios"])
    assert fsum(steps["share"]) == pytest.approx(second - first, abs=0.005)
    assert told["bridge"]["difference"] == pytest.approx(second - first, abs=0.005)
    shares = {share["assumption"]: share["share"] for share in told["bridge"]["shares"]}
    assert dict(zip(steps["assumption"], steps["share"], strict=True)) == pytest.approx(shares, abs=0.005)

    # What is drawn is what was computed.
    assert {money(first, "USD"), money(second, "USD")} <= set(page.get_by_test_id("stMetricValue").all_inner_texts())
    drawn = page.locator(".st-key-bridge_1_card svg.marks text").all_text_contents()
    assert {"As estimated", "Slow year"} <= set(drawn)
    said = page.locator("h2").first.inner_text()

    # The file says the same in a colleague's browser, whose sliders stand elsewhere.
    colleague = open_link()
    colleague.locator(".st-key-reset").get_by_role("button").click()
    settle(colleague)
    colleague.locator(".st-key-scenario_file input[type=file]").set_input_files(file)
    expect(colleague.locator(".st-key-scenario_0")).to_contain_text("Slow year")
    settle(colleague)
    choose(colleague, settle, "As estimated", "Slow year")
    expect(colleague.locator("h2").first).to_have_text(said)
    page.context.close()
    colleague.context.close()


def test_a_saved_scenario_goes_back_onto_the_sliders(open_link, settle):
    page = open_link()
    said = page.locator("h2").first.inner_text()
    save(page, settle, "Slow year")
    page.locator(".st-key-reset").get_by_role("button").click()
    expect(page.locator("h2").first).not_to_have_text(said)
    settle(page)
    page.locator(".st-key-scenario_show_0").get_by_role("button").click()
    expect(page.locator("h2").first).to_have_text(said)
    assert page.locator(".st-key-sales_cycle").get_by_role("slider").get_attribute("value") == "120"
    page.context.close()
