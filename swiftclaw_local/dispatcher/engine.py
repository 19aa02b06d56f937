"""The engine: claims what is due, sends it, decides, records; and sleeps until the next due time.

One lap per attempt: claim -> request -> sender -> decide -> record. It holds no truth of its own: whatever it loses with
the process is in the store. It does not know the API, the commands, or what the clock is moved for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from random import Random
from typing import Any, Final, TypeVar

from swiftclaw_local import logs
from swiftclaw_local.dispatcher.alerting import AlertJudge
from swiftclaw_local.dispatcher.armed import ArmedFaults
from swiftclaw_local.dispatcher.attempt import attempt_made, mark_of
from swiftclaw_local.dispatcher.faults import Hit, mark_under, outcome_under, requests_under, unsent
from swiftclaw_local.dispatcher.journal import Journal, sent
from swiftclaw_local.dispatcher.lanes import Lanes, is_late
from swiftclaw_local.dispatcher.request import HeaderMode, Request, build_request
from swiftclaw_local.dispatcher.sender import Exchange, Poster
from swiftclaw_local.dispatcher.underway import Underway
from swiftclaw_local.dispatcher.unrecorded import Unrecorded
from swiftclaw_local.dispatcher.watch import Watch
from swiftclaw_local.dispatcher.workers import Workers
from swiftclaw_local.errors import Conflict, EngineStuck, StorageUnavailable
from swiftclaw_local.logs import Log
from swiftclaw_local.scheduler.clock import Clock, monotonic
from swiftclaw_local.scheduler.outcome import Cause, Unanswered
from swiftclaw_local.scheduler.policy import Schedule, decide, with_jitter
from swiftclaw_local.scheduler.wake import Alarm
from swiftclaw_local.storage.records import Claim, Mark, MarkDead, MarkRetry, MarkSucceeded, Recorded
from swiftclaw_local.storage.store import Store

# Claims waiting in memory per webhook beyond its slots: enough to keep the slots busy over one commit, few enough to forget.
PREFETCH: Final = 40
# A lane with no more than this waiting is filled up again from the store.
LOW_WATER: Final = PREFETCH // 4
# Attempts that ended and are not written down yet: beyond so many no other begins, for all of them would be made again
# after a crash. It is more than two commits take.
MOST_UNRECORDED: Final = 256
# How long to wait before a failed database call is made again (seconds).
STORE_RETRY_S: Final = 0.25

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How the engine behaves: the schedule, its jitter (0 = none), the request headers, and how much is in flight."""

    schedule: Schedule
    jitter: float
    headers: HeaderMode
    concurrency: int
    slots: Callable[[], int]
    seed: int | None = None


