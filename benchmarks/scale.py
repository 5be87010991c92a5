"""How everything grows from ten thousand to ten million opportunities, on DuckDB and on Spark, beside pandas by hand.

    python benchmarks/scale.py [--sizes 10000 100000] [--engines duckdb spark pandas] [--write]

The company is made on the fly, as Parquet as an export has it: opportunities, and four rows of history each. Every
size and engine runs in a process of its own; what it made is deleted with it. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import by_hand
from benchmarks.report import table, write

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
PANDAS = "pandas"
ENGINES = {"duckdb": SIZES, "spark": SIZES[:3], PANDAS: SIZES[1:3]}
MEMORY = "8g"
REPEATS = 9
STEPS = {
    "read": "read", "stints": "stints", "fit": "fit", "forecast": "files to forecast", "memory": "GB until then",
    "measures": "measures", "slider": "slider", "peak": "peak, GB",
}  # fmt: skip
"""Seconds of each step, and the most memory held; with their heads in the table."""
CHANGES = 4
DEALS = """
    SELECT 'O' || lpad(i::VARCHAR, 9, '0') AS opportunity_id, 'Account ' || hash(i + 1) % 5000 AS account_id,
           'Owner ' || hash(i + 2) % 60 AS owner, 'Segment ' || hash(i + 3) % 5 AS segment,
           ['Web', 'Event', 'Partner', 'Outbound'][(1 + hash(i + 4) % 4)::INTEGER] AS source,
           round(1000 * exp(hash(i + 5) % 4000 / 1000.0), 2) AS amount,
           DATE '2022-01-03' + (hash(i + 6) % 1640)::INTEGER AS created_at, (hash(i + 7) % 150 + 20)::INTEGER AS lasts,
           hash(i + 8) % 100 AS luck
    FROM range({n}) AS rows(i)
"""
"""The opportunities before it is known which have ended at the end of 30 June 2026."""

TODAY = "DATE '2026-06-30'"
STAGES = "['Lead', 'Qualified', 'Proposal', 'Negotiation']"


def generate(n: int, folder: Path) -> None:
    """Write a company of ``n`` opportunities; equal for equal ``n``."""
    connection = duckdb.connect(config={"memory_limit": "4GB", "temp_directory": str(folder / "spill")})
    connection.execute("SET preserve_insertion_order = false")
    ended, changed = f"created_at + lasts <= {TODAY}", f"created_at + (lasts * k // {CHANGES})::INTEGER"
    state = f"CASE WHEN {ended} THEN CASE WHEN luck < 30 THEN 'won' ELSE 'lost' END ELSE 'open' END"
    reached = f"least({CHANGES - 1}, greatest(0, ({TODAY} - created_at) * {CHANGES} // lasts))"
    tables = {
        "opportunities": f"""
            SELECT opportunity_id, account_id, owner, segment, source, amount, created_at, {state} AS status,
                   CASE {state} WHEN 'won' THEN 'Won' WHEN 'lost' THEN 'Lost'
                                ELSE {STAGES}[(1 + {reached})::INTEGER] END AS stage,
                   created_at + lasts AS expected_close, CASE WHEN {ended} THEN created_at + lasts END AS closed_at
            FROM ({DEALS.format(n=n)})""",  # noqa: S608 - its own numbers
        "opportunity_history": f"""
            SELECT opportunity_id, {changed} AS changed_at, {STAGES}[(1 + k)::INTEGER] AS stage, amount,
                   created_at + lasts AS expected_close
            FROM ({DEALS.format(n=n)}), range({CHANGES}) AS changes(k)
            WHERE {changed} <= {TODAY}""",  # noqa: S608 - likewise
    }
    for name, query in tables.items():
        connection.execute(f"COPY ({query}) TO '{folder / name}.parquet' (FORMAT parquet)")
    connection.close()
    shutil.rmtree(folder / "spill", ignore_errors=True)


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call gives, and its seconds."""
    before = time.perf_counter()
    return call(), time.perf_counter() - before


