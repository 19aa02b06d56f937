"""Lets a caller wait until something happens to given deliveries; it tells that, not what."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable


class Watch:
    """Futures by delivery id, resolved when the delivery was recorded, canceled or moved."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}

    @property
    def waiting(self) -> int:
        """How many deliveries somebody waits for."""
        return len(self._waiting)

    def tell(self, delivery_id: str) -> None:
        """Wake everybody who waits for this delivery."""
        for future in self._waiting.pop(delivery_id, ()):
            if not future.done():
                future.set_result(None)

    def tell_all(self) -> None:
        """Wake everybody."""
        for delivery_id in list(self._waiting):
            self.tell(delivery_id)

    def next_change(self, delivery_ids: Iterable[str]) -> asyncio.Future[None]:
        """Return a future that is done at the next change of any of these; ask before looking at their state."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        names = list(delivery_ids)
        for name in names:
            self._waiting.setdefault(name, set()).add(future)
        future.add_done_callback(lambda done: self._forget(names, done))
        return future

    def _forget(self, names: list[str], future: asyncio.Future[None]) -> None:
        for name in names:
            others = self._waiting.get(name)
            if others is not None:
                others.discard(future)
                if not others:
                    del self._waiting[name]
