"""Group commit: what is asked for in the same moment is written in one transaction.

Every verb hands in an item and the function that writes items of its kind, many at a time. All that waits is written in
one BEGIN IMMEDIATE … COMMIT, and its callers go on after the COMMIT; as each of them waits, no order among them is
promised. When something fails, the group is rolled back and each item is written alone, so that only the guilty one gets
its exception. Runs on the event loop's own thread: a writer thread was measured to be slower and less even.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from swiftclaw_local.errors import StorageFull, StorageUnavailable, SwiftclawError

I = TypeVar("I")  # noqa: E741 - an item
T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
# Writes items and returns a result for each, in their order; an error of ours in place of a result means that nothing was
# written for this one.
Bulk = Callable[[sqlite3.Connection, list[I]], Sequence[T | SwiftclawError]]
_Entry = tuple[Bulk[Any, Any], Any, asyncio.Future[Any]]

# A group that follows another waits for company while every turn of the loop brings more, but not for more turns than
# this (some 2 ms of a busy loop), nor beyond this size. Waiting by a timer instead left the processor idle with
# everything there already.
MOST_TURNS: Final = 32
LARGEST_GROUP: Final = 256
# When held up, or somebody else holds the write lock: look again so often, and give up on the lock after so many looks (5 s).
_LOCKED_WAIT_S: Final = 0.002
_LOCKED_LOOKS: Final = 2500


class GroupCommit:
    """The one writer of a connection.

    It writes nothing while `held_up` is true, and calls `committed` after each commit, `rolled_back` after each rollback.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        held_up: Callable[[], bool],
        committed: Callable[[], None],
        rolled_back: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._held_up = held_up
        self._committed = committed
        self._rolled_back = rolled_back
        self._queue: list[_Entry] = []
        self._due: asyncio.Handle | None = None
        self._busy = False
        self._locked_looks = 0

    def run(self, work: Work[T]) -> asyncio.Future[T]:
        """Return what `work` will have returned, once it is committed; see `put`."""
        return self.put(_each, work)

    def put(self, bulk: Bulk[I, T], item: I) -> asyncio.Future[T]:
        """Return the result of the item to come, once it is committed.

        Raises, when awaited: StorageFull, StorageUnavailable, and the item's own error; then nothing of it was written.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.append((bulk, item, future))
        if self._due is None:
            self._due = loop.call_soon(self._wait, 0, MOST_TURNS)
        return future

    def flush(self) -> None:
        """Write what waits now."""
        if self._due is not None:
            self._due.cancel()
            self._flush()

    def _wait(self, seen: int, turns: int) -> None:
        """Wait on while a group follows another and every turn of the loop brings more company; else write."""
        loop, waiting = asyncio.get_running_loop(), len(self._queue)
        if self._busy and seen < waiting < LARGEST_GROUP and turns > 0:
            self._due = loop.call_soon(self._wait, waiting, turns - 1)
        elif self._held_up():
            self._due = loop.call_later(_LOCKED_WAIT_S, self._wait, waiting, 0)
        else:
            self._flush()

    def _flush(self) -> None:
        self._due = None
        group, self._queue = self._queue, []
        self._busy = len(group) > 1
        try:
            results = self._transaction(group)
        except Exception as error:  # found again, and given to its caller, when each is written alone
            if _is_locked(error) and self._locked_looks < _LOCKED_LOOKS:
                self._again_later(group)
                return
            self._one_by_one(group)
        else:
            for future, result in results:
                _resolve(future, result)
        self._locked_looks = 0

    def _again_later(self, group: list[_Entry]) -> None:
        """Somebody else writes: put the group back in front and look again, without blocking the loop."""
        self._locked_looks += 1
        self._queue = group + self._queue
        self._due = asyncio.get_running_loop().call_later(_LOCKED_WAIT_S, self._flush)

    def _one_by_one(self, group: list[_Entry]) -> None:
        for entry in group:
            future = entry[2]
            try:
                ((_, result),) = self._transaction([entry])
            except Exception as error:  # handed to the caller, who knows what to do
                if not future.done():
                    future.set_exception(translated(error))
            else:
                _resolve(future, result)

    def _transaction(self, group: list[_Entry]) -> list[tuple[asyncio.Future[Any], Any]]:
        """Write a group, and return each future with its result."""
        by_kind: dict[Bulk[Any, Any], list[_Entry]] = {}
        for entry in group:
            by_kind.setdefault(entry[0], []).append(entry)
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            results: list[tuple[asyncio.Future[Any], Any]] = []
            for bulk, entries in by_kind.items():
                written = bulk(connection, [item for _, item, _ in entries])
                results += zip([future for _, _, future in entries], written, strict=True)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._rolled_back()
            raise
        self._committed()
        return results


def translated(error: Exception) -> Exception:
    """Return a database's error as one of ours; others as they are."""
    if not isinstance(error, sqlite3.Error) or isinstance(error, sqlite3.IntegrityError):
        return error
    if _code(error) == sqlite3.SQLITE_FULL:
        return StorageFull(
            f"The disk of the database is full ({error}); nothing was written.", hint="Free some space and try again."
        )
    return StorageUnavailable(f"The database does not answer ({error}); nothing was written. Try again.")


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary code of an error; 0 when it comes from the driver."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _is_locked(error: Exception) -> bool:
    return isinstance(error, sqlite3.OperationalError) and _code(error) == sqlite3.SQLITE_BUSY


def _each(connection: sqlite3.Connection, works: list[Work[T]]) -> list[T | SwiftclawError]:
    """Do works of any kind one after the other; one that raises an error of ours leaves nothing behind."""
    results: list[T | SwiftclawError] = []
    for work in works:
        connection.execute("SAVEPOINT one")
        try:
            results.append(work(connection))
        except SwiftclawError as error:
            connection.execute("ROLLBACK TO one")
            results.append(error)
        connection.execute("RELEASE one")
    return results


def _resolve(future: asyncio.Future[Any], result: Any) -> None:
    if future.done():  # its caller was cancelled
        return
    if isinstance(result, SwiftclawError):
        future.set_exception(result)
    else:
        future.set_result(result)
