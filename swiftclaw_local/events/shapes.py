"""The shapes in which the same event may be written as JSON: every one is valid, and each trips another wrong receiver.

A receiver that hashes the bytes it got takes them all; one that hashes what it parsed and wrote again takes a few. It
knows nothing of signatures.
"""

from __future__ import annotations

import json
from typing import Any, Final

# What is added where a shape is about letters beyond ASCII and the event has none; the slash is there because PHP escapes it.
_NOTE: Final = {"note": "Grüße, a/b, 🦞"}
_LARGEST_EXACT: Final = 2**53
SHAPES: Final = ("compact", "spaced", "pretty", "utf8", "escaped", "floats", "newline")


def reshaped(body: bytes, shape: str) -> bytes:
    """Return an event's bytes in another shape of `SHAPES`. Raises: KeyError for a name that is none of them."""
    event = json.loads(body)
    match shape:
        case "compact":
            return _compact(event)
        case "spaced":
            return json.dumps(event, ensure_ascii=False).encode()
        case "pretty":
            return json.dumps(event, ensure_ascii=False, indent=2).encode()
        case "utf8":
            return _compact(_beyond_ascii(event))
        case "escaped":
            return json.dumps(_beyond_ascii(event), separators=(",", ":")).encode()
        case "floats":
            return _compact({**event, "data": _as_floats(event["data"])})
        case "newline":
            return _compact(event) + b"\n"
        case _:
            raise KeyError(shape)


def _compact(event: Any) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _beyond_ascii(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event with letters beyond ASCII in it: itself, if it has some."""
    return event if not _compact(event).isascii() else {**event, "data": {**event["data"], **_NOTE}}


def _as_floats(value: Any) -> Any:
    """Return the value with its whole numbers written as 1250.0."""
    match value:
        case bool():
            return value
        case int() if -_LARGEST_EXACT <= value <= _LARGEST_EXACT:
            return float(value)
        case dict():
            return {key: _as_floats(child) for key, child in value.items()}
        case list():
            return [_as_floats(child) for child in value]
        case _:
            return value
