"""What commands share: DATA with its options, levers, and how an answer is printed."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kpis.commands.source import Source, tell
from kpis.errors import AssumptionError
from kpis.log import line

# What takes long to import is imported where it is needed, so that --help answers at once.
if TYPE_CHECKING:
    from kpis.settings import Settings
    from kpis.store import Workspace


def _there(data: list[str] | None) -> list[str] | None:
    for item in data or ():
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
Scenario = Annotated[
    str | None, typer.Option("--scenario", help="Levers: a file (JSON), or the name of a scenario of the --workspace.")
]
Store = Annotated[
    str | None,
    typer.Option(
        help="Where workspaces are kept: a folder, or postgresql://...; default: TANDEM_DATA, else your own folder.",
        show_default=False,
    ),
]
Target = Annotated[
    str | None, typer.Option(help="N, or N,N,N for the current and the next two periods; one N holds for all three.")
]


def _source(
    data: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files or folders (CSV, TSV, XLSX, Parquet, zip), or a connection URL; without it, the newest data "
            "kept in the --workspace.",
            callback=_there,
            show_default=False,
        ),
    ] = None,
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
    workspace: Annotated[
        str | None, typer.Option(help="A saved workspace: its data, settings and scenarios.", show_default=False)
    ] = None,
    store: Store = None,
) -> Source:
    """The options every command about DATA has."""
    if not data and workspace is None:
        raise typer.BadParameter("Give DATA, or a --workspace whose data are kept.")
    if not data and (currency or rates or settings):
        raise typer.BadParameter("Kept data are not read again: --currency, --rates and --settings need DATA.")
    there = in_store(workspace, store) if workspace is not None else None
    calendar = {name: value for name, value in (("grain", grain), ("fiscal_start", fiscal_start)) if value is not None}
    chosen = read_settings(settings, there, **calendar, currency=currency)
    files = [*(data or ()), *([str(rates)] if rates else [])]
    return Source(files, chosen, as_of.date() if as_of else None, calendar, there)


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


def in_store(name: str, store: str | None, *, make: bool = False) -> Workspace:
    """A workspace of the store that is named, else of this user's own; in the hand of whoever holds the store.

    Parameters
    ----------
    make
        Whether one that is not there is made, for the local user; else it is a StoreError.
    """
    from kpis.errors import StoreError
    from kpis.store import LOCAL, OPERATOR, place, workspace
    from kpis.store import Store as Opened

    where = place(store or "")
    if make:
        opened = Opened.open(where)
        if name.strip() not in workspace.names(opened, OPERATOR):
            workspace.find_or_make(opened, name, LOCAL)
        return workspace.find(opened, name.strip(), OPERATOR)
    if not where.is_there:
        raise StoreError(
            "Nothing is kept there yet", place=store or "--store", way_out="Keep data: python -m kpis keep"
        )
    return workspace.find(Opened.open(where), name, OPERATOR)


def read_settings(path: Path | None, there: Workspace | None = None, **given: Any) -> Settings:
    """The settings of a file, else of the workspace, with options in their place where they were given."""
    from pydantic import ValidationError

    from kpis.settings import Settings

    base = Settings.read(path) if path else Settings()
    if there is not None and path is None:
        from kpis.store import agreement

        base, _ = agreement.agreed(there)
    changes = {k: v for k, v in given.items() if v is not None}
    try:
        return Settings.model_validate({**base.model_dump(exclude_unset=True), **changes})
    except ValidationError as error:
        first = error.errors()[0]
        raise AssumptionError(
            f"{first['loc'][0]}: {first['msg'].lower()}", place="option", way_out="See --help"
        ) from None


def show(document: Any, as_json: bool, *answers: Any, rows: int | None = None) -> None:
    """Print the document as JSON, or the answers for people: sentence, numbers, tables, notes."""
    from kpis.answers import render

    if as_json:
        text = render.as_json(document)
    else:
        text = "\n".join(render.as_text(answer, rows or render.ROWS) for answer in answers)
    sys.stdout.write(text + "\n")


def log(event: str, **values: Any) -> None:
    """One line on standard error that a monitor can read."""
    tell(line(event, **values))
