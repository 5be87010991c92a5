"""Eight hours of a review, compressed: one session, thousands of actions over all pages, as fast as it is answered.

    python benchmarks/long_session.py [--actions 5000] [--write]

An action opens a page, moves a slider, sets a target or turns a switch; the clock runs from sending it to the end of
its run on the server. What must not happen: actions that take longer the later they come, an exception, a line in the
log.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from contextlib import suppress
from datetime import date
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.report import table, write
from tests.browser.conftest import addresses, serve
from tests.visitor import Visitor

ROOT = Path(__file__).resolve().parent.parent
PAGES = [path.strip("/") for path in addresses()]
SWITCHES = ("mask", "deal_size_open")
PARTS = 5
"""Parts of the session that are compared."""


def act(visitor: Visitor, rng: np.random.Generator) -> str:
    """Do one thing, and say what kind it was."""
    sliders = visitor.sliders()
    targets = [key for key in visitor.widgets if key.startswith("target_")]
    switches = [key for key in SWITCHES if key in visitor.widgets]
    kind = rng.choice(["page", "slider", "target", "switch"], p=[0.25, 0.6, 0.1, 0.05])
    if kind == "slider" and sliders:
        visitor.drag(rng.choice(sliders), rng.random())
    elif kind == "target" and targets:
        visitor.set(rng.choice(targets), float(rng.choice([0, 1e5, 1e6, 2e6, 1e7])))
    elif kind == "switch" and switches:
        visitor.set(rng.choice(switches), bool(rng.integers(2)))
    else:
        visitor.go(str(rng.choice(PAGES)))
        return "page"
    return str(kind)


def session(actions: int) -> tuple[pd.DataFrame, list[str], list[str]]:
    """A row an action, what the pages showed of failures, and what the log holds beyond the server's start."""
    rng, rows, failed = np.random.default_rng(7), [], []
    with tempfile.TemporaryDirectory() as scratch:
        log, os.environ["TANDEM_DATA"] = Path(scratch) / "log.txt", scratch
        before = {child.pid for child in psutil.Process().children()}
        with serve(ROOT, log) as url:
            server = next(child for child in psutil.Process().children() if child.pid not in before)
            with Visitor(url) as visitor:
                # What is learnt once a process is no action.
                for page in PAGES:
                    visitor.go(page).follow(lambda it: not it.repeating)
                started = len(log.read_text(errors="replace").splitlines())
                # Whoever stops it gets the figures of what was done.
                with suppress(KeyboardInterrupt):
                    for number in range(actions):
                        used, began = sum(server.cpu_times()[:2]), time.perf_counter()
                        kind = act(visitor, rng)
                        taken = time.perf_counter() - began, sum(server.cpu_times()[:2]) - used
                        rows.append((kind, *taken, server.memory_info().rss / 1e6))
                        for text in visitor.texts("exception", "alert"):
                            failed.append(f"/{visitor.page}?{urlencode(visitor.query)}: {text}")
                            print(f"action {number + 1}, {failed[-1]}", file=sys.stderr, flush=True)
                        if number % 250 == 249:
                            print(f"{number + 1:,} actions", file=sys.stderr, flush=True)
        lines = log.read_text(errors="replace").splitlines()[started:]
    return pd.DataFrame(rows, columns=["kind", "seconds", "processor", "memory"]), failed, lines


def main() -> None:
    """Run, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--actions", type=int, default=5000)
    parser.add_argument("--date", default=date.today().isoformat(), help="date to print")  # noqa: DTZ011
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    options = parser.parse_args()
    others = os.getloadavg()[0]
    taken, failed, lines = session(options.actions)
    part = np.arange(len(taken)) * PARTS // len(taken)
    shown = pd.DataFrame(
        [
            {
                "actions": f"{one.index[0] + 1:,} to {one.index[-1] + 1:,}",
                "median, ms": f"{1000 * one['seconds'].median():.0f}",
                "p95, ms": f"{1000 * one['seconds'].quantile(0.95):.0f}",
                "processor an action, ms": f"{1000 * one['processor'].mean():.0f}",
                "of a slider": f"{1000 * one.loc[one['kind'] == 'slider', 'processor'].mean():.0f}",
                "of a page": f"{1000 * one.loc[one['kind'] == 'page', 'processor'].mean():.0f}",
                "memory at the end, MB": f"{one['memory'].iloc[-1]:.0f}",
            }
            for _, one in taken.groupby(part)
        ]
    )
    text = (
        f"Run on {options.date}: {len(taken):,} actions over {len(PAGES)} pages in {taken['seconds'].sum() / 60:.0f} "
        f"minutes, {os.cpu_count()} cores shared with the visitor. Load of other processes before: {others:.1f}. "
        f"Failures on the pages: {len(failed)}; lines in the log: {len(lines)}.\n\n{table(shown)}"
    )
    print(text)
    for line in lines[:20]:
        print(line, file=sys.stderr)
    if options.write:
        write("long-session", text)


if __name__ == "__main__":
    main()
