"""The SQL of the hot path, compiled once from the tables; tuples in, tuples out, through the driver.

Times are bound and read in the very text that SQLModel's own type stores in SQLite, so both ways to the rows agree.

The driver binds whole numbers, text and bytearrays as they are. For anything else it looks for an adapter first, each time: 0.3 us
for a NULL, a bool or bytes, and a delivery had a dozen of them. So bools are bound as numbers, bytes as bytearrays, and groups
without anything to say in a column have a statement that leaves it out.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, bindparam, func, insert, literal_column, null, select, text, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import ClauseElement

from swiftclaw_local.storage.states import State
from swiftclaw_local.storage.tables import METADATA

_TWO_DIGITS: Final = tuple(f"{number:02d}" for number in range(60))
_THREE_DIGITS: Final = tuple(f"{number:03d}" for number in range(1000))
_DIALECT: Final = sqlite.dialect(paramstyle="qmark")

webhook: Final = METADATA.tables["webhook"]
event: Final = METADATA.tables["event"]
delivery: Final = METADATA.tables["delivery"]
attempt: Final = METADATA.tables["attempt"]


def to_text(moment: datetime) -> str:
    """Return an aware time as SQLite keeps it, in UTC: `2026-11-23 14:10:00.000000`."""
    # put together from what is written already: isoformat takes more than twice as long, and a delivery has four times
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    thousands, ones = divmod(moment.microsecond, 1000)
    time = f"{_TWO_DIGITS[moment.hour]}:{_TWO_DIGITS[moment.minute]}:{_TWO_DIGITS[moment.second]}"
    return f"{_day(moment.toordinal())} {time}.{_THREE_DIGITS[thousands]}{_THREE_DIGITS[ones]}"


@lru_cache(maxsize=64)
def _day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()


def from_text(written: str) -> datetime:
    """Return a kept time as aware UTC."""
    return datetime.fromisoformat(written).replace(tzinfo=UTC)


def to_blob(data: bytes | None) -> bytearray | None:
    """Return bytes as the driver takes them without looking for an adapter."""
    return None if data is None else bytearray(data)


def all_or_none(connection: sqlite3.Connection, statement: str, rows: list[tuple[Any, ...]]) -> bool:
    """Execute a statement for every row; when not every one of them changed something, undo them all and return False."""
    connection.execute("SAVEPOINT all_or_none")
    complete = connection.executemany(statement, rows).rowcount == len(rows)
    if not complete:
        connection.execute("ROLLBACK TO all_or_none")
    connection.execute("RELEASE all_or_none")
    return complete


def _compiled(statement: ClauseElement, *names: str) -> str:
    """Return the statement's SQL, to be given the values of `names` in this order."""
    compiled: Any = statement.compile(dialect=_DIALECT)
    assert list(names) == compiled.positiontup, f"{names} are asked for as {compiled.positiontup}"
    return str(compiled)


def _inserted(table: Table, *names: str) -> ClauseElement:
    """Return the INSERT of these columns, or of all of them."""
    return insert(table).values({name: bindparam(name) for name in names or table.columns.keys()})


def _state_is(state: State) -> ColumnElement[bool]:
    """Return the condition with the state written out, as a partial index asks for it."""
    return delivery.c.state == _written_out(state.value)


def _written_out(value: str | int) -> ColumnElement[Any]:
    return literal_column(repr(value))


_live = webhook.c.deleted_at.is_(None)
LIVE_WEBHOOKS: Final = _compiled(
    select(webhook.c.id, webhook.c.agent, webhook.c.url, webhook.c.events, webhook.c.secret_box, webhook.c.enabled)
    .where(_live)
    .order_by(func.length(webhook.c.id), webhook.c.id)
)
INSERT_WEBHOOK: Final = _compiled(_inserted(webhook), *webhook.columns.keys())

_EVENT_COLUMNS: Final = ("id", "type", "agent", "created_at", "accepted_at", "body")
INSERT_EVENT: Final = _compiled(
    sqlite.insert(event)
    .values({name: bindparam(name) for name in _EVENT_COLUMNS})
    .on_conflict_do_nothing(index_elements=["id"]),
    *_EVENT_COLUMNS,
)
EVENT_BY_ID: Final = _compiled(
    select(event.c.type, event.c.agent, event.c.body).where(event.c.id == bindparam("id")), "id"
)
FIRST_DELIVERIES: Final = _compiled(
    select(delivery.c.id)
    .where(delivery.c.event_id == bindparam("event_id"), delivery.c.trigger == _written_out("event"))
    .order_by(delivery.c.id),
    "event_id",
)

_DELIVERY_COLUMNS: Final = (
    "id",
    "event_id",
    "event_type",
    "agent",
    "webhook_id",
    "state",
    "trigger",
    "scheduled",
    "body_size",
    "created_at",
    "due_at",
    "lease_token",
    "claimed_at",
)
_NEW_DELIVERY: Final = {
    **{name: bindparam(name) for name in _DELIVERY_COLUMNS},
    **dict.fromkeys(("attempts", "retries_used", "interruptions"), _written_out(0)),
}
INSERT_DELIVERY: Final = _compiled(insert(delivery).values(_NEW_DELIVERY), *_DELIVERY_COLUMNS)

