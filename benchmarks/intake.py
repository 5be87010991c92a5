"""How fast intake reads, and in how much memory, beside ``pandas.read_csv`` of the same files in the same run.

The same rows as Parquet, which brings its types, are read beside it. Each reading runs in a process of its own; CSV
files are read without starting others. The time to import the
libraries is left out of both, their memory is not. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from statistics import median

import duckdb
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.report import table, write
from kpis import demo

SEED = 20_000
"""Opportunities of the company that the files repeat, dirt included, under new ids."""
SIZES = (100_000, 1_000_000)
TABLES = ("opportunities", "opportunity_history")
_MEASURE = """
import json, resource, sys, time
{imports}
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
wall, before = time.perf_counter(), cpu()
{work}
wall, used = time.perf_counter() - wall, cpu() - before
# not ru_maxrss, which begins with that of the process that started this one
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([rows, wall, used, peak / 2**20]))
"""
PARQUET = "intake, of Parquet"
_INTAKE = (
    "import pandas, pyarrow, pyarrow.parquet, scipy.optimize\nfrom kpis.intake import read",
    "intake = read(sys.argv[1:])\nrows = sum(file.read for file in intake.files)",
)
READERS = {
    "pandas.read_csv": (
        "import pandas as pd",
        "frames = [pd.read_csv(path) for path in sys.argv[1:]]\nrows = sum(map(len, frames))",
    ),
    "DuckDB, text only": (
        "import duckdb\nengine = duckdb.connect()",
        """
rows = 0
for n, path in enumerate(sys.argv[1:]):
    engine.execute(f"CREATE TABLE t{n} AS SELECT * FROM read_csv(?, all_varchar=true)", [path])
    rows += engine.execute(f"SELECT count(*) FROM t{n}").fetchone()[0]
""",
    ),
    "intake": _INTAKE,
    PARQUET: _INTAKE,
}


def company(folder: Path, opportunities: int) -> list[Path]:
    """The tables of a company of that many opportunities: one demo company, over and over under new ids."""
    small = folder / "seed"
    if not small.exists():
        demo.write(small, opportunities=SEED, seed=7, years=5.0)
    paths = []
    for name in TABLES:
        head, _, body = (small / f"{name}.csv").read_text(encoding="utf-8").partition("\n")
        path = folder / str(opportunities) / f"{name}.csv"
        path.parent.mkdir(exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(head + "\n")
            for copy in range(opportunities // SEED):
                file.write(("\n" + body).replace("\nO-", f"\nO{copy}-")[1:])
        paths.append(path)
        duckdb.execute(
            f"COPY (FROM read_csv('{path}', sample_size=-1)) TO '{path.with_suffix('.parquet')}' (FORMAT parquet)"
        )
    return paths


def measure(reader: str, paths: list[Path]) -> tuple[int, float, float, float]:
    """Rows, seconds of wall clock and of CPU, and gigabytes at the peak."""
    imports, work = READERS[reader]
    paths = _read_by(reader, paths)
    done = subprocess.run(  # noqa: S603  our own script
        [sys.executable, "-c", _MEASURE.format(imports=imports, work=work), *map(str, paths)],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )  # fmt: skip
    return tuple(json.loads(done.stdout.splitlines()[-1]))


def _read_by(reader: str, paths: list[Path]) -> list[Path]:
    return [path.with_suffix(".parquet") for path in paths] if reader == PARQUET else paths


def compare(paths: list[Path], times: int) -> list[dict[str, str]]:
    """A row a reader; each reads in turn, and the middle of its times counts."""
    runs: dict[str, list[tuple[int, float, float, float]]] = {reader: [] for reader in READERS}
    for _ in range(times):
        for reader, found in runs.items():
            found.append(measure(reader, paths))
    plain = [median(column) for column in zip(*runs["pandas.read_csv"], strict=True)]
    rows = []
    for reader, found in runs.items():
        count, wall, cpu, peak = (median(column) for column in zip(*found, strict=True))
        rows.append(
            {
                "rows": f"{count:,.0f}",
                "MB": f"{sum(p.stat().st_size for p in _read_by(reader, paths)) / 1e6:,.0f}",
                "reader": reader,
                "rows/s": f"{count / wall:,.0f}",
                "wall, s": f"{wall:.1f}",
                "CPU, s": f"{cpu:.1f}",
                "peak, GB": f"{peak:.2f}",
                "wall / pandas": f"{wall / plain[1]:.1f}",
                "CPU / pandas": f"{cpu / plain[2]:.1f}",
                "peak / pandas": f"{peak / plain[3]:.1f}",
            }
        )
    return rows


def main() -> None:
    """Run, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=SIZES[-1])
    parser.add_argument("--times", type=int, default=3, help="readings of each; the middle counts")
    parser.add_argument("--date", default=date.today().isoformat(), help="date to print")  # noqa: DTZ011
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sizes = [size for size in SIZES if size <= options.largest]
        rows = [row for size in sizes for row in compare(company(Path(folder), size), options.times)]
    text = (
        f"Run on {options.date}, on {os.cpu_count()} cores, middle of {options.times}.\n\n{table(pd.DataFrame(rows))}"
    )
    print(text)
    if options.write:
        write("intake", text)


if __name__ == "__main__":
    main()
