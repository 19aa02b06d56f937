"""The store on SQLite: one process, one connection on the event loop's thread, group commits.

Implements the verbs of `storage.store`; the protocol of leases and fences is described there and in the docs. The lock of
the operating system takes the place of a lease's time: while this process lives, nobody else writes.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import Any, Final

from swiftclaw_local.errors import EventIdTaken, UnknownWebhook
from swiftclaw_local.ids import IdFactory
from swiftclaw_local.storage import changes
from swiftclaw_local.storage import statements as sql
from swiftclaw_local.storage.group_commit import GroupCommit
from swiftclaw_local.storage.marking import follow, recover
from swiftclaw_local.storage.migrate import check_version, make_database, upgrade
from swiftclaw_local.storage.queries import SqlReads, read_engine
from swiftclaw_local.storage.records import (
    Accepted,
    Alert,
    AlertEvent,
    Claim,
    KeptClock,
    Mark,
    Opened,
    Recorded,
    StoredEvent,
    Trigger,
    Webhook,
    WebhookChange,
)
from swiftclaw_local.storage.secretbox import SecretBox, read_key
from swiftclaw_local.storage.sqlite_file import (
    Checkpoints,
    Durability,
    FileLock,
    check_ours,
    check_whole,
    connect,
    connect_to_check,
    make_folder,
)
from swiftclaw_local.storage.statements import from_text, to_text
from swiftclaw_local.storage.states import State

KEY_FILE: Final = "swiftclaw.key"


@dataclass(frozen=True, slots=True)
class _Owed:
    """What the deliveries of one event have in common."""

    event: StoredEvent
    now: datetime
    due_at: datetime
    trigger: Trigger
    scheduled: bool


class SqliteStore:
    """The store over one SQLite file. `key` (32 bytes) takes the place of the key file beside it."""

    def __init__(
        self, path: Path, *, ids: IdFactory, durability: Durability = "full", key: bytes | None = None
    ) -> None:
        self.path = path
        self._ids = ids
        self._durability: Durability = durability
        self._key = key
        self._lock = FileLock(path.with_name(path.name + ".lock"))
        self._connection: sqlite3.Connection | None = None
        self._writer: GroupCommit | None = None
        self._checkpoints: Checkpoints | None = None
        self._reads = SqlReads(read_engine(path))

    def reads(self) -> SqlReads:
        """Return the reads over the same file."""
        return self._reads

    # --- life ---------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Take the file, make or upgrade its tables, and check the key (see `Store.open`)."""
        make_folder(self.path.parent)
        self._lock.take()
        try:
            connection = self._open_file()
        except BaseException:
            await self.close()
            raise
        self._writer = GroupCommit(connection)
        self._checkpoints = Checkpoints(self.path)
        self._checkpoints.start()

    def _open_file(self) -> sqlite3.Connection:
        """Check everything before anything is opened for writing; a file that is refused stays as it was."""
        existing = check_ours(self.path)
        key = self._key or read_key(self.path.with_name(KEY_FILE), may_create=not existing)
        self._box = SecretBox(key)
        self._opened_secret = lru_cache(maxsize=4096)(self._open_secret)
        if existing:
            self._check_existing()
        else:
            make_database(self.path, key_check=self._box.new_check())
        self._connection = connect(self.path, durability=self._durability)
        upgrade(self._connection, self.path)
        return self._connection

    def _check_existing(self) -> None:
        with closing(connect_to_check(self.path)) as connection:
            check_whole(connection, self.path)
            check_version(connection, self.path)
            self._box.check(connection.execute("SELECT sealed FROM key_check").fetchone()[0])

    async def recover(self, *, now: datetime) -> Opened:
        """See `Store.recover`."""
        opened: Opened = await self._write(partial(recover, ids=self._ids, now=now))
        return opened

    async def close(self) -> None:
        """See `Store.close`. Also right before `open`, and a second time."""
        if self._writer is not None:
            self._writer.flush()
            self._writer = None
        if self._checkpoints is not None:
            self._checkpoints.stop()
            self._checkpoints = None
        self._reads.close()
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._lock.release()

    async def _write(self, work: Any) -> Any:
        assert self._writer is not None, "the store is not open"
        assert self._checkpoints is not None
        result = await self._writer.run(work)
        self._checkpoints.written()
        return result

    # --- webhooks -----------------------------------------------------------------------------------------------

    async def add_webhook(self, webhook: Webhook, *, secret: str) -> Webhook:
        """See `Store.add_webhook`."""
        added: Webhook = await self._write(partial(changes.add_webhook, webhook=webhook, secret=secret, box=self._box))
        return added

    async def change_webhook(self, webhook_id: str, change: WebhookChange) -> Webhook:
        """See `Store.change_webhook`."""
        changed: Webhook = await self._write(
            partial(changes.change_webhook, webhook_id=webhook_id, change=change, box=self._box)
        )
        return changed

    async def remove_webhook(self, webhook_id: str, *, now: datetime) -> int:
        """See `Store.remove_webhook`."""
        canceled: int = await self._write(partial(changes.remove_webhook, webhook_id=webhook_id, now=now))
        return canceled

    async def secret_of(self, webhook_id: str) -> str:
        """See `Store.secret_of`."""
        row = self._open_connection().execute(sql.LIVE_WEBHOOK, {"id": webhook_id}).fetchone()
        if row is None:
            raise UnknownWebhook(f'There is no webhook "{webhook_id}".', field="webhook")
        return self._opened_secret(webhook_id, row[4])

    # --- events and deliveries ----------------------------------------------------------------------------------

    async def add_event(
        self,
        event: StoredEvent,
        *,
        now: datetime,
        only_webhook: str | None = None,
        lease_unless_full: frozenset[str] | None = None,
    ) -> Accepted:
        """See `Store.add_event`."""

        def work(connection: sqlite3.Connection) -> Accepted:
            known = _known(connection, event)
            if known is not None:
                return known
            wanted = [row for row in self._matching(connection, event) if only_webhook in (None, row[0])]
            full = lease_unless_full
            due_at = max(now, event.created_at)
            rows = [(row, full is not None and row[5] and row[0] not in full and due_at <= now) for row in wanted]
            _insert_event(connection, event, now)
            owed = _Owed(event, now, due_at, trigger="event", scheduled=True)
            return self._insert_deliveries(connection, owed, rows)

        accepted: Accepted = await self._write(work)
        return accepted

    async def add_delivery(
        self, event: StoredEvent, webhook_id: str, *, now: datetime, trigger: Trigger, scheduled: bool, lease: bool
    ) -> Accepted:
        """See `Store.add_delivery`."""

        def work(connection: sqlite3.Connection) -> Accepted:
            row = connection.execute(sql.LIVE_WEBHOOK, {"id": webhook_id}).fetchone()
            if row is None:
                raise UnknownWebhook(f'There is no webhook "{webhook_id}".', field="webhook")
            if _known(connection, event) is None:
                _insert_event(connection, event, now)
            owed = _Owed(event, now, due_at=now, trigger=trigger, scheduled=scheduled)
            return self._insert_deliveries(connection, owed, [(row, lease)])

        accepted: Accepted = await self._write(work)
        return accepted

    async def replay(self, delivery_id: str, *, now: datetime, scheduled: bool) -> str:
        """See `Store.replay`."""
        new_id = self._ids.new("dlv", now)
        work = partial(changes.replay, delivery_id=delivery_id, new_id=new_id, now=now, scheduled=scheduled)
        replayed: str = await self._write(work)
        return replayed

    async def bring_forward(self, delivery_id: str, *, now: datetime) -> None:
        """See `Store.bring_forward`."""
        await self._write(partial(changes.bring_forward, delivery_id=delivery_id, now=now))

    async def cancel(self, delivery_id: str, *, now: datetime) -> None:
        """See `Store.cancel`."""
        await self._write(partial(changes.cancel, delivery_id=delivery_id, now=now))

    # --- the engine's lap ---------------------------------------------------------------------------------------

    async def claim_due(self, *, now: datetime, limit: int, per_webhook: int, busy: Mapping[str, int]) -> list[Claim]:
        """See `Store.claim_due`."""
        due_at = await self.next_due_at()
        if due_at is None or due_at > now:
            return []
        claims: list[Claim] = await self._write(
            partial(self._claim, now=now, limit=limit, per_webhook=per_webhook, busy=dict(busy))
        )
        return claims

    def _claim(
        self, connection: sqlite3.Connection, *, now: datetime, limit: int, per_webhook: int, busy: Mapping[str, int]
    ) -> list[Claim]:
        webhooks = {row[0]: row for row in connection.execute(sql.ENABLED_WEBHOOKS).fetchall()}
        written = to_text(now)
        due = [
            connection.execute(
                sql.DUE_OF_WEBHOOK,
                {"webhook_id": name, "now": written, "limit": min(limit, per_webhook - busy.get(name, 0))},
            ).fetchall()
            for name in webhooks
            if busy.get(name, 0) < per_webhook
        ]
        rows = list(islice(merge(*due), limit))
        connection.executemany(sql.CLAIM, [{"delivery_id": row[1], "now": written} for row in rows])
        return [self._claimed(row, webhooks[row[3]]) for row in rows]

    def _claimed(self, row: tuple[Any, ...], webhook: tuple[Any, ...]) -> Claim:
        (
            due_at,
            delivery_id,
            token,
            webhook_id,
            agent,
            event_id,
            event_type,
            body,
            trigger,
            scheduled,
            attempts,
            used,
        ) = row
        return Claim(
            delivery_id=delivery_id,
            lease_token=token + 1,
            webhook_id=webhook_id,
            agent=agent,
            url=webhook[1],
            secret=self._opened_secret(webhook_id, webhook[2]),
            event_id=event_id,
            event_type=event_type,
            body=body,
            trigger=trigger,
            scheduled=bool(scheduled),
            attempt_number=attempts + 1,
            retries_used=used,
            due_at=from_text(due_at),
        )

    async def give_back(self, claims: Sequence[Claim], *, now: datetime) -> None:
        """See `Store.give_back`."""

        def work(connection: sqlite3.Connection) -> None:
            live = {row[0] for row in connection.execute(sql.LIVE_WEBHOOKS)}
            for claim in claims:
                fence = {"delivery_id": claim.delivery_id, "token": claim.lease_token}
                if claim.webhook_id in live:
                    connection.execute(sql.GIVE_BACK, fence)
                else:
                    connection.execute(sql.GIVE_BACK_CANCELED, fence | {"now": to_text(now)})

        await self._write(work)

    async def record(self, mark: Mark) -> Recorded:
        """See `Store.record`."""
        recorded: Recorded = await self._write(partial(follow, mark=mark, ids=self._ids))
        return recorded

    async def next_due_at(self, *, except_webhooks: frozenset[str] = frozenset()) -> datetime | None:
        """See `Store.next_due_at`."""
        connection = self._open_connection()
        found = [
            connection.execute(sql.NEXT_DUE_OF_WEBHOOK, {"webhook_id": row[0]}).fetchone()[0]
            for row in connection.execute(sql.ENABLED_WEBHOOKS).fetchall()
            if row[0] not in except_webhooks
        ]
        return min((from_text(due_at) for due_at in found if due_at is not None), default=None)

    # --- alerts, clock, reset -----------------------------------------------------------------------------------

    async def add_alert(self, alert: Alert) -> Alert:
        """See `Store.add_alert`."""
        added: Alert = await self._write(partial(changes.add_alert, alert=alert))
        return added

    async def remove_alert(self, alert_id: str) -> None:
        """See `Store.remove_alert`."""
        await self._write(partial(changes.remove_alert, alert_id=alert_id))

    async def set_alert(self, alert_id: str, *, state: str, count: int, now: datetime) -> AlertEvent | None:
        """See `Store.set_alert`."""
        entry_id = self._ids.new("ale", now)
        work = partial(changes.set_alert, alert_id=alert_id, entry_id=entry_id, state=state, count=count, now=now)
        entry: AlertEvent | None = await self._write(work)
        return entry

    async def keep_clock(self, clock: KeptClock) -> None:
        """See `Store.keep_clock`."""
        await self._write(partial(changes.keep_clock, clock=clock))

    async def reset(self, *, keep_webhooks: bool) -> None:
        """See `Store.reset`."""
        await self._write(partial(changes.reset, keep_webhooks=keep_webhooks))

    # --- inside -------------------------------------------------------------------------------------------------

    def _open_connection(self) -> sqlite3.Connection:
        assert self._connection is not None, "the store is not open"
        return self._connection

    def _open_secret(self, webhook_id: str, sealed: bytes) -> str:
        return self._box.open(sealed, owner=webhook_id).decode()

    def _matching(self, connection: sqlite3.Connection, event: StoredEvent) -> list[tuple[Any, ...]]:
        """Return the webhooks an event goes to (decision D17)."""
        if event.agent is None:
            rows = connection.execute(sql.LIVE_WEBHOOKS).fetchall()
        else:
            rows = connection.execute(sql.LIVE_WEBHOOKS_OF_AGENT, {"agent": event.agent}).fetchall()
        return [row for row in rows if event.type in _subscribed(row[3])]

    def _insert_deliveries(
        self, connection: sqlite3.Connection, owed: _Owed, webhooks: list[tuple[tuple[Any, ...], bool]]
    ) -> Accepted:
        """Add one delivery per (webhook's row, whether it is leased at once)."""
        rows, claims = [], []
        for webhook, leased in webhooks:
            delivery_id = self._ids.new("dlv", owed.now)
            rows.append(_delivery_row(delivery_id, owed, webhook, leased=leased))
            if leased:
                claims.append(self._fresh_claim(delivery_id, owed, webhook))
        connection.executemany(sql.INSERT_DELIVERY, rows)
        return Accepted(owed.event, tuple(row[0] for row in rows), tuple(claims))

    def _fresh_claim(self, delivery_id: str, owed: _Owed, webhook: tuple[Any, ...]) -> Claim:
        return Claim(
            delivery_id=delivery_id,
            lease_token=1,
            webhook_id=webhook[0],
            agent=webhook[1],
            url=webhook[2],
            secret=self._opened_secret(webhook[0], webhook[4]),
            event_id=owed.event.id,
            event_type=owed.event.type,
            body=owed.event.body,
            trigger=owed.trigger,
            scheduled=owed.scheduled,
            attempt_number=1,
            retries_used=0,
            due_at=owed.due_at,
        )


