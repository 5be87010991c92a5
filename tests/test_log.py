"""The log: each failure is one line with what, where and what to do, and without any value that was put in."""

from __future__ import annotations

import ast
import logging
import sqlite3
import threading
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kpis import log
from kpis.errors import Failure, InputError, NotEnoughData, StoreError, TandemError, mark, told
from kpis.intake import read
from kpis.store import Store, place

NAME = "Zebulon GmbH & Co"


@pytest.fixture
def record_factory(monkeypatch):
    """The factory of records as it is, put back after the test.

    In the same process Streamlit keeps the log from its parents, and import-linter switches it off.
    """
    monkeypatch.setattr(log.LOG, "propagate", True)
    monkeypatch.setattr(log.LOG, "disabled", False)
    before, hook = logging.getLogRecordFactory(), threading.excepthook
    yield
    logging.setLogRecordFactory(before)
    threading.excepthook = hook


def raised(make):
    """What a function raises."""
    with pytest.raises(Exception) as caught:
        make()
    return caught.value


def wrong_store():
    Store.open(place(f"postgresql://{NAME[:4]}:geheim@127.0.0.1:1/{NAME[-4:]}"))


def wrong_file():
    Path("/nowhere", NAME).read_bytes()


def wrong_row():
    {}[NAME]


def wrong_upload():
    read([(f"{NAME}.csv", f"{NAME}\n{NAME}".encode())])


def wrong_cause():
    try:
        int(NAME)
    except ValueError as error:
        raise InputError(f"'{NAME}' is no number", place=f"column {NAME}", way_out=f"Not {NAME}") from error


def no_words():
    raise NotEnoughData(NAME, place=NAME)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (wrong_store, ['what="The store cannot be used (…)"', 'do="Check that it is there', 'kind="StoreError < ']),
        (wrong_file, ['what="The system refuses it: …"', 'kind="FileNotFoundError ENOENT"', "tests/test_log.py:"]),
        (wrong_row, ['what="Tandem failed at this"', "kind=KeyError", "tests/test_log.py:"]),
        (wrong_upload, ["kind=InputError", "kpis/intake/reader.py:"]),
        (wrong_cause, ['what="\'…\' is no number"', 'at="column …"', 'do="Not …"', 'kind="InputError < ValueError"']),
        (no_words, ['what="The data cannot support the question', 'do="Upload what is missing"']),
    ],
)  # fmt: skip
def test_a_failure_is_a_line_of_the_words_in_the_source(make, words):
    line = log.failure(raised(make), page="/load")
    assert line.startswith("failure page=/load what=")
    assert [word for word in words if word not in line] == []
    hidden = [NAME, NAME[:4], NAME[-4:], "Zeb", "geheim"]
    assert [word for word in hidden if word in line] == []
    assert "\n" not in line


@given(st.text(min_size=1), st.booleans())
@example("a=b c\n", True)
def test_whatever_is_put_in_stays_out(value, is_chained):
    value = f"«{value}»"
    error = StoreError(f"There is no deal '{value}'", place=f"{value}", way_out=f"Choose {value}")
    if is_chained:
        error.__cause__ = KeyError(value)
    line = log.failure(error)
    assert "«" not in line
    assert "There is no deal '…'" in line


def test_every_error_of_the_house_is_told_in_the_words_of_its_source(root):
    kinds = {"InputError", "AssumptionError", "NotEnoughData", "StoreError", "Failure"}
    said, silent = 0, []
    for path in sorted((root / "kpis").rglob("*.py")):
        for call in (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)):
            name = getattr(call.func, "id", "")
            if name in kinds:
                error = Exception.__new__(vars(__import__("kpis.errors").errors)[name])
                error.written_at = str(path), call.lineno
                words = log._words(error)
                assert words["what"], path
                assert words["do"], path
                said += 1
                silent += [(path, call.lineno)] if words["what"] == (type(error).__doc__ or "").rstrip(".") else []
    assert said > 100
    assert len(silent) < said / 8  # those that hand on what another one said


def test_the_words_for_a_person():
    assert told(error := InputError("No")) is error
    full = told(sqlite3.OperationalError("disk I/O error: No space left on device"))
    assert str(full) == "A disk of the server is full. Make room there, then try again"
    assert told(MemoryError()).problem == "There is too little memory for this"
    assert told(PermissionError(13, "Permission denied", "/x")).place == "/x"
    strange = raised(wrong_row)
    assert isinstance(told(strange), Failure)
    assert mark(strange) in told(strange).way_out
    assert mark(told(strange)) == mark(strange) == mark(raised(wrong_row))
    assert mark(strange) in log.failure(told(strange))


def test_whatever_a_library_logs_of_an_exception_is_such_a_line(record_factory, caplog):
    log.without_values(lambda: {"page": "/coverage"})
    logging.getLogger("some.library").error("It failed with %s", NAME, exc_info=raised(wrong_row))
    logging.getLogger("some.library").warning("No exception here")
    thread = threading.Thread(target=wrong_row)
    thread.start()
    thread.join()
    first, second, third = caplog.messages
    assert first.startswith('failure page=/coverage what="Tandem failed at this"')
    assert second == "No exception here"
    assert third.partition(" code=")[0] == first.partition(" code=")[0].replace(
        mark(raised(wrong_row)), third.partition("mark=")[2][:8]
    )
    assert NAME not in caplog.text


def test_what_a_person_was_told_is_logged_once_and_what_the_data_lack_is_not(record_factory, caplog):
    log.without_values()
    error = StoreError("The store is away")
    log.note(error)
    log.note(error)
    log.note(NotEnoughData("needs table leads"))
    assert len(caplog.messages) == 1
    assert 'what="The store is away"' in caplog.text


def test_values_with_spaces_stand_in_quotes():
    assert log.line("report", as_of="2026-08-14", target=None, name='The "new" plan') == (
        'report as_of=2026-08-14 target= name="The \\"new\\" plan"'
    )


def test_an_error_whose_source_is_not_there_is_still_told(monkeypatch):
    error = TandemError("x")
    error.written_at = "/nowhere/at/all.py", 3
    assert log._words(error)["what"] == "Base of every error a person is meant to read"
