"""What a moved slider costs in a browser: from its release to the last chart that is redrawn.

    python benchmarks/latency.py [--sizes 1000 1000000] [--moves 60] [--write]

Chromium drags a slider of the page with the mouse. The clock starts at the release of the button and stops at the
last change inside any chart. The peer is a Streamlit fragment that computes nothing: a slider and as many charts of
the same kind, served and driven in the same run. A simulated company of each size stands in for the demo company.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.crm import tables
from benchmarks.report import table, write
from benchmarks.simulator import live
from benchmarks.truth import draw_truth
from tests.browser.conftest import ARGUMENTS, CHROMIUM, drawn, serve, settled

ROOT = Path(__file__).resolve().parent.parent
APP = ("app.py", "pages", "ui", "kpis", ".streamlit")
LEVERS = ("sales_cycle", "new_opportunities", "deal_size")
PAGES = {
    "Pipeline health": ("/", LEVERS),
    "Next two periods": ("/coverage", LEVERS),
    "New opportunities": ("/creation", ("new_opportunities",)),
}
"""Address of each page, and the levers that move its charts."""
LAST = date(2025, 12, 31)
AS_OF = date(2025, 11, 10)
QUIET = 400
"""Milliseconds without a change after which a redraw is over."""

EMPTY = """
import altair as alt
import pandas as pd
import streamlit as st

st.set_page_config("Empty", layout="wide")


@st.fragment
def page():
    st.title("Empty")
    level = st.slider("Level", 0, 100, 50, key="level")
    for number, place in enumerate((st.columns(2) * {charts})[:{charts}]):
        rows = pd.DataFrame({{"part": list("abc"), "amount": [level + 1, number + 1, 100 - level]}})
        bars = alt.Chart(rows).mark_bar().encode(x="amount", y="part", color="part", tooltip=["part", "amount"])
        place.altair_chart(bars + bars.mark_text(dx=8).encode(text="amount"), key=f"chart_{{number}}")


page()
"""

WATCH = """() => {
    const seen = window.seen = {released: 0, charts: 0, text: 0};
    const release = () => Object.assign(seen, {released: performance.now(), charts: 0, text: 0});
    document.addEventListener("pointerup", release, true);
    new MutationObserver(changes => {
        for (const {target} of changes) {
            const node = target.nodeType === 1 ? target : target.parentElement;
            if (node?.closest("svg.marks")) seen.charts = performance.now();
            else if (node?.closest("h1, h2, [data-testid=stMetricValue]")) seen.text = performance.now();
        }
    }).observe(document.body, {subtree: true, childList: true, attributes: true, characterData: true});
}"""


@contextmanager
def company(size: int) -> Iterator[Path]:
    """A folder with Tandem on a simulated company of this many opportunities."""
    rng = np.random.default_rng([size, 5])
    made = tables(live(draw_truth(rng, last=LAST, years=4.0, opportunities=size), rng))
    won = made["opportunities"].query("status == 'won'")
    quarters = pd.period_range("2025Q4", periods=3, freq="Q")
    made["targets"] = pd.DataFrame({"period": quarters.astype(str), "scope": "company", "metric": "bookings"})
    made["targets"]["value"] = won["amount"].sum() / 16
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in APP:
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, place / name)
        (place / "sample_data").mkdir()
        for name, frame in made.items():
            frame.to_csv(place / "sample_data" / f"{name}.csv", index=False)
        yield place


@contextmanager
def nothing(charts: int) -> Iterator[Path]:
    """A folder with a fragment that computes nothing and draws this many charts."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "app.py").write_text(EMPTY.format(charts=charts), encoding="utf-8")
        yield Path(folder)


