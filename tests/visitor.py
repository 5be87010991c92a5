"""A visitor without a browser: Streamlit's protocol over a websocket, for what a browser would be too heavy."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable
from http.cookiejar import CookieJar
from typing import Any, Self
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, HTTPSHandler, Request, build_opener

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import UploadedFileInfo
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import ClientConnection, connect

PATIENCE = 120.0
"""Seconds after which a run without an end is a failure."""

_OVER = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)
_IN_ADDRESS = ("Slider", "NumberInput", "Checkbox")
"""What the browser writes into the address; to widgets that are not bound to it that means nothing."""
_SHOWN = ("heading", "metric", "alert", "exception", "markdown")


class Visitor:
    """One person in front of one page after the other.

    ``widgets`` are the elements that a value can be set on, by key, with the fragment each belongs to; ``shown`` is
    what the last run wrote, kind and text; ``repeating`` are the fragments that the page has run again and again.
    """

    def __init__(self, address: str, page: str = "", **query: Any) -> None:
        self.address, self.page, self.query = address, page, query
        self.session = ""
        self.widgets: dict[str, tuple[Any, str]] = {}
        self.values: dict[str, WidgetState] = {}
        self.shown: list[tuple[str, str]] = []
        self.repeating: set[str] = set()
        self._turn, self._scripts = "", {}
        self._cookies = CookieJar()
        self._trust = _unchecked() if address.startswith("https") else None
        self._http = build_opener(HTTPCookieProcessor(self._cookies), HTTPSHandler(context=self._trust))
        self.connect()

    def connect(self) -> None:
        """Connect, to the session of before where there was one, as a browser does after its line was cut."""
        self._http.open(f"{self.address}/_stcore/health").close()
        cookies = "; ".join(f"{c.name}={c.value}" for c in self._cookies)
        self._socket: ClientConnection = connect(
            f"{self.address.replace('http', 'ws')}/_stcore/stream",
            origin=self.address,
            ssl=self._trust,
            additional_headers={"Cookie": cookies},
            subprotocols=["streamlit", "no-token", *filter(None, [self.session])],
            max_size=None,
            ping_timeout=PATIENCE,
            legacy=True,
        )

    def close(self) -> None:
        """Leave."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def go(self, page: str) -> Self:
        """Open a page."""
        self.page = page
        self.widgets, self.values = {}, {}
        return self.run()

    def set(self, key: str, value: Any) -> Self:
        """Set a widget, and wait for what follows."""
        self.send(key, value)
        return self.wait()

    def drag(self, key: str, share: float) -> Self:
        """Move a slider to the step at this share of its way, and wait for what follows."""
        slider, _ = self.widgets[key]
        return self.set(key, slider.min + slider.step * round(share * (slider.max - slider.min) / slider.step))

    def sliders(self) -> list[str]:
        """The sliders of the page."""
        return [key for key, (element, _) in self.widgets.items() if type(element).__name__ == "Slider"]

    def send(self, key: str, value: Any) -> None:
        """Set a widget and wait for nothing."""
        element, fragment = self.widgets[key]
        state = self.values[key] = WidgetState(id=element.id)
        kind = type(element).__name__
        if kind in _IN_ADDRESS:
            self.query[key] = value
        if kind == "Slider":
            state.double_array_value.data.append(value)
        elif kind == "Button":
            state.trigger_value = True
        elif kind == "Checkbox":
            state.bool_value = value
        elif kind == "NumberInput":
            state.double_value = value
        elif kind == "TextInput":
            state.string_value = value
        elif kind == "FileUploader":
            state.file_uploader_state_value.uploaded_file_info.extend(value)
        else:
            raise NotImplementedError(kind)
        self._ask(fragment)
        if kind == "Button":
            del self.values[key]

    def upload(self, files: Iterable[tuple[str, bytes]], key: str) -> Self:
        """Give files to an uploader, in place of those it had."""
        files, uploader = list(files), next(name for name in self.widgets if name.startswith(key))
        asked = BackMsg()
        asked.file_urls_request.request_id, asked.file_urls_request.session_id = "files", self.session
        asked.file_urls_request.file_names.extend(name for name, _ in files)
        self._socket.send(asked.SerializeToString())
        answer = self._until(lambda message: message.WhichOneof("type") == "file_urls_response")
        given = []
        for (name, content), urls in zip(files, answer.file_urls_response.file_urls, strict=True):
            self._put(urljoin(self.address, urls.upload_url), name, content)
            given.append(UploadedFileInfo(name=name, size=len(content), file_id=urls.file_id, file_urls=urls))
        return self.set(uploader, given)

    def _put(self, url: str, name: str, content: bytes) -> None:
        edge = b"--visitor"
        head = f'Content-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'.encode()
        body = b"\r\n".join((edge, head + content, edge + b"--\r\n"))
        token = next(c.value for c in self._cookies if "xsrf" in c.name)
        headers = {"Content-Type": "multipart/form-data; boundary=visitor", "X-Xsrftoken": token}
        self._http.open(Request(url, body, headers, method="PUT"), timeout=PATIENCE).close()

    def run(self) -> Self:
        """Run the whole page."""
        self._ask("")
        return self.wait()

    def follow(self, until: Callable[[Self], bool]) -> Self:
        """Run what the page repeats by itself until something is true."""
        give_up = time.monotonic() + PATIENCE
        while not until(self):
            assert time.monotonic() < give_up, f"it never came; shown: {self.shown[-5:]}"
            time.sleep(0.2)
            # In turn: one of them may have the whole page run, which ends the others.
            self._turn = next((name for name in sorted(self.repeating) if name > self._turn), "")
            if self._turn:
                self._ask(self._turn, is_auto_rerun=True)
                self.wait()
        return self

    def wait(self) -> Self:
        """Wait until the run is over."""
        self._until(
            lambda message: (
                self._is_begun and message.WhichOneof("type") == "script_finished" and message.script_finished in _OVER
            )
        )
        return self

    def texts(self, *kinds: str) -> list[str]:
        """What the last run wrote, of these kinds."""
        return [text for kind, text in self.shown if kind in kinds]

    def _ask(self, fragment: str, *, is_auto_rerun: bool = False) -> None:
        message = BackMsg()
        asked = message.rerun_script
        asked.page_name, asked.page_script_hash = self.page, self._scripts.get(self.page, "")
        asked.fragment_id, asked.query_string = fragment, urlencode(self.query)
        asked.is_auto_rerun = is_auto_rerun
        asked.widget_states.widgets.extend(self.values.values())
        self._is_begun = False
        if not fragment:
            self.repeating.clear()
        self._socket.send(message.SerializeToString())

    def _until(self, is_it: Callable[[ForwardMsg], bool]) -> ForwardMsg:
        while True:
            message = ForwardMsg.FromString(self._socket.recv(PATIENCE))
            self._hear(message)
            if is_it(message):
                return message

    def _hear(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self.session = message.new_session.initialize.session_id or self.session
            self.config = message.new_session.config
            self.shown, self._is_begun = [], True
        elif kind == "script_finished" and message.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
            self.repeating.clear()
        elif kind == "navigation":
            pages = message.navigation.app_pages
            self._scripts = {"" if page.is_default else page.url_pathname: page.page_script_hash for page in pages}
        elif kind == "auto_rerun":
            self.repeating.add(message.auto_rerun.fragment_id)
        elif kind == "stop_auto_rerun":
            self.repeating -= set(message.stop_auto_rerun.fragment_ids)
        elif kind == "delta":
            what = message.delta.new_element.WhichOneof("type")
            if what is None:
                return
            element = getattr(message.delta.new_element, what)
            if what in _SHOWN:
                text = getattr(element, "body", "") or getattr(element, "message", "")
                self.shown.append((what, text.replace("\\", "")))
            if getattr(element, "id", "").startswith("$$ID"):
                self.widgets[element.id.split("-", 2)[2]] = element, message.delta.fragment_id


def _unchecked() -> ssl.SSLContext:
    """For the certificate that a test has made for itself."""
    found = ssl.create_default_context()
    found.check_hostname, found.verify_mode = False, ssl.CERT_NONE
    return found
