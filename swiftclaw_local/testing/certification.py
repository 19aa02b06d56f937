"""What a certification found, and the page that tells it how much a receiver has done. It judges nothing itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from threading import Thread
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    """One check: `result` is pass, fail, warn or skip; `fix` is what to write instead, where that is known."""

    id: str
    title: str
    result: str
    got: str
    why: str
    fix: str


@dataclass(frozen=True, slots=True)
class Certification:
    """The report. `unreachable` says why no request arrived, None when they did."""

    url: str
    checks: tuple[Check, ...]
    unreachable: str | None

    def assert_passed(self, skip: Collection[str] = ()) -> None:
        """Claim that no check failed, but for the ids or families in `skip`, as `TIME`. Raises: AssertionError, with the fixes."""
        __tracebackhide__ = True
        if self.unreachable is not None:
            raise AssertionError(f"{self.url} cannot be certified: {self.unreachable}")
        failed = [one for one in self.checks if one.result == "fail" and not {one.id, one.id.split("-")[0]} & set(skip)]
        if failed:
            told = [line for one in failed for line in _lines(one)]
            raise AssertionError("\n".join([f"{self.url} is not right:", *told]))


def certification(document: dict[str, Any]) -> Certification:
    """Return the report of `POST /_local/certify`."""
    checks = [Check(*(one[name] for name in Check.__slots__)) for one in document["checks"]]
    return Certification(document["url"], tuple(checks), document["unreachable"])


@contextmanager
def counting(effects: Callable[[], int]) -> Iterator[str]:
    """Serve what a function returns, and yield the URL; the function is called in a thread of its own."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Tell the number."""
            body = json.dumps({"count": effects()}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with TCPServer(("127.0.0.1", 0), Page) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


def _lines(check: Check) -> list[str]:
    told = [f"  {check.id}  {check.title}: {check.got}", check.why, f"fix: {check.fix}" if check.fix else ""]
    return [told[0], *(f"      {line}" for line in told[1:] if line)]
