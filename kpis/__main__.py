"""The headless commands: every number of the pages without a browser."""

from __future__ import annotations

import os

import typer

# Before numpy is loaded: the matrices are small, and fits already run side by side.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from kpis.commands import compare, data, forecast, health, measures, report, waterfall, workspaces
from kpis.commands.options import tell
from kpis.errors import NotEnoughData, TandemError

app = typer.Typer(
    name="python -m kpis",
    help="Tandem's numbers without a browser. Exit 0: done; 1: the data cannot support the question; 2: wrong usage.",
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
    workspaces.ledger,
):
    app.command()(command)


def main() -> None:
    """Run a command and turn what went wrong into an exit code and a sentence."""
    try:
        app()
    except NotEnoughData as error:
        tell(str(error))
        raise SystemExit(1) from None
    except TandemError as error:
        tell(str(error))
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
