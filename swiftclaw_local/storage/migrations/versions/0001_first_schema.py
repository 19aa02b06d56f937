"""The first schema: every table and view, and the numbers that counters begin with."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# Ordered by bytes, as SQLite does: cursors and ranges of ids must not depend on the server's language.
_TEXT: Final = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_SEQ: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME: Final = sa.DateTime(timezone=True)

_DELIVERY_LOG: Final = """
        SELECT a.id AS attempt_id, a.delivery_id, a.event_id, d.event_type, a.agent, a.webhook_id, a.trigger,
               a.number AS attempt, a.retry, a.scheduled_at, a.started_at, a.ended_at, a.duration_ms, a.url,
               a.status, a.error_class, a.error_detail, a.outcome, a.signature, a.response_body,
               a.response_size, a.truncated, d.state AS delivery_state, d.reason AS delivery_reason
        FROM attempt a JOIN delivery d ON d.id = a.delivery_id
"""

_UNRESOLVED: Final = """
        SELECT d.event_id, d.webhook_id, d.event_type, d.agent, count(*) AS deliveries, sum(d.attempts) AS attempts,
               min(d.created_at) AS first_created_at, max(d.last_attempt_at) AS last_attempt_at,
               max(CASE WHEN d.ended_at IS NULL THEN 1 ELSE 0 END) AS still_trying
        FROM delivery d
        WHERE d.trigger <> 'test' AND d.state <> 'canceled'
        GROUP BY d.event_id, d.webhook_id, d.event_type, d.agent
        HAVING max(CASE WHEN d.state = 'succeeded' THEN 1 ELSE 0 END) = 0
"""


def upgrade() -> None:
    """Make the schema in an empty database."""
    _create_webhook()
    _create_event()
    _create_delivery()
    _create_attempt()
    _create_alert()
    _create_alert_event()
    _create_clock()
    _create_counter()
    _create_key_check()
    if op.get_bind().dialect.name == "postgresql":
        _add_leases()
    for name, select in (("delivery_log", _DELIVERY_LOG), ("unresolved", _UNRESOLVED)):
        op.execute(f"CREATE VIEW {name} AS {' '.join(select.split())}")
    op.execute("INSERT INTO counter (name, next) VALUES ('webhook', 123), ('alert', 1)")


def _create_webhook() -> None:
    op.create_table(
        "webhook",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("agent", _TEXT, nullable=False),
        sa.Column("url", _TEXT, nullable=False),
        sa.Column("events", _TEXT, nullable=False),
        sa.Column("secret_box", sa.LargeBinary(), nullable=False),
        sa.Column("description", _TEXT, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("deleted_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_webhook_agent", "webhook", ["agent"])


def _create_event() -> None:
    op.create_table(
        "event",
        sa.Column("seq", _SEQ, nullable=False),
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("type", _TEXT, nullable=False),
        sa.Column("agent", _TEXT, nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("accepted_at", _TIME, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("id", name="event_id_once"),
    )
    op.create_index("event_by_agent", "event", ["agent", "seq"])


def _create_delivery() -> None:
    op.create_table(
        "delivery",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("event_id", _TEXT, nullable=False),
        sa.Column("event_type", _TEXT, nullable=False),
        sa.Column("agent", _TEXT, nullable=False),
        sa.Column("webhook_id", _TEXT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("trigger", _TEXT, nullable=False),
        sa.Column("scheduled", sa.Boolean(), nullable=False),
        sa.Column("replay_of", _TEXT, nullable=True),
        sa.Column("body_size", sa.Integer(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.Column("reason", _TEXT, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("retries_used", sa.Integer(), nullable=False),
        sa.Column("interruptions", sa.Integer(), nullable=False),
        sa.Column("lease_token", sa.Integer(), nullable=False),
        sa.Column("claimed_at", _TIME, nullable=True),
        sa.Column("last_attempt_at", _TIME, nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error_class", _TEXT, nullable=True),
        sa.Column("last_duration_ms", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint(
            "state = 'pending' OR state = 'in_flight' OR state = 'succeeded' OR state = 'dead' OR state = 'canceled'",
            name="delivery_state",
        ),
        sa.CheckConstraint("trigger = 'event' OR trigger = 'test' OR trigger = 'replay'", name="delivery_trigger"),
        sa.CheckConstraint(
            "(state = 'canceled' OR state = 'dead' OR state = 'succeeded') = (ended_at IS NOT NULL)",
            name="delivery_ended",
        ),
        sa.CheckConstraint("(state = 'dead' OR state = 'canceled') = (reason IS NOT NULL)", name="delivery_reason"),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"]),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook.id"]),
        sqlite_with_rowid=False,
    )
    op.create_index("delivery_by_event", "delivery", ["event_id", "webhook_id"])
    op.create_index("delivery_by_webhook", "delivery", ["webhook_id", "id"])
    op.create_index(
        "delivery_dead",
        "delivery",
        ["webhook_id", "id"],
        sqlite_where=sa.text("state = 'dead'"),
        postgresql_where=sa.text("state = 'dead'"),
    )
    op.create_index(
        "delivery_due",
        "delivery",
        ["webhook_id", "due_at", "id"],
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "delivery_not_succeeded",
        "delivery",
        ["state", "id"],
        sqlite_where=sa.text("state <> 'succeeded'"),
        postgresql_where=sa.text("state <> 'succeeded'"),
    )
    op.create_index(
        "delivery_one_open_replay",
        "delivery",
        ["replay_of"],
        unique=True,
        sqlite_where=sa.text("replay_of IS NOT NULL AND ended_at IS NULL"),
        postgresql_where=sa.text("replay_of IS NOT NULL AND ended_at IS NULL"),
    )


def _add_leases() -> None:
    """Add what many dispatchers need, and SQLite's single engine does not."""
    op.add_column("delivery", sa.Column("lease_owner", _TEXT, nullable=True))
    op.add_column("delivery", sa.Column("leased_until", _TIME, nullable=True))
    op.create_index("delivery_leased", "delivery", ["leased_until"], postgresql_where=sa.text("state = 'in_flight'"))
    op.execute("INSERT INTO counter (name, next) VALUES ('webhook_changes', 0)")


