"""What people ask for, as functions of the connection: webhooks, replays, alerts, the clock, reset. Off the hot path.

Each checks before it writes, so that one that raises has changed nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from swiftclaw_local.errors import (
    DeliveryEnded,
    DeliveryInFlight,
    DeliveryPending,
    ReplayOpen,
    UnknownAlert,
    UnknownDelivery,
    UnknownWebhook,
    WebhookDeleted,
)
from swiftclaw_local.storage import statements as sql
from swiftclaw_local.storage.records import Alert, AlertEvent, KeptClock, Webhook, WebhookChange
from swiftclaw_local.storage.secretbox import SecretBox
from swiftclaw_local.storage.statements import from_text, to_text
from swiftclaw_local.storage.states import ENDED, State
from swiftclaw_local.storage.tables import FIRST_NUMBERS


class Connection(Protocol):
    """A connection of either database, spoken to as SQLite's is: `?` for values, times as text."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Any: ...


_CANCEL: Final = "UPDATE delivery SET state = 'canceled', reason = ?, ended_at = ? WHERE state = 'pending' AND "


def add_webhook(connection: Connection, *, webhook: Webhook, secret: str, box: SecretBox) -> Webhook:
    """See `Store.add_webhook`."""
    webhook_id = f"webhook-{next_number(connection, 'webhook')}"
    row = (
        webhook_id,
        webhook.agent,
        webhook.url,
        json.dumps(webhook.events),
        box.seal(secret.encode(), owner=webhook_id),
        webhook.description,
        webhook.enabled,
        to_text(webhook.created_at),
        None,
    )
    connection.execute(sql.INSERT_WEBHOOK, row)
    return _webhook(connection, webhook_id)


def change_webhook(connection: Connection, *, webhook_id: str, change: WebhookChange, box: SecretBox) -> Webhook:
    """See `Store.change_webhook`."""
    _webhook(connection, webhook_id)
    values: dict[str, Any] = {
        "url": change.url,
        "events": None if change.events is None else json.dumps(change.events),
        "secret_box": None if change.secret is None else box.seal(change.secret.encode(), owner=webhook_id),
        "description": change.description,
        "enabled": change.enabled,
    }
    for column, value in values.items():
        if value is not None:
            connection.execute(f"UPDATE webhook SET {column} = ? WHERE id = ?", (value, webhook_id))  # noqa: S608 - columns named above
    return _webhook(connection, webhook_id)


def remove_webhook(connection: Connection, *, webhook_id: str, now: datetime) -> int:
    """See `Store.remove_webhook`."""
    _webhook(connection, webhook_id)
    connection.execute("UPDATE webhook SET deleted_at = ? WHERE id = ?", (to_text(now), webhook_id))
    return int(connection.execute(f"{_CANCEL} webhook_id = ?", ("webhook_deleted", to_text(now), webhook_id)).rowcount)


def replay(
    connection: Connection,
    *,
    delivery_id: str,
    new_id: str,
    now: datetime,
    scheduled: bool,
    to_webhook: str | None = None,
) -> str:
    """See `Store.replay`."""
    state = _state(connection, delivery_id)
    if state not in ENDED:
        raise DeliveryPending(
            f"{delivery_id} has not ended: its next attempt is still to come.",
            hint=f"Send that attempt now: swiftclaw deliveries replay {delivery_id} --now",
        )
    live = connection.execute(
        "SELECT w.id FROM delivery d JOIN webhook w ON w.id = COALESCE(CAST(? AS TEXT), d.webhook_id)"
        " WHERE d.id = ? AND w.deleted_at IS NULL",
        (to_webhook, delivery_id),
    ).fetchone()
    if live is None:
        whose = f"The webhook of {delivery_id}" if to_webhook is None else to_webhook
        raise WebhookDeleted(f"{whose} was deleted; there is nowhere to send it.")
    _check_not_replayed(connection, delivery_id)
    if not insert_replay(connection, delivery_id, new_id=new_id, now=now, scheduled=scheduled, to_webhook=to_webhook):
        # another dispatcher was faster, after we looked
        _check_not_replayed(connection, delivery_id)
        raise ReplayOpen(f"{delivery_id} was being replayed at this moment.")
    return new_id


