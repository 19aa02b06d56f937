"""The engine under measure: a whole platform over a SQLite file, with events emitted in the same process.

Admission is bounded: an event is emitted only while fewer than `admitted` others wait for their first attempt.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

from swiftclaw_local import logs
from swiftclaw_local.dispatcher.addresses import AddressPolicy
from swiftclaw_local.dispatcher.request import Request
from swiftclaw_local.dispatcher.sender import Exchange, Sender
from swiftclaw_local.platform import Platform
from swiftclaw_local.settings import Settings
from tests.bench.child import Meter, answer_rounds
from tests.bench.sides.payload import AGENT, EVENT_TYPE, SECRET, data_of_500_bytes

# Callers that emit at the same time, each waiting for its event to be durable before it emits the next.
EMITTERS: Final = 64
# Time between two events when the latency of an idle engine is measured (seconds).
PAUSE_S: Final = 0.005


class Admission:
    """Lets at most so many events wait for their first attempt; a semaphore without asyncio's cost of one."""

    def __init__(self, admitted: int) -> None:
        self._free = admitted
        self._waiting: deque[asyncio.Future[None]] = deque()

    def enter(self) -> asyncio.Future[None] | None:
        """Take room; return what to wait for when there is none."""
        if self._free > 0:
            self._free -= 1
            return None
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        return turn

    def leave(self) -> None:
        """Give the room to whoever waits longest."""
        if self._waiting:
            self._waiting.popleft().set_result(None)
        else:
            self._free += 1


class Admitting(Sender):
    """The real sender; lets the next event in as an attempt begins."""

    def __init__(self, settings: Settings, admission: Admission) -> None:
        super().__init__(
            AddressPolicy(egress=settings.egress, allow_hosts=settings.allow_host),
            timeout_s=settings.send_timeout.total_seconds(),
            connect_timeout_s=settings.connect_timeout.total_seconds(),
            ca_file=None,
        )
        self._admission = admission

    def post(self, request: Request) -> Coroutine[Any, Any, Exchange]:
        """Send as ever."""
        self._admission.leave()
        return super().post(request)


class Engine:
    """One platform and what is measured of it."""

    def __init__(self, platform: Platform, admission: Admission) -> None:
        self._platform = platform
        self._admission = admission
        self._data = data_of_500_bytes()

    async def round(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Run one round of `{"what": "deliver" | "schedule" | "latency", "count": n}`."""
        measure = {"deliver": self._deliver, "schedule": self._schedule, "latency": self._latency}[asked["what"]]
        return await measure(asked["count"])

    async def _deliver(self, count: int) -> dict[str, Any]:
        """Emit so many events and return when all are delivered and written down."""
        meter = Meter()
        await self._emit_all(count)
        await self._platform._engine.settle()
        return meter.read(count) | {"memory_mb": memory_mb()}

    async def _schedule(self, count: int) -> dict[str, Any]:
        """Emit so many events to a receiver that fails, and move the clock until all six attempts of each are made."""
        meter = Meter()
        await self._emit_all(count)
        moved = await self._platform.timeline.run_until_idle(max_sends=count * 10)
        assert not moved.stopped_early
        return meter.read(count)

    async def _latency(self, count: int) -> dict[str, Any]:
        """Emit one event after the other, with a pause; return when each emit returned, in the system's monotonic seconds."""
        returned = []
        for _ in range(count):
            await asyncio.sleep(PAUSE_S)
            await self._emit_while([None])
            returned.append(time.monotonic())
        await asyncio.sleep(PAUSE_S)
        await self._platform._engine.settle()
        return {"returned": returned}

    async def _emit_all(self, count: int) -> None:
        left = [None] * count
        await asyncio.gather(*(self._emit_while(left) for _ in range(EMITTERS)))

    async def _emit_while(self, left: list[None]) -> None:
        while left:
            left.pop()
            if (turn := self._admission.enter()) is not None:
                await turn
            await self._platform.events.emit(AGENT, type=EVENT_TYPE, data=self._data, exact=True)


async def main(*, db: str, slots: int, url: str, clock: str = "real") -> None:
    """Open the platform over the file, register one webhook unless there is one, and run rounds."""
    logs.set_up_logs(style="json")
    settings = Settings(db=Path(db), clock=clock, per_webhook=slots, secret=SECRET)
    admission = Admission(2 * slots)
    platform = await Platform.open(settings, sender=Admitting(settings, admission))
    await platform.start()
    try:
        if not (await platform.reads.webhooks(agent=AGENT)).rows:
            await platform.webhooks.create(AGENT, url=url)
        await answer_rounds(Engine(platform, admission).round)
    finally:
        await platform.stop()


def memory_mb() -> float:
    """Return the memory that this process holds (its resident set), in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6
