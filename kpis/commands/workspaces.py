"""`keep` and `ledger`: data kept in a workspace, and what came of the forecasts that were saved there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kpis.commands.options import (
    Data,
    Json,
    SettingsFile,
    Source,
    Store,
    about_data,
    in_store,
    log,
    read_settings,
    show,
)
from kpis.commands.source import newest

if TYPE_CHECKING:
    from kpis.intake.sources import Upload


def keep(
    data: Data,
    workspace: Annotated[str, typer.Option(help="Name of the workspace; made when it is not there.")],
    store: Store = None,
    settings: SettingsFile = None,
    onto: Annotated[
        bool,
        typer.Option(
            "--onto",
            help="DATA are a later export of the newest data kept there: what changed since becomes history, and what "
            "is kept is not read again.",
        ),
    ] = False,
) -> None:
    """Keep data in a workspace: what is read today can be opened there, and by commands, from now on."""
    from kpis.intake import archive, extend, read
    from kpis.store import snapshots

    if onto and settings:
        raise typer.BadParameter("Kept data are not read again: --settings goes without --onto.")
    there = in_store(workspace, store, make=not onto)
    files: list[Path | Upload] = [path for item in data if "://" not in item for path in _files(Path(item))]
    if onto:
        before, kept_files = newest(there)
        intake, files = extend(before, data), [*kept_files, *files]
    else:
        intake = read(data, settings=read_settings(settings, there))
    kept = snapshots.keep(there, archive.about(intake), lambda folder: archive.write(intake, files, folder))
    log("keep", as_of=kept.newest, rows=kept.rows, bytes=kept.size, workspace=there.name, snapshot=kept.id)


@about_data
def ledger(source: Source, as_json: Json = False) -> None:
    """Hold every forecast saved in the workspace against the data: too early, on track, or off."""
    from kpis.answers.ledger import ledger as judged
    from kpis.store import decisions, scenarios
    from kpis.store import ledger as kept

    there = source.in_workspace("The ledger")
    counts = len(scenarios.listed(there)), len(decisions.listed(there))
    answer = judged(kept.listed(there), source.outlook(), *counts)
    show(answer.document, as_json, answer)


def _files(path: Path) -> list[Path]:
    """The files of a folder, or the file."""
    return sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
