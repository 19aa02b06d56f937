"""Brings a PostgreSQL database to the version of this code, and checks that its secrets can be read with this key.

Alembic's scripts make the tables too. All of it happens under an advisory lock, so that of many dispatchers started at
once one does it and the others find it done. A database that is refused stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import psycopg
import sqlalchemy

from swiftclaw_local import logs
from swiftclaw_local.errors import DamagedDatabase, DatabaseTooNew, DatabaseUnreachable, ForeignDatabase, WrongKey
from swiftclaw_local.storage.migrate import revision_of, run_scripts
from swiftclaw_local.storage.postgres_link import connect_plain, reason
from swiftclaw_local.storage.postgres_statements import SCHEMA_LOCK
from swiftclaw_local.storage.secretbox import SecretBox
from swiftclaw_local.storage.tables import SCHEMA_VERSION

_MARK: Final = "key_check"  # a table that nobody but us makes beside alembic's

# Returns the key; may make one when told that the database is new.
FindKey = Callable[[bool], bytes]


def open_database(url: str, *, shown: str, find_key: FindKey) -> SecretBox:
    """Make or upgrade the tables, check the key, and return the box of secrets. `shown` is the URL without its password.

    Raises: DatabaseUnreachable, ForeignDatabase, DatabaseTooNew, DamagedDatabase, WrongKey.
    """
    try:
        with connect_plain(url, limits=False) as connection:
            connection.execute(f"SELECT pg_advisory_lock({SCHEMA_LOCK})".encode())
            _warn_of_lost_commits(connection)
            version = _version(connection, shown)
            box = SecretBox(find_key(version is None))
            if version is not None:
                _check_key(connection, box)
            if version != SCHEMA_VERSION:
                _upgrade(connection, key_check=None if version is not None else box.new_check())
            return box
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseUnreachable(
            f"The user of {shown} may not do what is needed: {reason(error)}.",
            hint="It needs CREATE on the schema once, to make the tables, and owns them from then on.",
        ) from None
    except psycopg.ProgrammingError as error:
        if error.sqlstate is not None:
            raise
        raise DatabaseUnreachable(  # what the driver says of a URL that it cannot read repeats the URL
            f"{shown} is not a URL that PostgreSQL's driver can read.",
            hint="Write --db postgresql://user:password@host:5432/database, with %40 for @ in the password.",
        ) from None
    except psycopg.OperationalError as error:
        raise DatabaseUnreachable(
            f"PostgreSQL does not let us in at {shown}: {reason(error)}.",
            hint="Check that the server runs, and the host, port, user, password and database of --db.",
        ) from None


def _version(connection: psycopg.Connection[Any], shown: str) -> int | None:
    """Return the version of the tables, None when there are none."""
    ours, alembic, tables = connection.execute(
        "SELECT to_regclass('key_check') IS NOT NULL, to_regclass('alembic_version') IS NOT NULL,"
        " to_regclass('delivery') IS NOT NULL OR to_regclass('event') IS NOT NULL OR to_regclass('webhook') IS NOT NULL"
    ).fetchone() or (False, False, False)
    if not ours and not alembic and not tables:
        return None
    if not ours or not alembic:
        raise ForeignDatabase(
            f"{shown} holds tables of another program under names that we need; it was not touched.",
            hint="Give SwiftClaw local a database or a schema of its own: --db 'postgresql://…?options=-csearch_path%3Dswiftclaw'",
        )
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if row is None or not str(row[0]).isdigit():
        raise DamagedDatabase(f"{shown} does not tell the version of its tables; it was not touched.")
    version = int(row[0])
    if version > SCHEMA_VERSION:
        raise DatabaseTooNew(
            f"{shown} was written by a newer SwiftClaw local (tables {version}, this one knows {SCHEMA_VERSION}); it was not touched.",
            hint="Upgrade swiftclaw-local on every host, or choose another database: --db URL",
        )
    return version


def _check_key(connection: psycopg.Connection[Any], box: SecretBox) -> None:
    row = connection.execute("SELECT sealed FROM key_check").fetchone()
    try:
        box.check(b"" if row is None else row[0])
    except (WrongKey, ValueError):
        raise WrongKey(
            "The key does not open the secrets in this database.",
            hint="Give every host the key of the first one: its file swiftclaw.key, or SWIFTCLAW_KEY.",
        ) from None


def _upgrade(connection: psycopg.Connection[Any], *, key_check: bytes | None) -> None:
    """Run what is missing in one transaction, over this very connection."""
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: connection, poolclass=sqlalchemy.StaticPool
    )
    connection.autocommit = False
    with engine.begin() as handed:
        run_scripts(handed, to=revision_of(SCHEMA_VERSION))
        if key_check is not None:
            handed.exec_driver_sql("INSERT INTO key_check (id, sealed) VALUES (1, %s)", (key_check,))
    connection.autocommit = True


def _warn_of_lost_commits(connection: psycopg.Connection[Any]) -> None:
    row = connection.execute("SHOW synchronous_commit").fetchone()
    if row is not None and row[0] == "off":
        logs.logger().warning(logs.COMMITS_NOT_DURABLE, setting="synchronous_commit", value="off")
