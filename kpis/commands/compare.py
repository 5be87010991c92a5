"""`compare`: scenarios side by side, and the bridge between them."""

from __future__ import annotations

from typing import Annotated

import typer

from kpis.commands.options import Json, Source, Target, about_data, show


@about_data
def compare(
    source: Source,
    scenario: Annotated[
        list[str],
        typer.Option(
            help="Levers: files (JSON) or names in the --workspace; two to four of them. One alone is compared with "
            "the estimate.",
            show_default=False,
        ),
    ],
    target: Target = None,
    as_json: Json = False,
) -> None:
    """Compare scenarios, and share their difference out to each changed assumption."""
    from kpis.answers import compare as answers

    chosen = [source.levers(each, target) for each in scenario]
    if len(chosen) == 1:
        chosen.insert(0, source.levers(None, target))
    first = source.outlook(chosen[0])
    answer = answers.compare([first, *(first.under(other) for other in chosen[1:])])
    show(answer.document, as_json, answer)
