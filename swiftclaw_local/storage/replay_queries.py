"""The reads of replays of many deliveries, as part of `storage.reads`; their SQL is in `replay_reads`."""

from __future__ import annotations

from swiftclaw_local.errors import UnknownReplay
from swiftclaw_local.storage import replay_reads
from swiftclaw_local.storage.reading import Reading
from swiftclaw_local.storage.reads import Order, Which
from swiftclaw_local.storage.records import DeliveryFilter
from swiftclaw_local.storage.replay_records import Replay, Replayable, ReplayCounts, ReplayItem


class ReplayQueries(Reading):
    """Implements what `storage.reads` says of replays."""

    async def replayable(
        self, wanted: DeliveryFilter, *, ids: tuple[str, ...] | None = None, order: Order = "event"
    ) -> list[Replayable]:
        """See `Reads.replayable`."""
        return await self._read(lambda connection: replay_reads.replayable(connection, wanted, ids=ids, order=order))

    async def replay(self, replay_id: str) -> Replay:
        """See `Reads.replay`."""
        found = await self._read(lambda connection: replay_reads.one(connection, replay_id))
        if found is None:
            raise UnknownReplay(f'There is no replay "{replay_id[:40]}".', field="replay")
        return found

    async def replays(self, *, limit: int = 20, running: bool = False) -> list[Replay]:
        """See `Reads.replays`."""
        return await self._read(lambda connection: replay_reads.newest(connection, limit=limit, running=running))

    async def replay_counts(self, replay_id: str) -> ReplayCounts:
        """See `Reads.replay_counts`."""
        return await self._read(lambda connection: replay_reads.counts(connection, replay_id))

    async def replay_items(self, replay_id: str, *, which: Which, limit: int, canary: int = 0) -> list[ReplayItem]:
        """See `Reads.replay_items`."""
        return await self._read(
            lambda connection: replay_reads.items(connection, replay_id, which=which, limit=limit, canary=canary)
        )

    async def replay_items_named(self, replay_id: str, numbers: tuple[int, ...]) -> list[ReplayItem]:
        """See `Reads.replay_items_named`."""
        return await self._read(lambda connection: replay_reads.these(connection, replay_id, numbers))
