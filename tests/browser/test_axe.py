"""Accessibility: axe finds nothing serious on any page, light and dark, nor on those of the meeting in meeting mode."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import addresses, drawn

SERIOUS = ("serious", "critical")

EMPTY_MARK = ("svg-img-alt", "_highlighted_points_marks")
"""Rule, and class of the element: the one exception.

The small line in Streamlit's own st.metric (1.67) holds a group for the point under the mouse. It has the role of a
graphic and no name, but nothing in it is drawn or read out; the value itself stands as text beside the line.
"""


def violations(page):
    """Serious and critical violations of the page as drawn: rule and element."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    serious = [
        (each["id"], node["html"][:200]) for each in found if each["impact"] in SERIOUS for node in each["nodes"]
    ]
    rule, mark = EMPTY_MARK
    return [(name, html) for name, html in serious if not (name == rule and mark in html and html.endswith("></g>"))]


@pytest.fixture(scope="module", params=["light", "dark"])
def visit(request, browser, base_url):
    """``visit(address)`` opens a page in one colour scheme and waits until it is drawn."""
    context = browser.new_context(color_scheme=request.param, base_url=base_url)
    page = context.new_page()

    def go(address):
        page.goto(address)
        drawn(page)
        return page

    yield go
    context.close()


@pytest.mark.parametrize("address", [*addresses(), *(f"{path}?meeting=true" for path in addresses("meeting"))])
def test_nothing_serious(visit, address):
    assert violations(visit(address)) == []


def test_axe_finds_what_is_wrong(page):
    page.set_content("<html lang=en><title>A page</title><main><img src=x.png><button></button></main>")
    assert {rule for rule, _ in violations(page)} == {"image-alt", "button-name"}
