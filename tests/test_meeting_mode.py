"""Meeting mode by AppTest: agenda, levers that keep their values, decisions, the look back, masked names."""

from __future__ import annotations

from datetime import date

import pytest

from kpis.answers.changes import what_changed
from kpis.intake import read
from kpis.periods import Calendar
from tests.test_pages import start
from ui import cards

PIPELINE, CHANGES, LOAD = "pages/meeting/pipeline.py", "pages/meeting/changes.py", "pages/data/load.py"
Q = Calendar("quarter")


@pytest.fixture(scope="module")
def data(sample_data):
    """The demo company without a page."""
    return read(sorted(sample_data.glob("*.csv"))).dataset


def button(app, key):
    return app.button(key=key)


def since(data, first):
    """What the meeting must be told of the current quarter since the end of that day."""
    return cards.plain(what_changed(data, Q, Q.at(data.newest), first, data.newest).sentence)


def told(app):
    return "\n".join(text.value for text in app.markdown)


def test_a_link_opens_the_meeting_with_the_sentence_as_its_title(root, data):
    app, plain = start(root, meeting="true"), start(root)
    assert app.title[0].value == plain.header[0].value
    assert since(data, date(2026, 7, 15)) in told(app)  # 30 days before the newest day, 14 August
    assert button(app, "previous").disabled
    assert "Since the last meeting" not in told(plain)
    with pytest.raises(KeyError):
        button(plain, "leave_meeting")


def test_leaving_puts_everything_back(root):
    app = start(root, meeting="true", sales_cycle=150)
    button(app, "leave_meeting").click().run()
    assert not app.toggle(key="meeting").value
    assert app.slider(key="sales_cycle").value == 150
    assert app.title[0].value.startswith(":gray[")


def test_levers_keep_their_values_from_page_to_page(root):
    app = start(root, meeting="true", sales_cycle=150)
    for path in (CHANGES, LOAD, PIPELINE):
        app.switch_page(path).run()
        assert not app.exception
        assert app.slider(key="sales_cycle").value == 150
        assert app.toggle(key="meeting").value


def test_the_day_of_the_last_meeting_is_asked_for_once(root, data):
    app = start(root, meeting="true")
    app.date_input(key="last_meeting").set_value(date(2026, 6, 30)).run()
    assert since(data, date(2026, 6, 30)) in told(app)
    app.switch_page(CHANGES).run()
    assert app.date_input(key="since").value == date(2026, 6, 30)
    app.switch_page(PIPELINE).run()
    assert app.date_input(key="last_meeting").value == date(2026, 6, 30)


def decide(app, text, owner="", due=None):
    app.text_area(key="decision_text").set_value(text)
    app.text_input(key="decision_owner").set_value(owner)
    app.date_input(key="decision_due").set_value(due)
    next(each for each in app.button if each.label == "Add").click().run()
    assert not app.exception


def test_decisions_are_listed_on_the_last_page_and_can_be_removed(root):
    app = start(root, meeting="true")
    decide(app, "Call the three largest deals", "Nora", date(2026, 8, 21))
    decide(app, "  ")
    app.switch_page(CHANGES).run()
    decide(app, "Keep the target")
    app.switch_page("pages/meeting/report.py").run(timeout=60)
    assert app.dataframe[0].value.to_dict("records") == [
        {
            "decision": "Call the three largest deals",
            "owner": "Nora",
            "due": "2026-08-21",
            "page": "Pipeline health",
        },
        {"decision": "Keep the target", "owner": "", "due": "", "page": "What changed"},
    ]
    button(app, "decision_drop_0").click().run(timeout=60)
    assert list(app.dataframe[0].value["decision"]) == ["Keep the target"]


def test_pages_of_files_are_closed_while_names_are_masked(root):
    app = start(root, LOAD, mask="true", sales_cycle=150)
    assert app.title[0].value == "Names are masked"
    assert not app.dataframe
    assert app.slider(key="sales_cycle").value == 150
    button(app, "show_names").click().run()
    assert app.dataframe


def test_masked_pages_say_the_same_of_nobody(root, data):
    app, plain = start(root, mask="true"), start(root)
    assert app.header[0].value == plain.header[0].value
    deals, known = (next(f.value for f in a.dataframe if "owner" in f.value) for a in (app, plain))
    assert list(deals["opportunity_id"]) == list(known["opportunity_id"])
    assert deals["owner"].str.fullmatch(r"Owner \d+").all()
    assert deals["name"].str.fullmatch(r"Deal \d+").all()
    assert not set(deals["name"]) & set(known["name"])
