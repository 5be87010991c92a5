"""What a page receives from its server, to search for what must not be in it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from pypdf import PdfReader

from tests.browser.conftest import FIRST_RUN


class Traffic:
    """What a page receives from its server: every frame of its socket, every file it draws or downloads."""

    def __init__(self, page):
        self.page, self.received, self.files = page, [], []
        page.on("websocket", lambda socket: socket.on("framereceived", self._keep))
        page.on("response", lambda response: self.files.append(response.url) if "/media/" in response.url else None)

    def _keep(self, payload):
        self.received.append(payload if isinstance(payload, bytes) else payload.encode())

    def download(self, button):
        """Click the button and read the file: unzipped where it is packed, the words of a PDF."""
        with self.page.expect_download(timeout=FIRST_RUN) as download:
            button.click()
        content = Path(download.value.path()).read_bytes()
        if zipfile.is_zipfile(io.BytesIO(content)):
            with zipfile.ZipFile(io.BytesIO(content)) as packed:
                content = b"".join(packed.read(name) for name in packed.namelist())
        elif content.startswith(b"%PDF"):
            words = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)
            content = " ".join(words.split()).encode()
        self._keep(content)
        return content

    def names(self, real):
        """Which of the names are in it."""
        everything = b"\n".join([*self.received, *(self.page.request.get(url).body() for url in self.files)])
        return [name for name in real if name.encode() in everything]
