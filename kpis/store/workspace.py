"""Workspaces: made, found, listed and deleted; and one person's hand on one of them, which all that is kept goes by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Select, delete, literal, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from kpis.errors import StoreError
from kpis.store import models
from kpis.store.roles import ASKS_FOR, MAY_NOT, OWNER, VIEWER, Action, Kind, Right, right_of
from kpis.store.scope import ALL, Scope
from kpis.store.store import Store

LOCAL = "local user"
"""Who acts where nobody signs in."""

OPERATOR = "operator"
"""Who acts by a command, and so holds the store itself: may do everything in every workspace, and sees all rows."""

_Row = TypeVar("_Row", bound=models.Base)


class NotAllowed(StoreError):
    """The person takes no part in the workspace, or lacks the right; it says who could do it."""


@dataclass(frozen=True)
class Workspace:
    """A workspace in the hand of a person: every function that reads or changes what is kept takes one.

    ``reading`` and ``writing`` are the only ways in. Each asks, in its own transaction, whether the person takes part
    and may do this: a role that was changed holds from the next one on.

    Parameters
    ----------
    scope
        Which rows the person sees.
    """

    store: Store
    id: int
    name: str
    person: str
    role: str
    scope: Scope = ALL

    @property
    def right(self) -> Right:
        """What the person may do."""
        return right_of(self.role, self.scope)

    @contextmanager
    def reading(self, needs: Right = Right.LOOK) -> Iterator[Session]:
        """A transaction that only reads.

        Raises
        ------
        NotAllowed
            When the person has no part in the workspace, or the right is lacking.
        """
        with self.store.reading() as session:
            self._ask(session, needs)
            yield session

    @contextmanager
    def writing(self, action: Action, kind: Kind, what: str) -> Iterator[Session]:
        """A transaction that changes something, and says in the audit log what: both are kept, or neither.

        Raises
        ------
        NotAllowed
            When the person may not change things of that kind.
        StoreError
            When somebody has deleted the workspace.
        """
        needs = ASKS_FOR[kind]
        with self.store.writing() as session:
            # Locked, so that nothing is added to a workspace while it is being deleted, or by somebody whose role is
            # being changed: what its owners alone may do waits for all others, and they for it.
            row = session.get(models.Workspace, self.id, with_for_update={"read": needs < Right.OWN})
            if row is None:
                raise StoreError(f"The workspace '{self.name}' was deleted", way_out="Keep your data in another one")
            self._ask(session, needs)
            session.add(_entry(row, self.person, action, kind, what))
            yield session

    def rows(self, kind: type[_Row]) -> Select[tuple[_Row]]:
        """The query for what of a kind the person sees here: every list, and every deletion, begins with it."""
        here = select(kind).where(kind.workspace_id == self.id)
        return here.where(kind.scope == self.scope.text) if issubclass(kind, models.Scoped) else here

    def _ask(self, session: Session, needs: Right) -> None:
        """Raise NotAllowed unless the person still has the part in the workspace that this hand says, and the right."""
        if self.person == OPERATOR:
            return
        member = session.get(models.Member, (self.id, self.person))
        if member is None:
            raise NotAllowed(f"You take no part in '{self.name}'", way_out="Ask one of its owners to invite you")
        if member.scope != self.scope.text:
            raise NotAllowed(f"Which rows of '{self.name}' you see was changed", way_out="Open the workspace again")
        if right_of(member.role, self.scope) < needs:
            members = session.scalars(select(models.Member).where(models.Member.workspace_id == self.id)).all()
            able = sorted(x.person for x in members if right_of(x.role, Scope.parse(x.scope)) >= needs)
            part = f" who sees {self.scope.words} only" if self.scope and member.role != VIEWER else ""
            raise NotAllowed(
                f"As {member.role}{part} you may not {MAY_NOT[needs]} '{self.name}'", way_out=f"Ask {' or '.join(able)}"
            )


def taken_part_in(store: Store, person: str) -> list[Workspace]:
    """The workspaces that a person takes part in, by name."""
    w, m = models.Workspace, models.Member
    mine = select(w.id, w.name, m.role, m.scope).join(m).where(m.person == person)
    if person == OPERATOR:
        mine = select(w.id, w.name, literal(OWNER).label("role"), literal("").label("scope"))
    with store.reading() as session:
        rows = session.execute(mine.order_by(w.name)).all()
    return [Workspace(store, row.id, row.name, person, row.role, Scope.parse(row.scope)) for row in rows]


def names(store: Store, person: str) -> list[str]:
    """Their names."""
    return [each.name for each in taken_part_in(store, person)]


def find(store: Store, name: str, person: str) -> Workspace:
    """The workspace of that name; StoreError where there is none that the person takes part in."""
    mine = {each.name: each for each in taken_part_in(store, person)}
    if name not in mine:
        known = ", ".join(mine) or "none yet"
        raise StoreError(f"There is no workspace '{name}'", place="workspace", way_out=f"Workspaces: {known}")
    return mine[name]


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
    except IntegrityError:
        if name in names(store, person):  # made in another window of the same person this moment
            return find(store, name, person)
        raise StoreError(
            f"The name '{name}' is taken by a workspace that you take no part in", place="workspace",
            way_out="Choose another name, or ask to be invited",
        ) from None  # fmt: skip
    return Workspace(store, row.id, name, person, OWNER)


def remove(workspace: Workspace) -> None:
    """Delete a workspace with all that is kept in it, files included."""
    with workspace.writing("deleted", "workspace", workspace.name) as session:
        folders = session.scalars(workspace.rows(models.Snapshot)).all()
        session.execute(delete(models.Workspace).where(models.Workspace.id == workspace.id))
    for folder in folders:
        workspace.store.files.remove(folder.id)


def log(workspace: Workspace) -> list[models.Entry]:
    """Who saved, deleted, invited or changed what in a workspace, the latest first; for its owners."""
    with workspace.reading(Right.OWN) as session:
        return list(session.scalars(workspace.rows(models.Entry).order_by(models.Entry.id.desc())))


def _entry(row: models.Workspace, person: str, action: Action, kind: Kind, what: str) -> models.Entry:
    return models.Entry(person=person, workspace_id=row.id, workspace=row.name, action=action, kind=kind, what=what)
