"""Send: build any event, see the exact bytes, the signature and where it goes, and only then send it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import Field

from swiftclaw_local import __version__
from swiftclaw_local.dispatcher.fault_kinds import KINDS
from swiftclaw_local.errors import InvalidInput, SwiftclawError, TokenRequired, WaitTimeout
from swiftclaw_local.events.catalog import EVENT_TYPES
from swiftclaw_local.events.shapes import SHAPES
from swiftclaw_local.platform import Platform
from swiftclaw_local.platform.faults import GATHERING
from swiftclaw_local.plays.recording import Recorded, event_line, header_line
from swiftclaw_local.server.adapter import SAFE_HEADERS
from swiftclaw_local.server.console.blanks import MaybeText
from swiftclaw_local.server.console.frame import lacking
from swiftclaw_local.server.console.page import Action, Page, Shown, Went
from swiftclaw_local.server.console.preview import PreviewOut, preview_of
from swiftclaw_local.server.detail import wait_for
from swiftclaw_local.server.guard import CALLER
from swiftclaw_local.server.json_body import parse_json_object
from swiftclaw_local.server.models import Model
from swiftclaw_local.server.written import LAST_SECOND
from swiftclaw_local.storage.records import Accepted, StoredEvent

MOST_TIMES: Final = 1000
ANSWER_WITHIN_S: Final = 2.0
# What one event can meet; those that gather several are armed on the page of faults.
FAULTS: Final = tuple(kind for kind in KINDS if kind.name not in GATHERING and kind.name != "body_shape")
_MOST_WAITED_FOR: Final = 20


class SendForm(Model):
    """An event to send. `id` and `created` (unix seconds) stand from the first look at it, so that the bytes do, too."""

    type: str = "agent.completed"
    agent: str = "my-agent"
    webhook: MaybeText = None
    times: Annotated[int, Field(ge=1, le=MOST_TIMES)] = 1
    shape: str = "compact"
    fault: MaybeText = None
    data: str = ""
    id: MaybeText = None
    created: Annotated[int | None, Field(ge=0, le=LAST_SECOND)] = None
    part: str = ""


class SendQuery(Model):
    """What the form is filled in with: a type's sample, or the event that was sent once."""

    type: str = "agent.completed"
    agent: str | None = None
    webhook: str | None = None
    event: str | None = None
    fault: str | None = None
    data: str | None = None


class SendOut(Model):
    """What the form holds, and what would be sent; or why nothing could be."""

    form: SendForm
    preview: PreviewOut | None
    error: str | None
    hint: str | None


async def show_send(platform: Platform, request: web.Request, query: SendQuery) -> Shown:
    """Show the form with a sample, and what would be sent; to whom may not send the form alone, as a signature is worth a secret."""
    first = (await platform.reads.webhooks(limit=1)).rows
    agent = query.agent or (first[0].agent if first else "my-agent")
    type, data = query.type, query.data
    if query.event is not None:
        event = await platform.reads.event(await platform.reads.resolve_id("evt", query.event))
        type, agent, data = event.type, event.agent or agent, _pretty(json.loads(event.body)["data"])
    form = SendForm(type=type, agent=agent, webhook=query.webhook, fault=query.fault, data=data or "")
    lack = lacking(request[CALLER].scope, "emit")
    refused = None if lack is None else TokenRequired(lack, hint="Sign in with a token of that scope to send.")
    return await _shown(platform, form, error=refused, status=200)


async def preview_send(platform: Platform, form: SendForm) -> Shown:
    """Show what would be sent, and send nothing."""
    return await _shown(platform, form)


async def send(platform: Platform, form: SendForm) -> Shown | Went:
    """Send the event, and show its delivery."""
    try:
        event, fault = _drafted(platform, form)
        accepted = await _emit(platform, form, event, fault)
    except SwiftclawError as error:
        return await _shown(platform, form, error=error)
    made = [new.id for one in accepted for new in one.new]
    with suppress(WaitTimeout):
        await wait_for(platform, made[:_MOST_WAITED_FOR], wait="first", timeout_s=ANSWER_WITHIN_S)
    return _went(form, event, accepted, made)


