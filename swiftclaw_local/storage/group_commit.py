"""Group commit: what is asked for in the same moment is written in one transaction.

Every verb hands in an item and the function that writes items of its kind, many at a time. All that waits is written in
one BEGIN IMMEDIATE … COMMIT, and its callers go on after the COMMIT; as each of them waits, no order among them is
promised. When something fails, the group is rolled back and each item is written alone, so that only the guilty one gets
its exception.

Statements run on the event loop's own thread: in another each of them would give the interpreter's lock away and wait to get
it back. Only the COMMIT of a group, one long call without that lock, is made by a thread, so that the loop goes on while the
disk is written. The connection is left alone meanwhile.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from swiftclaw_local.errors import StorageFull, StorageUnavailable, SwiftclawError
from swiftclaw_local.storage.commit_thread import CommitThread
from swiftclaw_local.storage.results import Results, tell

I = TypeVar("I")  # noqa: E741 - an item
T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
# Writes items and returns a result for each, in their order; an error of ours in place of a result means that nothing was
# written for this one.
Bulk = Callable[[sqlite3.Connection, list[I]], Sequence[T | SwiftclawError]]
# What waits to be written: for each kind its items, and who is told the result of each.
_Group = dict[Bulk[Any, Any], tuple[list[Any], list[asyncio.Future[Any]]]]

# A group that follows another waits for company while every turn of the loop brings more, but not for more turns than
# this (some 2 ms of a busy loop), nor beyond this size. Waiting by a timer instead left the processor idle with
# everything there already.
MOST_TURNS: Final = 32
LARGEST_GROUP: Final = 256
# When held up, or somebody else holds the write lock: look again so often, and give up on the lock after so many looks (5 s).
_LOCKED_WAIT_S: Final = 0.002
_LOCKED_LOOKS: Final = 2500


class GroupCommit:
    """The one writer of a connection, which two threads must be allowed to use, one after the other.

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
        # Kept, because asking for it is a system call each time: whether the process was forked.
        self._loop = asyncio.get_running_loop()
        self._queue: _Group = {}
        self._waiting = 0
        self._looks: list[tuple[Callable[[sqlite3.Connection], Any], asyncio.Future[Any]]] = []
        self._due: asyncio.Handle | None = None
        self._thread = CommitThread(connection)
        self._commit: asyncio.Future[None] | None = None  # while one is being made
        self._busy = False
        self._locked_looks = 0

    def run(self, work: Work[T]) -> asyncio.Future[T]:
        """Return what `work` will have returned, once it is committed; see `put`."""
        return self.put(_each, work)

    def put(self, bulk: Bulk[I, T], item: I) -> asyncio.Future[T]:
        """Return the result of the item to come, once it is committed.

        Raises, when awaited: StorageFull, StorageUnavailable, and the item's own error; then nothing of it was written.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        kind = self._queue.get(bulk)
        if kind is None:
            kind = self._queue[bulk] = ([], [])
        kind[0].append(item)
        kind[1].append(future)
        self._waiting += 1
        if self._due is None and self._commit is None:
            self._go_on()
        return future

    async def look(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `read` reads outside of any transaction: at once, or before the next group is written."""
        if self._commit is not None:
            turn: asyncio.Future[T] = self._loop.create_future()
            self._looks.append((read, turn))
            return await turn
        return read(self._connection)

    async def close(self) -> None:
        """Write what waits now, and end the thread."""
        await self._committed_so_far()
        if self._due is not None:
            self._due.cancel()
            self._flush()
            await self._committed_so_far()
        self._thread.close()

    async def _committed_so_far(self) -> None:
        while self._commit is not None:
            await asyncio.wait((self._commit,))

    def _go_on(self) -> None:
        self._due = self._loop.call_soon(self._wait, 0, MOST_TURNS)

    def _wait(self, seen: int, turns: int) -> None:
        """Wait on while a group follows another and every turn of the loop brings more company; else write."""
        waiting = self._waiting
        if self._busy and seen < waiting < LARGEST_GROUP and turns > 0:
            self._due = self._loop.call_soon(self._wait, waiting, turns - 1)
        elif self._held_up():
            self._due = self._loop.call_later(_LOCKED_WAIT_S, self._wait, waiting, 0)
        else:
            self._flush()

    def _flush(self) -> None:
        """Write what waits, and have it committed."""
        self._due = None
        group, self._queue = self._queue, {}
        self._busy, self._waiting = self._waiting > 1, 0
        try:
            results = self._write(group)
        except Exception as error:  # whatever it is: see `_undo`
            self._undo(group, error)
        else:
            self._commit = self._thread.commit()
            self._commit.add_done_callback(partial(self._ended, group, results))

    def _ended(self, group: _Group, results: Results, commit: asyncio.Future[None]) -> None:
        """A COMMIT was made, or failed: tell the callers, and go on with what came meanwhile."""
        self._commit = None
        error = commit.exception()
        if error is None:
            self._told(results)
        else:
            self._roll_back()
            self._undo(group, error)
        self._let_look()
        if self._queue and self._due is None:
            self._go_on()

    def _let_look(self) -> None:
        """Read what was asked for while the COMMIT was made: in time, however closely one group follows another."""
        looks, self._looks = self._looks, []
        for read, turn in looks:
            if not turn.done():
                try:
                    turn.set_result(read(self._connection))
                except Exception as error:  # handed to the caller, who knows what to do
                    turn.set_exception(error)

    def _told(self, results: Results) -> None:
        self._locked_looks = 0
        self._committed()
        tell(results)

    def _undo(self, group: _Group, error: BaseException) -> None:
        """A group failed. Its error is found again, and given to its caller, when each is written alone."""
        if _is_locked(error) and self._locked_looks < _LOCKED_LOOKS:
            self._again_later(group)
        else:
            self._locked_looks = 0
            for bulk, (items, futures) in group.items():
                for item, future in zip(items, futures, strict=True):
                    self._alone(bulk, item, future)

    def _again_later(self, group: _Group) -> None:
        """Somebody else writes: put the group back in front and look again, without blocking the loop."""
        self._locked_looks += 1
        for bulk, (items, futures) in self._queue.items():
            kind = group.setdefault(bulk, ([], []))
            kind[0].extend(items)
            kind[1].extend(futures)
        self._queue = group
        self._waiting = sum(len(futures) for _, futures in group.values())
        self._due = self._loop.call_later(_LOCKED_WAIT_S, self._flush)

    def _alone(self, bulk: Bulk[I, T], item: I, future: asyncio.Future[T]) -> None:
        """Write one by itself, now: this is seldom."""
        try:
            results = self._write({bulk: ([item], [future])})
            self._commit_now()
        except Exception as error:  # handed to the caller, who knows what to do
            if not future.done():
                future.set_exception(translated(error))
        else:
            self._told(results)

    def _commit_now(self) -> None:
        try:
            self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _write(self, group: _Group) -> Results:
        """Write a group but for the COMMIT, and return each future with its result; or write nothing, and raise."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            results: Results = []
            for bulk, (items, futures) in group.items():
                results += zip(futures, bulk(connection, items), strict=True)
        except BaseException:
            self._roll_back()
            raise
        return results

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._rolled_back()


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


def _is_locked(error: BaseException) -> bool:
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
