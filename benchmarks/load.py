"""Many people at once: each drags sliders with two seconds to think, through nginx, on one process and on two.

    python benchmarks/load.py [--visitors 25] [--minutes 10] [--processes 1 2] [--write]

A visitor is a websocket that speaks Streamlit's protocol as the browser does: it opens a page, then sets one slider
after the other. The clock runs from sending a move to the end of the page's run on the server; drawing happens on
the visitor's own machine and is measured by ``benchmarks/latency.py``. All on this machine, over the loopback only.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import ssl
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.Slider_pb2 import Slider
from websockets.asyncio.client import ClientConnection, connect

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.report import table, write
from tests.browser.conftest import serve
from tests.browser.proxy import missing, proxy

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("", "coverage", "creation")
LEVERS = ("sales_cycle", "new_opportunities", "deal_size", "slippage")
THINK = 2.0
"""Seconds between the answer to a move and the next move, on average (exponential)."""

PATIENCE = 120.0
"""Seconds after which a move without an answer is an error."""


@dataclass
class Visitor:
    """One person in front of one page.

    ``took`` has a pair a move: when it was answered, and after how many seconds. ``errors`` are answers that
    hold an exception or did not come.
    """

    address: str
    page: str
    rng: np.random.Generator
    took: list[tuple[float, float]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    sliders: dict[str, Slider] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    fragment: str = ""
    drawn: int = 0

    async def visit(self, until: float) -> None:
        """Open the page and drag its sliders until the clock says so."""
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        stream = f"{self.address.replace('https', 'wss')}/_stcore/stream"
        seat = {"Cookie": f"tandem_seat={self.rng.bytes(16).hex()}"}
        async with connect(
            stream, ssl=trusting, origin=self.address, additional_headers=seat, max_size=None, ping_timeout=PATIENCE
        ) as socket:
            await self._ask(socket)
            while time.monotonic() < until:
                await asyncio.sleep(self.rng.exponential(THINK))
                self._drag()
                began = time.perf_counter()
                await self._ask(socket)
                self.took.append((time.monotonic(), time.perf_counter() - began))

    def _drag(self) -> None:
        """Choose a slider and a value on it."""
        key = self.rng.choice(list(self.sliders))
        slider = self.sliders[key]
        steps = int((slider.max - slider.min) / slider.step)
        self.values[key] = slider.min + slider.step * int(self.rng.integers(steps + 1))

    async def _ask(self, socket: ClientConnection) -> None:
        """Send where the sliders stand, and wait until the page has been run."""
        message = BackMsg()
        asked = message.rerun_script
        asked.page_name, asked.fragment_id = self.page, self.fragment
        asked.query_string = urlencode(self.values)
        for key, value in self.values.items():
            state = asked.widget_states.widgets.add(id=self.sliders[key].id)
            state.double_array_value.data.append(value)
        await socket.send(message.SerializeToString())
        self.drawn = 0
        try:
            async with asyncio.timeout(PATIENCE):
                while not self._heard(ForwardMsg.FromString(await socket.recv())):
                    pass
        except TimeoutError:
            self.errors.append(f"no answer within {PATIENCE:.0f} s")
        if not self.drawn:
            self.errors.append("an answer that draws nothing")

    def _heard(self, message: ForwardMsg) -> bool:
        """Note what a message brings; whether the run is over with it."""
        if message.WhichOneof("type") == "script_finished":
            return message.script_finished in (
                ForwardMsg.FINISHED_SUCCESSFULLY,
                ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY,
            )
        element = message.delta.new_element
        self.drawn += element.WhichOneof("type") in ("arrow_vega_lite_chart", "heading", "metric")
        if element.WhichOneof("type") == "exception":
            self.errors.append(element.exception.message or element.exception.type)
        if element.WhichOneof("type") == "slider":
            key = element.slider.id.rsplit("-", 1)[-1]
            if key in LEVERS:
                self.sliders[key], self.fragment = element.slider, message.delta.fragment_id
        return False


def memory(servers: list[psutil.Process]) -> float:
    """Resident memory of the servers in MB."""
    return sum(server.memory_info().rss for server in servers) / 1e6


async def crowd(address: str, visitors: int, minutes: float, servers: list[psutil.Process]) -> dict[str, object]:
    """All visitors at once; a row of the table."""
    people = [Visitor(address, PAGES[n % len(PAGES)], np.random.default_rng([n, 7])) for n in range(visitors)]
    # The first visit reads the demo company and learns from it: paid once a process, not by a move.
    for n in range(4):
        await Visitor(address, PAGES[n % len(PAGES)], np.random.default_rng([n, 8])).visit(0)
    used = sum(sum(server.cpu_times()[:2]) for server in servers)
    begun, memories = time.monotonic(), []

    async def watch() -> None:
        while True:
            memories.append((time.monotonic(), memory(servers)))
            await asyncio.sleep(5)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(person.visit(begun + 60 * minutes) for person in people))
    watching.cancel()
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
        return {"processes": processes, **asyncio.run(crowd(url, visitors, minutes, servers))}


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
