"""The tables, as SQLModel classes: the one description of the schema, from which all SQL is compiled.

Times are aware UTC and come from the engine's clock; bytes are kept as bytes. Rows of these classes never leave `storage/`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import CheckConstraint, Column, Index, LargeBinary, MetaData, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from swiftclaw_local.storage.states import ENDED, State

# Raised by one with every migration; the file name of the newest one begins with it.
SCHEMA_VERSION: Final = 3


def _one_of(column: str, *values: str) -> str:
    """Return a condition, as a chain: for an IN of more than two SQLite builds a table at every row, 10 µs a delivery in all."""
    return " OR ".join(f"{column} = '{value}'" for value in values)


class Table(SQLModel):
    """What all tables share: their own metadata, so that a user's SQLModel tables never meet ours."""

    metadata = MetaData()


class WebhookRow(Table, table=True):
    """A registered URL. `events` is a JSON list; deleted webhooks stay, so that their history stays readable."""

    __tablename__ = "webhook"

    id: str = Field(primary_key=True)
    agent: str = Field(index=True)
    url: str
    events: str
    secret_box: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    description: str
    enabled: bool
    created_at: datetime
    deleted_at: datetime | None = None


class EventRow(Table, table=True):
    """A fact announced; `body` is its bytes, made once. `seq` goes up as events are accepted; ids given by callers do not."""

    __tablename__ = "event"
    __table_args__ = (UniqueConstraint("id", name="event_id_once"), Index("event_by_agent", "agent", "seq"))

    seq: int | None = Field(default=None, primary_key=True)
    id: str
    type: str
    agent: str | None
    created_at: datetime
    accepted_at: datetime
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class DeliveryRow(Table, table=True):
    """One event owed to one webhook. The `last_…` columns repeat its newest attempt, so that lists need no join."""

    __tablename__ = "delivery"
    __table_args__ = (
        CheckConstraint(_one_of("state", *State), name="delivery_state"),
        CheckConstraint(_one_of("trigger", "event", "test", "replay"), name="delivery_trigger"),
        CheckConstraint(f"({_one_of('state', *sorted(ENDED))}) = (ended_at IS NOT NULL)", name="delivery_ended"),
        CheckConstraint("(state = 'dead' OR state = 'canceled') = (reason IS NOT NULL)", name="delivery_reason"),
        Index(
            "delivery_due",
            "webhook_id",
            "due_at",
            "id",
            sqlite_where=text("state = 'pending'"),
            postgresql_where=text("state = 'pending'"),
        ),
        # what is in flight, retrying, dead or unresolved is found here, however many millions succeeded
        Index(
            "delivery_not_succeeded",
            "state",
            "id",
            sqlite_where=text("state <> 'succeeded'"),
            postgresql_where=text("state <> 'succeeded'"),
        ),
        Index(
            "delivery_dead",
            "webhook_id",
            "id",
            sqlite_where=text("state = 'dead'"),
            postgresql_where=text("state = 'dead'"),
        ),
        Index("delivery_by_webhook", "webhook_id", "id"),
        Index("delivery_by_event", "event_id", "webhook_id"),
        Index(
            "delivery_one_open_replay",
            "replay_of",
            unique=True,
            sqlite_where=text("replay_of IS NOT NULL AND ended_at IS NULL"),
            postgresql_where=text("replay_of IS NOT NULL AND ended_at IS NULL"),
        ),
        {"sqlite_with_rowid": False},
    )

    id: str = Field(primary_key=True)
    event_id: str = Field(foreign_key="event.id")
    event_type: str
    agent: str
    webhook_id: str = Field(foreign_key="webhook.id")
    state: str
    trigger: str
    scheduled: bool
    replay_of: str | None
    body_size: int
    created_at: datetime
    due_at: datetime
    ended_at: datetime | None
    reason: str | None
    attempts: int
    retries_used: int
    interruptions: int
    lease_token: int
    claimed_at: datetime | None
    last_attempt_at: datetime | None
    last_status: int | None
    last_error_class: str | None
    last_duration_ms: int | None


