"""One family of exceptions: each names the problem, the place and the way out."""

from __future__ import annotations


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
