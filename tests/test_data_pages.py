"""The pages of data by AppTest: what was read is corrected, asked, defined and agreed on, and every page follows."""

from __future__ import annotations

import sqlite3

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from kpis.answers.definitions import definitions_answer
from kpis.answers.mapping import mapping_answer
from kpis.answers.reconcile import reconciler
from kpis.intake import read
from kpis.settings import Settings
from ui import cards, sign_in

LOAD, COLUMNS, DEFINITIONS = (f"pages/data/{name}.py" for name in ("load", "columns", "definitions"))
FIRST_RUN = 120
"""Seconds: the first run of the process reads the demo company and learns from it."""
ODD = "Kennung,Stufe,Volumen netto,Angelegt am\nA,Proposal,5,2024-01-01\nB,Proposal,7,2024-01-02\n"
MINE = dict(zip(ODD.splitlines()[0].split(","), ("opportunity_id", "stage", "amount", "created_at"), strict=True))
UNCLEAR = "opportunity_id,status,amount,created_at\nA,open,5,3/4/2024\nB,open,5,5/6/2024\n"


def start(root, path, *files):
    """A session on a page, after it loaded files."""
    app = AppTest.from_file(str(root / "app.py"), default_timeout=20)
    if files:
        upload(app, *files)
    app.switch_page(path).run(timeout=FIRST_RUN)
    assert not app.exception
    return app


def upload(app, *files):
    app.switch_page(LOAD).run(timeout=FIRST_RUN)
    for name, content in files:
        app.file_uploader[0].upload(name, content if isinstance(content, bytes) else content.encode())
    app.run(timeout=FIRST_RUN)
    assert not app.exception


def sentence(app):
    return app.header[0].value


def tables(app):
    return [frame.value for frame in app.dataframe]


def table(app, *columns):
    return next(frame for frame in tables(app) if set(columns) <= set(frame.columns))


def by_label(app, kind, label):
    return next(widget for widget in getattr(app, kind) if widget.label == label)


@pytest.fixture(scope="module")
def demo(sample_data):
    return read(sorted(sample_data.glob("*.csv")))


# Columns


def test_the_page_of_columns_says_its_answer(root, demo):
    app = start(root, COLUMNS)
    assert sentence(app) == cards.plain(mapping_answer(demo.files).sentence)
    assert app.selectbox(key="file").value == "opportunities.csv"
    assert app.selectbox(key="table_0_opportunities.csv").value == "opportunities"
    assert app.button(key="apply").disabled
    assert app.button(key="undo").disabled


def test_a_file_that_nobody_recognised_is_corrected_and_undone(root):
    app = start(root, COLUMNS, ("odd.csv", ODD))
    assert "usable table" in app.error[0].value
    assert sentence(app).startswith("None of 4 columns is used")
    app.selectbox(key="table_0_odd.csv").set_value("opportunities").run()
    app.button(key="apply").click().run(timeout=FIRST_RUN)  # without an id it cannot be
    assert "opportunities cannot do without" in app.error[-1].value


def test_another_table_for_a_file_and_the_way_back(root):
    leads = "lead_id,Create Date,Lead Source\nL1,2024-01-01,Web\nL2,2024-02-01,Web\n"
    deals = "opportunity_id,stage,amount,created_at\nA,Proposal,5,2024-01-01\n"
    app = start(root, COLUMNS, ("deals.csv", deals), ("people.csv", leads))
    app.selectbox(key="file").set_value("people.csv").run()
    assert app.selectbox(key="table_0_people.csv").value == "leads"
    app.selectbox(key="table_0_people.csv").set_value("not used").run()
    app.button(key="apply").click().run(timeout=FIRST_RUN)
    assert not app.exception
    changes = [text.value for text in app.markdown if "read differently" in text.value]
    assert changes == [cards.plain("3 columns are read differently and 2 rows fewer accepted.")]
    assert table(app, "accepted_before")[["file", "accepted_before", "accepted_after"]].to_numpy().tolist() == [
        ["people.csv", 2, 0]
    ]
    app.button(key="undo").click().run(timeout=FIRST_RUN)
    assert app.selectbox(key="table_0_people.csv").value == "leads"
    assert app.button(key="undo").disabled


def test_a_settings_file_beside_the_data_applies_by_itself(root):
    settings = Settings(mapping={"last-month.csv": {c: f"opportunities.{f}" for c, f in MINE.items()}})
    app = start(root, LOAD, ("odd.csv", ODD), ("tandem.toml", settings.as_toml()))
    assert not app.error
    assert table(app, "read", "accepted")[["accepted", "rejected"]].to_numpy().tolist() == [[2, 0]]
    app.switch_page(COLUMNS).run(timeout=FIRST_RUN)
    assert sentence(app) == "4 of 4 columns are used, and all of them are sure."


