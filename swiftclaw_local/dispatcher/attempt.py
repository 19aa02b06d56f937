"""One attempt as it is written down: its row, and the edge in the store that a decision asks for. Pure.

`isinstance` where the policy could be matched: a pattern of a class takes 0.3 us, and each delivery comes through here.
"""

from __future__ import annotations

from datetime import datetime

from swiftclaw_local.dispatcher.request import Request
from swiftclaw_local.dispatcher.sender import Exchange
from swiftclaw_local.scheduler.outcome import Answered, Outcome, Unanswered
from swiftclaw_local.scheduler.policy import Again, Decision, RetryAt, Succeeded
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
    if isinstance(outcome, Unanswered):
        return outcome.cause.value
    return "redirect" if 300 <= outcome.status <= 399 else None


def mark_of(attempt: AttemptMade, decision: Decision) -> Mark:
    """Return the edge in the store that a decision asks for."""
    if isinstance(decision, Succeeded):
        return MarkSucceeded(attempt)
    if isinstance(decision, RetryAt):
        return MarkRetry(attempt, decision.due_at)
    if isinstance(decision, Again):
        return MarkRetry(attempt, attempt.ended_at, uses_retry=False)
    return MarkDead(attempt, decision.reason)
