"""What a fault makes of one attempt: of its request, of its outcome, and of what happens next. Pure.

Only what goes out is changed: the stored event, its bytes and the webhook's secret stay as they are. Which fault meets
which attempt is the business of `armed`; what needs the wire is a `Manner` in the request, which the sender obeys.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from swiftclaw_local.dispatcher.fault_kinds import NEVER_SENT, Fault
from swiftclaw_local.dispatcher.manners import HangUp, SlowUpload
from swiftclaw_local.dispatcher.request import SIGNATURE_HEADER, HeaderMode, Request, build_request
from swiftclaw_local.durations import parse_duration
from swiftclaw_local.events.shapes import reshaped
from swiftclaw_local.scheduler.outcome import Answered, Cause, Outcome, Unanswered
from swiftclaw_local.storage.records import Claim, Mark, MarkDead, MarkRetry

OTHER_SECRET: Final = "scsec_another_secret"  # noqa: S105 - nobody's secret, and printed in the documents
ROTATED_SECRET: Final = "scsec_rotated"  # noqa: S105 - likewise
UNKNOWN_TYPE: Final = "agent.unheard_of"
NOT_JSON: Final = b"this is not JSON"
# What the last edge of a dropped delivery is called.
DROPPED: Final = "dropped"

_SIGNATURES: Final = re.compile(rb"^(X-SwiftClaw-Signature|webhook-signature): ([^\r]*)\r\n", re.MULTILINE)
_LENGTH: Final = re.compile(rb"^Content-Length: \d+", re.MULTILINE)
_CREATED: Final = re.compile(rb'("created": ?-?\d*)(\d)')
# A digit in the middle: also of the base64 of Standard Webhooks, after its `v1,`.
_PLACE: Final = 5


@dataclass(frozen=True, slots=True)
class Hit:
    """A fault that meets an attempt. `hold` is for how long it is held back, None to send it; `late` for the second half of the times."""

    fault: Fault
    hold: timedelta | None = None
    late: bool = False

    @property
    def never_sent(self) -> bool:
        """Whether nothing goes out."""
        return self.hold is not None or self.fault.kind in NEVER_SENT


# --- what goes out ------------------------------------------------------------------------------------------------


def requests_under(hit: Hit, claim: Claim, *, mode: HeaderMode, now: datetime) -> tuple[Request, ...]:
    """Return what is sent, at the same time where it is more than one; the first decides about the delivery."""
    if hit.never_sent:
        return ()
    request = _request(hit, claim, mode=mode, now=now)
    return (request, request) if hit.fault.kind == "duplicate_simultaneous" else (request,)


def body_sent(fault: Fault, body: bytes) -> bytes:
    """Return the bytes that went out instead of an event's."""
    change = _CHANGED.get(fault.kind)
    return body if change is None else change(body, fault.value)


def _request(hit: Hit, claim: Claim, *, mode: HeaderMode, now: datetime) -> Request:
    fault = hit.fault
    body = body_sent(fault, claim.body)
    plain = build_request(claim, mode=mode, now=now)
    match fault.kind:
        case "tampered_body" | "truncated_body":
            return replace(plain, body=body, head=_LENGTH.sub(b"Content-Length: %d" % len(body), plain.head))
        case "wrong_signature":
            return _with_signatures(plain, lambda line: b"%b: %b\r\n" % (line[1], _wrong(line[2])))
        case "missing_signature":
            return _with_signatures(plain, lambda _: b"")
        case "other_secret":
            return build_request(replace(claim, secret=OTHER_SECRET), mode=mode, now=now)
        case "secret_rotated_midway" if hit.late:
            return build_request(replace(claim, secret=ROTATED_SECRET), mode=mode, now=now)
        case "slow_upload":
            return replace(plain, manner=SlowUpload(int(fault.value)))
        case "hang_up_early":
            return replace(plain, manner=HangUp(len(body) // 2))
        case _ if body is not claim.body:
            return build_request(replace(claim, body=body), mode=mode, now=now)
        case _:
            return plain


def _with_signatures(request: Request, change: Callable[[re.Match[bytes]], bytes]) -> Request:
    head = _SIGNATURES.sub(change, request.head)
    found = next((line[2] for line in _SIGNATURES.finditer(head) if line[1] == SIGNATURE_HEADER.encode()), b"")
    return replace(request, head=head, signature=found.decode())


def _wrong(signature: bytes) -> bytes:
    digit = b"1" if signature[_PLACE : _PLACE + 1] == b"0" else b"0"
    return signature[:_PLACE] + digit + signature[_PLACE + 1 :]


# --- bodies -------------------------------------------------------------------------------------------------------


def _tampered(body: bytes, _: str) -> bytes:
    return _CREATED.sub(lambda found: b"%b%d" % (found[1], (int(found[2]) + 1) % 10), body, count=1)


def _huge(body: bytes, size: str) -> bytes:
    event = json.loads(body)
    room = int(size) - len(_written(event, data={**event["data"], "padding": ""}))
    return body if room < 0 else _written(event, data={**event["data"], "padding": "x" * room})


def _older(body: bytes, age: str) -> bytes:
    event = json.loads(body)
    return _written(event, created=event["created"] - int(parse_duration(age).total_seconds()))


def _written(event: dict[str, Any], **changes: Any) -> bytes:
    return json.dumps({**event, **changes}, ensure_ascii=False, separators=(",", ":")).encode()


_CHANGED: Final[dict[str, Callable[[bytes, str], bytes]]] = {
    "tampered_body": _tampered,
    "body_shape": reshaped,
    "truncated_body": lambda body, _: body[: len(body) // 2],
    "not_json": lambda _, __: NOT_JSON,
    "empty_body": lambda _, __: b"",
    "huge_body": _huge,
    "unknown_type": lambda body, _: _written(json.loads(body), type=UNKNOWN_TYPE),
    "old_created": _older,
}


# --- what comes of it ---------------------------------------------------------------------------------------------


def unsent(hit: Hit) -> Outcome:
    """Return the outcome of an attempt for which nothing went out; the receiver was not asked."""
    if hit.hold is not None:
        return Unanswered(Cause.HELD_BACK, f"Held back, nothing was sent ({hit.fault}).")
    match hit.fault.kind:
        case "refused":
            return Unanswered(Cause.CONNECT_REFUSED, "Taken for refused, nothing was sent (refused).")
        case "status":
            return Answered(int(hit.fault.value))
        case _:
            return Unanswered(Cause.DROPPED, f"Never sent ({hit.fault}).")


def outcome_under(hit: Hit, outcome: Outcome, *, duration_ms: int) -> Outcome:
    """Return what the platform believes that came of an attempt."""
    if hit.fault.kind == "lost_reply" and isinstance(outcome, Answered):
        told = f"The receiver answered {outcome.status} after {duration_ms} ms, and its reply was dropped (lost_reply)."
        return Unanswered(Cause.TIMEOUT, told)
    return outcome


def mark_under(hit: Hit, mark: Mark) -> Mark:
    """Return what happens next: sent again at once or later, uncounted; over without having been sent; or as decided."""
    attempt = mark.attempt
    if hit.hold is not None:
        return MarkRetry(attempt, attempt.ended_at + hit.hold, uses_retry=False)
    match hit.fault.kind:
        case "duplicate":
            return MarkRetry(attempt, attempt.ended_at, uses_retry=False)
        case "drop":
            return MarkDead(attempt, DROPPED)
        case _:
            return mark
