"""The next two periods and new opportunities, by AppTest: rules, steps, definition, maps, and how a number came about."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from kpis.answers.board import lever_board, to_assumptions
from kpis.answers.close_months import NO_HISTORY, close_months
from kpis.answers.coverage import next_periods
from kpis.answers.creation import new_opportunities
from kpis.answers.day_one import day_one, on_pace
from kpis.answers.next_steps import MARKETING, SALES, next_steps
from kpis.answers.outlook import outlook
from kpis.answers.reconcile import shared_definition
from kpis.forecast.backtest import record
from kpis.forecast.model import fit
from kpis.intake import read
from tests.test_pages import start, texts
from ui import cards, state
from ui import steps as steps_ui

COVERAGE, CREATION = "pages/meeting/coverage.py", "pages/meeting/creation.py"


@pytest.fixture(scope="module")
def demo(sample_data):
    """The demo company without a page: what the pages must say."""
    dataset = read(sorted(sample_data.glob("*.csv"))).dataset
    model = fit(dataset)
    learned, board = record(dataset, model), lever_board(model)

    def under(**levers):
        return outlook(dataset, model, to_assumptions(board, levers), learned)

    return SimpleNamespace(under=under, found=under())


def table(app, column):
    """The table that has this column."""
    return next(frame.value for frame in app.dataframe if column in frame.value)


def steps_of(app, team):
    """What stands in a team's column of steps."""
    return next(text for text in texts(app) if text.startswith("* ") and any(cards.plain(s) in text for s in team))


def test_the_pipeline_to_begin_with_stands_beside_the_rules_of_thumb(root, demo):
    app, answer = start(root, COVERAGE), day_one(demo.found)
    shown = table(app, "asks_for")
    assert list(shown["rule"]) == ["Own past", "3x rule", "Inverse win rate"] * 2
    assert list(shown["asks_for"]) == list(answer.tables["rules"]["asks_for"])
    assert cards.plain(answer.sentence) in texts(app)
    assert any(cards.plain(on_pace(demo.found).sentence) in text for text in texts(app))
    own = next_periods(demo.found).numbers["day_one 2026Q4"]
    assert own.value == shown["asks_for"].iloc[0]


@pytest.mark.parametrize("levers", [{}, {"sales_cycle": 140}])
def test_each_team_sees_its_steps_with_their_worth(root, demo, levers):
    app, found = start(root, COVERAGE, **levers), demo.under(**levers)
    if levers:
        assert steps_of(app, next_steps(demo.found).tables["steps"]["step"])
        app = app.toggle(key=steps_ui.MOVED).set_value(True).run()
    else:
        assert not [toggle for toggle in app.toggle if toggle.key == steps_ui.MOVED]
    steps = next_steps(found).tables["steps"]
    taken = start(root, "pages/meeting/report.py", **levers)
    for team in (SALES, MARKETING):
        own = steps[steps["team"] == team]
        said = steps_of(app, own["step"])
        for step in own.itertuples():
            worth = step.reason if pd.isna(step.effect) else f"adds {found.say(step.effect)} in {step.period}"
            assert f"{cards.plain(step.step)}: **{cards.plain(worth)}**" in said
        assert said in texts(taken)


def test_the_definition_stands_above_the_counts(root, demo):
    app, said = start(root, CREATION), shared_definition(demo.found)
    shown = table(app, "only_marketing")
    assert shown.equals(said.tables["counts"])
    caption = next(text for text in texts(app) if text.startswith(cards.plain(said.sentence)))
    assert all(cards.plain(note) in caption for note in said.notes)
    assert any(link.proto.page.endswith("definitions") for link in app.get("page_link"))


def test_the_maps_of_close_months(root, demo):
    app, answer = start(root, CREATION), close_months(demo.found)
    assert cards.plain(answer.sentence) in texts(app)
    drawn = [chart.proto.datasets[0].data.data for chart in app.get("vega_lite_chart")]
    assert sum(b"months_to_close" in data for data in drawn) == 2
    assert answer.numbers["close_later"].value == new_opportunities(demo.found).numbers["close_later"].value


def test_without_a_history_the_first_map_says_why(root, sample_data, tmp_path, monkeypatch):
    rows = pd.read_csv(sample_data / "opportunities.csv").dropna(subset="opportunity_id")
    rows.drop_duplicates("opportunity_id").head(700).to_csv(tmp_path / "mine.csv", index=False)
    monkeypatch.setattr(state, "SAMPLE", tmp_path)
    app = start(root, CREATION)
    assert any(cards.plain(NO_HISTORY) in text for text in texts(app))
    app.switch_page(COVERAGE).run()
    assert not app.exception
    assert any("fewer than four past periods" in text for text in texts(app))


def test_a_number_opens_to_its_formula_its_query_and_its_rows(root, demo):
    app = start(root, COVERAGE)
    number = next_periods(demo.found).numbers["day_one 2026Q4"]
    app.button(key="how day_one 2026Q4").click().run()
    assert not app.exception
    told = texts(app)
    assert f"**With the values:** {cards.plain(number.working)}" in told
    queries = [code.value for code in app.code]
    assert len(queries) == len(number.counts) == 2
    assert all(query.rstrip().endswith(";") and "FROM" in query for query in queries)
    files = state.intake().files
    for name in ("opportunities", "opportunity_history"):
        report = next(file for file in files if file.table == name)
        assert any(cards.plain(f"{report.file}: {report.read:,} rows read") in text for text in told)
    assert app.get("download_button")
