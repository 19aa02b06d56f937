"""A check for each promise I1-I9: what is known outside, held against what stands in SQL. Pure but for the SELECTs."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from swiftclaw_local.storage.statements import from_text
from tests.simulation.outside import Outside

Row = dict[str, Any]
_ENDED: Final = ("succeeded", "dead", "canceled")
_TAKEN_OVER: Final = ("interrupted", "superseded")


@dataclass(frozen=True, slots=True)
class Tables:
    """What stands in SQL: events and deliveries by id, the attempts of each delivery in their order."""

    events: dict[str, Row]
    deliveries: dict[str, Row]
    attempts: dict[str, list[Row]]


def read_tables(connection: Any, *, delivery_id: str | None = None) -> Tables:
    """Read it all in one moment, or one delivery alone."""
    one, name = ("", ()) if delivery_id is None else ("WHERE id = ?", (delivery_id,))
    connection.execute("BEGIN")
    try:
        events = {row["id"]: row for row in _rows(connection, "event", "" if delivery_id is None else "WHERE false")}
        deliveries = {row["id"]: row for row in _rows(connection, "delivery", f"{one} ORDER BY id", name)}
        attempts: dict[str, list[Row]] = {found: [] for found in deliveries}
        of = one.replace("id", "delivery_id")
        for row in _rows(connection, "attempt", f"{of} ORDER BY delivery_id, number, seq", name):
            attempts[row["delivery_id"]].append(row)
    finally:
        connection.execute("COMMIT")
    return Tables(events, deliveries, attempts)


def _rows(connection: Any, table: str, chosen: str, values: tuple[str, ...] = ()) -> Iterator[Row]:
    cursor = connection.execute(f"SELECT * FROM {table} {chosen}", values)  # noqa: S608 - words from above
    names = [column[0] for column in cursor.description]
    return (dict(zip(names, row, strict=True)) for row in cursor)


def check_durable(outside: Outside, tables: Tables) -> Iterator[str]:
    """I1 and I2: what was acknowledged is there, whole and once; what was refused is not."""
    owed = Counter((d["event_id"], d["webhook_id"]) for d in tables.deliveries.values() if d["trigger"] == "event")
    for pair, count in owed.items():
        if count > 1:
            yield f"I2: {pair} is owed {count} times"
    for emit in outside.emits.values():
        row = tables.events.get(emit.id)
        if not emit.acknowledged:
            if row is not None and not emit.ambiguous and not emit.under_way:
                yield f"I2: {emit.id} was refused and is there"
        elif row is None:
            yield f"I1: {emit.id} was acknowledged and is lost"
        elif (row["type"], row["body"]) != (emit.type, emit.body):
            yield f"I1: {emit.id} has other bytes than acknowledged"
        else:
            yield from (f"I1: {emit.id} is not owed to {name}" for name in emit.owed if not owed[emit.id, name])
    for replay, original in outside.replays.items():
        if replay not in tables.deliveries or tables.deliveries[replay]["replay_of"] != original:
            yield f"I1: the replay {replay} of {original} is lost"
    for name in outside.canceled:
        if tables.deliveries[name]["reason"] != "canceled":
            yield f"I1: {name} was canceled, and is {tables.deliveries[name]['state']}"


def check_history(before: Tables, after: Tables) -> Iterator[str]:
    """I5: rows of attempts, and deliveries that ended, stay as they were written."""
    for name, rows in before.attempts.items():
        if rows != after.attempts.get(name, [])[: len(rows)]:
            yield f"I5: the log of {name} was rewritten"
    for name, row in before.deliveries.items():
        if row["state"] in _ENDED and row != after.deliveries.get(name):
            yield f"I5: {name} ended {row['state']} and changed"
    for name, row in before.events.items():
        if row != after.events.get(name):
            yield f"I5: the event {name} changed"


def _is_created_later(outside: Outside, row: Row, *, now: datetime) -> bool:
    """Return whether this is the first attempt of an event that a wall clock hours ahead said to be created after `now`."""
    emit = outside.emits.get(row["event_id"])
    return not row["attempts"] and emit is not None and emit.created is not None and emit.created > now


def check_settled(outside: Outside, tables: Tables, *, now: datetime) -> Iterator[str]:
    """I3: everything that can be sent by `now`, the end, has ended, and ended as the receiver's side knows it."""
    held = {hook.id for hook in outside.hooks.values() if not hook.enabled and not hook.deleted}
    for name, row in tables.deliveries.items():
        if row["state"] not in _ENDED:
            waits = row["webhook_id"] in held or _is_created_later(outside, row, now=now)
            if row["state"] == "in_flight" or not waits:
                yield f"I3: {name} is {row['state']} for ever (due {row['due_at']}, reason {row['reason']})"
            continue
        last = tables.attempts[name][-1] if tables.attempts[name] else None
        if row["state"] != "canceled" and last is None:
            yield f"I3: {name} ended {row['state']} without an attempt"
        if row["state"] == "succeeded":
            post = outside.by_attempt.get((name, last["number"])) if last else None
            if post is None or post.answered is None or not 200 <= post.answered <= 299:
                yield f"I3: {name} succeeded, and its receiver did not say so"


