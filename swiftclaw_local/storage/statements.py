"""The SQL of the hot path, compiled once from the tables; tuples in, tuples out, through the driver.

Times are bound and read in the very text that SQLModel's own type stores in SQLite, so both ways to the rows agree.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, bindparam, func, literal_column, select, text, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import ClauseElement

from swiftclaw_local.storage.states import State
from swiftclaw_local.storage.tables import METADATA

_DIALECT: Final = sqlite.dialect(paramstyle="named")

webhook: Final = METADATA.tables["webhook"]
event: Final = METADATA.tables["event"]
delivery: Final = METADATA.tables["delivery"]
attempt: Final = METADATA.tables["attempt"]


def to_text(moment: datetime) -> str:
    """Return an aware UTC time as SQLite keeps it: `2026-11-23 14:10:00.000000`."""
    return moment.isoformat(" ", "microseconds")[:26]


def from_text(written: str) -> datetime:
    """Return a kept time as aware UTC."""
    return datetime.fromisoformat(written).replace(tzinfo=UTC)


def compiled(statement: ClauseElement) -> str:
    """Return the statement's SQL with `:name` parameters."""
    return str(statement.compile(dialect=_DIALECT))


def _insert(table: Any) -> str:
    names = [column.name for column in table.columns]
    marks = ", ".join("?" * len(names))
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 - the names are our tables' own


INSERT_WEBHOOK: Final = _insert(webhook)
INSERT_EVENT: Final = _insert(event)
INSERT_DELIVERY: Final = _insert(delivery)
INSERT_ATTEMPT: Final = _insert(attempt)


def state_is(state: State) -> ColumnElement[bool]:
    """Return the condition with the state written out, as a partial index asks for it."""
    return delivery.c.state == literal_column(f"'{state.value}'")


def _state(state: State) -> ColumnElement[str]:
    return literal_column(f"'{state.value}'")


_live = webhook.c.deleted_at.is_(None)
_webhook_columns = (
    webhook.c.id,
    webhook.c.agent,
    webhook.c.url,
    webhook.c.events,
    webhook.c.secret_box,
    webhook.c.enabled,
)
LIVE_WEBHOOKS_OF_AGENT: Final = compiled(
    select(*_webhook_columns).where(_live, webhook.c.agent == bindparam("agent")).order_by(webhook.c.id)
)
LIVE_WEBHOOKS: Final = compiled(select(*_webhook_columns).where(_live).order_by(webhook.c.id))
LIVE_WEBHOOK: Final = compiled(select(*_webhook_columns).where(_live, webhook.c.id == bindparam("id")))
ENABLED_WEBHOOKS: Final = compiled(
    select(webhook.c.id, webhook.c.url, webhook.c.secret_box).where(_live, webhook.c.enabled).order_by(webhook.c.id)
)

EVENT_BY_ID: Final = compiled(
    select(event.c.type, event.c.agent, event.c.created_at, event.c.body).where(event.c.id == bindparam("id"))
)
FIRST_DELIVERIES: Final = compiled(
    select(delivery.c.id)
    .where(delivery.c.event_id == bindparam("event_id"), delivery.c.trigger == literal_column("'event'"))
    .order_by(delivery.c.id)
)

# What is due of one webhook, with all that sending needs: the claim visits webhook by webhook, so that one with a million
# due deliveries never slows the claims of the others.
DUE_OF_WEBHOOK: Final = compiled(
    select(
        delivery.c.due_at,
        delivery.c.id,
        delivery.c.lease_token,
        delivery.c.webhook_id,
        delivery.c.agent,
        delivery.c.event_id,
        delivery.c.event_type,
        event.c.body,
        delivery.c.trigger,
        delivery.c.scheduled,
        delivery.c.attempts,
        delivery.c.retries_used,
    )
    .join(event, event.c.id == delivery.c.event_id)
    .where(
        state_is(State.PENDING), delivery.c.webhook_id == bindparam("webhook_id"), delivery.c.due_at <= bindparam("now")
    )
    .order_by(delivery.c.due_at, delivery.c.id)
    .suffix_with(text("LIMIT :limit"))  # .limit() would compile an OFFSET of its own, with a parameter of its own
)
NEXT_DUE_OF_WEBHOOK: Final = compiled(
    select(func.min(delivery.c.due_at)).where(state_is(State.PENDING), delivery.c.webhook_id == bindparam("webhook_id"))
)
CLAIM: Final = compiled(
    update(delivery)
    .where(delivery.c.id == bindparam("delivery_id"), state_is(State.PENDING))
    .values(
        state=_state(State.IN_FLIGHT),
        lease_token=delivery.c.lease_token + literal_column("1"),
        claimed_at=bindparam("now"),
    )
)

_fence = (
    delivery.c.id == bindparam("delivery_id"),
    state_is(State.IN_FLIGHT),
    delivery.c.lease_token == bindparam("token"),
)
GIVE_BACK: Final = compiled(update(delivery).where(*_fence).values(state=_state(State.PENDING)))
GIVE_BACK_CANCELED: Final = compiled(
    update(delivery)
    .where(*_fence)
    .values(state=_state(State.CANCELED), reason=literal_column("'webhook_deleted'"), ended_at=bindparam("now"))
)
TO_RECORD: Final = compiled(
    select(
        delivery.c.state,
        delivery.c.lease_token,
        delivery.c.attempts,
        delivery.c.retries_used,
        delivery.c.due_at,
        delivery.c.event_id,
        delivery.c.agent,
        delivery.c.webhook_id,
        delivery.c.trigger,
    ).where(delivery.c.id == bindparam("delivery_id"))
)
FOLLOW_EDGE: Final = compiled(
    update(delivery)
    .where(*_fence)
    .values(
        state=bindparam("new_state"),
        due_at=bindparam("new_due_at"),
        ended_at=bindparam("new_ended_at"),
        reason=bindparam("new_reason"),
        attempts=bindparam("number"),
        retries_used=bindparam("new_retries_used"),
        interruptions=literal_column("0"),
        last_attempt_at=bindparam("attempted_at"),
        last_status=bindparam("status"),
        last_error_class=bindparam("error_class"),
        last_duration_ms=bindparam("duration_ms"),
    )
)
RECORDED_ATTEMPT: Final = compiled(
    select(attempt.c.id, attempt.c.number, attempt.c.outcome).where(
        attempt.c.delivery_id == bindparam("delivery_id"), attempt.c.lease_token == bindparam("token")
    )
)
