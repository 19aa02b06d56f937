"""Does anything answer at a receiver's address? Asked by one GET, on this machine and private networks only.

A public host is never connected to, and its name never looked up: made-up events must not give themselves away. What
comes back is read no further than its first line.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from swiftclaw_local.dispatcher.request import host_header
from swiftclaw_local.scheduler.clock import monotonic

CONNECT_S: Final = 0.5
ANSWER_S: Final = 1.0
_PORTS: Final = {"http": 80, "https": 443}
_PRIVATE: Final = tuple(
    ip_network(text) for text in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
)
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})\b")


@dataclass(frozen=True, slots=True)
class Answering:
    """Whether something answers, and one line for people."""

    answers: bool
    text: str


async def ask(url: str) -> Answering:
    """Ask at a URL that `check_url` passed."""
    parts = urlsplit(url)
    place = _place(parts.hostname or "")
    if place is None:
        return Answering(False, f"Not asked: {parts.netloc} is not known to be on this machine or a private network.")
    port = parts.port or _PORTS.get(parts.scheme, 80)
    begun = monotonic()
    for address in place:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_connection(address, port)
            try:
                status = None if parts.scheme == "https" else await _status(reader, writer, url)
            finally:
                writer.close()
            return _told(parts.netloc, status, taken_ms=round((monotonic() - begun) * 1000))
    return Answering(False, f"Nothing listens at {parts.netloc}. Start your receiver, then ask again.")


def _place(host: str) -> tuple[str, ...] | None:
    """Return the addresses to try, or None where it cannot be known without DNS that they are near."""
    if host == "localhost" or host.endswith(".localhost"):
        return ("127.0.0.1", "::1")
    with suppress(ValueError):
        if any(ip_address(host) in network for network in _PRIVATE):
            return (host,)
    return None


async def _status(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, url: str) -> int | None:
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    head = f"GET {target} HTTP/1.1\r\nHost: {host_header(url)}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    with suppress(TimeoutError, OSError, ValueError):  # ValueError: a line without an end
        async with asyncio.timeout(ANSWER_S):
            writer.write(head.encode("ascii", "replace"))
            found = _STATUS.match(await reader.readline())
            return None if found is None else int(found.group(1))
    return None


def _told(netloc: str, status: int | None, *, taken_ms: int) -> Answering:
    if status is None:
        return Answering(True, f"{netloc} takes connections ({taken_ms} ms); a GET got no answer, which says little.")
    fine = ", which is fine" if status in (404, 405) else ""
    return Answering(True, f"{netloc} answers: {status} to GET{fine}, {taken_ms} ms. Events come by POST.")
