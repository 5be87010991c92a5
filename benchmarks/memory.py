"""Uploads in a row, each in place of the one before: the memory of the server afterwards.

    python benchmarks/memory.py [--uploads 50] [--write]

One session gives one file of 20 MB after the other, each with other rows; the memory is taken after each answer. Then
visitors come one by one, each loads a file and leaves.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.report import table, write
from tests.browser.conftest import serve
from tests.visitor import Visitor

ROOT = Path(__file__).resolve().parent.parent
DEALS = 40_000
WARM = 5
"""Uploads after which everything has been loaded and learnt once."""

VISITORS = 10
GONE = 5
"""Seconds after which the server forgets a visitor who left; 120 where nobody says otherwise."""


def export(number: int) -> bytes:
    """An export of 20 MB: deals of four years with a long description each, other ones for every number."""
    rng = np.random.default_rng(number)
    created = pd.Timestamp("2022-01-01") + pd.to_timedelta(np.sort(rng.integers(0, 1460, DEALS)), unit="D")
    closed = created + pd.to_timedelta(rng.integers(5, 200, DEALS), unit="D")
    is_over = closed < pd.Timestamp("2026-01-01")
    frame = pd.DataFrame(
        {
            "opportunity_id": [f"{number}-{n}" for n in range(DEALS)],
            "owner": rng.choice(["Ann", "Bo", "Chloé"], DEALS),
            "stage": np.where(is_over, "Closed", rng.choice(["Discovery", "Proposal"], DEALS)),
            "status": np.where(is_over, np.where(rng.random(DEALS) < 0.3, "won", "lost"), "open"),
            "amount": rng.integers(1_000, 90_000, DEALS),
            "created_at": created.strftime("%Y-%m-%d"),
            "closed_at": np.where(is_over, closed.strftime("%Y-%m-%d"), ""),
            "next_step": [f"{number} {n:06} " + "call again " * 40 for n in range(DEALS)],
        }
    )
    return frame.to_csv(index=False).encode()


def load(visitor: Visitor, number: int) -> None:
    """Give the file in place of the one before, and wait until every page rests on it."""
    name = f"export{number}.csv"
    visitor.upload([(name, export(number))], "files_")
    visitor.follow(lambda it: any(name.removesuffix(".csv") in text for text in it.texts("heading")))
    visitor.run()


def memory(server: psutil.Process) -> float:
    """Resident memory in MB, once the server has come to rest."""
    time.sleep(3)
    return server.memory_info().rss / 1e6


def measured(uploads: int) -> list[float]:
    """Memory after each upload of one session, then after each visitor who came, loaded a file and left."""
    found: list[float] = []
    os.environ["STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL"] = str(GONE)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["TANDEM_DATA"] = scratch
        before = {child.pid for child in psutil.Process().children()}
        with serve(ROOT, Path(scratch) / "log.txt") as url:
            server = next(child for child in psutil.Process().children() if child.pid not in before)
            with Visitor(url, "load") as visitor:
                visitor.run()
                for number in range(uploads):
                    load(visitor, number)
                    found.append(memory(server))
                    print(f"upload {number + 1}: {found[-1]:.0f} MB", flush=True)
            for number in range(uploads, uploads + VISITORS):
                with Visitor(url, "load") as visitor:
                    visitor.run()
                    load(visitor, number)
                time.sleep(GONE + 1)
                # Streamlit lets go of who is gone when somebody comes.
                with Visitor(url) as next_one:
                    next_one.run()
                found.append(memory(server))
                print(f"visitor {number + 1 - uploads} has left: {found[-1]:.0f} MB", flush=True)
    return found


def main() -> None:
    """Run, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uploads", type=int, default=50)
    parser.add_argument("--date", default=date.today().isoformat(), help="date to print")  # noqa: DTZ011
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    options = parser.parse_args()
    found = measured(options.uploads)
    row, left = found[: options.uploads], found[options.uploads :]
    begun = row[WARM - 1]
    compared = {
        f"upload {WARM} of one session": begun,
        f"uploads {WARM + 1} to {WARM + 10}, mean": np.mean(row[WARM : WARM + 10]),
        f"upload {len(row)}": row[-1],
        f"uploads {len(row) - 9} to {len(row)}, mean": np.mean(row[-10:]),
        "the most of all": max(row),
        f"{len(left)} more visitors who left": left[-1],
    }
    shown = pd.DataFrame(
        [
            {"after": what, "memory, MB": f"{mb:.0f}", "beside": f"{mb / begun - 1:+.1%}"}
            for what, mb in compared.items()
        ]
    )
    size = len(export(0)) / 1e6
    text = f"Run on {options.date}, files of {size:.0f} MB with {DEALS:,} deals.\n\n{table(shown)}"
    print(text)
    if options.write:
        write("memory", text)


if __name__ == "__main__":
    main()
