"""Journeys, typed word for word: registering with curl, and repairing after an outage."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.acceptance.running import PageReceiver, RunningServer, receiving, serving
from tests.ports import free_port

SECRET = "scsec_dev"
OUTAGE = 1795424531  # 2026-11-23 09:02:11Z
SINCE = ("--unresolved", "--since", "2026-11-23 09:00")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    flags = ("--ephemeral", "--clock", "manual", "--retry-schedule", "1h", "--secret", SECRET)
    with serving(tmp_path_factory.mktemp("journeys"), *flags) as server:
        yield server


@pytest.fixture
def server(served: RunningServer) -> RunningServer:
    """The server as it is after its start, on the morning of the outage."""
    assert served.api("POST", "/_local/reset", {"at": OUTAGE})[0] == 204
    return served


@contextmanager
def after_the_outage(server: RunningServer) -> Iterator[PageReceiver]:
    """Let five deliveries to two webhooks fail with 503, one be refused and one rejected; then the receiver is well but for the last."""
    with receiving(SECRET, 503) as receiver:
        other = {"url": f"http://127.0.0.1:{free_port()}/down"}
        stranger = {"url": receiver.url, "secret": "scsec_other"}
        for agent, webhook in (("my-agent", {}), ("billing", {}), ("reports", other), ("stranger", stranger)):
            server.api("POST", f"/v1/agents/{agent}/webhooks", {"url": receiver.url} | webhook)
        emitted(server, "my-agent", 3)
        server.api("POST", "/_local/clock/advance", {"by": "45m19s"})
        for agent, count in (("billing", 2), ("reports", 1), ("stranger", 1)):
            emitted(server, agent, count)
        receiver.answers[:] = [200, 200, 200, 200, 500]
        yield receiver


def emitted(server: RunningServer, agent: str, count: int) -> None:
    for _ in range(count):
        server.api("POST", f"/v1/agents/{agent}/events?wait=first", {"type": "agent.completed"})


def typed(server: RunningServer, *words: str, code: int = 0) -> list[str]:
    """Type a command and return the lines it prints, without ids and how long each send took."""
    done = server.command("deliveries", *words)
    assert done.returncode == code, done.stderr
    shown = re.sub(r"\b(dlv|evt)_\w{26}", r"\1_ID", done.stdout)
    return re.sub(r"\b\d+ ms\b", "N ms", shown).splitlines()


def test_on_call_after_an_outage(server: RunningServer) -> None:
    with after_the_outage(server) as receiver:
        assert typed(server, "list", *SINCE, "--group", "cause") == [
            "CAUSE                                DELIVERIES  EVENTS  WEBHOOKS  FIRST     LAST",
            "503 Service Unavailable                       5       5         2  09:02:11  09:47:30",
            "401 Unauthorized  (final, no retry)           1       1         1  09:47:30  09:47:30",
            "connection refused                            1       1         1  09:47:30  09:47:30",
            "7 unresolved: never delivered. 6 of them still have retries scheduled (next in 14m 41s).",
        ]
        assert typed(server, "replay", *SINCE, "--cause", "503", "--dry-run") == [
            "Would replay 5 deliveries to 2 webhooks, oldest first, 10 per second: about 1 s."
            " Scheduled retries of the same deliveries are canceled.",
            "First canary: dlv_ID (agent.completed, 09:02:11).  Nothing sent.",
        ]
        sent = len(receiver.received)
        words = ("--cause", "503", "--rate", "10/s", "--canary", "1", "--stop-after", "5", "--yes")
        assert typed(server, "replay", *SINCE, *words, code=1) == [
            "Replay rpl_1   canary dlv_ID   200   N ms   fixed",
            'Replay rpl_1 done: 4 fixed, 1 still failing (dlv_ID 500 {"error": "Processing failed"}), 0 skipped.',
        ]
        first = [(one.event_id, one.body) for one in receiver.received[:3]]
        assert [(one.event_id, one.body) for one in receiver.received[sent : sent + 3]] == first
        assert typed(server, "diff", "@last-failed") == [
            "send 1 (09:47:30) -> replay (09:47:30)     request: identical bytes, same id"
            "      response: status 503 -> 500"
        ]
        later = ("--unresolved", "--since", "2026-11-23 09:48", "--group", "cause")
        assert server.command("deliveries", "list", *later).stderr == "No deliveries match.\n"


def test_with_curl_alone(server: RunningServer) -> None:
    with receiving(SECRET, 500) as receiver:
        made = curl(
            f"{server.url}/v1/agents/my-agent/webhooks", "--json", f'{{"url":"{receiver.url}","secret":"{SECRET}"}}'
        )
        assert (made["id"], made["agent"], made["url"], made["secret"]) == (
            "webhook-123",
            "my-agent",
            receiver.url,
            SECRET,
        )
        assert (len(made["events"]), made["enabled"]) == (9, True)
        tested = curl(f"{server.url}/v1/agents/my-agent/webhooks/webhook-123/test", "-X", "POST")
        assert (tested["trigger"], tested["sends"], tested["last_status"], tested["hints"]) == ("test", 1, 500, [])
        assert tested["attempts"][0]["response"]["body"] == '{"error": "Processing failed"}'


def curl(url: str, *words: str) -> dict[str, Any]:
    done = subprocess.run(["curl", "-s", url, *words], capture_output=True, check=True, timeout=60)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