def _create_attempt() -> None:
    op.create_table(
        "attempt",
        sa.Column("seq", _SEQ, nullable=False),
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("delivery_id", _TEXT, nullable=False),
        sa.Column("lease_token", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("retry", sa.Integer(), nullable=False),
        sa.Column("agent", _TEXT, nullable=False),
        sa.Column("webhook_id", _TEXT, nullable=False),
        sa.Column("event_id", _TEXT, nullable=False),
        sa.Column("trigger", _TEXT, nullable=False),
        sa.Column("outcome", _TEXT, nullable=False),
        sa.Column("failed", sa.Boolean(), nullable=False),
        sa.Column("scheduled_at", _TIME, nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME, nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("url", _TEXT, nullable=False),
        sa.Column("request_head", sa.LargeBinary(), nullable=False),
        sa.Column("signature", _TEXT, nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error_class", _TEXT, nullable=True),
        sa.Column("error_detail", _TEXT, nullable=True),
        sa.Column("response_head", sa.LargeBinary(), nullable=True),
        sa.Column("response_body", sa.LargeBinary(), nullable=True),
        sa.Column("response_size", sa.Integer(), nullable=True),
        sa.Column("truncated", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("seq"),
        sa.CheckConstraint(
            "outcome = 'succeeded' OR outcome = 'retry' OR outcome = 'dead' OR outcome = 'again'"
            " OR outcome = 'interrupted' OR outcome = 'superseded'",
            name="attempt_outcome",
        ),
        sa.UniqueConstraint("delivery_id", "lease_token", name="attempt_once"),
        sa.UniqueConstraint("id", name="attempt_id_once"),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"]),
    )
    op.create_index("attempt_by_time", "attempt", ["ended_at"])
    op.create_index(
        "attempt_failed",
        "attempt",
        ["agent", "ended_at"],
        sqlite_where=sa.text("failed = 1"),
        postgresql_where=sa.text("failed"),
    )


def _create_alert() -> None:
    op.create_table(
        "alert",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("agent", _TEXT, nullable=False),
        sa.Column("metric", _TEXT, nullable=False),
        sa.Column("threshold", sa.Integer(), nullable=False),
        sa.Column("window_s", sa.Float(), nullable=False),
        sa.Column("notify_url", _TEXT, nullable=True),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("state = 'ok' OR state = 'firing'", name="alert_state"),
    )


def _create_alert_event() -> None:
    op.create_table(
        "alert_event",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("alert_id", _TEXT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_alert_event_alert_id", "alert_event", ["alert_id"])


def _create_clock() -> None:
    op.create_table(
        "clock",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rate", sa.Float(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("lead_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("id = 1", name="clock_is_one"),
    )


def _create_counter() -> None:
    op.create_table(
        "counter",
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("next", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _create_key_check() -> None:
    op.create_table(
        "key_check",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
