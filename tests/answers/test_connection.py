"""What is in a database: tables by their names and aliases, and what they lack, without reading a row."""

from __future__ import annotations

import sqlite3

from kpis.answers.connection import connection_answer
from kpis.intake.databases import look, proposed
from kpis.settings import Connection

THERE = {
    "crm.Deals": ("Id", "Stage", "Amount", "Created At"),
    "leads": ("lead_id", "Create Date"),
    "payroll": ("name",),
}


def test_tables_are_proposed_by_what_they_are_called():
    assert proposed(THERE) == {"opportunities": "crm.Deals", "leads": "leads"}


def test_what_is_there_is_enough():
    answer = connection_answer("h/crm", THERE, proposed(THERE))
    assert answer.sentence == "h/crm has 3 tables and views, and 2 of them are chosen. They have what is needed."
    rows = answer.tables["tables"].set_index("table")
    assert list(rows.loc["opportunities", ["there", "fields", "lacks"]]) == ["crm.Deals", 4, ""]
    assert rows["there"].notna().sum() == 2


def test_what_is_missing_is_named():
    answer = connection_answer("h/crm", THERE, {"opportunities": "payroll"})
    assert "opportunities lacks opportunity_id, stage or status" in answer.sentence
    assert connection_answer("h/crm", THERE, {}).sentence.endswith("Say which holds the opportunities.")
    # One that is gone since is not there.
    assert connection_answer("h/crm", THERE, {"opportunities": "gone"}).sentence.endswith(
        "Say which holds the opportunities."
    )


def test_a_look_gives_tables_views_and_columns(tmp_path):
    path = tmp_path / "crm.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "CREATE TABLE deals (id text, stage text); CREATE VIEW open_deals AS SELECT id FROM deals"
        )
    assert look(f"sqlite:///{path}", Connection()) == {"deals": ("id", "stage"), "open_deals": ("id",)}