def insert_replay(
    connection: Connection,
    delivery_id: str,
    *,
    new_id: str,
    now: datetime,
    scheduled: bool,
    to_webhook: str | None = None,
) -> bool:
    """Add a new pending delivery of the same event, to the same webhook or another; False when a replay of it is open."""
    written = to_text(now)
    event_id, event_type, agent, webhook_id, body_size = connection.execute(
        "SELECT event_id, event_type, agent, webhook_id, body_size FROM delivery WHERE id = ?", (delivery_id,)
    ).fetchone()
    of = (event_id, event_type, agent, to_webhook or webhook_id, body_size)
    inserted = connection.execute(
        "INSERT INTO delivery (id, event_id, event_type, agent, webhook_id, body_size, state, trigger, scheduled, replay_of,"
        " created_at, due_at, attempts, retries_used, interruptions, lease_token)"
        " VALUES (?, ?, ?, ?, ?, ?, 'pending', 'replay', ?, ?, ?, ?, 0, 0, 0, 0)"
        " ON CONFLICT (replay_of) WHERE replay_of IS NOT NULL AND ended_at IS NULL DO NOTHING",
        (new_id, *of, scheduled, delivery_id, written, written),
    )
    return bool(inserted.rowcount)


def _check_not_replayed(connection: Connection, delivery_id: str) -> None:
    """Raises: ReplayOpen when a replay of a delivery has not ended."""
    open_replay = connection.execute(
        "SELECT id FROM delivery WHERE replay_of = ? AND ended_at IS NULL", (delivery_id,)
    ).fetchone()
    if open_replay is not None:
        raise ReplayOpen(
            f"{delivery_id} is being replayed already: {open_replay[0]}.", extra={"replay": open_replay[0]}
        )


def bring_forward(connection: Connection, *, delivery_id: str, now: datetime) -> None:
    """See `Store.bring_forward`."""
    _check_pending(connection, delivery_id)
    connection.execute(
        "UPDATE delivery SET due_at = ? WHERE id = ? AND state = 'pending' AND due_at > ?",
        (to_text(now), delivery_id, to_text(now)),
    )


def cancel(connection: Connection, *, delivery_id: str, now: datetime) -> None:
    """See `Store.cancel`."""
    _check_pending(connection, delivery_id)
    canceled = connection.execute(f"{_CANCEL} id = ?", ("canceled", to_text(now), delivery_id))
    if canceled.rowcount == 0:  # another dispatcher claimed it after we looked
        _check_pending(connection, delivery_id)
        raise _in_flight(delivery_id)


def add_alert(connection: Connection, *, alert: Alert) -> Alert:
    """See `Store.add_alert`."""
    alert_id = f"alert-{next_number(connection, 'alert')}"
    seconds = alert.window.total_seconds()
    connection.execute(
        "INSERT INTO alert (id, agent, metric, threshold, window_s, notify_url, state, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            alert_id,
            alert.agent,
            alert.metric,
            alert.threshold,
            seconds,
            alert.notify_url,
            alert.state,
            to_text(alert.created_at),
        ),
    )
    return Alert(
        alert_id,
        alert.agent,
        alert.metric,
        alert.threshold,
        alert.window,
        alert.notify_url,
        alert.state,
        alert.created_at,
    )


def remove_alert(connection: Connection, *, alert_id: str) -> None:
    """See `Store.remove_alert`."""
    if connection.execute("DELETE FROM alert WHERE id = ?", (alert_id,)).rowcount == 0:
        raise UnknownAlert(
            f'There is no alert "{alert_id}".', hint="See them all: swiftclaw alerts list", field="alert"
        )


def set_alert(
    connection: Connection, *, alert_id: str, entry_id: str, state: Any, count: int, now: datetime
) -> AlertEvent | None:
    """See `Store.set_alert`."""
    row = connection.execute("SELECT state FROM alert WHERE id = ?", (alert_id,)).fetchone()
    if row is None:
        raise UnknownAlert(f'There is no alert "{alert_id}".', field="alert")
    if row[0] == state:
        return None
    connection.execute("UPDATE alert SET state = ? WHERE id = ?", (state, alert_id))
    connection.execute(
        "INSERT INTO alert_event (id, alert_id, state, count, at) VALUES (?, ?, ?, ?, ?)",
        (entry_id, alert_id, state, count, to_text(now)),
    )
    return AlertEvent(entry_id, alert_id, state, count, now)


