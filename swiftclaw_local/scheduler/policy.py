"""The whole retry policy: what happens to a delivery after one attempt. Pure, no input or output of any kind.

| outcome | decision | source |
|---|---|---|
| answered 200-299 | succeeded | page, "Success Codes" |
| answered 500-599, retries left | retry at end + schedule[retries used] | page, "Retry Codes", "Retry Schedule" |
| answered 500-599, none left | dead: exhausted | page, "Max Retries" |
| answered anything else | dead: rejected | page: not in the retry codes (decision D3) |
| blocked address | dead: blocked | decision D29 |
| stale connection | again at once, no retry used | a reused connection died before any byte of answer |
| otherwise unanswered | as 500-599 | decision D2 |
| retryable, but without a schedule | dead: unscheduled | tests and replays are one attempt (decisions D18, D22) |
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Final, Literal

from swiftclaw_local.hot_value import hot_value
from swiftclaw_local.scheduler.outcome import BLOCKED, Answered, Cause, Outcome

Schedule = tuple[timedelta, ...]
DeadReason = Literal["rejected", "exhausted", "blocked", "unscheduled", "interrupted_repeatedly"]

# Source: page, "Retry Schedule: 1m, 5m, 15m, 1h, 6h". Its length is the limit: "Max Retries: 5 attempts" (decision D4).
PAGE_SCHEDULE: Final[Schedule] = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=6),
)


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The receiver took the event."""


@hot_value
class RetryAt:
    """The next attempt is due at `due_at` (aware UTC) and uses up one retry."""

    due_at: datetime


@dataclass(frozen=True, slots=True)
class Again:
    """The same attempt is made again at once, on a fresh connection; no retry is used up."""


@dataclass(frozen=True, slots=True)
class Dead:
    """No further attempt."""

    reason: DeadReason


Decision = Succeeded | RetryAt | Again | Dead

_SUCCEEDED: Final = Succeeded()


def decide(outcome: Outcome, *, retries_used: int, now: datetime, schedule: Schedule) -> Decision:
    """Return what happens to a delivery after an attempt that ended at `now` (aware UTC).

    `schedule` is empty for a delivery without retries.
    """
    # a match reads the same, and takes three times as long: a pattern of a class makes a set
    if isinstance(outcome, Answered):
        if 200 <= outcome.status <= 299:
            return _SUCCEEDED
        if not 500 <= outcome.status <= 599:
            return Dead("rejected")
    elif outcome.cause in BLOCKED:
        return Dead("blocked")
    elif outcome.cause is Cause.STALE_CONNECTION:
        return Again()
    if not schedule:
        return Dead("unscheduled")
    if retries_used >= len(schedule):
        return Dead("exhausted")
    return RetryAt(now + schedule[retries_used])


def with_jitter(decision: Decision, *, now: datetime, part: float, random: Random) -> Decision:
    """Return the decision with a wait made longer by up to `part` of itself; never shorter (decision D5)."""
    match decision:
        case RetryAt(due_at=due_at) if part > 0:
            return RetryAt(due_at + (due_at - now) * part * random.random())
        case _:
            return decision
