"""The server is killed with -9 while people work: what it said was saved is there when it is started again."""

from __future__ import annotations

import os
import random
import re
import socket
import subprocess
import sys
from contextlib import contextmanager

from playwright.sync_api import Page, expect

from kpis.store import LOCAL, Store, place, scenarios, snapshots
from kpis.store.workspace import find
from tests.browser.conftest import RUN_MILLISECONDS, drawn, wait_until_healthy

ROUNDS, SAVES = 2, 3


@contextmanager
def server(root, data, log):
    """A server that keeps in ``data``, its address and its process; killed at the end, if nobody did before."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--server.headless", "true", "--server.port", str(port), "--server.address", "localhost"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", *options, "--server.fileWatcherType", "none"],
            cwd=root, env={**os.environ, "TANDEM_DATA": str(data)}, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            wait_until_healthy(process, f"http://localhost:{port}", log)
            yield f"http://localhost:{port}", process
        finally:
            process.kill()
            process.wait()


def save(page: Page, name: str) -> None:
    """Save a scenario and wait until the page says that it is saved."""
    page.get_by_label("Save the levers as").fill(name)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("[class*=st-key-scenario_]", has_text=name).first).to_contain_text(
        re.compile("saved by"), timeout=RUN_MILLISECONDS
    )


def test_what_the_page_says_is_saved_outlives_the_server(page: Page, root, tmp_path):
    chance, data, acknowledged = random.Random(5), tmp_path / "data", []
    with server(root, data, tmp_path / "log0.txt") as (url, process):
        page.goto(f"{url}/load")
        drawn(page)
        page.get_by_label("Workspace", exact=True).fill("Plan")
        page.get_by_role("button", name="Keep this data").click()
        expect(page.get_by_text("Kept in Plan")).to_be_visible(timeout=RUN_MILLISECONDS)
        process.kill()
    for n in range(ROUNDS):
        with server(root, data, tmp_path / f"log{n + 1}.txt") as (url, process):
            page.goto(f"{url}/what_if?workspace=Plan")
            drawn(page)
            expect(page.get_by_text("Kept in Plan")).to_be_visible()
            for name in acknowledged:
                expect(page.get_by_text(name, exact=True).last).to_be_visible()
            for k in range(SAVES):
                save(page, f"Scenario {n}{k}")
                acknowledged.append(f"Scenario {n}{k}")
            # One more is on its way when the server dies.
            page.get_by_label("Save the levers as").fill(f"Late {n}")
            page.get_by_role("button", name="Save", exact=True).click()
            page.wait_for_timeout(chance.uniform(0, 200))
            process.kill()
    workspace = find(Store.open(place(str(data))), "Plan", LOCAL)
    names = {row.name for row in scenarios.listed(workspace)}
    assert set(acknowledged) <= names <= {*acknowledged, *(f"Late {n}" for n in range(ROUNDS))}
    assert len(snapshots.listed(workspace)) == 1
