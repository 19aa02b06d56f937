"""Emitters that never give up, and the judge: sets from the emitters and the receiver, held against SQL."""

from __future__ import annotations

import http.client
import itertools
import json
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.acceptance.running import PageReceiver, RunningServer, start_server
from tests.acceptance.test_kill import Emitted

SECRET: Final = "scsec_mine"
# A quarter of the answers are 5xx.
ANSWERS: Final = [200, 503, 200, 200] * 10_000
FLAGS: Final = ("--secret", SECRET, "--retry-schedule", "100ms,200ms,400ms,800ms,1s")
_EMITTERS: Final = 3
_PAUSE_S: Final = 0.01


@dataclass(slots=True)
class Load:
    """Emitters that send to whatever `server` is at the moment, each event until it is acknowledged."""

    server: RunningServer
    emitted: Emitted = field(default_factory=Emitted)
    statuses: Counter[int] = field(default_factory=Counter)
    stopped: threading.Event = field(default_factory=threading.Event)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def emit_all(self) -> None:
        """Emit one event after the other until the load is stopped."""
        while not self.stopped.is_set():
            name = f"evt_{next(self._numbers):06}"
            self.emitted.ambiguous.add(name)
            while not self.stopped.is_set() and not self._emit(name):
                time.sleep(_PAUSE_S)
            time.sleep(_PAUSE_S)

    def acknowledged_more_within(self, seconds: float) -> bool:
        """Return whether an event is acknowledged within so many seconds from now."""
        before, until = len(self.emitted.acknowledged), time.monotonic() + seconds
        while len(self.emitted.acknowledged) == before and time.monotonic() < until:
            time.sleep(_PAUSE_S)
        return len(self.emitted.acknowledged) > before

    def _emit(self, name: str) -> bool:
        connection = http.client.HTTPConnection(urlsplit(self.server.url).netloc, timeout=30)
        try:
            connection.request("POST", "/v1/agents/my-agent/events", json.dumps({"type": "agent.failed", "id": name}))
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        self.statuses[status] += 1
        if status not in (200, 202):
            return False
        self.emitted.acknowledged.add(name)
        self.emitted.ambiguous.discard(name)
        return True


@contextmanager
def loaded(folder: Path, receiver: PageReceiver) -> Iterator[Load]:
    """Run a server with a webhook and emitters on it; emitting ends with the block, the server does not."""
    receiver.answers = list(ANSWERS)
    load = Load(start_server(folder, *FLAGS))
    load.server.api("POST", "/v1/agents/my-agent/webhooks", {"url": receiver.url})
    threads = [threading.Thread(target=load.emit_all) for _ in range(_EMITTERS)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.stopped.set()
        for thread in threads:
            thread.join(60)


def judged(folder: Path, receiver: PageReceiver, emitted: Emitted) -> tuple[dict[str, int], Counter[str]]:
    """Return what must be 0, and what happened."""
    database = sqlite3.connect(folder / ".swiftclaw" / "swiftclaw.db")
    known = {row[0] for row in database.execute("SELECT id FROM event")}
    outcomes = Counter(row[0] for row in database.execute("SELECT outcome FROM delivery_log"))
    rows = Counter(row[0] for row in database.execute("SELECT event_id FROM delivery_log"))
    open_count = database.execute("SELECT count(*) FROM delivery WHERE ended_at IS NULL").fetchone()[0]
    dead = {row[0] for row in database.execute("SELECT event_id FROM delivery WHERE state = 'dead'")}
    (integrity,) = database.execute("PRAGMA integrity_check").fetchone()
    database.close()
    arrived = Counter(request.event_id for request in receiver.received)
    taken = Counter(
        request.event_id for request, status in zip(receiver.received, ANSWERS, strict=False) if status == 200
    )
    wrong = {
        "lost": len(emitted.acknowledged - set(taken) - dead),
        "acknowledged and not in SQL": len(emitted.acknowledged - known),
        "unexpected": len(set(arrived) - emitted.acknowledged - emitted.ambiguous),
        "stuck": open_count,
        "requests without a row": sum((arrived - rows).values()),
        "doubled beyond the interrupted": max(0, sum(taken.values()) - len(taken) - outcomes["interrupted"]),
        "bodies that changed": len({(r.event_id, r.body) for r in receiver.received}) - len(arrived),
        "wrong signatures": sum(not request.signed for request in receiver.received),
        "damaged": int(integrity != "ok"),
    }
    happened = Counter(
        acknowledged=len(emitted.acknowledged),
        ambiguous=len(emitted.ambiguous),
        requests=len(receiver.received),
        interrupted=outcomes["interrupted"],
        doubled=sum(taken.values()) - len(taken),
        dead=len(dead),
    )
    return wrong, happened
