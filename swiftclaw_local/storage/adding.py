"""Adding events and the deliveries they are owed, many at a time.

Ids are taken so seldom that nobody looks first: all are inserted at once, and only when one of them was there already
each is looked at by itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from swiftclaw_local.errors import EventIdTaken, UnknownWebhook
from swiftclaw_local.hot_value import hot_value
from swiftclaw_local.ids import IdFactory
from swiftclaw_local.storage import statements as sql
from swiftclaw_local.storage.records import Accepted, Claim, NewDelivery, StoredEvent, Trigger
from swiftclaw_local.storage.statements import all_or_none, to_text
from swiftclaw_local.storage.states import State
from swiftclaw_local.storage.subscribers import Subscriber, Subscribers

_PENDING: Final = State.PENDING.value
_IN_FLIGHT: Final = State.IN_FLIGHT.value


@hot_value
class NewEvent:
    """What `Store.add_event` was asked for."""

    event: StoredEvent
    now: datetime
    only_webhook: str | None
    lease_unless_full: frozenset[str] | None


@hot_value
class _Owed:
    """What the deliveries of one event have in common, and its times as text."""

    event: StoredEvent
    now: datetime
    now_text: str
    due_at: datetime
    due_text: str
    trigger: Trigger
    scheduled: bool


class Adding:
    """Adds events for the webhooks that are there."""

    def __init__(self, ids: IdFactory, subscribers: Subscribers) -> None:
        self._ids = ids
        self._subscribers = subscribers

    def add_events(self, connection: sqlite3.Connection, wanted: list[NewEvent]) -> list[Accepted | EventIdTaken]:
        """See `Store.add_event`."""
        events: list[tuple[Any, ...]] = []
        deliveries: list[tuple[Any, ...]] = []
        of = self._subscribers.of
        accepted = [
            self.prepare(new, of(connection, type=new.event.type, agent=new.event.agent), events, deliveries)
            for new in wanted
        ]
        if all_or_none(connection, sql.INSERT_EVENT, events):
            connection.executemany(sql.INSERT_DELIVERY, deliveries)
            return [*accepted]
        if len(wanted) == 1:
            return [_known(connection, wanted[0].event)]
        return [self.add_events(connection, [new])[0] for new in wanted]

    def add_delivery(
        self,
        connection: sqlite3.Connection,
        *,
        event: StoredEvent,
        webhook_id: str,
        now: datetime,
        trigger: Trigger,
        scheduled: bool,
        lease: bool,
    ) -> Accepted:
        """See `Store.add_delivery`."""
        webhook = self._subscribers.live(connection).get(webhook_id)
        if webhook is None:
            raise UnknownWebhook(f'There is no webhook "{webhook_id}".', field="webhook")
        event_row, delivery_rows, accepted = self.prepare_delivery(
            event, webhook, now=now, trigger=trigger, scheduled=scheduled, lease=lease
        )
        if not all_or_none(connection, sql.INSERT_EVENT, [event_row]):
            known = _known(connection, event)
            if isinstance(known, EventIdTaken):
                raise known
        connection.executemany(sql.INSERT_DELIVERY, delivery_rows)
        return accepted

    def prepare(
        self,
        new: NewEvent,
        matching: Iterable[Subscriber],
        events: list[tuple[Any, ...]],
        deliveries: list[tuple[Any, ...]],
    ) -> Accepted:
        """Put the rows of one event with those of the others; times in them are text."""
        event, now, full = new.event, new.now, new.lease_unless_full
        due_at = max(now, event.created_at)
        owed = _owed(event, now=now, due_at=due_at, trigger="event", scheduled=True)
        events.append(_event_row(owed))
        lease = full is not None and due_at <= now
        webhooks = [
            (webhook, lease and webhook.enabled and webhook.id not in (full or ()))
            for webhook in matching
            if new.only_webhook in (None, webhook.id)
        ]
        return self._deliver(owed, webhooks, deliveries)

    def prepare_delivery(
        self, event: StoredEvent, webhook: Subscriber, *, now: datetime, trigger: Trigger, scheduled: bool, lease: bool
    ) -> tuple[tuple[Any, ...], list[tuple[Any, ...]], Accepted]:
        """Return the event's row, its deliveries' rows, and what adding them will have made."""
        owed = _owed(event, now=now, due_at=now, trigger=trigger, scheduled=scheduled)
        deliveries: list[tuple[Any, ...]] = []
        accepted = self._deliver(owed, [(webhook, lease)], deliveries)
        return _event_row(owed), deliveries, accepted

    def _deliver(
        self, owed: _Owed, webhooks: list[tuple[Subscriber, bool]], deliveries: list[tuple[Any, ...]]
    ) -> Accepted:
        """Put one delivery's row per (webhook, whether it is leased at once) with the others."""
        ids, claims, new = [], [], []
        for webhook, leased in webhooks:
            delivery_id = self._ids.new("dlv", owed.now)
            ids.append(delivery_id)
            new.append(_new(delivery_id, owed, webhook, leased=leased))
            deliveries.append(_delivery_row(delivery_id, owed, webhook, leased=leased))
            if leased:
                claims.append(self._claim(delivery_id, owed, webhook))
        return Accepted(owed.event, tuple(ids), tuple(claims), tuple(new))

    def _claim(self, delivery_id: str, owed: _Owed, webhook: Subscriber) -> Claim:
        event = owed.event
        return Claim(  # in the order of its fields: with their names it takes twice as long
            delivery_id,
            1,  # lease token
            webhook.id,
            webhook.agent,
            webhook.url,
            self._subscribers.secret(webhook),
            event.id,
            event.type,
            event.body,
            owed.trigger,
            owed.scheduled,
            1,  # number of the attempt
            0,  # retries used
            owed.due_at,
            None,  # begin by
            0,  # interruptions
            owed.due_text,
        )


