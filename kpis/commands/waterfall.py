"""`waterfall`: what changed in a period's open pipeline between two days."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import typer

from kpis.commands.options import Json, Source, about_data, show, tell

Day = datetime | None


@about_data
def waterfall(
    source: Source,
    first: Annotated[
        Day, typer.Option("--from", formats=["%Y-%m-%d"], help="The end of this day; default: 30 days before --to.")
    ] = None,
    last: Annotated[
        Day, typer.Option("--to", formats=["%Y-%m-%d"], help="The end of this day; default: the as-of day.")
    ] = None,
    period: Annotated[
        str | None, typer.Option(help="Label of a month or quarter, such as 2026Q3; default: the current one.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what came into a period's open pipeline and what left it between two days, deal by deal."""
    from kpis.answers.changes import DAYS, what_changed

    dataset = source.dataset()
    calendar = dataset.settings.calendar
    if last and last.date() > dataset.as_of:
        tell(f"{last.date()} is not known yet: {dataset.as_of} is used.")
    until = min(last.date(), dataset.as_of) if last else dataset.as_of
    since = first.date() if first else until - timedelta(days=DAYS)
    whose = calendar.named(period, until) if period else calendar.at(dataset.as_of)
    answer = what_changed(dataset, calendar, whose, since, until)
    show(answer.document, as_json, answer)
