"""A platform with one webhook on a real socket, and what its receiver and its log say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from swiftclaw_local.platform import Platform
from swiftclaw_local.storage.records import Attempt, Delivery
from tests.receivers import RawReceiver

SECRET = "scsec_mine"
SIGNATURE = b"X-SwiftClaw-Signature: "


@dataclass(slots=True)
class Stage:
    """A platform with one webhook, whose receiver answers 200 to whatever comes."""

    platform: Platform
    receiver: RawReceiver

    async def add(self, kind: str, **how: Any) -> None:
        await self.platform.faults.arm(kind, **how)

    async def emit(self, count: int = 1, **how: Any) -> list[str]:
        """Emit so many events, one after the other, and return their deliveries' ids."""
        ids: list[str] = []
        for _ in range(count):
            accepted = await self.platform.events.emit("my-agent", type="agent.completed", **how)
            ids += accepted.delivery_ids
            await self.platform.deliveries.wait_attempted(ids, timeout_s=5)
        await self.platform.timeline.advance(timedelta())
        return ids

    async def rows(self, delivery_id: str) -> list[Attempt]:
        return await self.platform.reads.attempts(delivery_id)

    async def told(self, delivery_id: str) -> list[tuple[str, int | None, str | None, str | None]]:
        """Return of each attempt: outcome, status, error, fault."""
        return [(row.outcome, row.status, row.error_class, row.fault) for row in await self.rows(delivery_id)]

    async def delivery(self, delivery_id: str) -> Delivery:
        return await self.platform.reads.delivery(delivery_id)

    async def body(self, delivery_id: str) -> bytes:
        """Return the stored bytes of a delivery's event."""
        return (await self.platform.reads.event((await self.delivery(delivery_id)).event_id)).body

    def sent(self) -> list[tuple[bytes, str | None]]:
        """Return of each request that arrived: the body and the signature."""
        return [_parts(request) for request in self.receiver.requests]


def _parts(request: bytes) -> tuple[bytes, str | None]:
    head, _, body = request.partition(b"\r\n\r\n")
    found = [line.removeprefix(SIGNATURE).decode() for line in head.split(b"\r\n") if line.startswith(SIGNATURE)]
    return body, found[0] if found else None
