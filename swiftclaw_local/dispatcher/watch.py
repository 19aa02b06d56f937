"""Lets a caller wait until something happens to given deliveries; it tells that, not what."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol


class Observer(Protocol):
    """Somebody who wants to know of every change, for as long as it observes. None of these may raise or wait."""

    def changed(self, delivery_id: str) -> None:
        """Something happened to this delivery, or it was made."""

    def look(self) -> None:
        """Something else happened: an alert, a fault, or others' work."""

    def forgotten(self) -> None:
        """Everything was forgotten, as by a reset."""


class Watch:
    """Futures by delivery id, resolved when the delivery was recorded, canceled or moved; and one observer of all of them."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}
        self._observer: Observer | None = None

    @property
    def waiting(self) -> int:
        """How many deliveries somebody waits for."""
        return len(self._waiting)

    @property
    def observed(self) -> bool:
        """Whether somebody wants to know of every change."""
        return self._observer is not None

    def observe(self, observer: Observer | None) -> None:
        """Have this one told of every change from now on; None: nobody."""
        self._observer = observer

    def look(self) -> None:
        """Tell the observer that something else than a delivery changed."""
        if self._observer is not None:
            self._observer.look()

    def forgotten(self) -> None:
        """Tell the observer that everything was forgotten."""
        if self._observer is not None:
            self._observer.forgotten()

    def tell(self, delivery_id: str) -> None:
        """Wake everybody who waits for this delivery."""
        if self._observer is not None:
            self._observer.changed(delivery_id)
        if delivery_id in self._waiting:
            self._wake(delivery_id)

    def _wake(self, delivery_id: str) -> None:
        for future in self._waiting.pop(delivery_id):
            if not future.done():
                future.set_result(None)

    def tell_all(self) -> None:
        """Wake everybody."""
        self.look()
        for delivery_id in list(self._waiting):
            self._wake(delivery_id)

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
