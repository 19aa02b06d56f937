"""Routes of webhooks: register, look, change, delete, secret, test, log."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from swiftclaw_local.errors import (
    InvalidCursor,
    InvalidInput,
    InvalidJson,
    InvalidSecret,
    InvalidTime,
    InvalidUrl,
    StorageFull,
    StorageUnavailable,
    UnknownAgent,
    UnknownEventType,
    UnknownWebhook,
    WaitTimeout,
)
from swiftclaw_local.platform import Platform
from swiftclaw_local.platform.webhooks import check_agent
from swiftclaw_local.server.adapter import Route
from swiftclaw_local.server.bodies import SecretRotate, TestRequest, WebhookCreate, WebhookUpdate
from swiftclaw_local.server.detail import listed, wait_for, whole_delivery
from swiftclaw_local.server.models import DeliveryOut, ListOut, SecretOut, WebhookDeletedOut, WebhookOut, WebhookUpdated
from swiftclaw_local.server.queries import PageQuery, WebhookDeliveriesQuery, webhook_delivery_filter
from swiftclaw_local.server.shapes import webhook_out
from swiftclaw_local.storage.records import Webhook

_WRITES: Final = (StorageUnavailable, StorageFull)
_FIND: Final = (UnknownAgent, UnknownWebhook)


async def create_webhook(platform: Platform, agent: str, body: WebhookCreate) -> WebhookOut:
    """Register a URL for an agent. The answer is the one place, besides its own route, that shows the secret."""
    webhook, secret = await platform.webhooks.create(
        agent,
        url=body.url,
        events=body.events,
        secret=body.secret,
        description=body.description,
        enabled=body.enabled,
    )
    return webhook_out(webhook, note=platform.webhooks.url_note(webhook.url), secret=secret)


async def list_agent_webhooks(platform: Platform, agent: str, query: PageQuery) -> ListOut[WebhookOut]:
    """List an agent's webhooks, oldest first."""
    return await _list(platform, check_agent(agent), query)


async def list_webhooks(platform: Platform, query: PageQuery) -> ListOut[WebhookOut]:
    """List the webhooks of all agents, oldest first."""
    return await _list(platform, None, query)


async def show_webhook(platform: Platform, agent: str, webhook_id: str) -> WebhookOut:
    """Show a webhook with the counts of its deliveries."""
    webhook = await platform.webhooks.find(agent, webhook_id)
    return (await _with_stats(platform, [webhook]))[0]


async def update_webhook(platform: Platform, agent: str, webhook_id: str, body: WebhookUpdate) -> WebhookUpdated:
    """Change what is given; scheduled retries follow the change."""
    changed = await platform.webhooks.change(
        agent,
        webhook_id,
        url=body.url,
        events=body.events,
        secret=body.secret,
        description=body.description,
        enabled=body.enabled,
    )
    after, before = changed.after, changed.before
    shown = webhook_out(after, note=platform.webhooks.url_note(after.url))
    shown_before = webhook_out(before, note=platform.webhooks.url_note(before.url))
    return WebhookUpdated(**shown.model_dump(), before=shown_before, pending=changed.pending)


async def delete_webhook(platform: Platform, agent: str, webhook_id: str) -> WebhookDeletedOut:
    """Delete a webhook: its scheduled retries are canceled, its log stays."""
    deleted = await platform.webhooks.delete(agent, webhook_id)
    return WebhookDeletedOut(id=deleted.id, canceled=deleted.canceled, deliveries=deleted.deliveries)


async def show_secret(platform: Platform, agent: str, webhook_id: str) -> SecretOut:
    """Show the secret that signs the webhook's events."""
    return SecretOut(secret=await platform.webhooks.secret(agent, webhook_id))


async def rotate_secret(platform: Platform, agent: str, webhook_id: str, body: SecretRotate) -> SecretOut:
    """Switch to a new secret at once, and show it."""
    return SecretOut(secret=await platform.webhooks.rotate_secret(agent, webhook_id, secret=body.secret))


