"""How far a reading is, and the way to stop it: one thread reads, any other asks.

Most of the time goes into the statements that store the rows of a file, so their own progress counts.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import RLock

import duckdb

from kpis.engine import Embedded
from kpis.errors import TandemError

SORTED_OUT, STORED, JOINED, SETTLED = 0.06, 0.62, 0.76, 0.95
"""Shares of a reading after which the files are recognised, their rows stored, the tables made to agree, and the rules
applied."""


class Stopped(TandemError):
    """Whoever asked for a reading does not want it any more."""


@dataclass(frozen=True)
class Step:
    """Where a reading is.

    Parameters
    ----------
    share
        Of the whole work, 0 to 1; it never falls.
    rows, of
        Rows stored so far, and how many there are; ``of`` is 0 until that is known.
    """

    share: float
    text: str
    rows: int = 0
    of: int = 0

    def seconds_left(self, elapsed: float) -> float | None:
        """How long the rest takes at the pace so far; None while that is too early to say."""
        return elapsed * (1 - self.share) / self.share if self.share > 0.05 and elapsed > 1 else None


class Watch:
    """Follows one reading: give it to ``read`` or ``check``, ask ``now()`` and call ``stop()`` from elsewhere.

    Parameters
    ----------
    told
        Called by the thread that reads, with share and text, whenever a part begins.
    """

    def __init__(self, told: Callable[[float, str], None] | None = None) -> None:
        self._told = told
        # whoever forgets a reading stops it, and that may be while this thread has its turn
        self._turn = RLock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._is_stopped = False
        self._begun, self._until, self._part = Step(0.0, ""), 0.0, 0
        self._frame = 0.0, 1.0
        self._done = self._shown = 0.0

    def now(self) -> Step:
        """Where the reading is at this moment."""
        with self._turn:
            begun = self._begun
            if self._connection and self._is_stopped:
                # the first call may have come between two statements
                self._connection.interrupt()
            if self._connection and self._part:
                self._done = max(self._done, self._connection.query_progress() / 100)
            self._shown = max(self._shown, begun.share + (self._until - begun.share) * self._done)
            return Step(self._shown, begun.text, begun.rows + round(self._part * self._done), begun.of)

    @property
    def is_stopped(self) -> bool:
        """Whether the reading is to end."""
        return self._is_stopped

    def stop(self) -> None:
        """End the reading: it raises Stopped as soon as its statement has given up, which ``now()`` asks of it again."""
        self._is_stopped = True
        self.now()

    def follow(self, engine: Embedded) -> None:
        """The engine whose statements do the work from now on."""
        with self._turn:
            # In a notebook without ipywidgets DuckDB refuses: there the shares move from part to part only.
            with suppress(duckdb.InvalidInputException):
                engine.execute("SET enable_progress_bar = true")
            self._connection = engine.execute("SELECT 1")

    def leave(self) -> None:
        """The engine is not to be asked any more."""
        with self._turn:
            self._connection = None

    def within(self, begin: float, end: float) -> None:
        """Of several readings one takes this share of the whole."""
        self._frame = begin, end

    def begin(self, share: float, text: str, until: float = 0.0, rows: int = 0, of: int = 0) -> None:
        """A part of the work begins.

        Parameters
        ----------
        until
            The share with which it ends.
        rows
            How many it stores; those of the part before are stored by now.
        of
            How many more than known so far there are in all.
        """
        self.check()
        low, high = self._frame
        with self._turn:
            before, self._until = self._begun, low + (high - low) * until
            self._begun = Step(low + (high - low) * share, text, before.rows + self._part, before.of + of)
            self._part, self._done = rows, 0.0
        if self._told:
            self._told(self._begun.share, text)

    def check(self) -> None:
        """Raise Stopped when the reading is to end."""
        if self._is_stopped:
            raise Stopped("The reading was stopped", way_out="Give the files again")
