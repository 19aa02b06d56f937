"""The list of deliveries: filters in the address, grouped by cause or webhook, and what can be done with many at once."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from urllib.parse import urlencode

from aiohttp import web
from pydantic import Field

from swiftclaw_local.errors import InvalidInput, SwiftclawError
from swiftclaw_local.events.catalog import EVENT_TYPES
from swiftclaw_local.platform import Platform
from swiftclaw_local.server.adapter import SAFE_HEADERS
from swiftclaw_local.server.console.going import own_path
from swiftclaw_local.server.console.page import Action, Page, Shown, Went
from swiftclaw_local.server.console.words import counted
from swiftclaw_local.server.detail import listed, whole_delivery
from swiftclaw_local.server.models import CauseGroupOut, DeliveryOut, Model, WebhookGroupOut
from swiftclaw_local.server.queries import CursorText, DeliveriesQuery, delivery_filter
from swiftclaw_local.server.shapes import cause_out, webhook_group_out
from swiftclaw_local.server.written import Text, TimeText
from swiftclaw_local.storage.records import DeliveryFilter

ROWS: Final = 50
MOST_AT_ONCE: Final = 500
STATES: Final = ("unresolved", "scheduled", "sending", "retrying", "delivered", "failed", "canceled")
_MOST_WEBHOOKS: Final = 100
_EXPORTED_AT_ONCE: Final = 200


class ListQuery(Model):
    """The filters; an empty one does not restrict."""

    state: Literal["unresolved", "scheduled", "sending", "retrying", "delivered", "failed", "canceled"] | None = None
    status: Annotated[str, Field(pattern=r"^[1-9]([0-9]{2}|xx)$")] | None = None
    cause: Text | None = None
    agent: Text | None = None
    webhook: Text | None = None
    event: Text | None = None
    type: Text | None = None
    since: TimeText | None = None
    until: TimeText | None = None
    q: Annotated[Text, Field(min_length=1)] | None = None
    group: Literal["cause", "webhook"] | None = None
    cursor: CursorText | None = None


class ListedOut(Model):
    """A page of deliveries, newest first, or groups of them. `total` counts all that match."""

    deliveries: list[DeliveryOut] = Field(default_factory=list)
    causes: list[CauseGroupOut] = Field(default_factory=list)
    webhooks: list[WebhookGroupOut] = Field(default_factory=list)
    next: str | None = None
    total: int


class BulkForm(Model):
    """What to do with which deliveries."""

    do: Literal["cancel", "export"]
    id: Annotated[list[Text], Field(max_length=MOST_AT_ONCE)] = Field(default_factory=list)
    back: str = "/deliveries"


async def show_deliveries(platform: Platform, query: ListQuery) -> Shown:
    """List deliveries, or the groups they fall into."""
    wanted = wanted_by(platform, query)
    hooks = (await platform.reads.webhooks(limit=_MOST_WEBHOOKS)).rows
    total = await platform.reads.count_deliveries(wanted)
    if query.group == "cause":
        groups = [cause_out(group) for group in await platform.reads.group_by_cause(wanted)]
        data = ListedOut(causes=groups, total=total)
    elif query.group == "webhook":
        found = [webhook_group_out(group) for group in await platform.reads.group_by_webhook(wanted)]
        data = ListedOut(webhooks=found, total=total)
    else:
        page = await platform.reads.deliveries(wanted, limit=ROWS, cursor=query.cursor)
        data = ListedOut(deliveries=listed(platform, page.rows), next=page.next, total=total)
    more = {
        "query": query,
        "hooks": hooks,
        "types": [kind.name for kind in EVENT_TYPES],
        "states": STATES,
        "narrowed": bool(_fields(query, cursor=None, group=None)),
        "with_": lambda **changed: "/deliveries" + _text(_fields(query, **{"cursor": None, **changed})),
        "filter": _text(_fields(query, cursor=None, group=None)),
        "export": "/deliveries/export" + _text(_fields(query, cursor=None, group=None)),
    }
    return Shown("deliveries.html", _title(query, total), data, more=more)


def wanted_by(platform: Platform, query: ListQuery) -> DeliveryFilter:
    """Return the filter of the address. Raises: InvalidTime."""
    unresolved = query.state == "unresolved"
    asked = query.model_dump(exclude={"state", "group", "cursor"}, exclude_none=True)
    model = DeliveriesQuery.model_validate(
        {**asked, "state": None if unresolved else query.state, "unresolved": "1" if unresolved else "0"}
    )
    return delivery_filter(model, now=platform.clock.now())


def _fields(query: ListQuery, **changed: str | None) -> dict[str, str]:
    return {name: value for name, value in {**query.model_dump(), **changed}.items() if value is not None}


def _text(fields: dict[str, str]) -> str:
    return f"?{urlencode(fields)}" if fields else ""


def _title(query: ListQuery, total: int) -> str:
    return f"{total:,} {query.state or ''} deliveries".replace("  ", " ")


async def export(platform: Platform, request: web.Request, query: ListQuery) -> web.StreamResponse:
    """Answer every delivery that matches, each with its attempts, one JSON object a line."""
    wanted, cursor = wanted_by(platform, query), query.cursor
    response = _lines()
    await response.prepare(request)
    while True:
        page = await platform.reads.deliveries(wanted, limit=_EXPORTED_AT_ONCE, cursor=cursor)
        for row in page.rows:
            await response.write(await _line(platform, row.id))
        cursor = page.next
        if cursor is None:
            await response.write_eof()
            return response


def _lines() -> web.StreamResponse:
    named = {"Content-Disposition": 'attachment; filename="deliveries.ndjson"'}
    return web.StreamResponse(headers={"Content-Type": "application/x-ndjson", **named, **SAFE_HEADERS})


async def _line(platform: Platform, delivery_id: str) -> bytes:
    return (await whole_delivery(platform, delivery_id)).model_dump_json().encode("utf-8", "replace") + b"\n"


async def act(platform: Platform, request: web.Request, form: BulkForm) -> Went | web.StreamResponse:
    """Cancel or export the marked deliveries; the oldest first."""
    if not form.id:
        raise InvalidInput("No delivery is marked.", hint="Mark some by their boxes, or by the key x.", field="id")
    names = [await platform.reads.resolve_id("dlv", name) for name in sorted(set(form.id))]
    if form.do == "export":
        response = _lines()
        await response.prepare(request)
        for name in names:
            await response.write(await _line(platform, name))
        await response.write_eof()
        return response
    return await _cancel(platform, names, back=form.back)


async def _cancel(platform: Platform, names: list[str], *, back: str) -> Went:
    """Cancel one after the other; one that cannot be does not keep the others from it."""
    done, refused = 0, list[str]()
    for name in names:
        try:
            await platform.deliveries.cancel(name)
            done += 1
        except SwiftclawError as error:
            if error.http_status >= 500:  # the database is away: so it is for all others
                raise
            refused.append(error.message)
    said = f"Canceled {counted(done, 'delivery', 'deliveries')}."
    if refused:
        said += f" {len(refused)} could not be: {refused[0]}"
    return Went(own_path(back), said, "good" if done else "bad")


PAGES: Final = (
    Page("/deliveries/export", export, twin=False),
    Page("/deliveries", show_deliveries),
)
ACTIONS: Final = (Action("/deliveries/bulk", act, "emit"),)
