"""Steps that many tests take: an event accepted and leased, a delivery taken through attempts."""

from __future__ import annotations

from datetime import datetime

from swiftclaw_local.storage.records import Claim, StoredEvent
from swiftclaw_local.storage.store import Store
from tests.storage.values import NOW, event, retry

LEASE = frozenset[str]()  # no webhook is full: lease at once


async def leased(store: Store, number: int = 1, *, of: StoredEvent | None = None, now: datetime = NOW) -> Claim:
    """Add an event for one webhook and return the claim of its delivery."""
    accepted = await store.add_event(of or event(number), now=now, lease_unless_full=LEASE)
    (claim,) = accepted.claims
    return claim


async def claimed(store: Store, *, now: datetime = NOW, limit: int = 100, per_webhook: int = 100) -> list[Claim]:
    """Claim what is due, with no webhook busy."""
    return await store.claim_due(now=now, limit=limit, per_webhook=per_webhook, busy={})


async def failed_once(store: Store, *, due_at: datetime, number: int = 1) -> Claim:
    """Add an event, let its first attempt fail, and return that attempt's claim."""
    claim = await leased(store, number)
    await store.record(retry(claim, due_at=due_at))
    return claim
