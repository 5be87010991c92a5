"""The thirteen questions of the meeting on the demo company: what the page answers is what the headless command says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from types import SimpleNamespace

import pandas as pd
import pytest
from playwright.sync_api import expect

from kpis.answers.coverage import next_periods
from kpis.answers.creation import new_opportunities
from kpis.answers.outlook import outlook
from kpis.answers.pipeline import pipeline_health
from kpis.answers.reconcile import shared_definition
from kpis.answers.render import say
from kpis.answers.words import money, percent
from kpis.forecast.backtest import record
from kpis.forecast.model import fit
from kpis.intake import read
from tests.browser.conftest import FIRST_RUN, settled


@pytest.fixture(scope="module")
def told(root, sample_data, tmp_path_factory):
    """What ``forecast``, ``health`` and ``report`` say of the demo company."""
    files = [str(file) for file in sorted(sample_data.glob("*.csv"))]
    pack = tmp_path_factory.mktemp("pack") / "pack.json"

    def run(*words):
        command = [sys.executable, "-m", "kpis", *words]
        return subprocess.run(command, cwd=root, capture_output=True, check=True, text=True).stdout

    forecast, health = (json.loads(run(name, *files, "--json")) for name in ("forecast", "health"))
    run("report", *files, "--to", str(pack))
    answers = json.loads(pack.read_text("utf-8"))["answers"]
    dataset = read(files).dataset
    model = fit(dataset)
    found = outlook(dataset, model, None, record(dataset, model))
    return SimpleNamespace(
        forecast=forecast, health=health, answers=answers, periods=forecast["periods"], found=found,
        tables={**next_periods(found).tables, **new_opportunities(found).tables},
    )  # fmt: skip


@pytest.fixture(scope="module")
def opened(browser, base_url):
    """``opened(path)``: the page, opened once for all questions of it."""
    pages = {}

    def go(path):
        if path not in pages:
            page = browser.new_context(base_url=base_url).new_page()
            page.goto(path)
            expect(page.locator("h2").first).to_be_visible(timeout=FIRST_RUN)
            settled(page)
            pages[path] = page
        return pages[path]

    yield go
    for page in pages.values():
        page.context.close()


def metrics(page):
    return page.get_by_test_id("stMetricValue").all_inner_texts()


def rows(page, key):
    """The table that the card's CSV holds, unrounded."""
    with page.expect_download() as download:
        page.locator(f".st-key-{key}_csv").get_by_role("button").click()
    return pd.read_csv(download.value.path())


def drawn(page, key):
    return page.locator(f".st-key-{key}_card svg.marks text").all_text_contents()


# The current period


def test_1_how_healthy_is_the_pipeline(opened, told):
    page, current = opened("/"), told.periods[0]
    numbers = pipeline_health(told.found).numbers
    assert numbers["coverage"].value == current["coverage"]
    assert numbers["required_coverage"].value == current["required_coverage"]
    assert {say(numbers[key], "USD") for key in ("p_hit", "expected", "coverage", "gap")} <= set(metrics(page))
    page.get_by_role("button", name=numbers["coverage"].label).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"Unrounded: {current['coverage']!r}")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    for by in ("Stage", "Age", "Pushes", "Segment"):
        page.locator(".st-key-composition_by").get_by_text(by, exact=True).click()
        expect(page.locator(".st-key-composition_card h3")).to_contain_text("Open deals:")
        settled(page)
        table = rows(page, "composition")
        assert table["deals"].sum() == len(told.health["deals"])
        assert table["expected"].sum() == pytest.approx(current["from_open"], abs=0.005)


def test_2_how_confident_are_you(opened, told):
    page, current = opened("/"), told.periods[0]
    span = f"{percent(current['p_hit'])} likely to reach {money(current['target'], 'USD')} in {current['label']}; "
    span += f"most likely between {money(current['p10'], 'USD')} and {money(current['p90'], 'USD')}."
    expect(page.locator("h2").first).to_have_text(span)
    expect(page.locator(".st-key-depends_on_card")).to_contain_text(told.health["dependence"]["sentence"])
    record = opened("/track_record")
    expect(record.get_by_test_id("stProgress")).to_have_count(0, timeout=FIRST_RUN)
    expect(record.locator("h2").first).to_have_text(told.answers["track_record"]["sentence"], timeout=FIRST_RUN)


