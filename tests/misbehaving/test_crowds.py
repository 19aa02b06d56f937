"""Many misbehaving receivers at once, and one that hangs with much to do: the healthy ones get all of theirs, in time."""

from __future__ import annotations

import asyncio
import os
from typing import Final

import pytest

from swiftclaw_local.scheduler.clock import Stopwatch
from swiftclaw_local.storage.records import DeliveryFilter
from swiftclaw_local.storage.states import State
from tests.misbehaving import handlers
from tests.misbehaving.conftest import Table
from tests.misbehaving.stage import Stage, play, stage
from tests.misbehaving.table import NAMES, ROWS
from tests.receivers import RawReceiver, Stream, always_ok, raw_receiver

CROWD: Final = 50
# One variant of each kind that holds a slot, a socket or memory for a while; the others end at once.
CROWDED: Final = {
    1: "nobody listens",
    2: "the resolver hangs",
    3: "resets at once",
    4: "silent",
    7: "drips",
    8: "hangs",
    20: "two lengths",
}
HEALTHY: Final = 9
ROUNDS: Final = 20
EVERY_S: Final = 0.1
SLACK_MS: Final = 250
DUE: Final = [200, 10_000] if os.environ.get("RECEIVERS") == "full" else [200]


@pytest.mark.parametrize("row", CROWDED)
async def test_fifty_of_a_kind_at_once_harm_no_healthy_webhook(row: int) -> None:
    variant = next(v for v in ROWS[row][1] if v.name == CROWDED[row])
    with handlers.names(NAMES):
        found, healthy = await play([variant], copies=CROWD, budget_s=2.0)
    assert found == {variant.name: variant.expected}
    assert healthy == CROWD


async def pace(on: Stage, webhook_ids: list[str]) -> list[int]:
    """Emit to each webhook ten times a second for a while; return the real milliseconds until each was delivered, sorted."""
    taken: list[int] = []

    async def one(webhook_id: str) -> None:
        watch = Stopwatch()
        await on.attempted(await on.emit(webhook_id))
        taken.append(watch.elapsed_ms())

    async with asyncio.TaskGroup() as sending:
        for _ in range(ROUNDS):
            for webhook_id in webhook_ids:
                sending.create_task(one(webhook_id))
            await asyncio.sleep(EVERY_S)
    return sorted(taken)


async def delivered_beside(hanging: RawReceiver, released: asyncio.Event, due: int) -> tuple[int, int, int, int]:
    """Return the healthy deliveries made, their 99th percentile in ms without and beside the hanging webhook, and its slots used."""
    async with stage(budget_s=30.0, clock="real") as on:
        healthy = [await on.webhook(on.healthy.url) for _ in range(HEALTHY)]
        alone = await pace(on, healthy)
        stuck = await on.webhook(hanging.url)
        await asyncio.gather(*(on.emit(stuck) for _ in range(due)))
        beside = await pace(on, healthy)
        wanted = DeliveryFilter(webhook_id=stuck, states=(State.SUCCEEDED, State.DEAD))
        assert await on.platform.reads.count_deliveries(wanted) == 0  # it hung all the while
        slots = hanging.connections
        await on.platform.webhooks.delete("misled", stuck)
        released.set()
        return len(on.healthy.requests), alone[len(alone) * 99 // 100], beside[len(beside) * 99 // 100], slots


@pytest.mark.parametrize("due", DUE)
async def test_a_hanging_webhook_with_much_to_do_fills_its_own_slots_only(due: int, table: Table) -> None:
    released = asyncio.Event()

    async def hang(stream: Stream) -> None:
        await stream.request()
        await released.wait()

    async with raw_receiver(hang) as hanging:
        made, alone, beside, slots = await delivered_beside(hanging, released, due)
    seen = f"+ {beside - alone} ms ({alone} ms alone, {beside} ms beside it)"
    what = f"hangs with {due} due, {HEALTHY} healthy at 10/s: their p99"
    table.measured(4, what, limit=f"+ {SLACK_MS} ms", seen=seen, within=beside - alone <= SLACK_MS)
    assert made == 2 * HEALTHY * ROUNDS
    assert slots == 10


async def test_healthy_receivers_are_told_apart_from_the_hanging_ones_by_order_alone() -> None:
    """Whatever the machine's pace: all healthy deliveries end before the first of the hanging ones does."""
    async with raw_receiver(handlers.say_nothing) as hanging, raw_receiver(always_ok), stage(budget_s=1.0) as on:
        stuck, well = await on.webhook(hanging.url), await on.webhook(on.healthy.url)
        waiting = [await on.emit(stuck) for _ in range(20)]
        served = [await on.emit(well) for _ in range(20)]
        await on.attempted(*served)
        assert not any([(await on.platform.reads.delivery(name)).attempts for name in waiting])
        await on.platform.webhooks.delete("misled", stuck)


async def test_many_hanging_webhooks_with_much_to_do_keep_no_due_delivery_from_another() -> None:
    """Twenty that hang hold their slots, and more is claimed for them than the engine sends at once: others get theirs."""
    released = asyncio.Event()

    async def hang(stream: Stream) -> None:
        await stream.request()
        await released.wait()

    async with raw_receiver(hang) as hanging, stage(budget_s=30.0, clock="real") as on:
        webhooks, stuck = on.platform.webhooks, [await on.webhook(hanging.url) for _ in range(20)]
        well, _ = await webhooks.create("well", url=on.healthy.url, enabled=False)
        due = [await on.emit(well.id, agent="well") for _ in range(5)]
        await asyncio.gather(*(on.emit(webhook_id) for webhook_id in stuck for _ in range(60)))
        await webhooks.change("well", well.id, enabled=True)
        await on.attempted(*due)
        assert len(on.healthy.requests) == len(due)
        for webhook_id in stuck:
            await webhooks.delete("misled", webhook_id)
        released.set()
