"""The pages of measures by AppTest: their values are those of `measure`, and what is opened is what was asked for."""

from __future__ import annotations

import re
from datetime import date
from types import SimpleNamespace

import pandas as pd
import pytest

from kpis.answers import measures
from kpis.answers.attribution import attribution, spend_response
from kpis.answers.catalogue import catalogue_answer, matching
from kpis.answers.content_audit import content_audit
from kpis.answers.customers import concentration, lifetime_value
from kpis.answers.experiments import analyse, experiments, landed_on, landing_pages, plan
from kpis.answers.family import family, ids_of
from kpis.answers.leads import lead_quality, leak_drivers
from kpis.answers.one_measure import by_group, rows_of
from kpis.answers.scorecard import scorecard
from kpis.answers.why import why
from kpis.intake import read
from tests.test_pages import start, texts
from ui import cards, state
from ui.catalogue import PAGES, page_of

FAMILIES = {begins: path for begins, path in PAGES.items() if "measures" in path}


@pytest.fixture(scope="module")
def demo(sample_data):
    """The demo company without a page, and every measure of it."""
    data = read(sorted(sample_data.glob("*.csv"))).dataset
    document = measures.measure(data).document
    return SimpleNamespace(data=data, document={entry["measure"]: entry for entry in document["measures"]})


def opened(root, path, name):
    """A page with one measure open."""
    app = start(root, path)
    app.button(key=f"open_{name}").click().run()
    assert not app.exception
    return app


def heading(app):
    return [header.value for header in app.header]


@pytest.mark.parametrize("begins", FAMILIES)
def test_every_card_says_what_the_command_says(root, demo, begins):
    app = start(root, FAMILIES[begins])
    shown = {metric.label: metric for metric in app.metric}
    assert len(shown) == len(ids_of(begins))
    periods = [value["period"] for value in demo.document["win_rate"]["values"]]
    for identifier in ids_of(begins):
        one = measures.find(identifier)
        entry, metric = demo.document[one.name], shown[cards.plain(one.ids[identifier])]
        values = pd.DataFrame(entry["values"]).dropna(subset="value")
        # The latest whole period; the value of today where only today has one.
        told = values[values["whole"]] if values["whole"].any() else values
        last = told[told["period"] == max(told["period"], key=periods.index)]
        highest = last.loc[last["value"].idxmax()]
        assert metric.value == cards.plain(measures.spoken(highest["value"], entry["unit"], "USD"))
        if not highest["by"] and pd.notna(highest["change"]) and highest["change"]:
            assert metric.delta == cards.plain(measures.signed(highest["change"], entry["unit"], "USD"))


def test_the_page_says_its_answer_which_no_lever_touches(root, demo):
    app = start(root, FAMILIES["FUNNEL-2."])
    answer = family(demo.data, "?", ids_of("FUNNEL-2."))
    assert heading(app)[0] == cards.plain(answer.sentence)
    app.slider(key="sales_cycle").set_value(140).run()
    assert heading(app)[0] == cards.plain(answer.sentence)


def test_the_day_of_the_sidebar_applies(root, demo):
    day = date(2026, 2, 10)
    app = start(root, FAMILIES["SIX-"], as_of=day)
    assert heading(app)[0] == cards.plain(family(demo.data.known_at(day), "?", ids_of("SIX-")).sentence)
    assert any(text.startswith(":small[:gray[As known at the end of 10 Feb 2026") for text in texts(app))


def test_one_measure_opens_to_its_groups_reason_numbers_rows_and_query(root, demo):
    app = opened(root, FAMILIES["SALES-"], "win_rate")
    said = "\n".join(texts(app))
    one = measures.find("win_rate")
    assert cards.plain(one.definition) in said
    assert cards.plain(one.formula) in said
    assert cards.plain(by_group(demo.data, "win_rate", "segment").sentence) in said
    assert cards.plain(why(demo.data, "win_rate", by="segment").sentence) in said
    app.segmented_control(key="by_win_rate").set_value("region").run()
    assert cards.plain(by_group(demo.data, "win_rate", "region").sentence) in "\n".join(texts(app))

    app.segmented_control(key="closer").set_value("All numbers").run()
    numbers = app.dataframe[-1].value
    entry = demo.document["win_rate"]
    assert list(numbers["part"]) == [part["part"].replace("_", " ") for part in entry["parts"]]
    assert numbers["2026Q2"].iloc[0] == measures.spoken(entry["values"][-2]["value"], "share", "USD")

    app.segmented_control(key="closer").set_value("Rows").run()
    rows = rows_of(demo.data, "win_rate", "2026Q2", by="region")
    assert list(app.dataframe[-1].value["opportunity_id"]) == list(rows["opportunity_id"])
    app.selectbox(key="group_win_rate_region").set_value("EMEA").run()
    assert set(app.dataframe[-1].value["region"]) == {"EMEA"}
    assert app.dataframe[-1].value["decided"].sum() == _n(demo.data, "win_rate", "region", "EMEA")

    app.segmented_control(key="closer").set_value("Query").run()
    # The engine names a column of its own anew for every query.
    shown, printed = (
        re.sub(r"row_index_\w+", "", text)
        for text in (app.code[0].value, measures.sql(demo.data, "win_rate", by="region"))
    )
    assert shown == printed
    app.button(key="close").click().run()
    assert not app.code


def _n(data, name, by, group):
    table = by_group(data, name, by).tables["groups"]
    return table.loc[table["group"] == group, "n"].iloc[0]


def test_a_measure_shown_by_groups_of_its_own_opens_too(root, demo):
    app = opened(root, FAMILIES["FUNNEL-3."], "close_ratio_by_stage")
    assert cards.plain(by_group(demo.data, "close_ratio_by_stage").sentence) in "\n".join(texts(app))
    assert any("there is no one number that changed" in text for text in texts(app))


