"""What only a browser sees: links on a fresh server, sliders by keyboard, charts, dark mode, downloads, uploads."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
from playwright.sync_api import expect

from kpis.answers.board import lever_board, to_assumptions
from kpis.answers.coverage import next_periods
from kpis.answers.creation import new_opportunities
from kpis.answers.outlook import outlook
from kpis.answers.pipeline import pipeline_health
from kpis.answers.words import money, percent
from kpis.forecast.backtest import record
from kpis.forecast.model import fit
from kpis.intake import read

QUESTIONS = {"/": pipeline_health, "/coverage": next_periods, "/creation": new_opportunities}
NAVIGATION = ("Pipeline health", "Next two periods", "New opportunities", "Load data")
FIRST_RUN = 120_000
"""Milliseconds: a fresh server reads the demo company and learns from it."""


@pytest.fixture(scope="module")
def demo(sample_data):
    """The demo company without a page: what the pages must say."""
    dataset = read(sorted(sample_data.glob("*.csv"))).dataset
    model = fit(dataset)
    learned = record(dataset, model)
    board = lever_board(model)

    def under(levers=None, **others):
        return outlook(dataset, model, to_assumptions(board, levers or {}, **others), learned)

    return SimpleNamespace(board={lever.key: lever for lever in board}, under=under)


@pytest.fixture
def open_page(page, settle):
    """``open_page(address)`` opens it and waits for its sentence."""

    def go(address):
        page.goto(address)
        expect(page.locator("h2").first).to_be_visible(timeout=FIRST_RUN)
        settle(page)
        return page

    return go


def slider(page, key):
    return page.locator(f".st-key-{key}").get_by_role("slider")


def says(page, sentence):
    expect(page.locator("h2").first).to_have_text(sentence, timeout=30_000)


def parameters(page):
    return {key: values[0] for key, values in parse_qs(urlsplit(page.url).query).items()}


def texts(page, key):
    """Every text that a chart shows."""
    return page.locator(f".st-key-{key}_card svg.marks text").all_text_contents()


# Links


LINK = "sales_cycle=120&slippage=70&target_2026Q3=2000000"


@pytest.fixture
def linked(demo):
    """What a page says under ``LINK``."""
    base = [landing.target for landing in demo.under().landings]
    return demo.under({"sales_cycle": 120, "slippage": 70}, targets=(2_000_000.0, *base[1:]))


def test_a_link_on_a_fresh_server_opens_the_frame_and_the_same_view(fresh_server, open_page, linked):
    page = open_page(f"{fresh_server}/coverage?{LINK}")
    for name in NAVIGATION:
        expect(page.locator(".st-key-navigation").get_by_role("link", name=name)).to_be_visible()
    expect(slider(page, "sales_cycle")).to_have_value("120")
    expect(slider(page, "slippage")).to_have_value("70")
    says(page, next_periods(linked).sentence)


def test_a_link_on_a_fresh_server_raises_no_alarm(fresh_server, open_page):
    page = open_page(f"{fresh_server}/coverage")
    expect(page.get_by_role("dialog")).to_have_count(0, timeout=5_000)


@pytest.mark.parametrize("path", QUESTIONS)
def test_a_link_opens_the_same_view_on_every_page(open_page, linked, path):
    page = open_page(f"{path}?{LINK}")
    says(page, QUESTIONS[path](linked).sentence)
    assert parameters(page) == {"sales_cycle": "120", "slippage": "70", "target_2026Q3": "2000000"}


def test_levers_go_along_from_page_to_page(open_page, settle, demo):
    page = open_page("/?new_opportunities=90")
    page.locator(".st-key-navigation").get_by_role("link", name="New opportunities").click()
    says(page, new_opportunities(demo.under({"new_opportunities": 90})).sentence)
    assert parameters(page) == {"new_opportunities": "90"}


# Levers


def test_a_key_on_a_slider_moves_sentence_number_chart_and_address(open_page, settle, demo):
    page = open_page("/")
    estimate = int(demo.board["sales_cycle"].estimate)
    says(page, pipeline_health(demo.under()).sentence)
    assert parameters(page) == {}
    top = page.locator(".st-key-landing_card").bounding_box()["y"]
    before = texts(page, "landing")
    handle = slider(page, "sales_cycle")
    handle.focus()
    for _ in range(5):
        handle.press("ArrowRight")
    moved = pipeline_health(demo.under({"sales_cycle": estimate + 5}))
    says(page, moved.sentence)
    settle(page)
    assert parameters(page) == {"sales_cycle": str(estimate + 5)}
    numbers = page.get_by_test_id("stMetricValue").all_inner_texts()
    assert money(moved.numbers["expected"].value, "USD") in numbers
    assert texts(page, "landing") != before
    assert money(moved.numbers["expected"].value, "USD") in texts(page, "landing")
    assert page.locator(".st-key-landing_card").bounding_box()["y"] == top  # nothing jumps
    page.get_by_role("button", name="Back to the estimates").click()
    says(page, pipeline_health(demo.under()).sentence)
    expect(handle).to_have_value(str(estimate))
    settle(page)
    assert parameters(page) == {}


def test_a_typed_target_and_the_way_back_in_the_browser(open_page, settle, demo):
    page = open_page("/")
    box = page.get_by_label("Target 2026Q3")
    box.fill("1500000")
    box.press("Enter")
    base = [landing.target for landing in demo.under().landings]
    says(page, pipeline_health(demo.under(targets=(1_500_000.0, *base[1:]))).sentence)
    assert parameters(page) == {"target_2026Q3": "1500000"}


# Charts, colours, downloads


def test_charts_name_what_they_show(open_page, demo):
    page = open_page("/")
    landing = demo.under().landings[0]
    goal = f"target {money(landing.target, 'USD')}"
    expect(page.locator(".st-key-landing_card svg.marks").get_by_text(goal)).to_be_visible()
    chance = page.locator(".st-key-chance_card svg.marks")
    expect(chance.get_by_text(f"target: {percent(landing.p_hit)}")).to_be_visible()
    for key in ("landing", "chance", "composition"):
        assert not any("undefined" in text or "NaN" in text for text in texts(page, key))


@pytest.mark.parametrize(("scheme", "background"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(17, 23, 29)")])
def test_light_and_dark(browser, base_url, settle, scheme, background):
    context = browser.new_context(color_scheme=scheme, base_url=base_url)
    page = context.new_page()
    page.goto("/")
    expect(page.locator("h2").first).to_be_visible(timeout=FIRST_RUN)
    settle(page)
    assert page.get_by_test_id("stApp").evaluate("e => getComputedStyle(e).backgroundColor") == background
    said = page.locator(".st-key-landing_card svg.marks text").filter(has_text="target").first
    colour = [int(part) for part in re.findall(r"\d+", said.evaluate("e => getComputedStyle(e).fill"))[:3]]
    assert (max(colour) < 60) if scheme == "light" else (min(colour) > 200)
    context.close()


def test_a_download_holds_unrounded_values(open_page, demo, tmp_path):
    page = open_page("/")
    with page.expect_download() as download:
        page.locator(".st-key-deals_csv").get_by_role("button", name="CSV").click()
    file = tmp_path / "deals.csv"
    download.value.save_as(file)
    deals = pipeline_health(demo.under()).tables["deals"]
    rows = pd.read_csv(file)
    assert list(rows["opportunity_id"]) == list(deals["opportunity_id"])
    assert list(rows["expected"]) == list(deals["expected"])


def test_nothing_is_asked_of_another_host(page, base_url, settle):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for path in (*QUESTIONS, "/load"):
        page.goto(path)
        expect(page.locator("h2").first).to_be_visible(timeout=FIRST_RUN)
        settle(page)
    host = urlsplit(base_url).netloc
    assert {urlsplit(url).netloc for url in asked if not url.startswith(("data:", "blob:"))} == {host}


# Files


def test_an_upload_is_seen_by_its_session_only(browser, base_url, settle, sample_data, tmp_path):
    rows = pd.read_csv(sample_data / "opportunities.csv").dropna(subset="opportunity_id")
    file = tmp_path / "mine.csv"
    rows.drop_duplicates("opportunity_id").head(700).to_csv(file, index=False)
    mine, other = (browser.new_context(base_url=base_url).new_page() for _ in range(2))
    mine.goto("/load?sales_cycle=150")
    expect(mine.locator("h2").first).to_contain_text("Demo company", timeout=FIRST_RUN)
    mine.locator("input[type=file]").set_input_files(file)
    expect(mine.locator("h2").first).to_contain_text("mine", timeout=60_000)
    settle(mine)
    assert parameters(mine) == {}  # a lever set for other data means nothing here
    mine.locator(".st-key-navigation").get_by_role("link", name="Pipeline health").click()
    expect(mine.locator("h2").first).to_contain_text("set a target", timeout=60_000)
    other.goto("/load")
    expect(other.locator("h2").first).to_contain_text("Demo company", timeout=FIRST_RUN)
    for page in (mine, other):
        page.context.close()


def test_a_file_that_cannot_be_used_says_the_way_out(open_page, tmp_path):
    file = tmp_path / "notes.csv"
    file.write_text("just,some\nwords,here\n", "utf-8")
    page = open_page("/load")
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_test_id("stAlert")).to_contain_text("Export opportunities", timeout=30_000)
    expect(page.locator("h2").first).to_contain_text("Demo company")


def test_the_page_and_the_command_give_the_same_number(open_page, settle, root, shared_data):
    files = sorted((shared_data / "msft_regional_sales").glob("*.csv"))
    command = [sys.executable, "-m", "kpis", "forecast", *map(str, files)]
    command += ["--as-of", "2021-07-15", "--target", "8000000", "--json"]
    told = json.loads(subprocess.run(command, cwd=root, capture_output=True, check=True, text=True).stdout)["periods"][
        0
    ]
    open_page("/")
    page = open_page("/load")
    page.locator("input[type=file]").set_input_files(files)
    expect(page.locator("h2").first).to_contain_text("opportunities and 7 more", timeout=120_000)
    page.locator(".st-key-navigation").get_by_role("link", name="Pipeline health").click()
    expect(page.locator("h2").first).to_contain_text("set a target", timeout=120_000)
    settle(page)
    segments = page.locator(".st-key-as_of [role=spinbutton]")
    for segment, typed in zip(segments.all(), ("2021", "07", "15"), strict=True):
        segment.click()
        segment.press_sequentially(typed)
    page.get_by_role("button", name="Thursday, July 15, 2021").click()
    page.keyboard.press("Escape")
    box = page.get_by_label("Target 2021Q3")
    expect(box).to_be_visible(timeout=120_000)
    settle(page)
    box.fill("8000000")
    box.press("Enter")
    span = f"most likely between {money(told['p10'])} and {money(told['p90'])}."
    says(page, f"{percent(told['p_hit'])} likely to reach 8.00 M in 2021Q3; {span}")
    assert money(told["expected"]) in page.get_by_test_id("stMetricValue").all_inner_texts()
    assert parameters(page) == {"as_of": "2021-07-15", "target_2021Q3": "8000000"}