async def save_fixture(platform: Platform, form: SendForm) -> web.StreamResponse | Shown:
    """Give the event as a recording of one line, which `swiftclaw play` sends."""
    try:
        event, _ = _drafted(platform, form)
    except SwiftclawError as error:
        return await _shown(platform, form, error=error)
    at = event.created_at.timestamp()
    body = header_line(made_by=f"swiftclaw-local {__version__}", began_at=at)
    body += event_line(Recorded(at, event.agent, event.body))
    headers = {
        "Content-Type": "application/x-ndjson",
        "Content-Disposition": f'attachment; filename="{event.type}.ndjson"',
        **SAFE_HEADERS,
    }
    return web.Response(body=body, headers=headers)


async def _emit(platform: Platform, form: SendForm, event: StoredEvent, fault: str | None) -> list[Accepted]:
    data = json.loads(event.body)["data"]
    accepted = []
    for number in range(form.times):
        first = number == 0
        accepted.append(
            await platform.events.emit(
                form.agent,
                type=form.type,
                data=data,
                exact=True,
                id=event.id if first else None,
                created=event.created_at if first else None,
                webhook=form.webhook,
                fault=fault,
            )
        )
    return accepted


def _went(form: SendForm, event: StoredEvent, accepted: list[Accepted], made: list[str]) -> Went:
    if accepted[0].known and not made:
        return Went("/send", f"{event.id} was sent before: the same event is sent once. Here is a new one.", "note")
    if not made:
        return Went("/send", f"Nobody takes {event.type} of {form.agent}, so nothing was sent.", "bad")
    if len(made) == 1:
        return Went(f"/deliveries/{made[0]}", f"Sent {event.type} {event.id}.")
    if form.times == 1:
        return Went(f"/deliveries?q={event.id}", f"Sent {event.type} to {len(made)} webhooks.")
    return Went("/", f"Sent {form.times} events, {len(made)} deliveries.")


def _drafted(platform: Platform, form: SendForm) -> tuple[StoredEvent, str | None]:
    """Return the event of a form and the fault that it shall meet.

    Raises: InvalidJson, InvalidInput, UnknownEventType, UnknownFaultKind.
    """
    data = parse_json_object(form.data.encode("utf-8", "surrogatepass")) if form.data.strip() else None
    created = None if form.created is None else datetime.fromtimestamp(form.created, UTC)
    event = platform.events.draft(form.agent, type=form.type, data=data, id=form.id, created=created)
    fault = _fault(form)
    if fault is not None:
        platform.faults.read_for_event(fault)
    return event, fault


def _fault(form: SendForm) -> str | None:
    if form.shape not in SHAPES:
        raise InvalidInput(
            f'There is no shape "{form.shape[:40]}".', hint=f"Shapes: {', '.join(SHAPES)}", field="shape"
        )
    if form.shape == SHAPES[0]:
        return form.fault
    if form.fault is not None:
        raise InvalidInput(
            "A body's shape and a fault exclude each other: one attempt meets one fault.",
            hint="Set one of the two back.",
            field="fault",
        )
    return f"body_shape:{form.shape}"


async def _shown(
    platform: Platform, form: SendForm, *, error: SwiftclawError | None = None, status: int | None = None
) -> Shown:
    preview = None
    if error is None:
        try:
            event, fault = _drafted(platform, form)
            filled = {"id": event.id, "created": int(event.created_at.timestamp())}
            if not form.data.strip():
                filled["data"] = _pretty(json.loads(event.body)["data"])
            form = form.model_copy(update=filled)
            preview = await preview_of(platform, event, webhook_id=form.webhook, fault=fault, times=form.times)
        except SwiftclawError as refused:
            error = refused
    webhooks = (await platform.reads.webhooks(limit=200)).rows
    more: dict[str, Any] = {
        "types": EVENT_TYPES,
        "shapes": SHAPES,
        "faults": FAULTS,
        "choices": [(one.id, one.agent) for one in webhooks],
        "agents": _known(form.agent, (one.agent for one in webhooks)),
        "most_times": MOST_TIMES,
    }
    told = (None, None) if error is None else (error.message, error.hint)
    out = SendOut(form=form, preview=preview, error=told[0], hint=told[1])
    if form.part:
        return Shown("send_preview.html", "Send", out, more, part=True)
    return Shown("send.html", "Send", out, more, status=status or (200 if error is None else error.http_status))


def _known(agent: str, others: Iterable[str]) -> list[str]:
    return sorted({agent, *others})


def _pretty(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, indent=2)


PAGES: Final = (Page("/send", show_send),)
ACTIONS: Final = (
    Action("/send", send, "emit"),
    Action("/send/preview", preview_send, "emit"),
    Action("/send/fixture", save_fixture, "emit"),
)
