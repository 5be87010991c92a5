"""What changed, by AppTest: the page says what the answer says, the days and the period can be chosen."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import pytest

from kpis.answers.changes import what_changed
from kpis.answers.render import say
from kpis.intake import read
from kpis.periods import Calendar
from tests.test_pages import start
from ui import cards, state

PAGE = "pages/meeting/changes.py"
Q = Calendar("quarter")


@pytest.fixture(scope="module")
def data(sample_data):
    """The demo company without a page."""
    return read(sorted(sample_data.glob("*.csv"))).dataset


@pytest.fixture
def expected(data):
    """What the page must say for two days and a period this many after the current one."""

    def answer(first, last=data.newest, offset=0):
        return what_changed(data, Q, Q.at(data.newest, offset), first, last)

    return answer


def says(app, answer):
    assert not app.exception
    assert app.header[0].value == cards.plain(answer.sentence)


def test_the_page_says_its_answer(root, data, expected):
    app, answer = start(root, PAGE), expected(data.newest - timedelta(days=30))
    says(app, answer)
    shown = {metric.label: metric.value for metric in app.metric}
    numbers = [answer.numbers[key] for key in ("slippage", "slippage_before", "pushed_twice", "pushes_per_deal")]
    assert shown == {n.label: say(n, data.currency) for n in numbers}
    changes, pushes, offenders = (frame.value for frame in app.dataframe)
    assert list(changes["amount"]) == list(answer.tables["changes"]["amount"])
    assert list(pushes["owner"]) == list(answer.tables["pushes_owner"]["owner"])
    assert list(offenders["opportunity_id"]) == list(answer.tables["offenders"]["opportunity_id"])
    told = "\n".join(text.value for text in app.expander(key="notes").markdown)
    assert all(cards.plain(note) in told for note in answer.notes)


def test_days_period_and_dimension_can_be_chosen(root, data, expected):
    app = start(root, PAGE)
    app.date_input(key="until").set_value(date(2026, 6, 30)).run()
    says(app, expected(date(2026, 5, 31), date(2026, 6, 30)))  # the first day keeps its distance
    app.date_input(key="since").set_value(date(2026, 6, 1)).run()
    app.segmented_control(key="pipeline_of").set_value("before").run()
    says(app, expected(date(2026, 6, 1), date(2026, 6, 30), -1))
    app.segmented_control(key="pushes_by").set_value("stage").run()
    assert "stage" in app.dataframe[1].value


@pytest.mark.parametrize(("name", "back"), [("Last week", 7), ("30 days", 30), ("Since 2026Q3 began", None)])
def test_quick_choices(root, data, expected, name, back):
    app = start(root, PAGE, since="2026-02-01", until="2026-03-01")
    says(app, expected(date(2026, 2, 1), date(2026, 3, 1)))
    next(button for button in app.button if button.label == name).click().run()
    first = date(2026, 6, 30) if back is None else data.newest - timedelta(days=back)
    says(app, expected(first))


def test_a_past_day_replays_the_page(root, data):
    app, day = start(root, PAGE, as_of=date(2026, 5, 12)), date(2026, 5, 12)
    known = data.known_at(day)
    says(app, what_changed(known, Q, Q.at(day), day - timedelta(days=30), day))
    assert app.date_input(key="until").value == day
    app.slider(key="sales_cycle").set_value(140).run()
    says(app, what_changed(known, Q, Q.at(day), day - timedelta(days=30), day))


def test_without_a_history_it_says_what_is_missing(root, sample_data, tmp_path, monkeypatch):
    rows = pd.read_csv(sample_data / "opportunities.csv").dropna(subset="opportunity_id").drop(columns="push_count")
    rows.drop_duplicates("opportunity_id").head(700).to_csv(tmp_path / "mine.csv", index=False)
    monkeypatch.setattr(state, "SAMPLE", tmp_path)
    app = start(root, PAGE)
    assert "open pipeline" in app.header[0].value
    assert any(
        text.value.startswith(":small[:gray[n/a: it takes a history of expected closes") for text in app.markdown
    )
    assert len(app.dataframe) == 1
