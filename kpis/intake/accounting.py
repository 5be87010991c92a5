"""What happened to every row: rows read = accepted + rejected + merged, for every file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from kpis.dataset import Dataset
from kpis.intake.mapping import Mapped

KEPT = "kept"
"""Format of a table that was opened where it is kept, without the files it came from."""


@dataclass(frozen=True)
class Reject:
    """A row that was not taken, and why."""

    line: int
    reason: str


@dataclass(frozen=True)
class FileReport:
    """What became of one file (or sheet, or table in a file).

    Parameters
    ----------
    table
        The table it feeds; None when it was refused, and then ``reason`` says why.
    read, accepted, rejected, merged
        Rows. Merged are exact duplicates, older states that became history, and rows of a lookup whose
        values were joined into another table.
    joined
        True for a lookup: its columns were joined into ``table``.
    samples
        Column -> a few different values of it as written, for the person who checks the mapping.
    """

    file: str
    format: str
    table: str | None
    read: int = 0
    accepted: int = 0
    rejected: int = 0
    merged: int = 0
    reason: str = ""
    mapping: tuple[Mapped, ...] = ()
    rejects: tuple[Reject, ...] = ()
    warnings: tuple[str, ...] = ()
    questions: tuple[str, ...] = field(default=())
    joined: bool = False
    samples: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False, compare=False)

    def document(self) -> dict[str, Any]:
        """The report as ``check`` prints it: without the samples, which are the company's data."""
        whole = asdict(self) | {"warnings": [*self.questions, *self.warnings]}
        return {key: value for key, value in whole.items() if key != "samples"}


@dataclass(frozen=True)
class Defect:
    """A defect of the data and the money it touches, in the currency of the dataset."""

    defect: str
    rows: int
    amount: float


@dataclass(frozen=True)
class Intake:
    """A dataset, and what became of every row on the way to it."""

    dataset: Dataset
    files: tuple[FileReport, ...]
    defects: tuple[Defect, ...]
    notes: tuple[str, ...] = field(default=())
