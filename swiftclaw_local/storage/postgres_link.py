"""Connections to PostgreSQL: how each is set up, and what its errors mean to us. No SQL of ours beyond the session's settings.

Every call has a time limit, on the server and here. A URL may hold a password: it is never shown, and neither is a message
that repeats it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import psycopg
from psycopg.adapt import Loader

from swiftclaw_local.errors import StorageFull, StorageUnavailable

# Seconds: to connect; on the server for one statement, for a lock, and for a transaction that its client left open.
CONNECT_S: Final = 5
_STATEMENT_S: Final = 10
_LOCK_S: Final = 5
_IDLE_S: Final = 15
# Seconds for one call as seen from here: when the network swallows everything, the server's limits say nothing.
CALL_S: Final = 15
_SESSION: Final = (
    "SET TimeZone = 'UTC'; SET DateStyle = 'ISO';"
    f" SET statement_timeout = '{_STATEMENT_S}s'; SET lock_timeout = '{_LOCK_S}s';"
    f" SET idle_in_transaction_session_timeout = '{_IDLE_S}s'"
)
_KEEPALIVE: Final[dict[str, Any]] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_NAME: Final = "swiftclaw-local"
# Classes of SQLSTATE after which the same call may work: connection, resources, operator, system, rolled back, locked.
_PASSING: Final = ("08", "53", "57", "58", "40", "55", "25")
_DISK_FULL: Final = "53100"


async def connect(url: str) -> psycopg.AsyncConnection[Any]:
    """Return a connection that commits each statement by itself. Raises: psycopg.OperationalError."""
    connection = await psycopg.AsyncConnection.connect(
        url, autocommit=True, prepare_threshold=1, connect_timeout=CONNECT_S, application_name=_NAME, **_KEEPALIVE
    )
    try:
        await connection.execute(_SESSION)
    except BaseException:  # also when its caller is stopped: nobody else knows of it
        await connection.close()
        raise
    return connection


def connect_plain(url: str, *, limits: bool = True) -> psycopg.Connection[Any]:
    """Return a blocking connection, for a thread; without `limits` statements may take as long as they take."""
    connection = psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_S, application_name=_NAME, **_KEEPALIVE)
    try:
        connection.execute(_SESSION)
        if not limits:
            connection.execute("SET statement_timeout = 0; SET lock_timeout = 0")
    except BaseException:
        connection.close()
        raise
    return connection


def lost(connection: psycopg.AsyncConnection[Any] | psycopg.Connection[Any] | None) -> bool:
    """Return whether a connection has to be made anew."""
    return connection is None or connection.closed or connection.broken


def answers(connection: psycopg.Connection[Any]) -> bool:
    """Return whether a connection that lay idle can be used: that its server went away meanwhile is seen only by asking."""
    if lost(connection):
        return False
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        connection.close()
        return False
    return True


def translated(error: Exception) -> Exception:
    """Return a database's error as one of ours where calling again may help; others as they are."""
    if isinstance(error, TimeoutError):
        return StorageUnavailable("The database does not answer in time. Try again.")
    if not isinstance(error, psycopg.Error):
        return error
    if error.sqlstate == _DISK_FULL:
        return StorageFull(
            f"The disk of the database is full ({reason(error)}); nothing was written.",
            hint="Free some space and try again.",
        )
    passing = error.sqlstate is not None and error.sqlstate.startswith(_PASSING)
    if passing or (error.sqlstate is None and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)):
        return StorageUnavailable(f"The database does not answer ({reason(error)}). Try again.")
    return error


def reason(error: BaseException) -> str:
    """Return what an error says, in one line."""
    primary = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    lines = (primary or str(error)).strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__


class _TimeAsText(Loader):
    """Reads `2026-11-23 14:10:00.5+00` as the text that SQLite keeps: `2026-11-23 14:10:00.500000`."""

    def load(self, data: Any) -> str:
        whole, _, part = bytes(data).decode("ascii").removesuffix("+00").partition(".")
        return f"{whole}.{part:0<6}"


class PlainConnection:
    """A connection spoken to as SQLite's is, so that what is off the hot path is written once: `?` for values, times as text."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        connection.adapters.register_loader("timestamptz", _TimeAsText)

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Any:
        """Execute one statement and return its cursor."""
        return self._connection.execute(sql.replace("?", "%s").encode(), parameters)
