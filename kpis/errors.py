"""One family of exceptions: each names the problem, the place and the way out; any other is told in its words."""

from __future__ import annotations

import errno
import inspect
import os
import traceback
from pathlib import Path
from zlib import crc32

HOUSE = Path(__file__).resolve().parent.parent
"""The checkout."""

_FULL = os.strerror(errno.ENOSPC)
_NO_MEMORY = ("MemoryError", "OutOfMemoryException")
"""Python's, and that of DuckDB, which is not imported for its name."""


class TandemError(Exception):
    """Base of every error a person is meant to read.

    Parameters
    ----------
    problem
        What is wrong, in one sentence without a full stop at the end.
    place
        Where: file, row, column, setting or lever.
    way_out
        What the person can do about it.
    """

    def __init__(self, problem: str, *, place: str = "", way_out: str = "") -> None:
        self.problem = problem
        self.place = place
        self.way_out = way_out
        maker = inspect.currentframe().f_back
        self.written_at = maker.f_code.co_filename, maker.f_lineno
        """File and line of the words, for the log."""
        where = f" ({place})" if place else ""
        hint = f". {way_out}" if way_out else ""
        super().__init__(f"{problem}{where}{hint}")


class InputError(TandemError):
    """A file or table cannot be used as it is."""


class AssumptionError(TandemError):
    """A lever or setting has an unknown name or an impossible value."""


class NotEnoughData(TandemError):
    """The data cannot support the question; the headless commands exit 1 on it."""


class StoreError(TandemError):
    """What is kept cannot be reached, read or written."""


class Failure(TandemError):
    """What nobody can foresee: the machine's limits, and mistakes in Tandem."""


def told(error: BaseException) -> TandemError:
    """Any exception as one that a person can act on; what was raised for people stays as it is."""
    if isinstance(error, TandemError):
        return error
    said = _said(error)
    said.__cause__ = error
    return said


def _said(error: BaseException) -> Failure:
    if _FULL in str(error):
        return Failure("A disk of the server is full", way_out="Make room there, then try again")
    if type(error).__name__ in _NO_MEMORY:
        return Failure(
            "There is too little memory for this", way_out="Use fewer files or fewer years, or give the server more"
        )
    if isinstance(error, OSError) and error.strerror:
        return Failure(
            f"The system refuses it: {error.strerror}", place=str(error.filename or ""),
            way_out="Check that the place is there and may be written to",
        )  # fmt: skip
    return Failure(
        "Tandem failed at this",
        way_out=f"Nothing of yours was changed: try again. If it comes back, report {mark(error)}",
    )


def mark(error: BaseException) -> str:
    """A short mark of a failure, the same whenever it happens at the same place: on the page and in the log."""
    origin = _origin(error)
    return f"{crc32(' '.join((type(origin).__name__, *places(origin))).encode()):08x}"


def places(error: BaseException) -> list[str]:
    """Where an exception came through Tandem's own code, innermost first: ``kpis/engine/base.py:190``."""
    origin = _origin(error)
    if isinstance(origin, TandemError):
        found = [origin.written_at]
    else:
        found = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(origin.__traceback__)][::-1]
    own = [(Path(file), line) for file, line in found if "site-packages" not in file]
    return [f"{file.relative_to(HOUSE).as_posix()}:{line}" for file, line in own if file.is_relative_to(HOUSE)]


def _origin(error: BaseException) -> BaseException:
    """What a failure is the words for."""
    return error.__cause__ if isinstance(error, Failure) and error.__cause__ else error
