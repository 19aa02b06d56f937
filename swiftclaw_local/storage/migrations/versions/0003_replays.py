"""Replays of many deliveries are kept, with the turn of each delivery and what was made of it."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_TEXT: Final = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_TIME: Final = sa.DateTime(timezone=True)
_STATES: Final = "state = 'running' OR state = 'paused' OR state = 'stopped' OR state = 'done'"
_LEFT: Final = sa.text("new_id IS NULL AND skipped IS NULL")


def upgrade() -> None:
    """Make the two tables, and begin to count replays."""
    op.create_table(
        "replay",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("reason", _TEXT, nullable=True),
        sa.Column("wanted", _TEXT, nullable=False),
        sa.Column("rate", sa.Float(), nullable=False),
        sa.Column("canary", sa.Integer(), nullable=False),
        sa.Column("stop_after", sa.Integer(), nullable=True),
        sa.Column("with_retries", sa.Boolean(), nullable=False),
        sa.Column("to_webhook", _TEXT, nullable=True),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("judged_after", sa.Integer(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint(_STATES, name="replay_state"),
    )
    op.create_table(
        "replay_item",
        sa.Column("replay_id", _TEXT, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("delivery_id", _TEXT, nullable=False),
        sa.Column("was_delivered", sa.Boolean(), nullable=False),
        sa.Column("new_id", _TEXT, nullable=True),
        sa.Column("skipped", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("replay_id", "number"),
        sa.UniqueConstraint("replay_id", "delivery_id", name="replay_item_once"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "replay_item_left", "replay_item", ["replay_id", "number"], sqlite_where=_LEFT, postgresql_where=_LEFT
    )
    op.execute("INSERT INTO counter (name, next) VALUES ('replay', 1)")