class AttemptRow(Table, table=True):
    """One HTTP exchange, written once. The lease token is in its key: a doubled row is impossible by construction.

    `seq` goes up as attempts are recorded. `fault` is what was done to it on purpose, as `delay:30s`.
    """

    __tablename__ = "attempt"
    __table_args__ = (
        CheckConstraint(
            _one_of("outcome", "succeeded", "retry", "dead", "again", "interrupted", "superseded"),
            name="attempt_outcome",
        ),
        UniqueConstraint("delivery_id", "lease_token", name="attempt_once"),
        UniqueConstraint("id", name="attempt_id_once"),
        Index("attempt_failed", "agent", "ended_at", sqlite_where=text("failed = 1"), postgresql_where=text("failed")),
        Index("attempt_by_time", "ended_at"),
    )

    seq: int | None = Field(default=None, primary_key=True)
    id: str
    delivery_id: str = Field(foreign_key="delivery.id")
    lease_token: int
    number: int
    retry: int
    agent: str
    webhook_id: str
    event_id: str
    trigger: str
    outcome: str
    failed: bool
    scheduled_at: datetime
    started_at: datetime
    ended_at: datetime
    duration_ms: int
    url: str
    request_head: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    signature: str
    status: int | None
    error_class: str | None
    error_detail: str | None
    response_head: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    response_body: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    response_size: int | None
    truncated: str | None
    fault: str | None


class AlertRow(Table, table=True):
    """A rule on an agent's failed attempts; `window_s` in seconds."""

    __tablename__ = "alert"
    __table_args__ = (CheckConstraint(_one_of("state", "ok", "firing"), name="alert_state"),)

    id: str = Field(primary_key=True)
    agent: str
    metric: str
    threshold: int
    window_s: float
    notify_url: str | None
    state: str
    created_at: datetime


class AlertEventRow(Table, table=True):
    """An alert fired or cleared. It outlives its alert."""

    __tablename__ = "alert_event"

    id: str = Field(primary_key=True)
    alert_id: str = Field(index=True)
    state: str
    count: int
    at: datetime


class ReplayRow(Table, table=True):
    """A replay of many deliveries: what was asked for, and where it stands. `wanted` is the filter as JSON, for people.

    `judged_after` is the number of the item after which failures in a row are counted: all before it were accepted.
    """

    __tablename__ = "replay"
    __table_args__ = (CheckConstraint(_one_of("state", "running", "paused", "stopped", "done"), name="replay_state"),)

    id: str = Field(primary_key=True)
    state: str
    reason: str | None
    wanted: str
    rate: float
    canary: int
    stop_after: int | None
    with_retries: bool
    to_webhook: str | None
    total: int
    judged_after: int
    created_at: datetime
    ended_at: datetime | None


class ReplayItemRow(Table, table=True):
    """One delivery of a replay, by its turn; `new_id` is the delivery made for it, `skipped` why none was."""

    __tablename__ = "replay_item"
    __table_args__ = (
        UniqueConstraint("replay_id", "delivery_id", name="replay_item_once"),
        Index(
            "replay_item_left",
            "replay_id",
            "number",
            sqlite_where=text("new_id IS NULL AND skipped IS NULL"),
            postgresql_where=text("new_id IS NULL AND skipped IS NULL"),
        ),
        {"sqlite_with_rowid": False},
    )

    replay_id: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    delivery_id: str
    was_delivered: bool
    new_id: str | None
    skipped: str | None


class ClockRow(Table, table=True):
    """How the engine's clock stood; one row. `rate` 0 is the manual clock, `lead_s` its lead on the wall clock."""

    __tablename__ = "clock"
    __table_args__ = (CheckConstraint("id = 1", name="clock_is_one"),)

    id: int = Field(primary_key=True)
    rate: float
    at: datetime
    lead_s: float


class CounterRow(Table, table=True):
    """Numbers given out: `webhook` begins at 123, so that the page's commands can be pasted as they are (decision D13)."""

    __tablename__ = "counter"

    name: str = Field(primary_key=True)
    next: int


class KeyCheckRow(Table, table=True):
    """A value sealed with the key, by which a wrong key is noticed before anything is read; one row."""

    __tablename__ = "key_check"

    id: int = Field(primary_key=True)
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


FIRST_NUMBERS: Final = {"webhook": 123, "alert": 1, "replay": 1}
METADATA: Final = Table.metadata
