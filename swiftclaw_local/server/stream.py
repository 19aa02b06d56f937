"""The event stream: one reader of the log for all who listen, woken by what happens, and nothing at all while nobody does.

It is told only that something happened, and reads what by key, so that what other dispatchers write is told, too, and
nothing is told before it is committed. It decides nothing, and knows no HTTP.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from swiftclaw_local import logs
from swiftclaw_local.errors import InvalidCursor, ServerStopping, StorageUnavailable, TooManyStreams
from swiftclaw_local.logs import Log
from swiftclaw_local.platform import Platform
from swiftclaw_local.scheduler.clock import monotonic
from swiftclaw_local.server.detail import listed
from swiftclaw_local.server.stream_listener import Listener, Wanted
from swiftclaw_local.server.stream_position import Position
from swiftclaw_local.server.stream_replays import ReplayWatch
from swiftclaw_local.server.stream_told import (
    FaultStand,
    Message,
    Moment,
    alert_told,
    attempt_told,
    clock_told,
    delivery_told,
    fault_stand,
    faults_told,
    replay_told,
)
from swiftclaw_local.storage.records import AlertChange, LogEntry, LogNews
from swiftclaw_local.storage.replay_records import Replay, ReplayCounts
from swiftclaw_local.storage.states import State

MOST_LISTENERS: Final = 64
# Entries read at once; the pause between two reads, so that a busy log is read in groups; how often it is read unasked.
PAGE: Final = 500
PAUSE_S: Final = 0.04
UNASKED_S: Final = 1.0
# An entry that is absent below others is asked for so long: the dispatcher that took its number is just about to commit it.
ABSENT_S: Final = 5.0
_MOST_ABSENT: Final = 1_000
# More deliveries than these that changed between two reads are not told one by one: their attempts are.
MOST_CHANGED: Final = 20
_KNOWN_CHANGES: Final = 50


@dataclass(slots=True)
class _Follow:
    """How far the log was read. `absent` are numbers below `seq` that may still come, with the time to give them up."""

    seq: int
    absent: dict[int, float]
    alert_change: str | None
    known_changes: deque[str]

    @property
    def position(self) -> Position:
        """The position before which nothing can be missing."""
        return Position(min(self.absent) - 1 if self.absent else self.seq, self.alert_change)

    def take(self, entries: Iterable[LogEntry], *, now: float) -> None:
        """Note what was read, and what was absent in between."""
        for entry in entries:
            if entry.seq <= self.seq:
                self.absent.pop(entry.seq, None)
                continue
            between = range(max(self.seq + 1, entry.seq - _MOST_ABSENT), entry.seq)
            self.absent.update((seq, now + ABSENT_S) for seq in between)
            self.seq = entry.seq
        if self.absent:
            self.absent = {seq: until for seq, until in list(self.absent.items())[-_MOST_ABSENT:] if until > now}


class Joined(NamedTuple):
    """Where the log ended when somebody joined, and the position before which nothing can be missing: to come back with."""

    head: Position
    safe: Position


class Stream:
    """Reads the log for all listeners of one server. It is the observer of the platform's watch while anybody listens."""

    def __init__(self, platform: Platform, *, log: Log) -> None:
        self._platform = platform
        self._log = log
        self._listeners: set[Listener] = set()
        self._follow: _Follow | None = None
        self._starting = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._changed: dict[str, None] = {}
        self._clock_moved = False
        self._forgotten = False
        self._faults: dict[str, FaultStand] = {}
        self._attempted: set[str] = set()
        self._look_on_at = 0.0
        self._ended_at = Position(0, None)
        self._closed = False
        self._replays = ReplayWatch(platform)
        platform.clock.on_move(self._moved)
        platform.replays.on_change(self._replays_changed)

    # --- what the watch tells -----------------------------------------------------------------------------------

    def changed(self, delivery_id: str) -> None:
        """See `Observer.changed`."""
        if len(self._changed) <= MOST_CHANGED:
            self._changed[delivery_id] = None
        self._wake.set()

    def look(self) -> None:
        """See `Observer.look`."""
        self._wake.set()

    def forgotten(self) -> None:
        """See `Observer.forgotten`."""
        self._forgotten = True
        self._wake.set()

    def _moved(self) -> None:
        self._clock_moved = True
        self._wake.set()

    def _replays_changed(self) -> None:
        self._replays.look()
        self._wake.set()

    # --- who listens --------------------------------------------------------------------------------------------

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    async def join(self, wanted: Wanted) -> tuple[Listener, Joined]:
        """Return a listener that gets all from now on, and where "now" is.

        Raises: TooManyStreams, ServerStopping, StorageUnavailable.
        """
        async with self._starting:
            if len(self._listeners) >= MOST_LISTENERS:
                raise TooManyStreams(f"{MOST_LISTENERS} streams are open.", hint="Close those that nobody looks at.")
            if self._closed:
                raise ServerStopping
            if self._follow is None:
                await self._start()
            assert self._follow is not None
            listener = Listener(wanted)
            self._listeners.add(listener)
            head = Position(self._follow.seq, self._follow.alert_change)
            return listener, Joined(head, self._follow.position)

    async def leave(self, listener: Listener) -> None:
        """Give a listener up; after the last one nothing is read any more."""
        self._listeners.discard(listener)
        async with self._starting:
            if not self._listeners:
                await self._stop()

    async def close(self) -> None:
        """End all streams: the server stops."""
        self._closed = True
        for listener in self._listeners:
            listener.end("stopping")
        async with self._starting:
            await self._stop()

    def position(self) -> Position:
        """Return the position of what is told now."""
        return self._ended_at if self._follow is None else self._follow.position

    async def _start(self) -> None:
        platform = self._platform
        platform.watch.observe(self)
        try:
            head = await platform.reads.log_head()
            await self._replays.begin()
        except BaseException:
            platform.watch.observe(None)
            raise
        until = monotonic() + ABSENT_S
        absent = dict.fromkeys(head.absent, until) if platform.shared else {}
        known = deque([head.alert_change] if head.alert_change else [], maxlen=_KNOWN_CHANGES)
        self._follow = _Follow(head.seq, absent, head.alert_change, known)
        self._changed.clear()
        self._clock_moved = self._forgotten = False
        self._faults = self._fault_stands()
        self._task = asyncio.create_task(self._run(), name="event stream")

    async def _stop(self) -> None:
        self._platform.watch.observe(None)
        self._ended_at = self.position()
        task, self._task, self._follow = self._task, None, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    # --- the past, for who comes back ---------------------------------------------------------------------------

    async def start_of(self, given: str | None, since: datetime | None) -> Position | None:
        """Return the position that somebody asks to start from: one that was told, or that of a time; None: now.

        Raises: InvalidCursor, StorageUnavailable.
        """
        reads = self._platform.reads
        if given:
            position = Position.of(given)
            if position is None:
                raise InvalidCursor(
                    f'Last-Event-ID "{given[:60]}" is no id of this stream.',
                    hint="Give the id of a message as it came, or leave it out.",
                    field="Last-Event-ID",
                )
            newest = (await reads.log_head()).seq
            return position if position.seq <= newest else Position(0, None)  # of a log that was forgotten since
        if since is not None:
            at = await reads.log_before(since)
            changes = [c for c in await reads.alert_changes(after=None, until=None) if c.change.at < since]
            return Position(at, changes[-1].change.id if changes else None)
        return None

    async def past(self, start: Position, end: Position) -> AsyncIterator[list[Message]]:
        """Yield what the log holds between two positions, page by page. Raises: StorageUnavailable."""
        reads = self._platform.reads
        changes = deque(await reads.alert_changes(after=start.alert_change, until=end.alert_change))
        if end.alert_change is None:
            changes.clear()
        at = start
        while True:
            page = await reads.log_page(at.seq, end.seq, limit=PAGE)
            last = len(page) < PAGE
            until = None if last else page[-1].ended_at
            told = _told_until(changes, until)
            yield self._written(page, told, start=at)
            if last:
                return
            at = Position(page[-1].seq, told[-1].change.id if told else at.alert_change)

    def _written(self, entries: list[LogEntry], changes: list[AlertChange], *, start: Position) -> list[Message]:
        """Return messages in the order of time, each with the position just after it."""
        moment = Moment.of(self._platform.clock)
        waiting, at, messages = deque(changes), start, list[Message]()
        low = self.position().seq
        for entry in entries:
            for change in _told_until(waiting, entry.ended_at):
                at = Position(at.seq, change.change.id)
                messages.append(alert_told(change, position=str(at), moment=moment))
            at = Position(max(at.seq, min(entry.seq, low)), at.alert_change)
            messages.append(self._attempt(entry, at, moment))
        for change in waiting:
            at = Position(at.seq, change.change.id)
            messages.append(alert_told(change, position=str(at), moment=moment))
        return messages

    def _attempt(self, entry: LogEntry, at: Position, moment: Moment) -> Message:
        retries_max = len(self._platform.settings.retry_schedule) if entry.scheduled else 0
        return attempt_told(entry, position=str(at), moment=moment, retries_max=retries_max)

    # --- what happens now ---------------------------------------------------------------------------------------

    async def _run(self) -> None:
        """Read, tell, and wait: for a wake, or a second."""
        while True:
            try:
                more = await self._step()
            except StorageUnavailable as error:  # it is read again from where it stood
                self._log.warning(logs.STORE_FAILED, step="stream", error=error.message)
                more = False
            except Exception:  # the outermost edge: a defect must not end the telling; it goes on from where it stood
                self._log.exception(logs.STEP_FAILED, step="stream")
                more = False
            await asyncio.sleep(PAUSE_S)
            if not more:
                await self._woken()

    async def _woken(self) -> None:
        """Wait for a wake, or a second."""
        with suppress(TimeoutError):
            async with asyncio.timeout(UNASKED_S):
                await self._wake.wait()

    async def _step(self) -> bool:
        """Read what is new and tell it; return whether there is more. Raises: StorageUnavailable."""
        follow = self._follow
        assert follow is not None
        self._wake.clear()
        if self._forgotten:
            self._start_over(follow)
        await self._look_on()
        changed = self._take_changed()
        news = await self._platform.reads.log_news(
            follow.seq,
            missing=list(follow.absent),
            after_alert_change=follow.known_changes[0] if follow.known_changes else None,
            delivery_ids=changed,
            limit=PAGE,
        )
        replays = await self._replays.changed()
        if self._forgotten:
            return True  # what was read is of the time before
        self._tell(follow, news, replays)
        return len(news.entries) >= PAGE

    async def _look_on(self) -> None:
        """Ask the other dispatchers, if there may be any, to tell when they write."""
        if self._platform.shared and monotonic() >= self._look_on_at:
            self._look_on_at = monotonic() + UNASKED_S
            await self._platform.look_on()

    def _tell(self, follow: _Follow, news: LogNews, replays: list[tuple[Replay, ReplayCounts]]) -> None:
        start = Position(follow.position.seq, follow.alert_change)
        changes = [change for change in news.alert_changes if change.change.id not in follow.known_changes]
        follow.known_changes.extend(change.change.id for change in changes)
        follow.alert_change = max([c.change.id for c in changes] + [follow.alert_change or ""]) or None
        if self._platform.shared:
            follow.take(news.entries, now=monotonic())
        elif news.entries:
            follow.seq = news.entries[-1].seq
        messages = self._written(list(news.entries), changes, start=start) if news.entries or changes else []
        messages += self._unlogged(follow, news)
        moment, at = Moment.of(self._platform.clock), str(follow.position)
        messages += [replay_told(*one, position=at, moment=moment) for one in replays]
        if messages:
            for listener in tuple(self._listeners):
                listener.put(messages)

    def _unlogged(self, follow: _Follow, news: LogNews) -> list[Message]:
        """Return what no log holds: deliveries that were made or moved without an attempt, the clock, the faults."""
        moment, position = Moment.of(self._platform.clock), str(follow.position)
        before_this, self._attempted = self._attempted, {entry.delivery_id for entry in news.entries}
        # an attempt says it all, and may be read before we are told of it; but not that its delivery was canceled then
        said = before_this | self._attempted
        others = [one for one in news.deliveries if one.id not in said or one.state is State.CANCELED]
        messages = [delivery_told(one, position=position, moment=moment) for one in listed(self._platform, others)]
        if self._clock_moved:
            self._clock_moved = False
            messages.append(clock_told(self._platform.clock, position=position, moment=moment))
        before, self._faults = self._faults, self._fault_stands()
        if before != self._faults:
            messages += faults_told(before, self._faults, position=position, moment=moment)
        return messages

    def _take_changed(self) -> list[str]:
        """Return the deliveries to look at: none when nobody wants them, or when there are too many of them."""
        changed, self._changed = self._changed, {}
        wanted = any(one.wanted.kinds is None or "delivery" in one.wanted.kinds for one in self._listeners)
        return list(changed) if wanted and len(changed) <= MOST_CHANGED else []

    def _fault_stands(self) -> dict[str, FaultStand]:
        faults = self._platform.faults
        every = faults.every()
        return {one.id: fault_stand(one, left=faults.left(one), text=faults.text(one)) for one in every}

    def _start_over(self, follow: _Follow) -> None:
        """Follow a log that begins anew."""
        self._forgotten = False
        self._changed.clear()
        follow.seq, follow.absent, follow.alert_change = 0, {}, None
        follow.known_changes.clear()


def _told_until(changes: deque[AlertChange], until: datetime | None) -> list[AlertChange]:
    """Take the changes that came before a time from the front; None: all of them."""
    told = []
    while changes and (until is None or changes[0].change.at < until):
        told.append(changes.popleft())
    return told
