"""nginx with the configuration of deploy/, in front of servers of the tests' own, with a certificate made for the day."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONFIGURATION = Path(__file__).resolve().parents[2] / "deploy" / "nginx.conf"
CERTIFICATE = (
    "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout key.pem -out certificate.pem"
)
MAIN = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    include /etc/nginx/mime.types;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    log_format seats '$seat $upstream_addr $status $request_uri';
    access_log {folder}/access.log seats;
    include {folder}/tandem.conf;
}}
"""


def missing() -> str:
    """What this machine lacks for it; empty where it lacks nothing."""
    return ", ".join(name for name in ("nginx", "openssl") if shutil.which(name) is None)


@contextmanager
def proxy(folder: Path, *servers: str) -> Iterator[str]:
    """The https address under which nginx serves these addresses, until the block ends.

    Only ports, the servers and the certificate's place differ from the file in deploy/.
    """
    plain, safe = _free(), _free()
    subprocess.run(
        CERTIFICATE.split(),
        cwd=folder,
        check=True,
        capture_output=True,
    )
    lines = CONFIGURATION.read_text("utf-8").splitlines()
    kept = [line for line in lines if not line.strip().startswith("server 127.0.0.1:")]
    at = next(number for number, line in enumerate(kept) if "hash $seat" in line)
    kept[at + 1 : at + 1] = [f"server {address.removeprefix('http://')};" for address in servers]
    text = "\n".join(kept)
    for old, new in (
        ("listen 80;", f"listen {plain};"),
        ("listen 443 ssl;", f"listen {safe} ssl;"),
        ("tandem.example.com", "localhost"),
        ("/etc/ssl/tandem", str(folder)),
        ("https://$host$request_uri", f"https://$host:{safe}$request_uri"),
    ):
        assert old in text, f"deploy/nginx.conf has no {old!r} any more"
        text = text.replace(old, new)
    (folder / "tandem.conf").write_text(text, encoding="utf-8")
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder), encoding="utf-8")
    process = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)], stderr=subprocess.PIPE)
    try:
        _listening(process, safe)
        yield f"https://localhost:{safe}"
    finally:
        process.terminate()
        process.wait(10)


def plain_address(folder: Path) -> str:
    """The http address beside the https one."""
    first = next(line for line in (folder / "tandem.conf").read_text("utf-8").splitlines() if "listen" in line)
    return f"http://localhost:{first.split()[1].rstrip(';')}"


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listening(process: subprocess.Popen[bytes], port: int) -> None:
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        if process.poll() is not None:
            raise RuntimeError(f"nginx ended: {process.stderr.read().decode() if process.stderr else ''}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("nginx does not listen")
