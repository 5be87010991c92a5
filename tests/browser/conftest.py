"""A real server and a real browser: Tandem as a subprocess, and Chromium from the system."""

from __future__ import annotations

import ast
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from playwright.sync_api import BrowserContext, Page, expect

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
START_SECONDS = 60
FIRST_RUN = 120_000
"""Milliseconds: a fresh server reads the demo company and learns from it."""
RUN_MILLISECONDS = 30_000


def addresses(section: str = "") -> tuple[str, ...]:
    """Address of every page that the frame registers (in one folder), the first page's without its name."""
    tree = ast.parse((Path(__file__).parents[2] / "app.py").read_text("utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "Page"]
    scripts = [call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)]
    assert scripts[0] == "pages/meeting/pipeline.py"
    stems = ["", *(Path(script).stem for script in scripts[1:])]
    return tuple(f"/{stem}" for stem, script in zip(stems, scripts, strict=True) if f"/{section}" in script)


@contextmanager
def serve(root: Path, log: Path, port: int = 0, more: Sequence[str] = ()) -> Iterator[str]:
    """Run a server of its own until the block ends, on a free port or on this one, and give its address.

    ``more`` are options beside the usual ones.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        port = probe.getsockname()[1]
    url = f"http://localhost:{port}"
    options = ["--server.headless", "true", "--server.port", str(port), "--server.address", "localhost"]
    options += ["--server.fileWatcherType", "none"]
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", *options, *more],
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until_healthy(server, url, log)
            yield url
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()


def wait_until_healthy(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Return when the server answers; fail with its log when it ends or takes too long."""
    give_up = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < give_up:
        try:
            with urlopen(f"{url}/_stcore/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.05)
    pytest.fail(f"the server did not start; its log:\n{log.read_text(errors='replace')[-4000:]}")


@pytest.fixture(scope="session")
def base_url(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the server that the tests share; ``page.goto("/coverage")`` is relative to it."""
    with serve(root, tmp_path_factory.mktemp("server") / "log.txt") as url:
        yield url


@pytest.fixture
def context(context: BrowserContext) -> Iterator[BrowserContext]:
    """What a page is opened in; a test fails when anything in it asks another machine for anything."""
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    yield context
    assert [url for url in asked if urlsplit(url).hostname not in (None, "localhost", "127.0.0.1")] == []


@pytest.fixture
def fresh_server(root: Path, tmp_path: Path) -> Iterator[str]:
    """Address of a server that nobody has visited: for what may happen only to the first visitor."""
    with serve(root, tmp_path / "server.txt") as url:
        yield url


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Launch the system's Chromium; Playwright downloads no browser of its own."""
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        pytest.skip("no Chromium: make chromium")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return {**browser_type_launch_args, "executable_path": path, "args": [*ARGUMENTS, *sandbox]}


def settled(page: Page) -> None:
    """Wait until the page's script has run to its end and everything it wrote is drawn.

    Straight after a click the script may not have started yet: then expect the change itself as well.
    """
    app = page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-connection-state", "CONNECTED", timeout=RUN_MILLISECONDS)
    expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=RUN_MILLISECONDS)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=RUN_MILLISECONDS)


def drawn(page: Page) -> None:
    """Wait for a page that was just opened, with what its server learns on its first visit."""
    expect(page.locator("h1").first).to_be_visible(timeout=FIRST_RUN)
    settled(page)
    expect(page.get_by_test_id("stProgress")).to_have_count(0, timeout=FIRST_RUN)
    settled(page)


@pytest.fixture(scope="session")
def settle() -> Callable[[Page], None]:
    """``settle(page)``: see ``settled``."""
    return settled


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where a browser is required (TANDEM_REQUIRE_BROWSER=1), a skipped test is a failed one."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("TANDEM_REQUIRE_BROWSER") == "1":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and TANDEM_REQUIRE_BROWSER=1: {report.longrepr}"
    return report
