"""The bytes of an event: made once, at birth, and never again (decision D9).

Nothing else in the project turns an event into bytes; every attempt and replay sends what this module returned.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import orjson

from swiftclaw_local.errors import InvalidInput
from swiftclaw_local.events.catalog import JsonObject
from swiftclaw_local.events.sendable import EVENT_ID_MAX_LENGTH, MAX_DEPTH, check_json

# What a number that is not finite is written as: so wherever it stands, the values are looked at.
_NULL: Final = b"null"
# Nothing but JSON's own types: an object that happens to be known to the encoder is no JSON.
_STRICT: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
# Besides, no whole number beyond 2^53: the encoder looks for those on its way, and they are seldom.
_STRICTER: Final = _STRICT | orjson.OPT_STRICT_INTEGER


def new_body(id: str, type: str, *, created_at: datetime, data: JsonObject) -> bytes:
    """Return the bytes of a new event, which every attempt will send.

    Raises: InvalidJson when `data` nests deeper than 64, holds an integer outside ±2^63, a number that is not finite, or
    text that is not Unicode; InvalidInput when the id is not 1 to 128 visible ASCII characters.
    """
    if not 0 < len(id) <= EVENT_ID_MAX_LENGTH or not (id.isascii() and id.isprintable() and " " not in id):
        raise InvalidInput(
            "An event id is 1 to 128 visible ASCII characters without spaces, as evt_abc123.", field="id"
        )
    body = encode_event(id=id, type=type, created_at=created_at, data=data)
    if _may_harm(body):
        check_json(data)
    return body


def encode_event(*, id: str, type: str, created_at: datetime, data: JsonObject) -> bytes:
    """Return `{"id","type","created","data"}` in that order as compact JSON, UTF-8; `created` is unix seconds.

    Raises: InvalidJson where it cannot be encoded. Source: page, "Example Payload".
    """
    payload = {"id": id, "type": type, "created": int(created_at.timestamp()), "data": data}
    try:
        return orjson.dumps(payload, option=_STRICTER)
    except orjson.JSONEncodeError:  # not Unicode, too large a number, too deep: say which
        check_json(data)
        return orjson.dumps(payload, option=_STRICT)


def _may_harm(body: bytes) -> bool:
    """Return whether the bytes leave room for a value that no receiver can read, so that the values must be looked at."""
    # find, as `in` first makes up an error for what is no number
    return body.find(_NULL) >= 0 or body.count(b"{") + body.count(b"[") > MAX_DEPTH