def _new(delivery_id: str, owed: _Owed, webhook: Subscriber, *, leased: bool) -> NewDelivery:
    return NewDelivery(
        delivery_id,
        webhook.id,
        webhook.agent,
        webhook.url,
        webhook.enabled,
        leased,
        owed.scheduled,
        owed.now,
        owed.due_at,
    )


def _owed(event: StoredEvent, *, now: datetime, due_at: datetime, trigger: Trigger, scheduled: bool) -> _Owed:
    now_text = to_text(now)
    return _Owed(event, now, now_text, due_at, now_text if due_at is now else to_text(due_at), trigger, scheduled)


def _known(connection: sqlite3.Connection, event: StoredEvent) -> Accepted | EventIdTaken:
    """Return what is there already under this event's id."""
    row = connection.execute(sql.EVENT_BY_ID, (event.id,)).fetchone()
    return compared(event, row, connection.execute(sql.FIRST_DELIVERIES, (event.id,)).fetchall())


def compared(
    event: StoredEvent, row: tuple[Any, ...] | None, deliveries: list[tuple[Any, ...]]
) -> Accepted | EventIdTaken:
    """Return the event that was there already, from rows of EVENT_BY_ID and FIRST_DELIVERIES."""
    if row != (event.type, event.agent, event.body):
        return EventIdTaken(
            f'An event "{event.id}" exists already, with another content.',
            hint="Leave the id out to get a new one.",
            field="id",
        )
    return Accepted(event, tuple(found[0] for found in deliveries), known=True)


def _event_row(owed: _Owed) -> tuple[Any, ...]:
    """Return the values of INSERT_EVENT."""
    event = owed.event
    created = owed.now_text if event.created_at is owed.now else to_text(event.created_at)
    return (event.id, event.type, event.agent, created, owed.now_text, bytearray(event.body))


def _delivery_row(delivery_id: str, owed: _Owed, webhook: Subscriber, *, leased: bool) -> tuple[Any, ...]:
    """Return the values of INSERT_DELIVERY."""
    event, now = owed.event, owed.now_text
    return (
        delivery_id,
        event.id,
        event.type,
        webhook.agent,
        webhook.id,
        _IN_FLIGHT if leased else _PENDING,
        owed.trigger,
        int(owed.scheduled),
        len(event.body),
        now,
        owed.due_text,
        int(leased),
        now if leased else None,
    )
