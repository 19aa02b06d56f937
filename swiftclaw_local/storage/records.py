"""The values that go into and come out of the store. Frozen, without a database behind them; times are aware UTC."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, Literal, TypeVar

from swiftclaw_local.hot_value import hot_value
from swiftclaw_local.storage.states import State

Trigger = Literal["event", "test", "replay"]
T = TypeVar("T")
AttemptOutcome = Literal["succeeded", "retry", "dead", "again", "interrupted", "superseded"]


@dataclass(frozen=True, slots=True)
class Webhook:
    """A registered URL, the event types it wants, and where it stands; the secret is not in here."""

    id: str
    agent: str
    url: str
    events: tuple[str, ...]
    description: str
    enabled: bool
    created_at: datetime
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WebhookChange:
    """What to change of a webhook; None leaves a field as it is."""

    url: str | None = None
    events: tuple[str, ...] | None = None
    secret: str | None = field(default=None, repr=False)
    description: str | None = None
    enabled: bool | None = None


@hot_value
class StoredEvent:
    """An event as it is kept: `body` is the exact bytes; `agent` is None for system events."""

    id: str
    type: str
    agent: str | None
    created_at: datetime
    body: bytes


@dataclass(frozen=True, slots=True)
class Announced:
    """An event, and when it was accepted on the engine's clock."""

    event: StoredEvent
    accepted_at: datetime


@hot_value
class Claim:
    """A delivery taken for one attempt, with all that sending it needs. The lease token fences late writers."""

    delivery_id: str
    lease_token: int
    webhook_id: str
    agent: str
    url: str
    secret: str = field(repr=False)
    event_id: str
    event_type: str
    body: bytes = field(repr=False)
    trigger: Trigger
    scheduled: bool  # failures are retried on the schedule
    attempt_number: int  # 1 is the first
    retries_used: int
    due_at: datetime
    begin_by: float | None = (
        None  # monotonic seconds until when the attempt may begin; None: as long as this process lives
    )
    interruptions: int = 0  # how often it was cut off since an attempt of it last ended
    # `due_at` as the store keeps it, where it has that at hand; it is written into the attempt's row once more
    due_text: str | None = field(default=None, compare=False, repr=False)


@hot_value
class AttemptMade:
    """What happened in one attempt, to be written once into the log. `request_head` and `response_head` are header lines as bytes."""

    delivery_id: str
    lease_token: int
    started_at: datetime
    ended_at: datetime
    duration_ms: int
    url: str
    request_head: bytes
    signature: str
    status: int | None = None
    error_class: str | None = None
    error_detail: str | None = None
    response_head: bytes | None = None
    response_body: bytes | None = None
    response_size: int | None = None
    truncated: str | None = None
    fault: str | None = None


@hot_value
class MarkSucceeded:
    """Edge in_flight -> succeeded."""

    attempt: AttemptMade


@hot_value
class MarkRetry:
    """Edge in_flight -> pending, due at `due_at`; `uses_retry` is False for the attempt that a stale connection cost."""

    attempt: AttemptMade
    due_at: datetime
    uses_retry: bool = True


@hot_value
class MarkDead:
    """Edge in_flight -> dead."""

    attempt: AttemptMade
    reason: str


Mark = MarkSucceeded | MarkRetry | MarkDead


@hot_value
class Recorded:
    """What `record` wrote: `superseded` when the lease was lost, so that only the attempt's row was added."""

    attempt_id: str
    attempt_number: int
    outcome: AttemptOutcome
    state: State
    superseded: bool = False


@hot_value
class NewDelivery:
    """A delivery as it was just made, and the webhook it is owed to; `leased` when its claim is beside it."""

    id: str
    webhook_id: str
    agent: str
    url: str
    enabled: bool
    leased: bool
    scheduled: bool
    created_at: datetime
    due_at: datetime


