"""A receiver that answers as a test tells it to, and remembers what it was sent. It runs in a thread, on a free port."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from threading import Event, Lock, Thread
from typing import Any, Final

PATH: Final = "/webhooks/swiftclaw"
_JOIN_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Received:
    """One request: `headers` by their names in lower case, `body` as its exact bytes."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """The body, parsed."""
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed

    @property
    def signature(self) -> str:
        """The header X-SwiftClaw-Signature; empty when there is none."""
        return self.headers.get("x-swiftclaw-signature", "")


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]
    delay: float


class Receiver:
    """Answers 200 until told otherwise. `url` is what to register; `requests` is everything it got, in order."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self._lock = Lock()
        self._answers = [_Answer(200, b"{}", {}, 0)]
        self._closed = Event()
        self._server = _Server(self)
        self._port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self._port}{PATH}"
        self._thread = Thread(target=self._serve, name="swiftclaw_receiver", daemon=True)
        self._thread.start()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events it got, in order; one that came twice stands here twice."""
        return [received.event for received in self.requests]

    def respond(
        self, *statuses: int, body: str = "{}", headers: Mapping[str, str] | None = None, delay: float = 0
    ) -> None:
        """Answer the next requests with these statuses, the last one for ever; each after `delay` seconds."""
        if not statuses:
            raise TypeError("respond() needs a status, as respond(500, 200)")
        with self._lock:
            self._answers = [_Answer(status, body.encode(), headers or {}, delay) for status in statuses]

    def close(self) -> None:
        """Stop listening; an answer that is being delayed is not sent."""
        self._closed.set()
        socket.create_connection(("127.0.0.1", self._port)).close()  # wakes the thread, which then sees it
        self._thread.join(_JOIN_S)
        self._server.server_close()

    def _serve(self) -> None:
        while not self._closed.is_set():
            self._server.handle_request()

    def _take(self, received: Received) -> _Answer | None:
        """Remember a request and return the answer to it; None when there is none to give any more."""
        with self._lock:
            self.requests.append(received)
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return None if self._closed.wait(answer.delay) else answer


class _Server(ThreadingTCPServer):
    # not HTTPServer, which asks the name service for this machine's name: seconds, on some
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, *_: Any) -> None:
        """Say nothing: a sender may go away."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    wbufsize = -1  # one write for each answer

    def do_POST(self) -> None:
        """Remember the request and answer as told; every connection is closed after its answer."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.receiver._take(Received(self.path, headers, body))
        if answer is None:
            return
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
