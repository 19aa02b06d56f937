"""The whole fake as one object, wired from the settings; it starts and stops the parts in their order.

The server and the tests speak to this and its parts: `webhooks`, `events`, `deliveries`, `faults`, `certifications`,
`recordings`, `alerts`, `timeline`.
It knows no HTTP and prints nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from swiftclaw_local import logs
from swiftclaw_local.dispatcher.addresses import AddressPolicy
from swiftclaw_local.dispatcher.alerting import AlertJudge
from swiftclaw_local.dispatcher.armed import ArmedFaults
from swiftclaw_local.dispatcher.engine import Engine, EngineSettings
from swiftclaw_local.dispatcher.journal import Journal
from swiftclaw_local.dispatcher.request import HeaderMode
from swiftclaw_local.dispatcher.sender import Poster, Sender
from swiftclaw_local.dispatcher.watch import Watch
from swiftclaw_local.errors import ClockNotManual, InvalidSetting, StorageUnavailable
from swiftclaw_local.ids import IdFactory
from swiftclaw_local.logs import Log
from swiftclaw_local.platform.alerts import Alerts
from swiftclaw_local.platform.certifications import Certifications
from swiftclaw_local.platform.deliveries import Deliveries
from swiftclaw_local.platform.events import Events
from swiftclaw_local.platform.faults import Faults
from swiftclaw_local.platform.recordings import Recordings
from swiftclaw_local.platform.replays import Replays
from swiftclaw_local.platform.timeline import Timeline
from swiftclaw_local.platform.webhooks import Webhooks
from swiftclaw_local.scheduler.clock import Clock, ClockSetting, monotonic, restored
from swiftclaw_local.scheduler.wake import Heartbeat
from swiftclaw_local.settings import DatabaseUrl, Settings
from swiftclaw_local.storage.ephemeral import new_private_folder, remove
from swiftclaw_local.storage.reads import Reads
from swiftclaw_local.storage.records import Opened
from swiftclaw_local.storage.secretbox import given_key, read_key
from swiftclaw_local.storage.sqlite import KEY_FILE, SqliteStore
from swiftclaw_local.storage.sqlite_file import Durability, make_folder
from swiftclaw_local.storage.store import LOG, Store

HEARTBEAT_S: Final = 1.0
# A lease outlasts an attempt by this (seconds); of it the margin is kept for the answer's body, and clocks' paces.
LEASE_SLACK_S: Final = 5.0
LEASE_MARGIN_S: Final = 2.0
# How often old events are looked for (seconds); how many are deleted in one transaction, and the pause for others after it.
RETENTION_S: Final = 60.0
PRUNED_AT_ONCE: Final = 200
PRUNE_PAUSE_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Database:
    """The opened database of a platform; `folder_to_remove` is the private folder of an ephemeral one."""

    store: Store
    reads: Reads
    ids: IdFactory
    folder_to_remove: Path | None


class Platform:
    """A SwiftClaw: `await Platform.open(settings)`, then `start()`, then `stop()`."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: Clock,
        opened: Opened,
        *,
        sender: Poster | None = None,
        log: Log,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.opened = opened
        self.reads = database.reads
        self._database = database
        self._store = database.store
        self._log = log
        self._heartbeat = Heartbeat()
        self.addresses = AddressPolicy(egress=settings.egress, allow_hosts=settings.allow_host)
        self._sender = sender or self._new_sender()
        # a certification has connections of its own; a test's receiver stands in for them, too
        self._new_poster: Callable[[], Poster] = self._new_sender if sender is None else partial(_same, sender)
        watch = self.watch = Watch()
        self._tasks: set[asyncio.Task[int]] = set()
        self._journal = Journal(log, every_line=settings.log_level == "debug")
        self._armed = ArmedFaults()
        self._judge = AlertJudge(self._store, self.reads, self._sender, clock=clock, watch=watch, log=log)
        self._engine = Engine(
            self._store,
            self._sender,
            clock=clock,
            settings=self._engine_settings(),
            journal=self._journal,
            watch=watch,
            alerts=self._judge,
            log=log,
            faults=self._armed,
        )
        self._wire(watch)

    def _new_sender(self) -> Poster:
        settings = self.settings
        return Sender(
            self.addresses,
            timeout_s=settings.send_timeout.total_seconds(),
            connect_timeout_s=settings.connect_timeout.total_seconds(),
            ca_file=settings.ca_file,
        )

    def _wire(self, watch: Watch) -> None:
        store, reads, clock, engine, log = self._store, self.reads, self.clock, self._engine, self._log
        settings = self.settings
        self.webhooks = Webhooks(
            store,
            reads,
            engine=engine,
            clock=clock,
            addresses=self.addresses,
            default_secret=settings.secret,
            log=log,
        )
        self.faults = Faults(
            self._armed,
            reads,
            clock=clock,
            watch=watch,
            schedule=settings.retry_schedule,
            seed=settings.seed or 0,
        )
        self.events = Events(
            store,
            reads,
            webhooks=self.webhooks,
            engine=engine,
            clock=clock,
            ids=self._database.ids,
            watch=watch,
            faults=self.faults,
        )
        self.deliveries = Deliveries(
            store,
            reads,
            webhooks=self.webhooks,
            engine=engine,
            clock=clock,
            watch=watch,
            schedule=settings.retry_schedule,
        )
        self.replays = Replays(store, reads, webhooks=self.webhooks, engine=engine, clock=clock, watch=watch, log=log)
        self.certifications = Certifications(
            store, reads, clock=clock, addresses=self.addresses, new_poster=self._new_poster
        )
        self.recordings = Recordings(reads, clock=clock)
        self.alerts = Alerts(store, reads, judge=self._judge, clock=clock)
        self.timeline = Timeline(store, clock=clock, engine=engine, alerts=self._judge, journal=self._journal, log=log)

    # --- life ---------------------------------------------------------------------------------------------------

    @classmethod
    async def open(cls, settings: Settings, *, sender: Poster | None = None, log: Log | None = None) -> Platform:
        """Open the database, give back what a dead process had in flight, and wire the parts; nothing is sent yet.

        `sender` takes the place of the HTTP client in tests.

        Raises: SetupError of one kind or another (DatabaseInUse, ForeignDatabase, WrongKey, …).
        """
        database = _database(settings)
        try:
            await database.store.open()
            clock = restored(await _clock_before(database.reads), rate=settings.clock_rate)
            check_clock_of_worker(settings, rate=clock.rate)
            await database.store.hold_clock(virtual=clock.rate != 1)
            if settings.seed is not None:
                database.ids.go_on_after(repr(await database.reads.counts()))
            opened = await database.store.recover(now=clock.now())
        except BaseException:
            await database.store.close()
            remove(database.folder_to_remove)
            raise
        return cls(settings, database, clock, opened, sender=sender, log=log or logs.logger())

    async def start(self) -> None:
        """Begin to deliver: what became due while nothing ran goes out now."""
        await self._sender.start()
        await self._judge.start()
        await self.timeline.keep()
        self._store.listen(self._heard)
        self._engine.start()
        self.replays.start()
        self._heartbeat.every(HEARTBEAT_S, "beat", self._beat)
        if self.settings.retention is not None:
            self._heartbeat.every(RETENTION_S, "retention", partial(self._retain, self.settings.retention))
        self._heartbeat.start()
        self._log.info(logs.ENGINE_STARTED, overdue=self.opened.overdue, interrupted=self.opened.interrupted)

    async def stop(self) -> None:
        """Take nothing new, let the attempts in flight end, write everything down, let go of the database."""
        await self._engine.stop()
        await self.replays.stop()
        forgotten = self._armed.clear(self.clock.now())
        if forgotten:
            self._log.warning(logs.FAULTS_FORGOTTEN, faults=forgotten)
        await self._heartbeat.stop()
        await self._judge.stop()
        self._journal.every_second()
        try:
            await self.timeline.keep()
        except StorageUnavailable as error:  # the start before this one, or a move of the clock, kept it
            self._log.warning(logs.STORE_FAILED, step="stop", error=error.message)
        await self._sender.close()
        await self._store.close()
        remove(self._database.folder_to_remove)
        self._log.info(logs.ENGINE_STOPPED)

    def ready(self) -> str | None:
        """Return None when events are taken and delivered, else why not."""
        return None if self._engine.alive else "The engine does not run."

    async def look_on(self) -> None:
        """Have the other dispatchers on the database tell us for the next few seconds when they write into the log.

        Raises: StorageUnavailable.
        """
        await self._store.look_on()

    @property
    def shared(self) -> bool:
        """Whether other dispatchers may be at work on the same database."""
        return self._store.shared

    async def reset(self, *, keep_webhooks: bool = False, seed: int | None = None, at: datetime | None = None) -> None:
        """Forget everything, attempts in flight too, and start over with the clock as the settings say.

        With a `seed` the ids start over, too; `at` is where a manual clock starts. Raises: ClockNotManual.
        """
        rate = self.settings.clock_rate
        rate = self.clock.rate if rate is None else rate
        if at is not None and rate != 0:
            raise ClockNotManual(
                "Only a manual clock can start at another time.",
                hint="Start the server with --clock manual.",
                field="at",
            )
        self._armed.clear(self.clock.now())
        await self._engine.abandon()
        await self._store.reset(keep_webhooks=keep_webhooks)
        self.watch.forgotten()
        self.certifications.forget()
        self.recordings.start_over()
        self.replays.forget()
        if seed is not None:
            self._database.ids.start_over(seed)
        self.clock.start_over(rate=rate, at=at)
        await self.timeline.keep()
        await self._judge.judge()

    async def prune(self, *, older_than: timedelta) -> int:
        """Delete events whose deliveries all ended longer ago than this, and all that belongs to them; return their number."""
        before, pruned = self.clock.now() - older_than, 0
        while True:
            found = await self._store.prune(before=before, limit=PRUNED_AT_ONCE)
            pruned += found
            if found < PRUNED_AT_ONCE:
                return pruned
            await asyncio.sleep(PRUNE_PAUSE_S)

    # --- the heartbeat ------------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        """Once a second: catch a lost wake, follow a wall clock that was set, clear alerts, say the summary line."""
        self._journal.every_second()
        jump = self.clock.resync()
        if jump:
            self._log.warning(logs.CLOCK_JUMPED, seconds=round(jump.total_seconds(), 3))
        self._engine.wake()
        try:
            if self._store.shared:
                await self._look_after_shared_work()
            await self._judge.judge()
            if self.clock.mode == "fast" or self.clock.set_back:
                await self.timeline.keep()  # the wall clock would not tell the next start where we are
        except StorageUnavailable as error:  # the next beat tries again
            self._log.warning(logs.STORE_FAILED, step="beat", error=error.message)

    async def _retain(self, older_than: timedelta) -> None:
        """Forget what is older than the settings ask for."""
        try:
            pruned = await self.prune(older_than=older_than)
        except StorageUnavailable as error:  # the next time tries again
            self._log.warning(logs.STORE_FAILED, step="retention", error=error.message)
            return
        if pruned:
            self._log.info(logs.EVENTS_PRUNED, events=pruned)

    async def _look_after_shared_work(self) -> None:
        """Give back what dead dispatchers had in flight and what waited here for too long; wake who waits for others' work."""
        await self._engine.give_back_late()
        await self.replays.look_for_more()
        reaped = await self._store.reap(now=self.clock.now())
        if reaped:
            self._log.warning(logs.LEASE_REAPED, deliveries=reaped)
            self._engine.wake()
        self.watch.tell_all()

    def _heard(self, news: str) -> None:
        """Do what other dispatchers' news ask for: webhooks that changed are read anew by the next claims."""
        self.watch.look()
        if news == LOG:
            return
        if news == "webhooks":
            task = asyncio.create_task(self._engine.take_back())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._engine.wake()

    def _engine_settings(self) -> EngineSettings:
        settings = self.settings
        return EngineSettings(
            schedule=settings.retry_schedule,
            jitter=settings.retry_jitter,
            headers=HeaderMode(settings.headers),
            concurrency=settings.concurrency,
            slots=lambda: settings.slots(manual=self.clock.mode == "manual"),
            seed=settings.seed,
        )


