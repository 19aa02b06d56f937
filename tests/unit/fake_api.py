"""A stand-in for the server's API: answers what a test says, and keeps what it was asked. Standard library only."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: `body` is parsed JSON, or None."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass(slots=True)
class FakeApi:
    """Answers by "METHOD /path"; a route without an answer is a 404 of ours."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    routes: dict[str, Callable[[Asked], tuple[int, Any]]] = field(default_factory=dict)

    def on(self, route: str, body: Any = None, *, status: int = 200) -> None:
        """Answer `route` with a status and a JSON body; bytes are sent as they are."""
        self.routes[route] = lambda _asked: (status, body)

    def on_call(self, route: str, answer: Callable[[Asked], tuple[int, Any]]) -> None:
        """Answer `route` with what a function of the request returns: status and body."""
        self.routes[route] = answer

    def refuse(self, route: str, code: str, message: str, *, status: int, hint: str | None = None) -> None:
        """Answer `route` with an error as the API writes it."""
        told = {"code": code, "message": message, "hint": hint, "field": None, "docs": None}
        self.on(route, {"error": told}, status=status)

    def bodies(self, route: str) -> list[Any]:
        """Return the bodies `route` was sent."""
        return [asked.body for asked in self.asked if f"{asked.method} {asked.path}" == route]


@contextmanager
def running_api() -> Iterator[FakeApi]:
    """Run a FakeApi on a free port of this machine."""
    api = FakeApi()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(api))
    server.daemon_threads = True
    api.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(api: FakeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            api.connections += 1
            super().setup()

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            sent = self.rfile.read(length)
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, parts.path, query, headers, json.loads(sent) if sent else None)
            api.asked.append(asked)
            missing = {"error": {"code": "unknown_route", "message": f"No route {self.command} {parts.path}."}}
            answer = api.routes.get(f"{self.command} {parts.path}")
            status, body = answer(asked) if answer else (404, missing)
            data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Stay quiet."""

    for method in ("GET", "POST", "PATCH", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.answer)
    return Handler
