"""The databases that the conformance suite runs over. Another one is one more class, and one more entry in DATABASES."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, Final, Protocol

import psycopg

from swiftclaw_local.ids import IdFactory
from swiftclaw_local.scheduler.clock import SystemTime
from swiftclaw_local.storage.postgres import Lease, PostgresStore
from swiftclaw_local.storage.reads import Reads
from swiftclaw_local.storage.sqlite import SqliteStore
from swiftclaw_local.storage.store import Store
from tests.postgres_server import PostgresServer

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

    def refuse_attempts(self) -> None:
        """Have the database refuse every row of the log, with the words `no attempts today`."""

    def take_attempts(self) -> None:
        """Have it take them again."""

    def refuse_events(self, type: str) -> None:
        """Have the database refuse events of this type."""

    def break_secret(self, agent: str) -> None:
        """Make the secrets of an agent's webhooks unreadable."""

    def let_leases_run_out(self) -> None:
        """Let as much time pass as makes a dispatcher that holds something a dead one."""


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

    def refuse_attempts(self) -> None:
        self.meddle(
            "CREATE TRIGGER refuse BEFORE INSERT ON attempt BEGIN SELECT RAISE(ABORT, 'no attempts today'); END"
        )

    def take_attempts(self) -> None:
        self.meddle("DROP TRIGGER refuse")

    def refuse_events(self, type: str) -> None:
        self.meddle(
            f"CREATE TRIGGER refuse BEFORE INSERT ON event WHEN NEW.type = '{type}'"
            " BEGIN SELECT RAISE(ABORT, 'not this one'); END"
        )

    def break_secret(self, agent: str) -> None:
        self.meddle("UPDATE webhook SET secret_box = zeroblob(40) WHERE agent = ?", agent)

    def let_leases_run_out(self) -> None:
        """The lock of the operating system says it: the process is gone."""


class PostgresDatabase:
    """A schema of its own in the tests' PostgreSQL."""

    server: PostgresServer  # set before the first one is made
    _numbers = count(1)

    def __init__(self, folder: Path) -> None:
        self.schema = f"test_{os.getpid()}_{next(self._numbers)}"
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {self.schema}".encode())
        self.url = f"{self.server.url()}?options=-csearch_path%3D{self.schema}"

    def store(self) -> ReadableStore:
        lease = Lease(lasts_s=15, begin_within_s=3, monotonic=SystemTime.monotonic)
        return PostgresStore(self.url, shown="the tests", ids=IdFactory(), find_key=lambda _: KEY, lease=lease)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._connect() as connection:
            found = connection.execute(sql.replace("?", "%s").encode(), values).fetchall()
        return [tuple(_as_sqlite(value) for value in row) for row in found]

    def meddle(self, sql: str, *values: Any) -> None:
        with self._connect() as connection:
            connection.execute(sql.replace("?", "%s").encode(), values)

    def bytes_at_rest(self) -> bytes:
        with self._connect() as connection:
            tables = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = %s", (self.schema,)
            ).fetchall()
            found = [connection.execute(f"SELECT t::text FROM {table} t".encode()).fetchall() for (table,) in tables]  # noqa: S608 - our own
        return repr(found).encode()

    def refuse_attempts(self) -> None:
        self.meddle(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no attempts today'; END$$"
        )
        self.meddle("CREATE TRIGGER refuse BEFORE INSERT ON attempt FOR EACH ROW EXECUTE FUNCTION refuse()")

    def take_attempts(self) -> None:
        self.meddle("DROP TRIGGER refuse ON attempt")

    def refuse_events(self, type: str) -> None:
        self.meddle(f"ALTER TABLE event ADD CHECK (type <> '{type}')")

    def break_secret(self, agent: str) -> None:
        self.meddle("UPDATE webhook SET secret_box = decode(repeat('00', 40), 'hex') WHERE agent = ?", agent)
        self.meddle("UPDATE counter SET next = next + 1 WHERE name = 'webhook_changes'")

    def let_leases_run_out(self) -> None:
        self.meddle("UPDATE delivery SET leased_until = leased_until - interval '1 hour' WHERE state = 'in_flight'")

    def end_connections(self) -> None:
        """End every connection of the stores, as a restart of the server does."""
        self.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'swiftclaw-local'")

    def _connect(self) -> psycopg.Connection[Any]:
        connection = psycopg.connect(self.url, autocommit=True)
        connection.execute("SET TimeZone = 'UTC'")
        return connection


def _as_sqlite(value: Any) -> Any:
    return value.isoformat(" ", "microseconds")[:26] if isinstance(value, datetime) else value


DATABASES: Final[dict[str, type[Database]]] = {"sqlite": SqliteDatabase, "postgresql": PostgresDatabase}
