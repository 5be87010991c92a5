"""The headless commands: every number of the pages without a browser."""

from __future__ import annotations

import os
import sys

import typer

# Before numpy is loaded: the matrices are small, and fits already run side by side.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from kpis import log
from kpis.commands import compare, data, forecast, health, measures, members, report, waterfall, workspaces
from kpis.commands.options import tell
from kpis.errors import Failure, NotEnoughData, told

app = typer.Typer(
    name="python -m kpis",
    help="Tandem's numbers without a browser. Exit 0: done; 1: the data cannot support the question; 2: wrong usage; "
    "3: something failed.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

for command in (
    data.sample,
    data.check,
    measures.catalogue,
    measures.measure,
    forecast.forecast,
    forecast.backtest,
    health.health,
    waterfall.waterfall,
    compare.compare,
    report.report,
    workspaces.keep,
    members.members,
    workspaces.ledger,
):
    app.command()(command)


def main() -> None:
    """Run a command; what went wrong becomes a sentence, a line of the log and an exit code."""
    log.without_values(lambda: {"command": sys.argv[1]})
    try:
        app()
    except Exception as error:  # noqa: BLE001  a schedule needs a reason and an exit code, whatever happened
        said = told(error)
        tell(str(said))
        log.LOG.error("", exc_info=error)
        code = 1 if isinstance(said, NotEnoughData) else 3 if isinstance(said, Failure) else 2
        raise SystemExit(code) from None


if __name__ == "__main__":
    main()
