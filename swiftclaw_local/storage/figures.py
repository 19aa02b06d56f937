"""Counts and percentiles over the log."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.engine import Connection

from swiftclaw_local.storage.filters import states
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
    number = connection.execute(
        select(
            func.count().filter(_delivery.c.state == State.SUCCEEDED.value).label("delivered"),
            func.count().filter(_delivery.c.state == State.DEAD.value).label("failed"),
            func.count().filter(_delivery.c.state == State.PENDING.value, _delivery.c.attempts > 0).label("retrying"),
        ).where(mine)
    ).one()
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
        delivered=number.delivered,
        failed=number.failed,
        retrying=number.retrying,
        p50_ms=_percentile(durations, 50),
        p95_ms=_percentile(durations, 95),
        last_attempt_at=last.last_attempt_at if last else None,
        last_status=last.last_status if last else None,
        last_error_class=last.last_error_class if last else None,
    )


def counts(connection: Connection) -> dict[str, int]:
    """Return how many of everything there are."""
    by_state = _count_by_state(connection)
    retrying = _count(connection, *states((State.PENDING,)), _delivery.c.attempts > 0)
    by_name = {state.value: number for state, number in by_state.items()}
    by_name |= {"retrying": retrying, State.PENDING.value: by_state[State.PENDING] - retrying}
    return {
        "webhooks": connection.execute(select(func.count()).where(_webhook.c.deleted_at.is_(None))).scalar_one(),
        "events": connection.execute(select(func.count()).select_from(_event)).scalar_one(),
        "attempts": connection.execute(select(func.count()).select_from(_attempt)).scalar_one(),
    } | {f"deliveries_{name}": number for name, number in by_name.items() if number}


def _count_by_state(connection: Connection) -> dict[State, int]:
    """Return how many deliveries there are in each state. Those that succeeded are what is left: millions need no reading."""
    found = {state: _count(connection, *states((state,))) for state in State if state is not State.SUCCEEDED}
    return found | {State.SUCCEEDED: _count(connection) - sum(found.values())}


def _count(connection: Connection, *conditions: ColumnElement[bool]) -> int:
    return int(connection.execute(select(func.count()).select_from(_delivery).where(*conditions)).scalar_one())


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
