"""Counts and percentiles over the log."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import sqlalchemy
from sqlalchemy import Row, and_, case, func, select
from sqlalchemy.engine import Connection

from swiftclaw_local.storage.records import StatsPoint, WebhookStats
from swiftclaw_local.storage.states import State
from swiftclaw_local.storage.tables import METADATA

_webhook: Final = METADATA.tables["webhook"]
_event: Final = METADATA.tables["event"]
_delivery: Final = METADATA.tables["delivery"]
_attempt: Final = METADATA.tables["attempt"]

_NEWEST_FOR_PERCENTILES: Final = 1000


def webhook_stats(connection: Connection, webhook_id: str) -> WebhookStats:
    """Return the counts of a webhook's deliveries, percentiles over its newest 1,000, and its newest attempt."""
    mine = _delivery.c.webhook_id == webhook_id
    by_state = {
        row.state: row.number
        for row in connection.execute(
            select(_delivery.c.state, func.count().label("number")).where(mine).group_by(_delivery.c.state)
        )
    }
    retrying = connection.execute(
        select(func.count()).where(
            mine, _delivery.c.state == sqlalchemy.literal_column("'pending'"), _delivery.c.attempts > 0
        )
    ).scalar_one()
    newest = connection.execute(
        select(
            _delivery.c.last_attempt_at,
            _delivery.c.last_status,
            _delivery.c.last_error_class,
            _delivery.c.last_duration_ms,
        )
        .where(mine, _delivery.c.last_attempt_at.is_not(None))
        .order_by(_delivery.c.id.desc())
        .limit(_NEWEST_FOR_PERCENTILES)
    ).all()
    last = max(newest, key=lambda row: row.last_attempt_at, default=None)
    durations = [row.last_duration_ms for row in newest if row.last_duration_ms is not None]
    return WebhookStats(
        delivered=by_state.get(State.SUCCEEDED.value, 0),
        failed=by_state.get(State.DEAD.value, 0),
        retrying=retrying,
        p50_ms=_percentile(durations, 50),
        p95_ms=_percentile(durations, 95),
        last_attempt_at=last.last_attempt_at if last else None,
        last_status=last.last_status if last else None,
        last_error_class=last.last_error_class if last else None,
    )


def counts(connection: Connection) -> dict[str, int]:
    """Return how many of everything there are."""
    live = select(func.count()).where(_webhook.c.deleted_at.is_(None))
    retrying = case(
        (and_(_delivery.c.state == "pending", _delivery.c.attempts > 0), "retrying"), else_=_delivery.c.state
    )
    by_state = select(retrying, func.count()).group_by(retrying)
    counts = {
        "webhooks": connection.execute(live).scalar_one(),
        "events": connection.execute(select(func.count()).select_from(_event)).scalar_one(),
        "attempts": connection.execute(select(func.count()).select_from(_attempt)).scalar_one(),
    }
    return counts | {f"deliveries_{row[0]}": row[1] for row in connection.execute(by_state)}


def point(at: datetime, rows: list[Row[Any]]) -> StatsPoint:
    """Return what the attempts of one step come to."""
    durations = [row.duration_ms for row in rows]
    delivered = sum(row.outcome == "succeeded" for row in rows)
    failed = sum(row.outcome in ("retry", "dead") for row in rows)
    return StatsPoint(at, len(rows), delivered, failed, _percentile(durations, 50), _percentile(durations, 95))


def _percentile(values: list[int], percent: int) -> int | None:
    if not values:
        return None
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]
