"""What the event stream tells, as pydantic models: one object per message, the same as server-sent events and as NDJSON.

`t` is a time of the engine's clock in text, `virtual` whether that clock is not simply real time. `id` is a position: who
gives it back as `Last-Event-ID` misses nothing that the log holds.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

from pydantic import Field

from swiftclaw_local.server.models import DeliveryState, HintOut, Model, Seconds

# The kinds that can be asked for; `open` and `end` frame every stream.
Kind = Literal["attempt", "delivery", "clock", "alert", "fault", "replay"]
OutcomeTold = Literal["delivered", "retrying", "failed", "again", "interrupted", "superseded"]
FaultChange = Literal["armed", "met", "disarmed"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


class Told(Model):
    """One message."""

    id: str
    t: str
    virtual: bool


class AttemptTold(Told):
    """An attempt was recorded. `retry` is 0 for the first; `next_at` and `next_in_s` say when it goes on, if it does."""

    kind: Literal["attempt"] = "attempt"
    attempt: str
    delivery: str
    event: str
    type: str
    agent: str
    webhook: str
    url: str
    trigger: Literal["event", "test", "replay"]
    replay_of: str | None
    n: int
    retry: int
    retries_max: int
    status: int | None
    error: str | None
    ms: int
    outcome: OutcomeTold
    state: DeliveryState
    reason: str | None = Field(description="Why it failed for good, for people.")
    next_at: Seconds | None
    next_in_s: Seconds | None
    answer: str | None = Field(description="The beginning of a failed attempt's answer, as text.")
    hints: list[HintOut] = Field(description="What the receiver's author can do about it.")
    fault: str | None


class DeliveryTold(Told):
    """A delivery was made, brought forward, held, or canceled: what no attempt tells. No log holds these: they are never sent again."""

    kind: Literal["delivery"] = "delivery"
    delivery: str
    event: str
    type: str
    agent: str
    webhook: str
    url: str
    trigger: Literal["event", "test", "replay"]
    replay_of: str | None
    state: DeliveryState
    held: bool
    sends: int
    retries_max: int
    next_at: Seconds | None
    explanation: str | None


class ClockTold(Told):
    """The clock was moved, frozen, or set running."""

    kind: Literal["clock"] = "clock"
    mode: Literal["real", "manual", "fast"]
    rate: float
    now: Seconds
    lead_s: Seconds


class AlertTold(Told):
    """An alert fired or cleared; what the rule says is null where it was removed since."""

    kind: Literal["alert"] = "alert"
    alert: str
    state: Literal["ok", "firing"]
    count: int
    agent: str | None
    metric: str | None
    threshold: int | None
    window: str | None


class FaultTold(Told):
    """A fault was armed, met an attempt, or was disarmed."""

    kind: Literal["fault"] = "fault"
    fault: str
    change: FaultChange
    webhook: str | None
    fired: int
    left: int | None
    text: str


class ReplayTold(Told):
    """A replay of many deliveries began, went on, or stands still: at once, and every second while it runs. No log holds these."""

    kind: Literal["replay"] = "replay"
    replay: str
    state: Literal["running", "paused", "stopped", "done"]
    reason: Literal["canary", "failures"] | None = Field(description="Why it stopped by itself.")
    total: int
    fixed: int
    still_failing: int
    regressed: int
    still_ok: int
    skipped: int
    sending: int
    left: int
    eta_s: Seconds | None
    rate: float
    to: str | None


class OpenTold(Told):
    """All that was missed has been sent again; from here on it is told as it happens."""

    kind: Literal["open"] = "open"
    back_filled: int


class EndTold(Told):
    """The last message: the server stops, or this reader was too slow to be waited for. Come back with `id`."""

    kind: Literal["end"] = "end"
    reason: Literal["stopping", "too_slow"]
    message: str
