"""Waiting for deliveries, replaying them, canceling them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

from swiftclaw_local.dispatcher.engine import Engine
from swiftclaw_local.dispatcher.watch import Watch
from swiftclaw_local.errors import WaitTimeout
from swiftclaw_local.platform.webhooks import NewPlace, Webhooks
from swiftclaw_local.scheduler.clock import Clock
from swiftclaw_local.scheduler.policy import Schedule
from swiftclaw_local.storage.reads import Reads
from swiftclaw_local.storage.records import Delivery
from swiftclaw_local.storage.states import ENDED, State
from swiftclaw_local.storage.store import Store

# Another process may have changed a delivery without our being told: look again after this many seconds.
_LOOK_AGAIN_S: Final = 1.0


class Deliveries:
    """What people ask of deliveries."""

    def __init__(
        self,
        store: Store,
        reads: Reads,
        *,
        webhooks: Webhooks,
        engine: Engine,
        clock: Clock,
        watch: Watch,
        schedule: Schedule,
    ) -> None:
        self._store = store
        self._reads = reads
        self._webhooks = webhooks
        self._engine = engine
        self._clock = clock
        self._watch = watch
        self._schedule = schedule

    async def wait_attempted(self, delivery_ids: list[str], *, timeout_s: float) -> None:
        """Wait until each has an attempt, or cannot have one now: it ended, is held, or is due later.

        Raises: WaitTimeout; UnknownDelivery.
        """
        await self._wait(delivery_ids, self._attempted, timeout_s=timeout_s)

    async def wait_settled(self, delivery_ids: list[str], *, timeout_s: float) -> None:
        """Wait until each has ended. Raises: WaitTimeout; UnknownDelivery."""
        await self._wait(delivery_ids, lambda delivery: delivery.state in ENDED, timeout_s=timeout_s)

    async def replay(self, delivery_id: str, *, with_retries: bool = False, to: str | None = None) -> str:
        """Send an ended delivery's event again, as a new delivery, and return its id (decision D22); `to`: see `Webhooks.place`.

        Raises: UnknownDelivery, DeliveryPending, ReplayOpen, WebhookDeleted; with `to` UnknownWebhook, InvalidUrl.
        """
        to_webhook = None if to is None else await self._elsewhere(await self._reads.delivery(delivery_id), to)
        new_id = await self._store.replay(
            delivery_id, now=self._clock.now(), scheduled=with_retries, to_webhook=to_webhook
        )
        self._watch.tell(new_id)
        self._engine.wake()
        return new_id

    async def _elsewhere(self, delivery: Delivery, to: str) -> str | None:
        """Return the webhook that a delivery goes to instead, registered for that if need be."""
        place = await self._webhooks.place(to, own={delivery.webhook_id})
        if isinstance(place, NewPlace):  # nothing is registered for what is refused in a moment
            return (await self._webhooks.add_for_replays(place)).id if delivery.state in ENDED else None
        return None if place is None else place.id

    async def replay_now(self, delivery_id: str) -> None:
        """Bring the next attempt of a pending delivery forward to now; it keeps its number.

        Raises: UnknownDelivery, DeliveryEnded, DeliveryInFlight.
        """
        await self._store.bring_forward(delivery_id, now=self._clock.now())
        self._watch.tell(delivery_id)
        self._engine.wake()

    async def cancel(self, delivery_id: str) -> None:
        """End a pending delivery; nothing more is sent for it. Raises: UnknownDelivery, DeliveryEnded, DeliveryInFlight."""
        await self._store.cancel(delivery_id, now=self._clock.now())
        self._watch.tell(delivery_id)
        self._engine.wake()

    def retries_max(self, delivery: Delivery) -> int:
        """Return how many retries a delivery has in all."""
        return len(self._schedule) if delivery.scheduled else 0

    def planned(self, delivery: Delivery) -> list[tuple[int, datetime]]:
        """Return (retry number, time) of the attempts to come if each before fails at once; 0 is the first attempt."""
        if delivery.state is not State.PENDING:
            return []
        at = max(delivery.due_at, self._clock.now())
        plan = [(delivery.retries_used, delivery.due_at)]
        if delivery.scheduled:
            for number, wait in enumerate(self._schedule[delivery.retries_used :], delivery.retries_used + 1):
                at += wait
                plan.append((number, at))
        return plan

    def _attempted(self, delivery: Delivery) -> bool:
        if delivery.retries_used or delivery.state in ENDED:
            return True  # with an attempt and no retry used it is sent again at once, or was held back
        return delivery.state is State.PENDING and (not delivery.webhook_enabled or delivery.due_at > self._clock.now())

    async def _wait(self, delivery_ids: list[str], enough: Callable[[Delivery], bool], *, timeout_s: float) -> None:
        missing = list(delivery_ids)
        try:
            async with asyncio.timeout(timeout_s):
                while missing:
                    changed = self._watch.next_change(missing)
                    missing = [name for name in missing if not enough(await self._reads.delivery(name))]
                    if missing:
                        await asyncio.wait([changed], timeout=_LOOK_AGAIN_S)
                    changed.cancel()
        except TimeoutError:
            raise WaitTimeout(
                f"{missing[0]} did not get there within {timeout_s:g}s.", extra={"delivery": missing[0]}
            ) from None
        await self._engine.told()  # whoever moves the clock now shall not find these among the sends of the move
