"""The databases that the suites run over: what a server is told of each, and what is read from it behind its back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final, Protocol

import psycopg

from tests.postgres_server import PostgresServer

_NUMBERS: Final = count(1)


class Database(Protocol):
    """One database of one run. `shared`: several dispatchers may work on it."""

    shared: bool
    flags: tuple[str, ...]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return what is committed."""

    def change(self, sql: str) -> None:
        """Change the database behind the server's back."""

    def damaged(self) -> bool:
        """Return whether the database itself finds fault with its pages."""


class SqliteFile:
    """The file that a server makes in its folder."""

    shared = False
    flags: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self.path = folder / ".swiftclaw" / "swiftclaw.db"

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """See `Database.rows`."""
        with closing(sqlite3.connect(self.path, timeout=10)) as connection:
            return connection.execute(sql).fetchall()

    def change(self, sql: str) -> None:
        """See `Database.change`."""
        with closing(sqlite3.connect(self.path, timeout=10)) as connection, connection:
            connection.execute(sql)

    def damaged(self) -> bool:
        """See `Database.damaged`."""
        return self.rows("PRAGMA integrity_check") != [("ok",)]


class PostgresDatabase:
    """A new database in a PostgreSQL server of the tests."""

    shared = True

    def __init__(self, server: PostgresServer, *, options: str = "") -> None:
        self.server = server
        self.name = f"crash_{next(_NUMBERS)}"
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {self.name} {options}".encode())
        self.url = server.url(self.name)
        self.flags: tuple[str, ...] = ("--db", self.url)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """See `Database.rows`."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(sql.encode()).fetchall()

    def change(self, sql: str) -> None:
        """See `Database.change`."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.encode())

    def damaged(self) -> bool:
        """See `Database.damaged`. Whoever reads all of every index and table finds a page that is broken."""
        try:
            self.rows(
                "SELECT count(*) FROM event e JOIN delivery d ON d.event_id = e.id JOIN attempt a ON a.delivery_id = d.id"
            )
        except psycopg.Error:
            return True
        return False


@contextmanager
def database(kind: str, folder: Path, server: PostgresServer | None) -> Iterator[Database]:
    """Give an empty database of this kind. On PostgreSQL it is dropped at the end, so that a long run fills no memory."""
    if server is None:
        assert kind == "sqlite", kind
        yield SqliteFile(folder)
        return
    made = PostgresDatabase(server)
    try:
        yield made
    finally:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {made.name} WITH (FORCE)".encode())


def unix(moment: Any) -> float:
    """Return a time of either database as unix seconds."""
    known = moment if isinstance(moment, datetime) else datetime.fromisoformat(str(moment))
    return (known if known.tzinfo else known.replace(tzinfo=UTC)).timestamp()