def in_tandem(folder: Path, engine: str) -> dict[str, float]:
    """Seconds of each step, through Tandem."""
    from kpis.answers.outlook import outlook
    from kpis.assumptions import Assumptions
    from kpis.forecast.model import fit
    from kpis.intake import read
    from kpis.measures.core.evaluate import evaluate
    from kpis.pipeline.stints import stints

    address = str(folder) if engine == "duckdb" else f"pyspark://local[2]?path={folder}&spark.driver.memory={MEMORY}"
    took: dict[str, float] = {}

    def step(name: str, call: Callable[[], Any]) -> Any:
        found, took[name] = timed(call)
        return found

    began = time.perf_counter()
    data = step("read", lambda: read([address])).dataset
    found = step("stints", lambda: stints(data))
    model = step("fit", lambda: fit(data, found=found))
    usual = outlook(data, model)
    took |= {"forecast": time.perf_counter() - began, "memory": most_held()}
    step("measures", lambda: evaluate(data, rng=np.random.default_rng(1), parts=False))
    moves = [Assumptions(sales_cycle=1 + n / 50) for n in range(1, REPEATS + 1)]
    took["slider"] = median(timed(lambda change=change: usual.under(change))[1] for change in moves)
    return took


def most_held() -> float:
    """GB of memory that this process has held at most; not ru_maxrss, which begins with that of who started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if "VmHWM" in line) / 2**20


def make(n: int, folder: str) -> None:
    """Generate in a process of its own, whose memory goes with it."""
    subprocess.run([sys.executable, __file__, "--make", str(n), folder], check=True)  # noqa: S603 - itself


def beside_pandas(n: int) -> str:
    """The same questions to Tandem and to pandas, as a table."""
    with tempfile.TemporaryDirectory(prefix="tandem-by-hand-") as name:
        make(n, name)
        seconds, equal = by_hand.questions(Path(name))
    return f"**{n:,} opportunities**: {equal:,} numbers are equal on both sides.\n\n{table(by_hand.rows_of(seconds))}"


def one(n: int, engine: str) -> dict[str, float]:
    """The steps of one size on one engine, and the peak of memory of this process in GB."""
    from tests.engines.servers import java

    prefix = "tandem-scale-"
    with tempfile.TemporaryDirectory(prefix=prefix) as name, tempfile.TemporaryDirectory() as home, java(Path(home)):
        make(n, name)
        took = in_tandem(Path(name), engine)
    return {**took, "peak": most_held()}


def growth(sizes: list[int], seconds: list[float]) -> float:
    """The exponent by which a step grows: the slope of log seconds over log size."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def rows_of(found: dict[tuple[str, int], dict[str, float]]) -> pd.DataFrame:
    """A row a size and engine, and after the sizes of an engine the exponents of its growth."""
    rows = []
    for engine in dict.fromkeys(engine for engine, _ in found):
        sizes = [n for e, n in found if e == engine]
        for n in sizes:
            took = found[engine, n]
            rows.append([engine, f"{n:,}", *(f"{took[step]:.3g}" for step in STEPS)])
        if len(sizes) > 1:
            grows = [growth(sizes, [found[engine, n][step] for n in sizes]) for step in STEPS]
            rows.append([engine, "grows by n to the", *(f"{exponent:.2f}" for exponent in grows)])
    return pd.DataFrame(rows, columns=["engine", "opportunities", *STEPS.values()])


def main() -> None:
    """Run what is asked for, or one size in a process of its own."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--sizes", type=int, nargs="+")
    options.add_argument("--engines", nargs="+", choices=[*ENGINES], default=[*ENGINES])
    options.add_argument("--date", default=date.today().isoformat(), help="date to print")  # noqa: DTZ011
    options.add_argument("--write", action="store_true", help="put the table into README.md")
    options.add_argument("--one", nargs=2, metavar=("N", "ENGINE"), help=argparse.SUPPRESS)
    options.add_argument("--make", nargs=2, metavar=("N", "FOLDER"), help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.make:
        generate(int(asked.make[0]), Path(asked.make[1]))
        return
    if asked.one:
        print(json.dumps(one(int(asked.one[0]), asked.one[1])))
        return
    load, found, compared = os.getloadavg()[0], {}, []
    for engine in asked.engines:
        for n in asked.sizes or ENGINES[engine]:
            if engine == PANDAS:
                compared.append(beside_pandas(n))
                continue
            done = subprocess.run(  # noqa: S603 - itself
                [sys.executable, __file__, "--one", str(n), engine],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # as app and commands set it
            )
            found[engine, n] = json.loads(done.stdout.splitlines()[-1])
            print(engine, n, found[engine, n], file=sys.stderr)
    text = (
        f"Run on {asked.date}: {os.cpu_count()} cores, seconds of wall clock (slider: median of {REPEATS}); memory "
        "without that of Spark itself. "
        f"Load of other processes before the run: {load:.1f}.\n\n{table(rows_of(found))}"
    )
    text = "\n\n".join([text, *compared])
    print(text)
    if asked.write:
        write("scale", text)


if __name__ == "__main__":
    main()
