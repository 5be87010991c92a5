"""Turns: no more pages are drawn at once than may be, nobody waits for ever, and a failure hands its turn on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore, Event, Lock

import pytest

from ui import turns


@pytest.fixture
def one(monkeypatch):
    """A server with one core."""
    monkeypatch.setattr(turns, "_turns", BoundedSemaphore(1))


def test_one_core_draws_one_page_at_a_time(one):
    lock, now, most = Lock(), [0], [0]

    @turns.in_turn
    def page():
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        Event().wait(0.01)
        with lock:
            now[0] -= 1

    with ThreadPoolExecutor(8) as pool:
        for run in [pool.submit(page) for _ in range(20)]:
            run.result()
    assert most == [1]


def test_nobody_waits_longer_than_a_moment(one, monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE", 0.05)
    drawn, over = Event(), Event()
    with ThreadPoolExecutor(1) as pool:
        long = pool.submit(turns.in_turn(lambda: (drawn.set(), over.wait(20))))
        assert drawn.wait(20)
        turns.in_turn(lambda: None)()
        assert not long.done()
        over.set()
    # the turn of the long one is there again, and only that one
    assert turns._turns.acquire(timeout=0)
    assert not turns._turns.acquire(timeout=0)


def test_a_page_that_fails_hands_its_turn_on(one):
    @turns.in_turn
    def page():
        raise KeyError

    for _ in range(3):
        with pytest.raises(KeyError):
            page()
    assert turns._turns.acquire(timeout=0)
