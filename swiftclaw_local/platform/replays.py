"""Replaying many deliveries: count first, then act; in turn, at a rate, with canaries, until too many in a row fail.

What is to be sent is kept as a list before anything is sent, and each step is one transaction: a replay goes on after a
restart, and sends nothing twice. Of several dispatchers one sees to a replay at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from swiftclaw_local import logs
from swiftclaw_local.dispatcher.engine import Engine
from swiftclaw_local.dispatcher.watch import Watch
from swiftclaw_local.errors import (
    InvalidInput,
    NotFound,
    StorageUnavailable,
)
from swiftclaw_local.logs import Log
from swiftclaw_local.platform.webhooks import NewPlace, Webhooks
from swiftclaw_local.scheduler.clock import Clock, monotonic
from swiftclaw_local.storage.reads import Order, Reads
from swiftclaw_local.storage.records import DeliveryFilter, Webhook
from swiftclaw_local.storage.replay_records import (
    MOST_ITEMS,
    Replay,
    Replayable,
    ReplayItem,
    ReplayState,
    ReplayWish,
)
from swiftclaw_local.storage.states import State
from swiftclaw_local.storage.store import Store

RATE: Final = 10.0
FASTEST: Final = 10_000.0
CANARY: Final = 1
# How often it is looked what came of those under way (seconds).
LOOK_S: Final = 0.05
# So many replays are seen to at once.
MOST_RUNNING: Final = 100
# So many may be under way at once; and of a second's worth of deliveries at most this part.
FEWEST_UNDER_WAY, MOST_UNDER_WAY = 20, 200
_PART_UNDER_WAY: Final = 0.2
_CANARY_FAILED: Final = "canary"
_FAILED_IN_A_ROW: Final = "failures"


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """What a replay would do. `scheduled` of its deliveries have retries still to come, which it cancels."""

    items: tuple[Replayable, ...]
    wish: ReplayWish
    webhooks: int
    scheduled: int
    new_place: NewPlace | None = None

    @property
    def about_s(self) -> float:
        """How long it takes at least, in seconds."""
        return len(self.items) / self.wish.rate


@dataclass(slots=True)
class _Under:
    """A replay that this process sees to: what is under way by its number, and how the newest went."""

    replay: Replay
    began_at: float
    open: set[int] = field(default_factory=set)
    made: int = 0  # since `began_at`
    failed_in_a_row: int = 0
    canaries_left: int = 0
    canary_failed: bool = False

    def room(self, now: float) -> int:
        """Return how many may be made now, by the rate and by what is under way."""
        wish = self.replay.wish
        most = min(MOST_UNDER_WAY, max(FEWEST_UNDER_WAY, int(wish.rate * _PART_UNDER_WAY)))
        by_rate = int((now - self.began_at) * wish.rate) + 1 - self.made
        if by_rate > most:  # it was held up: the rate is a most, nothing is caught up on
            self.made += by_rate - most
            by_rate = most
        return max(0, min(by_rate, most - len(self.open)))

    def learn(self, item: ReplayItem) -> None:
        """Note what came of one that is decided."""
        self.open.discard(item.number)
        if item.number > self.replay.judged_after:
            self.failed_in_a_row = 0 if item.delivered else self.failed_in_a_row + 1
        if item.number <= self.replay.wish.canary and not item.delivered and item.number > self.replay.judged_after:
            self.canary_failed = True


class Replays:
    """The replays of many deliveries."""

    def __init__(
        self,
        store: Store,
        reads: Reads,
        *,
        webhooks: Webhooks,
        engine: Engine,
        clock: Clock,
        watch: Watch,
        log: Log,
    ) -> None:
        self._store = store
        self._reads = reads
        self._webhooks = webhooks
        self._engine = engine
        self._clock = clock
        self._watch = watch
        self._log = log
        self._under: dict[str, _Under] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._to_take_up = True
        self._changed: Callable[[], None] = lambda: None

    def on_change(self, changed: Callable[[], None]) -> None:
        """Call this whenever a replay begins, is paused or resumed, or ends."""
        self._changed = changed

    # --- life ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Go on with the replays that run."""
        self._task = asyncio.create_task(self._run(), name="replays")

    async def stop(self) -> None:
        """Make no more deliveries; the replays go on at the next start, or at another dispatcher."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def look_for_more(self) -> None:
        """See to replays that other dispatchers began, or left; to be called every second where there may be any."""
        running = {replay.id for replay in await self._reads.replays(limit=MOST_RUNNING, running=True)}
        if running != self._under.keys():
            self._look()

    def forget(self) -> None:
        """Forget what runs: everything was."""
        self._under.clear()

    # --- what people ask ----------------------------------------------------------------------------------------

    async def plan(
        self,
        wanted: DeliveryFilter,
        *,
        asked: str,
        ids: Sequence[str] | None = None,
        order: Order = "event",
        rate: float = RATE,
        canary: int = CANARY,
        stop_after: int | None = None,
        with_retries: bool = False,
        to: str | None = None,
    ) -> ReplayPlan:
        """Return what a replay would send; `asked` is the filter as JSON, `to` the id of another webhook, or a URL.

        Raises: InvalidInput for more than 100,000, or a new URL for those of several webhooks; UnknownWebhook, InvalidUrl.
        """
        items = await self._reads.replayable(wanted, ids=None if ids is None else tuple(ids), order=order)
        if len(items) > MOST_ITEMS:
            raise InvalidInput(
                f"More than {MOST_ITEMS:,} deliveries match.", hint="Narrow it: --since, --cause, --webhook"
            )
        own = {one.webhook_id for one in items}
        target = None if to is None else await self._webhooks.place(to, own=own)
        elsewhere = target.id if isinstance(target, Webhook) else None
        wish = ReplayWish(asked, rate, canary, stop_after, with_retries, elsewhere)
        scheduled = sum(one.state is State.PENDING for one in items)
        new_place = target if isinstance(target, NewPlace) else None
        return ReplayPlan(tuple(items), wish, len(own) if to is None else 1, scheduled, new_place)

    async def begin(self, plan: ReplayPlan) -> str:
        """Keep a plan's deliveries as a replay and begin with it; return its id. Raises: NotFound, UnknownWebhook."""
        if not plan.items:
            raise NotFound("No delivery matches: there is nothing to replay.", field="filter")
        wish = plan.wish
        if plan.new_place is not None:
            made = await self._webhooks.add_for_replays(plan.new_place)
            wish = replace(wish, to_webhook=made.id)
        replay_id = await self._store.add_replay(wish, plan.items, now=self._clock.now())
        self._look()
        self._changed()
        return replay_id

    async def pause(self, replay_id: str) -> None:
        """Make no more deliveries until it is resumed; those under way end. Raises: UnknownReplay, Conflict."""
        await self._set(replay_id, "paused")

    async def resume(self, replay_id: str) -> None:
        """Go on, with the failures so far accepted. Raises: UnknownReplay, Conflict."""
        replay = await self._reads.replay(replay_id)
        counts = await self._reads.replay_counts(replay_id)
        await self._set(replay_id, "running", judged_after=replay.total - counts.left)
        self._look()

    async def _set(
        self, replay_id: str, state: ReplayState, *, reason: str | None = None, judged_after: int | None = None
    ) -> None:
        await self._store.set_replay(
            replay_id, state=state, reason=reason, judged_after=judged_after, now=self._clock.now()
        )
        self._under.pop(replay_id, None)
        self._changed()
        if state != "running":
            self._log.info(logs.REPLAY_CHANGED, replay_id=replay_id, state=state, reason=reason)

    # --- the loop: step + wait ----------------------------------------------------------------------------------

    def _look(self) -> None:
        self._to_take_up = True
        self._wake.set()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self.step()
            except StorageUnavailable as error:  # it is looked again
                self._look()
                await asyncio.sleep(LOOK_S)
                self._log.warning(logs.STORE_FAILED, step="replays", error=error.message)
            except Exception:  # the outermost edge: a defect must not end all replays; they are looked at again
                self._log.exception(logs.STEP_FAILED, step="replays")
            try:
                async with asyncio.timeout(LOOK_S if self._under else None):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def step(self) -> None:
        """See to every replay that runs: learn what came of its deliveries, and make those whose turn it is."""
        if self._to_take_up:
            self._to_take_up = False
            await self._take_up()
        for under in list(self._under.values()):
            await self._go_on(under)

    async def _take_up(self) -> None:
        """Look which replays run, and begin to see to those that are new here."""
        running = {replay.id: replay for replay in await self._reads.replays(limit=MOST_RUNNING, running=True)}
        for replay_id in self._under.keys() - running.keys():
            del self._under[replay_id]
        for replay_id in running.keys() - self._under.keys():
            under = _Under(running[replay_id], monotonic())
            items = await self._reads.replay_items(replay_id, which="open", limit=MOST_UNDER_WAY * 10)
            under.open = {item.number for item in items}
            counts = await self._reads.replay_counts(replay_id)
            begun = under.replay.total - counts.left
            under.canaries_left = max(0, under.replay.wish.canary - begun)
            self._under[replay_id] = under

    async def _go_on(self, under: _Under) -> None:
        if under.open:
            for item in await self._reads.replay_items_named(under.replay.id, tuple(under.open)):
                if item.decided:
                    under.learn(item)
        reason = self._why_stop(under)
        if reason is not None:
            return await self._set(under.replay.id, "stopped", reason=reason)
        room = under.room(monotonic())
        if under.canaries_left or (under.open and min(under.open) <= under.replay.wish.canary):
            room = min(room, under.canaries_left)  # the others wait for what comes of these
        if room:
            await self._make(under, room)
        return None

    @staticmethod
    def _why_stop(under: _Under) -> str | None:
        stop_after = under.replay.wish.stop_after
        if under.canary_failed:
            return _CANARY_FAILED
        return _FAILED_IN_A_ROW if stop_after is not None and under.failed_in_a_row >= stop_after else None

    async def _make(self, under: _Under, room: int) -> None:
        """Make the next deliveries, and end the replay when there are none left and none under way."""
        replay_id = under.replay.id
        step = await self._store.replay_next(replay_id, now=self._clock.now(), limit=room)
        if step is None:  # paused, or another dispatcher sees to it
            self._under.pop(replay_id, None)
            return
        under.open |= {number for number, _ in step.made}
        under.made += len(step.made)
        under.canaries_left = max(0, under.canaries_left - len(step.made) - step.skipped)
        for _, new_id in step.made:
            self._watch.tell(new_id)
        if step.made:
            self._engine.wake()
        elif not step.skipped and not under.open:
            counts = await self._reads.replay_counts(replay_id)
            if not counts.left and not counts.sending:
                await self._set(replay_id, "done")
