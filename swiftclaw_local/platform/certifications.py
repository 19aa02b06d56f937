"""Certifying the receivers of registered webhooks; the newest reports are kept in memory, and nowhere else.

One runs at a time: two at one receiver would see each other's work. The requests go to the receiver alone; they are
neither deliveries nor in the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from swiftclaw_local.certify.catalog import choose
from swiftclaw_local.certify.courier import Courier
from swiftclaw_local.certify.course import SLOW_MS, Wishes, certify
from swiftclaw_local.certify.effects import from_url
from swiftclaw_local.certify.report import Report
from swiftclaw_local.dispatcher.addresses import AddressPolicy
from swiftclaw_local.dispatcher.sender import Poster
from swiftclaw_local.errors import UnknownReport
from swiftclaw_local.scheduler.clock import Clock
from swiftclaw_local.storage.reads import Reads
from swiftclaw_local.storage.store import Store

KEPT: Final = 50


@dataclass(frozen=True, slots=True)
class Kept:
    """A report with the id it is found by, as `crt_3`, the webhook it is about, and when it was made (aware UTC)."""

    id: str
    webhook_id: str
    report: Report
    made_at: datetime


class Certifications:
    """The certifications of this run of the server."""

    def __init__(
        self,
        store: Store,
        reads: Reads,
        *,
        clock: Clock,
        addresses: AddressPolicy,
        new_poster: Callable[[], Poster],
    ) -> None:
        self._store = store
        self._reads = reads
        self._clock = clock
        self._addresses = addresses
        self._new_poster = new_poster
        self._one_at_a_time = asyncio.Lock()
        self._kept: dict[str, Kept] = {}
        self._made = 0

    async def certify(
        self,
        webhook_id: str,
        *,
        only: Sequence[str] = (),
        skip: Sequence[str] = (),
        slow_ms: int = SLOW_MS,
        effects_url: str | None = None,
    ) -> Kept:
        """Certify the receiver of a webhook, enabled or not, and keep the report.

        Raises: UnknownWebhook; InvalidInput for a name that no check has, and for effects that cannot be read.
        """
        checks = choose(only, skip)
        effects = None if effects_url is None else from_url(effects_url, self._addresses)
        webhook = await self._reads.webhook(webhook_id)
        secret = await self._store.secret_of(webhook_id)
        courier = Courier(webhook.url, secret, new_poster=self._new_poster, clock=self._clock, agent=webhook.agent)
        async with self._one_at_a_time:
            report = await certify(courier, Wishes(checks=checks, slow_ms=slow_ms, effects=effects))
        self._made += 1
        kept = Kept(f"crt_{self._made}", webhook_id, report, self._clock.now())
        self._kept[kept.id] = kept
        for oldest in list(self._kept)[:-KEPT]:
            del self._kept[oldest]
        return kept

    def forget(self) -> None:
        """Forget all reports; ids go on where they stood."""
        self._kept.clear()

    def every(self) -> list[Kept]:
        """Return the reports that are kept, the newest first."""
        return list(self._kept.values())[::-1]

    def newest(self, webhook_id: str) -> Kept | None:
        """Return the newest report on a webhook, or None when none is kept."""
        return next((kept for kept in self.every() if kept.webhook_id == webhook_id), None)

    def find(self, report_id: str) -> Kept:
        """Return a report that was kept. Raises: UnknownReport."""
        try:
            return self._kept[report_id]
        except KeyError:
            newest = f" The newest is {list(self._kept)[-1]}." if self._kept else ""
            raise UnknownReport(
                f'There is no report "{report_id[:40]}".{newest}',
                hint=f"The last {KEPT} are kept, until the server stops.",
                field="report_id",
            ) from None
