"""Roles by AppTest: what a viewer, an editor of a part and an owner are offered, and what happens when it is taken away."""

from __future__ import annotations

from unittest.mock import ANY

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from kpis import demo
from kpis.assumptions import Assumptions
from kpis.intake import archive, read
from kpis.store import LOCAL, Store, decisions, ledger, members, place, scenarios, snapshots
from kpis.store.roles import EDITOR, VIEWER
from kpis.store.scope import ALL, Scope
from kpis.store.workspace import find, find_or_make
from kpis.store.workspace import log as workspace_log
from tests.store import made
from tests.test_keeping_page import FIRST_RUN, LOAD, PIPELINE, TRACK, WHAT_IF, start, told
from ui import keeping, reading, sign_in, state, workspaces

ANA, BO = "ana@example.com", "bo@example.com"
WEST = "Americas West"


@pytest.mark.parametrize(
    ("claims", "person", "words"),
    [
        ({}, None, ""),
        ({"is_logged_in": False, "email": ANA}, None, ""),
        ({"is_logged_in": "true", "email": ANA}, None, ""),  # a header's text, not the cookie's truth
        ({"is_logged_in": True, "email": " Ana@Example.com"}, ANA, ""),
        ({"is_logged_in": True, "email": ANA, "email_verified": True}, ANA, ""),
        ({"is_logged_in": True, "email": ANA, "email_verified": False}, None, "not confirmed"),
        ({"is_logged_in": True, "email": ANA, "email_verified": "False"}, None, "not confirmed"),
        ({"is_logged_in": True, "email": ANA, "email_verified": None}, None, "not confirmed"),
        ({"is_logged_in": True, "email": ANA, "email_verified": 0}, None, "not confirmed"),
        ({"is_logged_in": True, "name": "Ana"}, None, "something else than an e-mail address"),
        ({"is_logged_in": True, "email": LOCAL}, None, "something else than an e-mail address"),
    ],
)
def test_who_is_signed_in(monkeypatch, claims, person, words):
    monkeypatch.setattr(sign_in, "is_asked", lambda: True)
    monkeypatch.setattr("streamlit.user", claims)
    known, why = sign_in._known()
    assert (known, words in why, bool(why)) == (person, True, bool(words))
    assert sign_in.person() == person


def test_nobody_is_signed_in_where_a_header_could_say_so(monkeypatch):
    monkeypatch.setattr("streamlit.user", {"is_logged_in": True, "email": ANA})
    monkeypatch.setattr("streamlit.get_option", lambda name: {"X-Email": "email"} if "Headers" in name else [])
    assert sign_in._known() == (None, ANY)


def test_secrets_that_cannot_be_read_let_nobody_in(monkeypatch, tmp_path):
    # Streamlit takes a broken file for none, and without [auth] everybody would be the local user.
    file = tmp_path / "secrets.toml"
    monkeypatch.setattr("streamlit.get_option", lambda name: [str(file)] if name == "secrets.files" else None)
    assert sign_in.person() == LOCAL
    file.write_text("[auth\n")
    monkeypatch.setattr("streamlit.user", {"is_logged_in": True, "email": ANA})
    assert sign_in.is_asked()
    known, why = sign_in._known()
    assert (known, "cannot be read" in why) == (None, True)


def test_without_configuration_there_is_one_local_user():
    assert (sign_in.is_asked(), sign_in.person()) == (False, LOCAL)


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """A small company, read once, and its files: of deals and their stages, all that roles and rows need."""
    written = demo.write(tmp_path_factory.mktemp("company"), opportunities=150, seed=3, years=1.5)
    files = [file for file in written if file.stem in ("opportunities", "opportunity_history", "stages")]
    for other in {*written} - {*files}:
        other.unlink()
    return read(files), files


