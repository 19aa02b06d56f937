"""Claiming what is due, and giving back what was not sent.

The claim visits webhook by webhook, so that one with a million due deliveries never slows the claims of the others.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Any

from swiftclaw_local.storage import statements as sql
from swiftclaw_local.storage.records import Claim
from swiftclaw_local.storage.statements import from_text, to_text
from swiftclaw_local.storage.subscribers import Subscriber, Subscribers


def next_due_at(
    connection: sqlite3.Connection, subscribers: Subscribers, *, except_webhooks: frozenset[str]
) -> datetime | None:
    """See `Store.next_due_at`."""
    found = [
        connection.execute(sql.NEXT_DUE_OF_WEBHOOK, (webhook.id,)).fetchone()[0]
        for webhook in subscribers.live(connection).values()
        if webhook.enabled and webhook.id not in except_webhooks
    ]
    earliest = min(filter(None, found), default=None)
    return None if earliest is None else from_text(earliest)


def claim_due(
    connection: sqlite3.Connection,
    *,
    subscribers: Subscribers,
    now: datetime,
    limit: int,
    per_webhook: int,
    busy: Mapping[str, int],
) -> list[Claim]:
    """See `Store.claim_due`."""
    live, written = subscribers.live(connection), to_text(now)
    free = {name: min(limit, per_webhook - busy.get(name, 0)) for name, webhook in live.items() if webhook.enabled}
    due = [
        connection.execute(sql.DUE_OF_WEBHOOK, (name, written, most)).fetchall()
        for name, most in free.items()
        if most > 0
    ]
    rows = list(islice(merge(*due), limit))
    claims = [_claim(row, live[row[3]], secret=subscribers.secret(live[row[3]])) for row in rows]
    connection.executemany(sql.CLAIM, [(written, row[1]) for row in rows])
    return claims


def give_back(
    connection: sqlite3.Connection, *, subscribers: Subscribers, claims: Sequence[Claim], now: datetime
) -> None:
    """See `Store.give_back`."""
    live = subscribers.live(connection)
    kept = [(c.interruptions, c.delivery_id, c.lease_token) for c in claims if c.webhook_id in live]
    gone = [(to_text(now), claim.delivery_id, claim.lease_token) for claim in claims if claim.webhook_id not in live]
    connection.executemany(sql.GIVE_BACK, kept)
    connection.executemany(sql.GIVE_BACK_CANCELED, gone)


def begin_again(connection: sqlite3.Connection, *, subscribers: Subscribers, claim: Claim) -> bool:
    """See `Store.begin_again`."""
    webhook = subscribers.live(connection).get(claim.webhook_id)
    if webhook is None or not webhook.enabled:
        return False
    if (webhook.url, subscribers.secret(webhook)) != (claim.url, claim.secret):
        return False
    values = (claim.interruptions + 1, claim.delivery_id, claim.lease_token)
    return connection.execute(sql.BEGIN_AGAIN, values).rowcount == 1


def _claim(row: tuple[Any, ...], webhook: Subscriber, *, secret: str) -> Claim:
    """Return the claim of a row of DUE_OF_WEBHOOK."""
    due_at, delivery_id, token, webhook_id, agent, event_id, event_type, body, *rest = row
    trigger, scheduled, attempts, retries_used, interruptions = rest
    return Claim(
        delivery_id=delivery_id,
        lease_token=token + 1,
        webhook_id=webhook_id,
        agent=agent,
        url=webhook.url,
        secret=secret,
        event_id=event_id,
        event_type=event_type,
        body=body,
        trigger=trigger,
        scheduled=bool(scheduled),
        attempt_number=attempts + 1,
        retries_used=retries_used,
        due_at=from_text(due_at),
        interruptions=interruptions,
        due_text=due_at,
    )
