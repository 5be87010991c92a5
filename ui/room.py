"""How much the sessions of this server may hold: one of them, and all; and giving back what they hold no more."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from weakref import WeakSet, finalize

import streamlit as st

from kpis import memory
from kpis.answers.words import size as said
from kpis.errors import InputError
from kpis.intake.sources import Upload

OF_SESSION, OF_SERVER = "TANDEM_SESSION_MB", "TANDEM_SERVER_MB"
"""Environment variables: MB of files, as they were uploaded, in one session and in all sessions of a process."""
USUAL = {OF_SESSION: 500, OF_SERVER: 2000}
HELD = "held"
SOON = 2.0
"""Seconds after which the run that replaced data, and the session that ended, have let go of them."""


@dataclass(eq=False)
class Held:
    """The bytes of a session's files; counted for as long as the session has this."""

    size: int


_everyone: WeakSet[Held] = WeakSet()


def take(files: Iterable[Upload | Path]) -> None:
    """Count these files as the session's, in place of those of before.

    Raises
    ------
    InputError
        When they are more than a session, or all sessions together, may hold. Those of before stay then.
    """
    size = sum(len(file[1]) for file in files if isinstance(file, tuple))
    before = st.session_state.get(HELD)
    others = sum(held.size for held in [*_everyone] if held is not before)
    if size > _limit(OF_SESSION):
        raise InputError(
            f"These files have {said(size)}; a session may hold {said(_limit(OF_SESSION))}",
            place="upload",
            way_out="Export fewer years or columns; whoever runs the server can raise the limit",
        )
    if others + size > _limit(OF_SERVER):
        raise InputError(
            f"This server is full: others hold {said(others)} of {said(_limit(OF_SERVER))}",
            place="upload",
            way_out="Try again when somebody has left, or ask whoever runs the server for more room",
        )
    held = st.session_state[HELD] = Held(size)
    _everyone.add(held)
    finalize(held, give_back_soon).atexit = False


def leave() -> None:
    """The session holds no files any more."""
    st.session_state.pop(HELD, None)


def give_back_soon() -> None:
    """Have the system get back what was freed, once nobody holds it any more; beside whatever runs."""
    timer = Timer(SOON, _give_back)
    timer.daemon = True
    timer.start()


def _give_back() -> None:
    """Free cycles now, which Python does late, and what is kept of their memory."""
    gc.collect()
    memory.give_back()


def _limit(name: str) -> int:
    return round(1e6 * float(os.environ.get(name) or USUAL[name]))
