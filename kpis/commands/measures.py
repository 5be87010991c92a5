"""`catalogue` and `measure`: the 72 KPIs, and their values."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from kpis.commands.options import Json, Source, about_data, show
from kpis.errors import NotEnoughData

if TYPE_CHECKING:
    from kpis.answers.outlook import Outlook
    from kpis.dataset import Dataset


def catalogue(as_json: Json = False) -> None:
    """List the 72 KPIs: measure, definition, formula, unit, basis, better, needs."""
    from kpis.answers.measures import catalogue as entries

    found = entries()
    if as_json:
        show(found, as_json)
        return
    for entry in found:
        sys.stdout.write(f"{entry['id']:<11} {entry['measure']:<34} {entry['name']}\n")


@about_data
def measure(
    source: Source,
    kpi: Annotated[
        list[str] | None, typer.Option(help="A measure or an id (win_rate, SALES-7); all without it.")
    ] = None,
    by: Annotated[
        str, typer.Option(help="A dimension: segment, region, owner, channel, campaign, source, product.")
    ] = "",
    periods: Annotated[int, typer.Option(min=1, max=60, help="How many periods, the current one last.")] = 8,
    sql: Annotated[
        str | None, typer.Option(help="Print the queries behind the numbers: duckdb, postgres, snowflake, bigquery.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compute measures per period, with n, interval, basis and status."""
    from kpis.answers import measures

    dataset = source.dataset()
    if sql is not None:
        names = kpi or list(measures.measures())
        texts = [measures.sql(dataset, name, sql, by=by, periods=periods) for name in names]
        sys.stdout.write("\n\n".join(texts) + "\n")
        return
    answer = measures.measure(dataset, kpi, by=by, periods=periods, outlook=_outlook_or_none(dataset))
    show(answer.document, as_json, answer)


def _outlook_or_none(dataset: Dataset) -> Outlook | None:
    """The outlook as estimated, which the measures of today's pipeline show beside themselves; None without one."""
    from kpis.answers.outlook import outlook
    from kpis.forecast.model import fit

    try:
        return outlook(dataset, fit(dataset))
    except NotEnoughData:
        return None
