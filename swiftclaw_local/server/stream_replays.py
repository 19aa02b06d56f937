"""Which replays of many deliveries there are, and how far each has come, for the event stream: looked at, as no log holds it.

It tells a change once, and nothing of how they stood when it began to look.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from swiftclaw_local.platform import Platform
from swiftclaw_local.scheduler.clock import monotonic
from swiftclaw_local.storage.replay_records import Replay, ReplayCounts, ReplayState

# How often it is looked unasked, in seconds: counting what became of thousands takes milliseconds.
LOOK_S: Final = 1.0
_NEWEST: Final = 20
_RUNNING: Final = 100

# After a reset the ids begin anew.
_Name = tuple[str, datetime]
_Stand = tuple[ReplayState, ReplayCounts]


class ReplayWatch:
    """How the newest replays, and all that run, stood at the last look."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._stands: dict[_Name, _Stand] = {}
        self._look_at = 0.0

    def look(self) -> None:
        """Look with the next `changed`, whenever the last look was: one began, or stands still now."""
        self._look_at = 0.0

    async def begin(self) -> None:
        """Take how they stand now as told. Raises: StorageUnavailable."""
        self._stands = {}
        self._look_at = 0.0
        await self.changed()

    async def changed(self) -> list[tuple[Replay, ReplayCounts]]:
        """Return those that went on since the last look, if it is time for one. Raises: StorageUnavailable."""
        if monotonic() < self._look_at:
            return []
        self._look_at = monotonic() + LOOK_S
        reads = self._platform.reads
        found = {one.id: one for one in await reads.replays(limit=_NEWEST)}
        found |= {one.id: one for one in await reads.replays(limit=_RUNNING, running=True)}
        changed, stands = [], dict[_Name, _Stand]()
        for replay in found.values():
            name = (replay.id, replay.created_at)
            before = self._stands.get(name)
            if before is not None and replay.state == before[0] != "running":
                stands[name] = before
                continue
            counts = await reads.replay_counts(replay.id)
            stands[name] = (replay.state, counts)
            if stands[name] != before:
                changed.append((replay, counts))
        self._stands = stands
        return changed
