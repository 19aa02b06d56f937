"""The SQL of the hot path on PostgreSQL: groups go in as arrays, one statement each, prepared once by the driver.

Leases are on the database's clock (`clock_timestamp()`), because hosts disagree; every other time is given. Times come in
as text where the rows are those of SQLite's hot path. It holds statements only.
"""

from __future__ import annotations

from typing import Final

# The advisory locks, per database. Everything that adds or moves deliveries shares WEBHOOKS with the others; a change of
# a webhook takes it alone, so that no delivery is made for, or moved back to, a webhook that was just deleted.
_OURS: Final = 0x5C1A
WEBHOOKS_LOCK: Final = f"{_OURS}, 1"
SCHEMA_LOCK: Final = f"{_OURS}, 2"
CLOCK_LOCK: Final = f"{_OURS}, 3"
# Two numbers make a lock: this and the replay's own, held by the connection of the dispatcher that sees to it.
REPLAY_LOCK: Final = _OURS + 1
CHANNEL: Final = "swiftclaw"

# Begin a group; answers with the number of changes of webhooks so far.
BEGIN: Final = "; ".join(
    (
        "BEGIN",
        f"SELECT pg_advisory_xact_lock_shared({WEBHOOKS_LOCK})",
        "SELECT next FROM counter WHERE name = 'webhook_changes'",
    )
)
COUNT_WEBHOOK_CHANGE: Final = "UPDATE counter SET next = next + 1 WHERE name = 'webhook_changes'"


def _rows(name: str, **columns: str) -> str:
    """Return `unnest(…) AS name(…)` of one array per column."""
    arrays = ", ".join(f"%b::{type}[]" for type in columns.values())
    return f"unnest({arrays}) AS {name}({', '.join(columns)})"


_NEW_EVENT: Final = {
    "id": "text",
    "type": "text",
    "agent": "text",
    "created_at": "text",
    "accepted_at": "text",
    "body": "bytea",
}
_NEW_DELIVERY: Final = {
    "id": "text",
    "event_id": "text",
    "event_type": "text",
    "agent": "text",
    "webhook_id": "text",
    "state": "text",
    "trigger": "text",
    "scheduled": "int4",
    "body_size": "int4",
    "created_at": "text",
    "due_at": "text",
    "lease_token": "int4",
    "claimed_at": "text",
}
# Parameters: the columns. Returns the ids of those that are new.
INSERT_EVENTS: Final = f"""
INSERT INTO event (id, type, agent, created_at, accepted_at, body)
SELECT id, type, agent, created_at::timestamptz, accepted_at::timestamptz, body FROM {_rows("e", **_NEW_EVENT)}
ON CONFLICT (id) DO NOTHING RETURNING id
"""  # noqa: S608 - put together from constants
# Parameters: the lease's owner and its seconds, then the columns.
INSERT_DELIVERIES: Final = f"""
INSERT INTO delivery (id, event_id, event_type, agent, webhook_id, state, trigger, scheduled, body_size, created_at, due_at,
    attempts, retries_used, interruptions, lease_token, claimed_at, lease_owner, leased_until)
SELECT id, event_id, event_type, agent, webhook_id, state, trigger, scheduled::bool, body_size, created_at::timestamptz,
    due_at::timestamptz, 0, 0, 0, lease_token, claimed_at::timestamptz,
    CASE WHEN lease_token > 0 THEN %b::text END,
    CASE WHEN lease_token > 0 THEN clock_timestamp() + %b::float8 * interval '1 second' END
FROM {_rows("d", **_NEW_DELIVERY)}
"""  # noqa: S608 - put together from constants
EVENT_BY_ID: Final = "SELECT type, agent, body FROM event WHERE id = %b"
FIRST_DELIVERIES: Final = "SELECT id FROM delivery WHERE event_id = %b AND trigger = 'event' ORDER BY id"
LIVE_WEBHOOKS: Final = """
SELECT id, agent, url, events, secret_box, enabled FROM webhook WHERE deleted_at IS NULL ORDER BY length(id), id
"""
WEBHOOK_BOX: Final = "SELECT secret_box FROM webhook WHERE id = %b AND deleted_at IS NULL"

