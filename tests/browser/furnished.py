"""A server with something on every page: webhooks, deliveries in every state, a fault, an alert that fires, a report."""

from __future__ import annotations

from typing import Any, Final

from swiftclaw_local.server.console.pages import PAGES
from tests.acceptance.running import PageReceiver, RunningServer

# Pages that people look at; the others are files, and parts of pages.
SEEN: Final = tuple(page.path for page in PAGES if page.twin)


def furnish(server: RunningServer, receiver: PageReceiver) -> dict[str, str]:
    """Fill a server, and return the names that stand in the pages' addresses."""
    agent = "/v1/agents/my-agent"
    _, webhook = server.api("POST", f"{agent}/webhooks", {"url": receiver.url, "description": "orders"})
    server.api("POST", "/v1/agents/billing/webhooks", {"url": "http://127.0.0.1:1/hook", "events": ["agent.failed"]})
    server.api(
        "POST", "/v1/alerts", {"agent": "my-agent", "metric": "webhook-failures", "threshold": 1, "window": "1h"}
    )
    _, found = server.api("POST", "/_local/certify", {"webhook": webhook["id"], "only": ["SIG", "RAW", "DUP"]})
    for status in (200, 400, 500):
        receiver.answers[:] = [status]
        emitted = emit(server, "agent.completed")
    server.api("POST", "/v1/agents/billing/events?wait=first", {"type": "agent.failed"})
    server.api("POST", "/_local/clock/freeze")
    server.api("POST", "/_local/clock/next", {})
    receiver.answers[:] = [200]
    again = replay(server, {"state": "failed"})
    server.api("POST", "/_local/faults", {"kind": "lost_reply", "webhook": webhook["id"]})
    delivery = emitted["deliveries"][0]
    return {
        "webhook_id": webhook["id"],
        "delivery_id": delivery["id"],
        "event_id": delivery["event_id"],
        "report_id": found["id"],
        "replay_id": again,
    }


def replay(server: RunningServer, wanted: dict[str, str]) -> str:
    """Replay what matches, and return the replay's id."""
    status, begun = server.api("POST", "/v1/replays", {"filter": wanted, "rate": 100})
    assert status in (200, 201, 202), begun
    found: str = begun["id"]
    return found


def emit(server: RunningServer, type: str, *, agent: str = "my-agent", **fields: Any) -> Any:
    """Emit an event, and return the answer after the first attempts."""
    status, answer = server.api("POST", f"/v1/agents/{agent}/events?wait=first", {"type": type, **fields})
    assert status == 200, answer
    return answer
