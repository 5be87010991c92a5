"""The proxy configuration of deploy/, run by nginx before two servers: seats, headers, origins, and pages that work."""

from __future__ import annotations

import ssl
from collections import defaultdict
from urllib.error import HTTPError
from urllib.request import HTTPErrorProcessor, HTTPSHandler, Request, build_opener

import pytest
from playwright.sync_api import expect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.browser.conftest import FIRST_RUN, drawn, serve
from tests.browser.proxy import missing, plain_address, proxy

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")
VISITORS = 12


class _Answer(HTTPErrorProcessor):
    """Redirects and refusals are answers as well."""

    def http_response(self, request, response):
        return response

    https_response = http_response


@pytest.fixture(scope="module")
def trusting():
    """A client's TLS that takes the certificate of the day."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("nginx")


@pytest.fixture(scope="module")
def address(root, folder, base_url):
    """Address of nginx before the server that the tests share and one more."""
    with serve(root, folder / "second.txt") as second, proxy(folder, base_url, second) as url:
        yield url


@pytest.fixture(scope="module")
def get(trusting):
    """``get(url, **headers)``: the answer, redirects not followed."""
    opener = build_opener(HTTPSHandler(context=trusting), _Answer)

    def ask(url, **headers):
        return opener.open(Request(url, headers=headers), timeout=20)

    return ask


def test_a_visitor_stays_with_one_process_and_both_are_used(address, folder, get):
    seats = set()
    for _ in range(VISITORS):
        seat = get(address).headers["Set-Cookie"].split(";")[0]
        seats.add(seat)
        for path in ("/coverage", "/_stcore/health", "/_stcore/host-config"):
            assert get(address + path, Cookie=seat).status == 200
    assert len(seats) == VISITORS
    served = defaultdict(set)
    for line in (folder / "access.log").read_text("utf-8").splitlines():
        seat, upstream, *_ = line.split()
        served[seat].add(upstream)
    for seat in seats:
        assert len(served[seat.removeprefix("tandem_seat=")]) == 1
    assert len(set().union(*served.values())) == 2


def test_the_headers_a_browser_needs(address, get):
    headers = get(address).headers
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    cookie = headers["Set-Cookie"]
    assert {"Secure", "HttpOnly", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}
    assert "nginx/" not in headers["Server"]


def test_http_is_sent_to_https(address, folder, get):
    answer = get(f"{plain_address(folder)}/coverage?sales_cycle=120")
    assert (answer.status, answer.headers["Location"]) == (301, f"{address}/coverage?sales_cycle=120")


@pytest.mark.parametrize("origin", [None, "https://elsewhere.example"])
def test_a_websocket_from_elsewhere_or_from_nowhere_is_refused(address, trusting, origin):
    with pytest.raises((InvalidStatus, HTTPError)) as refused:
        connect(f"{address.replace('https', 'wss')}/_stcore/stream", ssl=trusting, origin=origin)
    assert refused.value.response.status_code == 403


def test_a_websocket_from_the_page_is_taken(address, trusting):
    with connect(f"{address.replace('https', 'wss')}/_stcore/stream", ssl=trusting, origin=address) as socket:
        assert socket.response.status_code == 101


def test_pages_work_behind_it_and_break_none_of_its_rules(address, browser, settle):
    page = browser.new_context(ignore_https_errors=True).new_page()
    complaints = []
    page.on("console", lambda said: complaints.append((said.text, said.location)) if said.type == "error" else None)
    page.goto(f"{address}/coverage?sales_cycle=120")
    drawn(page)
    expect(page.locator(".st-key-landings_card svg.marks")).to_be_visible(timeout=FIRST_RUN)
    said = page.locator("h2").first.inner_text()
    page.locator(".st-key-sales_cycle").get_by_role("slider").press("End")
    expect(page.locator("h2").first).not_to_have_text(said)
    settle(page)
    page.goto(f"{address}/load")
    drawn(page)
    with page.expect_download() as download:
        page.get_by_test_id("stDownloadButton").first.get_by_role("button").click()
    assert download.value.path().stat().st_size > 0
    # Streamlit looks for its server below the address of the page first; those two answers of 404 are its own.
    assert [(text, place["url"]) for text, place in complaints if "/_stcore/h" not in place["url"]] == []
    page.context.close()
