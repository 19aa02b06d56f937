"""The thread that makes a connection's COMMITs, one after the other, so that the event loop goes on while the disk is written.

An executor would do. But it makes a future with a lock of its own for each, and both threads pay for that: a delivery was 5 % slower.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


class CommitThread:
    """Commits what the loop's thread has written; until it has, nobody else may use the connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._asked: SimpleQueue[asyncio.Future[None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="commits", daemon=True)
        self._thread.start()

    def commit(self) -> asyncio.Future[None]:
        """Have a COMMIT made; the future is done when it is, with the database's error if it failed."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._asked.put(done)
        return done

    def close(self) -> None:
        """End the thread, after the COMMITs that were asked for."""
        self._asked.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (done := self._asked.get()) is not None:
            try:
                self._connection.execute("COMMIT")
            except Exception as error:  # handed to the caller, who knows what to do
                self._tell(done.set_exception, error)
            else:
                self._tell(done.set_result, None)

    def _tell(self, say: Callable[[T], None], what: T) -> None:
        with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits
            self._loop.call_soon_threadsafe(say, what)
