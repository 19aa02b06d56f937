"""The nine event types of SwiftClaw, in the order and with the words of its documentation page, and a sample of each.

This module does not know ids, clocks or webhooks: a sample is only the `data` of an event.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from swiftclaw_local.errors import InvalidInput, UnknownEventType

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class EventType:
    """One event type: its name, the page's sentence about it, and the `data` of a sample (without agent and request_id)."""

    name: str
    meaning: str
    sample: JsonObject

    @property
    def group(self) -> str:
        """The part before the dot: agent, deployment or system."""
        return self.name.partition(".")[0]


# Source: page, "Webhook Events" (names, meanings, order) and "Example Payload" (the data of agent.completed).
EVENT_TYPES: Final = (
    EventType("agent.invoked", "Agent received request", {"input": {"message": "Summarize the open tickets"}}),
    EventType(
        "agent.completed",
        "Agent finished processing",
        {"duration": 1250, "tokens_used": 450, "response": {"message": "Task completed successfully"}},
    ),
    EventType(
        "agent.failed",
        "Agent encountered error",
        {"duration": 830, "error": {"code": "tool_error", "message": "The tool search_tickets raised an error"}},
    ),
    EventType("agent.timeout", "Agent exceeded time limit", {"duration": 30000, "time_limit": 30000}),
    EventType("deployment.started", "Deployment initiated", {"deployment_id": "dpl_sample", "version": "v42"}),
    EventType(
        "deployment.completed",
        "Deployment successful",
        {"deployment_id": "dpl_sample", "version": "v42", "duration": 41000},
    ),
    EventType(
        "deployment.failed",
        "Deployment failed",
        {
            "deployment_id": "dpl_sample",
            "version": "v42",
            "duration": 12000,
            "error": {"code": "health_check_failed", "message": "The new version did not answer its health check"},
        },
    ),
    EventType(
        "system.maintenance",
        "Scheduled maintenance",
        {"title": "Database upgrade", "message": "Agents may answer slowly", "starts_in": 86400, "duration": 1800000},
    ),
    EventType(
        "system.incident",
        "System incident",
        {
            "title": "Elevated error rate",
            "message": "Some agent requests fail",
            "severity": "major",
            "status": "investigating",
        },
    ),
)

EVENT_TYPE_NAMES: Final = tuple(event_type.name for event_type in EVENT_TYPES)
_BY_NAME: Final = {event_type.name: event_type for event_type in EVENT_TYPES}


def is_system(name: str) -> bool:
    """Return whether an event of this type goes to every agent's webhooks (decision D17)."""
    return name.startswith("system.")


def check_event_type(name: str, *, field: str = "type") -> str:
    """Return `name` when SwiftClaw has such an event type.

    Raises: UnknownEventType, with the closest name and the whole list.
    """
    if name in _BY_NAME:
        return name
    close = get_close_matches(name, EVENT_TYPE_NAMES, n=1)
    guess = f' Did you mean "{close[0]}"?' if close else ""
    raise UnknownEventType(
        f'Unknown event type "{name}" in {field}.{guess}',
        hint="Types: agent.invoked, agent.completed, agent.failed, agent.timeout, deployment.*, system.* (swiftclaw trigger --list)",
        field=field,
    )


def check_event_types(names: list[str], *, field: str = "events") -> tuple[str, ...]:
    """Return the event types of a webhook in the page's order, each once.

    Raises: UnknownEventType; InvalidInput when the list is empty.
    """
    if not names:
        raise InvalidInput(
            f"{field} is empty: a webhook needs at least one event type.",
            hint="Leave it out for all nine.",
            field=field,
        )
    wanted = {check_event_type(name, field=field) for name in names}
    return tuple(name for name in EVENT_TYPE_NAMES if name in wanted)


def sample_data(name: str, *, agent: str, request_id: str) -> JsonObject:
    """Return the `data` of a sample event of this type, shaped as on the page: agent and request_id first.

    A type that SwiftClaw does not have gets only the agent. `request_id` appears in agent events alone.
    """
    event_type = _BY_NAME.get(name)
    if event_type is None:
        return {"agent": agent}
    sample = _copied(event_type.sample)
    match event_type.group:
        case "agent":
            return {"agent": agent, "request_id": request_id, **sample}
        case "deployment":
            return {"agent": agent, **sample}
        case _:
            return sample


def _copied(sample: JsonObject) -> JsonObject:
    """Return a sample of its own, for callers to change; deepcopy took as long as all else that emitting an event does."""
    return {name: _copied(value) if isinstance(value, dict) else value for name, value in sample.items()}