def test_3_what_could_keep_those_deals_from_coming_through(opened, told):
    table = rows(opened("/deals"), "risks")
    for column in ("flag", "deals", "at_risk"):
        assert list(table[column]) == pytest.approx([risk[column] for risk in told.health["risks"]])


def test_4_who_needs_information_assurance_context_or_urgency(opened, told):
    table = rows(opened("/deals"), "assists")
    assert set(table["blocker"]) <= {"information", "assurance", "context", "urgency"}
    assert list(table["blocker"]) == [deal["blocker"] for deal in told.health["assists"]]


def test_5_what_can_marketing_provide(opened, told):
    table = rows(opened("/deals"), "assists").fillna("")
    for column in ("opportunity_id", "asset", "owner", "due"):
        assert list(table[column]) == [deal[column] or "" for deal in told.health["assists"]]


# The next two periods


def test_6_how_big_should_the_pipeline_be_going_into_the_period(opened, told):
    page, numbers = opened("/coverage"), told.forecast["numbers"]["coverage"]
    table = rows(page, "rules").set_index(["period", "rule"])["asks_for"]
    for period in told.periods[1:]:
        own = numbers[f"day_one {period['label']}"]
        assert table[period["label"], "Own past"] == pytest.approx(own)
        assert table[period["label"], "3x rule"] == 3 * period["target"]
        assert money(own, "USD") in metrics(page)


def test_7_sixty_and_ninety_days_out(opened, told):
    page = opened("/coverage")
    strips, wanted = rows(page, "strips"), told.tables["strips"]
    assert list(strips["days"]) == [30, 60, 90]
    assert list(strips["amount"]) == list(wanted["amount"])
    assert len(rows(page, "build_up")) == len(told.tables["build_up"]) > 0
    assert {period["label"] for period in told.periods[1:2]} <= set(drawn(page, "build_up"))


def test_8_marketings_bogey(opened, told):
    page = opened("/coverage")
    needs, segments = rows(page, "needs").set_index("period"), rows(page, "segments")
    for period in told.periods[1:]:
        for column in ("opportunities", "sqls", "mqls", "spend"):
            value = period["needed"][column]
            shown = needs.loc[period["label"], column]
            assert (value is None and pd.isna(shown)) or shown == pytest.approx(value)
        last = period["needed"]["last_useful_creation_dates"]
        by = segments.set_index("segment")[period["label"]]
        assert {name: by[name] for name in last} == last


def test_9_next_steps_for_each_group(opened, told):
    page = opened("/coverage")
    for team in ("sales", "marketing"):
        card = page.locator(f".st-key-steps_{team}_card")
        for step in told.answers["next_steps"]["document"][team]:
            expect(card).to_contain_text(step["step"])
            if step["effect"] is not None:
                expect(card).to_contain_text(f"adds {money(step['effect'], 'USD')} in {step['period']}")


# New opportunities


def test_10_the_common_definition(opened, told):
    page, agreed = opened("/creation"), shared_definition(told.found)
    expect(page.locator(".st-key-counts_card")).to_contain_text(agreed.sentence)
    assert len(rows(page, "counts")) == len(agreed.tables["counts"]) > 0
    expect(page.get_by_role("link", name="Change these rules")).to_have_attribute("href", re.compile("definitions"))


def test_11_how_many_are_required_per_month(opened, told):
    page, numbers = opened("/creation"), told.forecast["numbers"]
    months = rows(page, "months")
    for period in told.periods[1:]:
        wanted = numbers["coverage"][f"a_month {period['label']}"]
        assert any(months.select_dtypes("number").eq(wanted).any())
    assert f"{numbers['creation']['required_created']:.0f}" in metrics(page)


def test_12_where_should_we_be_and_where_are_we(opened, told):
    page, numbers = opened("/creation"), told.forecast["numbers"]["creation"]
    assert {f"{numbers['created']:.0f}", percent(numbers["pace"])} <= set(metrics(page))
    assert any(f"{numbers['per_working_day']:.1f}" in text for text in metrics(page))


def test_13_how_do_they_spread_across_close_months(opened, told):
    page = opened("/creation")
    for key in ("spread_first", "spread"):
        shown, wanted = rows(page, key), told.tables[key]
        assert list(shown["opportunities"]) == list(wanted["opportunities"])
        assert list(shown["months_to_close"]) == list(wanted["months_to_close"])
        assert drawn(page, key)
