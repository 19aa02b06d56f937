"""What came back to one request of a certification, with what was sent: a value, no exception.

It judges nothing but whether the receiver accepted the request.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

from swiftclaw_local.dispatcher.sender import Exchange
from swiftclaw_local.scheduler.outcome import BLOCKED, Answered, Cause, Unanswered

_SHOWN: Final = 300
_TUPLE: Final = re.compile(r",\s*([1-5]\d\d)\s*\]\s*\Z")
# Nothing arrived at the receiver: it is not there, or nothing may be sent to it.
NEVER_ARRIVED: Final = BLOCKED | {Cause.CONNECT_REFUSED, Cause.CONNECT_FAILED, Cause.CONNECT_TIMEOUT, Cause.DNS}


@dataclass(frozen=True, slots=True)
class Answer:
    """One exchange: `sent` says in words what was sent; `cause` and `detail` say why there is no status."""

    sent: str
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    cause: Cause | None = None
    detail: str = ""
    duration_ms: int = 0

    @property
    def meant(self) -> int | None:
        """The status that the receiver meant: FastAPI sends `return body, 401` as a list with status 200."""
        return tuple_status(self.status, self.body) or self.status

    @property
    def accepted(self) -> bool:
        """Whether it was answered 2xx, and not merely by a tuple that was not taken for a status."""
        return self.status is not None and 200 <= self.status <= 299 and 200 <= (self.meant or 0) <= 299

    @property
    def acknowledged(self) -> bool:
        """Whether SwiftClaw takes it for delivered."""
        return self.status is not None and 200 <= self.status <= 299

    @property
    def short(self) -> str:
        """The status, or the word for what came instead."""
        return str(self.status) if self.status is not None else (self.cause or Cause.INTERNAL).value

    @property
    def shown(self) -> str:
        """The answer in one line: the status and the beginning of the body."""
        if self.status is None:
            return f"no answer: {self.detail}" if self.detail else "no answer"
        text = " ".join(self.body.split())
        return f"{self.status} {text[:_SHOWN]}{'…' if len(text) > _SHOWN else ''}".rstrip()


def answer_of(exchange: Exchange, *, sent: str) -> Answer:
    """Return what the sender brought back."""
    match exchange.outcome:
        case Answered(status=status, head=head, body=body):
            lines = [line.partition(":") for line in head.decode("latin-1").splitlines()]
            headers = tuple((name.lower(), value.strip()) for name, _, value in lines)
            text = body.decode("utf-8", "replace")
            return Answer(sent, status, headers, text, duration_ms=exchange.duration_ms)
        case Unanswered(cause=cause, detail=detail):
            return Answer(sent, cause=cause, detail=detail, duration_ms=exchange.duration_ms)


def tuple_status(status: int | None, body: str) -> int | None:
    """Return 401 for the body `[{"error":"Invalid signature"},401]` of an answer 200; None for any other answer."""
    found = _TUPLE.search(body) if status == 200 and body.lstrip().startswith("[") else None
    if found is None:
        return None
    try:
        listed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return int(found[1]) if isinstance(listed, list) and len(listed) == 2 else None
