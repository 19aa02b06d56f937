"""A disk of PostgreSQL that can be filled: a small file system of the server's own, or, where nobody may have one, its errors.

The small file system is mounted in a name space that only the server's processes see, and is gone with them. It holds a
tablespace; a table of ballast fills it.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

from tests.crash.databases import PostgresDatabase
from tests.postgres_server import NOBODY, PostgresServer, running_server

_ROOM_MB: Final = 160
_MOUNT: Final = f'mkdir -p "$0" && mount -t tmpfs -o size={_ROOM_MB}m,mode=0700"$OWNER" small "$0" && exec "$@"'
# Rows of a page each, in ever smaller lots, so that no room is left.
_LOTS: Final = (4000, 400, 40, 4, 1)
_REFUSE: Final = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
END $$
"""
_TABLES: Final = ("event", "attempt")


@dataclass(frozen=True, slots=True)
class Disk:
    """The server, and what a database on the small disk is created with; `real`: it is one, not merely its errors."""

    server: PostgresServer
    real: bool

    @property
    def options(self) -> str:
        """What a database that is to lie on it is created with."""
        return "TABLESPACE small" if self.real else ""

    @contextmanager
    def full(self, database: PostgresDatabase) -> Iterator[None]:
        """Leave no room until the block ends."""
        if self.real:
            with psycopg.connect(self.server.url(), autocommit=True) as connection:
                _fill(connection)
                try:
                    yield
                finally:
                    connection.execute("DROP TABLE ballast")
            return
        database.change(_REFUSE)
        for table in _TABLES:
            database.change(f"CREATE TRIGGER no_room BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION no_room()")
        try:
            yield
        finally:
            database.change("DROP FUNCTION no_room CASCADE")


@contextmanager
def small_disk() -> Iterator[Disk]:
    """Run a PostgreSQL with a small disk."""
    real = may_mount()
    with running_server(wrap=_wrapped if real else None) as server:
        if real:
            with psycopg.connect(server.url(), autocommit=True) as connection:
                connection.execute(f"CREATE TABLESPACE small LOCATION '{server.folder / 'small'}'".encode())
        yield Disk(server, real=real)


def _wrapped(folder: Path) -> list[str]:
    """Return the command before `postgres`: a name space of its own, the mount, and the user that PostgreSQL is to run as."""
    if os.geteuid() == 0:
        user = f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"
        mounted = f"OWNER=,uid={NOBODY},gid={NOBODY}", "unshare", "--mount", "sh", "-c", _MOUNT, str(folder / "small")
        return ["env", *mounted, "setpriv", *user]
    back = f"--map-user={os.geteuid()}", f"--map-group={os.getegid()}"
    return ["unshare", "--map-root-user", "--mount", "sh", "-c", _MOUNT, str(folder / "small"), "unshare", *back]


def may_mount() -> bool:
    """Return whether the system lets us have a small file system."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)
        try:
            tried = subprocess.run([*_wrapped(place), "true"], capture_output=True, check=False)
        except OSError:
            return False
        return tried.returncode == 0


def _fill(connection: psycopg.Connection[object]) -> None:
    connection.execute("CREATE UNLOGGED TABLE ballast (page text STORAGE PLAIN) TABLESPACE small")
    for lot in _LOTS:
        with suppress(psycopg.errors.DiskFull):
            while True:
                connection.execute("INSERT INTO ballast SELECT repeat('x', 8000) FROM generate_series(1, %s)", (lot,))
