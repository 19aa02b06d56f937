"""Reads a delivery with all that belongs to it, and waits for one: what several routes show in the same way."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Literal

from swiftclaw_local.durations import duration_text
from swiftclaw_local.errors import WaitTimeout
from swiftclaw_local.platform import Platform
from swiftclaw_local.server.explanation import wait_text
from swiftclaw_local.server.hints import hints
from swiftclaw_local.server.models import DeliveryOut, PlannedOut
from swiftclaw_local.server.shapes import attempts_out, delivery_out, seconds
from swiftclaw_local.server.surroundings import surroundings
from swiftclaw_local.storage.records import Delivery
from swiftclaw_local.storage.states import State

Wait = Literal["none", "first", "settled"]


def listed(platform: Platform, deliveries: Iterable[Delivery]) -> list[DeliveryOut]:
    """Return deliveries as lists show them."""
    now = platform.clock.now()
    return [delivery_out(one, retries_max=platform.deliveries.retries_max(one), now=now) for one in deliveries]


async def whole_delivery(platform: Platform, delivery_id: str) -> DeliveryOut:
    """Return a delivery with its attempts, those planned, and hints. Raises: UnknownDelivery."""
    delivery = await platform.reads.delivery(delivery_id)
    attempts = await platform.reads.attempts(delivery_id)
    event = await platform.reads.event(delivery.event_id)
    shown = listed(platform, [delivery])[0]
    shown.attempts = attempts_out(attempts, event)
    shown.planned = [PlannedOut(retry=retry, at=seconds(at)) for retry, at in platform.deliveries.planned(delivery)]
    shown.hints = hints(shown, surroundings)
    return shown


async def wait_for(platform: Platform, delivery_ids: Iterable[str], *, wait: Wait, timeout_s: float) -> None:
    """Wait for the first attempt or the end of each. Raises: WaitTimeout, with the whole delivery beside it."""
    names = list(delivery_ids)
    try:
        if wait == "first":
            await platform.deliveries.wait_attempted(names, timeout_s=timeout_s)
        elif wait == "settled":
            await platform.deliveries.wait_settled(names, timeout_s=timeout_s)
    except WaitTimeout as error:
        raise await _explained(platform, error.extra["delivery"], timeout_s=timeout_s) from None


def _whole_seconds(span: timedelta) -> timedelta:
    """Return the span, rounded up to a second: a clock that is moved by it has passed its end."""
    return timedelta(seconds=-(-span // timedelta(seconds=1)))


async def _explained(platform: Platform, delivery_id: str, *, timeout_s: float) -> WaitTimeout:
    delivery = await platform.reads.delivery(delivery_id)
    shown = await whole_delivery(platform, delivery_id)
    now, virtual = platform.clock.now(), platform.clock.mode == "manual"
    text = wait_text(delivery, retries_max=shown.retries_max, now=now, timeout_s=timeout_s, virtual=virtual)
    hint = None
    if shown.held:
        hint = f"{delivery.webhook_id} is disabled: swiftclaw webhooks update {delivery.agent} {delivery.webhook_id} --enable"
    elif virtual and delivery.state is State.PENDING and delivery.due_at > now:
        by = duration_text(_whole_seconds(delivery.due_at - now))
        hint = f'The clock is manual. POST /_local/clock/advance {{"by":"{by}"}}'
    return WaitTimeout(text, hint=hint, extra={"delivery": shown.model_dump(mode="json")})
