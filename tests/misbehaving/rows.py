"""What can be played and what must come of it: the pieces of the table of receivers that misbehave. It plays nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Final
from unittest.mock import ANY

from tests.receivers import Handler, answering, raw_receiver

HEAD: Final = b"HTTP/1.1 200 OK\r\n"
LENGTH: Final = b"Content-Length: 2\r\n\r\nok"
CHUNKED: Final = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
KEPT: Final = 65_536
# Real time for everything up to the end of the headers: short, because many rows use all of it.
BUDGET_S: Final = 0.5

Place = Callable[[], AbstractAsyncContextManager[str]]
"""Runs a receiver while the block lasts and gives the URL to register."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is in SQL after the first attempt: `next` is S, R or F, as in the table; the rest is the attempt's row.

    R stands for: pending, one retry used, due exactly one minute after the attempt's end.
    """

    next: str
    status: int | None = None
    error_class: str | None = None
    head: Any = None
    body: Any = None
    size: Any = None
    truncated: Any = None

    def __str__(self) -> str:
        """Return it in the words of the table."""
        cut = "" if self.truncated is None else f", truncated: {self.truncated}"
        return f"{self.next} {self.error_class or self.status}{cut}"


class Either:
    """Equals any of several values: for what depends on how fast the machine is."""

    def __init__(self, *values: str) -> None:
        self._values = values

    def __eq__(self, other: object) -> bool:
        return other in self._values

    def __hash__(self) -> int:
        return hash(self._values)

    def __str__(self) -> str:
        return " or ".join(self._values)


@dataclass(frozen=True, slots=True)
class Variant:
    """One receiver of a row: where it is, and what is expected of the platform."""

    name: str
    place: Place
    expected: Seen
    data: dict[str, Any] = field(default_factory=dict)


def taken(head: Any = ANY, body: Any = b"ok", *, status: int = 200, size: Any = ANY, cut: Any = None) -> Seen:
    """Return what a success looks like; without `size` it is the body's length."""
    known = len(body) if size is ANY and cut is None and isinstance(body, bytes) else size
    return Seen("S", status, None, head, body, known, cut)


def retried(error_class: str) -> Seen:
    """Return what an attempt without an answer looks like."""
    return Seen("R", None, error_class)


def refused(status: int, *, error_class: str | None = None, head: Any = ANY, body: Any = b"") -> Seen:
    """Return what an answer that is final looks like."""
    return Seen("F", status, error_class, head, body, len(body) if isinstance(body, bytes) else ANY)


def at(handler: Handler) -> Place:
    """Return a receiver that gives each connection to this handler."""

    def place() -> AbstractAsyncContextManager[str]:
        return _Listening(handler)

    return place


def says(name: str, answer: bytes, expected: Seen, *, close: bool = True) -> Variant:
    """Return a receiver that reads the request and answers with these bytes."""
    return Variant(name, at(answering(answer, close=close)), expected)


class _Listening(AbstractAsyncContextManager[str]):
    """A raw receiver of which only the URL is needed."""

    def __init__(self, handler: Handler) -> None:
        self._receiver = raw_receiver(handler)

    async def __aenter__(self) -> str:
        return (await self._receiver.__aenter__()).url

    async def __aexit__(self, *raised: Any) -> None:
        await self._receiver.__aexit__(*raised)
