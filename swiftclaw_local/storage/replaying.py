"""Replays of many deliveries, as functions of the connection: kept as a list first, then made into deliveries in turn.

Each step makes new deliveries and notes them in the list in one transaction: whenever the process dies, every delivery
of the list is replayed once, or still on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from swiftclaw_local.errors import Conflict, UnknownReplay
from swiftclaw_local.storage.changes import Connection, insert_replay, next_number
from swiftclaw_local.storage.replay_records import Replayable, ReplayState, ReplayStep, ReplayWish
from swiftclaw_local.storage.statements import to_text
from swiftclaw_local.storage.states import State

_ROWS_AT_ONCE: Final = 200
_NEXT: Final = (
    "SELECT i.number, i.delivery_id, i.was_delivered, d.state, d.event_id, d.webhook_id, w.deleted_at IS NULL"
    " FROM replay_item i LEFT JOIN delivery d ON d.id = i.delivery_id"
    " LEFT JOIN webhook w ON w.id = COALESCE(CAST(? AS TEXT), d.webhook_id)"
    " WHERE i.replay_id = ? AND i.new_id IS NULL AND i.skipped IS NULL ORDER BY i.number LIMIT ?"
)


def add_replay(connection: Connection, *, wish: ReplayWish, items: Sequence[Replayable], now: datetime) -> str:
    """See `Store.add_replay`."""
    replay_id = f"rpl_{next_number(connection, 'replay')}"
    connection.execute(
        "INSERT INTO replay (id, state, reason, wanted, rate, canary, stop_after, with_retries, to_webhook, total,"
        " judged_after, created_at) VALUES (?, 'running', NULL, ?, ?, ?, ?, ?, ?, ?, 0, ?)",
        (
            replay_id,
            wish.wanted,
            wish.rate,
            wish.canary,
            wish.stop_after,
            wish.with_retries,
            wish.to_webhook,
            len(items),
            to_text(now),
        ),
    )
    for start in range(0, len(items), _ROWS_AT_ONCE):
        group = list(enumerate(items[start : start + _ROWS_AT_ONCE], start + 1))
        rows = ", ".join(["(?, ?, ?, ?)"] * len(group))
        values = [
            value
            for number, one in group
            for value in (replay_id, number, one.delivery_id, one.state is State.SUCCEEDED)
        ]
        connection.execute(
            f"INSERT INTO replay_item (replay_id, number, delivery_id, was_delivered) VALUES {rows}",  # noqa: S608 - the values are bound
            values,
        )
    return replay_id


def replay_next(connection: Connection, *, replay_id: str, new_ids: Sequence[str], now: datetime) -> ReplayStep | None:
    """See `Store.replay_next`."""
    locked = connection.execute(
        "UPDATE replay SET judged_after = judged_after WHERE id = ? AND state = 'running'"
        " RETURNING with_retries, to_webhook",
        (replay_id,),
    ).fetchone()
    if locked is None:
        return None
    with_retries, to_webhook = bool(locked[0]), locked[1]
    rows = connection.execute(_NEXT, (to_webhook, replay_id, len(new_ids))).fetchall()
    made, skipped = [], 0
    for new_id, row in zip(new_ids, rows, strict=False):
        number, delivery_id, _, state, *_ = row
        if state == State.IN_FLIGHT:
            continue  # its own attempt is under way: its turn comes again
        reason = _why_not(connection, row, elsewhere=to_webhook is not None)
        if reason is None and state == State.PENDING and not _give_up(connection, delivery_id, now):
            continue
        if reason is None and not insert_replay(
            connection, delivery_id, new_id=new_id, now=now, scheduled=with_retries, to_webhook=to_webhook
        ):
            reason = "replayed"
        connection.execute(
            "UPDATE replay_item SET new_id = ?, skipped = ? WHERE replay_id = ? AND number = ?",
            (new_id if reason is None else None, reason, replay_id, number),
        )
        if reason is None:
            made.append((number, new_id))
        else:
            skipped += 1
    return ReplayStep(tuple(made), skipped)


def set_replay(
    connection: Connection,
    *,
    replay_id: str,
    state: ReplayState,
    reason: str | None,
    judged_after: int | None,
    now: datetime,
) -> None:
    """See `Store.set_replay`."""
    ended = to_text(now) if state == "done" else None
    changed = connection.execute(
        "UPDATE replay SET state = ?, reason = ?, ended_at = ?, judged_after = COALESCE(CAST(? AS INTEGER), judged_after)"
        " WHERE id = ? AND state <> 'done'",
        (state, reason, ended, judged_after, replay_id),
    )
    if changed.rowcount == 0:
        found = connection.execute("SELECT id FROM replay WHERE id = ?", (replay_id,)).fetchone()
        if found is None:
            raise UnknownReplay(f'There is no replay "{replay_id}".', field="replay")
        raise Conflict(f"{replay_id} is done.")


def _why_not(connection: Connection, row: Sequence[Any], *, elsewhere: bool) -> str | None:
    """Return why nothing is to be sent for an item: its delivery or webhook is gone, or the event got through meanwhile."""
    _, _, was_delivered, state, event_id, webhook_id, live = row
    if state is None:
        return "forgotten"
    if not live:
        return "webhook_deleted"
    if not was_delivered and not elsewhere:
        through = connection.execute(
            "SELECT 1 FROM delivery WHERE event_id = ? AND webhook_id = ? AND state = 'succeeded' LIMIT 1",
            (event_id, webhook_id),
        ).fetchone()
        if through is not None:
            return "delivered"
    return None  # one with an open replay is refused by the index, as any other


def _give_up(connection: Connection, delivery_id: str, now: datetime) -> bool:
    """Cancel what is still scheduled for a delivery, whose replay takes its place; False when it was claimed meanwhile."""
    canceled = connection.execute(
        "UPDATE delivery SET state = 'canceled', reason = 'replayed', ended_at = ? WHERE state = 'pending' AND id = ?",
        (to_text(now), delivery_id),
    )
    return bool(canceled.rowcount)