async def _clock_before(reads: Reads) -> ClockSetting | None:
    """Return how the clock stood in the run before this one, and not before what that one wrote down last.

    A process may die while the wall clock is set forward, or before it noticed that it was set back: then nothing else tells
    where its clock was, and what it had due soon would wait for hours.
    """
    kept = await reads.kept_clock()
    if kept is None:
        return None
    newest = await reads.newest_time()
    return ClockSetting(rate=kept.rate, at=max(kept.at, newest or kept.at), lead=kept.lead)


def _same(sender: Poster) -> Poster:
    return sender


def _database(settings: Settings) -> Database:
    """Return the database of the settings, not opened yet; an ephemeral one lies in a private folder, in memory if possible."""
    ids = IdFactory(settings.seed)
    if isinstance(settings.db, DatabaseUrl):
        return _postgres(settings, settings.db, ids)
    folder = None
    path = settings.db
    if settings.ephemeral:
        folder = new_private_folder()
        path = folder / settings.db.name
    kept: Durability = "normal" if settings.durability == "normal" else "full"
    durability: Durability = "off" if settings.ephemeral else kept
    store = SqliteStore(path, ids=ids, durability=durability, key=given_key(os.environ))
    return Database(store, store.reads(), ids, folder)


def _postgres(settings: Settings, url: DatabaseUrl, ids: IdFactory) -> Database:
    """Return the PostgreSQL database of the settings, not opened yet."""
    from swiftclaw_local.storage.postgres import Lease, PostgresStore  # noqa: PLC0415 - loads a driver that few need

    if settings.ephemeral:
        raise InvalidSetting("--ephemeral and a PostgreSQL --db contradict each other.", hint="Leave one of them out.")
    key = given_key(os.environ)

    def find_key(may_create: bool) -> bytes:
        if key is not None:
            return key
        make_folder(settings.data_folder)
        return read_key(settings.data_folder / KEY_FILE, may_create=may_create)

    lease = Lease(
        lasts_s=settings.send_timeout.total_seconds() + LEASE_SLACK_S,
        begin_within_s=LEASE_SLACK_S - LEASE_MARGIN_S,
        monotonic=monotonic,
    )
    store = PostgresStore(url.secret, shown=str(url), ids=ids, find_key=find_key, lease=lease)
    return Database(store, store.reads(), ids, None)


def check_clock_of_worker(settings: Settings, *, rate: float) -> None:
    """Raises: InvalidSetting when a worker would run with a manual or fast clock, or on a database of one engine."""
    if settings.worker_only and settings.file is not None:
        raise InvalidSetting(
            "A worker needs a database that many can share, and a file is for one engine.",
            hint="Give it the server's: swiftclaw serve --worker-only --db postgresql://user@host/database",
        )
    if settings.worker_only and rate != 1:
        raise InvalidSetting(
            "A worker runs on real time; a manual or fast clock is for one dispatcher alone.",
            hint="Leave --clock out, and set the server's clock to real: swiftclaw clock resume",
        )
