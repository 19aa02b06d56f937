"""Seven hours of retries in a real process: six requests at the page's times, and what the log says of them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.acceptance.running import receiving, serving


def test_the_six_requests_come_at_the_pages_times_and_every_attempt_is_in_sql(tmp_path: Path) -> None:
    with (
        receiving("scsec_mine", 500) as receiver,
        serving(tmp_path, "--clock", "manual", "--secret", "scsec_mine") as server,
    ):
        status, _ = server.api("POST", "/v1/agents/my-agent/webhooks", {"url": receiver.url})
        assert status == 201
        status, emitted = server.api("POST", "/v1/agents/my-agent/events?wait=first", {"type": "agent.failed"})
        assert (status, emitted["deliveries"][0]["state"]) == (200, "retrying")
        status, moved = server.api("POST", "/_local/clock/idle", {})
        assert (status, moved["scheduled"]) == (200, 0)
        assert [sent["after_s"] for sent in moved["sends"]] == [60, 360, 1260, 4860, 26460]
        assert len(receiver.received) == 6
        assert len({arrived.body for arrived in receiver.received}) == 1
        assert all(arrived.signed for arrived in receiver.received)
        assert server.stop() == 0
    with sqlite3.connect(tmp_path / ".swiftclaw" / "swiftclaw.db") as database:
        rows = database.execute("SELECT attempt, retry, status, outcome FROM delivery_log ORDER BY attempt").fetchall()
    database.close()
    assert rows == [(n, n - 1, 500, "retry" if n < 6 else "dead") for n in range(1, 7)]
