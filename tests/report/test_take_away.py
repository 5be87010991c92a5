"""The page Take away: it says the answer's steps, and offers the pack in every form."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from kpis.answers.next_steps import next_steps
from kpis.answers.outlook import outlook
from kpis.forecast.backtest import record
from kpis.forecast.model import fit
from kpis.intake import read
from kpis.report.formats import FORMATS
from ui import cards

FIRST_RUN = 120


@pytest.fixture(scope="module")
def app(root):
    app = AppTest.from_file(str(root / "app.py"), default_timeout=60)
    app.run(timeout=FIRST_RUN)
    app.switch_page("pages/meeting/report.py").run(timeout=FIRST_RUN)
    assert not app.exception
    return app


def test_it_says_the_steps_of_the_answer(app, sample_data):
    dataset = read(sorted(sample_data.glob("*.csv"))).dataset
    model = fit(dataset)
    answer = next_steps(outlook(dataset, model, None, record(dataset, model)))
    assert app.header[0].value == cards.plain(answer.sentence)
    told = "\n".join(text.value for text in app.markdown)
    for text in (*answer.tables["steps"]["step"], *answer.tables["likely"]["what"]):
        assert cards.plain(text) in told


def test_it_offers_every_form_of_the_pack(app):
    offered = {button.label for button in app.get("download_button")}
    assert {form.name for form in FORMATS.values()} <= offered
