"""How long the measures take: all 72 over eight quarters of 100,000 opportunities and a company to match.

    python benchmarks/measures.py [--opportunities N] [--write]

The company is the demo company at that size with every table; its rows are stored before the clock starts. Cold is
the first question of a dataset, warm any later one: what was counted is remembered with the dataset.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.report import table, write
from kpis.answers.monitor import monitor
from kpis.answers.why import why
from kpis.dataset import Dataset
from kpis.demo import END, generate
from kpis.measures.core.evaluate import evaluate
from kpis.measures.registry import measures
from tests.build import dataset

YEARS = 4.0
PERIODS = 8


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Seconds of wall clock and of processor time."""
    wall, processor = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - processor


def ask(known: Dataset, **more: object) -> list[object]:
    """All measures, as page and command ask for them."""
    return evaluate(known, periods=PERIODS, rng=np.random.default_rng(1), **more)


def run(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """A row a question, each on datasets of its own."""

    def fresh() -> Dataset:
        return dataset(tables, newest=END)

    rows = []

    def note(question: str, cold: tuple[float, float], warm: tuple[float, float]) -> None:
        rows.append(
            {
                "question": question,
                "cold, s": f"{cold[0]:.2f}",
                "cold, s of processor": f"{cold[1]:.2f}",
                "warm, s": f"{warm[0]:.3f}",
            }
        )

    def both(question: str, call: Callable[[Dataset], object]) -> None:
        known = fresh()
        note(question, timed(lambda: call(known)), timed(lambda: call(known)))
        known.engine.close()

    both("all 72, every part", ask)
    both("all 72, headlines", lambda known: ask(known, parts=False))
    both("all 72 by segment, headlines", lambda known: ask(known, parts=False, by="segment"))
    both("control charts of all, with causes", monitor)
    both("why revenue changed, by segment", lambda known: why(known, "won_revenue", by="segment"))
    return pd.DataFrame(rows)


def main() -> None:
    """Run, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--opportunities", type=int, default=100_000)
    parser.add_argument("--date", default=date.today().isoformat(), help="date to print")  # noqa: DTZ011
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    options = parser.parse_args()
    tables = generate(opportunities=options.opportunities, years=YEARS, dirt=False).tables
    # Imports are paid once a process and not by a question.
    evaluate(dataset({"opportunities": tables["opportunities"].head(200)}, newest=END), rng=np.random.default_rng(1))
    others = os.getloadavg()[0]
    found = run(tables)
    rows = sum(len(frame) for frame in tables.values())
    text = (
        f"Run on {options.date}: {len(measures())} measures over {PERIODS} quarters, {options.opportunities:,} "
        f"opportunities, {rows:,} rows in {len(tables)} tables, {os.cpu_count()} cores. Load of other processes "
        f"before the run: {others:.1f}.\n\n"
        f"{table(found)}"
    )
    print(text)
    if options.write:
        write("measures", text)


if __name__ == "__main__":
    main()