# What is due of one webhook, with all that sending needs.
DUE_OF_WEBHOOK: Final = _compiled(
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
        delivery.c.interruptions,
    )
    .join(event, event.c.id == delivery.c.event_id)
    .where(
        _state_is(State.PENDING),
        delivery.c.webhook_id == bindparam("webhook_id"),
        delivery.c.due_at <= bindparam("now"),
    )
    .order_by(delivery.c.due_at, delivery.c.id)
    .suffix_with(text("LIMIT :limit")),  # .limit() would compile an OFFSET of its own, with a parameter of its own
    "webhook_id",
    "now",
    "limit",
)
NEXT_DUE_OF_WEBHOOK: Final = _compiled(
    select(func.min(delivery.c.due_at)).where(
        _state_is(State.PENDING), delivery.c.webhook_id == bindparam("webhook_id")
    ),
    "webhook_id",
)
CLAIM: Final = _compiled(
    update(delivery)
    .where(delivery.c.id == bindparam("delivery_id"), _state_is(State.PENDING))
    .values(
        state=_written_out(State.IN_FLIGHT.value),
        lease_token=delivery.c.lease_token + _written_out(1),
        claimed_at=bindparam("now"),
    ),
    "now",
    "delivery_id",
)

_fence = (
    delivery.c.id == bindparam("delivery_id"),
    _state_is(State.IN_FLIGHT),
    delivery.c.lease_token == bindparam("token"),
)
GIVE_BACK: Final = _compiled(
    update(delivery).where(*_fence).values(state=_written_out(State.PENDING.value), interruptions=bindparam("known")),
    "known",
    "delivery_id",
    "token",
)
GIVE_BACK_CANCELED: Final = _compiled(
    update(delivery)
    .where(*_fence)
    .values(
        state=_written_out(State.CANCELED.value), reason=_written_out("webhook_deleted"), ended_at=bindparam("now")
    ),
    "now",
    "delivery_id",
    "token",
)

STANDING: Final = _compiled(
    select(
        delivery.c.state,
        delivery.c.attempts,
        delivery.c.retries_used,
        delivery.c.due_at,
        delivery.c.event_id,
        delivery.c.agent,
        delivery.c.webhook_id,
        delivery.c.trigger,
    ).where(delivery.c.id == bindparam("delivery_id")),
    "delivery_id",
)
_FOLLOWED: Final = (
    "state",
    "due_at",
    "ended_at",
    "reason",
    "attempts",
    "retries_used",
    "last_attempt_at",
    "last_status",
    "last_error_class",
    "last_duration_ms",
)
FOLLOW_EDGE: Final = _compiled(
    update(delivery)
    .where(*_fence)
    .values({name: bindparam(f"new_{name}") for name in _FOLLOWED} | {"interruptions": _written_out(0)}),
    *(f"new_{name}" for name in _FOLLOWED),
    "delivery_id",
    "token",
)
# For a group of successes: what is known beforehand of them is not bound.
_SUCCEEDED: Final = ("ended_at", "attempts", "last_attempt_at", "last_status", "last_duration_ms")
FOLLOW_SUCCESS: Final = _compiled(
    update(delivery)
    .where(*_fence)
    .values(
        {name: bindparam(f"new_{name}") for name in _SUCCEEDED}
        | {"state": _written_out(State.SUCCEEDED.value), "reason": null(), "last_error_class": null()}
        | {"interruptions": _written_out(0)}
    ),
    *(f"new_{name}" for name in _SUCCEEDED),
    "delivery_id",
    "token",
)
INTERRUPT: Final = _compiled(
    update(delivery)
    .where(*_fence)
    .values(
        state=bindparam("new_state"),
        ended_at=bindparam("new_ended_at"),
        reason=bindparam("new_reason"),
        attempts=delivery.c.attempts + _written_out(1),
        interruptions=bindparam("new_interruptions"),
        last_attempt_at=bindparam("now"),
        last_status=null(),
        last_error_class=_written_out("interrupted"),
        last_duration_ms=null(),
    ),
    "new_state",
    "new_ended_at",
    "new_reason",
    "new_interruptions",
    "now",
    "delivery_id",
    "token",
)
BEGIN_AGAIN: Final = _compiled(
    update(delivery).where(*_fence).values(interruptions=bindparam("counted")), "counted", "delivery_id", "token"
)
RECORDED_ATTEMPT: Final = _compiled(
    select(attempt.c.id, attempt.c.number, attempt.c.outcome).where(
        attempt.c.delivery_id == bindparam("delivery_id"), attempt.c.lease_token == bindparam("token")
    ),
    "delivery_id",
    "token",
)
# What there is seldom anything to say of; the statement for groups of plain attempts leaves it out.
_SELDOM_SAID: Final = ("error_class", "error_detail", "truncated", "fault")
_ATTEMPT_COLUMNS: Final = tuple(name for name in attempt.columns.keys() if name != "seq")  # noqa: SIM118 - not a dict
_PLAIN_COLUMNS: Final = tuple(name for name in _ATTEMPT_COLUMNS if name not in _SELDOM_SAID)
INSERT_ATTEMPT: Final = _compiled(_inserted(attempt, *_ATTEMPT_COLUMNS), *_ATTEMPT_COLUMNS)
INSERT_PLAIN_ATTEMPT: Final = _compiled(_inserted(attempt, *_PLAIN_COLUMNS), *_PLAIN_COLUMNS)
