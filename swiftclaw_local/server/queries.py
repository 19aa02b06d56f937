"""What may stand in the query of a request, as pydantic models, and how times, durations and filters are read from it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

from pydantic import Field

from swiftclaw_local.durations import parse_duration, parse_time
from swiftclaw_local.errors import InvalidInput
from swiftclaw_local.server.bodies import ReplayFilter
from swiftclaw_local.server.models import DeliveryState, Model
from swiftclaw_local.server.written import DurationText, StatusText, Text, TimeText
from swiftclaw_local.storage.records import DeliveryFilter
from swiftclaw_local.storage.states import State

MAX_PAGE: Final = 500
LONGEST_WAIT: Final = timedelta(seconds=60)

Flag = Literal["0", "1", "false", "true"]
Limit = Annotated[int, Field(ge=1, le=MAX_PAGE)]
CursorText = Annotated[
    str, Field(description="`next` of the page before.", json_schema_extra={"pattern": "^[A-Za-z0-9_.:-]{1,160}$"})
]
WaitText = Annotated[
    str,
    Field(
        description="How long, as 5s or 500ms; at most 60s.",
        json_schema_extra={"pattern": "^(60s|[1-5]?[0-9]s|[0-9]{1,4}ms|1m)$"},
    ),
]

_STATES: Final[dict[str, tuple[State, bool | None]]] = {
    "scheduled": (State.PENDING, False),
    "retrying": (State.PENDING, True),
    "sending": (State.IN_FLIGHT, None),
    "delivered": (State.SUCCEEDED, None),
    "failed": (State.DEAD, None),
    "canceled": (State.CANCELED, None),
}


class PageQuery(Model):
    """One page."""

    limit: Limit = 100
    cursor: CursorText | None = None


class EmitQuery(Model):
    """What to wait for before answering."""

    wait: Literal["none", "first", "settled"] = "none"
    timeout: WaitText = "10s"


class WaitQuery(Model):
    """Answer at once, or wait for the first attempt or the end."""

    wait: Literal["none", "first", "settled"] = "none"
    timeout: WaitText = "10s"


class ReadyQuery(Model):
    """How long to wait for the server to be ready."""

    wait: WaitText = "0s"


class EventsQuery(Model):
    """Which events to list."""

    type: Text | None = None
    agent: Text | None = None
    since: TimeText | None = None
    limit: Limit = 20
    cursor: CursorText | None = None


class ExportQuery(Model):
    """Which events to export; `recording` are those of the recording that runs."""

    type: Text | None = None
    agent: Text | None = None
    since: TimeText | None = None
    recording: Flag = "0"


class ImportQuery(Model):
    """How to announce a recording: as the same events or as new ones, to whom, and what to wait for before answering."""

    keep_ids: Flag = "0"
    webhook: Annotated[Text, Field(description="Only to this webhook, whatever agent the events are of.")] | None = None
    wait: Literal["none", "first"] = "none"
    timeout: WaitText = "60s"


class DeliveriesQuery(Model):
    """Which deliveries to list; `failed` are those that ended dead, `unresolved` those no delivery brought through."""

    state: DeliveryState | None = None
    failed: Flag = "0"
    unresolved: Flag = "0"
    agent: Text | None = None
    webhook: Text | None = None
    event: Annotated[Text, Field(description="Id of the event.")] | None = None
    type: Text | None = None
    status: StatusText | None = None
    cause: Annotated[Text, Field(description="The last answer: a status, or an error as connect_refused.")] | None = (
        None
    )
    q: Annotated[Text, Field(min_length=1, description="Part of an id, or of the event's body.")] | None = None
    since: TimeText | None = None
    until: TimeText | None = None
    group: Literal["cause", "webhook"] | None = None
    total: Annotated[Flag, Field(description="Count all that match, however many.")] = "0"
    limit: Limit = 20
    cursor: CursorText | None = None


class WebhookDeliveriesQuery(Model):
    """Which deliveries of a webhook to list."""

    state: DeliveryState | None = None
    failed: Flag = "0"
    unresolved: Flag = "0"
    event: Annotated[Text, Field(description="Id or type of the event.")] | None = None
    status: StatusText | None = None
    since: TimeText | None = None
    until: TimeText | None = None
    limit: Limit = 20
    cursor: CursorText | None = None


class AlertsQuery(Model):
    """Which alerts to list."""

    agent: Text | None = None
    firing: Flag | None = None


class HistoryQuery(Model):
    """How much of the history to show."""

    limit: Limit = 100


class StatsQuery(Model):
    """Over which window, in which steps."""

    window: DurationText = "1h"
    step: DurationText = "1m"
    webhook: Text | None = None


class StreamQuery(Model):
    """Which messages, and from when on; `event` is an id or a type, `failed` leaves out attempts that got their 2xx.

    With `follow=0` the answer ends after what the log holds, with `open` as the last message.
    """

    types: (
        Annotated[
            Text, Field(description="Kinds, separated by commas: attempt, delivery, clock, alert, fault, replay.")
        ]
        | None
    ) = None
    since: TimeText | None = None
    agent: Text | None = None
    webhook: Text | None = None
    event: Annotated[Text, Field(description="Id or type of the event.")] | None = None
    failed: Flag = "0"
    follow: Annotated[Flag, Field(description="Go on with what happens from now on.")] = "1"


def flag(text: Flag) -> bool:
    """Return what a flag says."""
    return text in ("1", "true")


def wait_seconds(text: str, *, field: str = "timeout") -> float:
    """Return a time-out in seconds. Raises: InvalidDuration; InvalidInput above 60 s."""
    duration = parse_duration(text, field=field)
    if duration > LONGEST_WAIT:
        raise InvalidInput(f'"{text}" is longer than {LONGEST_WAIT.total_seconds():g}s.', field=field)
    return duration.total_seconds()


def moment(text: str | None, *, now: datetime, field: str) -> datetime | None:
    """Return a time of the query. Raises: InvalidTime."""
    return None if text is None else parse_time(text, now=now, field=field)


def delivery_filter(query: DeliveriesQuery, *, now: datetime) -> DeliveryFilter:
    """Return the filter of a list of deliveries. Raises: InvalidTime; InvalidInput when two words contradict."""
    states, attempted = _states(query.state, failed=flag(query.failed))
    return DeliveryFilter(
        states=states,
        attempted=attempted,
        unresolved=flag(query.unresolved),
        agent=query.agent,
        webhook_id=query.webhook,
        event_id=query.event,
        event_type=query.type,
        status=_status(query.status),
        cause=query.cause,
        search=query.q,
        since=moment(query.since, now=now, field="since"),
        until=moment(query.until, now=now, field="until"),
    )


def replay_filter(asked: ReplayFilter, *, now: datetime) -> DeliveryFilter:
    """Return the filter of a replay. Raises: as `delivery_filter`."""
    given = asked.model_dump(exclude={"failed", "unresolved"}, exclude_none=True)
    flags = {name: "1" for name in ("failed", "unresolved") if getattr(asked, name)}
    return delivery_filter(DeliveriesQuery(**given, **flags), now=now)


def webhook_delivery_filter(query: WebhookDeliveriesQuery, webhook_id: str, *, now: datetime) -> DeliveryFilter:
    """Return the filter of a webhook's log; a type of event has a dot, an id has none. Raises: as `delivery_filter`."""
    states, attempted = _states(query.state, failed=flag(query.failed))
    is_type = query.event is not None and "." in query.event
    return DeliveryFilter(
        states=states,
        attempted=attempted,
        unresolved=flag(query.unresolved),
        webhook_id=webhook_id,
        event_id=None if is_type else query.event,
        event_type=query.event if is_type else None,
        status=_status(query.status),
        since=moment(query.since, now=now, field="since"),
        until=moment(query.until, now=now, field="until"),
    )


def _states(state: str | None, *, failed: bool) -> tuple[tuple[State, ...] | None, bool | None]:
    if failed and state not in (None, "failed"):
        raise InvalidInput(f"A delivery that is {state} is not failed: give one of the two.", field="state")
    if state is None:
        return ((State.DEAD,), None) if failed else (None, None)
    stored, attempted = _STATES[state]
    return (stored,), attempted


def _status(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    if text.endswith("xx"):
        return int(text[0]) * 100, int(text[0]) * 100 + 99
    return int(text), int(text)
