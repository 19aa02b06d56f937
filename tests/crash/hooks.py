"""What a child process under test can be made to do, by variables of its environment; see `child/sitecustomize.py`.

CRASH_WALL      a file that holds by how much the wall clock is wrong (seconds, as a double); it may change at any time
CRASH_AT        a named point and a number, as `claim.committed:3`: the process kills itself there, the third time it passes
CRASH_SCRIPTS   a folder of migrations that lead to one version more
CRASH_UNFENCED  records are written whatever their lease token
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import mmap
import os
import signal
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

_OFFSET: Final = struct.Struct("d")


def install() -> None:
    """Put in what the environment asks for."""
    asked = {name: os.environ.get(f"CRASH_{name}") for name in ("WALL", "AT", "SCRIPTS", "UNFENCED")}
    if asked["WALL"]:
        _move_wall(Path(asked["WALL"]))
    if asked["SCRIPTS"]:
        _lead_on(Path(asked["SCRIPTS"]))
    if asked["UNFENCED"]:
        _take_fence_out()
    if asked["AT"]:
        point, _, times = asked["AT"].partition(":")
        _die_at(point, int(times or 1))


# --- the wall clock -------------------------------------------------------------------------------------------------


def set_wall(path: Path, seconds: float) -> None:
    """Make the wall clock of the children that were given this file wrong by so much."""
    if not path.exists():
        path.write_bytes(_OFFSET.pack(seconds))
        return
    with path.open("r+b") as file:
        file.write(_OFFSET.pack(seconds))


def _move_wall(path: Path) -> None:
    with path.open("rb") as file:
        offset = mmap.mmap(file.fileno(), _OFFSET.size, prot=mmap.PROT_READ)
    real = time.time
    vars(time).update(time=lambda: real() + float(_OFFSET.unpack(offset)[0]))


# --- the next version of the tables ---------------------------------------------------------------------------------


def _lead_on(scripts: Path) -> None:
    from swiftclaw_local.storage import migrate, postgres_schema
    from swiftclaw_local.storage.tables import SCHEMA_VERSION

    version = SCHEMA_VERSION + 1
    vars(migrate).update(_SCRIPTS=scripts, SCHEMA_VERSION=version)
    vars(postgres_schema).update(SCHEMA_VERSION=version)


# --- the fence ------------------------------------------------------------------------------------------------------


def _take_fence_out() -> None:
    from swiftclaw_local.storage import postgres_statements as sql

    vars(sql).update(RECORD=unfenced(sql.RECORD))


def unfenced(statement: str) -> str:
    """Return the statement that records, letting a late record through: past the token, and past the key of attempts."""
    edits = (
        (" AND d.lease_token = m.token\n    JOIN webhook", "\n    JOIN webhook"),
        (
            " AND d.lease_token = m.token\n    RETURNING d.id, d.lease_token",
            "\n    RETURNING d.id, m.token AS lease_token",
        ),
        ("    FROM held m\n)", "    FROM held m ON CONFLICT DO NOTHING\n)"),
    )
    for old, new in edits:
        assert statement.count(old) == 1, old
        statement = statement.replace(old, new)
    return statement


# --- named points ---------------------------------------------------------------------------------------------------


def _verb(name: str, *, before: bool = False) -> tuple[tuple[str, str, str, bool], ...]:
    """Return where a verb of either store stands, and whether the point is before or after it."""
    return (
        ("swiftclaw_local.storage.sqlite", "SqliteStore", name, before),
        ("swiftclaw_local.storage.postgres", "PostgresStore", name, before),
    )


# point -> the methods that pass it; an answer that is empty (nothing was claimed) does not count
POINTS: Final[dict[str, tuple[tuple[str, str, str, bool], ...]]] = {
    "event.asked": _verb("add_event", before=True),
    "event.committed": _verb("add_event"),
    "claim.committed": _verb("claim_due"),
    "request.begins": (("swiftclaw_local.dispatcher.sender", "Sender", "post", True),),
    "request.answered": (("swiftclaw_local.dispatcher.sender", "Sender", "post", False),),
    "record.asked": _verb("record", before=True),
    "record.committed": _verb("record"),
    "replay.committed": _verb("replay"),
    "give_back.committed": _verb("give_back"),
    "webhook_change.committed": _verb("change_webhook"),
    "webhook_removal.committed": _verb("remove_webhook"),
    "recovery.committed": _verb("recover"),
}
# these two are in the driver, so that they lie inside a transaction of any kind
COMMITS: Final = ("commit.asked", "commit.done")


def _die_at(point: str, times: int) -> None:
    count = _Countdown(times)
    if point in COMMITS:
        _die_at_commit(count, before=point == "commit.asked")
        return
    for module, owner, name, before in POINTS[point]:
        loaded = __import__(module, fromlist=[owner])
        cls = getattr(loaded, owner)
        setattr(cls, name, _passing(getattr(cls, name), count, before=before))


class _Countdown:
    """Kills the process when it was called often enough."""

    def __init__(self, times: int) -> None:
        self._left = times

    def __call__(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def _passing(method: Callable[..., Any], passed: _Countdown, *, before: bool) -> Callable[..., Any]:
    @functools.wraps(method)
    async def wrapped(*arguments: Any, **named: Any) -> Any:
        if before:
            passed()
        result = await method(*arguments, **named)
        if not before and result != []:
            passed()
        return result

    if inspect.iscoroutinefunction(method):
        return wrapped
    return functools.wraps(method)(lambda *arguments, **named: asyncio.ensure_future(wrapped(*arguments, **named)))


def _die_at_commit(passed: _Countdown, *, before: bool) -> None:
    import sqlite3

    import psycopg

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            if sql != "COMMIT":
                return super().execute(sql, *arguments)
            if before:
                passed()
            done = super().execute(sql, *arguments)
            if not before:
                passed()
            return done

    vars(sqlite3).update(connect=functools.partial(sqlite3.connect, factory=Connection))
    execute = psycopg.AsyncConnection.execute

    async def committing(self: Any, query: Any, *arguments: Any, **named: Any) -> Any:
        if query == "COMMIT" and before:
            passed()
        done = await execute(self, query, *arguments, **named)
        if query == "COMMIT" and not before:
            passed()
        return done

    psycopg.AsyncConnection.execute = committing  # type: ignore[method-assign]  # what the hook is for
