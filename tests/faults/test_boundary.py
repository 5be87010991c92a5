"""A page that fails: the person reads what to do, the log has one line, and neither has a value of the data."""

from __future__ import annotations

import shutil

import pytest

from tests.browser.conftest import serve
from tests.visitor import Visitor

APP = """
import streamlit as st
from ui import failures

@st.fragment
def part():
    if st.slider("Days", 0, 10, key="days") > 5:
        {}["Zebulon GmbH"]
    st.metric("Days", st.session_state["days"])

if __name__ == "__main__":
    st.title("Whole")
    part()
else:
    failures.watch()
    app = st.App(__file__, on_script_error=failures.say)
"""


def lines(log):
    return [line for line in log.read_text().splitlines() if "failure " in line]


def test_a_fragment_that_fails_is_told_logged_once_and_goes_on(root, tmp_path, monkeypatch):
    (tmp_path / "app.py").write_text(APP)
    shutil.copytree(root / ".streamlit", tmp_path / ".streamlit", ignore=shutil.ignore_patterns("secrets.toml"))
    monkeypatch.setenv("PYTHONPATH", str(root))
    log = tmp_path / "server.txt"
    with serve(tmp_path, log) as url, Visitor(url) as visitor:
        assert visitor.run().texts("heading") == ["Whole"]
        visitor.set("days", 8)
        [told] = visitor.texts("alert")
        assert told.startswith("Tandem failed at this. Nothing of yours was changed: try again. If it comes back,")
        assert visitor.texts("exception") == []
        assert visitor.set("days", 2).texts("alert", "metric") == ["2"]
        [line] = lines(log)
        assert "kind=KeyError" in line
        assert told.rstrip(".").split()[-1] in line
        assert "Zebulon" not in log.read_text()


@pytest.mark.thorough
def test_a_store_that_is_not_there_is_told_on_every_page_and_its_password_nowhere(root, tmp_path, monkeypatch):
    monkeypatch.setenv("TANDEM_DATA", "postgresql://zebulon:geheim@127.0.0.1:1/kundendaten")
    log = tmp_path / "server.txt"
    with serve(root, log) as url, Visitor(url) as visitor:
        visitor.run()
        assert any("The store cannot be used" in text for text in visitor.texts("alert"))
        began = visitor.texts("heading")
        assert began
        visitor.set("sales_cycle", 150)
        assert visitor.texts("exception") == []
        assert visitor.texts("heading") != began
        visitor.go("what_if")
        assert visitor.texts("exception") == []
        assert "geheim" not in str(visitor.shown)
    found = lines(log)
    assert found
    assert all('what="The store cannot be used (…)"' in line for line in found)
    assert [word for word in ("geheim", "zebulon", "kundendaten") if word in "".join(found)] == []
