"""Who takes part in a workspace: invited by their e-mail address, given another role or other rows, and sent away."""

from __future__ import annotations

import re
from string import ascii_lowercase, ascii_uppercase

from sqlalchemy import Select
from sqlalchemy.orm import Session

from kpis.errors import StoreError
from kpis.store import models
from kpis.store.roles import OWNER, ROLES, Right
from kpis.store.scope import ALL, Scope
from kpis.store.workspace import LOCAL, Workspace

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
_SMALL = str.maketrans(ascii_uppercase, ascii_lowercase)
"""Other letters stay: the small letter of one that only looks like a K is the k of somebody else."""


def address(text: str) -> str:
    """The e-mail address that a person is called by, in small letters; StoreError for what is none."""
    name = text.strip().translate(_SMALL)
    if not _ADDRESS.fullmatch(name) or not name.isprintable() or len(name) > models.NAME:
        raise StoreError(
            f"{text!r} is no e-mail address of at most {models.NAME} characters", place="member",
            way_out="Give the address that the person signs in with",
        )  # fmt: skip
    return name


def listed(workspace: Workspace) -> list[models.Member]:
    """The members by name; for the owners."""
    with workspace.reading(Right.OWN) as session:
        return list(session.scalars(_all(workspace)))


def admit(workspace: Workspace, person: str, role: str, scope: Scope = ALL) -> None:
    """Invite a person, or give a member another role and other rows; nobody is written to.

    A member who has them already stays as they are, and the audit log says nothing.

    Raises
    ------
    StoreError
        For a role that is none, an owner who would see a part only, or when no owner would be left.
    """
    name = called(person)
    if role not in ROLES:
        raise StoreError(f"'{role}' is no role", place="member", way_out=f"Roles: {', '.join(ROLES)}")
    if role == OWNER and scope:
        raise StoreError("An owner sees all rows", place="member", way_out="Choose another role, or all rows")
    before = {row.person: row for row in listed(workspace)}.get(name)
    if before and (before.role, before.scope) == (role, scope.text):
        return
    action = "changed" if before else "invited"
    told = f"{name} as {role}{f', {scope.words} only' if scope else ''}"
    with workspace.writing(action, "member", told) as session:
        session.merge(models.Member(workspace_id=workspace.id, person=name, role=role, scope=scope.text))
        _keep_an_owner(session, workspace)


def remove(workspace: Workspace, person: str) -> None:
    """Send a member away.

    Raises
    ------
    StoreError
        For the last owner, and for somebody who takes no part: the right one would still be there.
    """
    name = called(person)
    with workspace.writing("removed", "member", name) as session:
        row = session.get(models.Member, (workspace.id, name))
        if row is None:
            raise StoreError(f"'{name}' takes no part in '{workspace.name}'", place="member", way_out="Name a member")
        session.delete(row)
        _keep_an_owner(session, workspace)


def called(person: str) -> str:
    """The name that a person is a member by."""
    return LOCAL if person == LOCAL else address(person)


def _keep_an_owner(session: Session, workspace: Workspace) -> None:
    """Raise StoreError, which undoes the change, when nobody is left who could make another one."""
    session.flush()
    if OWNER not in {row.role for row in session.scalars(_all(workspace))}:
        raise StoreError(f"'{workspace.name}' needs an owner", place="member", way_out="Make somebody else one first")


def _all(workspace: Workspace) -> Select[tuple[models.Member]]:
    return workspace.rows(models.Member).order_by(models.Member.person)
