"""How an attempt's end is written down: its row and the delivery's edge, together, fenced by the lease token.

| what is found | what is written |
|---|---|
| in flight under this token | the edge, and the attempt's row |
| this token's row is there already | nothing: it was written before (the answer to the COMMIT was lost) |
| neither | the row alone, `superseded`: the lease was lost, the delivery stays as it is |

A delivery in flight changes for nobody but its lease's holder, so what a held claim says of it need not be read again.
The fence is in every UPDATE all the same; when it stops one of a group, each mark is looked at by itself.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Any, Final, assert_never

from swiftclaw_local.errors import UnknownDelivery
from swiftclaw_local.hot_value import hot_value
from swiftclaw_local.ids import IdFactory
from swiftclaw_local.storage import statements as sql
from swiftclaw_local.storage.records import (
    AttemptMade,
    AttemptOutcome,
    Claim,
    Mark,
    MarkDead,
    MarkRetry,
    MarkSucceeded,
    Opened,
    Recorded,
)
from swiftclaw_local.storage.statements import all_or_none, to_blob, to_text
from swiftclaw_local.storage.states import State
from swiftclaw_local.storage.subscribers import Subscribers

# A delivery that was cut off this often in a row may be what kills the process (promise I8).
MOST_INTERRUPTIONS: Final = 5


@hot_value
class _Standing:
    """How a delivery stood when its attempt began, as a claim says it; `due_at` as text."""

    attempt_number: int
    retries_used: int
    due_at: str
    event_id: str
    agent: str
    webhook_id: str
    trigger: str


@hot_value
class _Edge:
    """Where a mark leads."""

    outcome: AttemptOutcome
    state: State
    uses_retry: bool = False
    due_at: datetime | None = None
    reason: str | None = None


_SUCCEEDED: Final = _Edge("succeeded", State.SUCCEEDED)


class Marking:
    """Follows marks. `held` are the claims whose lease this process has, by delivery."""

    def __init__(self, ids: IdFactory, subscribers: Subscribers, held: dict[str, Claim]) -> None:
        self._ids = ids
        self._subscribers = subscribers
        self._held = held

    def record(self, connection: sqlite3.Connection, marks: list[Mark]) -> list[Recorded | UnknownDelivery]:
        """See `Store.record`."""
        written = self._record_held(connection, marks)
        return [*written] if written is not None else [self._record_one(connection, mark) for mark in marks]

    def _record_held(self, connection: sqlite3.Connection, marks: list[Mark]) -> list[Recorded] | None:
        """Write marks of held claims, all in two statements; None, and nothing written, when one is not held after all."""
        updates, rows, recorded = [], [], []
        all_succeeded = all(map(_is_success, marks))
        follow, followed = (sql.FOLLOW_SUCCESS, _succeeded) if all_succeeded else (sql.FOLLOW_EDGE, _followed)
        insert, row = (
            (sql.INSERT_PLAIN_ATTEMPT, _plain_row) if all(map(_is_plain, marks)) else (sql.INSERT_ATTEMPT, _row)
        )
        for mark in marks:
            made = mark.attempt
            # even if this is rolled back: a claim that is not held is only slower to record
            claim = self._held.pop(made.delivery_id, None)
            if claim is None or claim.lease_token != made.lease_token:
                return None
            edge = _SUCCEEDED if all_succeeded else self._edge(connection, mark, claim.webhook_id)
            attempt_id = self._ids.new("att", made.ended_at)
            due_text, ended_text = claim.due_text or to_text(claim.due_at), to_text(made.ended_at)
            updates.append(followed(edge, made, claim, due_text=due_text, ended_text=ended_text))
            rows.append(row(attempt_id, made, edge.outcome, claim, due_text=due_text, ended_text=ended_text))
            recorded.append(Recorded(attempt_id, claim.attempt_number, edge.outcome, edge.state))
        if not all_or_none(connection, follow, updates):
            return None
        connection.executemany(insert, rows)
        return recorded

    def _record_one(self, connection: sqlite3.Connection, mark: Mark) -> Recorded | UnknownDelivery:
        """Write one mark down by what is found; UnknownDelivery after a reset."""
        made = mark.attempt
        found = connection.execute(sql.STANDING, (made.delivery_id,)).fetchone()
        if found is None:
            return UnknownDelivery(f'There is no delivery "{made.delivery_id}".')
        standing, ended_text = _stood(found), to_text(made.ended_at)
        edge = self._edge(connection, mark, standing.webhook_id)
        followed = _followed(edge, made, standing, due_text=standing.due_at, ended_text=ended_text)
        superseded = connection.execute(sql.FOLLOW_EDGE, followed).rowcount == 0
        if superseded:
            written = connection.execute(sql.RECORDED_ATTEMPT, (made.delivery_id, made.lease_token)).fetchone()
            if written is not None:
                attempt_id, number, outcome = written
                return Recorded(attempt_id, number, outcome, State(found[0]), superseded=outcome == "superseded")
            edge = _Edge("superseded", State(found[0]))
        attempt_id = self._ids.new("att", made.ended_at)
        row = _row(attempt_id, made, edge.outcome, standing, due_text=standing.due_at, ended_text=ended_text)
        connection.execute(sql.INSERT_ATTEMPT, row)
        return Recorded(attempt_id, standing.attempt_number, edge.outcome, edge.state, superseded=superseded)

    def _edge(self, connection: sqlite3.Connection, mark: Mark, webhook_id: str) -> _Edge:
        match mark:
            case MarkSucceeded():
                return _SUCCEEDED
            case MarkRetry(due_at=due_at, uses_retry=uses_retry):
                outcome: AttemptOutcome = "retry" if uses_retry else "again"
                if webhook_id not in self._subscribers.live(connection):  # decision D20
                    return _Edge(outcome, State.CANCELED, uses_retry=uses_retry, reason="webhook_deleted")
                return _Edge(outcome, State.PENDING, uses_retry=uses_retry, due_at=due_at)
            case MarkDead(reason=reason):
                return _Edge("dead", State.DEAD, reason=reason)
            case _:
                assert_never(mark)

    def recover(self, connection: sqlite3.Connection, *, now: datetime) -> Opened:
        """See `Store.recover`."""
        cut_off = connection.execute(
            "SELECT d.id, d.lease_token, d.claimed_at, d.interruptions, w.url FROM delivery d"
            " JOIN webhook w ON w.id = d.webhook_id"
            " WHERE d.state <> 'succeeded' AND d.state = 'in_flight' ORDER BY d.id"
        ).fetchall()
        for row in cut_off:
            self._interrupt(connection, row, now=now)
        connection.execute(
            "UPDATE delivery SET state = 'canceled', reason = 'webhook_deleted', ended_at = ? WHERE state = 'pending'"
            " AND webhook_id IN (SELECT id FROM webhook WHERE deleted_at IS NOT NULL)",
            (to_text(now),),
        )
        counts = connection.execute(
            "SELECT (SELECT count(*) FROM webhook WHERE deleted_at IS NULL), (SELECT count(*) FROM delivery),"
            " (SELECT count(*) FROM delivery WHERE state = 'pending' AND due_at <= ? AND webhook_id IN"
            "  (SELECT id FROM webhook WHERE enabled AND deleted_at IS NULL))",  # a join would read all that is pending
            (to_text(now),),
        ).fetchone()
        return Opened(interrupted=len(cut_off), webhooks=counts[0], deliveries=counts[1], overdue=counts[2])

    def _interrupt(self, connection: sqlite3.Connection, row: tuple[Any, ...], *, now: datetime) -> None:
        delivery_id, token, claimed_at, interruptions, url = row
        found = connection.execute(sql.STANDING, (delivery_id,)).fetchone()
        started_at, now_text = min(sql.from_text(claimed_at), now), to_text(now)
        made = AttemptMade(delivery_id, token, started_at, now, 0, url, b"", "", error_class="interrupted")
        # beyond the first, they are counted when an attempt begins: see `Store.begin_again`
        counted = max(interruptions, 1)
        too_often = counted >= MOST_INTERRUPTIONS
        end = (State.DEAD, now_text, "interrupted_repeatedly") if too_often else (State.PENDING, None, None)
        connection.execute(sql.INTERRUPT, (*end, counted, now_text, delivery_id, token))
        attempt_id, standing = self._ids.new("att", now), _stood(found)
        row = _row(attempt_id, made, "interrupted", standing, due_text=standing.due_at, ended_text=now_text)
        connection.execute(sql.INSERT_ATTEMPT, row)


def _stood(row: tuple[Any, ...]) -> _Standing:
    """Return how a delivery stands from a row of STANDING."""
    _, attempts, *rest = row
    return _Standing(attempts + 1, *rest)


def _followed(
    edge: _Edge, made: AttemptMade, before: Claim | _Standing, *, due_text: str, ended_text: str
) -> tuple[Any, ...]:
    """Return the values of FOLLOW_EDGE."""
    return (
        edge.state.value,
        due_text if edge.due_at is None else to_text(edge.due_at),
        None if edge.state is State.PENDING else ended_text,
        edge.reason,
        before.attempt_number,
        before.retries_used + edge.uses_retry,
        ended_text,
        made.status,
        made.error_class,
        made.duration_ms,
        made.delivery_id,
        made.lease_token,
    )


def _succeeded(
    edge: _Edge, made: AttemptMade, before: Claim | _Standing, *, due_text: str, ended_text: str
) -> tuple[Any, ...]:
    """Return the values of FOLLOW_SUCCESS."""
    return (
        ended_text,
        before.attempt_number,
        ended_text,
        made.status,
        made.duration_ms,
        made.delivery_id,
        made.lease_token,
    )


def _is_success(mark: Mark) -> bool:
    return isinstance(mark, MarkSucceeded) and mark.attempt.error_class is None


def _is_plain(mark: Mark) -> bool:
    made = mark.attempt
    return made.error_class is made.error_detail is made.truncated is made.fault is None


def _row(
    attempt_id: str,
    made: AttemptMade,
    outcome: AttemptOutcome,
    before: Claim | _Standing,
    *,
    due_text: str,
    ended_text: str,
) -> tuple[Any, ...]:
    """Return the values of INSERT_ATTEMPT."""
    plain = _plain_row(attempt_id, made, outcome, before, due_text=due_text, ended_text=ended_text)
    return (*plain[:-3], made.error_class, made.error_detail, *plain[-3:], made.truncated, made.fault)


def _plain_row(
    attempt_id: str,
    made: AttemptMade,
    outcome: AttemptOutcome,
    before: Claim | _Standing,
    *,
    due_text: str,
    ended_text: str,
) -> tuple[Any, ...]:
    """Return the values of INSERT_PLAIN_ATTEMPT."""
    failed = outcome in ("retry", "dead") and before.trigger != "test"  # decision D27
    return (
        attempt_id,
        made.delivery_id,
        made.lease_token,
        before.attempt_number,
        before.retries_used,
        before.agent,
        before.webhook_id,
        before.event_id,
        before.trigger,
        outcome,
        int(failed),
        due_text,
        to_text(made.started_at),
        ended_text,
        made.duration_ms,
        made.url,
        bytearray(made.request_head),
        made.signature,
        made.status,
        to_blob(made.response_head),
        to_blob(made.response_body),
        made.response_size,
    )