# Webhook by webhook, so that one with a million due deliveries never slows the claims of the others.
CLAIM: Final = """
WITH free AS (
    SELECT w.id, least(%(limit)b::int4, %(per_webhook)b::int4 - coalesce(b.load, 0)) AS most
    FROM webhook w LEFT JOIN unnest(%(busy)b::text[], %(loads)b::int4[]) AS b(id, load) ON b.id = w.id
    WHERE w.enabled AND w.deleted_at IS NULL
), due AS (
    SELECT x.id FROM free CROSS JOIN LATERAL (
        SELECT d.id, d.due_at FROM delivery d
        WHERE d.webhook_id = free.id AND d.state = 'pending' AND d.due_at <= %(now)b::timestamptz
        ORDER BY d.due_at, d.id LIMIT greatest(free.most, 0) FOR UPDATE SKIP LOCKED
    ) x ORDER BY x.due_at, x.id LIMIT %(limit)b::int4
), claimed AS (
    UPDATE delivery d SET state = 'in_flight', lease_token = d.lease_token + 1, lease_owner = %(owner)b::text,
        leased_until = clock_timestamp() + %(lease)b::float8 * interval '1 second', claimed_at = %(now)b::timestamptz
    WHERE d.id = ANY (ARRAY(SELECT id FROM due)) AND d.state = 'pending'
    RETURNING d.*
)
SELECT c.id, c.lease_token, c.webhook_id, c.agent, w.url, w.secret_box, c.event_id, c.event_type, e.body, c.trigger,
    c.scheduled, c.attempts + 1, c.retries_used, c.due_at, c.interruptions
FROM claimed c JOIN event e ON e.id = c.event_id JOIN webhook w ON w.id = c.webhook_id ORDER BY c.due_at, c.id
"""
NEXT_DUE: Final = """
SELECT min(x.due_at) FROM webhook w CROSS JOIN LATERAL (
    SELECT d.due_at FROM delivery d WHERE d.webhook_id = w.id AND d.state = 'pending' ORDER BY d.due_at, d.id LIMIT 1
) x WHERE w.enabled AND w.deleted_at IS NULL AND w.id <> ALL (%b::text[])
"""
HELD_BY_OTHERS: Final = """
SELECT id, lease_token FROM delivery WHERE webhook_id = %b AND state = 'in_flight' AND lease_owner <> %b
"""
_LEASE_ENDS: Final = "lease_owner = NULL, leased_until = NULL"
# Parameters: now, then the deliveries, their tokens, and how often each was cut off.
GIVE_BACK: Final = f"""
UPDATE delivery d SET {_LEASE_ENDS}, interruptions = g.known,
    state = CASE WHEN w.deleted_at IS NULL THEN 'pending' ELSE 'canceled' END,
    reason = CASE WHEN w.deleted_at IS NULL THEN NULL ELSE 'webhook_deleted' END,
    ended_at = CASE WHEN w.deleted_at IS NULL THEN NULL ELSE %b::timestamptz END
FROM {_rows("g", id="text", lease="int4", known="int4")}, webhook w
WHERE d.id = g.id AND d.state = 'in_flight' AND d.lease_token = g.lease AND w.id = d.webhook_id
"""  # noqa: S608 - put together from constants
BEGIN_AGAIN: Final = """
UPDATE delivery d SET interruptions = %b FROM webhook w
WHERE d.id = %b AND d.state = 'in_flight' AND d.lease_token = %b
    AND w.id = d.webhook_id AND w.deleted_at IS NULL AND w.enabled AND w.url = %b
RETURNING w.secret_box
"""

_MARK: Final = {
    "delivery_id": "text",
    "token": "int4",
    "attempt_id": "text",
    "outcome": "text",
    "state": "text",
    "uses_retry": "bool",
    "new_due_at": "timestamptz",
    "reason": "text",
    "started_at": "timestamptz",
    "ended_at": "timestamptz",
    "duration_ms": "int4",
    "url": "text",
    "request_head": "bytea",
    "signature": "text",
    "status": "int4",
    "error_class": "text",
    "error_detail": "text",
    "response_head": "bytea",
    "response_body": "bytea",
    "response_size": "int8",
    "truncated": "text",
    "fault": "text",
}
_ATTEMPT: Final = (
    "id, delivery_id, lease_token, number, retry, agent, webhook_id, event_id, trigger, outcome, failed, scheduled_at,"
    " started_at, ended_at, duration_ms, url, request_head, signature, status, error_class, error_detail, response_head,"
    " response_body, response_size, truncated, fault"
)
_OF_MARK: Final = (
    "m.started_at, m.ended_at, m.duration_ms, m.url, m.request_head, m.signature, m.status, m.error_class,"
    " m.error_detail, m.response_head, m.response_body, m.response_size, m.truncated, m.fault"
)
# Parameters: the columns of the marks. The fence and the lock are in `held`: what is not in flight under its token is left
# out, and returned is what was written.
RECORD: Final = f"""
WITH held AS (
    SELECT m.*, d.attempts, d.retries_used, d.due_at, d.event_id, d.agent, d.webhook_id, d.trigger,
        m.state = 'pending' AND w.deleted_at IS NOT NULL AS gone
    FROM {_rows("m", **_MARK)}
    JOIN delivery d ON d.id = m.delivery_id AND d.state = 'in_flight' AND d.lease_token = m.token
    JOIN webhook w ON w.id = d.webhook_id
    ORDER BY d.id FOR UPDATE OF d
), followed AS (
    UPDATE delivery d SET {_LEASE_ENDS}, interruptions = 0,
        state = CASE WHEN m.gone THEN 'canceled' ELSE m.state END,
        reason = CASE WHEN m.gone THEN 'webhook_deleted' ELSE m.reason END,
        due_at = CASE WHEN m.gone THEN m.due_at ELSE coalesce(m.new_due_at, m.due_at) END,
        ended_at = CASE WHEN m.state = 'pending' AND NOT m.gone THEN NULL ELSE m.ended_at END,
        attempts = m.attempts + 1, retries_used = m.retries_used + m.uses_retry::int4,
        last_attempt_at = m.ended_at, last_status = m.status, last_error_class = m.error_class,
        last_duration_ms = m.duration_ms
    FROM held m WHERE d.id = m.delivery_id AND d.state = 'in_flight' AND d.lease_token = m.token
    RETURNING d.id, d.lease_token, d.attempts, d.state
), logged AS (
    INSERT INTO attempt ({_ATTEMPT})
    SELECT m.attempt_id, m.delivery_id, m.token, m.attempts + 1, m.retries_used, m.agent, m.webhook_id, m.event_id,
        m.trigger, m.outcome, m.outcome IN ('retry', 'dead') AND m.trigger <> 'test', m.due_at, {_OF_MARK}
    FROM held m
)
SELECT id, lease_token, attempts, state FROM followed
"""  # noqa: S608 - put together from constants
RECORDED_ATTEMPT: Final = """
SELECT a.id, a.number, a.outcome, d.state FROM attempt a JOIN delivery d ON d.id = a.delivery_id
WHERE a.delivery_id = %b AND a.lease_token = %b
"""
# For one mark whose lease was lost: its row alone. Returns nothing when there is no such delivery any more.
SUPERSEDED: Final = f"""
INSERT INTO attempt ({_ATTEMPT})
SELECT m.attempt_id, m.delivery_id, m.token, d.attempts + 1, d.retries_used, d.agent, d.webhook_id, d.event_id, d.trigger,
    'superseded', false, d.due_at, {_OF_MARK}
FROM {_rows("m", **_MARK)} JOIN delivery d ON d.id = m.delivery_id
RETURNING number, (SELECT state FROM delivery d WHERE d.id = delivery_id)
"""  # noqa: S608 - put together from constants

