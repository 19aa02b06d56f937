"""One line for people on why a delivery stands as it does, and on a wait that ran out. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from swiftclaw_local.cause_words import CAUSE_WORDS
from swiftclaw_local.storage.records import Delivery
from swiftclaw_local.storage.states import State


def explanation(delivery: Delivery, *, retries_max: int, now: datetime) -> str:
    """Return the line: `4xx is not retried`, `retry 2 of 5 in 4m 12s`, `waits: webhook-123 is disabled`."""
    match delivery.state:
        case State.PENDING:
            return _pending(delivery, retries_max=retries_max, now=now)
        case State.IN_FLIGHT:
            return "being sent"
        case State.SUCCEEDED:
            return "delivered" if not delivery.retries_used else f"delivered by retry {delivery.retries_used}"
        case State.CANCELED:
            return _canceled(delivery)
        case State.DEAD:
            return dead_text(
                delivery.reason,
                status=delivery.last_status,
                last=last_answer(delivery),
                trigger=delivery.trigger,
                retries_max=retries_max,
            )


def wait_text(delivery: Delivery, *, retries_max: int, now: datetime, timeout_s: float, virtual: bool) -> str:
    """Return why a wait for this delivery ran out: how it stands, and what it waits for."""
    state = {State.IN_FLIGHT: "being sent", State.PENDING: "retrying" if delivery.attempts else "scheduled"}
    text = f"{delivery.id} is still {state.get(delivery.state, delivery.state.value)} after {timeout_s:g}s"
    if delivery.attempts:
        text += f": {delivery.attempts} {'send' if delivery.attempts == 1 else 'sends'}, last {last_answer(delivery)}"
    if delivery.state is State.PENDING:
        time = " of virtual time" if virtual and delivery.due_at > now else ""
        text += f"; {_next(delivery, retries_max=retries_max, now=now, verb='due ')}{time}"
    return text


def last_answer(delivery: Delivery) -> str:
    """Return the newest attempt's status, or its error in words."""
    if delivery.last_status is not None:
        return str(delivery.last_status)
    return CAUSE_WORDS.get(delivery.last_error_class or "", delivery.last_error_class or "no answer")


def span_text(span: timedelta) -> str:
    """Return a span in its two largest units, as `4m 12s`, `6h 00m`, `58s`."""
    seconds = max(0, -(-span // timedelta(seconds=1)))
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days}d {hours:02}h"
    if hours:
        return f"{hours}h {minutes:02}m"
    return f"{minutes}m {seconds % 60:02}s" if minutes else f"{seconds}s"


def _pending(delivery: Delivery, *, retries_max: int, now: datetime) -> str:
    text = _next(delivery, retries_max=retries_max, now=now)
    if not delivery.webhook_enabled:
        return f"waits: {delivery.webhook_id} is disabled"
    return f"{last_answer(delivery)}; {text}" if delivery.attempts else text


def _next(delivery: Delivery, *, retries_max: int, now: datetime, verb: str = "") -> str:
    number = delivery.retries_used
    what = (
        f"retry {number} of {retries_max}" if number else "first attempt" if not delivery.attempts else "next attempt"
    )
    return f"{what} {verb}in {span_text(delivery.due_at - now)}" if delivery.due_at > now else f"{what} due now"


def _canceled(delivery: Delivery) -> str:
    match delivery.reason:
        case "webhook_deleted":
            return f"{delivery.webhook_id} was deleted"
        case "replayed":
            return "a replay took its place"
        case _:
            return "canceled on request"


def dead_text(reason: str | None, *, status: int | None, last: str, trigger: str, retries_max: int) -> str:
    """Return why a delivery failed for good: `4xx is not retried`; `last` is its last answer in words."""
    match reason:
        case "rejected" if status is not None and 300 <= status <= 399:
            return "redirects are not followed, and not retried"
        case "rejected" if status is not None:
            return f"{status // 100}xx is not retried"
        case "exhausted":
            return f"{last}; all {retries_max} retries are used up"
        case "unscheduled":
            return f"{last}; a {trigger} is one attempt, not retried"
        case "blocked":
            return f"not sent: {last}"
        case "dropped":
            return "never sent: a fault dropped it"
        case "interrupted_repeatedly":
            return "cut off five times in a row by a stop of SwiftClaw local"
        case _:
            return str(reason)
