"""The headless commands: every number of the pages without a browser."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from kpis.errors import AssumptionError, NotEnoughData, TandemError

# Before numpy is loaded: the matrices are small, and fits already run side by side.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

app = typer.Typer(
    name="python -m kpis",
    help="Tandem's numbers without a browser. Exit 0: done; 1: the data cannot support the question; 2: wrong usage.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Data = Annotated[
    list[Path], typer.Argument(help="Files or folders: CSV, TSV, XLSX, Parquet, zip.", exists=True, show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output and nothing else.")]
AsOf = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="The end of this day; default: the newest date in the data."),
]
Grain = Annotated[str | None, typer.Option(help="month or quarter.")]
FiscalStart = Annotated[int | None, typer.Option(min=1, max=12, help="First month of the fiscal year.")]
Currency = Annotated[str | None, typer.Option(help="Currency to report in.")]
SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="Stages, definitions, targets (TOML).", exists=True, dir_okay=False)
]
ScenarioFile = Annotated[Path | None, typer.Option("--scenario", help="Levers (JSON).", exists=True, dir_okay=False)]


@app.command()
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
    _say(f"{len(paths)} files written to {directory}")


@app.command()
def check(data: Data, settings: SettingsFile = None, as_json: Json = False) -> None:
    """Say for each file what was recognised, read, accepted, rejected and why."""
    from kpis.answers.check import check_answer
    from kpis.intake import check as check_files

    answer = check_answer(*check_files(data, settings=_settings(settings)))
    _print(answer.document, as_json, lambda: _describe(answer, rows=10_000))


@app.command()
def catalogue(as_json: Json = False) -> None:
    """List the 72 KPIs: measure, definition, formula, unit, basis, better, needs."""
    from kpis.answers.measures import catalogue as entries

    found = entries()
    lines = (f"{e['id']:<11} {e['measure']:<34} {e['name']}" for e in found)
    _print(found, as_json, lambda: sys.stdout.write("\n".join(lines) + "\n"))


@app.command()
def measure(
    data: Data,
    kpi: Annotated[
        list[str] | None, typer.Option(help="A measure or an id (win_rate, SALES-7); all without it.")
    ] = None,
    by: Annotated[
        str, typer.Option(help="A dimension: segment, region, owner, channel, campaign, source, product.")
    ] = "",
    periods: Annotated[int, typer.Option(min=1, max=60, help="How many periods, the current one last.")] = 8,
    sql: Annotated[
        str | None, typer.Option(help="Print the queries behind the numbers in this dialect: duckdb.")
    ] = None,
    as_of: AsOf = None,
    grain: Grain = None,
    fiscal_start: FiscalStart = None,
    currency: Currency = None,
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Compute measures per period, with n, interval, basis and status."""
    from kpis.answers import measures

    chosen = _settings(settings, grain=grain, fiscal_start=fiscal_start, currency=currency)
    dataset = _read(data, chosen, as_of)
    names = kpi or list(measures.measures())
    if sql is not None:
        texts = [measures.sql(dataset, name, sql, by=by, periods=periods) for name in names]
        sys.stdout.write("\n\n".join(texts) + "\n")
        return
    answer = measures.measure(dataset, kpi, by=by, periods=periods, outlook=_outlook_or_none(dataset))
    _print(answer.document, as_json, lambda: _describe(answer))


