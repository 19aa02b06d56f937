"""The API's answers as pydantic models; the OpenAPI document is made from these and from `bodies`.

Times are unix seconds of the engine's clock (whole, or with milliseconds); durations are milliseconds unless named `_s`.
"""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")
Seconds = int | float
DeliveryState = Literal["scheduled", "sending", "retrying", "delivered", "failed", "canceled"]


class Model(BaseModel):
    """A strict model: unknown fields are refused by name."""

    model_config = ConfigDict(extra="forbid")


class ErrorBody(Model):
    """What went wrong, why, and what to do next."""

    code: str
    message: str
    hint: str | None = None
    field: str | None = None
    docs: str | None = None


class ErrorOut(BaseModel):
    """An error; what belongs to it may stand beside it, as the `delivery` that was waited for."""

    model_config = ConfigDict(extra="allow")

    error: ErrorBody


class WebhookStatsOut(Model):
    delivered: int
    failed: int
    retrying: int
    p50_ms: int | None
    p95_ms: int | None
    last_at: Seconds | None
    last_status: int | None
    last_error: str | None


class WebhookOut(Model):
    """A webhook. `secret` appears only in the answer to its creation, `stats` only where it is looked at."""

    id: str
    agent: str
    url: str
    events: list[str]
    description: str
    enabled: bool
    created: int
    secret: str | None = None
    stats: WebhookStatsOut | None = None
    note: str | None = Field(
        default=None, description="What to know about its URL, as: public host, sends are blocked."
    )


class WebhookUpdated(WebhookOut):
    """A webhook after a change, with what it was before and how many scheduled attempts the change moved."""

    before: WebhookOut
    pending: int


class WebhookDeletedOut(Model):
    id: str
    canceled: int
    deliveries: int


class SecretOut(Model):
    secret: str


class EventOut(Model):
    """An event: what its bytes say, parsed."""

    id: str
    type: str
    created: int
    data: dict[str, Any]


class RequestOut(Model):
    headers: dict[str, str]
    bytes: int
    sha256: str


class ResponseOut(Model):
    """The answer. `body` is text for people, `body_base64` the recorded bytes where they are not UTF-8."""

    status: int
    headers: list[tuple[str, str]]
    body: str
    body_base64: str | None = None
    size: int | None
    truncated: str | None


class AttemptError(Model):
    kind: str
    message: str


class AttemptOut(Model):
    """One HTTP exchange. `retry` is 0 for the first attempt, k for the k-th retry."""

    id: str
    n: int
    kind: Literal["first", "retry", "again"]
    retry: int
    scheduled_at: Seconds
    started_at: Seconds
    ended_at: Seconds
    duration_ms: int
    url: str
    request: RequestOut
    response: ResponseOut | None
    error: AttemptError | None
    outcome: Literal["succeeded", "retry", "dead", "again", "interrupted", "superseded"]
    fault: str | None = Field(default=None, description="What was done to it on purpose, as lost_reply or delay:30s.")


class PlannedOut(Model):
    """An attempt that is still to come if all before it fail."""

    retry: int
    at: Seconds


class HintOut(Model):
    code: str
    text: str


class DeliveryOut(Model):
    """One event owed to one webhook. Lists leave out `attempts`, `planned` and `hints` (they are null there)."""

    id: str
    event_id: str
    event_type: str
    agent: str
    webhook_id: str
    url: str
    state: DeliveryState
    held: bool = Field(description="It waits because its webhook is disabled.")
    trigger: Literal["event", "test", "replay"]
    sends: int
    retries_done: int
    retries_max: int
    created_at: Seconds
    next_at: Seconds | None
    next_in_s: Seconds | None
    ended_at: Seconds | None
    final_reason: str | None
    explanation: str | None = Field(description="One line for people: why it stands as it does.")
    replay_of: str | None
    bytes: int
    last_at: Seconds | None
    last_status: int | None
    last_error: str | None
    last_ms: int | None
    attempts: list[AttemptOut] | None = None
    planned: list[PlannedOut] | None = None
    hints: list[HintOut] | None = None


class EventTypeOut(Model):
    """An event type: its group, what SwiftClaw's page says of it, and a sample event."""

    name: str
    group: str
    meaning: str
    sample: EventOut


class EventWithDeliveries(Model):
    event: EventOut
    deliveries: list[DeliveryOut]
    known: bool = False


class EmittedSequence(Model):
    events: list[EventWithDeliveries]


