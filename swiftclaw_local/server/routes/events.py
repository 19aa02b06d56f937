"""Routes of events: emit one, let an agent run or a deployment go through its events, look at them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from swiftclaw_local.errors import (
    AmbiguousId,
    EventIdTaken,
    InvalidCursor,
    InvalidDuration,
    InvalidInput,
    InvalidJson,
    InvalidTime,
    ServerStopping,
    StorageFull,
    StorageUnavailable,
    UnknownAgent,
    UnknownEvent,
    UnknownEventType,
    UnknownFaultKind,
    UnknownWebhook,
    WaitTimeout,
)
from swiftclaw_local.platform import Platform
from swiftclaw_local.server.adapter import JSON, Answer, Route
from swiftclaw_local.server.bodies import DeploymentCreate, EventCreate, RunCreate
from swiftclaw_local.server.detail import listed, wait_for, whole_delivery
from swiftclaw_local.server.models import DeliveryOut, EmittedSequence, EventOut, EventWithDeliveries, ListOut
from swiftclaw_local.server.queries import EmitQuery, EventsQuery, moment, wait_seconds
from swiftclaw_local.server.shapes import event_out, fresh_delivery
from swiftclaw_local.storage.records import Accepted

_WRITES: Final = (ServerStopping, StorageUnavailable, StorageFull)


async def emit_event(
    platform: Platform, agent: str, query: EmitQuery, body: EventCreate, idempotency_key: str | None
) -> Answer:
    """Emit an event: it is durable when this answers. The same id with the same content again is the same event."""
    timeout_s = wait_seconds(query.timeout)
    accepted = await platform.events.emit(
        agent,
        type=body.type,
        data=body.data,
        exact=body.exact,
        id=_event_id(body.id, idempotency_key),
        created=None if body.created is None else datetime.fromtimestamp(body.created, UTC),
        webhook=body.webhook,
        allow_unknown_type=body.allow_unknown_type,
        fault=body.fault,
    )
    if query.wait == "none":
        return Answer(202, _emitted(accepted, await _deliveries(platform, accepted)))
    await wait_for(platform, accepted.delivery_ids, wait=query.wait, timeout_s=timeout_s)
    shown = [await whole_delivery(platform, delivery_id) for delivery_id in accepted.delivery_ids]
    return Answer(200, _emitted(accepted, shown))


async def run_agent(platform: Platform, agent: str, body: RunCreate) -> EmittedSequence:
    """Let an agent run: agent.invoked now, and its ending after the run's duration on the engine's clock."""
    return await _sequence(platform, await platform.events.run_agent(agent, ending=body.ending))


async def run_deployment(platform: Platform, agent: str, body: DeploymentCreate) -> EmittedSequence:
    """Let a deployment run: deployment.started now, and its ending after its duration on the engine's clock."""
    return await _sequence(platform, await platform.events.run_deployment(agent, ending=body.ending))


async def list_events(platform: Platform, query: EventsQuery) -> ListOut[EventOut]:
    """List events, newest first."""
    since = moment(query.since, now=platform.clock.now(), field="since")
    page = await platform.reads.events(
        agent=query.agent, type=query.type, since=since, limit=query.limit, cursor=query.cursor
    )
    return ListOut[EventOut](data=[event_out(event) for event in page.rows], next=page.next)


async def show_event(platform: Platform, event_id: str) -> EventWithDeliveries:
    """Show an event and its deliveries."""
    event = await platform.reads.event(await platform.reads.resolve_id("evt", event_id))
    deliveries = await platform.reads.deliveries_of_event(event.id)
    return EventWithDeliveries(event=event_out(event), deliveries=listed(platform, deliveries))


async def event_body(platform: Platform, event_id: str) -> Answer:
    """Return the exact bytes that every attempt sends."""
    event = await platform.reads.event(await platform.reads.resolve_id("evt", event_id))
    return Answer(200, event.body)


def _event_id(given: str | None, key: str | None) -> str | None:
    if given is not None and key not in (None, given):
        raise InvalidInput("The body's id and the Idempotency-Key differ.", hint="Give one of the two.", field="id")
    return key if given is None else given


async def _sequence(platform: Platform, accepted: list[Accepted]) -> EmittedSequence:
    events = [
        EventWithDeliveries(event=event_out(one.event), deliveries=await _deliveries(platform, one), known=one.known)
        for one in accepted
    ]
    return EmittedSequence(events=events)


async def _deliveries(platform: Platform, accepted: Accepted) -> list[DeliveryOut]:
    """Return the deliveries just made; only those of an event that was there already are read."""
    if accepted.known:
        return listed(platform, await platform.reads.deliveries_of_event(accepted.event.id))
    return listed(platform, [fresh_delivery(new, accepted.event) for new in accepted.new])


def _emitted(accepted: Accepted, deliveries: list[DeliveryOut]) -> bytes:
    """Return an EventWithDeliveries as JSON, with the event's own bytes in it: nothing is parsed and written again."""
    shown = b",".join(one.__pydantic_serializer__.to_json(one) for one in deliveries)
    known = b"true" if accepted.known else b"false"
    return b'{"event":%b,"deliveries":[%b],"known":%b}' % (accepted.event.body, shown, known)


ROUTES: Final = (
    Route(
        "POST",
        "/v1/agents/{agent}/events",
        emit_event,
        "emit",
        {202: EventWithDeliveries, 200: EventWithDeliveries},
        (
            InvalidInput,
            InvalidJson,
            InvalidDuration,
            UnknownEventType,
            UnknownFaultKind,
            UnknownAgent,
            UnknownWebhook,
            EventIdTaken,
            WaitTimeout,
            *_WRITES,
        ),
    ),
    Route(
        "POST",
        "/_local/agents/{agent}/runs",
        run_agent,
        "emit",
        {202: EmittedSequence},
        (InvalidInput, InvalidJson, *_WRITES),
    ),
    Route(
        "POST",
        "/_local/agents/{agent}/deployments",
        run_deployment,
        "emit",
        {202: EmittedSequence},
        (InvalidInput, InvalidJson, *_WRITES),
    ),
    Route(
        "GET",
        "/v1/events",
        list_events,
        "read",
        {200: ListOut[EventOut]},
        (InvalidInput, InvalidTime, InvalidCursor),
    ),
    Route("GET", "/v1/events/{event_id}", show_event, "read", {200: EventWithDeliveries}, (UnknownEvent, AmbiguousId)),
    Route("GET", "/v1/events/{event_id}/body", event_body, "read", {200: JSON}, (UnknownEvent, AmbiguousId)),
)
