"""Turns: as many pages are drawn at once as there are cores; the next one waits a moment for its turn.

Drawn all at once they would all be late: twenty pages of 80 ms each are all ready after 1.6 s. One after the other the
first is ready after 80 ms, and the middle one after half of the time.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from threading import BoundedSemaphore

import streamlit as st

PATIENCE = 1.0
"""Seconds after which a page is drawn without a turn: nobody waits longer for one that learns from a large upload."""

_turns = BoundedSemaphore(os.cpu_count() or 1)


def fragment(draw: Callable[[], None]) -> Callable[[], None]:
    """``st.fragment`` for the body of a page, whose runs take turns with those of all other visitors."""
    return st.fragment(in_turn(draw))


def in_turn(draw: Callable[[], None]) -> Callable[[], None]:
    """The same function, begun when it is its turn; it hands the turn on however it ends."""

    @functools.wraps(draw)
    def drawn() -> None:
        has_turn = _turns.acquire(timeout=PATIENCE)
        try:
            draw()
        finally:
            if has_turn:
                _turns.release()

    return drawn
