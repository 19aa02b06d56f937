"""The receivers, in the place of the HTTP client: they answer, refuse, hang and dawdle as the seed says, and keep a log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from random import Random
from typing import Final

from swiftclaw_local.dispatcher.request import Request
from swiftclaw_local.dispatcher.sender import Exchange
from swiftclaw_local.scheduler.outcome import Answered, Cause, Outcome, Unanswered
from tests.simulation.outside import Post

# What each kind of receiver does, and how often.
MOODS: Final[dict[str, dict[str, int]]] = {
    "healthy": {"200": 95, "204": 5},
    "mixed": {"200": 55, "500": 15, "503": 10, "404": 3, "302": 2, "timeout": 5, "connect_refused": 6, "reset": 4},
    "failing": {"500": 80, "timeout": 5, "stale_connection": 10, "200": 5},
    "slow": {"200": 80, "503": 20},
}
TIMEOUT_S: Final = 10.0


class Receivers:
    """Every URL's receiver. `sent`, `arrived` and `ended` are told of each request as it goes."""

    def __init__(
        self,
        random: Random,
        *,
        sent: Callable[[Post], None],
        arrived: Callable[[Post], None],
        ended: Callable[[Post], None],
    ) -> None:
        self._random = random
        self._sent = sent
        self._arrived = arrived
        self._ended = ended

    async def start(self) -> None:
        """Nothing to set up."""

    async def close(self) -> None:
        """Nothing to take down."""

    async def post(self, request: Request) -> Exchange:
        """Receive one request."""
        mood = request.url.rsplit("/", 1)[1].split("-")[0]
        headers = dict(line.split(": ", 1) for line in request.head.decode().splitlines())
        post = Post(
            process=0,
            delivery_id=headers["X-SwiftClaw-Local-Delivery"],
            number=int(headers["X-SwiftClaw-Local-Attempt"]),
            event_id=json.loads(request.body)["id"],
            url=request.url,
            body=request.body,
            signature=request.signature,
        )
        self._sent(post)
        answer = self._random.choices(list(MOODS[mood]), list(MOODS[mood].values()))[0]
        await asyncio.sleep(self._random.uniform(0.0, 0.02))
        if answer not in ("connect_refused", "stale_connection"):
            self._arrived(post)
            await asyncio.sleep(TIMEOUT_S if answer == "timeout" else self._delay(mood))
        post.answered = int(answer) if answer.isdigit() else None
        post.outcome = answer
        self._ended(post)
        return Exchange(_outcome(answer), 5)

    def _delay(self, mood: str) -> float:
        return self._random.uniform(1.0, 9.0) if mood == "slow" else self._random.choice([0.0, 0.001, 0.03, 0.5])


def _outcome(answer: str) -> Outcome:
    return Answered(int(answer), b"", b"{}", 2) if answer.isdigit() else Unanswered(Cause(answer), "simulated")
