"""The receivers that misbehave in time or in the order of things, not merely in what they say."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any
from unittest.mock import patch

from tests.misbehaving.rows import CHUNKED, HEAD, LENGTH, Place
from tests.ports import free_port
from tests.receivers import OK, Handler, RawReceiver, Stream


async def reset_at_once(stream: Stream) -> None:
    """End the connection with a RST before the request was read."""
    stream.reset()


async def reset_after_the_request(stream: Stream) -> None:
    """End it with a RST in place of an answer."""
    await stream.request()
    lingering = struct.pack("ii", 1, 0)  # for no time: what is unsent is thrown away, and a RST says so
    stream.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingering)
    stream.reset()


async def close_without_an_answer(stream: Stream) -> None:
    """Read the request and close."""
    await stream.request()


async def close_amid_the_headers(stream: Stream) -> None:
    """Close before the headers are complete."""
    await stream.request()
    await stream.answer(HEAD + b"X-Half: ")


async def say_nothing(stream: Stream) -> None:
    """Read whatever comes and never answer."""
    while await stream.reader.read(65_536):
        pass


async def read_nothing(stream: Stream) -> None:
    """Leave the request in the socket and never answer."""
    stream.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads
    await asyncio.Event().wait()


async def answer_before_reading(stream: Stream) -> None:
    """Answer 200 while the request is still being written, and read none of it."""
    stream.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads
    await stream.answer(HEAD + LENGTH)
    await asyncio.Event().wait()


async def drip_the_headers(stream: Stream) -> None:
    """Send one byte of the answer every now and then: never long silent, never done."""
    await stream.request()
    for byte in HEAD + b"X-Slow: " + b"a" * 1000 + b"\r\n" + LENGTH:
        await stream.answer(bytes([byte]))
        await asyncio.sleep(0.02)


async def drip_the_body(stream: Stream) -> None:
    """Send the headers at once and the body byte by byte."""
    await stream.request()
    await stream.answer(HEAD + b"Content-Length: 1000\r\n\r\n")
    for _ in range(1000):
        await stream.answer(b"a")
        await asyncio.sleep(0.05)


def begin_and_hang(*parts: bytes) -> Handler:
    """Return a handler that reads the request, sends these parts and then nothing, with the connection open."""

    async def handle(stream: Stream) -> None:
        await stream.request()
        for part in parts:
            await stream.answer(part)
            await asyncio.sleep(0.01)
        await asyncio.Event().wait()

    return handle


async def break_the_chunks_later(stream: Stream) -> None:
    """Send garbage in place of a chunk once the verdict has fallen."""
    await stream.request()
    await stream.answer(CHUNKED + b"2\r\nok\r\n")
    await asyncio.sleep(0.05)
    await stream.answer(b"garbage\r\n")
    await asyncio.Event().wait()


async def number_the_answers(stream: Stream) -> None:
    """Answer with the number of the connection, and 0.1 s later with a second answer nobody asked for."""
    while await stream.request():
        await stream.answer(HEAD + b"Content-Length: 1\r\n\r\n%d" % stream.number)
        await asyncio.sleep(0.1)
        await stream.answer(b"HTTP/1.1 500 Unasked\r\nContent-Length: 0\r\n\r\n")


async def promise_and_close(stream: Stream) -> None:
    """Promise to keep the connection, and close it."""
    await stream.request()
    await stream.answer(OK)


async def refuse_the_version(stream: Stream) -> None:
    """Answer the first record of a TLS handshake with an alert: no such version."""
    await stream.reader.read(1)
    await stream.answer(b"\x15\x03\x01\x00\x02\x02\x46")
    await stream.reader.read()


async def speak_plainly(stream: Stream) -> None:
    """Answer in plain HTTP, whatever came."""
    await stream.reader.read(1)
    await stream.answer(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    await stream.reader.read()


class Https(AbstractAsyncContextManager[str]):
    """A raw receiver under its https URL."""

    def __init__(self, receiver: AbstractAsyncContextManager[RawReceiver]) -> None:
        self._receiver = receiver

    async def __aenter__(self) -> str:
        return (await self._receiver.__aenter__()).url.replace("http:", "https:")

    async def __aexit__(self, *raised: Any) -> None:
        await self._receiver.__aexit__(*raised)


@asynccontextmanager
async def nobody() -> AsyncIterator[str]:
    """A port on which nobody listens."""
    yield f"http://127.0.0.1:{free_port()}/hook"


def address(url: str) -> Place:
    """Return the place of a URL where nothing is played."""

    @asynccontextmanager
    async def place() -> AsyncIterator[str]:
        yield url

    return place


def flood(*parts: bytes) -> Place:
    """Return a receiver in a thread: what it writes must not keep the event loop that is looked at."""

    @asynccontextmanager
    async def place() -> AsyncIterator[str]:
        listener = socket.create_server(("127.0.0.1", 0))
        thread = threading.Thread(target=_write_all, args=(listener, parts), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/hook"
        finally:
            _unblock(listener)
            await asyncio.to_thread(thread.join, 10)
            listener.close()

    return place


def _write_all(listener: socket.socket, parts: tuple[bytes, ...]) -> None:
    connection, _ = listener.accept()
    with connection:
        try:
            connection.recv(65_536)
            for part in parts:
                connection.sendall(part)
            connection.recv(1)
        except OSError:
            return  # the sender had enough


def _unblock(listener: socket.socket) -> None:
    """Let a thread go on that still waits for a connection."""
    try:
        socket.create_connection(listener.getsockname(), timeout=1).close()
    except OSError:
        return


@contextmanager
def names(answers: dict[str, Any]) -> Iterator[None]:
    """Have the system's resolver answer for these hosts: with addresses, or None for a look-up that hangs until the end."""
    real, released = socket.getaddrinfo, threading.Event()

    def getaddrinfo(host: str, port: int, *arguments: Any, **named: Any) -> list[Any]:
        if host not in answers:
            return real(host, port, *arguments, **named)
        if answers[host] is None:
            released.wait(10)
        found = answers[host] or []
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [_info(address, port) for address in found]

    with patch.object(socket, "getaddrinfo", getaddrinfo):
        try:
            yield
        finally:
            released.set()


def _info(address: str, port: int) -> tuple[Any, ...]:
    if ":" in address:
        return socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)
