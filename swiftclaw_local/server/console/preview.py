"""What would be sent of an event, before it is: the bytes, the signature and the headers for each webhook, or why none go there."""

from __future__ import annotations

import hashlib
import json
import shlex
from typing import Final

from swiftclaw_local.dispatcher.faults import Hit, body_sent, requests_under
from swiftclaw_local.dispatcher.request import HeaderMode, Request, build_request
from swiftclaw_local.platform import Platform
from swiftclaw_local.server.models import Model
from swiftclaw_local.storage.records import Claim, StoredEvent, Webhook

_WEBHOOKS: Final = 200


class TargetOut(Model):
    """A webhook and what goes there; `head` are the header lines, empty where nothing is sent."""

    webhook: str
    agent: str
    url: str
    goes: bool
    why: str
    signature: str
    head: str
    note: str | None


class PreviewOut(Model):
    """The exact bytes of an event (`body`, as text), and the webhooks that it goes to and does not go to."""

    id: str
    type: str
    bytes: int
    sha256: str
    body: str
    fault: str | None
    targets: list[TargetOut]
    command: str


async def preview_of(
    platform: Platform, event: StoredEvent, *, webhook_id: str | None, fault: str | None, times: int
) -> PreviewOut:
    """Return what would be sent. Raises: UnknownFaultKind, InvalidInput."""
    shown = None if fault is None else platform.faults.read_for_event(fault)
    body = event.body if shown is None else body_sent(shown, event.body)
    webhooks = (await platform.reads.webhooks(limit=_WEBHOOKS)).rows
    agent = event.agent
    near = [one for one in webhooks if agent is None or one.agent == agent]
    refusals = [_why_not(one, event, chosen=webhook_id) for one in near]
    going = sum(why is None for why in refusals)
    targets: list[TargetOut] = []
    for webhook, why in zip(near, refusals, strict=True):
        # a fault may treat the second half of an event's deliveries in another way
        place = 1 + sum(target.goes for target in targets)
        hit = None if shown is None else Hit(shown, late=place > going // 2)
        targets.append(await _target(platform, webhook, event, why=why, hit=hit))
    return PreviewOut(
        id=event.id,
        type=event.type,
        bytes=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        body=body.decode("utf-8", "replace"),
        fault=fault,
        targets=sorted(targets, key=lambda target: not target.goes),
        command=trigger_command(event, webhook_id=webhook_id, fault=fault, times=times),
    )


async def _target(
    platform: Platform, webhook: Webhook, event: StoredEvent, *, why: str | None, hit: Hit | None
) -> TargetOut:
    note = platform.webhooks.url_note(webhook.url)
    request = None
    if why is None:
        secret = await platform.webhooks.secret(webhook.agent, webhook.id)
        request = _request(platform, webhook, event, secret=secret, hit=hit)
    waits = "" if webhook.enabled else "it waits until the webhook is enabled"
    return TargetOut(
        webhook=webhook.id,
        agent=webhook.agent,
        url=webhook.url,
        goes=why is None,
        why=why or waits,
        signature="" if request is None else request.signature,
        head="" if request is None else request.head.decode("latin-1").replace("\r\n", "\n"),
        note=note,
    )


def _why_not(webhook: Webhook, event: StoredEvent, *, chosen: str | None) -> str | None:
    if chosen is not None and webhook.id != chosen:
        return "another one is chosen"
    return None if event.type in webhook.events else f"not subscribed to {event.type}"


def _request(
    platform: Platform, webhook: Webhook, event: StoredEvent, *, secret: str, hit: Hit | None
) -> Request | None:
    """Return the first attempt's request, as it will be built; None when the fault lets nothing out."""
    now = platform.clock.now()
    claim = Claim(
        delivery_id="dlv_",
        lease_token=0,
        webhook_id=webhook.id,
        agent=webhook.agent,
        url=webhook.url,
        secret=secret,
        event_id=event.id,
        event_type=event.type,
        body=event.body,
        trigger="event",
        scheduled=True,
        attempt_number=1,
        retries_used=0,
        due_at=now,
    )
    mode = HeaderMode(platform.settings.headers)
    if hit is None:
        return build_request(claim, mode=mode, now=now)
    return next(iter(requests_under(hit, claim, mode=mode, now=now)), None)


def trigger_command(event: StoredEvent, *, webhook_id: str | None, fault: str | None, times: int) -> str:
    """Return the command that announces the like: the same type, agent and data, with an id of its own."""
    data = json.dumps(json.loads(event.body)["data"], ensure_ascii=False, separators=(",", ":"))
    flags = [] if event.agent is None else ["--agent", event.agent]
    flags += [] if webhook_id is None else ["--webhook", webhook_id]
    flags += [] if fault is None else ["--fault", fault]
    flags += [] if times == 1 else ["--count", str(times)]
    command = shlex.join(["swiftclaw", "trigger", event.type, *flags, "--exact", "--data", "-"])
    return f"printf %s {shlex.quote(data)} | {command}"
