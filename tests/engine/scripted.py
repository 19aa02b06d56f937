"""A receiver without a network: answers as scripted, remembers what it was sent, and can be held up."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from swiftclaw_local.dispatcher.request import Request
from swiftclaw_local.dispatcher.sender import Exchange
from swiftclaw_local.scheduler.outcome import Answered, Cause, Outcome, Unanswered


@dataclass(frozen=True, slots=True)
class Received:
    """One request that arrived."""

    url: str
    body: bytes
    signature: str


class ScriptedReceiver:
    """Takes the sender's place: `respond(500, "reset", 200)` answers so, the last one for ever."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self._script: list[int | str] = [200]
        self._open = asyncio.Event()
        self._open.set()
        self._held: set[str] = set()
        self._released = asyncio.Event()
        self._arrived = asyncio.Condition()

    def respond(self, *answers: int | str) -> None:
        """Answer with these statuses, or fail with these causes, one after the other."""
        self._script = list(answers)

    def hold(self) -> None:
        """Answer nothing until `release`."""
        self._open.clear()

    def hold_url(self, url: str) -> None:
        """Answer nothing at this URL until `release`."""
        self._held.add(url)

    def release(self) -> None:
        """Answer what waits, and go on."""
        self._held.clear()
        self._open.set()
        self._released.set()

    async def arrived(self, count: int) -> None:
        """Wait until so many requests have arrived in all."""
        async with asyncio.timeout(5), self._arrived:
            await self._arrived.wait_for(lambda: len(self.received) >= count)

    async def start(self) -> None:
        """Nothing to set up."""

    async def close(self) -> None:
        """Nothing to take down."""

    async def post(self, request: Request) -> Exchange:
        """Answer one request."""
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        answer = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        async with self._arrived:
            self.received.append(Received(request.url, request.body, request.signature))
            self._arrived.notify_all()
        try:
            await self._open.wait()
            if request.url in self._held:
                await self._released.wait()
            return Exchange(_outcome(answer), 5)
        finally:
            self.in_flight -= 1


def _outcome(answer: int | str) -> Outcome:
    if isinstance(answer, int):
        return Answered(answer, b"Content-Type: application/json\r\n", b"{}", 2)
    if answer == "crash":
        raise RuntimeError("a defect of the sender")
    return Unanswered(Cause(answer), "scripted")
