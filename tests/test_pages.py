"""Pages by AppTest: they say what the answers say, levers move everything, and nothing fails without a reason."""

from __future__ import annotations

import io
from datetime import date
from types import SimpleNamespace

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from kpis.answers.board import lever_board, to_assumptions
from kpis.answers.coverage import next_periods
from kpis.answers.creation import new_opportunities
from kpis.answers.dependence import dependence
from kpis.answers.explain import crm_bridge, explain_deal
from kpis.answers.health import deal_health
from kpis.answers.outlook import outlook
from kpis.answers.pipeline import pipeline_health
from kpis.answers.render import say
from kpis.assumptions import Assumptions
from kpis.forecast.backtest import record
from kpis.forecast.model import fit
from kpis.intake import read
from kpis.periods import Calendar
from ui import cards, state
from ui.upload import TEMPLATE

QUESTIONS = {
    "pages/meeting/pipeline.py": pipeline_health,
    "pages/meeting/deals.py": deal_health,
    "pages/meeting/coverage.py": next_periods,
    "pages/meeting/creation.py": new_opportunities,
}
LOAD = "pages/data/load.py"
EARLIER = date(2026, 5, 12)
FIRST_RUN = 120
"""Seconds: the first run of the process reads the demo company and learns from it."""


@pytest.fixture(scope="module")
def demo(sample_data):
    """The demo company without a page: what the pages must say."""
    dataset = read(sorted(sample_data.glob("*.csv"))).dataset
    model = fit(dataset)
    learned = record(dataset, model)
    board = {lever.key: lever for lever in lever_board(model)}

    def under(**assumptions):
        chosen = to_assumptions(tuple(board.values()), assumptions.pop("levers", {}), **assumptions)
        return outlook(dataset, model, chosen, learned)

    return SimpleNamespace(dataset=dataset, model=model, board=board, under=under)


def start(root, path=None, **query):
    """A session on a page, opened by a link with these parameters."""
    app = AppTest.from_file(str(root / "app.py"), default_timeout=20)
    for key, value in query.items():
        app.query_params[key] = str(value)
    if path:
        app.switch_page(path)
    app.run(timeout=FIRST_RUN)
    assert not app.exception
    return app


def sentence(app):
    return app.header[0].value


def texts(app):
    return [text.value for text in app.markdown]


# The pages say what the answers say


@pytest.mark.parametrize("path", QUESTIONS)
def test_a_page_says_its_answer(root, demo, path):
    app, answer = start(root, path), QUESTIONS[path](demo.under())
    assert app.title[0].value == f":gray[{cards.plain(answer.question)}]"
    assert sentence(app) == cards.plain(answer.sentence)
    numbers = {number.label: number for number in answer.numbers.values()}
    assert len(app.metric) >= 4
    for metric in app.metric:
        number = numbers[metric.label]
        assert metric.value == ("n/a" if number.value is None else say(number, demo.dataset.currency))


@pytest.mark.parametrize("path", QUESTIONS)
def test_a_page_explains_every_number(root, demo, path):
    app, answer = start(root, path), QUESTIONS[path](demo.under())
    told = "\n".join(text.value for text in app.expander(key="notes").markdown)
    assert all(cards.plain(note) in told for note in answer.notes)
    assert all(cards.plain(number.help) in told for number in answer.numbers.values())


@pytest.mark.parametrize("path", [*QUESTIONS, LOAD])
def test_levers_stand_on_every_page_in_one_order(root, demo, path):
    app = start(root, path)
    shown = [slider.key for slider in app.sidebar.slider]
    assert shown == list(demo.board)
    assert [slider.value for slider in app.sidebar.slider] == [lever.estimate for lever in demo.board.values()]
    assert app.sidebar.segmented_control[0].value == "quarter"
    assert app.date_input(key="as_of").value == demo.dataset.newest
    targets = [landing.target for landing in demo.under().landings]
    assert [box.value for box in app.sidebar.number_input] == targets


def test_the_table_of_deals_keeps_unrounded_values(root, demo):
    app, answer = start(root), pipeline_health(demo.under())
    deals = answer.tables["deals"]
    shown = next(frame.value for frame in app.dataframe if "expected_close" in frame.value)
    assert list(shown["expected"]) == list(deals["expected"])
    assert list(shown["p_0"]) == list(100 * deals["p_0"])  # shown in percent
    back = pd.read_csv(io.BytesIO(cards.csv(deals)))
    assert list(back["p_0"]) == list(deals["p_0"])


