"""The settings of a workspace: what its people have agreed on, which applies to every export they load."""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError

from kpis.settings import Settings
from kpis.store import models
from kpis.store.versions import NEW, unchanged
from kpis.store.workspace import Workspace


def agreed(workspace: Workspace) -> tuple[Settings, str]:
    """The settings and their edition; the defaults where none were saved. Who sees a part does not see the targets."""
    with workspace.reading() as session:
        row = session.get(models.Agreement, workspace.id)
    if row is None:
        return Settings(), NEW
    found = Settings.parse(row.toml.encode(), f"settings of {workspace.name}")
    return found.of_a_part() if workspace.scope else found, row.edition


def save(workspace: Workspace, settings: Settings, seen: str = NEW) -> str:
    """Save the settings and give their new edition.

    Parameters
    ----------
    seen
        Edition of the settings that were edited.

    Raises
    ------
    Changed
        When there is a later one; it holds what is saved now.
    """
    toml = settings.as_toml()
    there, edition = agreed(workspace)
    if edition != NEW and there.as_toml() == toml:
        return edition
    try:
        with workspace.writing("saved", "settings", "settings") as session:
            row = session.get(models.Agreement, workspace.id, with_for_update=True)
            if row is None:
                row = models.Agreement(workspace_id=workspace.id)
                session.add(row)
            else:
                unchanged(row, seen, "the settings")
            row.toml, row.saved_by = toml, workspace.person
    except IntegrityError:
        if agreed(workspace)[1] == NEW:
            raise
        return save(workspace, settings, seen)  # somebody else saved the first ones this moment
    return row.edition
