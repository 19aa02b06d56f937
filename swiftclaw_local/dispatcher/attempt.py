"""One attempt as it is written down: its row, and the edge in the store that a decision asks for. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from swiftclaw_local.dispatcher.request import Request
from swiftclaw_local.dispatcher.sender import Exchange
from swiftclaw_local.scheduler.outcome import Answered, Outcome, Unanswered
from swiftclaw_local.scheduler.policy import Again, Dead, Decision, RetryAt, Succeeded
from swiftclaw_local.storage.records import AttemptMade, Claim, Mark, MarkDead, MarkRetry, MarkSucceeded


def attempt_made(
    claim: Claim,
    request: Request,
    exchange: Exchange,
    *,
    started_at: datetime,
    ended_at: datetime,
    fault: str | None = None,
) -> AttemptMade:
    """Return the attempt's row: what was sent, and what came of it."""
    outcome = exchange.outcome
    answer = outcome if isinstance(outcome, Answered) else None
    failure = outcome if isinstance(outcome, Unanswered) else None
    return AttemptMade(  # in the order of its fields: with their names it takes twice as long
        claim.delivery_id,
        claim.lease_token,
        started_at,
        ended_at,
        exchange.duration_ms,
        request.url,
        request.head,
        request.signature,
        answer.status if answer else None,
        error_class(outcome),
        failure.detail if failure else None,
        answer.head if answer else None,
        answer.body if answer else None,
        answer.body_size if answer else None,
        answer.truncated if answer else None,
        fault,
    )


def error_class(outcome: Outcome) -> str | None:
    """Return the class of what went wrong before any decision: why there was no answer, or `redirect`; else None."""
    match outcome:
        case Answered(status=status):
            return "redirect" if 300 <= status <= 399 else None
        case Unanswered(cause=cause):
            return cause.value
        case _:
            assert_never(outcome)


def mark_of(attempt: AttemptMade, decision: Decision) -> Mark:
    """Return the edge in the store that a decision asks for."""
    match decision:
        case Succeeded():
            return MarkSucceeded(attempt)
        case RetryAt(due_at=due_at):
            return MarkRetry(attempt, due_at)
        case Again():
            return MarkRetry(attempt, attempt.ended_at, uses_retry=False)
        case Dead(reason=reason):
            return MarkDead(attempt, reason)
        case _:
            assert_never(decision)
