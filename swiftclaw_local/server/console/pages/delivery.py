"""One delivery: its way through the retries, what was sent and what came back, and why it stands as it does."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from swiftclaw_local.curl import curl_command
from swiftclaw_local.dispatcher.explain import Explanation, explain
from swiftclaw_local.dispatcher.signing import sign
from swiftclaw_local.errors import DeliveryEnded, NotFound
from swiftclaw_local.plain_text import clean
from swiftclaw_local.platform import Platform
from swiftclaw_local.server.adapter import SAFE_HEADERS
from swiftclaw_local.server.console import charts
from swiftclaw_local.server.console.comparing import Comparison, compare
from swiftclaw_local.server.console.going import own_path
from swiftclaw_local.server.console.page import Action, Page, Shown, Went
from swiftclaw_local.server.console.pretty import pretty
from swiftclaw_local.server.console.snippets import node_program, python_program
from swiftclaw_local.server.console.why import why
from swiftclaw_local.server.console.words import answer
from swiftclaw_local.server.detail import listed, whole_delivery
from swiftclaw_local.server.models import AttemptOut, DeliveryOut, Model
from swiftclaw_local.server.shapes import bytes_sent
from swiftclaw_local.storage.records import Attempt, StoredEvent
from swiftclaw_local.storage.states import ENDED

_SIGNATURE: Final = "X-SwiftClaw-Signature"


class DeliveryQuery(Model):
    """Which send to show in full, by its number, and which two to compare."""

    send: int | None = None
    a: int | None = None
    b: int | None = None


class CheckForm(Model):
    """A secret to check the signature with; it is not kept."""

    secret: str
    send: int | None = None


class ReplayForm(Model):
    back: str = "/deliveries"
    with_retries: bool = False


class BackForm(Model):
    back: str = "/deliveries"


@dataclass(frozen=True, slots=True)
class Request:
    """What an attempt sent, in every form that it is shown in; texts have their control characters spelled out."""

    url: str
    body: bytes
    pretty: str
    raw: str
    signature: str
    curl: str
    python: str
    node: str
    verified: bool | None  # with the webhook's secret of today; None when nothing went out or the webhook is gone


async def show_delivery(platform: Platform, delivery_id: str, query: DeliveryQuery) -> Shown:
    """Show a delivery."""
    return await _page(platform, delivery_id, query, checked=None)


async def check_signature(platform: Platform, delivery_id: str, form: CheckForm) -> Shown:
    """Show a delivery, with what its signature says to another secret."""
    found = await platform.reads.resolve_id("dlv", delivery_id)
    attempts, event = await _attempts(platform, found)
    sent = _chosen(attempts, form.send)
    body, signature = (event.body, "") if sent is None else (bytes_sent(sent, event), sent.signature)
    checked = explain(body, signature, form.secret)
    return await _page(platform, found, DeliveryQuery(send=form.send), checked=checked)


async def _page(platform: Platform, delivery_id: str, query: DeliveryQuery, *, checked: Explanation | None) -> Shown:
    found = await platform.reads.resolve_id("dlv", delivery_id)
    delivery = await whole_delivery(platform, found)
    attempts, event = await _attempts(platform, found)
    chosen = _chosen(attempts, query.send)
    made = delivery.attempts or []
    others = await platform.reads.deliveries_of_event(delivery.event_id)
    more: dict[str, Any] = {
        "delivery": delivery,
        "stops": _stops(delivery),
        "chosen": next((one for one in made if chosen is not None and one.n == chosen.number), None),
        "request": await _request(platform, delivery, chosen, event),
        "response": _response(made, chosen),
        "comparison": _comparison(made, query),
        "others": [one for one in listed(platform, others) if one.id != delivery.id],
        "checked": checked,
        "ended": delivery.state in ("delivered", "failed", "canceled"),
        "visible": clean,
        "why": why(delivery),
    }
    last = answer(delivery.last_status, delivery.last_error)
    title = f"{last if delivery.sends else delivery.state} {delivery.event_type} {delivery.id[:4]}…{delivery.id[-4:]}"
    return Shown("delivery.html", title, delivery, more=more)


async def _attempts(platform: Platform, delivery_id: str) -> tuple[list[Attempt], StoredEvent]:
    delivery = await platform.reads.delivery(delivery_id)
    return await platform.reads.attempts(delivery_id), await platform.reads.event(delivery.event_id)


def _chosen(attempts: list[Attempt], number: int | None) -> Attempt | None:
    """Return the attempt of this number, else the newest."""
    wanted = [one for one in attempts if one.number == number] or attempts
    return wanted[-1] if wanted else None


def _stops(delivery: DeliveryOut) -> list[charts.Stop]:
    made = delivery.attempts or []
    planned = delivery.planned or []
    places = charts.places([one.started_at for one in made] + [one.at for one in planned])
    stops = [
        charts.Stop(x, one.started_at, _word(one), _state(one), done=True) for x, one in zip(places, made, strict=False)
    ]
    return stops + [
        charts.Stop(x, one.at, f"{one.retry}/{delivery.retries_max}" if one.retry else "first", "scheduled", done=False)
        for x, one in zip(places[len(made) :], planned, strict=True)
    ]


def _word(attempt: AttemptOut) -> str:
    return str(attempt.response.status) if attempt.response else "no answer"  # what exactly stands in the table


def _state(attempt: AttemptOut) -> str:
    return {"succeeded": "delivered", "dead": "failed"}.get(attempt.outcome, "retrying")


async def _request(platform: Platform, delivery: DeliveryOut, attempt: Attempt | None, event: StoredEvent) -> Request:
    """Return what the attempt sent; before there is one, what the first will send."""
    secret = await _secret(platform, delivery)
    if attempt is None:
        body, url = event.body, delivery.url
        signature = "" if secret is None else sign(secret, body)
        headers = {"Content-Type": "application/json", _SIGNATURE: signature}
    else:
        body, url, signature = bytes_sent(attempt, event), attempt.url, attempt.signature
        head = attempt.request_head.decode("latin-1").splitlines()
        headers = {name: value.strip() for name, colon, value in (line.partition(":") for line in head) if colon}
    verified = None if secret is None or not signature else hmac.compare_digest(signature, sign(secret, body))
    return Request(
        url=url,
        body=body,
        pretty=clean(pretty(body)),
        raw=clean(body.decode("utf-8", "backslashreplace")),
        signature=signature,
        curl=curl_command(url, body, signature),
        python=python_program(url, body, headers),
        node=node_program(url, body, headers),
        verified=verified,
    )


async def _secret(platform: Platform, delivery: DeliveryOut) -> str | None:
    try:
        return await platform.webhooks.secret(delivery.agent, delivery.webhook_id)
    except NotFound:  # it was deleted
        return None


def _response(made: list[AttemptOut], chosen: Attempt | None) -> dict[str, str] | None:
    shown = next((one for one in made if chosen is not None and one.n == chosen.number), None)
    if shown is None or shown.response is None:
        return None
    body = shown.response.body
    return {"pretty": clean(pretty(body.encode("utf-8", "surrogatepass"))), "raw": clean(body)}


def _comparison(made: list[AttemptOut], query: DeliveryQuery) -> Comparison | None:
    by_number = {one.n: one for one in made}
    first, second = by_number.get(query.a or 0), by_number.get(query.b or 0)
    return None if first is None or second is None else compare(first, second)


async def show_curl(platform: Platform, delivery_id: str) -> web.StreamResponse:
    """Answer the newest send as a curl command, in plain text."""
    found = await platform.reads.resolve_id("dlv", delivery_id)
    attempts, event = await _attempts(platform, found)
    request = await _request(platform, await whole_delivery(platform, found), _chosen(attempts, None), event)
    return web.Response(text=request.curl, headers={"Content-Type": "text/plain; charset=utf-8", **SAFE_HEADERS})


async def replay(platform: Platform, delivery_id: str, form: ReplayForm) -> Went:
    """Send an ended delivery's event again; bring the next attempt of a pending one forward."""
    found = await platform.reads.resolve_id("dlv", delivery_id)
    if (await platform.reads.delivery(found)).state not in ENDED:
        try:
            await platform.deliveries.replay_now(found)
            return Went(own_path(form.back), f"The next attempt of {found} goes out now.")
        except DeliveryEnded:
            pass  # it did so in this moment
    new_id = await platform.deliveries.replay(found, with_retries=form.with_retries)
    return Went(f"/deliveries/{new_id}", f"Sent again, with the same event id and the same bytes, as {new_id}.")


