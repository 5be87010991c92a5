"""Room for uploads: what is too much is refused in words and let go; what is replaced is free again."""

from __future__ import annotations

import gc
import time

from tests.test_data_pages import LOAD, sentence, start, upload
from ui import room
from ui.upload import TEMPLATE

LARGE = TEMPLATE + "".join(f"{n},Deal {n},Ann,Proposal,open,5,2026-01-01,,\n" for n in range(2000, 3000))


def held():
    gc.collect()
    return sorted(each.size for each in room._everyone)


def wait_for(sizes):
    """What is held comes to this: a thread that has read for the session may take a moment longer to end."""
    deadline = time.monotonic() + 10
    while held() != sizes and time.monotonic() < deadline:
        time.sleep(0.1)
    assert held() == sizes


def test_files_of_more_than_a_session_may_hold_are_refused_and_let_go(root, monkeypatch):
    monkeypatch.setenv(room.OF_SESSION, "0.02")  # 20,000 bytes; LARGE has about 39,000
    app = start(root, LOAD, ("mine.csv", TEMPLATE))
    before = sentence(app)
    upload(app, ("large.csv", LARGE))
    assert "a session may hold 20 kB" in app.error[0].value
    assert sentence(app) == before
    assert len(TEMPLATE) in held()
    assert len(LARGE) not in held()


def test_a_full_server_says_so_until_somebody_leaves(root, monkeypatch):
    monkeypatch.setenv(room.OF_SERVER, "0.06")
    first = start(root, LOAD, ("large.csv", LARGE))
    assert held()[-1] == len(LARGE)
    second = start(root, LOAD)
    upload(second, ("large.csv", LARGE))
    assert "This server is full" in second.error[0].value
    first.button(key="back").click().run()
    wait_for([])
    upload(second, ("again.csv", LARGE))
    assert not second.error
    assert held() == [len(LARGE)]


def test_a_session_that_ends_leaves_its_room(root):
    app = start(root, LOAD, ("large.csv", LARGE))
    assert held() == [len(LARGE)]
    del app
    wait_for([])
