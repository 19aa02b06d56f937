"""What every side sends: an event of exactly 500 bytes, to one webhook with one secret."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from swiftclaw_local.events.event import encode_event

AGENT: Final = "my-agent"
SECRET: Final = "scsec_bench_0123456789abcdefghijklm"
EVENT_TYPE: Final = "agent.completed"
BODY_BYTES: Final = 500

_AN_ID: Final = "evt_" + "0" * 26
_A_TIME: Final = datetime(2026, 11, 23, 14, 10, tzinfo=UTC)
_BASE: Final[dict[str, Any]] = {
    "agent": AGENT,
    "request_id": "req_01hzy3v7k2mnq5rs8t9w0x4y6z",
    "duration": 1250,
    "tokens_used": 450,
    "response": {"message": ""},
}


def _bytes(data: dict[str, Any]) -> bytes:
    return encode_event(id=_AN_ID, type=EVENT_TYPE, created_at=_A_TIME, data=data)


def data_of_500_bytes() -> dict[str, Any]:
    """Return the `data` whose event is 500 bytes long."""
    message = "x" * (BODY_BYTES - len(_bytes(_BASE)))
    return _BASE | {"response": {"message": message}}


def body_of_500_bytes() -> bytes:
    """Return the bytes of such an event."""
    return _bytes(data_of_500_bytes())