@app.command()
def forecast(
    data: Data,
    target: Annotated[
        str | None,
        typer.Option(help="N, or N,N,N for the current and the next two periods; one N holds for all three."),
    ] = None,
    scenario: ScenarioFile = None,
    as_of: AsOf = None,
    grain: Grain = None,
    fiscal_start: FiscalStart = None,
    currency: Currency = None,
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Forecast the current and the next two periods."""
    from kpis.answers.coverage import next_periods
    from kpis.answers.creation import new_opportunities
    from kpis.answers.outlook import document, outlook
    from kpis.answers.pipeline import pipeline_health
    from kpis.forecast.backtest import record
    from kpis.forecast.model import fit

    chosen = _settings(settings, grain=grain, fiscal_start=fiscal_start, currency=currency)
    dataset = _read(data, chosen, as_of)
    model = fit(dataset)
    found = outlook(dataset, model, _assumptions(scenario, target), record(dataset, model))
    answers = {
        "pipeline": pipeline_health(found),
        "coverage": next_periods(found),
        "creation": new_opportunities(found),
    }
    numbers = {page: {key: n.value for key, n in answer.numbers.items()} for page, answer in answers.items()}
    _print({**document(found), "numbers": numbers}, as_json, lambda: _describe(*answers.values()))


@app.command()
def backtest(
    data: Data,
    as_of: AsOf = None,
    grain: Grain = None,
    fiscal_start: FiscalStart = None,
    currency: Currency = None,
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Make every past forecast as it would have been made, beside simple rules and what happened."""
    from kpis.answers.track_record import track_record
    from kpis.forecast.backtest import backtest as run

    chosen = _settings(settings, grain=grain, fiscal_start=fiscal_start, currency=currency)
    dataset = _read(data, chosen, as_of)
    origins = run(dataset, chosen.calendar)
    if not origins:
        raise NotEnoughData(
            "No past period has enough history before it", way_out="Give more history, or --grain month"
        )
    answer = track_record(origins, chosen.calendar, dataset.currency)
    _print(answer.document, as_json, lambda: _describe(answer))


def _outlook_or_none(dataset: Any) -> Any:
    """The outlook as estimated, which the measures of today's pipeline show beside themselves; None without one."""
    from kpis.answers.outlook import outlook
    from kpis.forecast.model import fit

    try:
        return outlook(dataset, fit(dataset))
    except NotEnoughData:
        return None


def _read(data: list[Path], settings: Any, as_of: datetime | None) -> Any:
    """The dataset as known at the end of the as-of day; refuses a day outside the data."""
    from kpis.intake import read

    dataset = read(data, settings=settings).dataset
    if as_of is None:
        return dataset
    if as_of.date() > dataset.newest:
        newest = dataset.newest
        _say(f"The newest date in the data is {newest}: the state of {as_of.date()} is not known, {newest} is used.")
    return dataset.known_at(as_of.date())


def _settings(path: Path | None, **given: Any) -> Any:
    from pydantic import ValidationError

    from kpis.settings import Settings

    base = Settings.read(path) if path else Settings()
    changes = {k: v for k, v in given.items() if v is not None}
    try:
        return Settings.model_validate({**base.model_dump(), **changes})
    except ValidationError as error:
        first = error.errors()[0]
        raise AssumptionError(
            f"{first['loc'][0]}: {first['msg'].lower()}", place="option", way_out="See --help"
        ) from None


def _assumptions(scenario: Path | None, target: str | None) -> Any:
    from kpis.assumptions import Assumptions

    values: dict[str, Any] = {}
    if scenario:
        try:
            values = json.loads(scenario.read_text(encoding="utf-8"))
        except ValueError as error:
            raise AssumptionError(f"The scenario is not JSON: {error}", place=str(scenario)) from None
        if not isinstance(values, dict):
            raise AssumptionError("A scenario is one object of levers", place=str(scenario))
    if target:
        try:
            values["targets"] = tuple(float(part) for part in target.split(","))
        except ValueError:
            raise AssumptionError(f"'{target}' is no target", place="--target", way_out="Give N or N,N,N") from None
    return Assumptions.checked(values)


def _print(document: Any, as_json: bool, otherwise: Callable[[], None]) -> None:
    if as_json:
        sys.stdout.write(json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1, default=_plain) + "\n")
    else:
        otherwise()


def _plain(value: Any) -> Any:
    """Numpy scalars and dates as JSON has them."""
    if isinstance(value, date):
        return value.isoformat()
    return value.item()


def _describe(*answers: Any, rows: int | None = None) -> None:
    """Answers for people: sentence, numbers, tables, notes."""
    from kpis.answers.render import ROWS, as_text

    sys.stdout.write("\n".join(as_text(answer, rows or ROWS) for answer in answers) + "\n")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def main() -> None:
    """Run a command and turn what went wrong into an exit code and a sentence."""
    try:
        app()
    except NotEnoughData as error:
        _say(str(error))
        raise SystemExit(1) from None
    except TandemError as error:
        _say(str(error))
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
