"""One event in seven shapes of JSON, and which of them a receiver accepts that hashes something else than the raw bytes.

The table is not written down: it is what the usual rewritings of a body do to the seven shapes, the same rewritings that
`swiftclaw verify` tries on one pasted body.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from swiftclaw_local.dispatcher.rewritten import every_rewriting
from swiftclaw_local.events.shapes import SHAPES as EVERY_SHAPE
from swiftclaw_local.events.shapes import reshaped

Json = dict[str, Any]
Pattern = tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """One way to write the same kind of event, as a report calls it; all are JSON, and the signature covers whatever bytes are sent."""

    name: str
    of: str

    def write(self, event: Json) -> bytes:
        """Return an event's bytes in this shape."""
        return reshaped(json.dumps(event).encode(), self.of)


_NAMES: Final = {"utf8": "utf-8", "escaped": "\\u-escaped", "floats": "1250.0", "newline": "trailing \\n"}
SHAPES: Final = tuple(Shape(_NAMES.get(shape, shape), shape) for shape in EVERY_SHAPE)
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
