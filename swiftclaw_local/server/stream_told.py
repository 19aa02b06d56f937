"""From what was read of the log to the messages of the event stream. Pure: positions and times are passed in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic_core import to_json

from swiftclaw_local.cause_words import CAUSE_WORDS
from swiftclaw_local.certify.hints import Seen, answer_hint
from swiftclaw_local.dispatcher.armed import Armed
from swiftclaw_local.durations import duration_text
from swiftclaw_local.hot_value import hot_value
from swiftclaw_local.scheduler.clock import Clock
from swiftclaw_local.server.explanation import dead_text
from swiftclaw_local.server.models import DeliveryOut, HintOut
from swiftclaw_local.server.replay_shapes import replay_out
from swiftclaw_local.server.shapes import body_text, header_lines, seconds, span, state_name
from swiftclaw_local.server.stream_models import (
    AlertTold,
    ClockTold,
    DeliveryTold,
    FaultChange,
    FaultTold,
    Kind,
    OutcomeTold,
    ReplayTold,
    Told,
)
from swiftclaw_local.storage.records import AlertChange, AttemptOutcome, LogEntry
from swiftclaw_local.storage.replay_records import Replay, ReplayCounts
from swiftclaw_local.storage.states import State

# Characters of an answer that a message carries.
ANSWER_SHOWN: Final = 200
OUTCOMES: Final[dict[AttemptOutcome, OutcomeTold]] = {
    "succeeded": "delivered",
    "retry": "retrying",
    "dead": "failed",
    "again": "again",
    "interrupted": "interrupted",
    "superseded": "superseded",
}


@hot_value
class About:
    """What a message is about, for the filters of those who listen; None: of no one in particular."""

    kind: Kind
    agent: str | None = None
    webhook: str | None = None
    event: str | None = None
    type: str | None = None
    failed: bool | None = None


@hot_value
class Message:
    """One message, ready to be sent: its JSON is made once, however many listen."""

    about: About
    id: str
    json: bytes


@dataclass(frozen=True, slots=True)
class Moment:
    """How the clock stands while messages are made: `virtual` when its time is not simply real time."""

    now: datetime
    virtual: bool

    @classmethod
    def of(cls, clock: Clock) -> Moment:
        """Return how this clock stands."""
        return cls(clock.now(), clock.mode != "real" or clock.lead() - clock.set_back >= timedelta(seconds=1))


def stamp(at: datetime) -> str:
    """Return an aware UTC time as `2026-11-23T14:02:11.312Z`."""
    return at.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def attempt_told(entry: LogEntry, *, position: str, moment: Moment, retries_max: int) -> Message:
    """Return an attempt, as `AttemptTold` describes it; written out, because making the model first cost five times as much."""
    state = State(entry.state)
    goes_on = state is State.PENDING and entry.attempts == entry.number and entry.outcome != "superseded"
    answer, hints = _answer(entry)
    told = {
        "id": position,
        "t": stamp(entry.ended_at),
        "virtual": moment.virtual,
        "kind": "attempt",
        "attempt": entry.id,
        "delivery": entry.delivery_id,
        "event": entry.event_id,
        "type": entry.event_type,
        "agent": entry.agent,
        "webhook": entry.webhook_id,
        "url": entry.url,
        "trigger": entry.trigger,
        "replay_of": entry.replay_of,
        "n": entry.number,
        "retry": entry.retry,
        "retries_max": retries_max,
        "status": entry.status,
        "error": entry.error_class,
        "ms": entry.duration_ms,
        "outcome": OUTCOMES[entry.outcome],
        "state": state_name(state, attempted=True),
        "reason": _reason(entry, retries_max=retries_max) if entry.outcome == "dead" else None,
        "next_at": seconds(entry.due_at) if goes_on else None,
        "next_in_s": span(max(entry.due_at - moment.now, timedelta())) if goes_on else None,
        "answer": answer,
        "hints": hints,
        "fault": entry.fault,
    }
    about = About("attempt", entry.agent, entry.webhook_id, entry.event_id, entry.event_type, entry.failed)
    return Message(about, position, to_json(told))


def delivery_told(delivery: DeliveryOut, *, position: str, moment: Moment) -> Message:
    """Return a delivery that was made, moved or canceled."""
    told = DeliveryTold.model_construct(
        id=position,
        t=stamp(moment.now),
        virtual=moment.virtual,
        delivery=delivery.id,
        event=delivery.event_id,
        type=delivery.event_type,
        agent=delivery.agent,
        webhook=delivery.webhook_id,
        url=delivery.url,
        trigger=delivery.trigger,
        replay_of=delivery.replay_of,
        state=delivery.state,
        held=delivery.held,
        sends=delivery.sends,
        retries_max=delivery.retries_max,
        next_at=delivery.next_at,
        explanation=delivery.explanation,
    )
    about = About("delivery", delivery.agent, delivery.webhook_id, delivery.event_id, delivery.event_type, failed=False)
    return _message(about, told)


def clock_told(clock: Clock, *, position: str, moment: Moment) -> Message:
    """Return how the clock stands now."""
    told = ClockTold(
        id=position,
        t=stamp(moment.now),
        virtual=moment.virtual,
        mode=clock.mode,
        rate=clock.rate,
        now=seconds(moment.now),
        lead_s=span(clock.lead()),
    )
    return _message(About("clock"), told)


def alert_told(changed: AlertChange, *, position: str, moment: Moment) -> Message:
    """Return what an alert did."""
    change, alert = changed.change, changed.alert
    told = AlertTold(
        id=position,
        t=stamp(change.at),
        virtual=moment.virtual,
        alert=change.alert_id,
        state=change.state,
        count=change.count,
        agent=alert.agent if alert else None,
        metric=alert.metric if alert else None,
        threshold=alert.threshold if alert else None,
        window=duration_text(alert.window) if alert else None,
    )
    return _message(About("alert", agent=alert.agent if alert else None), told)


def replay_told(replay: Replay, counts: ReplayCounts, *, position: str, moment: Moment) -> Message:
    """Return how far a replay has come."""
    stand = replay_out(replay, counts)
    told = ReplayTold(
        id=position,
        t=stamp(moment.now),
        virtual=moment.virtual,
        replay=stand.id,
        state=stand.state,
        reason=stand.reason,
        total=stand.total,
        fixed=stand.fixed,
        still_failing=stand.still_failing,
        regressed=stand.regressed,
        still_ok=stand.still_ok,
        skipped=stand.skipped,
        sending=stand.sending,
        left=stand.left,
        eta_s=stand.eta_s,
        rate=stand.rate,
        to=stand.to,
    )
    return _message(About("replay"), told)


@dataclass(frozen=True, slots=True)
class FaultStand:
    """How an armed fault stood when it was looked at."""

    fired: int
    left: int | None
    webhook: str | None
    text: str


def fault_stand(armed: Armed, *, left: int | None, text: str) -> FaultStand:
    """Return how a fault stands: how many attempts it will meet yet, and what it does."""
    return FaultStand(armed.fired, left, armed.webhook_id, text)


def faults_told(
    before: dict[str, FaultStand], after: dict[str, FaultStand], *, position: str, moment: Moment
) -> list[Message]:
    """Return what became of the faults between two looks."""
    changes: list[tuple[str, FaultChange, FaultStand]] = []
    changes += [(name, "disarmed", stand) for name, stand in before.items() if name not in after]
    changes += [(name, "armed", stand) for name, stand in after.items() if name not in before]
    changes += [(name, "met", stand) for name, stand in after.items() if stand.fired > before.get(name, stand).fired]
    return [
        _message(
            About("fault", webhook=stand.webhook),
            FaultTold.model_construct(
                id=position,
                t=stamp(moment.now),
                virtual=moment.virtual,
                fault=name,
                change=change,
                webhook=stand.webhook,
                fired=stand.fired,
                left=stand.left,
                text=stand.text,
            ),
        )
        for name, change, stand in changes
    ]


def _message(about: About, told: Told) -> Message:
    return Message(about, told.id, told.__pydantic_serializer__.to_json(told))


def _reason(entry: LogEntry, *, retries_max: int) -> str:
    last = str(entry.status) if entry.status is not None else CAUSE_WORDS.get(entry.error_class or "", "no answer")
    return dead_text(entry.reason, status=entry.status, last=last, trigger=entry.trigger, retries_max=retries_max)


def _answer(entry: LogEntry) -> tuple[str | None, list[HintOut]]:
    """Return the beginning of an answer, and what it gives away of the mistake behind it."""
    start = entry.answer_start
    # a success gives something away only when it is the list that some frameworks make of `return body, 401`
    if entry.status is None or start is None or (not entry.failed and not start.startswith(b"[")):
        return None, []
    headers = header_lines(entry.answer_head or b"")
    text, _ = body_text(start, headers)
    hint = answer_hint(Seen(entry.status, text, headers))
    shown = text if len(text) <= ANSWER_SHOWN else text[: ANSWER_SHOWN - 1] + "…"
    return shown if entry.failed else None, [] if hint is None else [HintOut(code=hint.code, text=hint.text)]
