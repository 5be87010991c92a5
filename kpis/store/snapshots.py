"""Kept datasets: a row that tells of each, and a folder of files that whoever keeps it writes and reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from kpis.errors import StoreError
from kpis.store import models
from kpis.store.files import new_name
from kpis.store.workspace import Workspace


@dataclass(frozen=True)
class About:
    """What is told of a snapshot without opening it.

    Parameters
    ----------
    newest
        The newest day in the data.
    rows
        How many were accepted.
    """

    name: str
    fingerprint: str
    newest: date
    rows: int


def listed(workspace: Workspace) -> list[models.Snapshot]:
    """The snapshots, the one with the newest data first."""
    with workspace.reading() as session:
        newest = models.Snapshot.newest.desc(), models.Snapshot.id.desc()
        return list(session.scalars(workspace.rows(models.Snapshot).order_by(*newest)))


def kept(workspace: Workspace, fingerprint: str) -> models.Snapshot | None:
    """The snapshot of exactly these data under these settings, or of what the person sees of them; None without."""
    marked = workspace.scope.mark
    return next((row for row in listed(workspace) if fingerprint in (row.fingerprint, marked(row.fingerprint))), None)


def keep(workspace: Workspace, about: About, write: Callable[[Path], None]) -> models.Snapshot:
    """Keep a snapshot; one of the same data is there already and stays.

    Parameters
    ----------
    write
        Writes the files into a folder. The snapshot is there once all of them are on the disk, and not before.
    """
    found = kept(workspace, about.fingerprint)
    if found is not None:
        return found
    with workspace.reading() as session:
        name = new_name(session.scalar(select(func.now())))
    with workspace.store.files.adding(name) as folder:
        write(folder)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    row = models.Snapshot(
        id=name, workspace_id=workspace.id, name=about.name, fingerprint=about.fingerprint, newest=about.newest,
        rows=about.rows, size=size, kept_by=workspace.person,
    )  # fmt: skip
    try:
        with workspace.writing("saved", "snapshot", _called(row)) as session:
            session.add(row)
    except BaseException as error:
        workspace.store.files.remove(name)
        found = kept(workspace, about.fingerprint)
        if isinstance(error, IntegrityError) and found is not None:  # somebody else kept the same this moment
            return found
        raise
    return row


@contextmanager
def opened(workspace: Workspace, name: str) -> Iterator[Path]:
    """A folder with the files of a snapshot, to be read while the block runs.

    Raises
    ------
    StoreError
        When somebody has deleted it.
    """
    if name not in {row.id for row in listed(workspace)}:
        raise StoreError(f"The snapshot {name} was deleted", place=workspace.name)
    with workspace.store.files.reading(name) as folder:
        yield folder


def delete(workspace: Workspace, name: str) -> None:
    """Delete a snapshot, its row first; files that a crash leaves behind go when the store is opened next."""
    row = next((row for row in listed(workspace) if row.id == name), None)
    if row is None:
        return
    with workspace.writing("deleted", "snapshot", _called(row)) as session:
        session.delete(session.merge(row))
    workspace.store.files.remove(name)


def _called(row: models.Snapshot) -> str:
    return f"{row.name}, to {row.newest}"
