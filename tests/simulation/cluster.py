"""The PostgreSQL of the simulation: a database for each seed, whose `clock_timestamp()` says what the world says.

The shipped SQL asks for `clock_timestamp()`, and the search path in the database's URL names `pg_catalog` last: so the
function of this name that lies beside the tables is found first. It reads a sequence, as what is set there is seen at once,
whatever transactions are open.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from swiftclaw_local.storage.postgres_link import PlainConnection
from swiftclaw_local.storage.postgres_schema import open_database

KEY: Final = bytes(range(32))
_TEMPLATE: Final = "simulated"
_CLOCK: Final = """
CREATE SEQUENCE simulated_now;
CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN (SELECT timestamptz 'epoch' + last_value * interval '1 microsecond' FROM simulated_now);
END $$
"""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running server, by its URL without a database."""

    server: str

    def prepared(self) -> Cluster:
        """Make the template, its tables and its clock, and return this."""
        self._do(f"DROP DATABASE IF EXISTS {_TEMPLATE} WITH (FORCE)")
        self._do(f"CREATE DATABASE {_TEMPLATE}")
        with psycopg.connect(self._url(_TEMPLATE), autocommit=True) as connection:
            connection.execute(_CLOCK.encode())
        open_database(self._url(_TEMPLATE), shown="the template", find_key=lambda _: KEY)
        return self

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """Give the URL of a new database, and drop it at the end."""
        self._do(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        try:
            yield f"{self._url(name)}%20-csynchronous_commit%3Doff"  # losing power is not simulated
        finally:
            self._do(f"DROP DATABASE {name} WITH (FORCE)")

    def _url(self, database: str) -> str:
        """Return the URL of a database, with the search path that finds the clock."""
        return f"{self.server}/{database}?options=-csearch_path%3Dpublic%2Cpg_catalog"

    def _do(self, statement: str) -> None:
        with psycopg.connect(f"{self.server}/postgres", autocommit=True) as connection:
            connection.execute(statement.encode())


class Watcher:
    """The world's own connection to a database: it looks, sets the database's clock, and ends other connections."""

    def __init__(self, url: str) -> None:
        self._connection: psycopg.Connection[Any] = psycopg.connect(url, autocommit=True, prepare_threshold=1)
        self._connection.execute("SET TimeZone = 'UTC'; SET DateStyle = 'ISO'")
        self.plain = PlainConnection(self._connection)
        self._micros = 0

    def set_clock(self, seconds: float) -> None:
        """Set the database's clock to so many unix seconds."""
        micros = round(seconds * 1_000_000)
        if micros != self._micros:
            self._micros = micros
            self._connection.execute("SELECT setval('simulated_now', %s)", (micros,))

    def waits(self, pid: int) -> bool:
        """Return whether a connection waits for a lock that another holds."""
        row = self._connection.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", (pid,)).fetchone()
        return row is not None and bool(row[0])

    def end(self, pid: int) -> None:
        """End a connection from the server's side, and wait until its locks are gone."""
        self._connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
        while self._connection.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone():
            pass  # the function's own waiting looks only ten times a second

    def cancel(self, pid: int) -> None:
        """Cancel what a connection waits for."""
        self._connection.execute("SELECT pg_cancel_backend(%s)", (pid,))

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()