def check_attempts(outside: Outside, tables: Tables) -> Iterator[str]:
    """I4: every request has its own row, and every row says what its receiver knows."""
    numbers = {(name, row["number"]): row for name, rows in tables.attempts.items() for row in rows}
    if len(numbers) < sum(map(len, tables.attempts.values())):
        yield "I4: two attempts of a delivery have the same number"
    for post in outside.posts:
        row = numbers.get((post.delivery_id, post.number))
        if row is None:
            if post.arrived:
                yield f"I4: request {post.number} of {post.delivery_id} has no row"
        elif row["outcome"] not in _TAKEN_OVER and post.outcome != (str(row["status"] or row["error_class"])):
            yield f"I4: {post.delivery_id} #{post.number} was {post.outcome}, its row says {row['status']} {row['error_class']}"
    doubled = [key for key, count in Counter((p.delivery_id, p.number) for p in outside.posts).items() if count > 1]
    yield from (f"I4: two requests under the one row {key}" for key in doubled)


def check_bytes(outside: Outside, tables: Tables) -> Iterator[str]:
    """I6: the bytes of the event, in every request, under a signature of its webhook."""
    secrets: dict[str, list[str]] = {}
    for hook in outside.hooks.values():
        secrets.setdefault(hook.url, []).extend(hook.secrets)
    for post in outside.posts:
        event = tables.events.get(post.event_id)
        if event is None or event["body"] != post.body:
            yield f"I6: {post.delivery_id} #{post.number} sent other bytes than {post.event_id} has"
        if not any(signature(secret, post.body) == post.signature for secret in secrets.get(post.url, [])):
            yield f"I6: {post.delivery_id} #{post.number} is signed with no secret of its webhook"
    for name, row in tables.deliveries.items():
        if row["replay_of"] and row["event_id"] != tables.deliveries[row["replay_of"]]["event_id"]:
            yield f"I6: the replay {name} is of another event"


def check_budget(outside: Outside, tables: Tables, *, retries: int) -> Iterator[str]:
    """I8: attempts that ended use up retries, others do not; doubles are no more than what was cut off."""
    arrived_2xx = Counter(p.delivery_id for p in outside.posts if p.answered and 200 <= p.answered <= 299)
    for name, row in tables.deliveries.items():
        outcomes = [made["outcome"] for made in tables.attempts[name]]
        used, cut_off = outcomes.count("retry"), sum(outcomes.count(word) for word in _TAKEN_OVER)
        if row["retries_used"] != used or used > (retries if row["scheduled"] else 0):
            yield f"I8: {name} used {row['retries_used']} retries, its log shows {outcomes}"
        if row["attempts"] != len(outcomes) - outcomes.count("superseded") and not outcomes.count("superseded"):
            yield f"I8: {name} counts {row['attempts']} attempts, its log shows {outcomes}"
        if cut_off > outside.cut_offs:
            yield f"I8: {name} was cut off {cut_off} times by {outside.cut_offs} accidents"
        if row["reason"] == "exhausted" and used != retries:
            yield f"I8: {name} was given up after {used} retries"
        if row["reason"] == "interrupted_repeatedly" and outcomes[-5:] != ["interrupted"] * 5:
            yield f"I8: {name} was ended as cut off after {outcomes}"
        if row["reason"] == "interrupted_repeatedly" and not any(p.delivery_id == name for p in outside.posts):
            yield f"I8: {name} was ended as cut off and was never sent"
        if arrived_2xx[name] > 1 + cut_off:
            yield f"I4: {name} got through {arrived_2xx[name]} times, {cut_off} were cut off"


def signature(secret: str, body: bytes) -> str:
    """Return what the page says that the header must be; not the engine's own code."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def expected_due(
    outside: Outside, delivery: Row, attempts: list[Row], *, schedule: tuple[timedelta, ...]
) -> datetime | None:
    """Return when the next attempt is due by the last answer that the receiver's side knows, and the schedule.

    Before any: when it was accepted, or when the event is said to be created. What ran into a stale connection is due again
    at once. None when the answer is not known.
    """
    emit = outside.emits.get(delivery["event_id"])
    due: datetime | None = from_text(delivery["created_at"])
    if emit is not None and emit.created is not None and delivery["trigger"] == "event":
        due = max(from_text(delivery["created_at"]), emit.created)
    used = 0
    for row in attempts:
        if row["outcome"] in ("retry", "again"):
            ended_at = outside.by_attempt[delivery["id"], row["number"]].ended_at
            wait = schedule[used] if row["outcome"] == "retry" else timedelta(0)
            due = None if ended_at is None else ended_at + wait
            used += row["outcome"] == "retry"
    return due
