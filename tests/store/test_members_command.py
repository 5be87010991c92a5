"""`members`: an operator hands over what was kept without signing in, and says who sees what."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from kpis.__main__ import app
from kpis.errors import StoreError
from kpis.store import LOCAL, Store, place, scenarios
from kpis.store.workspace import find, find_or_make, names

ANA, BO = "ana@example.com", "bo@example.com"


@pytest.fixture
def members(tmp_path):
    """``members(...)``: the members of Plan, which the local user has made, once the command has run."""
    find_or_make(Store.open(place(str(tmp_path))), "Plan", LOCAL)

    def run(*arguments):
        done = CliRunner().invoke(
            app,
            ["members", "--workspace", "Plan", "--store", str(tmp_path), "--json", *arguments],
            catch_exceptions=False,
        )
        assert done.exit_code == 0, done.output
        return [(row["person"], row["role"], row["sees"]) for row in json.loads(done.stdout)["members"]]

    return run


def test_a_workspace_is_handed_over(members, tmp_path):
    assert members() == [(LOCAL, "owner", "all rows")]
    assert members("--add", ANA, "--role", "owner", "--remove", LOCAL) == [(ANA, "owner", "all rows")]
    store = Store.open(place(str(tmp_path)))
    assert names(store, LOCAL) == []
    assert scenarios.listed(find(store, "Plan", ANA)) == []


def test_a_person_sees_the_rows_that_are_named(members):
    north = ("--scope", "team=South", "--scope", "team=North = West")
    assert members("--add", BO, *north)[0] == (BO, "viewer", "team North = West or South")
    # Another role shows them no other rows.
    assert members("--add", BO.upper(), "--role", "editor")[0] == (BO, "editor", "team North = West or South")
    assert members("--add", BO, "--scope", "all")[0] == (BO, "viewer", "all rows")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--remove", LOCAL), "needs an owner"),
        (("--add", "bo"), "no e-mail address"),
        (("--add", BO, "--role", "king"), "no role"),
        (("--add", BO, "--scope", "colour=red"), "told apart by 'colour'"),
        (("--add", BO, "--scope", "team"), "No team is named"),
    ],
)
def test_what_cannot_be_is_said(members, arguments, words):
    with pytest.raises(StoreError, match=words):
        members(*arguments)


@pytest.mark.parametrize("arguments", [("--role", "owner"), ("--add", BO, "--scope", "team=N", "--scope", "region=E")])
def test_options_that_do_not_go_together(tmp_path, arguments):
    find_or_make(Store.open(place(str(tmp_path))), "Plan", LOCAL)
    done = CliRunner().invoke(app, ["members", "--workspace", "Plan", "--store", str(tmp_path), *arguments])
    assert done.exit_code == 2
