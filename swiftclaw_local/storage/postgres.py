"""The store on PostgreSQL: any number of dispatchers, which share nothing but the database.

Implements the verbs of `storage.store`. Leases are on the database's clock; a claim says until when its attempt may begin.
The hot path goes in groups over one connection; what people ask for, seldom, goes over a second one on a thread.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar

import psycopg

from swiftclaw_local.errors import StorageUnavailable, SwiftclawError, UnknownWebhook
from swiftclaw_local.ids import IdFactory
from swiftclaw_local.storage import changes, replaying
from swiftclaw_local.storage import postgres_statements as sql
from swiftclaw_local.storage.adding import Adding, NewEvent
from swiftclaw_local.storage.listening import LOOKING, Heard, Listening
from swiftclaw_local.storage.postgres_adding import LeaseTerms, NewDelivery, PostgresAdding, to_begin_by
from swiftclaw_local.storage.postgres_link import PlainConnection, answers, connect_plain, translated
from swiftclaw_local.storage.postgres_marking import PostgresMarking
from swiftclaw_local.storage.postgres_reads import read_engine
from swiftclaw_local.storage.postgres_schema import FindKey, open_database
from swiftclaw_local.storage.postgres_writer import Connection, Writer
from swiftclaw_local.storage.queries import SqlReads
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
from swiftclaw_local.storage.secretbox import SecretBox
from swiftclaw_local.storage.store import DUE, LOG, WEBHOOKS
from swiftclaw_local.storage.subscribers import Subscribers

T = TypeVar("T")
Call = Callable[[Connection], Awaitable[T]]


@dataclass(frozen=True, slots=True)
class Lease:
    """How long a claim holds: on the database's clock, and, from before it was asked for, how long an attempt may begin.

    An attempt that begins within `begin_within` and takes no longer than the rest is over before the lease is.
    """

    lasts_s: float
    begin_within_s: float
    monotonic: Callable[[], float]


# How often it is looked whether the others have let go of a webhook's deliveries, and after how long.
LET_GO_LOOKS: Final = 50
LET_GO_LOOK_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class _Running:
    """What a store has while it is open."""

    box: SecretBox
    writer: Writer
    adding: PostgresAdding
    marking: PostgresMarking


class PostgresStore:
    """The store over one PostgreSQL database. `shown` is the URL without its password, for people."""

    shared: Final = True

    def __init__(self, url: str, *, shown: str, ids: IdFactory, find_key: FindKey, lease: Lease) -> None:
        self._url = url
        self._shown = shown
        self._ids = ids
        self._find_key = find_key
        self._lease = lease
        self._owner = secrets.token_hex(8)  # random, never a host's or pod's name: those come again
        self._listening = Listening(url, owner=self._owner, monotonic=lease.monotonic)
        self._reads = SqlReads(read_engine(url))
        self._open: _Running | None = None
        self._plain: psycopg.Connection[Any] | None = None
        self._plain_turn = asyncio.Lock()
        self._news: str | None = None
        self._log_grew = False

    def reads(self) -> SqlReads:
        """Return the reads over the same database."""
        return self._reads

    # --- life ---------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """See `Store.open`."""
        box = await asyncio.to_thread(open_database, self._url, shown=self._shown, find_key=self._find_key)
        subscribers = Subscribers(box)
        terms = LeaseTerms(self._owner, self._lease.lasts_s)
        adding = PostgresAdding(Adding(self._ids, subscribers), subscribers, terms=terms, tell=self._tell)
        marking = PostgresMarking(self._ids, box, terms=terms)
        writer = Writer(self._url, begun=adding.learn_webhooks, news=self._take_news)
        self._open = _Running(box, writer, adding, marking)

    async def close(self) -> None:
        """See `Store.close`. Does nothing before `open`, or a second time."""
        self._reads.close()
        await self._listening.close()
        running, self._open = self._open, None
        if running is not None:
            await running.writer.close()
        if self._plain is not None:
            self._plain.close()
            self._plain = None

    @property
    def _running(self) -> _Running:
        assert self._open is not None, "the store is not open"
        return self._open

    async def hold_clock(self, *, virtual: bool) -> None:
        """See `Store.hold_clock`."""
        try:
            await self._listening.hold_clock(virtual=virtual)
        except psycopg.Error as error:
            raise translated(error) from None

    def listen(self, heard: Heard) -> None:
        """See `Store.listen`."""
        self._listening.tell(heard)

    async def look_on(self) -> None:
        """See `Store.look_on`."""
        await self._run(partial(_say, news=f"{self._owner} {LOOKING}"))

    async def recover(self, *, now: datetime) -> Opened:
        """See `Store.recover`. Others may be at work: only what nobody holds a lease on any more is given back."""
        interrupted = await self.reap(now=now)
        counts = await self._run(partial(_cancel_and_count, now=now))
        return Opened(interrupted=interrupted, webhooks=counts[0], deliveries=counts[1], overdue=counts[2])

    async def reap(self, *, now: datetime) -> int:
        """See `Store.reap`."""
        return await self._run(partial(self._running.marking.reap, now=now))

    # --- webhooks -----------------------------------------------------------------------------------------------

    async def add_webhook(self, webhook: Webhook, *, secret: str) -> Webhook:
        """See `Store.add_webhook`."""
        work = partial(changes.add_webhook, webhook=webhook, secret=secret, box=self._running.box)
        return await self._change_webhooks(work)

    async def change_webhook(self, webhook_id: str, change: WebhookChange) -> Webhook:
        """See `Store.change_webhook`."""
        work = partial(changes.change_webhook, webhook_id=webhook_id, change=change, box=self._running.box)
        changed = await self._change_webhooks(work)
        await self._others_let_go(webhook_id)
        return changed

    async def remove_webhook(self, webhook_id: str, *, now: datetime) -> int:
        """See `Store.remove_webhook`."""
        canceled = await self._change_webhooks(partial(changes.remove_webhook, webhook_id=webhook_id, now=now))
        await self._others_let_go(webhook_id)
        return canceled

    async def _others_let_go(self, webhook_id: str) -> None:
        """Wait until what the others had claimed for a webhook before it changed was sent or given back.

        They are told, and give back at once what they have not begun. What they hold after a second is under way with a
        slow receiver, or theirs who died.
        """
        held: set[tuple[str, int]] | None = None
        for _ in range(LET_GO_LOOKS):
            try:
                now_held = await self._run(partial(_held_by_others, webhook_id=webhook_id, owner=self._owner))
            except StorageUnavailable:
                return  # the change is committed all the same
            held = now_held if held is None else held & now_held
            if not held:
                return
            await asyncio.sleep(LET_GO_LOOK_S)

    async def _change_webhooks(self, change: Callable[[PlainConnection], T]) -> T:
        """Do what changes webhooks, alone, and have every dispatcher read them anew."""

        def work(connection: PlainConnection) -> T:
            result = change(connection)
            connection.execute(sql.COUNT_WEBHOOK_CHANGE)
            return result

        return await self._work(work, alone=True, news=WEBHOOKS)

    async def secret_of(self, webhook_id: str) -> str:
        """See `Store.secret_of`."""
        running = self._running
        sealed = await self._run(partial(_sealed_secret, webhook_id=webhook_id))
        return running.marking.secret(webhook_id, sealed)

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
        running, begin_by = self._running, self._begin_by()
        wanted = NewEvent(event, now, only_webhook, lease_unless_full)
        return to_begin_by(await running.writer.put(running.adding.add_events, wanted), begin_by)

    async def add_delivery(
        self, event: StoredEvent, webhook_id: str, *, now: datetime, trigger: Trigger, scheduled: bool, lease: bool
    ) -> Accepted:
        """See `Store.add_delivery`."""
        running, begin_by = self._running, self._begin_by()
        wanted = NewDelivery(event, now, webhook_id, trigger, scheduled, lease)
        return to_begin_by(await running.writer.put(running.adding.add_deliveries, wanted), begin_by)

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
        return await self._work(work, news=DUE)

    async def bring_forward(self, delivery_id: str, *, now: datetime) -> None:
        """See `Store.bring_forward`."""
        await self._work(partial(changes.bring_forward, delivery_id=delivery_id, now=now), news=DUE)

    async def cancel(self, delivery_id: str, *, now: datetime) -> None:
        """See `Store.cancel`."""
        await self._work(partial(changes.cancel, delivery_id=delivery_id, now=now))

    # --- the engine's lap ---------------------------------------------------------------------------------------

    async def claim_due(self, *, now: datetime, limit: int, per_webhook: int, busy: Mapping[str, int]) -> list[Claim]:
        """See `Store.claim_due`."""
        begin_by = self._begin_by()
        claim = partial(
            self._running.marking.claim_due, now=now, limit=limit, per_webhook=per_webhook, busy=busy, begin_by=begin_by
        )
        return await self._run(claim)

    async def give_back(self, claims: Sequence[Claim], *, now: datetime) -> None:
        """See `Store.give_back`."""
        await self._run(partial(self._running.marking.give_back, claims=claims, now=now))

    async def begin_again(self, claim: Claim) -> bool:
        """See `Store.begin_again`."""
        return await self._run(partial(self._running.marking.begin_again, claim=claim))

    def record(self, mark: Mark) -> asyncio.Future[Recorded]:
        """See `Store.record`."""
        return self._running.writer.put(self._write_marks, mark)

    async def _write_marks(self, connection: Connection, marks: list[Mark]) -> Sequence[Recorded | SwiftclawError]:
        self._log_grew = True
        return await self._running.marking.record(connection, marks)

    async def next_due_at(self, *, except_webhooks: frozenset[str] = frozenset()) -> datetime | None:
        """See `Store.next_due_at`."""
        return await self._run(partial(_next_due_at, except_webhooks=except_webhooks))

    # --- alerts, clock, reset -----------------------------------------------------------------------------------

    async def add_alert(self, alert: Alert) -> Alert:
        """See `Store.add_alert`."""
        return await self._work(partial(changes.add_alert, alert=alert))

    async def remove_alert(self, alert_id: str) -> None:
        """See `Store.remove_alert`."""
        await self._work(partial(changes.remove_alert, alert_id=alert_id))

    async def set_alert(self, alert_id: str, *, state: str, count: int, now: datetime) -> AlertEvent | None:
        """See `Store.set_alert`. Alone, so that of many dispatchers that see it one makes the change."""
        entry_id = self._ids.new("ale", now)
        work = partial(changes.set_alert, alert_id=alert_id, entry_id=entry_id, state=state, count=count, now=now)
        return await self._work(work, alone=True, news=LOG)

    async def add_replay(self, wish: ReplayWish, items: Sequence[Replayable], *, now: datetime) -> str:
        """See `Store.add_replay`."""
        return await self._work(partial(replaying.add_replay, wish=wish, items=items, now=now))

    async def replay_next(self, replay_id: str, *, now: datetime, limit: int) -> ReplayStep | None:
        """See `Store.replay_next`."""
        new_ids = [self._ids.new("dlv", now) for _ in range(limit)]
        work = partial(_replay_next_alone, replay_id=replay_id, new_ids=new_ids, now=now)
        return await self._work(work, news=DUE)

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
        await self._work(work)

    async def keep_clock(self, clock: KeptClock) -> None:
        """See `Store.keep_clock`."""
        await self._work(partial(changes.keep_clock, clock=clock))

    async def prune(self, *, before: datetime, limit: int) -> int:
        """See `Store.prune`. Alone, so that nothing is replayed that is just being deleted."""
        return await self._work(partial(changes.prune, before=before, limit=limit), alone=True)

    async def reset(self, *, keep_webhooks: bool) -> None:
        """See `Store.reset`."""
        await self._change_webhooks(partial(changes.reset, keep_webhooks=keep_webhooks))

    # --- the two connections ------------------------------------------------------------------------------------

    def _begin_by(self) -> float:
        """Return until when the attempts of what is claimed from now on may begin (monotonic seconds)."""
        return self._lease.monotonic() + self._lease.begin_within_s

    def _tell(self, news: str) -> None:
        """Have the other dispatchers told with the group that is being written; changed webhooks matter most."""
        self._news = WEBHOOKS if WEBHOOKS in (news, self._news) else news

    def _take_news(self) -> str | None:
        news, self._news = self._news, None
        grew, self._log_grew = self._log_grew, False
        if news is None and grew and self._listening.looked_on:
            news = LOG
        return None if news is None else f"{self._owner} {news}"

    async def _run(self, call: Call[T]) -> T:
        """Make a call over the writing connection, in the next group."""
        return await self._running.writer.put(_each, call)

    async def _work(self, work: Callable[[Any], T], *, alone: bool = False, news: str | None = None) -> T:
        """Do a work of `changes` on a thread, in one transaction; `alone`, while nobody adds or moves deliveries."""
        assert self._open is not None, "the store is not open"
        async with self._plain_turn:
            try:
                return await asyncio.to_thread(self._work_now, work, alone, news)
            except psycopg.Error as error:
                raise translated(error) from None

    def _work_now(self, work: Callable[[Any], T], alone: bool, news: str | None) -> T:
        if self._plain is None or not answers(self._plain):
            self._plain = connect_plain(self._url)
        connection = self._plain
        lock = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
        with connection.transaction():
            connection.execute(f"SELECT {lock}({sql.WEBHOOKS_LOCK})".encode())
            result = work(PlainConnection(connection))
            if news is not None:
                connection.execute("SELECT pg_notify(%s, %s)", (sql.CHANNEL, f"{self._owner} {news}"))
        return result


def _replay_next_alone(
    connection: PlainConnection, *, replay_id: str, new_ids: Sequence[str], now: datetime
) -> ReplayStep | None:
    """Do a step of a replay unless another dispatcher sees to it; this one does from now on, as long as its connection lives."""
    number = int(replay_id.rpartition("_")[2])
    (ours,) = connection.execute(f"SELECT pg_try_advisory_lock({sql.REPLAY_LOCK}, ?)", (number,)).fetchone()
    return replaying.replay_next(connection, replay_id=replay_id, new_ids=new_ids, now=now) if ours else None


async def _each(connection: Connection, calls: list[Call[Any]]) -> list[Any]:
    return [await call(connection) for call in calls]


async def _say(connection: Connection, *, news: str) -> None:
    await connection.execute("SELECT pg_notify(%b, %b)", (sql.CHANNEL, news))


async def _sealed_secret(connection: Connection, *, webhook_id: str) -> bytes:
    row = await (await connection.execute(sql.WEBHOOK_BOX, (webhook_id,))).fetchone()
    if row is None:
        raise UnknownWebhook(f'There is no webhook "{webhook_id}".', field="webhook")
    return bytes(row[0])


async def _held_by_others(connection: Connection, *, webhook_id: str, owner: str) -> set[tuple[str, int]]:
    """Return the deliveries of a webhook that other dispatchers have in flight, each with its lease token."""
    return set(await (await connection.execute(sql.HELD_BY_OTHERS, (webhook_id, owner))).fetchall())


async def _next_due_at(connection: Connection, *, except_webhooks: frozenset[str]) -> datetime | None:
    row = await (await connection.execute(sql.NEXT_DUE, (list(except_webhooks),))).fetchone()
    return None if row is None else row[0]


async def _cancel_and_count(connection: Connection, *, now: datetime) -> tuple[int, int, int]:
    """Cancel what is pending for webhooks that are deleted; return the counts of webhooks, deliveries, and what is overdue."""
    await connection.execute(sql.CANCEL_OF_DELETED, (now,))
    row = await (await connection.execute(sql.COUNTS, (now,))).fetchone()
    return (0, 0, 0) if row is None else (row[0], row[1], row[2])
