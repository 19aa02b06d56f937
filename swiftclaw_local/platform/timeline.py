"""Moving the engine's clock: jump to the next due time, let everything due run to its end, and so on to the goal.

So a retry made at minute 1 is due at minute 6, not at the end of the move; six attempts take no real time at all.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from swiftclaw_local import logs
from swiftclaw_local.dispatcher.alerting import AlertJudge
from swiftclaw_local.dispatcher.engine import Engine
from swiftclaw_local.dispatcher.journal import Journal, Sent
from swiftclaw_local.logs import Log
from swiftclaw_local.scheduler.clock import Clock, text
from swiftclaw_local.storage.records import KeptClock
from swiftclaw_local.storage.store import Store

MAX_SENDS: Final = 10_000
_END_OF_TIME: Final = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Moved:
    """What ran while the clock moved on from `before`; `stopped_early` when the most sends asked for were reached."""

    before: datetime
    sends: tuple[Sent, ...]
    stopped_early: bool


class Timeline:
    """The clock as people and tests move it. One move at a time.

    Stopping it, or letting it run fast, raises ClockShared while other dispatchers are at work on the database.
    """

    def __init__(
        self, store: Store, *, clock: Clock, engine: Engine, alerts: AlertJudge, journal: Journal, log: Log
    ) -> None:
        self._store = store
        self._clock = clock
        self._engine = engine
        self._alerts = alerts
        self._journal = journal
        self._log = log
        self._moving = asyncio.Lock()

    async def freeze(self) -> None:
        """Stop the clock; what is due later waits until the clock is moved."""
        await self._store.hold_clock(virtual=True)
        self._clock.freeze()
        await self.keep()

    async def resume(self) -> None:
        """Let the clock run at the real pace again."""
        self._clock.resume()
        await self.keep()
        await self._store.hold_clock(virtual=False)

    async def run_at(self, rate: float) -> None:
        """Let the clock run `rate` times as fast. Raises: InvalidSetting."""
        await self._store.hold_clock(virtual=rate != 1)
        self._clock.run_at(rate)
        await self.keep()

    async def advance(self, by: timedelta, *, max_sends: int = MAX_SENDS) -> Moved:
        """Move a manual clock on by a duration. Raises: ClockNotManual."""
        async with self._moving:
            return await self._move(self._clock.now() + by, max_sends=max_sends)

    async def move_to(self, at: datetime, *, max_sends: int = MAX_SENDS) -> Moved:
        """Move a manual clock to a time (aware UTC). Raises: ClockNotManual, ClockBackwards."""
        async with self._moving:
            return await self._move(at, max_sends=max_sends)

    async def run_next(self, *, max_sends: int = MAX_SENDS) -> Moved:
        """Move a manual clock to the next due time and run what is due then. Raises: ClockNotManual."""
        async with self._moving:
            self._clock.check_manual()
            await self._engine.settle()
            due_at = await self._store.next_due_at()
            return await self._move(self._clock.now() if due_at is None else due_at, max_sends=max_sends)

    async def run_until_idle(self, *, max_sends: int = MAX_SENDS) -> Moved:
        """Run everything that is scheduled, and stop the clock at the last attempt. Raises: ClockNotManual."""
        async with self._moving:
            return await self._move(None, max_sends=max_sends)

    async def next_due_at(self) -> datetime | None:
        """Return when the next attempt is due (aware UTC), or None when nothing is scheduled."""
        return await self._store.next_due_at()

    async def keep(self) -> None:
        """Remember how the clock stands, for the next start."""
        setting = self._clock.setting()
        await self._store.keep_clock(KeptClock(rate=setting.rate, at=setting.at, lead=setting.lead))

    async def _move(self, goal: datetime | None, *, max_sends: int) -> Moved:
        """Go on to `goal`, or with None as long as anything is scheduled."""
        self._clock.check_manual()
        before = self._clock.now()
        if goal is not None:
            self._clock.check_not_before_now(goal)
        with self._journal.collecting() as sends:
            while True:
                await self._engine.settle()
                await self._alerts.judge()
                due_at = await self._store.next_due_at()
                stopped_early = len(sends) >= max_sends
                if stopped_early or due_at is None or due_at > (goal or _END_OF_TIME):
                    break
                self._clock.move_to(max(due_at, self._clock.now()))
        if goal is not None and not stopped_early:
            self._clock.move_to(goal)
            await self._alerts.judge()
        await self.keep()
        self._log.info(logs.CLOCK_ADVANCED, now=text(self._clock.now()), sends=len(sends))
        return Moved(before, tuple(sends), stopped_early)
