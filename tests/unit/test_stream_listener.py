"""Who listens to the event stream is kept only what it has room for, and only what it asked for."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from swiftclaw_local.scheduler.clock import Clock
from swiftclaw_local.server import stream_listener
from swiftclaw_local.server.routes import stream as route
from swiftclaw_local.server.stream_listener import Listener, Wanted
from swiftclaw_local.server.stream_position import Position
from swiftclaw_local.server.stream_told import About, Message

ANY = About("attempt")


def messages(count: int, *, size: int = 1) -> list[Message]:
    return [Message(ANY, f"{number}-0", b"x" * size) for number in range(count)]


async def stands(listener: Listener) -> tuple[str | None, int]:
    """Return why it ended, and how many messages wait."""
    return listener.ended, len(await listener.next(timeout_s=0))


async def test_more_messages_than_find_room_beside_unread_ones_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_listener, "MOST_WAITING", 3)
    listener = Listener(Wanted())
    listener.put(messages(3))
    assert listener.ended is None
    listener.put(messages(1))
    assert await stands(listener) == ("too_slow", 0)
    listener.put(messages(1))
    assert await stands(listener) == ("too_slow", 0)


async def test_more_bytes_than_find_room_beside_unread_ones_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_listener, "MOST_BYTES", 10)
    listener = Listener(Wanted())
    listener.put(messages(1, size=10))
    assert listener.ended is None
    listener.put(messages(1))
    assert await stands(listener) == ("too_slow", 0)


async def test_what_came_of_one_read_is_taken_in_however_large_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_listener, "MOST_WAITING", 3)
    listener = Listener(Wanted())
    listener.put(messages(100))
    assert await stands(listener) == (None, 100)


# --- writing to a reader that makes no room ---------------------------------------------------------------------


def writing(listener: Listener, **response: Any) -> Any:
    """Return an answer to a reader; with `response` in place of what would write to its connection."""
    aborted: list[bool] = []
    request: Any = SimpleNamespace(transport=SimpleNamespace(abort=lambda: aborted.append(True)), aborted=aborted)
    made = route._Writing(request, listener, Clock(rate=0), at=Position(0, None), as_lines=True)
    if response:
        made.response = SimpleNamespace(**response)  # type: ignore[assignment] # a stand-in with what is called
    return made


async def never(*_: object) -> None:
    await asyncio.Event().wait()


async def test_a_reader_that_makes_no_room_is_waited_for_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "PATIENCE_S", 0)
    listener = Listener(Wanted())
    async with asyncio.timeout(10):
        assert not await writing(listener, write=never)._write(b"x")
    assert listener.ended == "too_slow"


async def test_a_reader_that_does_not_take_the_last_words_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "LAST_WORDS_S", 0)
    listener = Listener(Wanted())
    listener.end("too_slow")
    last: Any = writing(listener, write=never, write_eof=never)
    async with asyncio.timeout(10):
        await last.last_words(SimpleNamespace())
    assert last._request.aborted == [True]
