"""The route of the event stream: what happens, as it happens, as server-sent events or as one JSON object per line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import suppress
from typing import Final

from aiohttp import web

from swiftclaw_local.errors import (
    InvalidCursor,
    InvalidInput,
    InvalidTime,
    ServerStopping,
    StorageUnavailable,
    TooManyStreams,
)
from swiftclaw_local.platform import Platform
from swiftclaw_local.scheduler.clock import Clock, monotonic
from swiftclaw_local.server.adapter import SAFE_HEADERS, Route, Streamed
from swiftclaw_local.server.queries import StreamQuery, flag, moment
from swiftclaw_local.server.stream import Stream
from swiftclaw_local.server.stream_listener import Listener, Wanted
from swiftclaw_local.server.stream_models import (
    KINDS,
    AlertTold,
    AttemptTold,
    ClockTold,
    DeliveryTold,
    EndTold,
    FaultTold,
    OpenTold,
    ReplayTold,
)
from swiftclaw_local.server.stream_position import Position
from swiftclaw_local.server.stream_told import Message, Moment, stamp

STREAM: Final = web.AppKey("stream", Stream)
EVENTS, LINES = "text/event-stream", "application/x-ndjson"
# Seconds: how often a stream without news shows that it lives; how long a reader may take to make room for more; how long
# the last words may take to go out; how often it is looked whether the reader is gone.
HEARTBEAT_S: Final = 15.0
PATIENCE_S: Final = 30.0
LAST_WORDS_S: Final = 1.0
_LOOK_S: Final = 1.0
# Milliseconds after which a browser comes back.
_COME_BACK_MS: Final = 1000
_WHY: Final = {
    "stopping": "The server stops.",
    "too_slow": "This reader was too slow: more waited for it than is kept. Come back with the id.",
}


async def open_stream(
    request: web.Request, platform: Platform, query: StreamQuery, last_event_id: str | None
) -> web.StreamResponse:
    """Tell what happens as it happens: attempts, deliveries, the clock, alerts, faults, replays.

    As server-sent events, or with `Accept: application/x-ndjson` as one JSON object per line. With `Last-Event-ID`, or
    `since`, what the log holds from there on is sent first; with `follow=0`, nothing after that.
    """
    stream = request.app[STREAM]
    wanted = _wanted(query)
    since = moment(query.since, now=platform.clock.now(), field="since")
    start = await stream.start_of(last_event_id, since)
    listener, joined = await stream.join(wanted)
    try:
        writing = _Writing(request, listener, platform.clock, at=start or joined.safe, as_lines=_as_lines(request))
        await writing.begin()
        with suppress(ConnectionError):  # the reader is gone
            filled = 0 if start is None else await writing.fill(stream.past(start, joined.head))
            await writing.open(joined.safe, back_filled=filled)
            if flag(query.follow):
                await writing.live()
                await writing.last_words(stream)
        return writing.response
    finally:
        await stream.leave(listener)


class _Writing:
    """One answer without an end. Whoever does not read is waited for only so long as its messages find room."""

    def __init__(self, request: web.Request, listener: Listener, clock: Clock, *, at: Position, as_lines: bool) -> None:
        self._request = request
        self._listener = listener
        self._clock = clock
        self._at = str(at)  # where the reader stands
        self._as_lines = as_lines
        kind = LINES if as_lines else EVENTS
        self.response = web.StreamResponse(headers={"Content-Type": kind, "X-Accel-Buffering": "no", **SAFE_HEADERS})

    async def begin(self) -> None:
        await self.response.prepare(self._request)
        await self._write(b"" if self._as_lines else f"retry: {_COME_BACK_MS}\n\n".encode())

    async def fill(self, pages: AsyncIterator[list[Message]]) -> int:
        """Send what was missed, page after page as fast as it is read; return how many messages."""
        filled = 0
        async for page in pages:
            messages = [message for message in page if self._listener.wanted.takes(message.about)]
            filled += len(messages)
            if not await self._send(messages):
                break
        return filled

    async def open(self, at: Position, *, back_filled: int) -> None:
        """Say that from here on it is told as it happens."""
        if self._listener.ended is None:
            self._at = str(at)
            await self._write(self._service(OpenTold, back_filled=back_filled))

    async def live(self) -> None:
        """Send what happens until the stream ends or the reader is gone."""
        silent_since = monotonic()
        while self._listener.ended is None:
            messages = await self._listener.next(timeout_s=_LOOK_S)
            if messages:
                silent_since = monotonic()
                await self._send(messages)
            elif monotonic() - silent_since >= HEARTBEAT_S:
                silent_since = monotonic()
                await self._write(b"\n" if self._as_lines else b": still here\n\n")
            elif self._request.transport is None or self._request.transport.is_closing():
                raise ConnectionResetError

    async def last_words(self, stream: Stream) -> None:
        """Send what still waits, and why no more comes; cut a reader off that does not take it."""
        rest = await self._listener.next(timeout_s=0)
        reason = self._listener.ended or "stopping"
        if reason == "stopping":
            self._at = str(stream.position())  # `rest` brings the reader there
        end = self._service(EndTold, reason=reason, message=_WHY[reason])
        try:
            async with asyncio.timeout(LAST_WORDS_S):
                await self.response.write(self._text(rest) + end)
                await self.response.write_eof()
        except TimeoutError:
            if self._request.transport is not None:
                self._request.transport.abort()

    async def _send(self, messages: list[Message]) -> bool:
        """Write messages; return False when the stream ended meanwhile."""
        if messages:
            self._at = messages[-1].id
        return await self._write(self._text(messages))

    async def _write(self, data: bytes) -> bool:
        """Write, as long as the reader makes room and the stream goes on; return False when it ended meanwhile."""
        if data:
            await self._unless_over(self.response.write(data))
        return self._listener.ended is None

    async def _unless_over(self, write: Awaitable[None]) -> None:
        writing = asyncio.ensure_future(write)
        over = asyncio.ensure_future(self._listener.over.wait())
        try:
            await asyncio.wait((writing, over), timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
            if writing.done():
                writing.result()
            else:
                self._listener.end("too_slow")
        finally:
            over.cancel()
            writing.cancel()  # what it was to write is in the connection's buffer already; it only waits for room

    def _service(self, kind: type[OpenTold | EndTold], **fields: object) -> bytes:
        moment = Moment.of(self._clock)
        told = kind.model_validate({"id": self._at, "t": stamp(moment.now), "virtual": moment.virtual, **fields})
        return self._one(told.id, told.kind, told.model_dump_json().encode())

    def _text(self, messages: Iterable[Message]) -> bytes:
        return b"".join(self._one(message.id, message.about.kind, message.json) for message in messages)

    def _one(self, position: str, kind: str, json: bytes) -> bytes:
        if self._as_lines:
            return json + b"\n"
        return b"id: %b\nevent: %b\ndata: %b\n\n" % (position.encode(), kind.encode(), json)


def _as_lines(request: web.Request) -> bool:
    """Return whether one JSON object per line is asked for, and not server-sent events."""
    accept = request.headers.get("Accept", "").lower()
    return LINES in accept and EVENTS not in accept


def _wanted(query: StreamQuery) -> Wanted:
    """Return what a query asks for. Raises: InvalidInput for a kind that there is not."""
    kinds = None if query.types is None else [part.strip() for part in query.types.split(",") if part.strip()]
    unknown = [kind for kind in kinds or () if kind not in KINDS]
    if unknown:
        raise InvalidInput(f'There is no "{unknown[0]}" to be told.', hint=f"Kinds: {', '.join(KINDS)}", field="types")
    is_type = query.event is not None and "." in query.event
    return Wanted(
        kinds=None if kinds is None else frozenset(kinds),
        agent=query.agent,
        webhook=query.webhook,
        event=None if is_type else query.event,
        type=query.event if is_type else None,
        failed=flag(query.failed),
    )


ROUTES: Final = (
    Route(
        "GET",
        "/v1/stream",
        open_stream,
        "read",
        {
            200: Streamed(
                (EVENTS, LINES),
                (AttemptTold, DeliveryTold, ClockTold, AlertTold, FaultTold, ReplayTold, OpenTold, EndTold),
            )
        },
        (InvalidInput, InvalidTime, InvalidCursor, TooManyStreams, ServerStopping, StorageUnavailable),
    ),
)
