"""What several people edit at once: a save says which edition it began from, and is told when there is a later one."""

from __future__ import annotations

from sqlalchemy.orm import make_transient

from kpis.errors import StoreError
from kpis.store import models

Edited = models.Scenario | models.Agreement

NEW = ""
"""The edition of what nobody has saved yet."""


class Changed(StoreError):
    """Somebody saved it after it was opened; nothing was written.

    Parameters
    ----------
    theirs
        What is saved now, with who saved it and when.
    """

    def __init__(self, what: str, theirs: Edited, seen: str) -> None:
        self.theirs = theirs
        when = f"{theirs.saved_at:%H:%M} UTC on {theirs.saved_at:%d %b %Y}"
        since = "after you opened it" if seen != NEW else "and you have not opened it"
        super().__init__(
            f"There is a later save of {what} by {theirs.saved_by}, at {when}, {since}",
            way_out="Take theirs, keep yours under another name, or merge both",
        )


def unchanged(row: Edited, seen: str, what: str) -> None:
    """Raise Changed unless the row is still in the edition that was seen."""
    if row.edition != seen:
        make_transient(row)  # so that it can be read when the transaction has been undone
        raise Changed(what, row, seen)
