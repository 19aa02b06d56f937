"""What tests of every kind may use."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
import uvloop
from aiohttp import ClientResponse
from aioresponses import aioresponses

from swiftclaw_local.dispatcher.answer import AnswerReader
from swiftclaw_local.dispatcher.sender import CAPTURE_BYTES
from swiftclaw_local.dispatcher.wire import ReadBuffer, Wire
from tests.postgres_server import PostgresServer, running_server

NewLoop = Callable[[], asyncio.AbstractEventLoop]
BOTH_LOOPS: Final = "test_sender"

pytest_plugins = ["pytester"]  # runs pytest, for the tests of our plugin for it


def pytest_configure() -> None:
    """Let ^C end what the tests start also when they run in the background of a script, where it is ignored by all."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, NewLoop]:
    """Run the sender's tests on both event loops: sockets fail in different ways on each."""
    standard: dict[str, NewLoop] = {"asyncio": asyncio.new_event_loop}
    return {**standard, "uvloop": uvloop.new_event_loop} if item.path.name.startswith(BOTH_LOOPS) else standard


class _Written:
    output_size = 0


_WRITTEN: Any = _Written()


class MockedResponse(ClientResponse):
    """A response of aioresponses 0.7.9, which does not know that aiohttp 3.14 wants to be told of a writer.

    The sender reads it as it reads every answer: as bytes, from the wire.
    """

    def __init__(self, *args: Any, stream_writer: Any = _WRITTEN, **kwargs: Any) -> None:
        super().__init__(*args, stream_writer=stream_writer, **kwargs)

    @property
    def wire(self) -> Wire:
        """A connection over which this answer came, and which has ended."""
        wire = Wire(ReadBuffer())
        wire.answer = AnswerReader(most_bytes=CAPTURE_BYTES)
        lines = b"".join(b"%b: %b\r\n" % header for header in self.raw_headers)
        wire.answer.feed(b"HTTP/1.1 %d\r\n%b\r\n" % (self.status, lines) + self.content._read_nowait(-1))
        wire.connection_lost(None)
        wire.answer.feed_eof()
        return wire


@pytest.fixture
def mocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses]:
    """aioresponses in the place of aiohttp's client. It mocks neither time, nor bytes, nor redirects: see `receivers`."""
    monkeypatch.setattr("aioresponses.core.ClientResponse", MockedResponse)
    with aioresponses() as mock:
        yield mock


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL, started when the first test asks for it. Missing binaries are a failure, never a skip."""
    with running_server() as server:
        yield server
