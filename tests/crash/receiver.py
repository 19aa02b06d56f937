"""The receiver of the suites: outside of the processes under test, slow and failing by rule, with a log of all that came."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any, Final

from tests.crash.dispatchers import SECRET

PATH: Final = "/webhooks/swiftclaw"


@dataclass(slots=True)
class Arrival:
    """One request: when it was read and answered (unix seconds; None: not yet, or the sender was gone), and what it said."""

    event_id: str
    path: str
    body_hash: str
    signed: bool
    at: float
    status: int
    answered_at: float | None = None


@dataclass(frozen=True, slots=True)
class Coming:
    """A request that is to be answered: how many came before it, in all and for its event."""

    number: int
    of_event: int
    path: str


# Says with which status, and after how many seconds, a request is answered.
Rule = Callable[[Coming, Random], tuple[int, float]]


def a_quarter_fails(coming: Coming, random: Random) -> tuple[int, float]:
    """A quarter of the answers are 503; each takes 10-50 ms."""
    return 503 if coming.number % 4 == 1 else 200, random.uniform(0.01, 0.05)


@dataclass(slots=True)
class Receiver:
    """What came, in the order of coming; `news` is told of every arrival and answer."""

    rule: Rule
    random: Random
    url: str = ""
    secrets: set[str] = field(default_factory=lambda: {SECRET})
    arrivals: list[Arrival] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)
    _by_event: Counter[str] = field(default_factory=Counter)

    def take(self, path: str, signature: str, body: bytes) -> tuple[Arrival, float]:
        """Write a request down; return it with the seconds after which it is to be answered."""
        signed = any(
            hmac.compare_digest(signature, hmac.new(secret.encode(), body, hashlib.sha256).hexdigest())
            for secret in tuple(self.secrets)
        )
        event_id = json.loads(body)["id"]
        body_hash = hashlib.sha256(body).hexdigest()
        with self.news:
            coming = Coming(len(self.arrivals), self._by_event[event_id], path)
            status, delay_s = self.rule(coming, self.random)
            self._by_event[event_id] += 1
            arrival = Arrival(event_id, path, body_hash, signed, time.time(), status if signed else 401)
            self.arrivals.append(arrival)
            self.news.notify_all()
        return arrival, delay_s

    def answered(self, arrival: Arrival) -> None:
        """Write down that the answer was given to the operating system."""
        with self.news:
            arrival.answered_at = time.time()
            self.news.notify_all()

    def of(self, event_id: str) -> list[Arrival]:
        """Return the requests for an event."""
        return [arrival for arrival in self.arrivals if arrival.event_id == event_id]

    def wait_for(self, happened: Callable[[], bool], *, timeout_s: float) -> bool:
        """Wait until something is so; return whether it became so in time."""
        with self.news:
            return self.news.wait_for(happened, timeout_s)

    def counted(self) -> Counter[str]:
        """Return the number of requests by event."""
        return Counter(self._by_event)

    def taken(self) -> Counter[str]:
        """Return the number of requests that were to be answered with 2xx, by event."""
        return Counter(arrival.event_id for arrival in self.arrivals if 200 <= arrival.status <= 299)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """Say nothing: a sender that is killed resets its connections."""


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one write per answer: two would wait 40 ms for each other

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            arrival, delay_s = receiver.take(self.path, self.headers.get("X-SwiftClaw-Signature", ""), body)
            time.sleep(delay_s)
            self.send_response(arrival.status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")
            with suppress(OSError):  # the sender is gone: not answered
                self.wfile.flush()
                receiver.answered(arrival)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def receiving(rule: Rule = a_quarter_fails, *, seed: int = 1) -> Iterator[Receiver]:
    """Run a receiver on a free port until the block ends."""
    receiver = Receiver(rule, Random(seed))
    server = _Server(("127.0.0.1", 0), _handler(receiver))
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}{PATH}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
