"""`sample` and `check`: a demo company, and what becomes of files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpis.commands.options import Data, Json, SettingsFile, read_settings, show, tell

ALL = 10_000
"""Rows of a table in a terminal: a check tells of every file and reason."""


def sample(
    directory: Annotated[Path, typer.Argument(help="Folder to write to; made when it is not there.", file_okay=False)],
    opportunities: Annotated[int, typer.Option(min=50, help="About how many opportunities.")] = 2000,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 7,
    years: Annotated[float, typer.Option(min=0.5, max=20, help="Years of history.")] = 3.0,
    truth: Annotated[bool, typer.Option("--truth", help="Also write the true parameters (truth.json).")] = False,
) -> None:
    """Write a whole demo company, every table, reproducibly."""
    from kpis import demo

    paths = demo.write(directory, opportunities=opportunities, seed=seed, years=years, truth=truth)
    tell(f"{len(paths)} files written to {directory}")


def check(data: Data, settings: SettingsFile = None, as_json: Json = False) -> None:
    """Say for each file what was recognised, read, accepted, rejected and why."""
    from kpis.answers.check import check_answer
    from kpis.intake import check as check_files

    answer = check_answer(*check_files(data, settings=read_settings(settings)))
    show(answer.document, as_json, answer, rows=ALL)
