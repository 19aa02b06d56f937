"""What is kept of a body, and that nothing which happens to it comes out as an error."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import Mock

import aiohttp
from aiohttp.base_protocol import BaseProtocol
from multidict import CIMultiDict

from swiftclaw_local.dispatcher.capture import KEPT_HEAD, Captured, capture, head_of, promised_size


def response_with(content: Any, **headers: str) -> Mock:
    return Mock(content=content, headers=CIMultiDict({n.replace("_", "-"): v for n, v in headers.items()}))


def stream(
    *pieces: bytes, error: Exception | None = None, ended: bool = False, connected: bool = True
) -> aiohttp.StreamReader:
    protocol = BaseProtocol(asyncio.get_running_loop())
    protocol.transport = Mock() if connected else None
    reader = aiohttp.StreamReader(protocol, 2**16, loop=asyncio.get_running_loop())
    for piece in pieces:
        reader.feed_data(piece)
    if error is not None:
        reader.set_exception(error)
    if ended:
        reader.feed_eof()
    return reader


async def test_a_body_that_is_there_is_taken_without_waiting() -> None:
    response = response_with(stream(b"ab", b"c", ended=True))
    assert await capture(response, most_bytes=3, most_s=0) == Captured(b"abc", 3, None)


async def test_a_body_over_the_limit_is_cut_and_its_true_size_kept() -> None:
    response = response_with(stream(b"abcdef", ended=True))
    assert await capture(response, most_bytes=3, most_s=1) == Captured(b"abc", 6, "size")


async def test_what_came_before_a_body_broke_off_is_kept() -> None:
    broken = aiohttp.ClientPayloadError("not complete")
    response = response_with(stream(b"abc", error=broken), Content_Length="9")
    assert await capture(response, most_bytes=9, most_s=1) == Captured(b"abc", None, "early_close")
    response.close.assert_called_once()


async def test_a_connection_that_is_gone_without_a_word_ends_the_body() -> None:
    response = response_with(stream(b"abc", connected=False), Content_Length="9")
    assert await capture(response, most_bytes=9, most_s=1) == Captured(b"abc", None, "early_close")


async def test_a_body_that_stops_is_let_go_when_its_time_is_over() -> None:
    response = response_with(stream(b"abc"), Content_Length="9")
    assert await capture(response, most_bytes=9, most_s=0.001) == Captured(b"abc", 9, "time")
    response.close.assert_called_once()


async def test_a_body_in_tiny_pieces_lets_others_have_their_turn() -> None:
    turns = 0

    def turn() -> None:
        nonlocal turns
        turns += 1
        asyncio.get_running_loop().call_soon(turn)

    async def readany() -> bytes:
        return b"a"

    turn()
    content = Mock(readany=readany, **{"is_eof.return_value": False, "at_eof.return_value": False})
    assert (await capture(response_with(content), most_bytes=1000, most_s=5)).truncated == "size"
    assert turns >= 1000


def test_the_size_is_known_where_a_length_says_so_and_no_chunks_do() -> None:
    assert promised_size(response_with(None, Content_Length="12")) == 12
    assert promised_size(response_with(None)) is None
    assert promised_size(response_with(None, Content_Length="12", Transfer_Encoding="chunked")) is None


def test_header_lines_are_kept_as_bytes_up_to_64_kib() -> None:
    assert head_of(Mock(raw_headers=((b"X-A", b"\xe9"), (b"x-a", b"")))) == b"X-A: \xe9\r\nx-a: \r\n"
    assert len(head_of(Mock(raw_headers=((b"X", b"a" * 1000),) * 100))) == KEPT_HEAD
