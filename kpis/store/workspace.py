"""Workspaces: made, found, listed and deleted; and one person's hand on one of them, which all that is kept goes by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from kpis.errors import StoreError
from kpis.store import models
from kpis.store.store import Store

LOCAL = "local user"
"""Who acts where nobody signs in."""

Action = Literal["made", "saved", "deleted"]
VIEWER, EDITOR, OWNER = "viewer", "editor", "owner"
"""Roles of a member."""


@dataclass(frozen=True)
class Workspace:
    """A workspace in the hand of a person: every function that reads or changes what is kept takes one.

    ``reading`` and ``writing`` are the only ways in, so they are the place to ask what the person's role allows.
    """

    store: Store
    id: int
    name: str
    person: str
    role: str

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that only reads."""
        with self.store.reading() as session:
            yield session

    @contextmanager
    def writing(self, action: Action, kind: str, what: str) -> Iterator[Session]:
        """A transaction that changes something, and says in the audit log what: both are kept, or neither.

        Raises
        ------
        StoreError
            When somebody has deleted the workspace.
        """
        with self.store.writing() as session:
            # Locked, so that nothing is added to a workspace while it is being deleted.
            row = session.get(models.Workspace, self.id, with_for_update={"read": True})
            if row is None:
                raise StoreError(f"The workspace '{self.name}' was deleted", way_out="Keep your data in another one")
            session.add(_entry(row, self.person, action, kind, what))
            yield session


def names(store: Store, person: str) -> list[str]:
    """The workspaces that a person takes part in, by name."""
    mine = select(models.Workspace.name).join(models.Member).where(models.Member.person == person)
    with store.reading() as session:
        return list(session.scalars(mine.order_by(models.Workspace.name)))


def find(store: Store, name: str, person: str) -> Workspace:
    """The workspace of that name; StoreError where there is none that the person takes part in."""
    mine = select(models.Workspace.id, models.Member.role).join(models.Member).where(models.Member.person == person)
    with store.reading() as session:
        row = session.execute(mine.where(models.Workspace.name == name)).first()
    if row is None:
        known = ", ".join(names(store, person)) or "none yet"
        raise StoreError(f"There is no workspace '{name}'", place="workspace", way_out=f"Workspaces: {known}")
    return Workspace(store, row.id, name, person, row.role)


def find_or_make(store: Store, name: str, person: str) -> Workspace:
    """The workspace of that name; made, with the person as its owner, where there is none.

    Raises
    ------
    StoreError
        When the name is empty, too long, or that of a workspace which the person takes no part in.
    """
    name = name.strip()
    if not 0 < len(name) <= models.NAME:
        raise StoreError(f"A workspace needs a name of at most {models.NAME} characters", place="workspace")
    if name in names(store, person):
        return find(store, name, person)
    try:
        with store.writing() as session:
            row = models.Workspace(name=name, made_by=person)
            session.add(row)
            session.flush()
            session.add(models.Member(workspace_id=row.id, person=person, role=OWNER))
            session.add(_entry(row, person, "made", "workspace", name))
    except IntegrityError:  # somebody else made it this moment
        return find(store, name, person)
    return Workspace(store, row.id, name, person, OWNER)


def remove(workspace: Workspace) -> None:
    """Delete a workspace with all that is kept in it, files included."""
    with workspace.writing("deleted", "workspace", workspace.name) as session:
        own = models.Snapshot.workspace_id == workspace.id
        folders = session.scalars(select(models.Snapshot.id).where(own)).all()
        session.execute(delete(models.Workspace).where(models.Workspace.id == workspace.id))
    for folder in folders:
        workspace.store.files.remove(folder)


def log(workspace: Workspace) -> list[models.Entry]:
    """Who saved or deleted what in a workspace, the latest first."""
    with workspace.reading() as session:
        mine = select(models.Entry).where(models.Entry.workspace_id == workspace.id)
        return list(session.scalars(mine.order_by(models.Entry.id.desc())))


def _entry(row: models.Workspace, person: str, action: Action, kind: str, what: str) -> models.Entry:
    return models.Entry(person=person, workspace_id=row.id, workspace=row.name, action=action, kind=kind, what=what)
