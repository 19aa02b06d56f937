"""Connections that are kept for the next request, by where they go. It makes none, and sends nothing over them."""

from __future__ import annotations

import asyncio
from typing import Final

from swiftclaw_local.dispatcher.wire import Wire
from swiftclaw_local.scheduler.clock import monotonic

# How long a connection is kept that nothing is sent over (seconds); receivers close theirs after some such time too.
IDLE_S: Final = 15.0
# How long a receiver that let a kept connection die is given a fresh one for each request (seconds).
DISTRUST_S: Final = 30.0

Origin = tuple[str, str, int]
"""Scheme, host and port."""


class Pool:
    """Idle connections; the one that was used last is taken first."""

    def __init__(self) -> None:
        self._idle: dict[Origin, list[tuple[Wire, float]]] = {}
        self._distrusted: dict[Origin, float] = {}
        self._sweep_timer: asyncio.TimerHandle | None = None

    def take(self, origin: Origin) -> Wire | None:
        """Return a connection that is fit for another request, None when there is none."""
        idle = self._idle.get(origin)
        while idle:
            wire, _ = idle.pop()
            if wire.take():
                return wire
            wire.abort()
        return None

    def put(self, origin: Origin, wire: Wire) -> None:
        """Keep a connection, or close it when it is not fit or its receiver let one die."""
        if not wire.keep() or (self._distrusted and self._is_distrusted(origin)):
            wire.abort()
            return
        self._idle.setdefault(origin, []).append((wire, monotonic()))
        if self._sweep_timer is None:
            self._sweep_timer = asyncio.get_running_loop().call_later(IDLE_S, self._sweep)

    def distrust(self, origin: Origin) -> None:
        """Close the idle connections to there, and keep none for a while."""
        now = monotonic()
        self._distrusted = {place: until for place, until in self._distrusted.items() if until > now}
        self._distrusted[origin] = now + DISTRUST_S
        self._close(self._idle.pop(origin, []))

    def close(self) -> None:
        """Close all that are idle."""
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
            self._sweep_timer = None
        for idle in self._idle.values():
            self._close(idle)
        self._idle.clear()

    def _is_distrusted(self, origin: Origin) -> bool:
        return self._distrusted.get(origin, 0.0) > monotonic()

    def _sweep(self) -> None:
        """Close what was idle for too long, and come again while anything is kept."""
        latest = monotonic() - IDLE_S
        kept: dict[Origin, list[tuple[Wire, float]]] = {}
        for origin, idle in self._idle.items():
            self._close([one for one in idle if one[1] <= latest])
            if still := [one for one in idle if one[1] > latest]:
                kept[origin] = still
        self._idle = kept
        self._sweep_timer = asyncio.get_running_loop().call_later(IDLE_S, self._sweep) if kept else None

    @staticmethod
    def _close(idle: list[tuple[Wire, float]]) -> None:
        for wire, _ in idle:
            wire.abort()