SPECIAL = {
    "Attribution": ("MKTG-", attribution),
    "Spend": ("MKTG-", spend_response),
    "A/B tests": ("MKTG-", lambda _: plan(0.1, 0.2, 500.0)),
    "Content": ("MKTG-", content_audit),
    "Leaks": ("FUNNEL-2.", leak_drivers),
    "Lead score": ("FUNNEL-2.", lead_quality),
    "Lose the top account": ("FUNNEL-4.", concentration),
    "Customer value": ("FUNNEL-4.", lifetime_value),
    "Benchmarks": ("IDC-", scorecard),
}


@pytest.mark.parametrize("asked", SPECIAL)
def test_what_is_asked_beside_the_measures(root, demo, asked):
    begins, answer = SPECIAL[asked]
    app = start(root, FAMILIES[begins])
    app.segmented_control(key="ask").set_value(asked).run(timeout=60)
    assert not app.exception
    assert heading(app) == [cards.plain(answer(demo.data).sentence)]


def test_the_tests_page_analyses_what_is_typed_and_what_the_data_hold(root, demo):
    app = start(root, FAMILIES["MKTG-"])
    app.segmented_control(key="ask").set_value("A/B tests").run()
    app.segmented_control(key="tests").set_value("Analyse a test").run()
    app.number_input(key="ab_yes_B").set_value(150).run()
    assert heading(app) == [cards.plain(analyse(100, 1000, 150, 1000).sentence)]
    app.segmented_control(key="tests").set_value("Mailings").run()
    assert heading(app) == [cards.plain(experiments(demo.data).sentence)]
    app.segmented_control(key="tests").set_value("Landing pages").run()
    a, b, *_ = landed_on(demo.data)
    assert heading(app) == [cards.plain(landing_pages(demo.data, a, b).sentence)]
    app.selectbox(key="page_b").set_value(a).run()
    assert any("both pages are the same" in text for text in texts(app))


def test_the_top_accounts_are_lost_one_by_one(root, demo):
    app = start(root, FAMILIES["FUNNEL-4."])
    app.segmented_control(key="ask").set_value("Lose the top account").run()
    app.slider(key="lost").set_value(3).run()
    assert heading(app) == [cards.plain(concentration(demo.data, lost=3).sentence)]


def test_the_questionnaire_gives_its_own_score(root, demo):
    app = start(root, FAMILIES["IDC-"])
    app.segmented_control(key="ask").set_value("Questionnaires").run()
    parts = {part["part"]: part["values"] for part in demo.document["sales_enablement_score"]["parts"]}
    score = 100 * parts["questionnaire"][-1]["value"]
    assert f"questionnaire\\: {score:.1f} of 100" in heading(app)[0]


# The catalogue


def test_every_id_has_a_page_that_shows_it():
    assert len(measures.catalogue()) == 72
    for entry in measures.catalogue():
        begins = next(begins for begins in PAGES if entry["id"].startswith(begins))
        assert entry["id"] in ids_of(begins)
        assert page_of(entry["id"]) == PAGES[begins]


def test_the_catalogue_lists_and_finds(root, demo):
    app = start(root, "pages/measures/catalogue.py")
    table = catalogue_answer(demo.data).tables["catalogue"]
    assert sum(len(frame.value) for frame in app.dataframe) == 72
    assert heading(app)[0] == cards.plain(catalogue_answer(demo.data).sentence)
    app.text_input(key="search").set_value("win rate").run()
    found = [identifier for frame in app.dataframe for identifier in frame.value["id"]]
    assert found == list(matching(table, "win rate")["id"])
    assert "SALES-7" in found
    app.text_input(key="search").set_value("no such measure").run()
    assert not app.dataframe
    assert any("no KPI holds all of these words" in text for text in texts(app))


def test_search_takes_every_word_and_no_pattern():
    table = pd.DataFrame(
        [
            {"id": "A-1", "measure": "win_rate", "name": "Win rate", "title": "Won share", "definition": "x", "formula": "W ÷ (W + L)"},
            {"id": "A-2", "measure": "cost", "name": "Cost", "title": "Cost", "definition": "of a win", "formula": "Σ"},
        ]
    )  # fmt: skip
    assert list(matching(table, "WIN")["id"]) == ["A-1", "A-2"]
    assert list(matching(table, "share win")["id"]) == ["A-1"]
    assert list(matching(table, "(w +")["id"]) == ["A-1"]
    assert list(matching(table, "")["id"]) == ["A-1", "A-2"]


# Data that supports little


def test_opportunities_alone_say_what_else_is_needed(root, sample_data, tmp_path, monkeypatch):
    columns = ["opportunity_id", "owner", "stage", "status", "amount", "created_at", "expected_close", "closed_at"]
    rows = pd.read_csv(sample_data / "opportunities.csv").dropna(subset="opportunity_id")
    rows.drop_duplicates("opportunity_id")[columns].head(700).to_csv(tmp_path / "mine.csv", index=False)
    monkeypatch.setattr(state, "SAMPLE", tmp_path)
    data = read([tmp_path / "mine.csv"]).dataset
    app = start(root)
    for begins, path in FAMILIES.items():
        app.switch_page(path).run()
        answer = family(data, "?", ids_of(begins))
        lacking = {card["measure"]: card["needs"] for card in answer.document["measures"] if card["needs"]}
        assert lacking
        assert heading(app)[0].endswith("need data that is not there.")
        assert {cards.small(cards.plain(text)) for text in lacking.values()} <= set(texts(app))
        app.button(key=f"open_{next(iter(lacking))}").click().run()
        assert not app.exception
        assert cards.plain(measures.find(next(iter(lacking))).definition) in texts(app)
