"""Plays a row's receivers to a whole platform, all at once, with a healthy neighbour; reads what came of it from SQL."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import structlog

from swiftclaw_local.platform import Platform
from swiftclaw_local.settings import Settings
from swiftclaw_local.storage.records import Attempt
from swiftclaw_local.storage.states import State
from tests.misbehaving.rows import BUDGET_S, Seen, Variant
from tests.receivers import RawReceiver, always_ok, raw_receiver

SETTLED_S: Final = 20.0
NEXT: Final = {State.SUCCEEDED: "S", State.PENDING: "R", State.DEAD: "F"}
PRINTABLE_MAX: Final = 200
QUIET: Final = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@dataclass(slots=True)
class Stage:
    """A running platform and its healthy neighbour."""

    platform: Platform
    healthy: RawReceiver

    async def webhook(self, url: str, *, agent: str = "misled") -> str:
        """Register a URL and return the webhook's id."""
        webhook, _ = await self.platform.webhooks.create(agent, url=url)
        return webhook.id

    async def emit(self, webhook_id: str, *, agent: str = "misled", **data: Any) -> str:
        """Emit an event to one webhook and return the delivery's id."""
        accepted = await self.platform.events.emit(agent, type="agent.failed", data=data, webhook=webhook_id)
        return accepted.delivery_ids[0]

    async def attempted(self, *delivery_ids: str) -> None:
        """Wait until each has an attempt."""
        await self.platform.deliveries.wait_attempted(list(delivery_ids), timeout_s=SETTLED_S)

    async def seen(self, delivery_id: str) -> Seen:
        """Return what is in SQL after the first attempt, and check what holds for every attempt's row."""
        delivery = await self.platform.reads.delivery(delivery_id)
        attempts = [a for a in await self.platform.reads.attempts(delivery_id) if a.outcome != "again"]
        row = attempts[0]
        if delivery.state is State.PENDING:
            retry = (delivery.retries_used, delivery.due_at - row.ended_at, row.outcome)
            assert retry == (1, timedelta(minutes=1), "retry")
        else:
            assert (delivery.retries_used, row.outcome) == (0, "succeeded" if delivery.reason is None else "dead")
        assert (len(attempts), row.retry) == (1, 0)
        check_detail(row)
        return Seen(
            NEXT[delivery.state],
            row.status,
            row.error_class,
            row.response_head,
            row.response_body,
            row.response_size,
            row.truncated,
        )


def check_detail(row: Attempt) -> None:
    """Check that the row says in one printable line why there was no answer, and only then."""
    if row.status is None:
        assert row.error_detail
        assert row.error_detail.isprintable()
        assert len(row.error_detail) <= PRINTABLE_MAX
    else:
        assert row.error_detail is None


def placed() -> dict[str, Any]:
    """Return the settings that say where the data is."""
    return {"ephemeral": True}


@asynccontextmanager
async def stage(*, budget_s: float = BUDGET_S, ca_file: Path | None = None, **changed: Any) -> AsyncIterator[Stage]:
    """Run a platform with the real sender and a manual clock beside a healthy receiver; SQLite in memory, or what is placed."""
    settings = Settings(
        **placed(),
        seed=7,
        ca_file=ca_file,
        send_timeout=timedelta(seconds=budget_s),
        connect_timeout=timedelta(seconds=budget_s / 2),
        **{"clock": "manual", **changed},
    )
    async with raw_receiver(always_ok) as healthy:
        platform = await Platform.open(settings, log=QUIET)
        await platform.start()
        try:
            yield Stage(platform, healthy)
        finally:
            await platform.stop()


async def play(variants: list[Variant], *, copies: int = 1, **settings: Any) -> tuple[dict[str, Seen], int]:
    """Return what was seen of each variant, all of them at once, and how many of as many healthy deliveries arrived.

    With `copies` each receiver gets that many webhooks; all of them must have come to the same.
    """
    async with AsyncExitStack() as receivers:
        urls = {v.name: await receivers.enter_async_context(v.place()) for v in variants}
        async with stage(**settings) as on:
            healthy = await on.webhook(on.healthy.url)
            sent: dict[str, list[str]] = {v.name: [] for v in variants}
            well: list[str] = []
            for variant in variants:
                for _ in range(copies):
                    webhook_id = await on.webhook(urls[variant.name])
                    sent[variant.name].append(await on.emit(webhook_id, **variant.data))
                    well.append(await on.emit(healthy))
            await on.attempted(*well, *(name for names in sent.values() for name in names))
            states = [(await on.platform.reads.delivery(name)).state for name in well]
            assert set(states) == {State.SUCCEEDED}
            found: dict[str, Seen] = {}
            for name, delivery_ids in sent.items():
                results = [await on.seen(delivery_id) for delivery_id in delivery_ids]
                assert all(result == results[0] for result in results)
                found[name] = results[0]
            await asyncio.sleep(0)
            return found, len(on.healthy.requests)
