"""Many people at once: each drags sliders with two seconds to think, through nginx, on one process and on two.

    python benchmarks/load.py [--visitors 25] [--minutes 10] [--processes 1 2] [--write]

A visitor is a websocket that speaks Streamlit's protocol as the browser does: it opens a page, then sets one slider
after the other. The clock runs from sending a move to the end of the page's run on the server; drawing happens on
the visitor's own machine and is measured by ``benchmarks/latency.py``. All on this machine, over the loopback only.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
from websockets.exceptions import WebSocketException

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.report import table, write
from tests.browser.conftest import serve
from tests.browser.proxy import missing, proxy
from tests.visitor import Visitor

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("", "coverage", "creation")
LEVERS = ("sales_cycle", "new_opportunities", "deal_size", "slippage")
THINK = 2.0
"""Seconds between the answer to a move and the next move, on average (exponential)."""


@dataclass
class Person:
    """One person in front of one page.

    ``took`` has a pair a move: when it was answered, and after how many seconds. ``errors`` are answers that
    say that something failed, draw nothing or did not come.
    """

    address: str
    page: str
    rng: np.random.Generator
    took: list[tuple[float, float]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def visit(self, until: float) -> None:
        """Open the page and drag its sliders until the clock says so."""
        try:
            with Visitor(self.address, self.page) as visitor:
                self._judge(visitor.run())
                while time.monotonic() < until:
                    time.sleep(self.rng.exponential(THINK))
                    key = self.rng.choice([key for key in visitor.sliders() if key in LEVERS])
                    began = time.perf_counter()
                    visitor.drag(key, self.rng.random())
                    self.took.append((time.monotonic(), time.perf_counter() - began))
                    self._judge(visitor)
        except (TimeoutError, WebSocketException) as error:
            self.errors.append(f"no answer: {type(error).__name__}")

    def _judge(self, visitor: Visitor) -> None:
        self.errors += visitor.texts("exception", "alert")
        if not visitor.texts("heading", "metric"):
            self.errors.append("an answer that draws nothing")


def memory(servers: list[psutil.Process]) -> float:
    """Resident memory of the servers in MB."""
    return sum(server.memory_info().rss for server in servers) / 1e6


def crowd(address: str, visitors: int, minutes: float, servers: list[psutil.Process]) -> dict[str, object]:
    """All visitors at once; a row of the table."""
    people = [Person(address, PAGES[n % len(PAGES)], np.random.default_rng([n, 7])) for n in range(visitors)]
    # The first visit reads the demo company and learns from it: paid once a process, not by a move.
    for n in range(4):
        Person(address, PAGES[n % len(PAGES)], np.random.default_rng([n, 8])).visit(0)
    used = sum(sum(server.cpu_times()[:2]) for server in servers)
    begun, memories = time.monotonic(), []
    with ThreadPoolExecutor(visitors) as pool:
        visits = [pool.submit(person.visit, begun + 60 * minutes) for person in people]
        while not all(visit.done() for visit in visits):
            memories.append((time.monotonic(), memory(servers)))
            wait(visits, timeout=5)
        for visit in visits:
            visit.result()
    lasted = time.monotonic() - begun
    # All have opened their page after the first fifth; what is compared comes later.
    settled = begun + lasted / 5
    took = pd.Series([1000 * seconds for person in people for when, seconds in person.took if when > settled])
    kept = [(when, mb) for when, mb in memories if when > settled]
    errors = [error for person in people for error in person.errors]
    for error in sorted(set(errors)):
        print(f"error, {errors.count(error)} times: {error}", file=sys.stderr)
    return {
        "visitors": visitors,
        "minutes": f"{lasted / 60:.1f}",
        "moves": len(took),
        "moves a second": f"{len(took) / (lasted * 4 / 5):.1f}",
        "median, ms": f"{took.median():.0f}",
        "p95, ms": f"{took.quantile(0.95):.0f}",
        "longest, ms": f"{took.max():.0f}",
        "errors": len(errors),
        "processor of the servers": f"{(sum(sum(s.cpu_times()[:2]) for s in servers) - used) / lasted:.0%}",
        "memory after a fifth, MB": f"{kept[0][1]:.0f}",
        "at the end, MB": f"{kept[-1][1]:.0f}",
    }


def run(visitors: int, minutes: float, processes: int) -> dict[str, object]:
    """Visitors before this many processes."""
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        before = {child.pid for child in psutil.Process().children()}
        addresses = [stack.enter_context(serve(ROOT, folder / f"{n}.txt")) for n in range(processes)]
        servers = [child for child in psutil.Process().children() if child.pid not in before]
        url = stack.enter_context(proxy(folder, *addresses))
        return {"processes": processes, **crowd(url, visitors, minutes, servers)}


def main() -> None:
    """Run, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visitors", type=int, default=25)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--date", default=date.today().isoformat(), help="date to print")  # noqa: DTZ011
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    options = parser.parse_args()
    if missing():
        sys.exit(f"not installed: {missing()}")
    others = os.getloadavg()[0]
    found = pd.DataFrame([run(options.visitors, options.minutes, n) for n in options.processes])
    text = (
        f"Run on {options.date}, {os.cpu_count()} cores for servers, nginx and visitors together, {THINK:.0f} s to "
        f"think on average. Load of other processes before the run: {others:.1f}.\n\n{table(found)}"
    )
    print(text)
    if options.write:
        write("load", text)


if __name__ == "__main__":
    main()
