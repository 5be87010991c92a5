"""A reading runs beside the page: how far it is, the way to stop it, and a later export onto what is loaded."""

from __future__ import annotations

import gc
import threading
import time

import pytest
from streamlit.testing.v1 import AppTest

from kpis.commands.options import in_store
from kpis.intake import Stopped, Watch, archive, read
from kpis.store import snapshots
from tests.intake.test_extend import EXPORTS, FILES, stored
from tests.test_data_pages import DEALS, FIRST_RUN, LOAD, sentence, start, table, upload
from ui import reading, running
from ui.running import Running
from ui.upload import GO_ON, REPLACE


@pytest.fixture
def endless(monkeypatch):
    """Call it: from then on readings end only when they are stopped. It gives the count of those that have."""
    ended = threading.Semaphore(0)

    def read_on(files, settings, progress):
        progress.begin(0.25, "more.csv", of=1200)
        progress.begin(0.25, "more.csv", 0.65, rows=300)
        progress.begin(0.4, "more.csv", 0.65)
        try:
            while True:
                progress.check()
                time.sleep(0.01)
        finally:
            ended.release()

    def from_now_on():
        monkeypatch.setattr(running, "AT_ONCE", 0.1)
        monkeypatch.setattr(reading, "read", read_on)
        return ended

    return from_now_on


def begin(app, *files):
    for name, content in files:
        app.file_uploader[0].upload(name, content)
    return app.run(timeout=FIRST_RUN)


def test_a_long_reading_tells_how_far_it_is_and_can_be_stopped(root, endless):
    app = start(root, LOAD, ("mine.csv", DEALS))
    app.slider(key="slippage").set_value(70).run()
    ended = endless()
    begin(app, ("more.csv", DEALS.encode()))
    [bar] = app.get("progress")
    # two fifths are done; of 1,200 rows the 300 of the part before
    assert (bar.proto.value, bar.proto.text) == (40, "more.csv, 300 of 1,200 rows")
    assert sentence(app).startswith("mine")  # every page shows the former data until then
    assert app.slider(key="slippage").value == 70
    app.button(key="stop_reading").click().run()
    told = [toast.value for toast in app.toast]
    assert ended.acquire(timeout=10)
    while reading.RUNNING in app.session_state:  # in a browser the page asks by itself until the thread has ended
        told += [toast.value for toast in app.run().toast]
    assert told == ["Reading was stopped. The former data are as they were."]
    assert not app.get("progress")
    assert sentence(app).startswith("mine")
    assert app.slider(key="slippage").value == 70


def test_a_page_that_is_closed_meanwhile_leaves_it_to_the_sidebar(root, endless):
    app = start(root, LOAD)
    ended = endless()
    begin(app, ("more.csv", DEALS.encode()))
    app.query_params["mask"] = "true"
    app.run()
    assert app.title[0].value == "Names are masked"
    said = [text.value for text in app.sidebar.markdown]
    app.session_state[reading.RUNNING].watch.stop()
    assert ended.acquire(timeout=10)
    assert any("Reading files" in text for text in said)


def test_newer_files_stop_the_reading_before_them(root, endless, monkeypatch):
    app = start(root, LOAD)
    ended = endless()
    begin(app, ("more.csv", DEALS.encode()))
    assert app.get("progress")
    monkeypatch.setattr(reading, "read", read)
    monkeypatch.setattr(running, "AT_ONCE", 60)
    begin(app, ("mine.csv", DEALS.encode()))
    assert ended.acquire(timeout=10)
    assert sentence(app).startswith("m")
    assert not app.get("progress")


def test_the_way_back_to_the_demo_company_stops_it(root, endless):
    app = start(root, LOAD, ("mine.csv", DEALS))
    ended = endless()
    begin(app, ("more.csv", DEALS.encode()))
    app.button(key="back").click().run(timeout=FIRST_RUN)
    assert ended.acquire(timeout=10)
    assert sentence(app).startswith("Demo company")
    assert not app.get("progress")


def test_what_fails_in_the_thread_is_said_on_the_page(root, monkeypatch):
    def broken(files, settings, progress):
        raise RuntimeError("not foreseen")

    app = start(root, LOAD)
    monkeypatch.setattr(reading, "read", broken)
    begin(app, ("more.csv", DEALS.encode()))
    assert app.error or app.exception
    monkeypatch.undo()
    app.run(timeout=FIRST_RUN)  # and the page works again
    assert sentence(app).startswith("Demo company")


def test_whoever_forgets_a_reading_stops_it():
    begun, stopped = threading.Event(), threading.Event()

    def work(watch: Watch) -> None:
        begun.set()
        try:
            while True:
                watch.check()
                time.sleep(0.01)
        except Stopped:
            stopped.set()

    mine = Running(work)
    assert begun.wait(10)
    assert not stopped.is_set()
    del mine
    gc.collect()
    assert stopped.wait(10)


# A later export


def shown(app, whole):
    """The tables that intake stores, of what the pages show; a model may have stored others beside them."""
    return {name: rows for name, rows in stored(app.session_state["upload"]).items() if name in whole}


def test_a_later_export_is_added_to_what_is_loaded(root):
    app = start(root, LOAD, *FILES[:2])
    assert app.radio(key="next_files").value == REPLACE
    app.radio(key="next_files").set_value(GO_ON).run()
    upload(app, FILES[2])
    assert not app.error
    assert list(table(app, "read", "accepted")["file"]) == [name for name, _ in FILES]
    whole = stored(read(EXPORTS))
    assert shown(app, whole) == whole
    # Settings that come later hold for all files, which are read once more.
    app.session_state["upload round"] += 1
    app.run()
    upload(app, ("tandem.toml", "confidence = 0.7\n"))
    assert app.session_state["upload"].dataset.settings.confidence == 0.7
    assert shown(app, whole) == whole


def test_a_later_export_is_added_to_what_was_kept(root, tmp_path, monkeypatch):
    monkeypatch.setenv("TANDEM_DATA", str(tmp_path))
    there, intake = in_store("Plan", None, make=True), read(EXPORTS[:2])
    snapshots.keep(there, archive.about(intake), lambda folder: archive.write(intake, EXPORTS[:2], folder))
    app = AppTest.from_file(str(root / "app.py"), default_timeout=20)
    app.query_params["workspace"] = "Plan"
    app.run(timeout=FIRST_RUN)
    app.switch_page(LOAD).run(timeout=FIRST_RUN)
    app.radio(key="next_files").set_value(GO_ON).run()
    upload(app, FILES[2])
    whole = stored(read(EXPORTS))
    assert shown(app, whole) == whole
    assert "These data are not kept" in "".join(text.value for text in app.markdown)


def test_without_data_of_ones_own_there_is_nothing_to_add_to(root):
    app = start(root, LOAD)
    with pytest.raises(KeyError):
        app.radio(key="next_files")


def test_a_later_export_that_does_not_fit_says_why_and_changes_nothing(root):
    app = start(root, LOAD, FILES[0])
    app.radio(key="next_files").set_value(GO_ON).run()
    history = "Opportunity ID,Stage,Amount,Changed At\nA,Qualify,100,2024-01-05\n"
    upload(app, ("history.csv", history))
    assert "Load all files together" in app.error[0].value
    assert len(app.session_state["upload"].files) == 1