def drag(page: Page, key: str, rng: np.random.Generator) -> None:
    """Drag the slider's thumb to a random place, as a hand does, and let it go."""
    slider = page.locator(f".st-key-{key} [data-testid=stSlider]")
    slider.scroll_into_view_if_needed()
    thumb = slider.get_by_test_id("stSliderThumbValue").locator("xpath=..").bounding_box()
    track = slider.bounding_box()
    page.mouse.move(thumb["x"] + thumb["width"] / 2, thumb["y"] + thumb["height"] / 2)
    page.mouse.down()
    goal = track["x"] + track["width"] * rng.uniform(0.1, 0.9)
    page.mouse.move(goal, thumb["y"] + thumb["height"] / 2, steps=8)
    page.mouse.up()


def moves(page: Page, keys: tuple[str, ...], times: int) -> pd.DataFrame:
    """Milliseconds from release to the last changed chart and to the last changed text, for each move that drew."""
    rng, found = np.random.default_rng(1), []
    page.evaluate(WATCH)
    for number in range(times + 3):
        drag(page, keys[number % len(keys)], rng)
        page.wait_for_timeout(QUIET)
        settled(page)
        page.wait_for_timeout(QUIET)
        seen = page.evaluate("window.seen")
        found.append({"charts": seen["charts"] - seen["released"], "text": seen["text"] - seen["released"]})
    # The first moves load what the page has not needed before; a move that ends on the same step draws nothing.
    moved = pd.DataFrame(found).iloc[3:]
    return moved[moved["charts"] > 0]


def measured(browser: Browser, root: Path, address: str, keys: tuple[str, ...], times: int) -> tuple[int, pd.DataFrame]:
    """How many charts the page has, and what its moves took."""
    with serve(root, root / "log.txt") as url:
        page = browser.new_page(viewport={"width": 1920, "height": 1080}, base_url=url)
        page.goto(address)
        drawn(page)
        charts = page.locator("svg.marks").count()
        found = moves(page, keys, times)
        page.close()
    return charts, found


def line(what: str, size: str, charts: int, found: pd.DataFrame) -> dict[str, object]:
    """A row of the table."""
    took = found["charts"]
    return {
        "page": what,
        "opportunities": size,
        "charts": charts,
        "moves": len(found),
        "median, ms": f"{took.median():.0f}",
        "p95, ms": f"{took.quantile(0.95):.0f}",
        "text, median, ms": f"{found.loc[found['text'] > 0, 'text'].median():.0f}",
    }


def run(sizes: list[int], times: int) -> pd.DataFrame:
    """A row a page and size, each followed by the peer with as many charts."""
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None) or sys.exit("no Chromium: make chromium")
    rows, peers = [], {}
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=chromium, args=[*ARGUMENTS, "--no-sandbox"])
        for size in sizes:
            with company(size) as root:
                for what, (address, keys) in PAGES.items():
                    charts, found = measured(browser, root, f"{address}?as_of={AS_OF}", keys, times)
                    if charts not in peers:
                        with nothing(charts) as empty:
                            peers[charts] = measured(browser, empty, "/", ("level",), times)[1]
                    peer = peers[charts]["charts"].median()
                    row = line(what, f"{size:,}", charts, found)
                    rows.append({**row, "of an empty fragment": f"{found['charts'].median() / peer:.2f}"})
        for charts, found in peers.items():
            rows.append({**line("an empty fragment", "", charts, found), "of an empty fragment": "1.00"})
        browser.close()
    return pd.DataFrame(rows)


def main() -> None:
    """Run, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 1_000_000])
    parser.add_argument("--moves", type=int, default=60)
    parser.add_argument("--date", default=date.today().isoformat(), help="date to print")  # noqa: DTZ011
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    options = parser.parse_args()
    others = os.getloadavg()[0]
    found = run(options.sizes, options.moves)
    text = (
        f"Run on {options.date}, {os.cpu_count()} cores for server and browser together, 1920 x 1080. Load of other "
        f"processes before the run: {others:.1f}.\n\n{table(found)}"
    )
    print(text)
    if options.write:
        write("latency", text)


if __name__ == "__main__":
    main()
