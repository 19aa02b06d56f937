"""One webhook: its settings, its secret when it is asked for, whether its receiver answers, and receivers to copy."""

from __future__ import annotations

import shlex
from contextlib import suppress
from typing import Final

from pydantic import Field

from swiftclaw_local.errors import UnknownWebhook, WaitTimeout
from swiftclaw_local.events.catalog import EVENT_TYPE_NAMES, EVENT_TYPES
from swiftclaw_local.platform import Platform
from swiftclaw_local.server.answering import ask
from swiftclaw_local.server.console.page import Action, Page, Shown, Went
from swiftclaw_local.server.console.pages.frame_actions import Back
from swiftclaw_local.server.console.pages.webhooks import WebhookRow, webhook_rows
from swiftclaw_local.server.console.sparkline import bars
from swiftclaw_local.server.detail import listed, wait_for
from swiftclaw_local.server.models import DeliveryOut, Model, SecretOut
from swiftclaw_local.starter_programs import STARTERS
from swiftclaw_local.storage.records import DeliveryFilter, Webhook
from swiftclaw_local.storage.states import State

SECRET_VARIABLE: Final = "SWIFTCLAW_WEBHOOK_SECRET"  # noqa: S105 - a variable's name
LAST: Final = 8


class OneWebhookOut(Model):
    """One webhook, how it does, and its newest deliveries."""

    row: WebhookRow
    deleted: bool
    deliveries: list[DeliveryOut]


class WebhookChangeForm(Model):
    """What a webhook shall be."""

    url: str
    events: list[str] = Field(default=[])
    description: str = ""


async def show_webhook(platform: Platform, webhook_id: str) -> Shown:
    """Show a webhook, without its secret."""
    return await _shown(platform, webhook_id)


async def show_secret(platform: Platform, webhook_id: str, form: Back) -> Shown:
    """Show a webhook with its secret."""
    webhook = await _find(platform, webhook_id)
    return await _shown(platform, webhook_id, secret=await platform.webhooks.secret(webhook.agent, webhook_id))


async def rotate_secret(platform: Platform, webhook_id: str, form: Back) -> Shown:
    """Switch to a new secret, and show it."""
    webhook = await _find(platform, webhook_id)
    secret = await platform.webhooks.rotate_secret(webhook.agent, webhook_id)
    return await _shown(platform, webhook_id, secret=secret, rotated=True)


async def export_line(platform: Platform, webhook_id: str, form: Back) -> Went:
    """Tell the line that puts the secret into a shell's environment."""
    webhook = await _find(platform, webhook_id)
    secret = await platform.webhooks.secret(webhook.agent, webhook_id)
    return Went(f"/webhooks/{webhook_id}", "Copied.", data=SecretOut(secret=_export(secret)))


async def change_webhook(platform: Platform, webhook_id: str, form: WebhookChangeForm) -> Went:
    """Change a webhook."""
    before = await _find(platform, webhook_id)
    changed = await platform.webhooks.change(
        before.agent,
        webhook_id,
        url=form.url.strip(),
        events=form.events,
        description=form.description.strip(),
    )
    same = changed.before == changed.after
    follow = "" if same or not changed.pending else f" {_pending(changed.pending)} the new settings."
    said = f"Nothing changed: {webhook_id} was like this before." if same else f"Saved {webhook_id}.{follow}"
    return Went(f"/webhooks/{webhook_id}", said, "note" if same else "good")


async def enable_webhook(platform: Platform, webhook_id: str, form: Back) -> Went:
    """Let a webhook's deliveries go on."""
    return await _switch(platform, webhook_id, enabled=True)


async def disable_webhook(platform: Platform, webhook_id: str, form: Back) -> Went:
    """Hold a webhook's deliveries back."""
    return await _switch(platform, webhook_id, enabled=False)


async def delete_webhook(platform: Platform, webhook_id: str, form: Back) -> Went:
    """Delete a webhook; its log stays."""
    webhook = await _find(platform, webhook_id)
    deleted = await platform.webhooks.delete(webhook.agent, webhook_id)
    canceled = f" {deleted.canceled} scheduled canceled." if deleted.canceled else ""
    return Went("/webhooks", f"Deleted {webhook_id}.{canceled} Its {deleted.deliveries} deliveries are kept.")


