"""The values that tests put into a store, and the time they begin at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from swiftclaw_local.storage.records import (
    AttemptMade,
    Claim,
    Mark,
    MarkDead,
    MarkRetry,
    MarkSucceeded,
    StoredEvent,
    Webhook,
)

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
ALL_TYPES = ("agent.completed", "agent.failed", "deployment.started", "system.incident")


def later(**parts: float) -> datetime:
    """Return NOW and a duration: `later(minutes=5)`."""
    return NOW + timedelta(**parts)


def webhook(agent: str = "my-agent", *, events: tuple[str, ...] = ALL_TYPES, enabled: bool = True) -> Webhook:
    return Webhook(
        id="",
        agent=agent,
        url=f"http://localhost:8000/{agent}",
        events=events,
        description="",
        enabled=enabled,
        created_at=NOW,
    )


def event(
    number: int = 1,
    *,
    type: str = "agent.completed",
    agent: str | None = "my-agent",
    body: bytes | None = None,
    created_at: datetime = NOW,
    id: str | None = None,
) -> StoredEvent:
    """Return an event whose id sorts by its number, unless one is given."""
    id = id or f"evt_{number:026}"
    return StoredEvent(id, type, agent, created_at, body if body is not None else b'{"id":"%s"}' % id.encode())


def made(claim: Claim, *, at: datetime = NOW, status: int | None = 500, cause: str | None = None) -> AttemptMade:
    """Return what came of a claim's attempt, which ended at `at`."""
    return AttemptMade(
        delivery_id=claim.delivery_id,
        lease_token=claim.lease_token,
        started_at=at,
        ended_at=at,
        duration_ms=7,
        url=claim.url,
        request_head=b"Host: localhost:8000\r\n",
        signature="5" * 64,
        status=status,
        error_class=cause,
    )


def succeeded(claim: Claim, *, at: datetime = NOW) -> Mark:
    return MarkSucceeded(made(claim, at=at, status=200))


def retry(claim: Claim, *, due_at: datetime, at: datetime = NOW, status: int = 500) -> Mark:
    return MarkRetry(made(claim, at=at, status=status), due_at)


def dead(claim: Claim, *, at: datetime = NOW, status: int = 404, reason: str = "rejected") -> Mark:
    return MarkDead(made(claim, at=at, status=status), reason)