def test_a_settings_file_alone_applies_to_what_is_there(root):
    app = start(root, LOAD, ("odd.csv", ODD))
    assert app.error
    settings = Settings(mapping={"odd.csv": {c: f"opportunities.{f}" for c, f in MINE.items()}})
    app.session_state["upload round"] += 1
    upload(app, ("tandem.toml", settings.as_toml()))
    assert not app.error
    assert sentence(app).startswith("odd")


@pytest.mark.parametrize("text", ["confidence = 7", "= nonsense", '[mapping."odd.csv"]\nStufe = "opportunities.stgae"'])
def test_a_wrong_settings_file_says_its_entry_and_changes_nothing(root, text):
    app = start(root, LOAD, ("odd.csv", ODD), ("tandem.toml", text))
    assert not app.exception
    assert any(word in app.error[0].value for word in ("confidence", "not TOML", "stgae"))
    assert sentence(app).startswith("Demo company")
    app.button(key="leave").click().run()
    assert not app.error


def test_unclear_dates_are_asked_and_the_answer_is_used(root):
    app = start(root, LOAD, ("deals.csv", UNCLEAR))
    assert "no row was accepted" in app.error[0].value
    assert any("3/4/2024" in text.value for text in app.markdown)
    app.button(key="month-first").click().run(timeout=FIRST_RUN)
    assert not app.exception
    assert sentence(app).startswith("deals")
    assert table(app, "read", "accepted")["accepted"].tolist() == [2]
    assert not any(button.key == "month-first" for button in app.button)
    assert any(
        "Newest day in the data\\: 06 May 2024" in text.value or "06 May 2024" in text.value for text in app.markdown
    )


# Rejected rows and defects


def test_each_defect_shows_its_rows(root, demo):
    app = start(root, LOAD)
    past = next(d for d in demo.defects if d.defect == "open deal past its expected close date")
    app.selectbox(key="defect").set_value(past.defect).run()
    rows = table(app, "opportunity_id", "expected_close")
    assert len(rows) == past.rows
    assert rows["amount"].sum() == past.amount
    app.selectbox(key="defect").set_value("duplicate id").run()
    assert len([frame for frame in tables(app) if list(frame.columns) == ["file", "line", "reason"]][-1]) == 2


def test_what_intake_decided_is_in_sight(root):
    # Every row carries the final stage while the probability moves: its path is read as the way through the stages.
    deals = "opportunity_id,stage,probability,amount,created_at,expected_close\n" + "".join(
        f"{n},{'Proposal' if n % 2 else 'Demo'},{50 if n % 2 else 20},5,2024-01-01,2024-09-01\n" for n in range(1, 9)
    )
    history = "opportunity_id,changed_at,stage,probability\n" + "".join(
        f"{n},2024-01-0{k},{'Proposal' if n % 2 else 'Demo'},{p}\n"
        for n in range(1, 9)
        for k, p in ((1, 10), (2, 20), *(((3, 50),) if n % 2 else ()))
    )
    app = start(root, LOAD, ("deals.csv", deals), ("history.csv", history))
    assert any("the path of its probability is read as its path through the stages" in t.value for t in app.markdown)


# Definitions


def test_the_page_of_definitions_says_its_answers(root, demo):
    app = start(root, DEFINITIONS)
    count = reconciler(demo.dataset, demo.dataset.settings.calendar)
    assert [header.value for header in app.header] == [
        cards.plain(definitions_answer(demo).sentence),
        cards.plain(count.sentence),
    ]
    assert [metric.value for metric in app.metric] == [f"{number.value:.0f}" for number in count.numbers.values()]
    pd.testing.assert_frame_equal(table(app, "only_sales"), count.tables["counts"])
    assert len(table(app, "counted_by")) == len(count.tables["differences"])


DEALS = """opportunity_id,stage,status,amount,created_at,expected_close,closed_at
1,Prospecting,open,10,2024-05-01,2024-09-01,
2,Proposal,open,20,2024-07-02,2024-09-01,
3,Closed Won,won,30,2024-06-03,,2024-08-01
"""


def test_the_reconciler_follows_the_sidebar_also_without_a_forecast(root):
    app = start(root, DEFINITIONS, ("deals.csv", DEALS))
    # Without history a deal qualifies when it is created: 1 for Marketing alone, 2 and 3 for both.
    assert table(app, "only_sales").query("kind == 'opportunities'")[["sales", "marketing"]].to_numpy().tolist() == [
        [1, 2],
        [1, 1],
    ]
    app.segmented_control(key="grain").set_value("month").run()
    assert list(table(app, "only_sales")["period"]) == ["2024-07", "2024-08"] * 2
    assert list(table(app, "only_sales")["sales"])[:2] == [1, 0]