def test_the_page_names_the_deals_it_depends_on_and_explains_the_one_that_is_chosen(root, demo):
    app, found = start(root), demo.under()
    assert cards.plain(dependence(found).sentence) in texts(app)
    deals = pipeline_health(found).tables["deals"]
    first = deals["opportunity_id"].iloc[0]
    assert app.selectbox(key="deal").value == first
    assert cards.plain(explain_deal(found, first).sentence) in texts(app)
    other = deals["opportunity_id"].iloc[5]
    app.selectbox(key="deal").set_value(other).run()
    assert cards.plain(explain_deal(found, other).sentence) in texts(app)
    app.slider(key="sales_cycle").set_value(140).run()
    assert app.selectbox(key="deal").value == other
    moved = explain_deal(demo.under(levers={"sales_cycle": 140}), other)
    assert cards.plain(moved.sentence) in texts(app)


@pytest.mark.parametrize("by", ["age", "pushes", "segment"])
def test_one_chart_shows_the_open_deals_by_what_is_chosen(root, demo, by):
    app = start(root)
    app.segmented_control(key="composition_by").set_value(by).run()
    assert not app.exception
    rows = pipeline_health(demo.under()).tables[by]
    names = list(rows[rows.columns[0]])
    drawn = [chart.proto.datasets[0].data.data for chart in app.get("vega_lite_chart")]
    assert any(all(str(name).encode() in data for name in names) for data in drawn)


def test_the_deals_page_shows_the_flags_the_list_and_the_bridge(root, demo):
    app, found = start(root, "pages/meeting/deals.py"), demo.under()
    assert cards.plain(crm_bridge(found).sentence) in texts(app)
    shown = next(frame.value for frame in app.dataframe if "at_risk" in frame.value)
    assert list(shown["at_risk"]) == list(deal_health(found).tables["risks"]["at_risk"])
    app.session_state["assist edits"] = {deal: {"owner": "Ann", "due": date(2026, 9, 1)} for deal in ["O-001695"]}
    app.run()
    assert not app.exception


# Levers


SCENARIO = {
    "sales_cycle": 120, "close_rate_2": 50, "new_opportunities": 90, "new_opportunities_4": 9.5, "deal_size": 40000,
    "slippage": 70,
}  # fmt: skip


@pytest.mark.parametrize("path", QUESTIONS)
def test_levers_give_what_the_assumptions_give(root, demo, path):
    app = start(root, path)
    for key, value in SCENARIO.items():
        app.slider(key=key).set_value(value)
    app.toggle(key="deal_size_open").set_value(True)
    app.run()
    assert not app.exception
    moved = demo.under(levers=SCENARIO, deal_size_open=True)
    assert sentence(app) == cards.plain(QUESTIONS[path](moved).sentence)
    assert any("as estimated" in text and "7 levers moved" in text for text in texts(app))


@pytest.mark.parametrize(
    "key", ["sales_cycle", "close_rate", "new_opportunities", "new_opportunities_1", "deal_size", "slippage"]
)
def test_each_lever_moves_the_landing(root, demo, key):
    app = start(root)
    before = {metric.label: metric.value for metric in app.metric}
    chart = app.get("vega_lite_chart")[0].proto
    rows, drawing = chart.datasets[0].data.data, chart.spec
    app.slider(key=key).set_value(app.slider(key=key).max).run()
    after = {metric.label: metric.value for metric in app.metric}
    assert after["Expected landing"] != before["Expected landing"]
    chart = app.get("vega_lite_chart")[0].proto
    assert chart.datasets[0].data.data != rows
    assert chart.spec == drawing


def test_rates_out_of_each_others_reach_are_brought_together_and_that_is_said(root, demo):
    app = start(root)
    for key in ("close_rate_4", "close_rate_5"):
        app.slider(key=key).set_value(app.slider(key=key).max if key == "close_rate_4" else 40.0)
    app.run()
    assert not app.exception
    assert not app.error
    assert any("Close rate from Proposal" in text and "as far as it goes" in text for text in texts(app))
    app.button(key="reset").click().run()
    assert not any("as far as it goes" in text for text in texts(app))


