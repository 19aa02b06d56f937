"""How a request is carried when a fault asks for it: slowly, or not to its end. The one place where the wire misbehaves.

It chooses no fault and judges no answer.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, assert_never

from swiftclaw_local.dispatcher.causes import NotAnswered
from swiftclaw_local.dispatcher.wire import Wire
from swiftclaw_local.scheduler.outcome import Cause

# The pause between two pieces of a slow upload (seconds).
_PAUSE_S: Final = 0.1
_HEAD_END: Final = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class SlowUpload:
    """The head at once, the body at so many bytes a second."""

    bytes_per_s: int


@dataclass(frozen=True, slots=True)
class HangUp:
    """The head and the first bytes of the body, and then the end of the connection."""

    after_bytes: int


Manner = SlowUpload | HangUp


async def carry(wire: Wire, request: bytes, *, manner: Manner, most_bytes: int) -> None:
    """Carry a request in a manner; returns when the headers of its answer are complete.

    Raises: as `Wire.ask`; NotAnswered when it hung up itself.
    """
    body_at = request.index(_HEAD_END) + len(_HEAD_END)
    match manner:
        case SlowUpload(bytes_per_s=rate):
            await _slowly(wire, request, body_at, rate=rate, most_bytes=most_bytes)
        case HangUp(after_bytes=count):
            wire.ask(request[: body_at + count], most_bytes=most_bytes).cancel()
            whole = len(request) - body_at
            raise NotAnswered(Cause.HUNG_UP, f"Hung up after {count} of {whole} bytes of the body (hang_up_early).")
        case _:
            assert_never(manner)


async def _slowly(wire: Wire, request: bytes, at: int, *, rate: int, most_bytes: int) -> None:
    """Send what stands before `at`, and the rest piece by piece, until an answer comes or breaks off the wait for one."""
    answered = wire.ask(request[:at], most_bytes=most_bytes)
    pause_s = max(_PAUSE_S, 1 / rate)
    piece = max(1, int(rate * pause_s))
    while at < len(request):
        await asyncio.wait([answered], timeout=pause_s)
        if answered.done():
            break
        wire.go_on(request[at : at + piece])
        at += piece
    await answered
