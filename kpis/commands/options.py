"""What commands share: DATA with its options, levers, and how an answer is printed."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kpis.errors import AssumptionError

# What takes long to import is imported where it is needed, so that --help answers at once.
if TYPE_CHECKING:
    from kpis.answers.outlook import Outlook
    from kpis.assumptions import Assumptions
    from kpis.dataset import Dataset
    from kpis.intake import Intake
    from kpis.settings import Settings


def _there(data: list[str]) -> list[str]:
    for item in data:
        if "://" not in item and not Path(item).exists():
            raise typer.BadParameter(f"'{item}' does not exist.")
    return data


Data = Annotated[
    list[str],
    typer.Argument(
        help="Files or folders (CSV, TSV, XLSX, Parquet, zip), or a connection URL.",
        callback=_there,
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output and nothing else.")]
SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="Stages, definitions, targets (TOML).", exists=True, dir_okay=False)
]
Scenario = Annotated[Path | None, typer.Option("--scenario", help="Levers (JSON).", exists=True, dir_okay=False)]
Target = Annotated[
    str | None, typer.Option(help="N, or N,N,N for the current and the next two periods; one N holds for all three.")
]


@dataclass(frozen=True)
class Source:
    """The data a command is about: where they are, how they are read, as of which day."""

    data: list[str]
    settings: Settings
    as_of: date | None

    def read(self) -> Intake:
        """What was read, and what became of every row."""
        from kpis.intake import read

        return read(self.data, settings=self.settings)

    def dataset(self) -> Dataset:
        """The dataset as known at the end of the as-of day; the newest day when that lies after the data."""
        return self.known(self.read().dataset)

    def known(self, found: Dataset) -> Dataset:
        """What was read, as known at the end of the as-of day."""
        if self.as_of is None:
            return found
        if self.as_of > found.newest:
            newest = found.newest
            tell(f"The newest date in the data is {newest}: {newest} is used, not {self.as_of}.")
        return found.known_at(min(self.as_of, found.newest))

    def outlook(self, assumptions: Assumptions | None = None, dataset: Dataset | None = None) -> Outlook:
        """The outlook of the data under the assumptions, calibrated on its own past; of a dataset that is there."""
        from kpis.answers.outlook import outlook
        from kpis.forecast.backtest import record
        from kpis.forecast.model import fit

        dataset = dataset or self.dataset()
        model = fit(dataset)
        return outlook(dataset, model, assumptions, record(dataset, model))


def _source(
    data: Data,
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The end of this day; default: the newest date in the data."),
    ] = None,
    grain: Annotated[str | None, typer.Option(help="month or quarter.")] = None,
    fiscal_start: Annotated[int | None, typer.Option(min=1, max=12, help="First month of the fiscal year.")] = None,
    currency: Annotated[str | None, typer.Option(help="Currency to report in.")] = None,
    rates: Annotated[
        Path | None, typer.Option(help="Dated currency rates: date, currency, rate.", exists=True, dir_okay=False)
    ] = None,
    settings: SettingsFile = None,
) -> Source:
    """The options every command about DATA has."""
    chosen = read_settings(settings, grain=grain, fiscal_start=fiscal_start, currency=currency)
    return Source([*data, *([str(rates)] if rates else [])], chosen, as_of.date() if as_of else None)


def about_data(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command, whose first parameter is a `Source`, DATA and the common options in its place."""
    common = inspect.signature(_source, eval_str=True).parameters
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]

    def run(**given: Any) -> None:
        source = _source(**{name: given.pop(name) for name in common})
        command(source, **given)

    first, *others = common.values()
    # Keyword-only, so that an option without a default may follow one that has one.
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (first, *own, *others)]
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = inspect.Signature(parameters)
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def read_settings(path: Path | None, **given: Any) -> Settings:
    """The settings of a file, with options in their place where they were given."""
    from pydantic import ValidationError

    from kpis.settings import Settings

    base = Settings.read(path) if path else Settings()
    changes = {k: v for k, v in given.items() if v is not None}
    try:
        return Settings.model_validate({**base.model_dump(exclude_unset=True), **changes})
    except ValidationError as error:
        first = error.errors()[0]
        raise AssumptionError(
            f"{first['loc'][0]}: {first['msg'].lower()}", place="option", way_out="See --help"
        ) from None


def levers(scenario: Path | None, target: str | None) -> Assumptions:
    """The assumptions of a scenario file, named after it, with ``target`` in place of its targets."""
    from kpis.assumptions import Assumptions
    from kpis.scenarios import read_scenario

    values: dict[str, Any] = {}
    if scenario:
        read = read_scenario(scenario.read_bytes(), str(scenario))
        values = {"name": scenario.stem, **read.model_dump(exclude_unset=True)}
    if target:
        try:
            values["targets"] = tuple(float(part) for part in target.split(","))
        except ValueError:
            raise AssumptionError(f"'{target}' is no target", place="--target", way_out="Give N or N,N,N") from None
    return Assumptions.checked(values)


def show(document: Any, as_json: bool, *answers: Any, rows: int | None = None) -> None:
    """Print the document as JSON, or the answers for people: sentence, numbers, tables, notes."""
    from kpis.answers import render

    if as_json:
        text = render.as_json(document)
    else:
        text = "\n".join(render.as_text(answer, rows or render.ROWS) for answer in answers)
    sys.stdout.write(text + "\n")


def tell(text: str) -> None:
    """A message beside the result, on standard error."""
    sys.stderr.write(text + "\n")
