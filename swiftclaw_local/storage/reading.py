"""How every read is made: on a thread of its own, so that a long one never holds up the engine, with errors as ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import sqlalchemy
from sqlalchemy import Engine, Row
from sqlalchemy.engine import Connection

from swiftclaw_local.errors import StorageUnavailable

T = TypeVar("T")


class Reading:
    """Asks a database over an SQLAlchemy engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._closed = False

    def close(self) -> None:
        """Close the connections; those that are being read from, once they have been."""
        self._closed = True
        self._engine.dispose()

    async def _read(self, ask: Callable[[Connection], T]) -> T:
        return await asyncio.to_thread(self._ask, ask)

    def _ask(self, ask: Callable[[Connection], T]) -> T:
        try:
            with self._connection() as connection:
                return ask(connection)
        except sqlalchemy.exc.DBAPIError as error:
            raise StorageUnavailable(f"The database does not answer ({error.orig}).") from None

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            try:
                yield connection
            finally:
                if self._closed:
                    connection.detach()  # the pool that it came from is gone, and would leave it open

    async def _rows(self, statement: Any) -> list[Row[Any]]:
        return await self._read(lambda connection: list(connection.execute(statement).all()))

    async def _one(self, statement: Any) -> Row[Any] | None:
        return await self._read(lambda connection: connection.execute(statement).first())
