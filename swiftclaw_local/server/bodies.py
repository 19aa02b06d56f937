"""The bodies of requests as pydantic models: what each route takes. What it answers with is in `models`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from swiftclaw_local.events.catalog import EVENT_TYPE_NAMES
from swiftclaw_local.events.sequences import AGENT_ENDINGS, DEPLOYMENT_ENDINGS
from swiftclaw_local.platform.replays import CANARY, FASTEST, RATE
from swiftclaw_local.server.models import DeliveryState, Model
from swiftclaw_local.server.written import (
    AgentName,
    AnyTypeName,
    Base64,
    CheckName,
    DeliveryName,
    Description,
    DurationText,
    EventId,
    EventTypeName,
    FaultText,
    MaxSends,
    MetricName,
    SecretText,
    Seed,
    StatusText,
    Text,
    Threshold,
    TimeText,
    UnixSeconds,
    Url,
    WebhookId,
)

EventTypes = Annotated[list[EventTypeName], Field(json_schema_extra={"minItems": 1})]

# A type that SwiftClaw does not have is taken only when asked for.
_KNOWN_OR_ALLOWED: JsonDict = {
    "anyOf": [
        {"properties": {"type": {"enum": list(EVENT_TYPE_NAMES)}}},
        {"properties": {"allow_unknown_type": {"const": True}}, "required": ["allow_unknown_type"]},
    ]
}


class WebhookCreate(Model):
    """Register a URL. Without `events`, all nine types; without `secret`, one is made."""

    url: Url
    events: EventTypes | None = None
    secret: SecretText | None = None
    description: Description = ""
    enabled: bool = True


class WebhookUpdate(Model):
    """Change what is given, leave the rest."""

    url: Url | None = None
    events: EventTypes | None = None
    secret: SecretText | None = None
    description: Description | None = None
    enabled: bool | None = None


class SecretRotate(Model):
    """Switch to this secret, or to a new one."""

    secret: SecretText | None = None


class TestRequest(Model):
    """Send one signed test. `type` defaults to the first subscribed, `data` to the page's example."""

    type: EventTypeName | None = None
    data: dict[str, Any] | None = None
    retry: bool = False


class EventCreate(Model):
    """Emit an event. `data` is laid over the sample of its type; with `exact`, it is the event's whole data."""

    model_config = ConfigDict(json_schema_extra=_KNOWN_OR_ALLOWED)

    type: AnyTypeName
    data: dict[str, Any] | None = None
    exact: bool = False
    id: EventId | None = None
    created: UnixSeconds | None = None
    webhook: str | None = Field(default=None, max_length=100)
    allow_unknown_type: bool = False
    fault: FaultText | None = None


class RunCreate(Model):
    """How an agent's run ends."""

    ending: Annotated[str, Field(json_schema_extra={"enum": list(AGENT_ENDINGS)})]


class DeploymentCreate(Model):
    """How a deployment ends."""

    ending: Annotated[str, Field(json_schema_extra={"enum": list(DEPLOYMENT_ENDINGS)})]


class ReplayRequest(Model):
    """Replay: one attempt, or the whole schedule `with_retries`. `now` brings a pending delivery forward instead.

    `to` sends it to another webhook, by its id or URL; a URL that is not registered is registered for that, as for many.
    """

    with_retries: bool = False
    to: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    now: bool = False


class ReplayFilter(Model):
    """Which deliveries, as in the list of deliveries; of one event and webhook the newest is sent."""

    state: DeliveryState | None = None
    failed: bool = False
    unresolved: bool = False
    agent: Text | None = None
    webhook: Text | None = None
    event: Text | None = None
    type: Text | None = None
    status: StatusText | None = None
    cause: Text | None = None
    q: Annotated[Text, Field(min_length=1)] | None = None
    since: TimeText | None = None
    until: TimeText | None = None


class ReplayCreate(Model):
    """Replay many deliveries: those that match the filter, or these. Each is one attempt, unless `with_retries`.

    `canary` go first, and the others wait for what comes of them; after `stop_after` failures in a row it stops. `to` sends
    them to another webhook, by its id or URL; a URL that is not registered is registered for that, with the secret of the
    webhook they belong to and no event types. With `dry_run` it says what would happen.
    """

    filter: ReplayFilter | None = None
    deliveries: Annotated[list[DeliveryName], Field(min_length=1, max_length=10_000)] | None = None
    rate: Annotated[float, Field(gt=0, le=FASTEST)] = RATE
    canary: Annotated[int, Field(ge=0, le=1000)] = CANARY
    stop_after: Annotated[int, Field(ge=1, le=100_000)] | None = None
    with_retries: bool = False
    to: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    order: Literal["event", "failed"] = "event"
    dry_run: bool = False


class AlertCreate(Model):
    """Watch an agent's failed attempts."""

    agent: AgentName
    metric: MetricName
    threshold: Threshold
    window: DurationText
    notify_url: Url | None = None


class FaultCreate(Model):
    """Arm a fault: for the next attempt, for so many `times`, by chance, or for as long as it `lasts`, as `3m`.

    Without `webhook`, for all of them.
    """

    kind: FaultText
    params: dict[str, str | int] = Field(default={})
    webhook: str | None = Field(default=None, max_length=100)
    times: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    probability: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=0, le=2**53)] | None = None
    lasts: DurationText | None = None


class ClockSet(Model):
    """How the clock shall run: `real`, `manual`, or N times as fast as `xN`."""

    mode: str = Field(pattern=r"^(real|manual|x(0\.[0-9]{0,2}[1-9]|[1-9][0-9]{0,5}(\.[0-9]{1,3})?))$")


class ClockAdvance(Model):
    """Move a manual clock by a duration (`6m`, `1h30m`), running what becomes due on the way."""

    by: DurationText
    max_sends: MaxSends = 10_000


class ClockTo(Model):
    """Move a manual clock to a time: unix seconds, or text as `2026-11-23 14:10`."""

    to: int | float | TimeText
    max_sends: MaxSends = 10_000


class ClockRun(Model):
    """Run what is due next, or everything that is scheduled."""

    max_sends: MaxSends = 10_000


class ResetRequest(Model):
    """Forget everything; `keep` may hold `webhooks`. With a `seed`, ids start over; `at` is where a manual clock starts."""

    keep: list[Literal["webhooks"]] = Field(default=[])
    seed: Seed | None = None
    at: UnixSeconds | None = None


class PruneRequest(Model):
    """Delete events whose deliveries all ended longer ago than `older_than`, as `30d`."""

    older_than: DurationText


class CertifyRequest(Model):
    """Certify the receiver of a webhook. `only` and `skip` name checks or families, as `SIG-1` or `RAW`.

    `effects_url` tells how many events the receiver processed: a number, `{"count": 3}`, or a list of them.
    """

    webhook: WebhookId
    only: list[CheckName] = Field(default=[], max_length=40)
    skip: list[CheckName] = Field(default=[], max_length=40)
    slow: DurationText = "1s"
    effects_url: Url | None = None


class RecordingStart(Model):
    """Record from now on; `file` is where whoever asks wants it in the end. The server writes no file."""

    file: Annotated[str, Field(min_length=1, max_length=4096, pattern="^[^\\x00]*$")]


class VerifyRequest(Model):
    """Check a signature over a body, base64 of its exact bytes."""

    body_base64: Base64
    signature: str
    secret: str
