"""From the values of the store and the engine to the models of the API. Pure: what is shown is passed in."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from swiftclaw_local.cause_words import CAUSE_WORDS
from swiftclaw_local.dispatcher.armed import Armed
from swiftclaw_local.dispatcher.fault_kinds import kind_of, read_fault
from swiftclaw_local.dispatcher.faults import body_sent
from swiftclaw_local.dispatcher.journal import Sent
from swiftclaw_local.durations import duration_text
from swiftclaw_local.scheduler.clock import Clock
from swiftclaw_local.server.explanation import explanation
from swiftclaw_local.server.models import (
    AlertEventOut,
    AlertOut,
    AttemptError,
    AttemptOut,
    CauseGroupOut,
    ClockOut,
    DeliveryOut,
    DeliveryState,
    EventOut,
    FaultOut,
    RequestOut,
    ResponseOut,
    Seconds,
    SendOut,
    StatsPointOut,
    WebhookGroupOut,
    WebhookOut,
    WebhookStatsOut,
)
from swiftclaw_local.storage.records import (
    Alert,
    AlertEvent,
    Attempt,
    CauseGroup,
    Delivery,
    NewDelivery,
    StatsPoint,
    StoredEvent,
    Webhook,
    WebhookGroup,
    WebhookStats,
)
from swiftclaw_local.storage.states import State

_SHOWN: Final = 65_536  # bytes of a body that was compressed, once inflated

_STATES: Final[dict[State, DeliveryState]] = {
    State.IN_FLIGHT: "sending",
    State.SUCCEEDED: "delivered",
    State.DEAD: "failed",
    State.CANCELED: "canceled",
}
# the names of the store's counts -> the words that people see
COUNTED: Final[dict[str, DeliveryState]] = {
    "deliveries_pending": "scheduled",
    "deliveries_in_flight": "sending",
    "deliveries_retrying": "retrying",
    "deliveries_succeeded": "delivered",
    "deliveries_dead": "failed",
    "deliveries_canceled": "canceled",
}


def seconds(moment: datetime) -> Seconds:
    """Return unix seconds: whole, or with milliseconds."""
    stamp = round(moment.timestamp(), 3)
    return int(stamp) if stamp.is_integer() else stamp


def span(duration: timedelta) -> Seconds:
    """Return seconds: whole, or with milliseconds."""
    length = round(duration.total_seconds(), 3)
    return int(length) if length.is_integer() else length


def state_name(state: State, *, attempted: bool) -> DeliveryState:
    """Return the word that people see for a stored state."""
    return _STATES.get(state) or ("retrying" if attempted else "scheduled")


# --- webhooks and events ----------------------------------------------------------------------------------------


def webhook_out(
    webhook: Webhook, *, note: str | None, secret: str | None = None, stats: WebhookStats | None = None
) -> WebhookOut:
    """Return a webhook; its secret only where the caller may see it."""
    return WebhookOut(
        id=webhook.id,
        agent=webhook.agent,
        url=webhook.url,
        events=list(webhook.events),
        description=webhook.description,
        enabled=webhook.enabled,
        created=int(webhook.created_at.timestamp()),
        secret=secret,
        stats=None if stats is None else _stats_out(stats),
        note=note,
    )


def _stats_out(stats: WebhookStats) -> WebhookStatsOut:
    return WebhookStatsOut(
        delivered=stats.delivered,
        failed=stats.failed,
        retrying=stats.retrying,
        p50_ms=stats.p50_ms,
        p95_ms=stats.p95_ms,
        last_at=None if stats.last_attempt_at is None else seconds(stats.last_attempt_at),
        last_status=stats.last_status,
        last_error=stats.last_error_class,
    )


def event_out(event: StoredEvent) -> EventOut:
    """Return what an event's bytes say."""
    return EventOut.model_construct(**json.loads(event.body))


# --- deliveries and attempts ------------------------------------------------------------------------------------


