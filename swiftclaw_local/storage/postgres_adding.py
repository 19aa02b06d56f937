"""Adding events and the deliveries they are owed on PostgreSQL: a whole group in one statement."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from swiftclaw_local.errors import EventIdTaken, SwiftclawError, UnknownWebhook
from swiftclaw_local.storage import postgres_statements as sql
from swiftclaw_local.storage.adding import Adding, NewEvent, compared
from swiftclaw_local.storage.postgres_writer import Connection
from swiftclaw_local.storage.records import Accepted, StoredEvent, Trigger
from swiftclaw_local.storage.states import State
from swiftclaw_local.storage.store import DUE
from swiftclaw_local.storage.subscribers import Subscriber, Subscribers

Row = tuple[Any, ...]
_STATE: Final = 5  # of a delivery's row


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """What `Store.add_delivery` was asked for."""

    event: StoredEvent
    now: datetime
    webhook_id: str
    trigger: Trigger
    scheduled: bool
    lease: bool


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """Whose leases these are, and how many seconds they last."""

    owner: str
    seconds: float


class PostgresAdding:
    """Adds for the webhooks that are there. `tell` is given news for the other dispatchers, sent with the commit."""

    def __init__(
        self, adding: Adding, subscribers: Subscribers, *, terms: LeaseTerms, tell: Callable[[str], None]
    ) -> None:
        self._adding = adding
        self._subscribers = subscribers
        self._terms = terms
        self._tell = tell
        self._changes: int | None = None
        self.webhooks: dict[str, Subscriber] = {}

    async def learn_webhooks(self, connection: Connection, changes: int) -> None:
        """Read the webhooks anew if any changed since; nobody changes one before this transaction ends."""
        if changes != self._changes:
            cursor = await connection.execute(sql.LIVE_WEBHOOKS)
            self.webhooks = self._subscribers.learn(await cursor.fetchall())
            self._changes = changes

    async def add_events(self, connection: Connection, wanted: list[NewEvent]) -> list[Accepted | EventIdTaken]:
        """See `Store.add_event`."""
        events: dict[str, Row] = {}
        deliveries: list[Row] = []
        prepared: list[Accepted | None] = []
        for new in wanted:
            if new.event.id in events:  # twice in one group: looked at after the first
                prepared.append(None)
                continue
            event, row = new.event, list[Row]()
            matching = self._subscribers.matching(self.webhooks, type=event.type, agent=event.agent)
            prepared.append(self._adding.prepare(new, matching, row, deliveries))
            events[event.id] = row[0]
        fresh = await self._insert(connection, list(events.values()), deliveries)
        return [
            accepted if accepted is not None and new.event.id in fresh else await _known(connection, new.event)
            for new, accepted in zip(wanted, prepared, strict=True)
        ]

    async def add_deliveries(
        self, connection: Connection, wanted: list[NewDelivery]
    ) -> list[Accepted | SwiftclawError]:
        """See `Store.add_delivery`."""
        return [await self._add_delivery(connection, new) for new in wanted]

    async def _add_delivery(self, connection: Connection, new: NewDelivery) -> Accepted | SwiftclawError:
        webhook = self.webhooks.get(new.webhook_id)
        if webhook is None:
            return UnknownWebhook(f'There is no webhook "{new.webhook_id}".', field="webhook")
        event_row, rows, accepted = self._adding.prepare_delivery(
            new.event, webhook, now=new.now, trigger=new.trigger, scheduled=new.scheduled, lease=new.lease
        )
        if not await self._insert(connection, [event_row], rows):
            known = await _known(connection, new.event)
            if isinstance(known, EventIdTaken):
                return known
            await self._insert_deliveries(connection, rows)
        return accepted

    async def _insert(self, connection: Connection, events: list[Row], deliveries: list[Row]) -> set[str]:
        """Insert events, and the deliveries of those that are new; return the ids of the new."""
        cursor = await connection.execute(sql.INSERT_EVENTS, _columns(events))
        fresh = {row[0] for row in await cursor.fetchall()}
        owed = deliveries if len(fresh) == len(events) else [row for row in deliveries if row[1] in fresh]
        await self._insert_deliveries(connection, owed)
        return fresh

    async def _insert_deliveries(self, connection: Connection, rows: list[Row]) -> None:
        if not rows:
            return
        await connection.execute(sql.INSERT_DELIVERIES, [self._terms.owner, self._terms.seconds, *_columns(rows)])
        if any(row[_STATE] == State.PENDING for row in rows):
            self._tell(DUE)


async def _known(connection: Connection, event: StoredEvent) -> Accepted | EventIdTaken:
    row = await (await connection.execute(sql.EVENT_BY_ID, (event.id,))).fetchone()
    deliveries = await (await connection.execute(sql.FIRST_DELIVERIES, (event.id,))).fetchall()
    return compared(event, row, deliveries)


def _columns(rows: Iterable[Row]) -> list[list[Any]]:
    """Return rows as columns, each an array for unnest."""
    return [list(column) for column in zip(*rows, strict=True)]


def to_begin_by(accepted: Accepted, begin_by: float) -> Accepted:
    """Return what was accepted with its claims' attempts allowed to begin until `begin_by`."""
    if not accepted.claims:
        return accepted
    return replace(accepted, claims=tuple(replace(claim, begin_by=begin_by) for claim in accepted.claims))
