"""What is told of every attempt: one wide log line each, and a list for whoever collects them.

The attempt's row in SQL is the log; the line is for people. So failures always get one, successes up to about 50 a
second, and above that one summary a second says how many there were.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from swiftclaw_local import logs
from swiftclaw_local.hot_value import hot_value
from swiftclaw_local.logs import Log
from swiftclaw_local.storage.records import AttemptMade, Claim, Recorded
from swiftclaw_local.storage.states import State

LINES_PER_SECOND: Final = 50


@hot_value
class Sent:
    """One attempt as it was recorded; `retry` is 0 for the first, `due_at` the next attempt's time if there is one."""

    at: datetime
    delivery_id: str
    event_id: str
    event_type: str
    webhook_id: str
    agent: str
    number: int
    retry: int
    retries_max: int
    status: int | None
    error_class: str | None
    duration_ms: int
    state: State
    outcome: str
    reason: str | None
    due_at: datetime | None
    fault: str | None = None


def sent(
    claim: Claim,
    attempt: AttemptMade,
    recorded: Recorded,
    *,
    retries_max: int,
    reason: str | None,
    due_at: datetime | None,
) -> Sent:
    """Return what is told of a recorded attempt."""
    return Sent(
        at=attempt.ended_at,
        delivery_id=claim.delivery_id,
        event_id=claim.event_id,
        event_type=claim.event_type,
        webhook_id=claim.webhook_id,
        agent=claim.agent,
        number=recorded.attempt_number,
        retry=claim.retries_used,
        retries_max=retries_max,
        status=attempt.status,
        error_class=attempt.error_class,
        duration_ms=attempt.duration_ms,
        state=recorded.state,
        outcome=recorded.outcome,
        reason=reason,
        due_at=due_at,
        fault=attempt.fault,
    )


class Journal:
    """Takes every attempt in; `every_second` is to be called once a second."""

    def __init__(self, log: Log, *, every_line: bool = False) -> None:
        self._log = log
        self._every_line = every_line
        self._collectors: list[list[Sent]] = []
        self._lines = 0
        self._unsaid_ms: list[int] = []

    def add(self, attempt: Sent) -> None:
        """Log an attempt and hand it to the collectors."""
        for collector in self._collectors:
            collector.append(attempt)
        if attempt.fault is not None or self._has_line(attempt.state):
            self._lines += 1
            self._say(attempt)
        else:
            self._unsaid_ms.append(attempt.duration_ms)

    def only_counts(self, state: State, duration_ms: int) -> bool:
        """Count an attempt that gets no line and that nobody collects; False when it is to be added."""
        if self._collectors or self._has_line(state):
            return False
        self._unsaid_ms.append(duration_ms)
        return True

    @contextmanager
    def collecting(self) -> Iterator[list[Sent]]:
        """Give a list that grows by every attempt recorded while the block runs."""
        collector: list[Sent] = []
        self._collectors.append(collector)
        try:
            yield collector
        finally:
            self._collectors = [other for other in self._collectors if other is not collector]

    def every_second(self) -> None:
        """Say in one line what had no line of its own, and allow new lines."""
        durations, self._unsaid_ms, self._lines = sorted(self._unsaid_ms), [], 0
        if durations:
            p95 = durations[min(len(durations) - 1, len(durations) * 95 // 100)]
            self._log.info(logs.DELIVERIES_SUMMARIZED, delivered=len(durations), p95_ms=p95)

    def _has_line(self, state: State) -> bool:
        return state is not State.SUCCEEDED or self._lines < LINES_PER_SECOND or self._every_line

    def _say(self, attempt: Sent) -> None:
        line = self._log.info if attempt.state is State.SUCCEEDED else self._log.warning
        line(
            logs.DELIVERY_ATTEMPTED,
            at=attempt.at.isoformat(timespec="milliseconds"),
            delivery_id=attempt.delivery_id,
            event_id=attempt.event_id,
            type=attempt.event_type,
            webhook_id=attempt.webhook_id,
            agent=attempt.agent,
            attempt=attempt.number,
            retry=f"{attempt.retry} of {attempt.retries_max}",
            status=attempt.status,
            error=attempt.error_class,
            ms=attempt.duration_ms,
            outcome=attempt.outcome,
            reason=reason_text(attempt),
            next_at=attempt.due_at.isoformat(timespec="milliseconds") if attempt.due_at else None,
            fault=attempt.fault,
        )


def reason_text(attempt: Sent) -> str | None:
    """Return why a delivery is dead, in words; None when it is not."""
    if attempt.reason == "rejected" and attempt.status is not None:
        return f"{attempt.status // 100}xx is not in SwiftClaw's retry codes"
    return attempt.reason
