"""The page What if? by AppTest: scenarios are saved, brought back, compared and removed; the three other views answer."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from kpis.answers.board import lever_board
from kpis.answers.compare import compare
from kpis.answers.outlook import outlook
from kpis.answers.what_if import Variation, goal_seek, tornado, two_levers
from kpis.assumptions import Assumptions
from kpis.forecast.backtest import record
from kpis.forecast.model import fit
from kpis.intake import read
from ui.scenarios import CURRENT, ESTIMATED

FIRST_RUN = 120


@pytest.fixture(scope="module")
def found(sample_data):
    """The demo company as estimated."""
    data = read(sorted(sample_data.glob("*.csv"))).dataset
    model = fit(data)
    return outlook(data, model, Assumptions(), record(data, model))


@pytest.fixture(scope="module")
def board(found):
    return lever_board(found.model)


def start(root, **query):
    app = AppTest.from_file(str(root / "app.py"), default_timeout=60)
    for key, value in query.items():
        app.query_params[key] = str(value)
    app.switch_page("pages/meeting/what_if.py").run(timeout=FIRST_RUN)
    assert not app.exception
    return app


def sentence(app):
    return app.header[0].value.replace("\\", "")


def under(found, **changes):
    targets = tuple(x.target for x in found.landings)
    return found.under(Assumptions(targets=targets, **changes))


def saved(app):
    """The scenarios that can be compared beside the two that are always there."""
    return [name for name in app.pills(key="compared").options if name not in (ESTIMATED, CURRENT)]


def save(app, name):
    app.text_input(key="scenario_name").set_value(name)
    next(b for b in app.button if b.label == "Save").click()
    return app.run()


def test_says_what_the_command_says(root, found, board):
    app = start(root, new_opportunities=100)
    volume = next(x for x in board if x.field == "new_opportunities")
    moved = under(found, new_opportunities=volume.multiplier(100))
    assert sentence(app) == compare([under(found), moved], [ESTIMATED, CURRENT]).sentence


def test_without_a_moved_lever_it_says_how_to_begin(root):
    app = start(root)
    assert sentence(app) == "Current levers: the same assumptions as As estimated."
    assert any("Move a lever" in text.value for text in app.markdown)


def test_a_scenario_is_saved_shown_and_removed(root, board):
    slip = next(x for x in board if x.field == "slippage")
    more = int(slip.estimate) + 20
    app = save(start(root, sales_cycle=120, slippage=more), "Slow year")
    assert saved(app) == ["Slow year"]
    app.slider(key="sales_cycle").set_value(99).run()
    app.slider(key="slippage").set_value(int(slip.estimate)).run()
    app.button(key="scenario_show_0").click().run()
    assert (app.slider(key="sales_cycle").value, app.slider(key="slippage").value) == (120, more)
    app.button(key="scenario_drop_0").click().run()
    assert saved(app) == []
    assert not app.exception


@pytest.mark.parametrize("name", ["", "  ", ESTIMATED])
def test_a_scenario_needs_a_name_of_its_own(root, name):
    app = save(start(root), name)
    assert "name of its own" in app.error[0].value
    assert saved(app) == []


def test_a_scenario_file_is_brought_and_compared(root, found):
    app = start(root)
    app.file_uploader[0].upload("Two more sellers.json", b'{"new_opportunities": 1.3}', "application/json").run()
    app.pills(key="compared").set_value([ESTIMATED, "Two more sellers"]).run()
    expected = compare([under(found), under(found, new_opportunities=1.3)], [ESTIMATED, "Two more sellers"])
    assert sentence(app) == expected.sentence


def test_a_file_that_is_no_scenario_says_why(root):
    app = start(root)
    app.file_uploader[0].upload("mine.json", b'{"sales_cycel": 2}', "application/json").run()
    assert "sales" in app.error[0].value
    assert saved(app) == []


def test_the_other_views_answer(root, found, board):
    app = start(root)
    variation = Variation(under(found), board, 1)
    label = found.landings[1].label
    for view, answer in (
        ("What matters most", tornado(variation)),
        ("What it takes", goal_seek(variation, 0.8)),
        ("Two levers", two_levers(variation, board[0], board[-1])),
    ):
        app.segmented_control(key="what_if").set_value(view).run(timeout=60)
        app.segmented_control(key="what_if_period").set_value(label).run(timeout=60)
        assert not app.exception
        assert sentence(app) == answer.sentence
