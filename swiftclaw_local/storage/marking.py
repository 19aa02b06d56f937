"""How an attempt's end is written down: its row and the delivery's edge, together, fenced by the lease token.

| what is found | what is written |
|---|---|
| in flight under this token | the edge, and the attempt's row |
| this token's row is there already | nothing: it was written before (the answer to the COMMIT was lost) |
| neither | the row alone, `superseded`: the lease was lost, the delivery stays as it is |
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, assert_never

from swiftclaw_local.errors import UnknownDelivery
from swiftclaw_local.ids import IdFactory
from swiftclaw_local.storage import statements as sql
from swiftclaw_local.storage.records import (
    AttemptMade,
    AttemptOutcome,
    Mark,
    MarkDead,
    MarkRetry,
    MarkSucceeded,
    Opened,
    Recorded,
)
from swiftclaw_local.storage.statements import to_text
from swiftclaw_local.storage.states import State

# A delivery that was cut off this often in a row may be what kills the process (promise I8).
MOST_INTERRUPTIONS: Final = 5


@dataclass(frozen=True, slots=True)
class _Edge:
    """Where a mark leads."""

    outcome: AttemptOutcome
    state: State
    uses_retry: bool = False
    due_at: datetime | None = None
    reason: str | None = None


def follow(connection: sqlite3.Connection, *, mark: Mark, ids: IdFactory) -> Recorded:
    """Write an attempt down and follow its edge (see `Store.record`). Raises: UnknownDelivery, after a reset."""
    made = mark.attempt
    key = {"delivery_id": made.delivery_id, "token": made.lease_token}
    found = connection.execute(sql.TO_RECORD, {"delivery_id": made.delivery_id}).fetchone()
    if found is None:
        raise UnknownDelivery(f'There is no delivery "{made.delivery_id}".')
    edge = _edge(mark)
    if edge.state is State.PENDING and _is_deleted(connection, found[7]):
        edge = _Edge(edge.outcome, State.CANCELED, uses_retry=edge.uses_retry, reason="webhook_deleted")
    number = found[2] + 1
    fenced = connection.execute(sql.FOLLOW_EDGE, key | _new_values(edge, made, found, number)).rowcount == 1
    if not fenced:
        written = connection.execute(sql.RECORDED_ATTEMPT, key).fetchone()
        if written is not None:
            return Recorded(written[0], written[1], written[2], State(found[0]), superseded=written[2] == "superseded")
        edge = _Edge("superseded", State(found[0]))
    attempt_id = ids.new("att", made.ended_at)
    connection.execute(sql.INSERT_ATTEMPT, _attempt_row(attempt_id, made, edge, found, number))
    return Recorded(attempt_id, number, edge.outcome, edge.state, superseded=not fenced)


def recover(connection: sqlite3.Connection, *, ids: IdFactory, now: datetime) -> Opened:
    """Give back what a dead process had in flight (see `Store.recover`)."""
    cut_off = connection.execute(
        "SELECT d.id, d.lease_token, d.claimed_at, d.interruptions, w.url"
        " FROM delivery d JOIN webhook w ON w.id = d.webhook_id WHERE d.state = 'in_flight' ORDER BY d.id"
    ).fetchall()
    for row in cut_off:
        _interrupt(connection, row, ids=ids, now=now)
    connection.execute(
        "UPDATE delivery SET state = 'canceled', reason = 'webhook_deleted', ended_at = ? WHERE state = 'pending'"
        " AND webhook_id IN (SELECT id FROM webhook WHERE deleted_at IS NOT NULL)",
        (to_text(now),),
    )
    counts = connection.execute(
        "SELECT (SELECT count(*) FROM webhook WHERE deleted_at IS NULL), (SELECT count(*) FROM delivery),"
        " (SELECT count(*) FROM delivery d JOIN webhook w ON w.id = d.webhook_id AND w.enabled AND w.deleted_at IS NULL"
        "  WHERE d.state = 'pending' AND d.due_at <= ?)",
        (to_text(now),),
    ).fetchone()
    return Opened(interrupted=len(cut_off), webhooks=counts[0], deliveries=counts[1], overdue=counts[2])


def _interrupt(connection: sqlite3.Connection, row: tuple[Any, ...], *, ids: IdFactory, now: datetime) -> None:
    delivery_id, token, claimed_at, interruptions, url = row
    found = connection.execute(sql.TO_RECORD, {"delivery_id": delivery_id}).fetchone()
    started_at = min(sql.from_text(claimed_at), now)
    made = AttemptMade(delivery_id, token, started_at, now, 0, url, b"", "", error_class="interrupted")
    too_often = interruptions + 1 >= MOST_INTERRUPTIONS
    state = State.DEAD if too_often else State.PENDING
    connection.execute(
        "UPDATE delivery SET state = ?, reason = ?, ended_at = ?, attempts = attempts + 1, interruptions = interruptions + 1,"
        " last_attempt_at = ?, last_status = NULL, last_error_class = 'interrupted', last_duration_ms = NULL"
        " WHERE id = ? AND state = 'in_flight' AND lease_token = ?",
        (
            state.value,
            "interrupted_repeatedly" if too_often else None,
            to_text(now) if too_often else None,
            to_text(now),
            delivery_id,
            token,
        ),
    )
    row = _attempt_row(ids.new("att", now), made, _Edge("interrupted", state), found, found[2] + 1)
    connection.execute(sql.INSERT_ATTEMPT, row)


def _is_deleted(connection: sqlite3.Connection, webhook_id: str) -> bool:
    return connection.execute(sql.LIVE_WEBHOOK, {"id": webhook_id}).fetchone() is None


def _edge(mark: Mark) -> _Edge:
    match mark:
        case MarkSucceeded():
            return _Edge("succeeded", State.SUCCEEDED)
        case MarkRetry(due_at=due_at, uses_retry=uses_retry):
            return _Edge("retry" if uses_retry else "again", State.PENDING, uses_retry=uses_retry, due_at=due_at)
        case MarkDead(reason=reason):
            return _Edge("dead", State.DEAD, reason=reason)
        case _:
            assert_never(mark)


def _new_values(edge: _Edge, made: AttemptMade, found: tuple[Any, ...], number: int) -> dict[str, Any]:
    ended_at = to_text(made.ended_at)
    return {
        "new_state": edge.state.value,
        "new_due_at": found[4] if edge.due_at is None else to_text(edge.due_at),
        "new_ended_at": None if edge.state is State.PENDING else ended_at,
        "new_reason": edge.reason,
        "new_retries_used": found[3] + edge.uses_retry,
        "number": number,
        "attempted_at": ended_at,
        "status": made.status,
        "error_class": made.error_class,
        "duration_ms": made.duration_ms,
    }


def _attempt_row(
    attempt_id: str, made: AttemptMade, edge: _Edge, found: tuple[Any, ...], number: int
) -> tuple[Any, ...]:
    """Return the values of an attempt's row, in the order of the table's columns."""
    _, _, _, retries_used, due_at, event_id, agent, webhook_id, trigger = found
    failed = edge.outcome in ("retry", "dead") and trigger != "test"  # decision D27
    return (
        made.delivery_id,
        made.lease_token,
        attempt_id,
        number,
        retries_used,
        agent,
        webhook_id,
        event_id,
        trigger,
        edge.outcome,
        failed,
        due_at,
        to_text(made.started_at),
        to_text(made.ended_at),
        made.duration_ms,
        made.url,
        made.request_head,
        made.signature,
        made.status,
        made.error_class,
        made.error_detail,
        made.response_head,
        made.response_body,
        made.response_size,
        made.truncated,
    )
