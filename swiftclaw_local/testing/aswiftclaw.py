"""The verbs of `Swiftclaw` as coroutines, under asyncio and trio: a receiver in the test's own event loop can answer.

Each runs its verb in a thread. Looking at a delivery (`state`, `attempts`, …) needs no receiver, and is no coroutine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from swiftclaw_local.testing.certification import Certification
from swiftclaw_local.testing.delivery import Delivery
from swiftclaw_local.testing.played import Played
from swiftclaw_local.testing.swiftclaw import AGENT, EngineClock, Moved, Swiftclaw, Webhook

T = TypeVar("T")


class Aswiftclaw:
    """A SwiftClaw for an async test."""

    def __init__(self, swiftclaw: Swiftclaw) -> None:
        self._swiftclaw = swiftclaw

    @property
    def url(self) -> str:
        """The address of its API."""
        return self._swiftclaw.url

    @property
    def secret(self) -> str:
        """The secret of every webhook that names no other."""
        return self._swiftclaw.secret

    @property
    def clock(self) -> EngineClock:
        """The engine's clock."""
        return self._swiftclaw.clock

    async def webhook(
        self, url: str, *, events: list[str] | None = None, agent: str = AGENT, secret: str | None = None
    ) -> Webhook:
        """See `Swiftclaw.webhook`."""
        return await _in_thread(partial(self._swiftclaw.webhook, url, events=events, agent=agent, secret=secret))

    async def emit(self, type: str, /, *, agent: str = AGENT, **data: Any) -> Delivery:
        """See `Swiftclaw.emit`."""
        __tracebackhide__ = True
        return await _in_thread(partial(self._swiftclaw.emit, type, agent=agent, **data))

    async def emit_all(self, type: str, /, *, agent: str = AGENT, **data: Any) -> list[Delivery]:
        """See `Swiftclaw.emit_all`."""
        return await _in_thread(partial(self._swiftclaw.emit_all, type, agent=agent, **data))

    async def replay(self, delivery: Delivery, *, with_retries: bool = False) -> Delivery:
        """See `Swiftclaw.replay`."""
        return await _in_thread(partial(self._swiftclaw.replay, delivery, with_retries=with_retries))

    async def advance(self, by: str) -> Moved:
        """See `Swiftclaw.advance`."""
        return await _in_thread(partial(self._swiftclaw.advance, by))

    async def run_until_idle(self) -> Moved:
        """See `Swiftclaw.run_until_idle`."""
        return await _in_thread(self._swiftclaw.run_until_idle)

    async def wait(self, delivery: Delivery, state: str = "delivered", *, timeout: float = 5) -> Delivery:  # noqa: ASYNC109 - as in `Swiftclaw`
        """See `Swiftclaw.wait`."""
        __tracebackhide__ = True
        return await _in_thread(partial(self._swiftclaw.wait, delivery, state, timeout=timeout))

    async def fault(
        self,
        kind: str,
        *,
        times: int | None = None,
        webhook: str | None = None,
        probability: float | None = None,
        seed: int | None = None,
        lasts: str | None = None,
        **params: str | int,
    ) -> None:
        """See `Swiftclaw.fault`."""
        given: dict[str, Any] = {"times": times, "webhook": webhook, "probability": probability, "seed": seed, **params}
        given["lasts"] = lasts
        await _in_thread(partial(self._swiftclaw.fault, kind, **given))

    async def play(
        self,
        what: str | Path,
        *,
        agent: str | None = None,
        webhook: str | None = None,
        keep_ids: bool = False,
        speed: str = "max",
    ) -> Played:
        """See `Swiftclaw.play`."""
        return await _in_thread(
            partial(self._swiftclaw.play, what, agent=agent, webhook=webhook, keep_ids=keep_ids, speed=speed)
        )

    async def record(self, path: str | Path, *, type: str | None = None, agent: str | None = None) -> Path:
        """See `Swiftclaw.record`."""
        return await _in_thread(partial(self._swiftclaw.record, path, type=type, agent=agent))

    async def certify(
        self, url: str, secret: str | None = None, *, effects: Callable[[], int] | None = None
    ) -> Certification:
        """See `Swiftclaw.certify`."""
        return await _in_thread(partial(self._swiftclaw.certify, url, secret, effects=effects))

    async def deliveries(
        self,
        type: str | None = None,
        *,
        state: str | None = None,
        agent: str | None = None,
        webhook: str | None = None,
        event: str | None = None,
    ) -> list[Delivery]:
        """See `Swiftclaw.deliveries`."""
        return await _in_thread(
            partial(self._swiftclaw.deliveries, type, state=state, agent=agent, webhook=webhook, event=event)
        )

    async def assert_nothing_sent(self) -> None:
        """See `Swiftclaw.assert_nothing_sent`."""
        __tracebackhide__ = True
        await _in_thread(self._swiftclaw.assert_nothing_sent)

    async def assert_delivered(self, type: str, times: int = 1) -> None:
        """See `Swiftclaw.assert_delivered`."""
        __tracebackhide__ = True
        await _in_thread(partial(self._swiftclaw.assert_delivered, type, times))

    def sign(self, body: bytes | str, secret: str | None = None) -> str:
        """See `Swiftclaw.sign`."""
        return self._swiftclaw.sign(body, secret)


async def _in_thread(work: Callable[[], T]) -> T:
    """Run a blocking call in a thread of whichever event loop runs here."""
    __tracebackhide__ = True
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        import trio  # noqa: PLC0415 - loaded already: its loop runs this coroutine

        return await trio.to_thread.run_sync(work)
    return await asyncio.to_thread(work)
