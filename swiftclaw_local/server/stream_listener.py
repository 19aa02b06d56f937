"""One who listens to the event stream: which messages are wanted, and those that wait to be sent.

What waits is bounded: who does not read is given up, and told so by the last message, if it can still be told.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from swiftclaw_local.server.stream_told import About, Message

MOST_WAITING: Final = 4_000
MOST_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages; None does not restrict. What has no agent, webhook or event is of everybody, as the clock."""

    kinds: frozenset[str] | None = None
    agent: str | None = None
    webhook: str | None = None
    event: str | None = None
    type: str | None = None
    failed: bool = False

    def takes(self, about: About) -> bool:
        """Return whether a message about this is wanted."""
        if self.kinds is not None and about.kind not in self.kinds:
            return False
        if self.failed and about.failed is False:
            return False
        asked = (
            (self.agent, about.agent),
            (self.webhook, about.webhook),
            (self.event, about.event),
            (self.type, about.type),
        )
        return all(mine is None or its is None or mine == its for mine, its in asked)


class Listener:
    """Takes messages in until `end` says why no more come."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.ended: str | None = None
        self.over = asyncio.Event()
        self._waiting: list[Message] = []
        self._bytes = 0
        self._some = asyncio.Event()

    def put(self, messages: list[Message]) -> None:
        """Take messages in, those that are wanted; more than find room beside what is unread end it.

        What came of one read of the log is always taken in: it may be large, and nobody had the time to read it.
        """
        if self.ended is not None:
            return
        wanted = [message for message in messages if self.wanted.takes(message.about)]
        if not wanted:
            return
        unread = bool(self._waiting)
        self._waiting += wanted
        self._bytes += sum(len(message.json) for message in wanted)
        self._some.set()
        if unread and (len(self._waiting) > MOST_WAITING or self._bytes > MOST_BYTES):
            self._forget()
            self.end("too_slow")

    def end(self, reason: str) -> None:
        """Take nothing more in; what waits may still be sent."""
        if self.ended is None:
            self.ended = reason
            self.over.set()
            self._some.set()

    async def next(self, *, timeout_s: float) -> list[Message]:
        """Return what waits, at once or when something comes; nothing when it ended, or nothing came in time."""
        if not self._some.is_set():
            try:
                async with asyncio.timeout(timeout_s):
                    await self._some.wait()
            except TimeoutError:
                return []
        found, self._waiting, self._bytes = self._waiting, [], 0
        if self.ended is None:
            self._some.clear()
        return found

    def _forget(self) -> None:
        self._waiting, self._bytes = [], 0