async def test_webhook(platform: Platform, agent: str, webhook_id: str, body: TestRequest) -> DeliveryOut:
    """Send one signed test and answer with what the receiver did."""
    delivery_id = await platform.events.test(agent, webhook_id, type=body.type, data=body.data, retry=body.retry)
    timeout_s = platform.settings.send_timeout.total_seconds() + 5
    await wait_for(platform, [delivery_id], wait="first", timeout_s=timeout_s)
    return await whole_delivery(platform, delivery_id)


async def list_webhook_deliveries(
    platform: Platform, agent: str, webhook_id: str, query: WebhookDeliveriesQuery
) -> ListOut[DeliveryOut]:
    """List a webhook's deliveries, newest first: its log, which outlives the webhook."""
    await _find_even_deleted(platform, agent, webhook_id)
    wanted = webhook_delivery_filter(query, webhook_id, now=platform.clock.now())
    page = await platform.reads.deliveries(wanted, limit=query.limit, cursor=query.cursor)
    return ListOut[DeliveryOut](data=listed(platform, page.rows), next=page.next)


async def _find_even_deleted(platform: Platform, agent: str, webhook_id: str) -> None:
    """Raises: UnknownAgent, UnknownWebhook when the agent never had such a webhook."""
    try:
        await platform.webhooks.find(agent, webhook_id)
    except (UnknownAgent, UnknownWebhook) as error:
        with suppress(UnknownWebhook):
            if (await platform.reads.webhook(webhook_id)).agent == agent:
                return
        raise error from None


async def _list(platform: Platform, agent: str | None, query: PageQuery) -> ListOut[WebhookOut]:
    page = await platform.reads.webhooks(agent=agent, limit=query.limit, cursor=query.cursor)
    return ListOut[WebhookOut](data=await _with_stats(platform, page.rows), next=page.next)


async def _with_stats(platform: Platform, webhooks: list[Webhook]) -> list[WebhookOut]:
    stats = await platform.reads.webhook_stats([webhook.id for webhook in webhooks])
    return [
        webhook_out(webhook, note=platform.webhooks.url_note(webhook.url), stats=stats[webhook.id])
        for webhook in webhooks
    ]


_ALL: Final = "/v1/agents/{agent}/webhooks"
_ONE: Final = f"{_ALL}/{{webhook_id}}"

ROUTES: Final = (
    Route(
        "POST",
        _ALL,
        create_webhook,
        "manage",
        {201: WebhookOut},
        (InvalidInput, InvalidJson, InvalidUrl, InvalidSecret, UnknownEventType, *_WRITES),
    ),
    Route("GET", _ALL, list_agent_webhooks, "read", {200: ListOut[WebhookOut]}, (InvalidInput, InvalidCursor)),
    Route("GET", "/v1/webhooks", list_webhooks, "read", {200: ListOut[WebhookOut]}, (InvalidInput, InvalidCursor)),
    Route("GET", _ONE, show_webhook, "read", {200: WebhookOut}, _FIND),
    Route(
        "PATCH",
        _ONE,
        update_webhook,
        "manage",
        {200: WebhookUpdated},
        (InvalidInput, InvalidJson, InvalidUrl, InvalidSecret, UnknownEventType, *_FIND, *_WRITES),
    ),
    Route("DELETE", _ONE, delete_webhook, "manage", {200: WebhookDeletedOut}, (*_FIND, *_WRITES)),
    Route("GET", f"{_ONE}/secret", show_secret, "admin", {200: SecretOut}, _FIND),
    Route(
        "POST",
        f"{_ONE}/secret/rotate",
        rotate_secret,
        "admin",
        {200: SecretOut},
        (InvalidInput, InvalidJson, InvalidSecret, *_FIND, *_WRITES),
    ),
    Route(
        "POST",
        f"{_ONE}/test",
        test_webhook,
        "emit",
        {200: DeliveryOut},
        (InvalidInput, InvalidJson, UnknownEventType, *_FIND, WaitTimeout, *_WRITES),
    ),
    Route(
        "GET",
        f"{_ONE}/deliveries",
        list_webhook_deliveries,
        "read",
        {200: ListOut[DeliveryOut]},
        (InvalidInput, InvalidTime, InvalidCursor, *_FIND),
    ),
)
