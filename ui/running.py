"""A reading under way: a thread of its own works, the page shows how far it is and can stop it."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar
from weakref import finalize

import streamlit as st

from kpis.answers.words import percent, plural
from kpis.intake import Watch
from ui.cards import plain, small

AT_ONCE = 0.5
"""Seconds within which small files are read: for those nothing is shown."""
EVERY = 0.5
"""Seconds between two looks at how far it is."""

_Read = TypeVar("_Read")


class Running(Generic[_Read]):
    """Work that a watch follows, begun at once. Whoever forgets it stops it: a session that ends, or newer files."""

    def __init__(self, work: Callable[[Watch], _Read]) -> None:
        self.watch, self._begun = Watch(), time.monotonic()
        pool = ThreadPoolExecutor(1, "reading")
        self._future: Future[_Read] = pool.submit(work, self.watch)
        pool.shutdown(wait=False)
        finalize(self, self.watch.stop)

    @property
    def is_done(self) -> bool:
        """Whether there is a result, or a reason why there is none; within the first half second it is waited for."""
        wait([self._future], max(0.0, self._begun + AT_ONCE - time.monotonic()))
        return self._future.done()

    def result(self) -> _Read:
        """What was read; raises what the reading raised."""
        return self._future.result()

    def said(self) -> tuple[float, str]:
        """The share that is done, and in words: which file, how many of its rows, how long it takes."""
        step = self.watch.now()
        if self.watch.is_stopped:
            return step.share, "Stopping"
        rows = f"{step.rows:,} of {plural(step.of, 'row')}" if step.of else ""
        left = step.seconds_left(time.monotonic() - self._begun)
        return step.share, ", ".join(filter(None, (step.text or "Beginning", rows, _duration(left))))


def _duration(seconds: float | None) -> str:
    """``about 40 s left``, ``about 3 min left``; empty where it is too early to say."""
    if seconds is None:
        return ""
    return f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {max(seconds, 1):.0f} s left"


@st.fragment(run_every=EVERY)
def follow(key: str) -> None:
    """How far the reading is that the session keeps under ``key``, and a way to stop it; one rerun once it is over."""
    running: Running[object] | None = st.session_state.get(key)
    if running is None or running.is_done:
        st.rerun()
    share, words = running.said()
    with st.container(border=True, key="reading_now"):
        st.progress(share, plain(words))
        st.markdown(small("Until then every page shows the former data: go on with them, or wait."))
        st.button(
            "Stop", on_click=running.watch.stop, disabled=running.watch.is_stopped, icon=":material/stop_circle:",
            key="stop_reading",
        )  # fmt: skip


@st.fragment(run_every=4 * EVERY)
def in_short(key: str) -> None:
    """The same in one line, for pages that show other things."""
    running: Running[object] | None = st.session_state.get(key)
    if running is None:
        return
    share, _ = running.said()
    if running.is_done:
        st.markdown(small(":material/task_alt: Files are read: see Load data", "green"))
    else:
        st.markdown(small(f":material/hourglass_top: Reading files: {plain(percent(share))} done"))
