"""Every form of the pack and every page, in a network that has nothing but the loopback: ``unshare --net python -m ...``."""

from __future__ import annotations

import fcntl
import socket
import struct
import subprocess
import sys
from pathlib import Path

from kpis.report.formats import FORMATS
from tests.browser.conftest import addresses, serve
from tests.visitor import Visitor

ROOT = Path(__file__).resolve().parents[2]
SET_FLAGS, UP = 0x8914, 0x1
"""Of Linux: the request that sets the flags of an interface (SIOCSIFFLAGS), and the flag that it is up."""


def loopback() -> None:
    """Bring the loopback up, which a new network has down; and see that it is all there is."""
    with socket.socket() as asking:
        fcntl.ioctl(asking, SET_FLAGS, struct.pack("16sH14x", b"lo", UP))
    assert socket.if_nameindex() == [(1, "lo")]


def main() -> None:
    """Make the pack by the command, then open every page as a visitor."""
    folder = Path(sys.argv[1])
    loopback()
    to = [word for ending in FORMATS for word in ("--to", str(folder / f"pack{ending}"))]
    subprocess.run([sys.executable, "-m", "kpis", "report", "sample_data", *to], cwd=ROOT, check=True)
    with serve(ROOT, folder / "log.txt") as url, Visitor(url) as visitor:
        for page in addresses():
            visitor.go(page.strip("/")).follow(lambda it: not it.repeating)
            assert visitor.texts("heading"), page
            assert visitor.texts("exception", "alert") == [], page
    assert "failure " not in (folder / "log.txt").read_text()


if __name__ == "__main__":
    main()
