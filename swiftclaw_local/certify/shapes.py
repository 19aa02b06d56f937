"""One event in seven shapes of JSON, and which of them a receiver accepts that hashes something else than the raw bytes.

The table is not written down: it is what the usual rewritings of a body do to the seven shapes, the same rewritings that
`swiftclaw verify` tries on one pasted body.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from swiftclaw_local.dispatcher.rewritten import every_rewriting

Json = dict[str, Any]
Pattern = tuple[bool, ...]

# Not ASCII, and with a slash, which PHP alone escapes.
_TEXT: Final = "Grüße – a/b"
_COMPACT: Final = (",", ":")


@dataclass(frozen=True, slots=True)
class Shape:
    """One way to write the same kind of event; all are JSON, and the page's signature covers whatever bytes are sent."""

    name: str
    write: Callable[[Json], bytes]


def _compact(event: Json, *, ascii_only: bool = True) -> bytes:
    return json.dumps(event, separators=_COMPACT, ensure_ascii=ascii_only).encode()


def _spaced(event: Json) -> bytes:
    return json.dumps(event).encode()


def _pretty(event: Json) -> bytes:
    return json.dumps(event, indent=2).encode()


def _utf8(event: Json) -> bytes:
    return _compact(_with(event, response={"message": _TEXT}), ascii_only=False)


def _escaped(event: Json) -> bytes:
    return _compact(_with(event, response={"message": _TEXT}))


def _decimal(event: Json) -> bytes:
    return _compact(_with(event, duration=1250.0))


def _newline(event: Json) -> bytes:
    return _compact(event) + b"\n"


def _with(event: Json, **data: Any) -> Json:
    return event | {"data": event["data"] | data}


SHAPES: Final = (
    Shape("compact", _compact),
    Shape("spaced", _spaced),
    Shape("pretty", _pretty),
    Shape("utf-8", _utf8),
    Shape("\\u-escaped", _escaped),
    Shape("1250.0", _decimal),
    Shape("trailing \\n", _newline),
)
# What the table is made from; only its form matters.
_EVENT: Final[Json] = {
    "id": "evt_abc123",
    "type": "agent.completed",
    "created": 1709884800,
    "data": {"agent": "my-agent", "duration": 1250, "response": {"message": "Task completed successfully"}},
}


def fingerprints() -> dict[str, Pattern]:
    """Return for each usual rewriting of a body the shapes it leaves as they are: those its receiver accepts."""
    table: dict[str, list[bool]] = {}
    for shape in SHAPES:
        body = shape.write(_EVENT)
        for guess in every_rewriting(body):
            table.setdefault(guess.how, []).append(guess.body == body)
    return {how: tuple(kept) for how, kept in table.items()}


def mistakes(accepted: Iterable[bool]) -> list[str]:
    """Return the rewritings whose receivers accept exactly these of the seven shapes, the likeliest first.

    None when all are accepted, which is right, or none is, which says nothing of the bytes.
    """
    pattern = tuple(accepted)
    if all(pattern) or not any(pattern):
        return []
    return [how for how, kept in fingerprints().items() if kept == pattern]
