"""The line is cut in a drag, or the server dies: who comes back finds the data, and the levers where they were."""

from __future__ import annotations

import psutil
import pytest

from kpis import demo
from kpis.__main__ import app
from tests.browser.conftest import serve
from tests.visitor import Visitor


@pytest.fixture
def company(tmp_path):
    """The files of a small company."""
    return demo.write(tmp_path / "company", opportunities=300, seed=3, years=2)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "server.txt"


def answers(visitor):
    return visitor.texts("heading", "metric")


def test_a_line_that_is_cut_in_a_drag_costs_nothing(root, log, company):
    with serve(root, log) as url:
        visitor = Visitor(url, "load").run()
        visitor.upload([(path.name, path.read_bytes()) for path in company], "files_")
        visitor.follow(lambda it: any("opportunities and" in text for text in it.texts("heading")))
        began = answers(visitor.go(""))
        wanted = answers(visitor.set("sales_cycle", 120))
        assert wanted != began
        visitor.set("sales_cycle", 100)
        for value in (105, 110, 115, 120):
            visitor.send("sales_cycle", value)
        session = visitor.session
        visitor.close()
        visitor.connect()
        # The last of the moves may still be on its way when the first answer comes.
        visitor.follow(lambda it: answers(it.run()) == wanted)
        assert visitor.session == session
        visitor.close()
    assert "failure" not in log.read_text()


@pytest.mark.thorough
def test_a_killed_server_is_replaced_and_kept_data_come_back_with_their_levers(
    root, log, company, tmp_path, monkeypatch
):
    from typer.testing import CliRunner

    monkeypatch.setenv("TANDEM_DATA", str(tmp_path / "store"))
    kept = CliRunner().invoke(app, ["keep", str(company[0].parent), "--workspace", "Plan"])
    assert kept.exit_code == 0, kept.output
    others = {child.pid for child in psutil.Process().children()}
    with serve(root, log) as url:
        server = next(child for child in psutil.Process().children() if child.pid not in others)
        visitor = Visitor(url, workspace="Plan").run()
        began = answers(visitor)
        wanted = answers(visitor.set("sales_cycle", 120))
        assert wanted != began
        server.kill()
        server.wait()
    with serve(root, log, int(url.rpartition(":")[2])) as again:
        assert again == url
        visitor.connect()
        assert answers(visitor.run()) == wanted
        visitor.close()