def test_the_change_is_said_with_its_size(root, demo):
    app = start(root, sales_cycle=140)
    base, moved = pipeline_health(demo.under()), pipeline_health(demo.under(levers={"sales_cycle": 140}))
    hit = [answer.numbers["p_hit"].value for answer in (base, moved)]
    change = f"as estimated: {say(base.numbers['p_hit'], 'USD')}; {100 * (hit[1] - hit[0]):+.1f} points with sales cycle length."
    assert any(cards.plain(change) in text for text in texts(app))


def test_back_to_the_estimates(root, demo):
    app = start(root, **SCENARIO, deal_size_open=True)
    assert sentence(app) != cards.plain(pipeline_health(demo.under()).sentence)
    app.button(key="reset").click().run()
    assert sentence(app) == cards.plain(pipeline_health(demo.under()).sentence)
    assert app.slider(key="sales_cycle").value == demo.board["sales_cycle"].estimate
    assert not set(app.query_params) & {*SCENARIO, "deal_size_open"}
    assert app.button(key="reset").disabled


def test_a_value_outside_the_own_range_is_marked(root, demo):
    lever = demo.board["sales_cycle"]
    app = start(root, sales_cycle=int(lever.maximum))
    assert any("outside its own range" in text for text in texts(app))
    app = start(root, sales_cycle=int(lever.own.high))
    assert not any("outside its own range" in text for text in texts(app))


def test_levers_survive_a_switch_of_pages(root, demo):
    app = start(root)
    app.slider(key="new_opportunities").set_value(90).run()
    app.switch_page("pages/meeting/creation.py").run()
    assert app.slider(key="new_opportunities").value == 90
    expected = new_opportunities(demo.under(levers={"new_opportunities": 90}))
    assert sentence(app) == cards.plain(expected.sentence)


@pytest.mark.parametrize("value", ["-5", "1e9", "nan", "many"])
def test_an_impossible_value_in_a_link_is_refused(root, demo, value):
    app = start(root, sales_cycle=value)
    assert app.slider(key="sales_cycle").value == demo.board["sales_cycle"].estimate


# Day, period, targets


def test_an_earlier_day_moves_estimates_but_not_what_was_set(root, demo):
    app = start(root)
    app.slider(key="sales_cycle").set_value(120).run()
    app.date_input(key="as_of").set_value(EARLIER).run(timeout=FIRST_RUN)
    assert not app.exception
    known = demo.dataset.known_at(EARLIER)
    model = fit(known)
    board = {lever.key: lever for lever in lever_board(model)}
    assert app.slider(key="sales_cycle").value == 120
    assert app.slider(key="deal_size").value == board["deal_size"].estimate
    moved = outlook(known, model, to_assumptions(tuple(board.values()), {"sales_cycle": 120}), record(known, model))
    assert sentence(app) == cards.plain(pipeline_health(moved).sentence)
    again = start(root, as_of=EARLIER, sales_cycle=120)
    assert sentence(again) == sentence(app)


def test_months_and_a_fiscal_year(root, demo):
    app = start(root)
    app.segmented_control(key="grain").set_value("month")
    app.selectbox(key="fiscal_start").set_value("Apr").run(timeout=FIRST_RUN)
    assert not app.exception
    model = fit(demo.dataset, Calendar("month", 4))
    # August is the fifth month of a year from April, which is named by the year it ends in.
    assert [box.key for box in app.sidebar.number_input] == ["target_FY2027M05", "target_FY2027M06", "target_FY2027M07"]
    expected = outlook(demo.dataset, model, None, record(demo.dataset, model))
    assert sentence(app) == cards.plain(pipeline_health(expected).sentence)


def test_a_target_typed_here(root, demo):
    app = start(root)
    app.number_input(key="target_2026Q3").set_value(1_900_000.0).run()
    targets = (1_900_000.0, *[landing.target for landing in demo.under().landings[1:]])
    assert sentence(app) == cards.plain(pipeline_health(demo.under(targets=targets)).sentence)


def test_a_day_before_the_first_opportunity_is_said_with_the_way_out(root):
    app = start(root)
    app.date_input(key="as_of").set_value(date(2020, 1, 1)).run(timeout=FIRST_RUN)
    assert not app.exception
    assert "No opportunity was created by" in app.error[0].value
    assert "Choose a later as\\-of date" in app.error[0].value or "Choose a later as-of date" in app.error[0].value
    app.date_input(key="as_of").set_value(EARLIER).run(timeout=FIRST_RUN)
    assert not app.error


# Loading data


