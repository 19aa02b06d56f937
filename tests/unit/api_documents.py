"""The API's JSON documents as the server writes them, for tests of what is made of them."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

NOON = 1795435200  # 2026-11-23 12:00:00Z
URL = "http://localhost:8000/webhooks/swiftclaw"
CLOCK: Json = {"mode": "manual", "rate": 0.0, "now": NOON, "lead_s": 0, "scheduled": 0, "next_at": None}


def delivery(**changes: Any) -> Json:
    """Return a delivery that retries after one 500, as lists show it."""
    return {
        "id": "dlv_01j5abcdefghjkmnpqrstv7qm9",
        "event_id": "evt_01j5abcdefghjkmnpqrstv5c1f",
        "event_type": "agent.failed",
        "agent": "my-agent",
        "webhook_id": "webhook-123",
        "url": URL,
        "state": "retrying",
        "held": False,
        "trigger": "event",
        "sends": 1,
        "retries_done": 0,
        "retries_max": 5,
        "created_at": NOON - 10,
        "next_at": NOON + 60,
        "next_in_s": 60,
        "ended_at": None,
        "final_reason": None,
        "explanation": "500; retry 1 of 5 in 1m 00s",
        "replay_of": None,
        "bytes": 312,
        "last_at": NOON - 5,
        "last_status": 500,
        "last_error": None,
        "last_ms": 31,
        "attempts": None,
        "planned": None,
        "hints": None,
    } | changes


def delivered(**changes: Any) -> Json:
    """Return a delivery that the receiver took at once."""
    ended: Json = {"state": "delivered", "next_at": None, "next_in_s": None, "ended_at": NOON - 5}
    return delivery(**ended, explanation="delivered", last_status=200, last_ms=18, **changes)


def failed(**changes: Any) -> Json:
    """Return a delivery that was refused for good with a 401."""
    ended: Json = {"state": "failed", "next_at": None, "next_in_s": None, "ended_at": NOON - 5}
    given: Json = {"explanation": "4xx is not retried", "final_reason": "rejected", "last_status": 401, "last_ms": 6}
    return delivery(**(ended | given | changes))


def refused(**changes: Any) -> Json:
    """Return a delivery that retries because nothing listens at the URL."""
    return delivery(**({"last_status": None, "last_error": "connect_refused", "last_ms": 2, "next_in_s": 58} | changes))


def attempt(n: int = 1, **changes: Any) -> Json:
    """Return the n-th attempt, answered with 500."""
    return {
        "id": f"att_{n}",
        "n": n,
        "kind": "first" if n == 1 else "retry",
        "retry": n - 1,
        "scheduled_at": NOON,
        "started_at": NOON + 60 * (n - 1),
        "ended_at": NOON + 60 * (n - 1),
        "duration_ms": 31,
        "url": URL,
        "request": {"headers": {"X-SwiftClaw-Signature": "ab" * 32}, "bytes": 312, "sha256": "cd" * 32},
        "response": response(),
        "error": None,
        "outcome": "retry",
    } | changes


def response(**changes: Any) -> Json:
    """Return a recorded answer."""
    return {
        "status": 500,
        "headers": [["Content-Type", "application/json"]],
        "body": '{"error": "Processing failed"}',
        "body_base64": None,
        "size": 30,
        "truncated": None,
    } | changes


def webhook(**changes: Any) -> Json:
    """Return a webhook without its counts."""
    return {
        "id": "webhook-123",
        "agent": "my-agent",
        "url": URL,
        "events": ["agent.invoked", "agent.completed", "agent.failed"],
        "description": "",
        "enabled": True,
        "created": NOON - 3600,
        "secret": None,
        "stats": None,
        "note": None,
    } | changes


def stats(**changes: Any) -> Json:
    """Return the counts of a webhook."""
    return {
        "delivered": 12,
        "failed": 1,
        "retrying": 1,
        "p50_ms": 18,
        "p95_ms": 40,
        "last_at": NOON - 130,
        "last_status": 500,
        "last_error": None,
    } | changes


def event(**changes: Any) -> Json:
    """Return an event."""
    data = {"agent": "my-agent", "request_id": "req_1"}
    return {
        "id": "evt_01j5abcdefghjkmnpqrstv5c1f",
        "type": "agent.failed",
        "created": NOON - 10,
        "data": data,
    } | changes


def page(*items: Json, cursor: str | None = None) -> Json:
    """Return a page of a list."""
    return {"data": list(items), "next": cursor, "total": len(items)}


ALL_NINE = [
    "agent.invoked",
    "agent.completed",
    "agent.failed",
    "agent.timeout",
    "deployment.started",
    "deployment.completed",
    "deployment.failed",
    "system.maintenance",
    "system.incident",
]