def keep_clock(connection: Connection, *, clock: KeptClock) -> None:
    """See `Store.keep_clock`."""
    connection.execute(
        "INSERT INTO clock (id, rate, at, lead_s) VALUES (1, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET rate = excluded.rate, at = excluded.at, lead_s = excluded.lead_s",
        (clock.rate, to_text(clock.at), clock.lead / timedelta(seconds=1)),
    )


def prune(connection: Connection, *, before: datetime, limit: int) -> int:
    """See `Store.prune`."""
    moment = to_text(before)
    connection.execute("DELETE FROM alert_event WHERE at < ?", (moment,))
    rows = connection.execute(
        "SELECT e.id FROM event e WHERE e.accepted_at < ? AND NOT EXISTS (SELECT 1 FROM delivery d"
        " WHERE d.event_id = e.id AND (d.ended_at IS NULL OR d.ended_at >= ?)) ORDER BY e.seq LIMIT ?",
        (moment, moment, limit),
    ).fetchall()
    ids = [row[0] for row in rows]
    if not ids:
        return 0
    these = f"({', '.join('?' * len(ids))})"
    # the names are written out here, the ids are bound
    connection.execute(
        f"DELETE FROM attempt WHERE delivery_id IN (SELECT id FROM delivery WHERE event_id IN {these})",  # noqa: S608
        ids,
    )
    connection.execute(
        f"DELETE FROM replay_item WHERE delivery_id IN (SELECT id FROM delivery WHERE event_id IN {these})",  # noqa: S608
        ids,
    )
    connection.execute(f"DELETE FROM delivery WHERE event_id IN {these}", ids)  # noqa: S608
    connection.execute(f"DELETE FROM event WHERE id IN {these}", ids)  # noqa: S608
    return len(ids)


def reset(connection: Connection, *, keep_webhooks: bool) -> None:
    """See `Store.reset`."""
    for table in ("attempt", "replay_item", "replay", "delivery", "event", "alert_event", "alert", "clock"):
        connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names from the line above
    if not keep_webhooks:
        connection.execute("DELETE FROM webhook")
        connection.execute("UPDATE counter SET next = ? WHERE name = 'webhook'", (FIRST_NUMBERS["webhook"],))
    for name in ("alert", "replay"):
        connection.execute("UPDATE counter SET next = ? WHERE name = ?", (FIRST_NUMBERS[name], name))


def next_number(connection: Connection, name: str) -> int:
    """Return the next number of a counter, which is never given out again."""
    number: int = connection.execute(
        "UPDATE counter SET next = next + 1 WHERE name = ? RETURNING next - 1", (name,)
    ).fetchone()[0]
    return number


def _webhook(connection: Connection, webhook_id: str) -> Webhook:
    """Return a webhook that is not deleted. Raises: UnknownWebhook."""
    row = connection.execute(
        "SELECT id, agent, url, events, description, enabled, created_at FROM webhook WHERE id = ? AND deleted_at IS NULL",
        (webhook_id,),
    ).fetchone()
    if row is None:
        raise UnknownWebhook(f'There is no webhook "{webhook_id}".', field="webhook")
    name, agent, url, events, description, enabled, created_at = row
    return Webhook(name, agent, url, tuple(json.loads(events)), description, bool(enabled), from_text(created_at))


def _state(connection: Connection, delivery_id: str) -> State:
    row = connection.execute("SELECT state FROM delivery WHERE id = ?", (delivery_id,)).fetchone()
    if row is None:
        raise UnknownDelivery(
            f'There is no delivery "{delivery_id}".', hint="See them: swiftclaw deliveries list", field="delivery"
        )
    return State(row[0])


def _check_pending(connection: Connection, delivery_id: str) -> None:
    state = _state(connection, delivery_id)
    if state in ENDED:
        raise DeliveryEnded(
            f"{delivery_id} has ended ({state.value}).",
            hint=f"Send it again: swiftclaw deliveries replay {delivery_id}",
        )
    if state is State.IN_FLIGHT:
        raise _in_flight(delivery_id)


def _in_flight(delivery_id: str) -> DeliveryInFlight:
    return DeliveryInFlight(f"{delivery_id} is being sent at this moment.", hint="Look again in a moment.")
