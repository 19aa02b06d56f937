"""The bench's own look into the engine's database: counts the ledger's rows, and fills in a backlog of pending retries."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from tests.bench.sides.payload import AGENT, EVENT_TYPE, body_of_500_bytes

# Retries of the backlog become due from here on: long after the bench has ended.
_FIRST_DUE_IN: Final = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest ids; what is added later has greater ones."""

    event: str
    delivery: str
    attempt: str


@dataclass(frozen=True, slots=True)
class Rows:
    """How many rows there are."""

    events: int
    deliveries: int
    attempts: int


def newest(db: Path) -> Newest:
    """Return the newest ids; empty texts where there are none."""
    queries = ("SELECT max(id) FROM event", "SELECT max(id) FROM delivery", "SELECT max(id) FROM attempt")
    with closing(sqlite3.connect(f"{db.as_uri()}?mode=ro", uri=True)) as connection:
        return Newest(*(connection.execute(query).fetchone()[0] or "" for query in queries))


def added_since(db: Path, before: Newest) -> Rows:
    """Count what was added: the events, the deliveries that have ended, and the attempts, through a connection of our own."""
    queries = (
        ("SELECT count(*) FROM event WHERE id > ?", before.event),
        ("SELECT count(*) FROM delivery WHERE id > ? AND ended_at IS NOT NULL", before.delivery),
        ("SELECT count(*) FROM attempt WHERE id > ?", before.attempt),
    )
    with closing(sqlite3.connect(f"{db.as_uri()}?mode=ro", uri=True)) as connection:
        return Rows(*(connection.execute(query, (id,)).fetchone()[0] for query, id in queries))


def add_pending_retries(db: Path, count: int) -> None:
    """Add so many deliveries of the one webhook, each of its own event, failed once and pending; no engine may run."""
    due = datetime.now(UTC) + _FIRST_DUE_IN
    given = {
        "count": count,
        "type": EVENT_TYPE,
        "agent": AGENT,
        "body": body_of_500_bytes(),
        "at": (due - timedelta(hours=12)).strftime("%Y-%m-%d %H:%M:%S.000000"),
        "due": due.strftime("%Y-%m-%d %H:%M:"),
    }
    with closing(sqlite3.connect(db, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -256000")
        connection.execute("BEGIN")
        connection.execute(_EVENTS, given)
        connection.execute(_DELIVERIES, given)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


_EVENTS: Final = """
WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < :count)
INSERT INTO event (id, type, agent, created_at, accepted_at, body)
SELECT printf('evt_0%025d', n), :type, :agent, :at, :at, :body FROM number"""
_DELIVERIES: Final = """
WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < :count)
INSERT INTO delivery (id, event_id, event_type, agent, webhook_id, state, trigger, scheduled, replay_of, body_size,
    created_at, due_at, ended_at, reason, attempts, retries_used, interruptions, lease_token, claimed_at,
    last_attempt_at, last_status, last_error_class, last_duration_ms)
SELECT printf('dlv_0%025d', n), printf('evt_0%025d', n), :type, :agent, (SELECT id FROM webhook), 'pending', 'event', 1,
    NULL, length(:body), :at, :due || printf('%09.6f', n * 5e-5), NULL, NULL, 1, 1, 0, 1, :at, :at, 500, NULL, 5
FROM number"""
