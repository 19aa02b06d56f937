"""Hears what other dispatchers tell: something is due, webhooks changed, the log grew. It only wakes; polling goes on without it.

Its connection also holds the right to run the clock: shared by all whose clock is real, alone for a virtual one. The right
ends with the connection, so that nobody has to clean up after a dispatcher that died.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final

import psycopg

from swiftclaw_local import logs
from swiftclaw_local.errors import ClockShared
from swiftclaw_local.storage import postgres_statements as sql
from swiftclaw_local.storage.postgres_link import connect, lost, reason
from swiftclaw_local.storage.store import LOOKED_ON_S, WEBHOOKS

# Told by who looks on, and heard by none but this: until when the others are to tell that the log grew.
LOOKING: Final = "looking"
_AGAIN_S: Final = 0.5

Heard = Callable[[str], None]


class Listening:
    """One connection that listens and holds the clock. `owner` is this dispatcher, whose own news it does not hear."""

    def __init__(self, url: str, *, owner: str, monotonic: Callable[[], float]) -> None:
        self._url = url
        self._owner = owner
        self._monotonic = monotonic
        self._looked_on_until = 0.0
        self._heard: Heard = lambda _: None
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._task: asyncio.Task[None] | None = None
        self._virtual: bool | None = None

    def tell(self, heard: Heard) -> None:
        """Call `heard` with DUE, WEBHOOKS or LOG from now on."""
        self._heard = heard

    @property
    def looked_on(self) -> bool:
        """Whether another dispatcher wants to know at once when the log grows."""
        return self._monotonic() < self._looked_on_until

    async def hold_clock(self, *, virtual: bool) -> None:
        """Take the right to run a real or a virtual clock. Raises: ClockShared; then the right held before is held on."""
        if virtual == self._virtual:
            return
        before, self._virtual = self._virtual, virtual
        await self._stop()
        try:
            await self._connect()
        except ClockShared:
            self._virtual = before
            with contextlib.suppress(ClockShared):
                await self._connect()
            raise
        finally:
            self._task = asyncio.create_task(self._run(), name="listening")

    async def close(self) -> None:
        """Let go of the connection, and with it of the clock."""
        await self._stop()
        self._virtual = None

    async def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._task = None
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error):  # at once: the server would notice the end of the connection later
                await connection.execute("SELECT pg_advisory_unlock_all()")
            await connection.close()

    async def _connect(self) -> None:
        connection = await connect(self._url)
        try:
            function = "pg_try_advisory_lock" if self._virtual else "pg_try_advisory_lock_shared"
            cursor = await connection.execute(f"SELECT {function}({sql.CLOCK_LOCK})".encode())
            row = await cursor.fetchone()
            if row is None or not row[0]:
                raise _refused(virtual=bool(self._virtual))
            await connection.execute(f"LISTEN {sql.CHANNEL}".encode())
        except BaseException:
            await connection.close()
            raise
        self._connection = connection

    async def _run(self) -> None:
        """Listen; when the connection is lost, make another one, and look at everything that may have been missed."""
        while True:
            try:
                await self._listen()
            except (psycopg.Error, ClockShared, OSError) as error:
                logs.logger().warning(logs.STORE_FAILED, step="listen", error=reason(error))
                if self._connection is not None:
                    await self._connection.close()
                await asyncio.sleep(_AGAIN_S)

    async def _listen(self) -> None:
        """Hear notices until the connection is lost. Raises: psycopg.Error, ClockShared, OSError."""
        if lost(self._connection):
            await self._connect()
            self._heard(WEBHOOKS)
        assert self._connection is not None
        async for notice in self._connection.notifies():
            owner, _, news = notice.payload.partition(" ")
            if owner != self._owner:
                self._hear(news)

    def _hear(self, news: str) -> None:
        if news == LOOKING:
            self._looked_on_until = self._monotonic() + LOOKED_ON_S
        else:
            self._heard(news)


def _refused(*, virtual: bool) -> ClockShared:
    if virtual:
        return ClockShared(
            "Other dispatchers run on this database, and a manual or fast clock is for one alone.",
            hint="Stop them first, or keep the real clock: --clock real",
        )
    return ClockShared(
        "Another dispatcher runs on this database with a manual or fast clock, which is for one alone.",
        hint="Stop it first, or set its clock to real: swiftclaw clock resume",
    )