class Engine:
    """The dispatcher of one process."""

    def __init__(
        self,
        store: Store,
        sender: Poster,
        *,
        clock: Clock,
        settings: EngineSettings,
        journal: Journal,
        watch: Watch,
        alerts: AlertJudge,
        log: Log,
        faults: ArmedFaults | None = None,
    ) -> None:
        self._faults = faults or ArmedFaults()
        self._store = store
        self._sender = sender
        self._clock = clock
        self._settings = settings
        self._journal = journal
        self._watch = watch
        self._alerts = alerts
        self._log = log
        self._lanes = Lanes()
        self._workers = Workers(self._attempts_from, rested=self._rested)
        self._beside: set[asyncio.Task[None]] = set()
        self._unrecorded = Unrecorded(self._recorded, emptied=self._rested)
        self._store_fails = False
        self._held_back = False
        # Deliveries that are being added, which may be leased at once and handed off: a stop waits for them.
        self.adding = Underway()
        self._awake = asyncio.Event()
        self._idle = asyncio.Event()
        self._alarm = Alarm(clock, self.wake)
        self._random = Random(settings.seed)  # noqa: S311 - jitter spreads load, it keeps no secret
        self._more_in_store = False
        self._stopping = False
        self._loop: asyncio.Task[None] | None = None
        self._slots = settings.slots()
        clock.on_move(self._clock_moved)

    # --- life ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to deliver."""
        self._loop = asyncio.create_task(self._run(), name="engine")
        self._awake.set()

    async def stop(self) -> None:
        """Claim nothing more, give back what was not sent yet, and let the attempts in flight end and be recorded."""
        self._stopping = True
        self.wake()
        if self._loop is not None:
            await self._loop
        self._alarm.cancel()
        # what is leased as it is added is handed off in a moment, and given back like the rest
        await self.adding.ended()
        await self.take_back()
        self._workers.close()
        while unfinished := self._unfinished():
            await asyncio.wait(unfinished)

    async def abandon(self) -> None:
        """Cut off the attempts in flight and forget the waiting ones: for a reset, which forgets their deliveries too."""
        self._lanes.withdraw()
        while unfinished := self._unfinished():
            for task in self._in_hand():
                task.cancel()
            await asyncio.wait(unfinished)
        self._lanes.clear()  # one that was cut off before its first turn has told nobody that its slot is free

    def _in_hand(self) -> set[asyncio.Task[None]]:
        """Return the tasks of the attempts in flight, and of what is done beside them."""
        return self._workers.at_work | self._beside

    def _unfinished(self) -> set[asyncio.Future[Any]]:
        """Return what is in hand, and the attempts that ended and are not written down yet."""
        return {*self._in_hand(), *self._unrecorded}

    def _rests(self) -> bool:
        return not self._workers.at_work and not self._beside

    @property
    def alive(self) -> bool:
        """Whether the engine's loop runs."""
        return self._loop is not None and not self._loop.done() and not self._stopping

    # --- what others tell it ------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Look for due deliveries now."""
        self._idle.clear()
        self._awake.set()

    def _clock_moved(self) -> None:
        self._slots = self._settings.slots()  # a manual clock may have another number
        self.wake()

    def hand_off(self, claims: Iterable[Claim]) -> None:
        """Send deliveries that were leased as they were added; needs no claim."""
        self._idle.clear()
        for claim in claims:
            self._lanes.put(claim)
        self._start_attempts()

    def full(self) -> frozenset[str]:
        """Return the webhooks whose lanes take no more claims for now."""
        return self._lanes.full(self._most())

    def _most(self) -> int:
        """Return how many claims of one webhook may be here: what fits its slots, and some ahead unless many wait already.

        Those that wait are of webhooks whose slots are full. Counted against the room for others, a dozen webhooks that
        hang kept everybody's due deliveries from being claimed.
        """
        ahead = PREFETCH if self._lanes.waiting < self._settings.concurrency else 0
        return self._slots + ahead

    async def take_back(self, webhook_id: str | None = None) -> int:
        """Give claims that were not sent yet back to the store, one webhook's or all; return their number."""
        claims = self._lanes.withdraw(webhook_id)
        if claims:
            await self._insist(lambda: self._store.give_back(claims, now=self._clock.now()))
            self.wake()
        return len(claims)

    async def give_back_late(self) -> None:
        """Give claims back that waited so long for a slot that their leases are not to be trusted any more."""
        claims = self._lanes.withdraw_late(monotonic())
        if claims:
            await self._insist(lambda: self._store.give_back(claims, now=self._clock.now()))
            self.wake()

    async def told(self) -> None:
        """Wait until the attempts that have ended by now are written down and told of: readers may see them before."""
        if self._unrecorded:
            await asyncio.wait([*self._unrecorded])

    async def settle(self) -> None:
        """Wait until nothing is in flight and nothing is due at the clock's present time."""
        self.wake()
        await self._idle.wait()

    # --- the loop: step + wait ----------------------------------------------------------------------------------

    async def _run(self) -> None:
        while not self._stopping:
            self._awake.clear()
            try:
                await self.step()
            except StorageUnavailable as error:
                self._log.warning(logs.STORE_FAILED, verb="claim_due", error=error.message)
                self._wake_in(STORE_RETRY_S)
            except Exception:  # the loop must outlive any defect; the heartbeat comes back to what was due
                self._log.exception(logs.STEP_FAILED, step="engine")
                self._wake_in(STORE_RETRY_S)
            await self._awake.wait()
        self._idle.set()  # nobody shall wait for an engine that stopped

    async def step(self) -> int:
        """Claim what is due, start it, and set the alarm for what is due next; return the number claimed.

        Raises: EngineStuck when something is due, there is room for it, and still nothing could be claimed.
        """
        now = self._clock.now()
        room = self._settings.concurrency - self._lanes.in_flight
        self._more_in_store = room <= 0
        if room <= 0:
            return 0  # an attempt that ends wakes us
        claimed = await self._claim(now, room)
        full = self.full()
        self._more_in_store = bool(full) or claimed == room
        due_at = await self._store.next_due_at(except_webhooks=full)
        # with attempts in flight, a lane that was full at the claim may have room by now: the next step takes from it
        if due_at is not None and due_at <= now and not claimed and self._rests():
            if not self._store.shared:
                raise EngineStuck(f"A delivery is due since {due_at.isoformat()} and cannot be claimed.")
            self._wake_in(STORE_RETRY_S)  # another dispatcher was faster, or is just about to commit
        self._alarm.set(due_at)
        if self._rests() and not (self._unrecorded or self._awake.is_set() or (due_at is not None and due_at <= now)):
            self._idle.set()
        return claimed

    async def _claim(self, now: datetime, room: int) -> int:
        claims = await self._store.claim_due(now=now, limit=room, per_webhook=self._most(), busy=self._lanes.load())
        for claim in claims:
            self._lanes.put(claim)
        self._start_attempts()
        return len(claims)

    def _wake_in(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self.wake)

    def _start_attempts(self) -> None:
        while self._lanes.waiting and self._lanes.in_flight < self._settings.concurrency:
            claim = self._next_claim()
            if claim is None:
                return
            self._workers.begin(claim)

    def _next_claim(self) -> Claim | None:
        """Return the claim whose turn it is, None when none may begin."""
        if self._stopping:
            return None
        if self._store_fails or len(self._unrecorded) >= MOST_UNRECORDED:
            self._held_back = True
            return None
        return self._lanes.take(slots=self._slots)

    async def _attempts_from(self, first: Claim) -> None:
        """Make one attempt after the other while a claim's turn comes.

        What came of an attempt is written while the next is made: the slot is the receiver's, not the database's.
        """
        claim: Claim | None = first
        while claim is not None:
            try:
                mark = await self._attempt(claim)
                if mark is not None:
                    self._record(claim, mark)
            except Exception:
                # A defect of ours. The delivery stays in flight; the next start gives it back as interrupted.
                self._log.exception(logs.STEP_FAILED, step="attempt", delivery_id=claim.delivery_id)
            finally:
                waiting = self._lanes.done(claim.webhook_id)
                if self._more_in_store and waiting <= LOW_WATER:
                    self._awake.set()
            claim = self._next_claim()

    def _rested(self) -> None:
        if self._rests():
            self._awake.set()

    # --- one attempt --------------------------------------------------------------------------------------------

    async def _attempt(self, claim: Claim) -> Mark | None:
        """Send and decide; return what is to be recorded, None when by then it was too late, or not to be sent any more."""
        begun = not claim.interruptions or await self._insist(lambda: self._store.begin_again(claim))
        if not begun or (claim.begin_by is not None and is_late(claim, monotonic())):
            await self._insist(lambda: self._store.give_back([claim], now=self._clock.now()))
            self._watch.tell(claim.delivery_id)
            self.wake()
            return None
        started_at = self._clock.now()
        hit = self._faults.take(claim, started_at) if self._faults.armed else None
        if hit is not None:
            return await self._attempt_under(hit, claim, started_at)
        request = build_request(claim, mode=self._settings.headers, now=started_at)
        try:
            exchange = await self._sender.post(request)
        except Exception as error:
            exchange = self._unsent(claim, error)
        return self._mark(claim, request, exchange, started_at=started_at)

    async def _attempt_under(self, hit: Hit, claim: Claim, started_at: datetime) -> Mark:
        """Make an attempt as a fault has it. A second request at the same time gets its own row, before the first one's."""
        requests = requests_under(hit, claim, mode=self._settings.headers, now=started_at)
        posts = await asyncio.gather(*map(self._sender.post, requests), return_exceptions=True)
        exchanges = [post if isinstance(post, Exchange) else self._unsent(claim, post) for post in posts]
        made = list(zip(requests, exchanges, strict=True)) or [
            (Request(claim.url, b"", "", b""), Exchange(unsent(hit), 0))
        ]
        first, *others = [self._mark(claim, *one, started_at=started_at, hit=hit) for one in made]
        for other in others:
            twin = MarkSucceeded(replace(other.attempt, lease_token=-claim.lease_token))
            recorded = await self._insist(partial(self._store.record, twin))
            self._tell(claim, twin, recorded)
        return mark_under(hit, first)

    def _unsent(self, claim: Claim, error: BaseException) -> Exchange:
        """Return what to make of a defect of the sender: it must not cost the delivery, which is retried as unanswered."""
        self._log.error(logs.STEP_FAILED, step="send", delivery_id=claim.delivery_id, exc_info=error)
        return Exchange(Unanswered(Cause.INTERNAL, type(error).__name__), 0)

    def _mark(
        self, claim: Claim, request: Request, exchange: Exchange, *, started_at: datetime, hit: Hit | None = None
    ) -> Mark:
        """Decide on what came of an attempt."""
        ended_at = self._clock.now()
        if hit is not None:
            outcome = outcome_under(hit, exchange.outcome, duration_ms=exchange.duration_ms)
            exchange = Exchange(outcome, exchange.duration_ms)
        schedule = self._schedule_of(claim)
        decision = decide(exchange.outcome, retries_used=claim.retries_used, now=ended_at, schedule=schedule)
        if self._settings.jitter:
            decision = with_jitter(decision, now=ended_at, part=self._settings.jitter, random=self._random)
        fault = None if hit is None else str(hit.fault)
        attempt = attempt_made(claim, request, exchange, started_at=started_at, ended_at=ended_at, fault=fault)
        return mark_of(attempt, decision)

    def _schedule_of(self, claim: Claim) -> Schedule:
        return self._settings.schedule if claim.scheduled else ()

    # --- what came of it ----------------------------------------------------------------------------------------

    def _record(self, claim: Claim, mark: Mark) -> None:
        """Have an attempt written down; nothing waits for it but what is told then."""
        self._unrecorded.add(claim, mark, self._store.record(mark))

    def _recorded(self, claim: Claim, mark: Mark, record: asyncio.Future[Recorded]) -> None:
        error = record.exception()
        if error is None:
            self._written(claim, mark, record.result())
        elif isinstance(error, StorageUnavailable):
            self._store_fails = True
            self._log.warning(logs.STORE_FAILED, verb="record", error=error.message)
            self._attend(self._record_again(claim, mark))
        else:
            self._not_recorded(claim, error)

    async def _record_again(self, claim: Claim, mark: Mark) -> None:
        """Write down what could not be written: it stays in memory until it can, and nothing else is sent meanwhile."""
        await asyncio.sleep(STORE_RETRY_S)
        try:
            recorded = await self._insist(lambda: self._store.record(mark))
        except Exception as error:
            self._not_recorded(claim, error)
        else:
            self._written(claim, mark, recorded)

    def _written(self, claim: Claim, mark: Mark, recorded: Recorded) -> None:
        self._tell(claim, mark, recorded)
        self._watch.tell(claim.delivery_id)
        if self._faults.releasing:
            self._attend(self._release(claim.delivery_id))
        self._store_answered()

    async def _release(self, delivery_id: str) -> None:
        """Let the deliveries go that a fault held back until now."""
        pending = self._faults.released_by(delivery_id)
        while pending:
            name = pending.pop(0)
            try:
                await self._insist(partial(self._store.bring_forward, name, now=self._clock.now()))
            except Conflict:  # canceled, or on its way already
                pending += self._faults.released_by(name)
        self.wake()

    def _attend(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside the attempts, before the engine counts as idle."""
        task = asyncio.create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside_ended)

    def _beside_ended(self, task: asyncio.Task[None]) -> None:
        self._beside.discard(task)
        self._rested()

    def _not_recorded(self, claim: Claim, error: BaseException) -> None:
        """Tell of a defect of ours, or of a delivery that a reset forgot; what is in flight the next start gives back."""
        self._log.error(logs.STEP_FAILED, step="record", delivery_id=claim.delivery_id, exc_info=error)
        self._watch.tell(claim.delivery_id)
        self._store_answered()

    def _store_answered(self) -> None:
        """Go on with what was held back until attempts that ended could be written down."""
        self._store_fails = False
        if self._held_back and len(self._unrecorded) < MOST_UNRECORDED:
            self._held_back = False
            self._start_attempts()

    def _tell(self, claim: Claim, mark: Mark, recorded: Recorded) -> None:
        if mark.attempt.fault is None and self._journal.only_counts(recorded.state, mark.attempt.duration_ms):
            return
        due_at = mark.due_at if isinstance(mark, MarkRetry) else None
        reason = mark.reason if isinstance(mark, MarkDead) else None
        retries_max = len(self._schedule_of(claim))
        self._journal.add(sent(claim, mark.attempt, recorded, retries_max=retries_max, reason=reason, due_at=due_at))
        if due_at is not None:
            self._alarm.bring_forward(due_at)
        if not isinstance(mark, MarkSucceeded) and claim.trigger != "test":
            self._alerts.failed(claim.agent)

    async def _insist(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call to the store until it works; what is to be written stays in memory meanwhile."""
        while True:
            try:
                return await call()
            except StorageUnavailable as error:
                self._log.warning(logs.STORE_FAILED, error=error.message)
                await asyncio.sleep(STORE_RETRY_S)
