"""The log read as it grows: by its ascending key, so that nothing is missed and nothing is read twice.

Where several dispatchers write, a lower `seq` may be committed after a higher one: whoever follows the log asks for those
that were absent again.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, case, func, or_, select
from sqlalchemy.engine import Connection

from swiftclaw_local.storage import filters
from swiftclaw_local.storage.records import AlertChange, AlertEvent, Delivery, LogEntry, LogHead
from swiftclaw_local.storage.rows import to_alert, to_delivery
from swiftclaw_local.storage.tables import METADATA

_attempt: Final = METADATA.tables["attempt"]
_delivery: Final = METADATA.tables["delivery"]
_alert: Final = METADATA.tables["alert"]
_alert_event: Final = METADATA.tables["alert_event"]

# So far below the newest entry one may be committed late.
LATE: Final = 100
# Bytes of an answer's body: enough for a line of a list and for what gives a mistake away. Of a success only a short one is
# looked at.
ANSWER_START: Final = 4096
_SHORT: Final = 256
_MOST_CHANGES: Final = 500

_shown: Final = or_(~_attempt.c.status.between(200, 299), func.length(_attempt.c.response_body) <= _SHORT)
_entry: Final = select(
    _attempt.c.seq,
    _attempt.c.id,
    _attempt.c.delivery_id,
    _attempt.c.event_id,
    _delivery.c.event_type,
    _attempt.c.agent,
    _attempt.c.webhook_id,
    _attempt.c.url,
    _attempt.c.number,
    _attempt.c.retry,
    _attempt.c.trigger,
    _delivery.c.scheduled,
    _delivery.c.replay_of,
    _attempt.c.outcome,
    _attempt.c.ended_at,
    _attempt.c.duration_ms,
    _attempt.c.status,
    _attempt.c.error_class,
    _attempt.c.fault,
    case((_shown, _attempt.c.response_head)).label("answer_head"),
    case((_shown, func.substr(_attempt.c.response_body, 1, ANSWER_START))).label("answer_start"),
    _delivery.c.state,
    _delivery.c.attempts,
    _delivery.c.due_at,
    _delivery.c.reason,
).join(_delivery, _delivery.c.id == _attempt.c.delivery_id)


def head(connection: Connection) -> LogHead:
    """Return where the log ends."""
    found = select(_attempt.c.seq).order_by(_attempt.c.seq.desc()).limit(LATE)
    there = [row.seq for row in connection.execute(found)]
    newest = there[0] if there else 0
    absent = set(range(max(1, newest - LATE + 1), newest + 1)) - set(there)
    change = connection.execute(select(func.max(_alert_event.c.id))).scalar()
    return LogHead(newest, tuple(sorted(absent)), change)


def before(connection: Connection, moment: datetime) -> int:
    """Return the `seq` before the first entry that ended at this time or later; the newest when none did."""
    first = connection.execute(select(func.min(_attempt.c.seq)).where(_attempt.c.ended_at >= moment)).scalar()
    return head(connection).seq if first is None else int(first) - 1


def page(connection: Connection, after: int, until: int | None, *, limit: int) -> list[LogEntry]:
    """Return entries after one and, if given, up to another."""
    found = _entry.where(_attempt.c.seq > after)
    if until is not None:
        found = found.where(_attempt.c.seq <= until)
    return _entries(connection, found.order_by(_attempt.c.seq).limit(limit))


def those(connection: Connection, seqs: Collection[int]) -> list[LogEntry]:
    """Return the entries of these numbers that are there."""
    if not seqs:
        return []
    return _entries(connection, _entry.where(_attempt.c.seq.in_(seqs)).order_by(_attempt.c.seq))


def alert_changes(connection: Connection, *, after: str | None, until: str | None) -> list[AlertChange]:
    """Return what alerts did, in its order."""
    found = select(_alert_event).order_by(_alert_event.c.id).limit(_MOST_CHANGES)
    if after is not None:
        found = found.where(_alert_event.c.id > after)
    if until is not None:
        found = found.where(_alert_event.c.id <= until)
    rows = connection.execute(found).all()
    about = select(_alert).where(_alert.c.id.in_({row.alert_id for row in rows}))
    alerts = {row.id: to_alert(row) for row in connection.execute(about)} if rows else {}
    return [
        AlertChange(
            AlertEvent(row.id, row.alert_id, row.state, row._mapping["count"], row.at), alerts.get(row.alert_id)
        )
        for row in rows
    ]


def deliveries(connection: Connection, ids: Collection[str]) -> list[Delivery]:
    """Return the deliveries of these ids that are there, oldest first."""
    if not ids:
        return []
    found = filters.deliveries().where(_delivery.c.id.in_(ids)).order_by(_delivery.c.id)
    return [to_delivery(row) for row in connection.execute(found)]


def _entries(connection: Connection, found: Select[Any]) -> list[LogEntry]:
    return [LogEntry(*row) for row in connection.execute(found)]  # in the order of `_entry`
