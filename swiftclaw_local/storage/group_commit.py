"""Group commit: what is asked for in the same moment is written in one transaction.

Every verb hands in a function of the connection. All functions that wait run in one BEGIN IMMEDIATE … COMMIT, and their
callers go on after the COMMIT. When one raises, the group is rolled back and each runs alone, so that only the guilty one
gets its exception. Runs on the event loop's own thread: a writer thread was measured to be slower and less even.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Any, Final, TypeVar

from swiftclaw_local.errors import StorageFull, StorageUnavailable, SwiftclawError

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

# A group that follows another waits this long for company, or until it is this large.
BUSY_WAIT_S: Final = 0.002
LARGEST_GROUP: Final = 256
# When another process holds the write lock: look again so often, and give up after so many looks (5 s).
_LOCKED_WAIT_S: Final = 0.01
_LOCKED_LOOKS: Final = 500


class GroupCommit:
    """The one writer of a connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._queue: list[tuple[Work[Any], asyncio.Future[Any]]] = []
        self._timer: asyncio.Handle | None = None
        self._busy = False
        self._locked_looks = 0
        self.commits = 0

    async def run(self, work: Work[T]) -> T:
        """Return what `work` returned, once it is committed.

        Raises: StorageFull, StorageUnavailable; whatever `work` raises, and then nothing of it was written.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.append((work, future))
        if self._timer is None:
            self._timer = loop.call_later(BUSY_WAIT_S, self._flush) if self._busy else loop.call_soon(self._flush)
        elif len(self._queue) == LARGEST_GROUP:
            self._timer.cancel()
            self._timer = loop.call_soon(self._flush)
        return await future

    def flush(self) -> None:
        """Write what waits now."""
        if self._timer is not None:
            self._timer.cancel()
            self._flush()

    def _flush(self) -> None:
        self._timer = None
        group, self._queue = self._queue, []
        self._busy = len(group) > 1
        if not group:
            return
        try:
            results = self._transaction([work for work, _ in group])
        except sqlite3.OperationalError as error:
            if "locked" in str(error) and self._locked_looks < _LOCKED_LOOKS:
                self._again_later(group)
                return
            self._one_by_one(group)
        except Exception:  # any function's own error: found again, and given to its caller, when each runs alone
            self._one_by_one(group)
        else:
            for (_, future), result in zip(group, results, strict=True):
                _resolve(future, result)
        self._locked_looks = 0

    def _again_later(self, group: list[tuple[Work[Any], asyncio.Future[Any]]]) -> None:
        """Another process writes: put the group back in front and look again, without blocking the loop."""
        self._locked_looks += 1
        self._queue = group + self._queue
        self._timer = asyncio.get_running_loop().call_later(_LOCKED_WAIT_S, self._flush)

    def _one_by_one(self, group: list[tuple[Work[Any], asyncio.Future[Any]]]) -> None:
        for work, future in group:
            try:
                _resolve(future, self._transaction([work])[0])
            except Exception as error:  # handed to the caller, who knows what to do
                if not future.done():
                    future.set_exception(translated(error))

    def _transaction(self, works: list[Work[Any]]) -> list[Any]:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            results = [work(connection) for work in works]
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self.commits += 1
        return results


def translated(error: Exception) -> Exception:
    """Return a database's error as one of ours; others as they are."""
    if isinstance(error, SwiftclawError) or not isinstance(error, sqlite3.Error):
        return error
    text = str(error)
    if "full" in text:
        return StorageFull(
            f"The disk of the database is full ({text}); nothing was written.", hint="Free some space and try again."
        )
    if isinstance(error, sqlite3.IntegrityError):
        return error
    return StorageUnavailable(f"The database does not answer ({text}); nothing was written. Try again.")


def _resolve(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)