def test_what_is_applied_holds_on_every_page_and_can_be_agreed_on(root, demo):
    app = start(root, DEFINITIONS, ("deals.csv", DEALS))
    by_label(app, "selectbox", "Fiscal year from").set_value("April")
    by_label(app, "number_input", "Marketing: least score").set_value(50.0)
    app.button(key="apply").click().run()
    assert not app.exception
    basis = table(app, "definition", "basis").set_index("definition")
    assert basis.loc["Fiscal year from"].tolist() == ["April", "set"]
    assert basis.loc["Marketing: qualified lead"].tolist() == ["is marketing qualified, score from 50", "set"]
    assert sentence(app).startswith("Nobody has agreed")
    app.text_input[-1].set_value("Dana (Sales), Kim (Marketing)")
    app.button(key="agree").click().run()
    assert sentence(app).startswith(cards.plain("Agreed by Dana (Sales), Kim (Marketing) on"))
    app.switch_page("pages/meeting/pipeline.py").run()
    assert app.sidebar.selectbox(key="fiscal_start").value == "Apr"
    app.switch_page(LOAD).run()
    app.button(key="back").click().run()
    app.switch_page(DEFINITIONS).run()
    assert sentence(app) == cards.plain(definitions_answer(demo).sentence)


def test_nobody_agrees_without_a_name(root):
    app = start(root, DEFINITIONS)
    app.button(key="agree").click().run()
    assert "Nobody is named" in app.error[0].value
    assert sentence(app).startswith("Nobody has agreed")


def test_definitions_of_data_without_stages_and_leads(root):
    deals = "opportunity_id,status,amount,created_at\nA,open,5,2024-01-01\nB,open,5,2024-05-01\n"
    app = start(root, DEFINITIONS, ("deals.csv", deals))
    assert {metric.label: metric.value for metric in app.metric}[cards.plain("Leads by Sales, 2024Q2")] == "n/a"
    assert table(app, "only_sales")["both"].tolist() == [1, 1, 0, 0]


# A database


@pytest.fixture
def crm(tmp_path):
    """A database with one table that is called like nothing that is known."""
    path = tmp_path / "crm.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "CREATE TABLE v_pipeline (opportunity_id text, status text, amount real, created_at text, closed_at text);"
            "INSERT INTO v_pipeline VALUES ('A', 'open', 5, '2024-01-05', NULL), ('B', 'won', 7, '2024-01-05', '2024-02-01');"
            "CREATE TABLE payroll (name text)"
        )
    return f"sqlite:///{path}"


def connected(root, **secrets):
    """A session on the page of data, on a server with these secrets."""
    app = AppTest.from_file(str(root / "app.py"), default_timeout=20)
    for name, entry in secrets.items():
        app.secrets[name] = entry
    app.run(timeout=FIRST_RUN)
    app.switch_page(LOAD).run(timeout=FIRST_RUN)
    assert not app.exception
    return app


def test_a_database_that_the_secrets_name_is_looked_into_and_read(root, crm):
    app = connected(root, connections={"crm": {"url": crm, "tables": {"opportunities": "v_pipeline"}}})
    app.button(key="look").click().run()
    said = "\n".join(text.value for text in app.markdown).replace("\\", "")
    assert "has 2 tables and views, and 1 of them are chosen. They have what is needed." in said
    app.number_input(key="database_rows").set_value(1).run()
    app.button(key="read_database").click().run(timeout=FIRST_RUN)
    assert "has more than 1 rows" in app.error[0].value
    app.number_input(key="database_rows").set_value(2).run()
    app.button(key="read_database").click().run(timeout=FIRST_RUN)
    assert not app.error
    assert sentence(app).startswith("crm")
    found = app.session_state["upload"]
    assert [(file.table, file.accepted) for file in found.files] == [("opportunities", 2)]
    assert found.dataset.settings.connection.tables == {"opportunities": "v_pipeline"}


def test_a_database_that_cannot_be_reached_says_so(root, tmp_path):
    app = connected(root, connections={"crm": {"url": f"sqlite:///{tmp_path}/none.db"}})
    app.button(key="look").click().run()
    assert "no such file" in app.error[0].value
    assert not [button for button in app.button if button.key == "read_database"]


def test_no_database_is_offered_that_nobody_named(root, crm):
    # What st.connection reads, an address of another kind, and none at all.
    for entries in ({"crm": {"dialect": "postgresql", "host": "h"}}, {"crm": {"url": "file:///etc/passwd"}}, {}):
        app = connected(root, connections=entries)
        assert not [box for box in app.selectbox if box.key == "database_name"]


def test_where_people_sign_in_a_database_is_for_those_it_names(root, crm, monkeypatch):
    monkeypatch.setattr(sign_in, "person", lambda: "ana@example.com")
    auth = {"redirect_uri": "http://localhost/oauth2callback"}
    for people, offered in (([" Ana@example.com "], True), (["bo@example.com"], False), (None, False)):
        entry = {"url": crm} | ({} if people is None else {"people": people})
        app = connected(root, auth=auth, connections={"crm": entry})
        assert bool([box for box in app.selectbox if box.key == "database_name"]) is offered