def delivery_out(delivery: Delivery, *, retries_max: int, now: datetime) -> DeliveryOut:
    """Return a delivery as it stands in a list."""
    next_at = delivery.due_at if delivery.state is State.PENDING else None
    return DeliveryOut(
        id=delivery.id,
        event_id=delivery.event_id,
        event_type=delivery.event_type,
        agent=delivery.agent,
        webhook_id=delivery.webhook_id,
        url=delivery.webhook_url,
        state=state_name(delivery.state, attempted=delivery.attempts > 0),
        held=delivery.state is State.PENDING and not delivery.webhook_enabled,
        trigger=delivery.trigger,
        sends=delivery.attempts,
        retries_done=_retries_done(delivery),
        retries_max=retries_max,
        created_at=seconds(delivery.created_at),
        next_at=None if next_at is None else seconds(next_at),
        next_in_s=None if next_at is None else span(max(next_at - now, timedelta())),
        ended_at=None if delivery.ended_at is None else seconds(delivery.ended_at),
        final_reason=delivery.reason,
        explanation=explanation(delivery, retries_max=retries_max, now=now),
        replay_of=delivery.replay_of,
        bytes=delivery.body_size,
        last_at=None if delivery.last_attempt_at is None else seconds(delivery.last_attempt_at),
        last_status=delivery.last_status,
        last_error=delivery.last_error_class,
        last_ms=delivery.last_duration_ms,
    )


def _retries_done(delivery: Delivery) -> int:
    """Return how many retries were made: of a delivery that goes on, the one that was granted last is still to come."""
    if delivery.state in (State.SUCCEEDED, State.DEAD):
        return delivery.retries_used
    return max(0, delivery.retries_used - 1)


def fresh_delivery(new: NewDelivery, event: StoredEvent) -> Delivery:
    """Return a delivery as it was just made with its event, without asking the store."""
    return Delivery(
        id=new.id,
        event_id=event.id,
        event_type=event.type,
        agent=new.agent,
        webhook_id=new.webhook_id,
        webhook_url=new.url,
        webhook_enabled=new.enabled,
        state=State.IN_FLIGHT if new.leased else State.PENDING,
        trigger="event",
        scheduled=new.scheduled,
        replay_of=None,
        attempts=0,
        retries_used=0,
        created_at=new.created_at,
        due_at=new.due_at,
        ended_at=None,
        reason=None,
        body_size=len(event.body),
        last_attempt_at=None,
        last_status=None,
        last_error_class=None,
        last_duration_ms=None,
    )


def attempts_out(attempts: Iterable[Attempt], event: StoredEvent) -> list[AttemptOut]:
    """Return a delivery's attempts in order; one with the number of the retry before it was made `again`."""
    digest = hashlib.sha256(event.body).hexdigest()
    shown: list[AttemptOut] = []
    for attempt in attempts:
        again = any(before.retry == attempt.retry for before in shown)
        headers, size, sha256 = dict(header_lines(attempt.request_head)), len(event.body), digest
        if attempt.fault is not None:
            sent = bytes_sent(attempt, event)
            size, sha256 = len(sent), hashlib.sha256(sent).hexdigest()
        request = RequestOut(headers=headers, bytes=size, sha256=sha256)
        shown.append(_attempt_out(attempt, request, again=again))
    return shown


def bytes_sent(attempt: Attempt, event: StoredEvent) -> bytes:
    """Return the bytes that an attempt sent. Those that a fault changed are not kept, and always come out the same."""
    if attempt.fault is None:
        return event.body
    if not attempt.request_head:
        return b""  # nothing went out
    return body_sent(read_fault(attempt.fault or ""), event.body)


def _attempt_out(attempt: Attempt, request: RequestOut, *, again: bool) -> AttemptOut:
    return AttemptOut(
        id=attempt.id,
        n=attempt.number,
        kind="again" if again else "retry" if attempt.retry else "first",
        retry=attempt.retry,
        scheduled_at=seconds(attempt.scheduled_at),
        started_at=seconds(attempt.started_at),
        ended_at=seconds(attempt.ended_at),
        duration_ms=attempt.duration_ms,
        url=attempt.url,
        request=request,
        response=None if attempt.status is None else _response_out(attempt, attempt.status),
        error=_error_out(attempt),
        outcome=attempt.outcome,
        fault=attempt.fault,
    )


def _error_out(attempt: Attempt) -> AttemptError | None:
    kind = attempt.error_class or ("interrupted" if attempt.outcome == "interrupted" else None)
    if kind is None:
        return None
    return AttemptError(kind=kind, message=attempt.error_detail or CAUSE_WORDS.get(kind, kind))


def _response_out(attempt: Attempt, status: int) -> ResponseOut:
    raw = attempt.response_body or b""
    headers = header_lines(attempt.response_head or b"")
    text, exact = body_text(raw, headers)
    return ResponseOut(
        status=status,
        headers=headers,
        body=text,
        body_base64=None if exact else base64.b64encode(raw).decode("ascii"),
        size=attempt.response_size,
        truncated=attempt.truncated,
    )