@lru_cache(maxsize=1024)
def _subscribed(events: str) -> frozenset[str]:
    return frozenset(json.loads(events))


def _known(connection: sqlite3.Connection, event: StoredEvent) -> Accepted | None:
    """Return what is there already when the same event was added before. Raises: EventIdTaken."""
    row = connection.execute(sql.EVENT_BY_ID, {"id": event.id}).fetchone()
    if row is None:
        return None
    if (row[0], row[1], row[3]) != (event.type, event.agent, event.body):
        raise EventIdTaken(
            f'An event "{event.id}" exists already, with another content.',
            hint="Leave the id out to get a new one.",
            field="id",
        )
    ids = connection.execute(sql.FIRST_DELIVERIES, {"event_id": event.id}).fetchall()
    return Accepted(event, tuple(found[0] for found in ids), known=True)


def _insert_event(connection: sqlite3.Connection, event: StoredEvent, now: datetime) -> None:
    connection.execute(
        sql.INSERT_EVENT,
        (event.id, event.type, event.agent, to_text(event.created_at), to_text(now), event.body),
    )


def _delivery_row(delivery_id: str, owed: _Owed, webhook: tuple[Any, ...], *, leased: bool) -> tuple[Any, ...]:
    """Return the values of a new delivery, in the order of the table's columns."""
    event, now = owed.event, to_text(owed.now)
    state = State.IN_FLIGHT if leased else State.PENDING
    head = (delivery_id, event.id, event.type, webhook[1], webhook[0], state.value, owed.trigger, owed.scheduled, None)
    times = (len(event.body), now, to_text(owed.due_at), None, None)
    counts = (0, 0, 0, int(leased), now if leased else None)
    return (*head, *times, *counts, None, None, None, None)