class CauseGroupOut(Model):
    cause: str
    deliveries: int
    events: int
    webhooks: int
    first: Seconds
    last: Seconds


class WebhookGroupOut(Model):
    """The deliveries of one webhook that match. `first` and `last`: when they were attempted, or made where they were not."""

    webhook: str
    agent: str
    url: str
    deliveries: int
    events: int
    first: Seconds
    last: Seconds


class AlertOut(Model):
    id: str
    agent: str
    metric: str
    threshold: int
    window: str
    notify_url: str | None
    state: Literal["ok", "firing"]
    current: int
    created: int


class AlertEventOut(Model):
    id: str
    alert: str
    state: Literal["ok", "firing"]
    count: int
    at: Seconds


class FaultOut(Model):
    """An armed fault. `fired` is how many attempts, or groups of them, it met; `left` how many it will meet; null: no end."""

    id: str
    kind: str
    params: dict[str, str]
    webhook: str | None
    times: int | None
    probability: float | None
    seed: int
    until: Seconds | None
    fired: int
    left: int | None
    text: str = Field(description="What it does, for people.")


class FaultsCleared(Model):
    """How many faults were still to meet an attempt."""

    cleared: int


class SendOut(Model):
    """One attempt that ran while the clock moved. `after_s` is its distance from where the clock stood before."""

    at: Seconds
    after_s: Seconds
    delivery: str
    event: str
    webhook: str
    n: int
    retry: int
    retries_max: int
    status: int | None
    error: str | None
    duration_ms: int
    state: DeliveryState
    fault: str | None = None


class ClockOut(Model):
    """How the clock stands. `scheduled` counts attempts still to come; `next_at` is the earliest."""

    mode: Literal["real", "manual", "fast"]
    rate: float
    now: Seconds
    lead_s: Seconds
    scheduled: int
    next_at: Seconds | None


class ClockMoved(ClockOut):
    """What ran while the clock moved; `stopped_early` when `max_sends` was reached."""

    sends: list[SendOut]
    delivered: int
    stopped_early: bool


class StatsPointOut(Model):
    t: Seconds
    sent: int
    delivered: int
    failed: int
    p50_ms: int | None
    p95_ms: int | None


class StatsOut(Model):
    points: list[StatsPointOut]


class VerifyOut(Model):
    match: bool
    reason: str | None
    text: str


class CheckOut(Model):
    """How one check of a certification ended; `page` quotes SwiftClaw's page, `sent` and `answer` are the exchange that decided."""

    id: str
    title: str
    result: Literal["pass", "fail", "warn", "skip"]
    expected: str
    got: str
    why: str
    fix: str
    page: str
    sent: str
    answer: str


class CertifyOut(Model):
    """The report of a certification. `unreachable` says why no request arrived at the receiver; `limits` what it cannot see.

    `page` is its path in the web console, if there is one. `effects_ms` of `duration_ms` went to asking, so many times, what
    the receiver had done, and to waiting for it.
    """

    id: str
    page: str | None
    webhook: str
    url: str
    passed: int
    failed: int
    warned: int
    skipped: int
    unreachable: str | None
    framework: str | None
    duration_ms: int
    effects_asked: int
    effects_ms: int
    checks: list[CheckOut]
    limits: list[str]


class StatusOut(Model):
    """The whole server at a glance. `console`: whether its address shows the web console."""

    version: str
    pid: int
    address: str
    console: bool
    data: str
    durability: str
    ephemeral: bool
    clock: ClockOut
    agents: list[str]
    webhooks: int
    deliveries: dict[DeliveryState, int]
    attempts: int
    stuck: int


class RecordingOut(Model):
    """A recording: the file it is for, since when, and how many events were announced since then."""

    file: str
    began: Seconds
    events: int


class ImportedOut(Model):
    """What became of a recording. `known` events were there already and were not announced again.

    `states` counts the deliveries by how they stood when this answered; `delivery_ids` are the first 1,000.
    """

    events: int
    known: int
    deliveries: int
    states: dict[str, int]
    delivery_ids: list[str]


class PrunedOut(Model):
    """How many events were deleted, with all that belongs to them."""

    events: int


class HealthOut(Model):
    ok: bool
    reason: str | None = None


class ListOut(Model, Generic[T]):
    """One page of a list; `next` is the cursor of the next page, `total` is counted where that is cheap."""

    data: list[T]
    next: str | None = None
    total: int | None = None
