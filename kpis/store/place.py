"""Where a store is: one folder without any set-up, or a database and a place for files that a team shares."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path

DATA, FILES = "TANDEM_DATA", "TANDEM_FILES"
"""Environment variables: a folder or the address of a database, and a folder or URL for the snapshots' files."""

IN_MEMORY = "sqlite://"


@dataclass(frozen=True)
class Place:
    """The address of the database, and the folder or URL (fsspec) that the snapshots' files lie under."""

    database: str
    files: str

    @property
    def is_there(self) -> bool:
        """Whether anything may be kept there: a database file that nobody has made yet holds nothing."""
        path = self.database.removeprefix("sqlite:///")
        return path == self.database or Path(path).exists()


def place(data: str = "", files: str = "") -> Place:
    """The place that is named; without names that of the environment, else this user's own folder.

    Parameters
    ----------
    data
        A folder, which then holds database and files, or the address of a database.
    files
        Folder or URL of the snapshots' files, where they are to lie elsewhere.
    """
    own = user_data_path("tandem", appauthor=False)
    data = data or os.environ.get(DATA) or str(own)
    files = files or os.environ.get(FILES, "")
    if "://" in data:
        return Place(data, files or str(own / "snapshots"))
    folder = Path(data).expanduser().absolute()
    return Place(f"sqlite:///{folder / 'tandem.db'}", files or str(folder / "snapshots"))