async def send_test(platform: Platform, webhook_id: str, form: Back) -> Went:
    """Send one signed test, and show its delivery."""
    webhook = await _find(platform, webhook_id)
    delivery_id = await platform.events.test(webhook.agent, webhook_id)
    timeout_s = platform.settings.send_timeout.total_seconds() + 5
    with suppress(WaitTimeout):
        await wait_for(platform, [delivery_id], wait="first", timeout_s=timeout_s)
    return Went(f"/deliveries/{delivery_id}", f"Sent a test to {webhook_id}.")


async def ask_receiver(platform: Platform, webhook_id: str, form: Back) -> Went:
    """Ask whether anything answers at the webhook's address."""
    webhook = await _find(platform, webhook_id)
    found = await ask(webhook.url)
    return Went(f"/webhooks/{webhook_id}", found.text, "good" if found.answers else "bad")


async def _switch(platform: Platform, webhook_id: str, *, enabled: bool) -> Went:
    webhook = await _find(platform, webhook_id)
    # counted before: what waits goes out as soon as it may
    waiting = await platform.reads.count_deliveries(DeliveryFilter(webhook_id=webhook_id, states=(State.PENDING,)))
    await platform.webhooks.change(webhook.agent, webhook_id, enabled=enabled)
    word = "Enabled" if enabled else "Disabled"
    what = "1 scheduled delivery" if waiting == 1 else f"{waiting} scheduled deliveries"
    goes = (
        ("goes on" if waiting == 1 else "go on")
        if enabled
        else "wait" + "s" * (waiting == 1) + " until it is enabled again"
    )
    return Went(f"/webhooks/{webhook_id}", f"{word} {webhook_id}." + (f" {what} {goes}." if waiting else ""))


async def _find(platform: Platform, webhook_id: str) -> Webhook:
    """Return a webhook that is not deleted. Raises: UnknownWebhook."""
    webhook = await platform.reads.webhook(webhook_id)
    if webhook.deleted_at is not None:
        raise UnknownWebhook(f"{webhook_id} was deleted.", hint="Its deliveries are kept.", field="webhook")
    return webhook


async def _shown(platform: Platform, webhook_id: str, *, secret: str | None = None, rotated: bool = False) -> Shown:
    webhook = await platform.reads.webhook(webhook_id)
    row = (await webhook_rows(platform, [webhook]))[0]
    newest = await platform.reads.deliveries(DeliveryFilter(webhook_id=webhook_id), limit=LAST)
    data = OneWebhookOut(row=row, deleted=webhook.deleted_at is not None, deliveries=listed(platform, newest.rows))
    more = {
        "bars": bars(row.last_hour),
        "types": EVENT_TYPES,
        "all_types": len(EVENT_TYPE_NAMES),
        "secret": secret,
        "rotated": rotated,
        "export": None if secret is None else _export(secret),
        "starters": [(one.name, one.title, one.save_as, one.text()) for one in STARTERS],
    }
    return Shown("webhook.html", webhook_id, data, more)


def _export(secret: str) -> str:
    return f"export {SECRET_VARIABLE}={shlex.quote(secret)}"


def _pending(count: int) -> str:
    return "1 scheduled delivery follows" if count == 1 else f"{count} scheduled deliveries follow"


_ONE: Final = "/webhooks/{webhook_id}"

PAGES: Final = (Page(_ONE, show_webhook),)
ACTIONS: Final = (
    Action(_ONE, change_webhook, "manage"),
    Action(f"{_ONE}/secret", show_secret, "admin"),
    Action(f"{_ONE}/export", export_line, "admin"),
    Action(f"{_ONE}/rotate", rotate_secret, "admin"),
    Action(f"{_ONE}/enable", enable_webhook, "manage"),
    Action(f"{_ONE}/disable", disable_webhook, "manage"),
    Action(f"{_ONE}/delete", delete_webhook, "manage"),
    Action(f"{_ONE}/test", send_test, "emit"),
    Action(f"{_ONE}/ask", ask_receiver, "manage"),
)
