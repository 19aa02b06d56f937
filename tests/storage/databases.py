"""The databases that the conformance suite runs over. Another one is one more class, and one more entry in DATABASES."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Protocol

from swiftclaw_local.ids import IdFactory
from swiftclaw_local.storage.reads import Reads
from swiftclaw_local.storage.sqlite import SqliteStore
from swiftclaw_local.storage.store import Store

KEY: Final = bytes(range(32))


class ReadableStore(Store, Protocol):
    """A store that also hands out its reads."""

    def reads(self) -> Reads: ...


class Database(Protocol):
    """One database, empty at first, that outlives the stores opened on it."""

    def __init__(self, folder: Path) -> None: ...

    def store(self) -> ReadableStore:
        """Return a store over this database, not opened yet."""

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return what is committed, seen from outside."""

    def meddle(self, sql: str, *values: Any) -> None:
        """Change the database behind the store's back, from outside."""

    def bytes_at_rest(self) -> bytes:
        """Return all that lies on the disk."""


class SqliteDatabase:
    """A SQLite file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "swiftclaw.db"

    def store(self) -> ReadableStore:
        return SqliteStore(self.path, ids=IdFactory(), durability="off", key=KEY)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(sql, values).fetchall()

    def meddle(self, sql: str, *values: Any) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(sql, values)

    def bytes_at_rest(self) -> bytes:
        return b"".join(file.read_bytes() for file in self.path.parent.glob(f"{self.path.name}*"))


DATABASES: Final[dict[str, type[Database]]] = {"sqlite": SqliteDatabase}
