"""The store on SQLite: one process, one connection, group commits.

Implements the verbs of `storage.store`; the protocol of leases and fences is described there and in the docs. The lock of
the operating system takes the place of a lease's time: while this process lives, nobody else writes.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from swiftclaw_local.errors import EventIdTaken, UnknownWebhook
from swiftclaw_local.ids import IdFactory
from swiftclaw_local.storage import changes, claiming, replaying
from swiftclaw_local.storage.adding import Adding, NewEvent
from swiftclaw_local.storage.group_commit import GroupCommit, Work
from swiftclaw_local.storage.held import Held
from swiftclaw_local.storage.marking import Marking
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
from swiftclaw_local.storage.replay_records import Replayable, ReplayState, ReplayStep, ReplayWish
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
from swiftclaw_local.storage.subscribers import Subscribers

KEY_FILE: Final = "swiftclaw.key"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Running:
    """What a store has while it is open."""

    connection: sqlite3.Connection
    box: SecretBox
    checkpoints: Checkpoints
    writer: GroupCommit
    subscribers: Subscribers
    adding: Adding
    marking: Marking
    held: Held

    def add_events(self, connection: sqlite3.Connection, wanted: list[NewEvent]) -> list[Accepted | EventIdTaken]:
        """Add events, and take note of what was leased."""
        added = self.adding.add_events(connection, wanted)
        self.held.lease([claim for one in added if isinstance(one, Accepted) for claim in one.claims])
        return added


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
        self._open: _Running | None = None
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
            box = self._check_file()
            connection = connect(self.path, durability=self._durability)
            try:
                upgrade(connection, self.path)
            except BaseException:
                connection.close()
                raise
        except BaseException:
            self._lock.release()
            raise
        self._open = self._run(connection, box)

    def _check_file(self) -> SecretBox:
        """Check everything before anything is opened for writing; a file that is refused stays as it was."""
        existing = check_ours(self.path)
        box = SecretBox(self._key or read_key(self.path.with_name(KEY_FILE), may_create=not existing))
        if not existing:
            make_database(self.path, key_check=box.new_check())
            return box
        with closing(connect_to_check(self.path)) as connection:
            check_whole(connection, self.path)
            check_version(connection, self.path)
            box.check(connection.execute("SELECT sealed FROM key_check").fetchone()[0])
        return box

    def _run(self, connection: sqlite3.Connection, box: SecretBox) -> _Running:
        checkpoints = Checkpoints(self.path)
        subscribers, held = Subscribers(box), Held()

        def committed() -> None:
            checkpoints.written()
            held.committed()

        def rolled_back() -> None:
            subscribers.forget()
            held.rolled_back()

        writer = GroupCommit(
            connection, held_up=lambda: checkpoints.beginning_anew, committed=committed, rolled_back=rolled_back
        )
        adding = Adding(self._ids, subscribers)
        marking = Marking(self._ids, subscribers, held.claims)
        checkpoints.start()
        return _Running(connection, box, checkpoints, writer, subscribers, adding, marking, held)

    async def close(self) -> None:
        """See `Store.close`. Does nothing before `open`, or a second time."""
        self._reads.close()
        running, self._open = self._open, None
        if running is not None:
            await running.writer.close()
            running.checkpoints.stop()
            running.connection.close()
        self._lock.release()

    @property
    def _running(self) -> _Running:
        assert self._open is not None, "the store is not open"
        return self._open

    async def recover(self, *, now: datetime) -> Opened:
        """See `Store.recover`."""
        running = self._running
        running.held.clear()
        return await running.writer.run(partial(running.marking.recover, now=now))

    shared: Final = False  # one engine, by the lock of the operating system

    async def reap(self, *, now: datetime) -> int:
        """See `Store.reap`. What a dead process had in flight is found by `recover`."""
        return 0

    async def hold_clock(self, *, virtual: bool) -> None:
        """See `Store.hold_clock`. There is nobody else."""

    def listen(self, heard: Callable[[str], None]) -> None:
        """See `Store.listen`. There is nobody else."""

    async def look_on(self) -> None:
        """See `Store.look_on`. There is nobody else."""

    # --- webhooks -----------------------------------------------------------------------------------------------

    async def add_webhook(self, webhook: Webhook, *, secret: str) -> Webhook:
        """See `Store.add_webhook`."""
        work = partial(changes.add_webhook, webhook=webhook, secret=secret, box=self._running.box)
        return await self._change_webhooks(work)

    async def change_webhook(self, webhook_id: str, change: WebhookChange) -> Webhook:
        """See `Store.change_webhook`."""
        work = partial(changes.change_webhook, webhook_id=webhook_id, change=change, box=self._running.box)
        return await self._change_webhooks(work)

    async def remove_webhook(self, webhook_id: str, *, now: datetime) -> int:
        """See `Store.remove_webhook`."""
        return await self._change_webhooks(partial(changes.remove_webhook, webhook_id=webhook_id, now=now))

    async def _change_webhooks(self, change: Work[T]) -> T:
        """Do what changes webhooks, and have them read anew, also by what else is in the same group."""
        running = self._running

        def work(connection: sqlite3.Connection) -> T:
            result = change(connection)
            running.subscribers.forget()
            return result

        return await running.writer.run(work)

    async def secret_of(self, webhook_id: str) -> str:
        """See `Store.secret_of`."""
        running = self._running
        webhook = (await running.writer.look(running.subscribers.live)).get(webhook_id)
        if webhook is None:
            raise UnknownWebhook(f'There is no webhook "{webhook_id}".', field="webhook")
        return running.subscribers.secret(webhook)

    # --- events and deliveries ----------------------------------------------------------------------------------

    def add_event(
        self,
        event: StoredEvent,
        *,
        now: datetime,
        only_webhook: str | None = None,
        lease_unless_full: frozenset[str] | None = None,
    ) -> asyncio.Future[Accepted]:
        """See `Store.add_event`."""
        running = self._running
        return running.writer.put(running.add_events, NewEvent(event, now, only_webhook, lease_unless_full))

    async def add_delivery(
        self, event: StoredEvent, webhook_id: str, *, now: datetime, trigger: Trigger, scheduled: bool, lease: bool
    ) -> Accepted:
        """See `Store.add_delivery`."""
        running = self._running

        def work(connection: sqlite3.Connection) -> Accepted:
            accepted = running.adding.add_delivery(
                connection,
                event=event,
                webhook_id=webhook_id,
                now=now,
                trigger=trigger,
                scheduled=scheduled,
                lease=lease,
            )
            running.held.lease(accepted.claims)
            return accepted

        return await running.writer.run(work)

    async def replay(self, delivery_id: str, *, now: datetime, scheduled: bool, to_webhook: str | None = None) -> str:
        """See `Store.replay`."""
        new_id = self._ids.new("dlv", now)
        work = partial(
            changes.replay,
            delivery_id=delivery_id,
            new_id=new_id,
            now=now,
            scheduled=scheduled,
            to_webhook=to_webhook,
        )
        return await self._running.writer.run(work)

    async def bring_forward(self, delivery_id: str, *, now: datetime) -> None:
        """See `Store.bring_forward`."""
        await self._running.writer.run(partial(changes.bring_forward, delivery_id=delivery_id, now=now))

    async def cancel(self, delivery_id: str, *, now: datetime) -> None:
        """See `Store.cancel`."""
        await self._running.writer.run(partial(changes.cancel, delivery_id=delivery_id, now=now))

    # --- the engine's lap ---------------------------------------------------------------------------------------

    async def claim_due(self, *, now: datetime, limit: int, per_webhook: int, busy: Mapping[str, int]) -> list[Claim]:
        """See `Store.claim_due`."""
        due_at = await self.next_due_at()
        if due_at is None or due_at > now:
            return []
        running, busy = self._running, dict(busy)

        def work(connection: sqlite3.Connection) -> list[Claim]:
            claims = claiming.claim_due(
                connection,
                subscribers=running.subscribers,
                now=now,
                limit=limit,
                per_webhook=per_webhook,
                busy=busy,
            )
            running.held.lease(claims)
            return claims

        return await running.writer.run(work)

    async def give_back(self, claims: Sequence[Claim], *, now: datetime) -> None:
        """See `Store.give_back`."""
        running = self._running
        work = partial(claiming.give_back, subscribers=running.subscribers, claims=claims, now=now)
        await running.writer.run(work)
        for claim in claims:
            running.held.let_go(claim)

    async def begin_again(self, claim: Claim) -> bool:
        """See `Store.begin_again`."""
        running = self._running
        work = partial(claiming.begin_again, subscribers=running.subscribers, claim=claim)
        return await running.writer.run(work)

    def record(self, mark: Mark) -> asyncio.Future[Recorded]:
        """See `Store.record`."""
        running = self._running
        return running.writer.put(running.marking.record, mark)

    async def next_due_at(self, *, except_webhooks: frozenset[str] = frozenset()) -> datetime | None:
        """See `Store.next_due_at`."""
        running = self._running
        read = partial(claiming.next_due_at, subscribers=running.subscribers, except_webhooks=except_webhooks)
        return await running.writer.look(read)

    # --- alerts, clock, reset -----------------------------------------------------------------------------------

    async def add_alert(self, alert: Alert) -> Alert:
        """See `Store.add_alert`."""
        return await self._running.writer.run(partial(changes.add_alert, alert=alert))

    async def remove_alert(self, alert_id: str) -> None:
        """See `Store.remove_alert`."""
        await self._running.writer.run(partial(changes.remove_alert, alert_id=alert_id))

    async def set_alert(self, alert_id: str, *, state: str, count: int, now: datetime) -> AlertEvent | None:
        """See `Store.set_alert`."""
        entry_id = self._ids.new("ale", now)
        work = partial(changes.set_alert, alert_id=alert_id, entry_id=entry_id, state=state, count=count, now=now)
        return await self._running.writer.run(work)

    async def add_replay(self, wish: ReplayWish, items: Sequence[Replayable], *, now: datetime) -> str:
        """See `Store.add_replay`."""
        return await self._running.writer.run(partial(replaying.add_replay, wish=wish, items=items, now=now))

    async def replay_next(self, replay_id: str, *, now: datetime, limit: int) -> ReplayStep | None:
        """See `Store.replay_next`."""
        new_ids = [self._ids.new("dlv", now) for _ in range(limit)]
        work = partial(replaying.replay_next, replay_id=replay_id, new_ids=new_ids, now=now)
        return await self._running.writer.run(work)

    async def set_replay(
        self,
        replay_id: str,
        *,
        state: ReplayState,
        now: datetime,
        reason: str | None = None,
        judged_after: int | None = None,
    ) -> None:
        """See `Store.set_replay`."""
        work = partial(
            replaying.set_replay, replay_id=replay_id, state=state, reason=reason, judged_after=judged_after, now=now
        )
        await self._running.writer.run(work)

    async def keep_clock(self, clock: KeptClock) -> None:
        """See `Store.keep_clock`."""
        await self._running.writer.run(partial(changes.keep_clock, clock=clock))

    async def prune(self, *, before: datetime, limit: int) -> int:
        """See `Store.prune`."""
        return await self._running.writer.run(partial(changes.prune, before=before, limit=limit))

    async def reset(self, *, keep_webhooks: bool) -> None:
        """See `Store.reset`."""
        running = self._running
        await self._change_webhooks(partial(changes.reset, keep_webhooks=keep_webhooks))
        running.held.clear()
