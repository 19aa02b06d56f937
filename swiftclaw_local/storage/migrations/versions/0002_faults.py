"""Attempts tell which fault was applied to them; the view of the log shows it."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TEXT: Final = sa.String().with_variant(sa.String(collation="C"), "postgresql")

_DELIVERY_LOG: Final = """
        SELECT a.id AS attempt_id, a.delivery_id, a.event_id, d.event_type, a.agent, a.webhook_id, a.trigger,
               a.number AS attempt, a.retry, a.scheduled_at, a.started_at, a.ended_at, a.duration_ms, a.url,
               a.status, a.error_class, a.error_detail, a.outcome, a.signature, a.response_body,
               a.response_size, a.truncated, d.state AS delivery_state, d.reason AS delivery_reason, a.fault
        FROM attempt a JOIN delivery d ON d.id = a.delivery_id
"""


def upgrade() -> None:
    """Add the column, which writes no row, and make the view anew with it."""
    op.execute("DROP VIEW delivery_log")
    op.add_column("attempt", sa.Column("fault", _TEXT, nullable=True))
    op.execute(f"CREATE VIEW delivery_log AS {' '.join(_DELIVERY_LOG.split())}")
