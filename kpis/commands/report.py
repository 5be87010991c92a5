"""`report`: the pack, in as many forms as are named."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpis.commands.options import Scenario, Source, Target, about_data, log

TANDEM = Path(__file__).resolve().parents[2]
"""The checkout."""


@about_data
def report(
    source: Source,
    to: Annotated[
        list[Path],
        typer.Option(
            help="File to write: .html, .pdf, .pptx, .xlsx, .ipynb or .json; give it several times for several.",
            dir_okay=False,
            show_default=False,
        ),
    ],
    target: Target = None,
    scenario: Scenario = None,
) -> None:
    """Write the pack of the meeting: every answer with its charts, definitions, assumptions and next steps."""
    from kpis.forecast.backtest import backtest
    from kpis.report.formats import of_file, write
    from kpis.report.pack import kept, pack

    for path in to:
        of_file(path)
    assumptions = source.levers(scenario, target)
    intake = source.read()
    found = source.outlook(assumptions, source.known(intake.dataset))
    data = [item if "://" in item else str(Path(item).absolute()) for item in source.data]
    origins = backtest(found.dataset, found.model.calendar)
    where = data or kept(source.in_workspace("A command without DATA"), found.dataset) or ()
    made = pack(intake, found, origins, where, tandem=str(TANDEM))
    for path in to:
        write(made, path)
    current = found.landings[0]
    asked = {"workspace": source.workspace.name, "scenario": assumptions.name} if source.workspace else {}
    log(
        "report", as_of=made.as_of, period=current.label, expected=f"{current.expected:.2f}", target=current.target,
        p_hit=current.p_hit, **asked, files=",".join(map(str, to)),
    )  # fmt: skip
