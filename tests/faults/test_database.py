"""The store's database is away, slow, or was restarted: it is told, the session goes on, and what was kept is there."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import text

from kpis.assumptions import Assumptions
from kpis.engine.postgres import Postgres
from kpis.errors import InputError, StoreError
from kpis.intake import databases
from kpis.settings import Connection
from kpis.store import LOCAL, Store, decisions, scenarios
from kpis.store import database as connections
from kpis.store.workspace import find_or_make
from tests.test_data_pages import LOAD, sentence, upload
from tests.test_keeping_page import keep, start
from ui.upload import TEMPLATE

PIPELINE, WHAT_IF = "pages/meeting/pipeline.py", "pages/meeting/what_if.py"
AWAY = "The store cannot be used"


def problems(app):
    return [error.value for error in app.error]


def test_a_restarted_database_is_found_again_by_the_next_save(database, far_store):
    there = find_or_make(Store.open(far_store), "Plan", LOCAL)
    scenarios.save(there, "before", Assumptions(sales_cycle=1.1))
    database.restart()
    scenarios.save(there, "after", Assumptions(sales_cycle=1.2))
    assert {row.name for row in scenarios.listed(there)} == {"before", "after"}


def test_a_save_that_the_restart_cuts_off_is_told_and_half_of_it_is_nowhere(database, far_store):
    store = Store.open(far_store)
    there = find_or_make(store, "Plan", LOCAL)

    def cut_off():
        with there.writing("saved", "decision", "half") as session:
            session.execute(text("SELECT 1"))
            database.restart()
            session.execute(text("SELECT 1"))

    with pytest.raises(StoreError, match=AWAY):
        cut_off()
    decisions.add(there, "Hire", "Ana", date(2026, 3, 1), "page")
    assert [row.text for row in decisions.listed(there)] == ["Hire"]


def test_a_session_goes_on_while_the_store_is_away_and_saves_when_it_is_back(database, far_store, root, monkeypatch):
    monkeypatch.setenv("TANDEM_DATA", far_store.database)
    monkeypatch.setenv("TANDEM_FILES", far_store.files)
    app = start(root)
    upload(app, ("mine.csv", TEMPLATE))
    keep(app)
    before = sentence(app)
    database.stop()
    app.switch_page(LOAD).run(timeout=120)
    assert AWAY in problems(app)[0]
    assert sentence(app) == before
    app.switch_page(PIPELINE).run(timeout=120)
    assert not app.exception
    shown = sentence(app)
    database.start()
    app.run(timeout=120)
    assert problems(app) == []
    assert sentence(app) == shown
    app.switch_page(WHAT_IF).run()
    app.text_input(key="scenario_name").set_value("Back again")
    next(b for b in app.button if b.label == "Save").click().run()
    assert not app.exception
    there = find_or_make(Store.open(far_store), "Plan", LOCAL)
    assert [row.name for row in scenarios.listed(there)] == ["Back again"]


def test_what_takes_too_long_is_given_up_and_told(far_store, monkeypatch):
    quick = ("SET TIME ZONE 'UTC'", "SET lock_timeout = '1s'", "SET statement_timeout = '1s'")
    assert len(connections._ON_CONNECT["postgresql"]) == len(quick)
    monkeypatch.setitem(connections._ON_CONNECT, "postgresql", quick)
    store = Store.open(far_store)
    there = find_or_make(store, "Plan", LOCAL)

    def slow():
        with store.reading() as session:
            session.execute(text("SELECT pg_sleep(60)"))

    with pytest.raises(StoreError, match=r"cannot be used.*timeout"):
        slow()
    with store.engine.connect() as other:
        other.execute(text("LOCK TABLE scenarios"))
        with pytest.raises(StoreError, match=r"cannot be used.*timeout"):
            scenarios.save(there, "waits", Assumptions())
    scenarios.save(there, "free again", Assumptions())
    assert [row.name for row in scenarios.listed(there)] == ["free again"]


@pytest.fixture
def impatient(monkeypatch):
    """A silent server is given up after a second and a half."""
    patience = pytest.importorskip("kpis.postgres")
    monkeypatch.setattr(patience, "REACHABLE", 1)
    monkeypatch.setattr(patience, "GRACE", 0.5)
    monkeypatch.setattr(connections, "WAIT", 1)


@pytest.mark.usefixtures("impatient")
def test_a_frozen_store_is_given_up_and_found_again(database, far_store):
    store = Store.open(far_store)
    there = find_or_make(store, "Plan", LOCAL)

    def cut_off():
        with there.writing("saved", "decision", "half") as session, database.frozen():
            session.execute(text("SELECT 1"))

    with pytest.raises(StoreError, match=rf"{AWAY} \(.*silent for 1.5 seconds"):
        cut_off()
    with database.frozen(), pytest.raises(StoreError, match=rf"{AWAY} \(.*timeout expired"):
        scenarios.save(there, "waits", Assumptions())
    scenarios.save(there, "after", Assumptions())
    assert [row.name for row in scenarios.listed(there)] == ["after"]
    assert decisions.listed(there) == []


@pytest.mark.usefixtures("impatient")
def test_data_in_a_frozen_database_are_told_to_be_loaded_again(database):
    url = database.address()
    session = Postgres(url, "postgres://here/crm", rows=10, seconds=1)
    with database.frozen():
        for _ in range(2):
            with pytest.raises(InputError, match=r"ended the session, or cannot be reached.*Load the data again"):
                session.fetch("SELECT 1 AS one")
        with pytest.raises(InputError, match="cannot be reached"):
            Postgres(url, "postgres://here/crm", rows=10, seconds=1)
        with pytest.raises(InputError, match="the database cannot be read"):
            databases.look(url, Connection(seconds=1))
    assert Postgres(url, "postgres://here/crm", rows=10, seconds=1).fetch("SELECT 1 AS one").to_pydict() == {"one": [1]}


def test_data_in_a_database_that_restarts_are_told_to_be_loaded_again(database):
    session = Postgres(database.address(), "postgres://here/crm", rows=10, seconds=10)
    assert session.fetch("SELECT 1 AS one").to_pydict() == {"one": [1]}
    database.restart()
    for _ in range(2):
        with pytest.raises(InputError, match=r"ended the session.*postgres://here/crm.*Load the data again"):
            session.fetch("SELECT 1 AS one")


def test_data_in_a_database_that_is_not_there_are_told():
    pytest.importorskip("psycopg")
    with pytest.raises(InputError, match="cannot be reached") as told:
        Postgres("postgresql://ana:geheim@127.0.0.1:1/db", "postgres://127.0.0.1/db", rows=10, seconds=10)
    assert "geheim" not in str(told.value)