def header_lines(head: bytes) -> list[tuple[str, str]]:
    """Return header lines as (name, value), their bytes read as latin-1."""
    lines = [line.partition(":") for line in head.decode("latin-1").splitlines()]
    return [(name, value.strip()) for name, colon, value in lines if colon]


def body_text(raw: bytes, headers: list[tuple[str, str]]) -> tuple[str, bool]:
    """Return a recorded body as text for people, inflated if it was compressed, and whether the text is the exact bytes."""
    encoding = next((value.lower() for name, value in headers if name.lower() == "content-encoding"), "")
    if encoding in ("gzip", "deflate"):
        try:
            return zlib.decompressobj(47).decompress(raw, _SHOWN).decode("utf-8", "replace"), False
        except zlib.error:
            pass  # it says so and is not: shown as it came
    try:
        return raw.decode("utf-8"), True
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace"), False


# --- alerts, clock, figures -------------------------------------------------------------------------------------


def alert_out(alert: Alert, *, current: int) -> AlertOut:
    """Return an alert with the count in its window now."""
    return AlertOut(
        id=alert.id,
        agent=alert.agent,
        metric=alert.metric,
        threshold=alert.threshold,
        window=duration_text(alert.window),
        notify_url=alert.notify_url,
        state=alert.state,
        current=current,
        created=int(alert.created_at.timestamp()),
    )


def alert_event_out(change: AlertEvent) -> AlertEventOut:
    """Return one change of an alert."""
    return AlertEventOut(
        id=change.id, alert=change.alert_id, state=change.state, count=change.count, at=seconds(change.at)
    )


def cause_out(group: CauseGroup) -> CauseGroupOut:
    """Return one group of deliveries."""
    return CauseGroupOut(
        cause=group.cause,
        deliveries=group.deliveries,
        events=group.events,
        webhooks=group.webhooks,
        first=seconds(group.first_at),
        last=seconds(group.last_at),
    )


def webhook_group_out(group: WebhookGroup) -> WebhookGroupOut:
    """Return the deliveries of one webhook, counted."""
    return WebhookGroupOut(
        webhook=group.webhook_id,
        agent=group.agent,
        url=group.url,
        deliveries=group.deliveries,
        events=group.events,
        first=seconds(group.first_at),
        last=seconds(group.last_at),
    )


def clock_out(clock: Clock, *, scheduled: int, next_at: datetime | None) -> ClockOut:
    """Return how the clock stands."""
    return ClockOut(
        mode=clock.mode,
        rate=clock.rate,
        now=seconds(clock.now()),
        lead_s=span(clock.lead()),
        scheduled=scheduled,
        next_at=None if next_at is None else seconds(next_at),
    )


def send_out(sent: Sent, *, before: datetime) -> SendOut:
    """Return one attempt that ran while the clock moved on from `before`."""
    return SendOut(
        at=seconds(sent.at),
        after_s=span(sent.at - before),
        delivery=sent.delivery_id,
        event=sent.event_id,
        webhook=sent.webhook_id,
        n=sent.number,
        retry=sent.retry,
        retries_max=sent.retries_max,
        status=sent.status,
        error=sent.error_class,
        duration_ms=sent.duration_ms,
        state=state_name(sent.state, attempted=True),
        fault=sent.fault,
    )


def fault_out(armed: Armed, *, left: int | None, text: str) -> FaultOut:
    """Return an armed fault; `left` is how many attempts it will meet yet, `text` says what it does."""
    value = kind_of(armed.fault).value
    return FaultOut(
        id=armed.id,
        kind=armed.fault.kind,
        params={} if value is None else {value.name: armed.fault.value},
        webhook=armed.webhook_id,
        times=armed.times,
        probability=armed.probability,
        seed=armed.seed,
        fired=armed.fired,
        until=None if armed.until is None else seconds(armed.until),
        left=left,
        text=text,
    )


def point_out(point: StatsPoint) -> StatsPointOut:
    """Return one point of the statistics."""
    return StatsPointOut(
        t=seconds(point.at),
        sent=point.sent,
        delivered=point.delivered,
        failed=point.failed,
        p50_ms=point.p50_ms,
        p95_ms=point.p95_ms,
    )
