"""Routes of deliveries: list, show, wait, replay, cancel."""

from __future__ import annotations

from typing import Final

from swiftclaw_local.errors import (
    AmbiguousId,
    DeliveryEnded,
    DeliveryInFlight,
    DeliveryPending,
    InvalidCursor,
    InvalidDuration,
    InvalidInput,
    InvalidJson,
    InvalidTime,
    InvalidUrl,
    ReplayOpen,
    StorageFull,
    StorageUnavailable,
    UnknownDelivery,
    UnknownWebhook,
    WaitTimeout,
    WebhookDeleted,
)
from swiftclaw_local.platform import Platform
from swiftclaw_local.server.adapter import Answer, Route
from swiftclaw_local.server.bodies import ReplayRequest
from swiftclaw_local.server.detail import listed, wait_for, whole_delivery
from swiftclaw_local.server.models import CauseGroupOut, DeliveryOut, ListOut, WebhookGroupOut
from swiftclaw_local.server.queries import DeliveriesQuery, WaitQuery, delivery_filter, flag, wait_seconds
from swiftclaw_local.server.shapes import cause_out, webhook_group_out

_WRITES: Final = (StorageUnavailable, StorageFull)
_FIND: Final = (UnknownDelivery, AmbiguousId)


async def list_deliveries(
    platform: Platform, query: DeliveriesQuery
) -> ListOut[DeliveryOut] | ListOut[CauseGroupOut] | ListOut[WebhookGroupOut]:
    """List deliveries, newest first; or count them: with `group=cause` by their last answer, or by `webhook`."""
    wanted = delivery_filter(query, now=platform.clock.now())
    if query.group == "cause":
        groups = [cause_out(group) for group in await platform.reads.group_by_cause(wanted)]
        return ListOut[CauseGroupOut](data=groups, total=len(groups))
    if query.group == "webhook":
        counted = [webhook_group_out(group) for group in await platform.reads.group_by_webhook(wanted)]
        return ListOut[WebhookGroupOut](data=counted, total=len(counted))
    page = await platform.reads.deliveries(wanted, limit=query.limit, cursor=query.cursor)
    total = len(page.rows) if page.next is None and query.cursor is None else None
    if total is None and flag(query.total):
        total = await platform.reads.count_deliveries(wanted)
    return ListOut[DeliveryOut](data=listed(platform, page.rows), next=page.next, total=total)


async def show_delivery(platform: Platform, delivery_id: str, query: WaitQuery) -> DeliveryOut:
    """Show a delivery with its attempts, those planned, and hints; `wait` for its first attempt or its end."""
    timeout_s = wait_seconds(query.timeout)
    found = await platform.reads.resolve_id("dlv", delivery_id)
    await wait_for(platform, [found], wait=query.wait, timeout_s=timeout_s)
    return await whole_delivery(platform, found)


async def replay_delivery(platform: Platform, delivery_id: str, body: ReplayRequest) -> Answer:
    """Send an ended delivery's event again, as a new delivery; or bring a pending one's next attempt forward (`now`)."""
    found = await platform.reads.resolve_id("dlv", delivery_id)
    if body.now:
        if body.to is not None:
            raise InvalidInput("now brings the delivery's own attempt forward, to its own webhook.", field="to")
        await platform.deliveries.replay_now(found)
        return Answer(202, await whole_delivery(platform, found))
    new_id = await platform.deliveries.replay(found, with_retries=body.with_retries, to=body.to)
    return Answer(202, await whole_delivery(platform, new_id))


async def cancel_delivery(platform: Platform, delivery_id: str) -> DeliveryOut:
    """End a pending delivery: nothing more is sent for it."""
    found = await platform.reads.resolve_id("dlv", delivery_id)
    await platform.deliveries.cancel(found)
    return await whole_delivery(platform, found)


_ONE: Final = "/v1/deliveries/{delivery_id}"

ROUTES: Final = (
    Route(
        "GET",
        "/v1/deliveries",
        list_deliveries,
        "read",
        {200: ListOut[DeliveryOut | CauseGroupOut | WebhookGroupOut]},
        (InvalidInput, InvalidTime, InvalidCursor),
    ),
    Route("GET", _ONE, show_delivery, "read", {200: DeliveryOut}, (InvalidInput, InvalidDuration, *_FIND, WaitTimeout)),
    Route(
        "POST",
        f"{_ONE}/replay",
        replay_delivery,
        "emit",
        {202: DeliveryOut},
        (
            InvalidInput,
            InvalidJson,
            *_FIND,
            DeliveryPending,
            DeliveryEnded,
            DeliveryInFlight,
            ReplayOpen,
            WebhookDeleted,
            UnknownWebhook,
            InvalidUrl,
            *_WRITES,
        ),
    ),
    Route(
        "POST",
        f"{_ONE}/cancel",
        cancel_delivery,
        "emit",
        {200: DeliveryOut},
        (*_FIND, DeliveryEnded, DeliveryInFlight, *_WRITES),
    ),
)