async def cancel(platform: Platform, delivery_id: str, form: BackForm) -> Went:
    """End a pending delivery."""
    found = await platform.reads.resolve_id("dlv", delivery_id)
    await platform.deliveries.cancel(found)
    return Went(own_path(form.back), f"Canceled {found}: nothing more is sent for it.")


async def advance(platform: Platform, delivery_id: str, form: BackForm) -> Went:
    """Move a manual clock to the next attempt, and run what is due until then."""
    found = await platform.reads.resolve_id("dlv", delivery_id)
    delivery = await platform.reads.delivery(found)
    if delivery.state in ENDED:
        raise DeliveryEnded(f"{found} has ended: no attempt of it is to come.")
    moved = await platform.timeline.move_to(max(delivery.due_at, platform.clock.now()))
    sends = len(moved.sends)
    return Went(
        own_path(form.back), f"The clock moved to the next attempt: {sends} {'send' if sends == 1 else 'sends'}."
    )


_ONE: Final = "/deliveries/{delivery_id}"

PAGES: Final = (
    Page(f"{_ONE}/curl", show_curl, twin=False),
    Page(_ONE, show_delivery),
)
ACTIONS: Final = (
    Action(f"{_ONE}/replay", replay, "emit"),
    Action(f"{_ONE}/cancel", cancel, "emit"),
    Action(f"{_ONE}/advance", advance, "admin"),
    Action(f"{_ONE}/check", check_signature, "read"),
)
