"""Two people with different uploads on one server, a hundred actions in turn: neither ever receives the other's data.

Every value of an upload carries its mark: names begin with it, and money is in a currency of its own.
"""

from __future__ import annotations

import random

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import FIRST_RUN, addresses, settled
from tests.browser.traffic import Traffic

ACTIONS = 100
DEALS = 250
MARKS = {"ALPHA": "NOK ", "BRAVO": "SEK "}
"""Each upload's mark, and how its money begins."""

PAGES = [path for path in addresses() if path not in ("/track_record", "/report")]
"""The two others work for seconds in the background."""

LEVERS = ("sales_cycle", "new_opportunities", "deal_size")
KEYS = ("ArrowRight", "ArrowLeft", "PageUp", "Home", "End")


def export(folder, mark, currency, seed):
    """A marked company of two years: its deals and their history."""
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2024-06-01")
    created = np.sort(rng.integers(0, 700, DEALS))
    lasted = rng.integers(5, 140, DEALS)
    closed = created + lasted < 730
    status = np.where(closed, np.where(rng.random(DEALS) < 0.4, "Won", "Lost"), "Open")

    def day(n):
        return (start + pd.to_timedelta(n, unit="D")).strftime("%Y-%m-%d")

    def some(what, many):
        return [f"{mark} {what} {n}" for n in rng.integers(0, many, DEALS)]

    deals = pd.DataFrame(
        {
            "opportunity_id": [f"{mark}-{n}" for n in range(DEALS)],
            "name": some("deal", 999),
            "owner": some("owner", 6),
            "segment": some("segment", 3),
            "source": some("source", 3),
            "stage": np.where(closed, status, some("stage", 3)),
            "status": status,
            "amount": rng.integers(1_000, 90_000, DEALS),
            "currency": currency,
            "created_at": day(created),
            "expected_close": day(created + rng.integers(30, 200, DEALS)),
            "closed_at": np.where(closed, day(created + lasted), ""),
        }
    )
    file = folder / f"{mark.lower()}.csv"
    deals.to_csv(file, index=False)
    return file


class Person:
    """A browser with one of the uploads."""

    def __init__(self, browser, base_url, folder, mark, seed):
        self.mark = mark
        self.page = browser.new_context(base_url=base_url).new_page()
        self.traffic, self.rng = Traffic(self.page), random.Random(seed)
        self.page.goto("/load")
        expect(self.page.locator("h2").first).to_contain_text("Demo company", timeout=FIRST_RUN)
        settled(self.page)
        self.traffic.received.clear()
        self.page.locator("input[type=file]").set_input_files(export(folder, mark, MARKS[mark].strip(), seed))
        expect(self.page.locator("h2").first).to_contain_text(mark.lower(), timeout=FIRST_RUN)

    def act(self):
        """Go somewhere or drag something, and leave before it is done: the other's turn comes meanwhile."""
        settled(self.page)
        sliders = [key for key in LEVERS if self.page.locator(f".st-key-{key}").get_by_role("slider").count()]
        if sliders and self.rng.random() < 0.6:
            slider = self.page.locator(f".st-key-{self.rng.choice(sliders)}").get_by_role("slider")
            slider.press(self.rng.choice(KEYS))
        else:
            path = self.rng.choice(PAGES)
            links = self.page.locator(".st-key-navigation").get_by_role("link", include_hidden=True)
            names = {link.get_attribute("href").strip("/").split("?")[0]: link for link in links.all()}
            names[path.strip("/")].evaluate("link => link.click()")


@pytest.mark.parametrize("seed", [1])
def test_a_hundred_actions_in_turn_mix_nothing(browser, base_url, tmp_path, seed):
    people = [Person(browser, base_url, tmp_path, mark, seed + n) for n, mark in enumerate(MARKS)]
    order = random.Random(seed)
    for _ in range(ACTIONS):
        order.choice(people).act()
    for person in people:
        settled(person.page)
        own, others = person.mark, [mark for mark in MARKS if mark != person.mark]
        money = [MARKS[mark] for mark in others]
        assert len(person.traffic.received) > ACTIONS
        # The search would find them: the own marks are there.
        assert person.traffic.names([f"{own} owner", f"{own} deal", MARKS[own]]) == [
            f"{own} owner",
            f"{own} deal",
            MARKS[own],
        ]
        assert person.traffic.names([*others, *money, "Zenithville"]) == []
        person.page.context.close()
