"""What the server refuses as it is shipped, and that nothing it does at run time asks another machine."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.browser.conftest import serve
from tests.visitor import Visitor

LISTENER = """
import sys
def hear(event, values):
    if event in ("socket.connect", "socket.sendto"):
        address = values[1]
    elif event == "socket.getaddrinfo":
        address = values[0]
    else:
        return
    with open({file!r}, "a") as told:
        told.write(f"{{address}}\\\\n")
sys.addaudithook(hear)
"""
HERE = ("('127.0.0.1', ", "('::1', ", "localhost", "127.0.0.1", "::1", "/", "b'/", "\0")
"""How addresses of this machine begin, names and sockets in files among them."""


@pytest.fixture(scope="module")
def server(root, tmp_path_factory):
    with serve(root, tmp_path_factory.mktemp("server") / "log.txt") as url:
        yield url


def stream(server, **options):
    return connect(f"{server.replace('http', 'ws')}/_stcore/stream", **options)


def test_a_page_of_another_origin_gets_no_connection(server):
    with pytest.raises(InvalidStatus) as refused:
        stream(server, origin="https://elsewhere.example")
    assert refused.value.response.status_code == 403
    with stream(server, origin=server):
        pass
    # Without an Origin it is no browser, and gets what any visitor gets; deploy/nginx.conf refuses it.
    with stream(server):
        pass


def put(server, session, length, **headers):
    """The status of an upload that declares so many bytes."""
    connection = http.client.HTTPConnection(urlsplit(server).netloc, timeout=10)
    connection.putrequest("PUT", f"/_stcore/upload_file/{session}/1")
    for name, value in {
        "Content-Length": str(length),
        "Content-Type": "multipart/form-data; boundary=x",
        **headers,
    }.items():
        connection.putheader(name, value)
    connection.endheaders()
    if length < 100:
        connection.send(b"x" * length)
    status = connection.getresponse().status
    connection.close()
    return status


def test_an_upload_needs_a_token_a_session_and_no_more_than_200_mb(server):
    with Visitor(server) as visitor:
        visitor.run()
        token = next(cookie.value for cookie in visitor._cookies if "xsrf" in cookie.name)
        known = {"X-Xsrftoken": token, "Cookie": f"_streamlit_xsrf={token}"}
        assert put(server, visitor.session, 10) == 403
        assert put(server, visitor.session, 10, **{"X-Xsrftoken": token}) == 403
        assert put(server, "no-session", 10, **known) == 400
        assert put(server, visitor.session, 300_000_000, **known) == 413


def test_the_browser_is_told_to_send_no_statistics_and_show_no_links_of_errors(server):
    with Visitor(server) as visitor:
        visitor.run()
        assert visitor.config.gather_usage_stats is False
        assert visitor.config.show_error_links == visitor.config.SHOW_ERROR_LINKS_FALSE
        assert visitor.config.disable_data_export is True


@pytest.mark.thorough
def test_everything_works_without_a_network_and_nothing_asks_for_one(root, tmp_path):
    if os.geteuid() or shutil.which("unshare") is None:
        pytest.skip("a network of its own takes root and unshare")
    (tmp_path / "sitecustomize.py").write_text(LISTENER.format(file=str(tmp_path / "asked.txt")))
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-m", "tests.faults.offline", str(tmp_path)],
        cwd=root, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "Operation not permitted" in done.stderr:
        pytest.skip(f"no network of its own here: {done.stderr}")
    assert done.returncode == 0, done.stdout + done.stderr
    asked = (tmp_path / "asked.txt").read_text().splitlines()
    assert any("127.0.0.1" in address for address in asked)
    assert [address for address in asked if not address.startswith(HERE)] == []