# What dispatchers that died had in flight: logged as interrupted and due again, or given up when it was cut off too often
# in a row. Parameters: now, the ids of the attempts to be logged, and the most interruptions.
# `expired` locks each row, in its newest version, in the very statement that updates it: until the commit nobody claims,
# records or reaps it, so state and token in the UPDATE's WHERE are always true. They stand there all the same, as each of
# the two is enough alone: without the lock a second reaper waits for the first, looks at the row again, and finds them
# false. With neither, a delivery is reaped twice or after it ended (`make mutants` takes both out).
REAP: Final = f"""
WITH expired AS (
    SELECT d.*, w.url, w.deleted_at, row_number() OVER () AS place FROM (
        SELECT * FROM delivery WHERE state = 'in_flight' AND leased_until < clock_timestamp()
        ORDER BY leased_until LIMIT cardinality(%(ids)b::text[]) FOR UPDATE SKIP LOCKED
    ) d JOIN webhook w ON w.id = d.webhook_id
), ended AS (
    SELECT *, deleted_at IS NOT NULL AS gone, greatest(interruptions, 1) AS counted,
        interruptions >= %(most)b::int4 AS too_often FROM expired
), reaped AS (
    UPDATE delivery d SET {_LEASE_ENDS}, attempts = x.attempts + 1, interruptions = x.counted,
        state = CASE WHEN x.too_often THEN 'dead' WHEN x.gone THEN 'canceled' ELSE 'pending' END,
        reason = CASE WHEN x.too_often THEN 'interrupted_repeatedly' WHEN x.gone THEN 'webhook_deleted' END,
        ended_at = CASE WHEN x.too_often OR x.gone THEN %(now)b::timestamptz END,
        last_attempt_at = %(now)b::timestamptz, last_status = NULL, last_error_class = 'interrupted', last_duration_ms = NULL
    FROM ended x WHERE d.id = x.id AND d.state = 'in_flight' AND d.lease_token = x.lease_token
    RETURNING d.id
)
INSERT INTO attempt ({_ATTEMPT})
SELECT (%(ids)b::text[])[x.place], x.id, x.lease_token, x.attempts + 1, x.retries_used, x.agent, x.webhook_id, x.event_id,
    x.trigger, 'interrupted', false, x.due_at, least(x.claimed_at, %(now)b::timestamptz), %(now)b::timestamptz, 0, x.url,
    ''::bytea, '', NULL, 'interrupted', NULL, NULL, NULL, NULL, NULL, NULL
FROM ended x JOIN reaped r ON r.id = x.id
"""  # noqa: S608 - put together from constants

CANCEL_OF_DELETED: Final = """
UPDATE delivery SET state = 'canceled', reason = 'webhook_deleted', ended_at = %b::timestamptz
WHERE state = 'pending' AND webhook_id IN (SELECT id FROM webhook WHERE deleted_at IS NOT NULL)
"""
COUNTS: Final = """
SELECT (SELECT count(*) FROM webhook WHERE deleted_at IS NULL), (SELECT count(*) FROM delivery),
    (SELECT count(*) FROM delivery WHERE state = 'pending' AND due_at <= %b::timestamptz
        AND webhook_id IN (SELECT id FROM webhook WHERE enabled AND deleted_at IS NULL))
"""