@pytest.fixture
def plan(tmp_path, monkeypatch, company):
    """Ana's workspace with the company and a bit of everything in it; the demo company is as small."""
    monkeypatch.setenv("TANDEM_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(sign_in, "is_asked", lambda: True)
    there = find_or_make(Store.open(place(str(tmp_path / "data"))), "Plan", ANA)
    intake, files = company
    monkeypatch.setattr(state, "SAMPLE", files[0].parent)
    snapshots.keep(there, archive.about(intake), lambda folder: archive.write(intake, files, folder))
    scenarios.save(there, "Anas", Assumptions(sales_cycle=1.1))
    decisions.add(there, "Ana decides", "", None, "")
    ledger.save(there, made.prediction(name="Ana predicts"))
    return there


@pytest.fixture
def enter(root, plan, monkeypatch):
    """``enter(person, page, role, scope)``: a session of a person in Ana's workspace."""

    def go(person, path, role=None, scope=ALL):
        if role:
            members.admit(plan, person, role, scope)
        monkeypatch.setattr(sign_in, "person", lambda: person)
        return start(root, path, workspace="Plan")

    return go


def buttons(app):
    return {button.label for button in app.button}


def keys(app):
    """Keys of the widgets that can change what is kept."""
    there = {widget.key for kind in (app.button, app.text_input, app.text_area) for widget in kind if widget.key}
    return {key for key in there if key.startswith(("scenario_", "decision", "delete", "forget", "people", "predict"))}


def test_a_viewer_is_offered_nothing_that_saves(enter):
    app = enter(BO, WHAT_IF, VIEWER)
    assert "You are a viewer of Plan" in told(app)
    assert {key for key in keys(app) if not key.startswith("scenario_show")} == set()
    app.switch_page(TRACK).run(timeout=FIRST_RUN)
    assert keys(app) == set()
    app.switch_page(PIPELINE).run(timeout=FIRST_RUN)
    assert keys(app) == set()
    app.switch_page(LOAD).run(timeout=FIRST_RUN)
    assert "You may look at what is there" in told(app)
    assert buttons(app).isdisjoint({"Keep this data", "Delete for good", "People"})
    app.switch_page(WHAT_IF).run(timeout=FIRST_RUN)
    app.toggle(key="meeting").set_value(True).run(timeout=FIRST_RUN)
    assert "Ana decides" in told(app)
    assert {key for key in keys(app) if not key.startswith("scenario_show")} == set()
    assert not app.exception


def test_an_editor_of_a_part_sees_it_alone_and_saves_for_it(enter, plan):
    app = enter(BO, WHAT_IF, EDITOR, Scope.of("team", [WEST]))
    assert f"Every number here is of a part of the data: team {WEST} only." in told(app)
    assert "Anas" not in told(app)
    app.text_input(key="scenario_name").set_value("Mine")
    next(b for b in app.button if b.label == "Save").click().run()
    assert [row.name for row in scenarios.listed(find(plan.store, "Plan", BO))] == ["Mine"]
    assert [row.name for row in scenarios.listed(plan)] == ["Anas"]
    app.switch_page(TRACK).run(timeout=FIRST_RUN)
    assert any("No forecast is saved yet" in header.value for header in app.header)
    app.switch_page(LOAD).run(timeout=FIRST_RUN)
    assert buttons(app).isdisjoint({"Keep this data", "Delete for good", "People"})
    assert "1 scenario, 0 decisions, 0 saved forecasts" in told(app)
    for page in ("pages/data/columns.py", "pages/data/definitions.py"):
        app.switch_page(page).run(timeout=FIRST_RUN)
        assert app.title[0].value == "This page needs whole files"
    assert not app.exception


def test_an_owner_is_offered_all_of_it(enter):
    app = enter(ANA, LOAD)
    assert {"People", "Delete for good", "Sign out"} <= buttons(app)
    app.switch_page(WHAT_IF).run(timeout=FIRST_RUN)
    assert {"scenario_name", "scenario_drop_0"} <= keys(app)


def test_somebody_who_is_there_already_is_changed_and_keeps_their_rows(plan, monkeypatch):
    # AppTest draws all of an app, never a fragment alone.
    rerun = st.rerun
    monkeypatch.setattr("streamlit.rerun", lambda **_: rerun())

    def people():
        from kpis.store import Store, place
        from kpis.store.workspace import find
        from ui import people

        people.manage(find(Store.open(place()), "Plan", "ana@example.com"))

    def said():
        return [entry.what for entry in reversed(workspace_log(plan)) if entry.kind == "member"]

    as_viewer, as_editor = f"{BO} as viewer, team {WEST} only", f"{BO} as editor, team {WEST} only"
    members.admit(plan, BO, VIEWER, Scope.of("team", [WEST]))
    app = AppTest.from_function(people).run()
    assert "takes part already" not in told(app)
    app.text_input(key="people_address").set_value(" Bo@Example.com").run()
    assert f"**{BO}** takes part already" in told(app)
    assert buttons(app) == {"Save", "Remove"}
    app.button(key=f"people_save {BO}").click().run()
    assert said() == [as_viewer]  # nothing was changed
    app.segmented_control(key=f"people_role {BO}").set_value(EDITOR).run()
    app.button(key=f"people_save {BO}").click().run()
    assert said() == [as_viewer, as_editor]
    app.text_input(key="people_address").set_value("cy@example.com").run()
    assert buttons(app) == {"Invite"}
    app.button(key="people_save Somebody new").click().run()
    assert said() == [as_viewer, as_editor, "cy@example.com as viewer"]
    assert buttons(app) == {"Save", "Remove"}  # a second click cannot invite again
    assert not app.exception


def test_where_a_part_is_kept_is_not_said_while_names_are_masked(plan, monkeypatch):
    members.admit(plan, BO, VIEWER, Scope.of("team", [WEST]))
    bo = find(plan.store, "Plan", BO)
    found, _ = archive.opened(bo, snapshots.listed(bo)[0].id)
    for module, name, value in ((sign_in, "person", BO), (workspaces, "entered", "Plan"), (state, "intake", found)):
        monkeypatch.setattr(module, name, lambda value=value: value)
    said = {}
    for is_masked in (False, True):
        monkeypatch.setattr(state, "names_masked", lambda is_masked=is_masked: is_masked)
        said[is_masked] = reading.kept()()
    assert WEST in said[False].part
    assert said[True] is None


@pytest.mark.parametrize("change", ["sent away", "another part"])
def test_what_was_taken_away_is_not_shown_any_more(enter, plan, change, monkeypatch):
    app = enter(BO, TRACK, VIEWER)
    assert "Kept in Plan" in told(app)
    if change == "sent away":
        members.remove(plan, BO)
    else:
        members.admit(plan, BO, VIEWER, Scope.of("team", [WEST]))
    with monkeypatch.context() as moved_lever:
        moved_lever.setattr(keeping, "choose", lambda: None)  # only the page runs then, not the frame around it
        app.run()
        assert len(app.error) == 1
    app.switch_page(LOAD).run(timeout=FIRST_RUN)
    assert app.header[0].value.startswith("Demo company")
    assert "In this session only: nothing is kept" in told(app)
    assert not app.exception


def test_a_forecast_of_all_rows_is_not_saved_for_those_who_see_a_part(enter, plan):
    app = enter(BO, PIPELINE, EDITOR)
    members.admit(plan, BO, EDITOR, Scope.of("team", [WEST]))
    app.button(key="predict").click().run()  # what the page still shows is of all rows
    assert not app.exception
    assert ledger.listed(find(plan.store, "Plan", BO)) == []


def test_a_role_that_was_changed_holds_from_the_next_page_on(enter, plan):
    app = enter(BO, WHAT_IF, EDITOR)
    members.admit(plan, BO, VIEWER)
    # The form is still drawn; the store refuses, and says who could do it.
    app.text_input(key="scenario_name").set_value("Mine")
    next(b for b in app.button if b.label == "Save").click().run()
    assert any(
        f"As viewer you may not save in 'Plan'. Ask {ANA}" in error.value.replace("\\", "") for error in app.error
    )
    app.run()
    assert "You are a viewer of Plan" in told(app)
    assert [row.name for row in scenarios.listed(plan)] == ["Anas"]
