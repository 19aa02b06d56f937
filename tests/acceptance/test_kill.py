"""`kill -9` in the middle of 1,000 events: nothing acknowledged is lost, nothing is sent without a row, doubles are known."""

from __future__ import annotations

import http.client
import json
import signal
import sqlite3
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.acceptance.running import PageReceiver, RunningServer, receiving, start_server

EVENTS = 1000
EMITTERS = 4
NAMES = [f"evt_{number:05}" for number in range(EVENTS)]


@dataclass(slots=True)
class Emitted:
    """What the emitters know: the event ids that were acknowledged, and those whose answer never came."""

    acknowledged: set[str] = field(default_factory=set)
    ambiguous: set[str] = field(default_factory=set)


def emit(server: RunningServer, names: list[str], emitted: Emitted, reached: threading.Event, *, kill_at: int) -> None:
    """Emit events one after the other until the server is gone; tell when `kill_at` events are acknowledged."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    for name in names:
        emitted.ambiguous.add(name)
        try:
            body = json.dumps({"type": "agent.failed", "id": name, "data": {"name": name}})
            connection.request("POST", "/v1/agents/my-agent/events", body)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            break
        assert answer.status in (200, 202)
        emitted.ambiguous.discard(name)
        emitted.acknowledged.add(name)
        if len(emitted.acknowledged) >= kill_at:
            reached.set()
    connection.close()


def emit_all(server: RunningServer, emitted: Emitted, *, kill_at: int | None = None) -> None:
    """Emit what is not acknowledged yet, from several threads; with `kill_at`, kill the server with -9 at that many."""
    missing = [name for name in NAMES if name not in emitted.acknowledged]
    reached = threading.Event()
    with ThreadPoolExecutor(EMITTERS) as pool:
        running = [
            pool.submit(emit, server, missing[share::EMITTERS], emitted, reached, kill_at=kill_at or EVENTS)
            for share in range(EMITTERS)
        ]
        if kill_at is not None:
            assert reached.wait(60)
            assert server.stop(signal.SIGKILL) == -signal.SIGKILL
        for thread in running:
            thread.result(60)


def judged(folder: Path, receiver: PageReceiver, emitted: Emitted) -> dict[str, int]:
    """Return what the receiver, the emitters and SQL say of each other."""
    database = sqlite3.connect(folder / ".swiftclaw" / "swiftclaw.db")
    known = {row[0] for row in database.execute("SELECT id FROM event")}
    outcomes = Counter(row[0] for row in database.execute("SELECT outcome FROM delivery_log"))
    unfinished = database.execute("SELECT count(*) FROM delivery WHERE state <> 'succeeded'").fetchone()[0]
    sent_rows = Counter(row[0] for row in database.execute("SELECT event_id FROM delivery_log"))
    (integrity,) = database.execute("PRAGMA integrity_check").fetchone()
    database.close()
    arrived = Counter(request.event_id for request in receiver.received)
    bodies = {(request.event_id, request.body) for request in receiver.received}
    return {
        "lost": len(emitted.acknowledged - set(arrived)),
        "acknowledged and not in SQL": len(emitted.acknowledged - known),
        "unexpected": len(set(arrived) - emitted.acknowledged - emitted.ambiguous),
        "unfinished": unfinished,
        "requests without a row": sum((arrived - sent_rows).values()),
        "doubled beyond the interrupted": max(0, sum(arrived.values()) - len(arrived) - outcomes["interrupted"]),
        "bodies that changed": len(bodies) - len(arrived),
        "wrong signatures": sum(not request.signed for request in receiver.received),
        "damaged": int(integrity != "ok"),
    }


@pytest.mark.parametrize("kill_at", [400])  # `make crash` kills at random points, many times
def test_nothing_is_lost_when_the_server_is_killed_among_a_thousand_events(tmp_path: Path, kill_at: int) -> None:
    emitted = Emitted()
    with receiving("scsec_mine", 200, delay_s=0.02) as receiver:
        server = start_server(tmp_path, "--per-webhook", "10", "--secret", "scsec_mine")
        server.api("POST", "/v1/agents/my-agent/webhooks", {"url": receiver.url})
        emit_all(server, emitted, kill_at=kill_at)
        acknowledged, arrived_before = len(emitted.acknowledged), len(receiver.received)
        again = start_server(tmp_path, "--per-webhook", "10")
        settle(again)
        survived = len({request.event_id for request in receiver.received} & emitted.acknowledged)
        emit_all(again, emitted)  # the rest, and those whose answer was lost: the same id again is the same event
        settle(again)
        assert again.stop() == 0
        figures = judged(tmp_path, receiver, emitted)
    print(f"killed at {acknowledged} acknowledged events, {arrived_before} requests arrived by then;")
    print(f"after the restart {survived} of {acknowledged} had arrived; in the end {len(receiver.received)} requests")
    print(f"for {EVENTS} events: {figures}")
    assert (acknowledged < EVENTS, survived) == (True, acknowledged)
    assert {request.event_id for request in receiver.received} == set(NAMES)
    assert figures == dict.fromkeys(figures, 0)


def settle(server: RunningServer) -> None:
    """Wait until everything that is owed has been delivered."""
    server.api("POST", "/_local/clock/freeze")
    status, moved = server.api("POST", "/_local/clock/idle", {"max_sends": 100_000}, timeout=60)
    assert (status, moved["scheduled"]) == (200, 0)
