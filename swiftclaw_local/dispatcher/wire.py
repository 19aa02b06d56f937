"""One HTTP connection as the sender uses it: writes a request's bytes, reads its answer, and nothing that nobody asked for.

It does not choose where to connect, keeps no time, and judges no answer.
"""

from __future__ import annotations

import asyncio
import select
from typing import Final, cast

from swiftclaw_local.dispatcher.answer import AnswerReader, Malformed
from swiftclaw_local.dispatcher.causes import NotAnswered
from swiftclaw_local.scheduler.outcome import Cause

# What is taken from the socket at once; with it falls how long a body of tiny chunks keeps the event loop.
READ_AT_ONCE: Final = 65536


class ReadBuffer:
    """The memory that all connections of a sender read into, one after the other: each takes out what came at once.

    A protocol that is handed its data costs a fresh block of memory at every read.
    """

    __slots__ = ("view",)

    def __init__(self) -> None:
        self.view = memoryview(bytearray(READ_AT_ONCE))


class Wire(asyncio.BufferedProtocol):
    """The protocol of one connection, used for one request at a time.

    `answer` is what was read of the answer to the request it was used for last; None while the connection is idle.
    """

    def __init__(self, buffer: ReadBuffer) -> None:
        self.answer: AnswerReader | None = None
        # Kept, because asking for it is a system call each time: whether the process was forked.
        self._loop = asyncio.get_running_loop()
        self._view = buffer.view
        self._transport: asyncio.Transport | None = None
        self._readable = select.poll()
        self._head: asyncio.Future[None] | None = None  # done when the answer's headers are complete
        self._body: asyncio.Future[None] | None = None  # done when no more of its body is to come
        self._waiting = False
        self._early: bytes | None = b""  # what came before the first request was written; None once it is

    # --- asking -----------------------------------------------------------------------------------------------------

    def ask(self, request: bytes, *, most_bytes: int) -> asyncio.Future[None]:
        """Write a request; the future is done when the headers of its answer are complete.

        Raises, when awaited: Malformed; NotAnswered; OSError when the connection broke.
        """
        head: asyncio.Future[None] = self._loop.create_future()
        self._head, self._body = head, None
        self.answer = AnswerReader(most_bytes=most_bytes)
        if self._transport is None or self._transport.is_closing():
            self._end(None)
        else:
            self._waiting = True
            self._transport.write(request)
            early, self._early = self._early, None
            if early:
                self._read(early)
        return head

    def go_on(self, more: bytes) -> None:
        """Write more of the request, where it comes in pieces."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(more)

    def rest(self) -> asyncio.Future[None]:
        """Return a future that is done when the body is complete, broken off, or longer than what is kept."""
        self._body = self._loop.create_future()
        if not self._waiting:
            self._body.set_result(None)
        return self._body

    @property
    def heard(self) -> bool:
        """Whether any byte of an answer came."""
        return self.answer is not None and self.answer.heard

    # --- between requests -------------------------------------------------------------------------------------------

    def keep(self) -> bool:
        """Lie idle from now on; return whether the connection is fit for it: its answer ended cleanly, its request was taken."""
        transport, answer = self._transport, self.answer
        self.answer = None
        return (
            transport is not None
            and answer is not None
            and answer.reusable
            and not transport.is_closing()
            and transport.get_write_buffer_size() == 0
        )

    def take(self) -> bool:
        """Return whether the connection, after it lay idle, is still fit for another request.

        Asking the socket itself notices an end or an unasked answer that the event loop has not come round to read.
        """
        return self._transport is not None and not self._transport.is_closing() and not self._readable.poll(0)

    def abort(self) -> None:
        """Close at once: a receiver that reads nothing would keep an orderly close waiting for ever."""
        if self._transport is not None:
            self._transport.abort()

    # --- what the event loop tells ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to watch the socket."""
        self._transport = cast(asyncio.Transport, transport)
        self._readable.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where to read to."""
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Take bytes of the answer; close on bytes that come unasked, or the next request would get them as its answer.

        A receiver that answers whoever connects, before it reads, may be faster than the first request.
        """
        data = bytes(self._view[:nbytes])
        if self._waiting:
            self._read(data)
        elif self._early is not None and len(self._early) < READ_AT_ONCE:
            self._early += data
        else:
            self.abort()

    def _read(self, data: bytes) -> None:
        answer = self.answer
        assert answer is not None
        try:
            answer.feed(data)
        except Malformed as error:
            self._end(error)
            self.abort()
            return
        if answer.ended:
            self._end(None)
        elif answer.status is not None:
            if self._head is not None and not self._head.done():
                self._head.set_result(None)
        elif answer.flooded and self._transport is not None:
            self._transport.pause_reading()  # until the time is up

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that nothing more will come, because of `exc` or in order."""
        self._transport = None
        if self._waiting:
            if exc is None and self.answer is not None:
                self.answer.feed_eof()
            self._end(exc)

    def _end(self, error: Exception | None) -> None:
        """Wait for no more of the answer: it is complete, or `error` or the connection's end broke it off."""
        self._waiting = False
        if self.answer is not None and self.answer.status is None and error is None:
            error = NotAnswered(Cause.CLOSED_EARLY, "The connection was closed before a complete answer came.")
        head, body = self._head, self._body
        if head is not None and not head.done():
            if error is None:
                head.set_result(None)
            else:
                head.set_exception(error)
        if body is not None and not body.done():
            body.set_result(None)
