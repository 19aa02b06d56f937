"""The database of a simulated process: real SQLite, with accidents at its edges, and the image that a dead process leaves.

Accidents are those that SQLite can have: a transaction that never begins, one that fails and leaves nothing, a process
that dies just before or just after its COMMIT, an answer to a COMMIT that is lost. The last one only where the caller
must be able to repeat itself: SQLite reports a failed COMMIT for one that took hold only when the process dies with it.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal

from swiftclaw_local.storage import statements as sql
from tests.simulation.strands import DiedError

Accident = Literal["begin fails", "busy", "full", "dies before", "dies after", "answer lost"]

AT_BEGIN: Final[tuple[Accident, ...]] = ("begin fails", "busy")
AT_COMMIT: Final[tuple[Accident, ...]] = ("full", "dies before", "dies after", "answer lost")
_REPEATABLE: Final = frozenset({sql.FOLLOW_EDGE, sql.FOLLOW_SUCCESS, sql.INSERT_ATTEMPT, sql.INSERT_PLAIN_ATTEMPT})


class Disk:
    """A connection of the shipped store; `accident(at, repeatable)` says what goes wrong there, `die` ends the process."""

    def __init__(
        self, real: sqlite3.Connection, *, accident: Callable[[bool, bool], Accident | None], die: Callable[[], None]
    ) -> None:
        self._real = real
        self._accident = accident
        self._die = die
        self._written: set[str] = set()
        self.dead = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open; a dead process has none to roll back."""
        return not self.dead and self._real.in_transaction

    def execute(self, statement: str, *args: Any) -> sqlite3.Cursor:
        self._check_alive()
        if statement == "BEGIN IMMEDIATE":
            self._written = set()
            _fail(self._accident(False, False))
        elif statement == "COMMIT":
            return self._commit()
        elif statement.startswith(("UPDATE", "INSERT", "DELETE")):
            self._written.add(statement)
        return self._real.execute(statement, *args)

    def executemany(self, statement: str, rows: Iterable[Any]) -> sqlite3.Cursor:
        self._check_alive()
        listed = list(rows)
        if listed:
            self._written.add(statement)
        return self._real.executemany(statement, listed)

    def _commit(self) -> sqlite3.Cursor:
        repeatable = bool(self._written) and self._written <= _REPEATABLE
        accident = self._accident(True, repeatable)
        if accident in ("dies before", "full"):
            self._end(accident)
        cursor = self._real.execute("COMMIT")
        if accident in ("dies after", "answer lost"):
            self._end(accident)
        return cursor

    def _end(self, accident: Accident) -> None:
        if accident.startswith("dies"):
            self._die()
            raise DiedError
        _fail(accident)

    def _check_alive(self) -> None:
        if self.dead:
            raise DiedError


def _fail(accident: Accident | None) -> None:
    codes = {"busy": sqlite3.SQLITE_BUSY, "full": sqlite3.SQLITE_FULL}
    if accident is not None:
        error = sqlite3.OperationalError(f"simulated: {accident}")
        error.sqlite_errorcode = codes.get(accident, sqlite3.SQLITE_IOERR)
        raise error


def leave_image(folder: Path, heir: Path) -> None:
    """Copy a database's folder as it lies on the disk at this moment; the index in shared memory goes with the process."""
    heir.mkdir()
    for path in folder.iterdir():
        if not path.name.endswith(("-shm", ".lock")):
            with suppress(FileNotFoundError):
                shutil.copy2(path, heir / path.name)


class SimulatedCommits:
    """In the place of the thread that makes COMMITs: they are made as whatever else the simulated loop does beside it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def commit(self) -> asyncio.Future[Any]:
        """Make one a moment later."""
        return asyncio.get_running_loop().run_in_executor(None, self._connection.execute, "COMMIT")

    def close(self) -> None:
        """No thread."""


class NoCheckpoints:
    """In the place of the thread that writes the log file over: the simulated lives are short."""

    beginning_anew = False

    def __init__(self, path: Path) -> None:
        """The path does not matter."""

    def start(self) -> None:
        """No thread."""

    def written(self) -> None:
        """Nothing to be told."""

    def stop(self) -> None:
        """No thread."""
