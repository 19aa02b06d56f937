"""What wakes the engine: a loop timer for the next due time, and APScheduler's heartbeat that would catch a lost wake.

The timer is re-armed by whoever sleeps; the heartbeat's jobs are never re-armed from inside themselves (a job that was
got dropped as "maximum number of running instances reached"). This module runs steps; it does not know what they do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from swiftclaw_local.scheduler.clock import Clock

Step = Callable[[], Awaitable[None]]

# Timers longer than this are cut short, so that a clock that was moved meanwhile is looked at again.
_LONGEST_SLEEP_S: Final = 60.0


class Alarm:
    """One timer: calls `ring` when the engine's clock reaches the time it is set to."""

    def __init__(self, clock: Clock, ring: Callable[[], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None
        self._due_at: datetime | None = None

    def set(self, due_at: datetime | None) -> None:
        """Ring at `due_at` (aware UTC), at once when it has passed; None, or a clock that stands still: never."""
        self.cancel()
        self._due_at = due_at
        seconds = None if due_at is None else self._clock.real_seconds_until(due_at)
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(min(seconds, _LONGEST_SLEEP_S), self._ring)

    def bring_forward(self, due_at: datetime) -> None:
        """Ring at `due_at` unless it is set to ring before that."""
        if self._due_at is None or due_at < self._due_at:
            self.set(due_at)

    def cancel(self) -> None:
        """Do not ring."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._due_at = None


class Heartbeat:
    """Periodic steps on APScheduler, in real time, each never twice at once."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        self._running: set[asyncio.Task[None]] = set()
        self._stopped = False

    def every(self, seconds: float, name: str, step: Step) -> None:
        """Run `step` every so many real seconds."""

        async def run() -> None:
            if self._stopped:
                return
            task = asyncio.ensure_future(step())
            self._running.add(task)
            try:
                await task
            finally:
                self._running.discard(task)

        self._scheduler.add_job(
            run, IntervalTrigger(seconds=seconds), id=name, max_instances=1, coalesce=True, misfire_grace_time=None
        )

    def start(self) -> None:
        """Begin."""
        self._scheduler.start()

    async def stop(self) -> None:
        """Let running steps end, then stop: a scheduler shut down first would cancel them with a traceback."""
        self._stopped = True
        if self._running:
            await asyncio.gather(*self._running, return_exceptions=True)
        self._scheduler.shutdown(wait=False)
        await asyncio.sleep(0)
