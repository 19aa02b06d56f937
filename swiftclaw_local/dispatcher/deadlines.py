"""Ends what takes longer than a fixed time, for many at once: one timer serves all, as all are given the same time.

asyncio.timeout arms and cancels a timer of the loop for each; that was a tenth of sending a request.
"""

from __future__ import annotations

import asyncio
from typing import Any

from swiftclaw_local.scheduler.clock import monotonic


class Deadlines:
    """Gives each future that it watches so many real seconds. One that is watched later ends later."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._watched: dict[asyncio.Future[Any], float] = {}  # in the order in which they end
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, future: asyncio.Future[Any]) -> None:
        """Have the future fail with a TimeoutError when it is not done in time."""
        self._watched[future] = monotonic() + self._seconds
        if self._timer is None:
            self._arm(self._seconds)

    def forget(self, future: asyncio.Future[Any]) -> None:
        """Watch over a future no longer; the timer stays as it is, for the next."""
        self._watched.pop(future, None)

    def close(self) -> None:
        """Let go of the timer; nothing may be watched."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        now = monotonic()
        for future, at in list(self._watched.items()):
            if at > now:
                self._arm(at - now)
                return
            del self._watched[future]
            if not future.done():
                future.set_exception(TimeoutError())
