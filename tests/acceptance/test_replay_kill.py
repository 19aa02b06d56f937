"""A replay whose server is killed in the middle goes on after the restart, and makes each delivery once."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.acceptance.running import RunningServer, receiving, start_server

FAILURES = 300
FLAGS = ("--secret", "scsec_mine", "--retry-schedule", "1h")


def until(server: RunningServer, path: str, reached: Any) -> dict[str, Any]:
    """Ask until the answer is as wished."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        _, answer = server.api("GET", path)
        if reached(answer):
            return dict(answer)
        time.sleep(0.05)
    raise AssertionError(answer)


def test_each_delivery_is_replayed_once_when_the_server_is_killed_in_the_middle(tmp_path: Path) -> None:
    with receiving("scsec_mine", 503) as receiver:
        server = start_server(tmp_path, *FLAGS)
        server.api("POST", "/v1/agents/my-agent/webhooks", {"url": receiver.url})
        for _ in range(FAILURES):
            server.api("POST", "/v1/agents/my-agent/events", {"type": "agent.failed"})
        until(server, "/_local/status", lambda status: status["deliveries"].get("retrying") == FAILURES)
        receiver.answers[:] = [200]
        _, replay = server.api("POST", "/v1/replays", {"filter": {"unresolved": True}, "rate": 300})
        path = f"/v1/replays/{replay['id']}"
        until(server, path, lambda replay: replay["fixed"] >= FAILURES // 4)
        assert server.stop(signal.SIGKILL) == -signal.SIGKILL
        again = start_server(tmp_path, *FLAGS)
        done = until(again, path, lambda replay: replay["state"] == "done")
        assert again.stop() == 0
    assert (done["total"], done["fixed"]) == (FAILURES, FAILURES)
    with closing(sqlite3.connect(tmp_path / ".swiftclaw" / "swiftclaw.db")) as database:
        made = Counter(row[0] for row in database.execute("SELECT replay_of FROM delivery WHERE trigger = 'replay'"))
        (interrupted,) = database.execute("SELECT count(*) FROM attempt WHERE outcome = 'interrupted'").fetchone()
    assert Counter(made.values()) == {1: FAILURES}
    sends = Counter(request.event_id for request in receiver.received)
    assert sum(count - 2 for count in sends.values()) <= interrupted
    assert min(sends.values()) == 2
