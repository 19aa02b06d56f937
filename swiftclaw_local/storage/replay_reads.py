"""Reading replays of many deliveries: what one would send, how one stands, and what became of its deliveries."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, and_, case, func, not_, or_, select
from sqlalchemy.engine import Connection

from swiftclaw_local.storage import filters
from swiftclaw_local.storage.reads import Order, Which
from swiftclaw_local.storage.records import DeliveryFilter
from swiftclaw_local.storage.replay_records import (
    MOST_ITEMS,
    Replay,
    Replayable,
    ReplayCounts,
    ReplayItem,
    ReplayWish,
)
from swiftclaw_local.storage.states import ENDED, State
from swiftclaw_local.storage.tables import METADATA

_event: Final = METADATA.tables["event"]
_delivery: Final = METADATA.tables["delivery"]
_replay: Final = METADATA.tables["replay"]
_item: Final = METADATA.tables["replay_item"]


def replayable(
    connection: Connection, wanted: DeliveryFilter, *, ids: tuple[str, ...] | None, order: Order
) -> list[Replayable]:
    """Return what a replay of these would send: one delivery, the newest, for each event and webhook; in order."""
    found = (
        select(
            _delivery.c.id,
            _delivery.c.event_id,
            _delivery.c.event_type,
            _delivery.c.webhook_id,
            _delivery.c.state,
            _event.c.created_at,
            _delivery.c.last_attempt_at,
        )
        .join(_event, _event.c.id == _delivery.c.event_id)
        .where(*filters.conditions(wanted))
        .order_by(_delivery.c.id.desc())
        .limit(MOST_ITEMS + 1)
    )
    found = found.where(_attempted()) if ids is None else found.where(_delivery.c.id.in_(ids))
    newest: dict[tuple[str, str], Replayable] = {}
    for row in connection.execute(found):
        newest.setdefault((row.event_id, row.webhook_id), _replayable(row))
    return sorted(newest.values(), key=_by_event if order == "event" else _by_failure)


def one(connection: Connection, replay_id: str) -> Replay | None:
    """Return a replay."""
    row = connection.execute(select(_replay).where(_replay.c.id == replay_id)).first()
    return None if row is None else _to_replay(row)


def newest(connection: Connection, *, limit: int, running: bool) -> list[Replay]:
    """Return replays, the newest first; or those that run."""
    found = select(_replay).order_by(func.length(_replay.c.id).desc(), _replay.c.id.desc()).limit(limit)
    if running:
        found = found.where(_replay.c.state == "running")
    return [_to_replay(row) for row in connection.execute(found)]


def counts(connection: Connection, replay_id: str) -> ReplayCounts:
    """Return what became of a replay's deliveries."""
    delivered = _delivery.c.state == State.SUCCEEDED.value
    canceled = _delivery.c.state == State.CANCELED.value
    failed = and_(_is_decided(), not_(delivered), not_(canceled))
    was = _item.c.was_delivered
    made = _item.c.new_id.is_not(None)
    told = {
        "fixed": and_(delivered, not_(was)),
        "still_failing": and_(failed, not_(was)),
        "regressed": and_(failed, was),
        "still_ok": and_(delivered, was),
        "skipped": or_(_item.c.skipped.is_not(None), canceled, and_(made, _delivery.c.id.is_(None))),
        "sending": and_(made, _delivery.c.id.is_not(None), not_(_is_decided())),
        "left": and_(not_(made), _item.c.skipped.is_(None)),
    }
    sums = [func.coalesce(func.sum(case((condition, 1), else_=0)), 0).label(name) for name, condition in told.items()]
    row = connection.execute(_joined(*sums).where(_item.c.replay_id == replay_id)).one()
    return ReplayCounts(**{str(name): int(number) for name, number in row._mapping.items()})


def items(connection: Connection, replay_id: str, *, which: Which, limit: int, canary: int) -> list[ReplayItem]:
    """Return items by their turn: the canaries, those that did not get through or were skipped, or those under way."""
    conditions: dict[Which, ColumnElement[bool]] = {
        "canary": _item.c.number <= canary,
        "bad": or_(_item.c.skipped.is_not(None), and_(_is_decided(), _delivery.c.state != State.SUCCEEDED.value)),
        "open": and_(_item.c.new_id.is_not(None), _delivery.c.id.is_not(None), not_(_is_decided())),
    }
    found = _items_of(replay_id).where(conditions[which]).order_by(_item.c.number).limit(limit)
    return [_to_item(row) for row in connection.execute(found)]


def these(connection: Connection, replay_id: str, numbers: tuple[int, ...]) -> list[ReplayItem]:
    """Return items by their numbers."""
    found = _items_of(replay_id).where(_item.c.number.in_(numbers)).order_by(_item.c.number)
    return [_to_item(row) for row in connection.execute(found)]


def _items_of(replay_id: str) -> Select[Any]:
    return _joined(
        _item.c.number,
        _item.c.delivery_id,
        _item.c.was_delivered,
        _item.c.new_id,
        _item.c.skipped,
        _delivery.c.state,
        _delivery.c.attempts,
        _delivery.c.last_status,
        _delivery.c.last_error_class,
        _delivery.c.last_duration_ms,
    ).where(_item.c.replay_id == replay_id)


def _joined(*columns: Any) -> Select[Any]:
    joined = _item.outerjoin(_delivery, _delivery.c.id == _item.c.new_id)
    return select(*columns).select_from(joined)


def _attempted() -> ColumnElement[bool]:
    """What has not been tried has not failed; what was canceled was given up on purpose."""
    return and_(_delivery.c.attempts > 0, _delivery.c.state != State.CANCELED.value)


def _is_decided() -> ColumnElement[bool]:
    """See `ReplayItem.decided`; false, never null, where there is no delivery."""
    ended = _delivery.c.state.in_([state.value for state in sorted(ENDED)])
    tried = and_(_delivery.c.attempts > 0, _delivery.c.state != State.IN_FLIGHT.value)
    return case((or_(ended, tried), True), else_=False)


def _replayable(row: Any) -> Replayable:
    state = State(row.state)
    return Replayable(row.id, row.event_id, row.event_type, row.webhook_id, state, row.created_at, row.last_attempt_at)


def _by_event(one: Replayable) -> tuple[Any, ...]:
    return (one.created_at, one.delivery_id)


def _by_failure(one: Replayable) -> tuple[Any, ...]:
    return (one.last_attempt_at or one.created_at, one.delivery_id)


def _to_replay(row: Row[Any]) -> Replay:
    wish = ReplayWish(row.wanted, row.rate, row.canary, row.stop_after, bool(row.with_retries), row.to_webhook)
    return Replay(row.id, row.state, row.reason, wish, row.total, row.judged_after, row.created_at, row.ended_at)


def _to_item(row: Row[Any]) -> ReplayItem:
    return ReplayItem(
        row.number,
        row.delivery_id,
        bool(row.was_delivered),
        row.new_id,
        row.skipped,
        None if row.state is None else State(row.state),
        row.attempts or 0,
        row.last_status,
        row.last_error_class,
        row.last_duration_ms,
    )
