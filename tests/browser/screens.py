"""Pictures of every page of the demo company, in docs/screens: ``make screens``.

Every page in light at 1280 pixels as one works alone with it; the pages of the meeting in dark at 1920 as it sees them.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM, addresses, drawn, serve, settled

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "screens"
COLOURS = 256
"""Enough for flat areas and smooth letters, at a third of the size."""

TALLEST = 6000
"""Pixels: what lies below is not in the picture."""


def main() -> None:
    """Write all pictures; those of pages that are gone are removed."""
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None) or sys.exit("no Chromium: make chromium")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with (
        tempfile.TemporaryDirectory() as scratch,
        serve(ROOT, Path(scratch) / "log.txt") as url,
        sync_playwright() as player,
    ):
        browser = player.chromium.launch(executable_path=chromium, args=[*ARGUMENTS, "--no-sandbox"])
        take(browser, url, "light", 1280, addresses())
        take(browser, url, "dark", 1920, addresses("meeting"), "?meeting=true")
    size = sum(file.stat().st_size for file in FOLDER.iterdir())
    sys.stdout.write(f"{len(list(FOLDER.iterdir()))} pictures in {FOLDER.relative_to(ROOT)}, {size / 1e6:.1f} MB\n")


def take(browser: Browser, url: str, scheme: str, width: int, paths: tuple[str, ...], query: str = "") -> None:
    """One picture a page, as long as the page is."""
    page = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 1000}, base_url=url).new_page()
    for path in paths:
        page.goto(path + query)
        drawn(page)
        picture = Image.open(io.BytesIO(whole(page))).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        picture.save(FOLDER / f"{path.strip('/') or 'pipeline'}_{scheme}_{width}.png", optimize=True)
    page.context.close()


def whole(page: Page) -> bytes:
    """The page with everything one would scroll to."""
    width = page.viewport_size["width"]
    tall = page.get_by_test_id("stMain").evaluate("main => main.scrollHeight")
    page.set_viewport_size({"width": width, "height": min(tall, TALLEST)})
    settled(page)
    page.wait_for_timeout(500)  # charts follow the width of their cards after a moment
    shot = page.screenshot(animations="disabled")
    page.set_viewport_size({"width": width, "height": 1000})
    return shot


if __name__ == "__main__":
    main()
