"""`forecast` and `backtest`: the coming periods, and what earlier forecasts of them were worth."""

from __future__ import annotations

from typing import Annotated

import typer

from kpis.commands.options import Json, Scenario, Source, Target, about_data, log, show
from kpis.errors import NotEnoughData


@about_data
def forecast(
    source: Source,
    target: Target = None,
    scenario: Scenario = None,
    save: Annotated[
        bool, typer.Option("--save", help="Save it as a prediction in the --workspace, to be held against what comes.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Forecast the current and the next two periods."""
    from kpis.answers.coverage import next_periods
    from kpis.answers.creation import new_opportunities
    from kpis.answers.outlook import document
    from kpis.answers.pipeline import pipeline_health

    there = source.in_workspace("--save") if save else None
    found = source.outlook(source.levers(scenario, target))
    if there is not None:
        from kpis.answers.ledger import prediction
        from kpis.store import ledger

        saved = ledger.save(there, prediction(found))
        log("forecast", as_of=saved.made_on, workspace=there.name, scenario=saved.name, prediction=saved.id)
    answers = {
        "pipeline": pipeline_health(found),
        "coverage": next_periods(found),
        "creation": new_opportunities(found),
    }
    numbers = {page: {key: n.value for key, n in answer.numbers.items()} for page, answer in answers.items()}
    show({**document(found), "numbers": numbers}, as_json, *answers.values())


@about_data
def backtest(source: Source, as_json: Json = False) -> None:
    """Make every past forecast as it would have been made, beside simple rules and what happened."""
    from kpis.answers.track_record import track_record
    from kpis.forecast.backtest import backtest as run

    found = source.outlook()
    origins = run(found.dataset, found.model.calendar)
    if not origins:
        raise NotEnoughData(
            "No past period has enough history before it", way_out="Give more history, or --grain month"
        )
    answer = track_record(origins, found)
    show(answer.document, as_json, answer)