@hot_value
class Accepted:
    """What adding an event made. `claims` are those of its deliveries that were leased at once.

    `known` when the same event was there already; then there are no `new` deliveries.
    """

    event: StoredEvent
    delivery_ids: tuple[str, ...]
    claims: tuple[Claim, ...] = ()
    new: tuple[NewDelivery, ...] = ()
    known: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """What the store found when it was opened."""

    interrupted: int  # in flight when the last process died
    overdue: int  # due while nothing ran
    webhooks: int
    deliveries: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One row of the log."""

    id: str
    delivery_id: str
    number: int
    retry: int  # 0 is the first attempt, k the k-th retry
    outcome: AttemptOutcome
    scheduled_at: datetime
    started_at: datetime
    ended_at: datetime
    duration_ms: int
    url: str
    request_head: bytes
    signature: str
    status: int | None
    error_class: str | None
    error_detail: str | None
    response_head: bytes | None
    response_body: bytes | None
    response_size: int | None
    truncated: str | None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as people look at it; the `last_…` fields are those of its newest attempt."""

    id: str
    event_id: str
    event_type: str
    agent: str
    webhook_id: str
    webhook_url: str
    webhook_enabled: bool
    state: State
    trigger: Trigger
    scheduled: bool
    replay_of: str | None
    attempts: int
    retries_used: int
    created_at: datetime
    due_at: datetime
    ended_at: datetime | None
    reason: str | None  # of dead and canceled
    body_size: int
    last_attempt_at: datetime | None
    last_status: int | None
    last_error_class: str | None
    last_duration_ms: int | None


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries to list; None does not restrict. `states` are stored states; times bound `created_at`: since <= t < until."""

    states: tuple[State, ...] | None = None
    attempted: bool | None = None  # True: at least one attempt (retrying); False: none yet (scheduled)
    unresolved: bool = False
    agent: str | None = None
    webhook_id: str | None = None
    event_id: str | None = None
    event_type: str | None = None
    status: tuple[int, int] | None = None  # inclusive range of the last attempt's status
    cause: str | None = None  # error class, or a status as text
    search: str | None = None  # part of an id, or of the event's body
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class CauseGroup:
    """Deliveries with the same last answer."""

    cause: str
    deliveries: int
    events: int
    webhooks: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class WebhookGroup:
    """Deliveries of one webhook, and when the first and the last of them was attempted, or made where none was."""

    webhook_id: str
    agent: str
    url: str
    deliveries: int
    events: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class WebhookStats:
    """Counts of a webhook's deliveries, and its newest attempt."""

    delivered: int
    failed: int
    retrying: int
    p50_ms: int | None
    p95_ms: int | None
    last_attempt_at: datetime | None
    last_status: int | None
    last_error_class: str | None


@dataclass(frozen=True, slots=True)
class StatsPoint:
    """What happened in one step of time."""

    at: datetime
    sent: int
    delivered: int
    failed: int
    p50_ms: int | None
    p95_ms: int | None


@dataclass(frozen=True, slots=True)
class Stats:
    """What happened in each step of a window, and in all of it."""

    points: list[StatsPoint]
    whole: StatsPoint


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule on failed attempts per agent, and where it stands."""

    id: str
    agent: str
    metric: str
    threshold: int
    window: timedelta
    notify_url: str | None
    state: Literal["ok", "firing"]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One change of an alert: it fired, or it cleared, with the count at that moment."""

    id: str
    alert_id: str
    state: Literal["ok", "firing"]
    count: int
    at: datetime


@dataclass(frozen=True, slots=True)
class KeptClock:
    """The row of the engine's clock: rate (0 = manual), where it stood, and its lead on the wall clock."""

    rate: float
    at: datetime
    lead: timedelta


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list: the rows, and the cursor of the next page or None."""

    rows: list[T]
    next: str | None


@hot_value
class LogEntry:
    """One row of the log with what is to be said of it in a line, and how its delivery stands now.

    `seq` goes up as attempts are recorded. `answer_start` is the first bytes of the answer's body; not of a success with a long one.
    """

    seq: int
    id: str
    delivery_id: str
    event_id: str
    event_type: str
    agent: str
    webhook_id: str
    url: str
    number: int
    retry: int
    trigger: Trigger
    scheduled: bool
    replay_of: str | None
    outcome: AttemptOutcome
    ended_at: datetime
    duration_ms: int
    status: int | None
    error_class: str | None
    fault: str | None
    answer_head: bytes | None
    answer_start: bytes | None
    state: str  # the value of a State
    attempts: int
    due_at: datetime
    reason: str | None

    @property
    def failed(self) -> bool:
        """Whether it brought no 2xx."""
        return self.status is None or not 200 <= self.status <= 299


@dataclass(frozen=True, slots=True)
class AlertChange:
    """One change of an alert with the rule it is about; None where the alert was removed since."""

    change: AlertEvent
    alert: Alert | None


@dataclass(frozen=True, slots=True)
class LogHead:
    """Where the log ends: the newest `seq` (0: empty), those just below it that are not there, and the newest alert change."""

    seq: int
    absent: tuple[int, ...]
    alert_change: str | None


@dataclass(frozen=True, slots=True)
class LogNews:
    """What is new in the log: entries and alert changes, each in their order, and the deliveries that were asked for."""

    entries: tuple[LogEntry, ...]
    alert_changes: tuple[AlertChange, ...]
    deliveries: tuple[Delivery, ...]
