"""The decisions and notes of a workspace's meetings."""

from __future__ import annotations

from datetime import date

from kpis.store import models
from kpis.store.workspace import Workspace


def listed(workspace: Workspace) -> list[models.Decision]:
    """The decisions in the order they were taken."""
    with workspace.reading() as session:
        return list(session.scalars(workspace.rows(models.Decision).order_by(models.Decision.id)))


def add(workspace: Workspace, text: str, owner: str, due: date | None, page: str) -> models.Decision:
    """Keep a decision.

    Parameters
    ----------
    owner, due
        Who does it, and by when.
    page
        Where it was taken.
    """
    row = models.Decision(
        workspace_id=workspace.id, scope=workspace.scope.text, text=text, owner=owner, due=due, page=page,
        taken_by=workspace.person,
    )  # fmt: skip
    with workspace.writing("saved", "decision", page) as session:
        session.add(row)
    return row


def delete(workspace: Workspace, number: int) -> None:
    """Delete a decision; one that is not there is deleted already."""
    with workspace.writing("deleted", "decision", f"decision {number}") as session:
        row = session.scalar(workspace.rows(models.Decision).where(models.Decision.id == number))
        if row is not None:
            session.delete(row)
