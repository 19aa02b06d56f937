"""Keeps what is worth keeping of an answer: its header lines, and the beginning of its body as it came.

The verdict has fallen when the capture begins, and nothing here can change it: whatever the body does ends as a reason why
it is not complete. It inflates nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

import aiohttp

KEPT_HEAD: Final = 65536


@dataclass(frozen=True, slots=True)
class Captured:
    """The first bytes of a body, its true `size` in bytes where known, and why it is `truncated`: size, time, early_close."""

    body: bytes
    size: int | None
    truncated: str | None


def head_of(response: aiohttp.ClientResponse) -> bytes:
    """Return the header lines as they came, in their order, at most 64 KiB."""
    head = b"".join([b"%b: %b\r\n" % header for header in response.raw_headers])
    return head if len(head) <= KEPT_HEAD else head[:KEPT_HEAD]


async def capture(response: aiohttp.ClientResponse, *, most_bytes: int, most_s: float) -> Captured:
    """Read the body until its end, `most_bytes` or `most_s` real seconds, and give the connection back or close it."""
    content = response.content
    try:
        if content.is_eof() and content.exception() is None:
            return _whole(content.read_nowait(), most_bytes=most_bytes)
        return await _read(response, most_bytes=most_bytes, most_s=most_s)
    finally:
        # A connection whose body was read to its end went back to the pool by itself; any other is of no further use.
        if response.connection is not None:
            response.close()


def _whole(body: bytes, *, most_bytes: int) -> Captured:
    if len(body) <= most_bytes:
        return Captured(body, len(body), None)
    return Captured(body[:most_bytes], len(body), "size")


async def _read(response: aiohttp.ClientResponse, *, most_bytes: int, most_s: float) -> Captured:
    content = response.content
    body = bytearray()
    truncated: str | None = None
    try:
        async with asyncio.timeout(most_s):
            while not content.at_eof() and len(body) <= most_bytes:
                body += await content.readany()
                await asyncio.sleep(0)  # a body in a million pieces must let others have their turn
    except TimeoutError:
        truncated = "time"
    except Exception:  # aiohttp has many (a RuntimeError among them), and none may cost the answer its verdict
        # What came before the end is still in the buffer, and no public call gives it out after an exception.
        body += content._read_nowait(-1)
        truncated = "early_close"
    else:
        if content.at_eof():
            return _whole(bytes(body), most_bytes=most_bytes)
        truncated = "size"
    size = None if truncated == "early_close" else promised_size(response)
    return Captured(bytes(body[:most_bytes]), size, truncated)


def promised_size(response: aiohttp.ClientResponse) -> int | None:
    """Return the Content-Length of an answer whose body is as long as that says; None when it says nothing."""
    if "Transfer-Encoding" in response.headers:
        return None
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isascii() and length.isdigit() else None
