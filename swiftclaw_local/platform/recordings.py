"""The one recording that may run: where it began, and for which file. What was announced is in the store anyway.

It is in the memory of this server, and ends with it. It writes no file.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from swiftclaw_local.errors import NoRecording, RecordingRuns
from swiftclaw_local.scheduler.clock import Clock
from swiftclaw_local.storage.reads import Reads
from swiftclaw_local.storage.records import Announced

_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording that runs: the file it is for, as whoever began it wrote it, when it began (aware UTC), and behind which event."""

    file: str
    began_at: datetime
    mark: str


class Recordings:
    """Begins and ends a recording, and reads what was announced."""

    def __init__(self, reads: Reads, *, clock: Clock) -> None:
        self._reads = reads
        self._clock = clock
        self._running: Recording | None = None

    async def start(self, file: str) -> Recording:
        """Record from now on. Raises: RecordingRuns."""
        if self._running is not None:
            raise RecordingRuns(
                f"A recording for {self._running.file} runs already.",
                hint="End it: swiftclaw record stop   or write what there is: swiftclaw record save FILE",
            )
        self._running = Recording(file, self._clock.now(), await self._reads.newest_event_mark())
        return self._running

    def running(self) -> Recording:
        """Return the recording that runs. Raises: NoRecording."""
        if self._running is None:
            raise NoRecording(
                "No recording runs; one ends with the server.",
                hint="Begin one: swiftclaw record start FILE   What was announced so far: swiftclaw events export",
            )
        return self._running

    def stop(self) -> Recording:
        """End the recording that runs, and return it. Raises: NoRecording."""
        ended, self._running = self.running(), None
        return ended

    def start_over(self) -> None:
        """Go on after a reset, which forgot all events: what is announced from now on is recorded."""
        if self._running is not None:
            self._running = Recording(self._running.file, self._running.began_at, "0")

    async def count(self) -> int:
        """Return how many events were announced since the recording began. Raises: NoRecording."""
        return sum([1 async for _ in self.announced(since_start=True)])

    async def announced(
        self,
        *,
        since_start: bool = False,
        agent: str | None = None,
        type: str | None = None,
        since: datetime | None = None,
    ) -> AsyncIterator[Announced]:
        """Yield events in the order in which they were accepted; with `since_start` those of the recording. Raises: NoRecording."""
        after: str | None = None
        if since_start:
            after = self.running().mark
            if int(await self._reads.newest_event_mark()) < int(after):
                after = None  # all of them were pruned, and numbers began anew
        while True:
            page = await self._reads.announced(after=after, agent=agent, type=type, since=since, limit=_PAGE)
            for one in page.rows:
                yield one
            after = page.next
            if after is None:
                return
