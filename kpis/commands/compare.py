"""`compare`: scenarios side by side, and the bridge between them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpis.commands.options import Json, Source, Target, about_data, levers, show


@about_data
def compare(
    source: Source,
    scenario: Annotated[
        list[Path],
        typer.Option(
            help="Levers (JSON); two to four of them. One alone is compared with the estimate.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ],
    target: Target = None,
    as_json: Json = False,
) -> None:
    """Compare scenarios, and share their difference out to each changed assumption."""
    from kpis.answers import compare as answers

    chosen = [levers(path, target) for path in scenario]
    if len(chosen) == 1:
        chosen.insert(0, levers(None, target))
    first = source.outlook(chosen[0])
    answer = answers.compare([first, *(first.under(other) for other in chosen[1:])])
    show(answer.document, as_json, answer)
