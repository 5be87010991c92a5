"""On a phone: no page scrolls sideways, number cards stand two in a row, and charts cut no text off."""

from __future__ import annotations

import pytest

from tests.browser.conftest import addresses, drawn

PHONE = {"width": 390, "height": 844}

CUT_OFF = """margin => [...document.querySelectorAll("svg.marks")].flatMap(svg => {
    const room = svg.getBoundingClientRect();
    return [...svg.querySelectorAll("text")]
        .filter(text => text.textContent.trim())
        .filter(text => {
            const box = text.getBoundingClientRect();
            return box.width > 0 && (box.left < room.left - margin || box.right > room.right + margin);
        })
        .map(text => text.textContent);
})"""


MARGIN = 5
"""Pixels of a text's box in which no letter stands."""


@pytest.fixture(scope="module")
def phone(browser, base_url):
    """``phone(address)`` opens a page as wide as a phone."""
    context = browser.new_context(viewport=PHONE, base_url=base_url)
    page = context.new_page()

    def go(address):
        page.goto(address)
        drawn(page)
        page.wait_for_timeout(500)  # charts follow the width of their cards after a moment
        return page

    yield go
    context.close()


@pytest.mark.parametrize("path", addresses("meeting"))
def test_a_page_fits_and_its_charts_cut_nothing_off(phone, path):
    page = phone(path)
    wide = page.evaluate("document.documentElement.scrollWidth")
    main = page.get_by_test_id("stMain").evaluate("main => main.scrollWidth")
    assert (wide, main) == (PHONE["width"], PHONE["width"])
    assert page.evaluate(CUT_OFF, MARGIN) == []


def test_number_cards_stand_two_in_a_row(phone):
    boxes = [card.bounding_box() for card in phone("/coverage").get_by_test_id("stMetric").all()]
    assert len(boxes) == 8
    rows = sorted({round(box["y"]) for box in boxes})
    assert len(rows) == 4
    assert all(box["x"] + box["width"] <= PHONE["width"] for box in boxes)
