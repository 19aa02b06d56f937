"""The route of the event types that SwiftClaw has, each with a sample of what is sent."""

from __future__ import annotations

from typing import Final

from swiftclaw_local.events.catalog import EVENT_TYPES, EventType, sample_data
from swiftclaw_local.server.adapter import Route
from swiftclaw_local.server.models import EventOut, EventTypeOut, ListOut

# Source: page, "Example Payload".
_ID: Final = "evt_abc123"
_CREATED: Final = 1_709_884_800
_AGENT: Final = "my-agent"
_REQUEST_ID: Final = "req_xyz789"


async def list_event_types() -> ListOut[EventTypeOut]:
    """List the nine event types in the page's order, each with a sample event."""
    return ListOut[EventTypeOut](data=[_event_type_out(one) for one in EVENT_TYPES], total=len(EVENT_TYPES))


def _event_type_out(event_type: EventType) -> EventTypeOut:
    name = event_type.name
    data = sample_data(name, agent=_AGENT, request_id=_REQUEST_ID)
    sample = EventOut(id=_ID, type=name, created=_CREATED, data=data)
    return EventTypeOut(name=name, group=event_type.group, meaning=event_type.meaning, sample=sample)


ROUTES: Final = (Route("GET", "/_local/event-types", list_event_types, "read", {200: ListOut[EventTypeOut]}),)
