"""The scenarios of a workspace, each under its name; two people who edit one lose nothing."""

from __future__ import annotations

from itertools import count

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from kpis.assumptions import Assumptions
from kpis.errors import StoreError
from kpis.scenarios import read_scenario, write_scenario
from kpis.store import models
from kpis.store.versions import NEW, unchanged
from kpis.store.workspace import Workspace


def listed(workspace: Workspace) -> list[models.Scenario]:
    """The scenarios in the order in which they were first saved."""
    with workspace.reading() as session:
        return list(session.scalars(workspace.rows(models.Scenario).order_by(models.Scenario.id)))


def read(row: models.Scenario) -> Assumptions:
    """The assumptions of a saved scenario."""
    return read_scenario(row.levers, row.name)


def named(workspace: Workspace, name: str) -> models.Scenario:
    """The scenario of that name; StoreError where there is none."""
    found = listed(workspace)
    for row in found:
        if row.name == name:
            return row
    known = ", ".join(row.name for row in found) or "none yet"
    raise StoreError(f"There is no scenario '{name}' in '{workspace.name}'", way_out=f"Scenarios: {known}")


def save(workspace: Workspace, name: str, scenario: Assumptions, seen: str = NEW) -> models.Scenario:
    """Save a scenario under a name.

    Parameters
    ----------
    seen
        Edition of the scenario that was edited; without one it is taken for new. One that was deleted since is
        saved again.

    Raises
    ------
    Changed
        When there is a later edition, or one of that name that was not seen; it holds what is saved now.
    """
    text = write_scenario(scenario.model_copy(update={"name": name}))
    try:
        with workspace.writing("saved", "scenario", name) as session:
            row = _locked(session, workspace, name)
            if row is None:
                row = models.Scenario(workspace_id=workspace.id, scope=workspace.scope.text, name=name)
                session.add(row)
            elif row.levers != text:
                unchanged(row, seen, f"the scenario '{name}'")
            row.levers, row.saved_by = text, workspace.person
    except IntegrityError:  # somebody else saved the first of that name this moment
        named(workspace, name)
        return save(workspace, name, scenario, seen)
    return row


def delete(workspace: Workspace, name: str) -> None:
    """Delete a scenario; one that is not there is deleted already."""
    with workspace.writing("deleted", "scenario", name) as session:
        row = _locked(session, workspace, name)
        if row is not None:
            session.delete(row)


def free_name(workspace: Workspace, name: str) -> str:
    """A name like this one that no scenario of the workspace has: ``Hire``, ``Hire (2)``, ``Hire (3)``."""
    taken = {row.name for row in listed(workspace)}
    tried = (name if n == 1 else f"{name[: models.NAME - 6]} ({n})" for n in count(1))
    return next(each for each in tried if each not in taken)


def _locked(session: Session, workspace: Workspace, name: str) -> models.Scenario | None:
    """The row of that name, held until the transaction ends."""
    return session.scalar(workspace.rows(models.Scenario).where(models.Scenario.name == name).with_for_update())
