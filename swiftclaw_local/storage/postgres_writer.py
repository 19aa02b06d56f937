"""The one writing connection of a dispatcher on PostgreSQL: what is asked for while a group is written is the next group.

One transaction a group; its callers go on after the COMMIT. A connection that is lost is made anew by the next group. When
the answer to a COMMIT is lost, nobody knows whether it was done: every verb may be called again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

import psycopg

from swiftclaw_local.errors import StorageUnavailable, SwiftclawError
from swiftclaw_local.storage import postgres_statements as sql
from swiftclaw_local.storage.postgres_link import CALL_S, connect, lost, translated
from swiftclaw_local.storage.results import Results, tell

I = TypeVar("I")  # noqa: E741 - an item
T = TypeVar("T")
Connection = psycopg.AsyncConnection[Any]
# Writes items and returns a result for each, in their order; an error of ours in place of a result means that nothing was
# written for this one.
Bulk = Callable[[Connection, list[I]], Awaitable[Sequence[T | SwiftclawError]]]
_Entry = tuple[Bulk[Any, Any], Any, asyncio.Future[Any]]

LARGEST_GROUP: Final = 512


class Writer:
    """Writes groups. `begun` is told the number of webhook changes at the start of each; `news` says what the others are told."""

    def __init__(
        self,
        url: str,
        *,
        begun: Callable[[Connection, int], Awaitable[None]],
        news: Callable[[], str | None],
    ) -> None:
        self._url = url
        self._begun = begun
        self._news = news
        self._connection: Connection | None = None
        self._queue: list[_Entry] = []
        self._drain: asyncio.Task[None] | None = None

    def put(self, bulk: Bulk[I, T], item: I) -> asyncio.Future[T]:
        """Return the result of the item to come, once it is committed.

        Raises, when awaited: StorageFull, StorageUnavailable, and the item's own error.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.append((bulk, item, future))
        if self._drain is None:
            self._drain = asyncio.create_task(self._run(), name="postgres writer")
        return future

    async def close(self) -> None:
        """Write what waits and let go of the connection."""
        if self._drain is not None:
            await self._drain
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _run(self) -> None:
        """Write group after group, until nothing waits."""
        try:
            while self._queue:
                group, self._queue = self._queue[:LARGEST_GROUP], self._queue[LARGEST_GROUP:]
                await self._write(group)
        finally:
            self._drain = None

    async def _write(self, group: list[_Entry]) -> None:
        try:
            results = await self._transaction(group)
        except Exception as error:  # handed to the callers, who know what to do
            known = translated(error)
            if len(group) > 1 and not isinstance(known, StorageUnavailable):
                for entry in group:  # only the guilty one gets its exception
                    await self._write([entry])
                return
            for future in [future for _, _, future in group if not future.done()]:
                future.set_exception(known)
        else:
            tell(results)

    async def _transaction(self, group: list[_Entry]) -> Results:
        by_kind: dict[Bulk[Any, Any], list[_Entry]] = {}
        for entry in group:
            by_kind.setdefault(entry[0], []).append(entry)
        try:
            async with asyncio.timeout(CALL_S):
                connection = await self._begin()
                results: Results = []
                for bulk, entries in by_kind.items():
                    written = await bulk(connection, [item for _, item, _ in entries])
                    results += zip([future for _, _, future in entries], written, strict=True)
                await self._commit(connection)
        except BaseException:
            await self._roll_back()
            raise
        return results

    async def _begin(self) -> Connection:
        if lost(self._connection):
            self._connection = None
            self._connection = await connect(self._url)
        connection = self._connection
        assert connection is not None
        cursor = await connection.execute(sql.BEGIN, prepare=False)  # several statements in one
        while cursor.nextset():
            pass
        (changes,) = await cursor.fetchone() or (0,)
        await self._begun(connection, changes)
        return connection

    async def _commit(self, connection: Connection) -> None:
        news = self._news()
        if news is not None:
            await connection.execute("SELECT pg_notify(%b, %b)", (sql.CHANNEL, news))
        await connection.execute("COMMIT", prepare=False)

    async def _roll_back(self) -> None:
        """Undo the group; a connection on which that fails, or that still waits for an answer, is given up."""
        self._news()  # what was not committed is no news
        connection = self._connection
        if connection is None:
            return
        try:
            async with asyncio.timeout(1):
                await connection.execute("ROLLBACK", prepare=False)
        except (psycopg.Error, TimeoutError):
            self._connection = None
            await connection.close()
