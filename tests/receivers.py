"""Receivers that speak raw bytes: a handler gets the stream of each connection and does with it what it likes."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@dataclass(slots=True)
class Stream:
    """One connection, from the receiver's side; `number` counts connections from 1."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int
    requests: list[bytes]

    async def request(self) -> bytes:
        """Read one whole request and return its bytes; b"" when the sender closed the connection."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return b""
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        whole = head + await self.reader.readexactly(length)
        self.requests.append(whole)
        return whole

    async def answer(self, data: bytes) -> None:
        """Write bytes."""
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """End the connection with a RST."""
        self.writer.transport.abort()


Handler = Callable[[Stream], Awaitable[None]]


@dataclass(slots=True)
class RawReceiver:
    """Where it listens, and all whole requests that were read."""

    port: int
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        """Its http address."""
        return f"http://127.0.0.1:{self.port}/hook"


@asynccontextmanager
async def raw_receiver(handler: Handler, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawReceiver]:
    """Listen on a free port of 127.0.0.1; each connection is given to the handler and closed when it returns."""
    receiver = RawReceiver(0)
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        receiver.connections += 1
        try:
            with suppress(OSError, asyncio.CancelledError):
                await handler(Stream(reader, writer, receiver.connections, receiver.requests))
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.sleep(0)


async def always_ok(stream: Stream) -> None:
    """Answer every request with 200 and keep the connection."""
    while await stream.request():
        await stream.answer(OK)


def answering(*answers: bytes, close: bool = True) -> Handler:
    """Return a handler that answers each request of a connection with the next of these bytes, then closes it."""

    async def handle(stream: Stream) -> None:
        for answer in answers:
            if not await stream.request():
                return
            await stream.answer(answer)
        if not close:
            await stream.reader.read()

    return handle