def upload(app, *files):
    for name, content in files:
        app.file_uploader[0].upload(name, content)
    return app.run(timeout=FIRST_RUN)


def test_a_file_that_cannot_be_used_says_why_and_changes_nothing(root, demo):
    app = start(root, LOAD)
    upload(app, ("notes.csv", b"just,some\nwords,here\n"))
    assert not app.exception
    assert "usable table" in app.error[0].value
    assert "Export opportunities" in app.error[0].value
    app.switch_page("pages/meeting/pipeline.py").run()
    assert sentence(app) == cards.plain(pipeline_health(demo.under()).sentence)


def test_the_template_is_read_without_a_reject():
    found = read([("opportunities.csv", TEMPLATE.encode())])
    report = found.files[0]
    assert (report.table, report.read, report.accepted) == ("opportunities", 3, 3)


@pytest.fixture(scope="module")
def mine(sample_data):
    """An export of opportunities alone, without history and targets."""
    rows = pd.read_csv(sample_data / "opportunities.csv").dropna(subset="opportunity_id")
    return ("mine.csv", rows.drop_duplicates("opportunity_id").head(900).to_csv(index=False).encode())


def test_an_upload_replaces_the_demo_and_its_levers(root, demo, mine):
    app = start(root, LOAD)
    app.slider(key="sales_cycle").set_value(150).run()
    upload(app, mine)
    assert not app.exception
    assert not app.error
    assert sentence(app).startswith("mine")
    files = next(frame.value for frame in app.dataframe if "accepted" in frame.value)
    assert (files["read"] == files["accepted"] + files["rejected"] + files["merged"]).all()
    assert files["read"].sum() == 900
    dataset = read([mine]).dataset
    model = fit(dataset)
    lever = next(lever for lever in lever_board(model) if lever.key == "sales_cycle")
    assert app.slider(key="sales_cycle").value == lever.estimate
    assert "sales_cycle" not in app.query_params
    app.button(key="back").click().run()
    assert sentence(app).startswith("Demo company")
    assert app.slider(key="sales_cycle").value == demo.board["sales_cycle"].estimate
    upload(app, mine)  # the same file once more: its models were forgotten with it
    assert not app.exception
    assert sentence(app).startswith("mine")


def test_without_targets_numbers_are_not_available_and_one_typed_target_holds(root, mine, tmp_path, monkeypatch):
    (tmp_path / mine[0]).write_bytes(mine[1])
    monkeypatch.setattr(state, "SAMPLE", tmp_path)
    dataset = read([mine]).dataset
    model = fit(dataset)
    learned = record(dataset, model)

    def expected(question, *targets):
        return cards.plain(question(outlook(dataset, model, Assumptions(targets=targets), learned)).sentence)

    app = start(root)
    assert sentence(app) == expected(pipeline_health)
    assert "set a target" in sentence(app)
    assert {metric.label: metric.value for metric in app.metric}["Chance to reach the target"] == "n/a"
    assert any(cards.plain("Chance to reach the target is n/a: no target is set") in text for text in texts(app))
    first, second, _ = (box.key for box in app.sidebar.number_input)
    app.number_input(key=second).set_value(500_000.0).run()
    assert sentence(app) == expected(pipeline_health, None, 500_000.0, 500_000.0)
    app.number_input(key=first).set_value(900_000.0).run()
    assert sentence(app) == expected(pipeline_health, 900_000.0, 500_000.0, 500_000.0)
    again = start(root, **{second: 500_000})
    again.switch_page("pages/meeting/coverage.py").run()
    assert sentence(again) == expected(next_periods, None, 500_000.0, 500_000.0)


# What cards are made of


@pytest.mark.parametrize(
    ("text", "shown"),
    [("$4 M to $5 M", r"\$4 M to \$5 M"), ("a_b *c* [d](e) :red[f]", r"a\_b \*c\* \[d\](e) \:red\[f\]"), ("plain", "plain")],
)  # fmt: skip
def test_markdown_shows_names_as_they_are(text, shown):
    assert cards.plain(text) == shown


def test_a_download_runs_no_formula():
    table = pd.DataFrame({"name": ["=1+1", "@x", "-y", "ok", None], "amount": [-1.5, 2.0, 3.0, 4.0, 5.0]})
    text = cards.csv(table).decode("utf-8-sig").splitlines()
    assert text == ["name,amount", "'=1+1,-1.5", "'@x,2.0", "'-y,3.0", "ok,4.0", ",5.0"]
