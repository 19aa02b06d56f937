"""The list of webhooks, how each did in the last hour, and the form that registers one."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import Field

from swiftclaw_local.events.catalog import EVENT_TYPE_NAMES, EVENT_TYPES
from swiftclaw_local.platform import Platform
from swiftclaw_local.server.console.blanks import MaybeText
from swiftclaw_local.server.console.page import Action, Page, Shown, Went
from swiftclaw_local.server.console.sparkline import bars
from swiftclaw_local.server.models import Model, Seconds, StatsPointOut, WebhookOut
from swiftclaw_local.server.queries import CursorText
from swiftclaw_local.server.shapes import point_out, seconds, webhook_out
from swiftclaw_local.server.surroundings import surroundings
from swiftclaw_local.storage.records import Webhook

HOUR: Final = timedelta(hours=1)
STEP: Final = timedelta(minutes=5)
AT_ONCE: Final = 50
_PATH: Final = "/webhooks/swiftclaw"


class CertifiedOut(Model):
    """The newest report on a webhook's receiver; `of` does not count what was skipped."""

    id: str
    passed: int
    failed: int
    of: int
    at: Seconds


class WebhookRow(Model):
    """A webhook in the list: with the share of its deliveries that got their 2xx, from 0 to 1, and its last hour."""

    webhook: WebhookOut
    success: float | None
    last_hour: list[StatsPointOut]
    certified: CertifiedOut | None


class WebhooksOut(Model):
    """The webhooks of all agents, oldest first; `open_ports` are where something listens on this machine."""

    rows: list[WebhookRow]
    next: str | None
    open_ports: list[int]


class WebhooksQuery(Model):
    """One page of the list; `url` and `agent` are what the form is filled in with."""

    cursor: CursorText | None = None
    url: str | None = None
    agent: str | None = None


class WebhookForm(Model):
    """A new webhook."""

    agent: str = "my-agent"
    url: str = ""
    events: list[str] = Field(default=[])
    description: str = ""
    secret: MaybeText = None


async def show_webhooks(platform: Platform, request: web.Request, query: WebhooksQuery) -> Shown:
    """List the webhooks."""
    page = await platform.reads.webhooks(limit=AT_ONCE, cursor=query.cursor)
    rows = await webhook_rows(platform, page.rows)
    ports = [port for port in surroundings().open_ports if port != request.url.port]
    more = {
        "bars": {row.webhook.id: bars(row.last_hour) for row in rows},
        "types": EVENT_TYPES,
        "given_url": query.url or f"http://localhost:{ports[0] if ports else 8000}{_PATH}",
        "given_agent": query.agent or "my-agent",
        "path": _PATH,
        "asked": query.url is not None,
    }
    return Shown("webhooks.html", "Webhooks", WebhooksOut(rows=rows, next=page.next, open_ports=ports), more)


async def webhook_rows(platform: Platform, webhooks: list[Webhook]) -> list[WebhookRow]:
    """Return webhooks with how they did."""
    ids = [webhook.id for webhook in webhooks]
    until = platform.clock.now() + timedelta(seconds=1)  # with those of this moment: a clock may stand
    stats, hours = await asyncio.gather(
        platform.reads.webhook_stats(ids),
        platform.reads.stats_by_webhook(ids, since=until - HOUR, until=until, step=STEP),
    )
    rows = []
    for webhook in webhooks:
        hour = [point_out(point) for point in hours[webhook.id]]
        out = webhook_out(webhook, note=platform.webhooks.url_note(webhook.url), stats=stats[webhook.id])
        rows.append(
            WebhookRow(webhook=out, success=_success(out), last_hour=hour, certified=certified(platform, webhook.id))
        )
    return rows


def certified(platform: Platform, webhook_id: str) -> CertifiedOut | None:
    """Return the newest report on a webhook's receiver, if one was made since the start."""
    kept = platform.certifications.newest(webhook_id)
    if kept is None:
        return None
    told = kept.report.document()
    of = told["passed"] + told["failed"] + told["warned"]
    return CertifiedOut(id=kept.id, passed=told["passed"], failed=told["failed"], of=of, at=seconds(kept.made_at))


def _success(webhook: WebhookOut) -> float | None:
    stats = webhook.stats
    ended = 0 if stats is None else stats.delivered + stats.failed
    return None if stats is None or not ended else round(stats.delivered / ended, 4)


async def create_webhook(platform: Platform, form: WebhookForm) -> Went:
    """Register a webhook."""
    events = [name for name in EVENT_TYPE_NAMES if name in form.events]
    unknown = [name for name in form.events if name not in EVENT_TYPE_NAMES]
    webhook, _ = await platform.webhooks.create(
        form.agent.strip(),
        url=form.url.strip(),
        events=(events + unknown) or None,
        description=form.description.strip(),
        secret=form.secret,
    )
    place = urlsplit(webhook.url).netloc
    said = f"Created {webhook.id} for {webhook.agent}. Give {place} its secret (below), then send a test."
    return Went(f"/webhooks/{webhook.id}", said, data=webhook_out(webhook, note=None))


PAGES: Final = (Page("/webhooks", show_webhooks),)
ACTIONS: Final = (Action("/webhooks", create_webhook, "manage"),)
