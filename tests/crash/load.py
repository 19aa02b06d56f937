"""Emitters that never give up: each event is sent again, with the same id, until it is acknowledged."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from tests.crash.dispatchers import Dispatchers
from tests.crash.receiver import Receiver

AGENT: Final = "my-agent"
EMITTERS: Final = 3
_PAUSE_S: Final = 0.01


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer to an emit: when it was asked for and when it came (unix seconds)."""

    asked_at: float
    at: float
    status: int


@dataclass(slots=True)
class Load:
    """Emitters on whatever server runs at the moment, and what they know."""

    dispatchers: Dispatchers
    pause_s: float = _PAUSE_S
    most: int | None = None
    acknowledged: set[str] = field(default_factory=set)
    ambiguous: set[str] = field(default_factory=set)
    answers: list[Answered] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def emit_all(self) -> None:
        """Emit one event after the other until the load is stopped, or all are acknowledged."""
        line = Line()
        while not self.stopped.is_set():
            number = next(self._numbers)
            if self.most is not None and number >= self.most:
                break
            name = f"evt_{number:06}"
            while not self.stopped.is_set() and not self.emit(name, line):
                time.sleep(_PAUSE_S)
            time.sleep(self.pause_s)
        line.close()

    def acknowledged_more_within(self, seconds: float) -> bool:
        """Return whether an event is acknowledged within so many seconds from now."""
        before, until = len(self.acknowledged), time.monotonic() + seconds
        while len(self.acknowledged) == before and time.monotonic() < until:
            time.sleep(_PAUSE_S)
        return len(self.acknowledged) > before

    def emit(self, name: str, line: Line) -> bool:
        """Emit one event once; return whether it was acknowledged."""
        self.ambiguous.add(name)
        asked_at = time.time()
        status = line.post(self.dispatchers.server.url, json.dumps({"type": "agent.failed", "id": name}))
        if status is None:
            return False
        self.answers.append(Answered(asked_at, time.time(), status))
        if status not in (200, 202):
            return False
        self.acknowledged.add(name)
        self.ambiguous.discard(name)
        return True


class Line:
    """A connection that is kept, and made anew when the server is another one or hung up."""

    def __init__(self) -> None:
        self._url = ""
        self._connection: http.client.HTTPConnection | None = None

    def post(self, url: str, body: str) -> int | None:
        """Return the status of one emit; None when there was no answer."""
        if url != self._url or self._connection is None:
            self.close()
            self._url, self._connection = url, http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        try:
            self._connection.request("POST", f"/v1/agents/{AGENT}/events", body)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            return None
        return answer.status

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def webhook(dispatchers: Dispatchers, receiver: Receiver, *, agent: str = AGENT) -> str:
    """Register the receiver and return the webhook's id."""
    status, made = dispatchers.server.api("POST", f"/v1/agents/{agent}/webhooks", {"url": receiver.url})
    assert status == 201, made
    webhook_id: str = made["id"]
    return webhook_id


@contextmanager
def loaded(dispatchers: Dispatchers, *, pause_s: float = _PAUSE_S, most: int | None = None) -> Iterator[Load]:
    """Run emitters until the block ends; with `most`, until so many events are acknowledged at the latest."""
    load = Load(dispatchers, pause_s, most)
    threads = [threading.Thread(target=load.emit_all, daemon=True) for _ in range(EMITTERS)]
    for thread in threads:
        thread.start()
    try:
        yield load
        if most is not None:
            for thread in threads:
                thread.join(600)
    finally:
        load.stopped.set()
        for thread in threads:
            thread.join(60)
