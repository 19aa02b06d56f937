"""From a row of a read to the value that leaves `storage/`."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from sqlalchemy import Row

from swiftclaw_local.storage.records import Alert, Attempt, Delivery, StoredEvent, Webhook
from swiftclaw_local.storage.states import State


def to_webhook(row: Row[Any]) -> Webhook:
    """Return the row as a value."""
    return Webhook(
        row.id,
        row.agent,
        row.url,
        tuple(json.loads(row.events)),
        row.description,
        bool(row.enabled),
        row.created_at,
        row.deleted_at,
    )


def to_event(row: Row[Any]) -> StoredEvent:
    """Return the row as a value."""
    return StoredEvent(row.id, row.type, row.agent, row.created_at, row.body)


def to_delivery(row: Row[Any]) -> Delivery:
    """Return the row as a value."""
    return Delivery(
        id=row.id,
        event_id=row.event_id,
        event_type=row.event_type,
        agent=row.agent,
        webhook_id=row.webhook_id,
        webhook_url=row.webhook_url,
        webhook_enabled=bool(row.webhook_enabled),
        state=State(row.state),
        trigger=row.trigger,
        scheduled=bool(row.scheduled),
        replay_of=row.replay_of,
        attempts=row.attempts,
        retries_used=row.retries_used,
        created_at=row.created_at,
        due_at=row.due_at,
        ended_at=row.ended_at,
        reason=row.reason,
        body_size=row.body_size,
        last_attempt_at=row.last_attempt_at,
        last_status=row.last_status,
        last_error_class=row.last_error_class,
        last_duration_ms=row.last_duration_ms,
    )


def to_attempt(row: Row[Any]) -> Attempt:
    """Return the row as a value."""
    return Attempt(
        id=row.id,
        delivery_id=row.delivery_id,
        number=row.number,
        retry=row.retry,
        outcome=row.outcome,
        scheduled_at=row.scheduled_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        duration_ms=row.duration_ms,
        url=row.url,
        request_head=row.request_head,
        signature=row.signature,
        status=row.status,
        error_class=row.error_class,
        error_detail=row.error_detail,
        response_head=row.response_head,
        response_body=row.response_body,
        response_size=row.response_size,
        truncated=row.truncated,
        fault=row.fault,
    )


def to_alert(row: Row[Any]) -> Alert:
    """Return the row as a value."""
    window = timedelta(seconds=row.window_s)
    return Alert(row.id, row.agent, row.metric, row.threshold, window, row.notify_url, row.state, row.created_at)
