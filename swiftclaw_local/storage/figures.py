"""Counts and percentiles over the log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import CTE, ColumnElement, Integer, Row, Select, and_, column, func, literal, select, union_all, values
from sqlalchemy.engine import Connection

from swiftclaw_local.storage.filters import states
from swiftclaw_local.storage.records import Stats, StatsPoint, WebhookStats
from swiftclaw_local.storage.states import State
from swiftclaw_local.storage.tables import METADATA

_webhook: Final = METADATA.tables["webhook"]
_event: Final = METADATA.tables["event"]
_delivery: Final = METADATA.tables["delivery"]
_attempt: Final = METADATA.tables["attempt"]

_NEWEST_FOR_PERCENTILES: Final = 1000
_COUNTS: Final = ("sent", "delivered", "failed")
_WHOLE: Final = -1  # stands for all steps where their numbers stand


def webhook_stats(connection: Connection, webhook_id: str) -> WebhookStats:
    """Return the counts of a webhook's deliveries, percentiles over its newest 1,000, and its newest attempt."""
    mine = _delivery.c.webhook_id == webhook_id
    by_state = _count_by_state(connection, mine)
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
        delivered=by_state[State.SUCCEEDED],
        failed=by_state[State.DEAD],
        retrying=_count(connection, *states((State.PENDING,)), mine, _delivery.c.attempts > 0),
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


def _count_by_state(connection: Connection, *those: ColumnElement[bool]) -> dict[State, int]:
    """Return how many deliveries there are in each state. Those that succeeded are what is left: millions need no reading."""
    found = {state: _count(connection, *states((state,)), *those) for state in State if state is not State.SUCCEEDED}
    return found | {State.SUCCEEDED: _count(connection, *those) - sum(found.values())}


def _count(connection: Connection, *conditions: ColumnElement[bool]) -> int:
    return int(connection.execute(select(func.count()).select_from(_delivery).where(*conditions)).scalar_one())


def stats(
    connection: Connection, *, since: datetime, until: datetime, step: timedelta, webhook_id: str | None = None
) -> Stats:
    """Return the attempts that ended in [since, until), step by step, and all of them."""
    steps = _steps(since, until, step)
    counted = _counted(steps, *(() if webhook_id is None else (_attempt.c.webhook_id == webhook_id,)))
    whole = select(literal(_WHOLE), counted.c.duration_ms, *(func.sum(counted.c[name]) for name in _COUNTS))
    every = union_all(select(counted), whole.group_by(counted.c.duration_ms)).cte("every")
    found = {row.number: row for row in connection.execute(_summed(every))}
    return Stats([_point(begins, found.get(number)) for number, begins, _ in steps], _point(since, found.get(_WHOLE)))


def stats_by_webhook(
    connection: Connection, webhook_ids: Sequence[str], *, since: datetime, until: datetime, step: timedelta
) -> dict[str, list[StatsPoint]]:
    """Return the attempts of each of these webhooks that ended in [since, until), step by step."""
    steps = _steps(since, until, step)
    mine = _attempt.c.webhook_id.in_(webhook_ids)
    rows = connection.execute(_summed(_counted(steps, mine, by=(_attempt.c.webhook_id,)), by=("webhook_id",)))
    found = {(row.webhook_id, row.number): row for row in rows}
    return {name: [_point(begins, found.get((name, number))) for number, begins, _ in steps] for name in webhook_ids}


def _steps(since: datetime, until: datetime, step: timedelta) -> list[tuple[int, datetime, datetime]]:
    """Return (number, from, up to) of each step; the last one may be shorter."""
    begins = [since + number * step for number in range(-(-(until - since) // step))]
    return [(number, at, min(at + step, until)) for number, at in enumerate(begins)]


def _counted(
    steps: Sequence[tuple[int, datetime, datetime]],
    *those: ColumnElement[bool],
    by: tuple[ColumnElement[Any], ...] = (),
) -> CTE:
    """Return how many attempts of each duration ended in each step: counted where they lie, as every row costs more than all its counts.

    The steps come as rows, so that both databases compare times as they keep them; arithmetic on each row's time took half as long again.
    """
    ended = _attempt.c.ended_at
    span = values(column("number", Integer), column("begins", ended.type), column("ends", ended.type), name="step")
    given = span.data(list(steps)).cte("step")
    keys = (*by, given.c.number, _attempt.c.duration_ms)
    outcome = _attempt.c.outcome
    return (
        select(
            *keys,
            func.count().label("sent"),
            func.count().filter(outcome == "succeeded").label("delivered"),
            func.count().filter(outcome.in_(("retry", "dead"))).label("failed"),
        )
        .select_from(given.join(_attempt, and_(ended >= given.c.begins, ended < given.c.ends)))
        .where(*those)
        .group_by(*keys)
        .cte("counted")
        .prefix_with("MATERIALIZED")  # it is read twice
    )


def _summed(counted: CTE, *, by: tuple[str, ...] = ()) -> Select[Any]:
    """Return the sums of each step, with the duration that a share of its attempts does not reach (nearest rank)."""
    keys = [counted.c[name] for name in (*by, "number")]
    upto = func.sum(counted.c.sent).over(partition_by=keys, order_by=counted.c.duration_ms)
    ranked = select(
        counted, upto.label("upto"), func.sum(counted.c.sent).over(partition_by=keys).label("whole")
    ).subquery()
    names = [ranked.c[name] for name in (*by, "number")]
    below = {
        percent: func.min(ranked.c.duration_ms).filter(ranked.c.upto * 100 > ranked.c.whole * percent)
        for percent in (50, 95)
    }
    return select(
        *names,
        *(func.sum(ranked.c[name]).label(name) for name in _COUNTS),
        below[50].label("p50_ms"),
        below[95].label("p95_ms"),
    ).group_by(*names)


def _point(at: datetime, row: Row[Any] | None) -> StatsPoint:
    if row is None:
        return StatsPoint(at, 0, 0, 0, None, None)
    return StatsPoint(at, int(row.sent), int(row.delivered), int(row.failed), row.p50_ms, row.p95_ms)


def _percentile(values: list[int], percent: int) -> int | None:
    if not values:
        return None
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]
